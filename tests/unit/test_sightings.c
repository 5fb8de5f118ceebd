/* What the edge remembers: lossy, never torn, kept over a restart. */
#include "judge/sightings.h"

#include <pthread.h>

#include "unit/test.h"

#define NOW 1700000000000u

static const uint8_t key[HASH_KEY] = "sightings tests";
static const uint8_t other_key[HASH_KEY] = "another's key..";

static void mark(struct sighting *s, const void *ctx)
{
	s->imei = *(const uint64_t *)ctx;
}

static bool put(struct sightings *s, uint64_t imsi, uint64_t imei, uint64_t now_ms)
{
	return sightings_edit(s, imsi, now_ms, mark, &imei);
}

TEST(what_was_put_is_found_and_nothing_else)
{
	struct sightings *s = sightings_new(1 << 14, key);
	struct sighting at;
	unsigned int found = 0;

	for (uint64_t i = 1; i <= 4000; i++)
		check(put(s, i << 20, i, NOW));
	for (uint64_t i = 1; i <= 4000; i++) {
		if (!sightings_find(s, i << 20, &at))
			continue;
		found++;
		check_eq(at.imsi, i << 20);
		check_eq(at.imei, i);
	}
	check(found > 3900);
	check(!sightings_find(s, 4001ull << 20, &at));
	check(!sightings_find(s, 0, &at));
	check(!put(s, 0, 1, NOW));
	sightings_free(s);
}

TEST(a_full_table_forgets_the_oldest)
{
	struct sightings *s = sightings_new(4, key); /* one place of four */
	struct sighting at;

	for (uint64_t i = 1; i <= 4; i++)
		check(put(s, i, i, NOW + i * 1000));
	check(put(s, 1, 1, NOW + 10000));
	check(put(s, 5, 5, NOW + 11000));
	check(sightings_find(s, 1, &at));
	check(!sightings_find(s, 2, &at));
	check(sightings_find(s, 3, &at));
	check(sightings_find(s, 5, &at));
	sightings_free(s);
}

TEST(hosts_are_compared_without_regard_to_case)
{
	struct sightings *s = sightings_new(4, key);

	check_eq(sightings_host(s, VIEW("MME.Example")), sightings_host(s, VIEW("mme.example")));
	check(sightings_host(s, VIEW("mme1.example")) != sightings_host(s, VIEW("mme2.example")));
	check_eq(sightings_host(s, VIEW("")), 0);
	for (int c = 0; c < 256; c++) { /* each octet, among eight and behind them */
		bool capital = c >= 'A' && c <= 'Z';
		char a[] = "mme-abcdef", b[] = "mme-abcdef";

		a[c % 10] = (char)c;
		b[c % 10] = (char)(capital ? c + 32 : c);
		check_eq(sightings_host(s, VIEW(a)), sightings_host(s, VIEW(b)));
		b[c % 10] = (char)(c ^ 0x20);
		check((sightings_host(s, VIEW(a)) == sightings_host(s, VIEW(b))) ==
		      (capital || (c >= 'a' && c <= 'z')));
	}
	sightings_free(s);
}

TEST(a_snapshot_is_taken_in_again)
{
	struct sightings *s = sightings_new(1024, key), *t = sightings_new(256, key);
	size_t size = sightings_size(s);
	uint8_t *room = malloc(size);
	struct wr w = { .p = room, .cap = size };
	struct sighting at;

	check(room != NULL);
	for (uint64_t i = 1; i <= 100; i++)
		check(put(s, i, i * 7, NOW + i * 1000));
	check_eq(sightings_save(s, &w), ERR_OK);
	check_eq(sightings_load(t, wr_done(&w)), ERR_OK);
	check(sightings_find(t, 100, &at));
	check_eq(at.imei, 700);
	check_eq(at.touched_s, NOW / 1000 + 100);
	free(room);
	sightings_free(s);
	sightings_free(t);
}

TEST(a_damaged_foreign_or_short_snapshot_is_refused_whole)
{
	struct sightings *s = sightings_new(64, key), *t = sightings_new(64, other_key);
	uint8_t room[8192], bad[8192];
	struct wr w = { .p = room, .cap = sizeof room }, tiny = { .p = bad, .cap = 30 };
	struct sightings *fresh = sightings_new(64, key);
	struct sighting at;

	check(put(s, 1, 2, NOW));
	check_eq(sightings_save(s, &w), ERR_OK);
	for (size_t i = 0; i < w.n; i++) {
		memcpy(bad, room, w.n);
		bad[i] ^= 1;
		check_eq(sightings_load(fresh, (struct view){ bad, w.n }), ERR_CORRUPT);
		check_eq(sightings_load(fresh, (struct view){ room, i }), ERR_CORRUPT);
	}
	check(!sightings_find(fresh, 1, &at));
	check_eq(sightings_load(t, wr_done(&w)), ERR_CORRUPT);
	check_eq(sightings_save(s, &tiny), ERR_FULL);
	sightings_free(s);
	sightings_free(t);
	sightings_free(fresh);
}

/* --- workers --- */

static void all_alike(struct sighting *s, const void *ctx)
{
	uint32_t x = *(const uint32_t *)ctx;

	s->imei = (uint64_t)x << 32 | x;
	s->host = s->host_sgsn = s->plmn = s->seen_s = s->auth_plmn = s->auth_s = x;
	s->steer_plmn[0] = s->steer_plmn[1] = s->steer_s = s->host_vlr = x;
}

static bool alike(const struct sighting *s)
{
	uint32_t x = s->host;

	return s->imei == ((uint64_t)x << 32 | x) && s->host_sgsn == x && s->plmn == x &&
	       s->seen_s == x && s->auth_plmn == x && s->auth_s == x && s->steer_plmn[0] == x &&
	       s->steer_plmn[1] == x && s->steer_s == x && s->host_vlr == x;
}

static _Atomic bool seen_enough;

static void *writes(void *arg)
{
	struct sightings *s = arg;

	for (uint32_t i = 0; !seen_enough; i++)
		(void)sightings_edit(s, 1 + i % 6, NOW + i, all_alike, &i);
	return NULL;
}

TEST(no_reader_sees_a_torn_sighting)
{
	struct sightings *s = sightings_new(4, key);
	pthread_t two[2];
	unsigned int seen = 0;

	check(pthread_create(&two[0], NULL, writes, s) == 0);
	check(pthread_create(&two[1], NULL, writes, s) == 0);
	for (uint32_t i = 0; seen < 100000; i++) { /* however long the writers are kept waiting */
		struct sighting at;

		if (!sightings_find(s, 1 + i % 6, &at))
			continue;
		seen++;
		check_eq(at.imsi, 1 + i % 6);
		check(alike(&at));
	}
	seen_enough = true;
	check(pthread_join(two[0], NULL) == 0 && pthread_join(two[1], NULL) == 0);
	sightings_free(s);
}

TEST(a_partners_bucket_gives_its_rate_and_its_burst)
{
	static struct rates r;
	struct rate_ask ask = { .plmn = 7, .now_ms = NOW, .kind = RATE_REQUEST, .per_s = 10, .burst = 5 };
	unsigned int n = 0;

	for (int i = 0; i < 100; i++)
		n += rate_take(&r, &ask);
	check_eq(n, 5);
	for (int i = 0; i < 1000; i++, ask.now_ms += 10)
		n += rate_take(&r, &ask);
	check(n >= 100 && n <= 106);
	ask.plmn = 8;
	check(rate_take(&r, &ask)); /* another partner's is untouched */
	ask.now_ms -= 3600 * 1000;
	check(rate_take(&r, &ask)); /* a clock set back does not close it */
}

TESTS(T(what_was_put_is_found_and_nothing_else), T(a_full_table_forgets_the_oldest),
      T(hosts_are_compared_without_regard_to_case), T(a_snapshot_is_taken_in_again),
      T(a_damaged_foreign_or_short_snapshot_is_refused_whole), T(no_reader_sees_a_torn_sighting),
      T(a_partners_bucket_gives_its_rate_and_its_burst))
