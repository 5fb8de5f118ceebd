/* The session table: found by tunnel and by device, moved, restarted, taken over, forgotten; in bounds under
 * a million forged tunnels; and whole for readers while it is written. */
#include "inspect/session_in.h"
#include "unit/test.h"

#include <pthread.h>
#include <stdatomic.h>

#define MILLION 1000000u

static const uint8_t hash_key[HASH_KEY] = "a session table";
static const uint8_t sgw[] = { 192, 0, 2, 1 }, other_sgw[] = { 192, 0, 2, 9 }, pgw[] = { 198, 51, 100, 1 };

#define AT(a) ((struct view){ (a), sizeof(a) })

static struct session_end end_of(enum session_plane plane, struct view address, uint32_t teid, uint8_t up)
{
	return (struct session_end){ plane, address, teid, up, 5, 9 };
}

/* Session `n`: TEIDs and address of the device follow from it. */
static struct session made(struct sessions *s, uint32_t n, uint32_t now_s)
{
	struct session is = { .imsi = 0x9997000000000000u + n, .tenant = 7, .profile = 3, .has4 = 1,
			      .ue4 = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n }, .ebi = 5 };
	struct session_end up = end_of(PLANE_USER, AT(pgw), 2 * n, 1);
	struct session_end down = end_of(PLANE_USER, AT(sgw), 2 * n + 1, 0);

	is.near = sessions_node(s, AT(sgw), now_s);
	is.far = sessions_node(s, AT(pgw), now_s);
	check_eq(sessions_open(s, &is, VIEW("meters.iot"), now_s), ERR_OK);
	sessions_end_at(s, is.id, &up);
	sessions_end_at(s, is.id, &down);
	return is;
}

TEST(a_session_is_found_by_both_its_tunnels_and_by_its_device)
{
	struct sessions *s = sessions_new(100, 0, hash_key);
	uint8_t mapped[16] = { [10] = 0xff, 0xff, 198, 51, 100, 1 };
	struct session is = made(s, 1, 1000), by;
	struct session_hit hit;
	char apn[SESSION_APN];

	check(sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit));
	check_eq(hit.is.imsi, is.imsi);
	check_eq(hit.up, 1);
	check_eq(hit.ebi, 5);
	check_eq(hit.qci, 9);
	check(sessions_tunnel(s, PLANE_USER, AT(mapped), 2, 1000, &hit)); /* the other form of the address */
	check(sessions_tunnel(s, PLANE_USER, AT(sgw), 3, 1000, &hit));
	check_eq(hit.up, 0);
	check(!sessions_tunnel(s, PLANE_USER, AT(sgw), 2, 1000, &hit));
	check(!sessions_tunnel(s, PLANE_CONTROL, AT(pgw), 2, 1000, &hit));
	check(sessions_device(s, AT(is.ue4), 1000, &by));
	check_eq(by.tenant, 7);
	check(sessions_apn(s, is.id, is.life, apn));
	check(strcmp(apn, "meters.iot") == 0);
	sessions_close(s, is.id);
	check(!sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit));
	check(!sessions_device(s, AT(is.ue4), 1000, &by));
	check(!sessions_get(s, is.id, is.life, &by));
	by = made(s, 2, 1000);
	check(by.id != is.id || by.life != is.life);
	check_eq(sessions_n(s), 1);
	sessions_free(s);
}

TEST(a_handover_moves_the_tunnel_and_ends_the_old_one)
{
	struct sessions *s = sessions_new(100, 0, hash_key);
	struct session is = made(s, 1, 1000);
	struct session_end down = end_of(PLANE_USER, AT(other_sgw), 77, 0);
	struct session_hit hit;

	is.near = sessions_node(s, AT(other_sgw), 1001);
	is.visited = 4711;
	sessions_change(s, &is);
	sessions_end_at(s, is.id, &down);
	check(!sessions_tunnel(s, PLANE_USER, AT(sgw), 3, 1001, &hit));
	check(sessions_tunnel(s, PLANE_USER, AT(other_sgw), 77, 1001, &hit));
	check_eq(hit.is.visited, 4711);
	check(sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1001, &hit)); /* the gateway's end stays */
	/* The old node is started again: that is no matter of this session any more. */
	check(!sessions_restart(s, sessions_node(s, AT(sgw), 1001), 1));
	check(sessions_restart(s, sessions_node(s, AT(sgw), 1001), 2));
	check(sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1001, &hit));
	sessions_free(s);
}

TEST(a_node_that_was_started_again_ends_its_sessions)
{
	struct sessions *s = sessions_new(100, 0, hash_key);
	struct session is = made(s, 1, 1000), by;
	uint16_t node = sessions_node(s, AT(sgw), 1000);
	struct session_hit hit;
	uint32_t id[2];

	check(!sessions_restart(s, node, 250));
	check(!sessions_restart(s, node, 250));
	check(!sessions_restart(s, node, 249)); /* was overtaken on its way */
	check(sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit));
	check_eq(sessions_of_sim(s, is.imsi, id, 2), 1);
	check(sessions_restart(s, node, 3)); /* 256 comes after 255 */
	check(!sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit));
	check(!sessions_get(s, is.id, is.life, &by));
	check_eq(sessions_of_sim(s, is.imsi, id, 2), 0);
	sessions_sweep(s, 1000, 10);
	check_eq(sessions_n(s), 0);
	sessions_free(s);
}

TEST(a_tunnel_that_another_session_is_given_is_no_longer_the_first_ones)
{
	struct sessions *s = sessions_new(100, 0, hash_key);
	struct session a = made(s, 1, 1000), b = made(s, 2, 1000);
	struct session_end at = end_of(PLANE_USER, AT(pgw), 2, 1);
	struct session_hit hit;

	sessions_end_at(s, b.id, &at);
	check(sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit));
	check_eq(hit.is.imsi, b.imsi);
	sessions_close(s, a.id);
	check(sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit));
	sessions_close_bearer(s, b.id, 5);
	check(!sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit));
	check_eq(sessions_n(s), 1);
	sessions_free(s);
}

TEST(what_is_silent_for_long_is_forgotten)
{
	struct sessions *s = sessions_new(100, 3600, hash_key);
	struct session_hit hit;

	(void)made(s, 1, 1000);
	(void)made(s, 2, 1000);
	check(sessions_tunnel(s, PLANE_USER, AT(pgw), 4, 4000, &hit)); /* a sign of life */
	sessions_sweep(s, 4700, 10);
	check(!sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 4700, &hit));
	check(sessions_tunnel(s, PLANE_USER, AT(pgw), 4, 4700, &hit));
	sessions_free(s);
}

/* .d: room for ten thousand, and a million forged ones that each look new: nothing grows, and who is
 * alive keeps what he has. */
TEST(a_million_forged_tunnels_stay_in_bounds_and_put_out_nobody_who_lives)
{
	struct sessions *s = sessions_new(10000, 0, hash_key);
	size_t bytes = sessions_bytes(s), full = 0;
	struct session_hit hit;

	for (uint32_t n = 0; n < 1000; n++)
		(void)made(s, n, 1000);
	for (uint32_t n = 0; n < MILLION; n++) {
		struct session is = { .imsi = 0x1234000000000000u + n, .ebi = 5 };
		uint32_t now_s = 1000 + n / 10000;
		struct session_end up = end_of(PLANE_USER, AT(pgw), 1u << 24 | n, 1);

		if (sessions_open(s, &is, VIEW("x"), now_s) == ERR_OK)
			sessions_end_at(s, is.id, &up);
		else
			full++;
		check(sessions_tunnel(s, PLANE_USER, AT(pgw), 2 * (n % 1000), now_s, &hit));
	}
	printf("  %zu sessions in %zu MB, %zu turned away\n", sessions_n(s), bytes >> 20, full);
	check(sessions_n(s) <= 10000);
	check(full > MILLION / 2);
	for (uint32_t n = 0; n < 1000; n++)
		check(sessions_tunnel(s, PLANE_USER, AT(pgw), 2 * n, 1100, &hit));
	sessions_free(s);
}

static struct {
	struct sessions *s;
	atomic_bool done;
	_Atomic uint64_t reads, hits;
} race;

/* Whatever is found is whole: its fields belong together. */
static void *reads(void *arg)
{
	struct session_hit hit;

	for (uint32_t n = 0; !atomic_load(&race.done); n = (n + 1) % 64) {
		atomic_fetch_add(&race.reads, 1);
		if (!sessions_tunnel(race.s, PLANE_USER, AT(pgw), 2 * n, 1000, &hit))
			continue;
		check_eq(hit.is.imsi, 0x9997000000000000u + n);
		check_eq(hit.is.ue4[3], n);
		check_eq(hit.is.visited % 3, 0);
		atomic_fetch_add(&race.hits, 1);
	}
	return arg;
}

TEST(readers_see_whole_sessions_while_they_are_made_moved_and_closed)
{
	pthread_t reader[2];

	race.s = sessions_new(64, 0, hash_key);
	for (size_t i = 0; i < 2; i++)
		check_eq(pthread_create(&reader[i], NULL, reads, NULL), 0);
	for (uint32_t n = 0; n < 20000 || atomic_load(&race.hits) < 1000; n++) {
		struct session is = made(race.s, n % 60, 1000);

		is.visited = 3 * (uint64_t)n;
		sessions_change(race.s, &is);
		if (n % 3 != 0)
			sessions_close(race.s, is.id);
		else
			sessions_sweep(race.s, 1000, 4);
		while (sessions_n(race.s) > 50) {
			uint32_t id;

			if (sessions_of_sim(race.s, 0x9997000000000000u + n % 60, &id, 1) == 0)
				break;
			sessions_close(race.s, id);
		}
	}
	atomic_store(&race.done, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(reader[i], NULL);
	sessions_free(race.s);
}

TEST(a_table_in_a_file_outlives_who_filled_it)
{
	FILE *f = tmpfile();
	struct sessions *s;
	struct session_hit hit;

	check(f != NULL);
	s = sessions_map(fileno(f), 100, 0, hash_key);
	check(s != NULL);
	(void)made(s, 1, 1000);
	s = sessions_map(fileno(f), 100, 0, hash_key); /* the first was killed, so to speak */
	check(s && sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit) && hit.is.tenant == 7);
	(void)made(s, 2, 1000);
	check_eq(sessions_n(s), 2);
	sessions_free(s);
	s = sessions_map(fileno(f), 200, 0, hash_key); /* of another size: begun anew */
	check(s && sessions_n(s) == 0 && !sessions_tunnel(s, PLANE_USER, AT(pgw), 2, 1000, &hit));
	(void)made(s, 3, 1000);
	atomic_store(&s->busy, 1); /* killed in the middle of a change */
	s = sessions_map(fileno(f), 200, 0, hash_key);
	check(s && sessions_n(s) == 0);
	sessions_free(s);
	fclose(f);
}

TESTS(T(a_table_in_a_file_outlives_who_filled_it),
      T(a_session_is_found_by_both_its_tunnels_and_by_its_device),
      T(a_handover_moves_the_tunnel_and_ends_the_old_one),
      T(a_node_that_was_started_again_ends_its_sessions),
      T(a_tunnel_that_another_session_is_given_is_no_longer_the_first_ones),
      T(what_is_silent_for_long_is_forgotten),
      T(a_million_forged_tunnels_stay_in_bounds_and_put_out_nobody_who_lives),
      T(readers_see_whole_sessions_while_they_are_made_moved_and_closed))
