/* What the bootstrapping server keeps (R-3.1.h): bounded, once, not too often. */
#include "home/bsf_table.h"
#include "unit/test.h"

static struct bsf_sub *bootstrap(struct bsf_table *t, uint64_t imsi, uint8_t seed, uint64_t now_s,
				 uint32_t life)
{
	struct bsf_sub *s = bsf_table_sub(t, imsi, true);

	memset(s->v.rand, seed, 16);
	memcpy(s->v.rand, &imsi, 8);
	memset(s->v.ck.b, 1, 16);
	memset(s->v.ik.b, 2, 16);
	s->asked_ms = 1;
	bsf_table_agree(t, s, now_s, life);
	return s;
}

static void rand_of(uint64_t imsi, uint8_t seed, uint8_t to[16])
{
	memset(to, seed, 16);
	memcpy(to, &imsi, 8);
}

TEST(a_challenge_becomes_a_session_once_and_its_keys_are_gone_from_it)
{
	struct bsf_table *t = bsf_table_new(64);
	struct bsf_sub *s = bootstrap(t, 7, 9, 100, 60);
	static const struct aka_vector none;
	uint8_t rand[16];

	check(!bsf_table_stands(s, 2));
	check(memcmp(&s->v, &none, sizeof none) == 0);
	check(s->ks.b[0] == 1 && s->ks.b[15] == 1 && s->ks.b[16] == 2 && s->ks.b[31] == 2);
	rand_of(7, 9, rand);
	check(bsf_table_session(t, rand, 159) == s);
	check(!bsf_table_session(t, rand, 160)); /* expired */
	rand[15] ^= 1;
	check(!bsf_table_session(t, rand, 100));
	bsf_table_free(t);
}

TEST(a_newer_session_and_a_withdrawal_end_the_older)
{
	struct bsf_table *t = bsf_table_new(64);
	uint8_t rand[16];

	bootstrap(t, 7, 9, 100, 60);
	bootstrap(t, 7, 10, 101, 60);
	rand_of(7, 10, rand);
	check(bsf_table_session(t, rand, 110) != NULL);
	bsf_table_withdraw(bsf_table_sub(t, 7, false));
	check(!bsf_table_session(t, rand, 110));
	bsf_table_free(t);
}

TEST(a_challenge_stands_for_half_a_minute)
{
	struct bsf_table *t = bsf_table_new(64);
	struct bsf_sub *s = bsf_table_sub(t, 7, true);

	check(!bsf_table_stands(s, 5));
	s->asked_ms = 1000;
	check(bsf_table_stands(s, 1000 + BSF_CHALLENGE_MS - 1));
	check(!bsf_table_stands(s, 1000 + BSF_CHALLENGE_MS));
	bsf_table_free(t);
}

TEST(ten_a_minute_are_ten_at_once_and_then_one_in_six_seconds)
{
	struct bsf_table *t = bsf_table_new(64);
	struct bsf_sub *s = bsf_table_sub(t, 7, true);
	uint64_t now = 1000000;
	int n = 0;

	while (bsf_table_allow(s, 10, now))
		n++;
	check_eq(n, 10);
	check(!bsf_table_allow(s, 10, now + 5900));
	check(bsf_table_allow(s, 10, now + 6100));
	check(!bsf_table_allow(s, 10, now + 6200));
	bsf_table_free(t);
}

/* Many more than there is room for: never more than that, and who is there has his own. */
TEST(a_flood_takes_no_more_room_than_there_is)
{
	struct bsf_table *t = bsf_table_new(64);
	size_t n = 0;
	uint8_t rand[16];

	for (uint64_t imsi = 1; imsi <= 10000; imsi++) {
		struct bsf_sub *s = bootstrap(t, imsi, 3, 100 + imsi, 1000000);

		check_eq(s->imsi, imsi);
		rand_of(imsi, 3, rand);
		check(bsf_table_session(t, rand, 100 + imsi) == s);
	}
	for (uint64_t imsi = 1; imsi <= 10000; imsi++) {
		const struct bsf_sub *s;

		rand_of(imsi, 3, rand);
		s = bsf_table_session(t, rand, 20000);
		n += s != NULL;
		check(!s || s->imsi == imsi);
	}
	check(n > 32 && n <= 64);
	bsf_table_free(t);
}

TESTS(T(a_challenge_becomes_a_session_once_and_its_keys_are_gone_from_it),
      T(a_newer_session_and_a_withdrawal_end_the_older), T(a_challenge_stands_for_half_a_minute),
      T(ten_a_minute_are_ten_at_once_and_then_one_in_six_seconds),
      T(a_flood_takes_no_more_room_than_there_is))
