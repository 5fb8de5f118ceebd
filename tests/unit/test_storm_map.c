/* The storm of test_storm.c over MAP: sendAuthenticationInfo and updateGprsLocation through the adapter,
 * octet for octet, ten times what the HLR carries (R-5.6.1.a, R-5.6.1.d, R-5.6.1.e): the same figures. */
#include "unit/storm.h"
#include "unit/test.h"

#define FIRST_S  120 /* well behind the storm, which lasts 60 s */
#define NORMAL_S 30

static void play(uint32_t times, uint64_t seed)
{
	struct storm_conf c = { .times = times, .until_s = FIRST_S, .seed = seed };
	uint32_t again;
	bool calm;
	const struct storm_result *r = storm_play(&c, &again, &calm);

	printf("  %ux: critical first try %u of %u, p99 %.1f ms; goodput %.3f; judged %llu\n", times,
	       r->first_ok[PRIO_CRITICAL], r->devices[PRIO_CRITICAL], r->p99_ms[PRIO_CRITICAL], r->goodput,
	       (unsigned long long)r->judged);
	for (size_t t = 0; t < STORM_SECONDS; t++)
		check_eq(r->second[t].refused[PRIO_CRITICAL], 0);
	check(r->devices[PRIO_CRITICAL] > 1000);
	check_eq(r->first_ok[PRIO_CRITICAL], r->devices[PRIO_CRITICAL]);
	check(r->p99_ms[PRIO_CRITICAL] <= 20 * 1000 / STORM_CAPACITY);
	check(r->goodput > .9);
	check(r->calm_s <= r->over_s + NORMAL_S);
	check_eq(again, 0);
	check(calm);
}

TEST(ten_times_and_every_critical_first_try_succeeds)
{
	play(10, 101);
}

TESTS(T(ten_times_and_every_critical_first_try_succeeds))
