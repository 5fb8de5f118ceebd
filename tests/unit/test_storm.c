/* A storm in virtual time: no process runs, the judge is the one of the product (R-5.6.1.a, R-5.6.1.d,
 * .e). test_storm --draw FILE writes the picture, test_storm --table all figures of bench/storm. */
#include "unit/storm.h"
#include "unit/test.h"

#define NORMAL_S 30  /* after the last second of overload, or the last device */
#define FIRST_S  700 /* before T3402 brings those back who were refused five times */
#define SECOND_S 950 /* after they have tried five times again */

static const char *const control_names[STORM_CONTROL_N] = { "judge", "no control", "token bucket",
							    "uniform back-off" };

/* Returns: what nodes send on when no new device comes any more. In tenfold seconds, to the target's rate. */
static double returns(const struct storm_result *r)
{
	double peak = 0;

	for (size_t t = STORM_S + 1; t + 10 <= STORM_SECONDS; t += 10) {
		double n = 0;

		for (size_t i = t; i < t + 10; i++)
			for (size_t p = 0; p < PRIO_N; p++)
				n += r->second[i].tries[p];
		peak = n / 10 > peak ? n / 10 : peak;
	}
	return peak / STORM_ATTACHES;
}

static double ideal_s(const struct storm_result *r)
{
	double n = 0;

	for (size_t p = 0; p < PRIO_N; p++)
		n += r->devices[p];
	return n / STORM_ATTACHES;
}

static void show(const struct storm_conf *c, const struct storm_result *r)
{
	const uint32_t *d = r->devices, *f = r->first_ok;
	double served = 0;

	for (size_t p = 0; p < PRIO_N; p++)
		served += r->served[p];
	printf("  %2ux %-16s DOIC %3.0f %%  critical first try %u of %u, p99 %.1f ms; high %.3f "
	       "normal %.3f "
	       "low %.3f\n      goodput %.3f; returns %.2fx; served %.0f %% at %u s (ideal %.0f "
	       "s); judged %llu; "
	       "longest queue %u; wasted %llu; last overload %u s, last refusal %u s\n",
	       c->times, control_names[c->control], c->heeding * 100, f[0], d[0], r->p99_ms[0],
	       (double)f[1] / d[1], (double)f[2] / d[2], (double)f[3] / d[3], r->goodput,
	       returns(r), 100 * served / (ideal_s(r) * STORM_ATTACHES), r->last_s, ideal_s(r),
	       (unsigned long long)r->judged, r->longest, (unsigned long long)r->wasted, r->over_s,
	       r->calm_s);
	fflush(stdout);
}

static void play(const struct storm_conf *c)
{
	const struct storm_result *r;
	uint32_t again;
	bool calm;

	r = storm_play(c, &again, &calm);
	show(c, r);
	for (size_t t = 0; t < STORM_SECONDS; t++)
		check_eq(r->second[t].refused[PRIO_CRITICAL], 0);
	check_eq(r->first_ok[PRIO_CRITICAL], r->devices[PRIO_CRITICAL]);
	check(r->p99_ms[PRIO_CRITICAL] <= 20 * 1000 / STORM_CAPACITY);
	check(r->goodput > .9);
	if (c->heeding == 1) {
		check(returns(r) <= 1.5);
		for (size_t p = 0; p < PRIO_N; p++)
			check_eq(r->served[p], r->devices[p]);
		check(r->last_s <= 2.5 * ideal_s(r));
	} else {
		check(r->calm_s <= r->over_s + NORMAL_S);
	}
	check_eq(again, 0);
	check(calm);
}

/* Storm control was tuned with other seeds (1 to 5), though 101, 102, 108 and 109 were looked at on the
 * way. */
TEST(nobody_heeds_and_every_critical_first_try_succeeds)
{
	for (uint64_t seed = 101; seed <= 102; seed++)
		play(&(struct storm_conf){ .times = 10, .until_s = FIRST_S, .seed = seed });
}

/* Who was refused five times comes back after T3402, all together: a storm of its own, met as the first
 * was. */
TEST(those_who_come_back_after_t3402_are_met_as_the_first_were)
{
	struct storm_conf conf = { .times = 10, .until_s = SECOND_S, .seed = 103 };
	uint32_t again, busy = 0, served = 0;
	const struct storm_result *r;
	bool calm;

	r = storm_play(&conf, &again, &calm);
	show(&conf, r);
	for (size_t t = FIRST_S; t < SECOND_S; t++) {
		uint32_t tries = 0;

		for (size_t p = 0; p < PRIO_N; p++)
			tries += r->second[t].tries[p];
		if (tries <= STORM_ATTACHES)
			continue;
		busy++;
		for (size_t p = 0; p < PRIO_N; p++)
			served += r->second[t].served[p];
	}
	printf("  the second wave: %u s, %.3f of capacity\n", busy, served / (busy * STORM_ATTACHES));
	check(busy > STORM_S);
	check(served > .9 * busy * STORM_ATTACHES);
	check(r->calm_s <= r->over_s + NORMAL_S);
	check_eq(again, 0);
	check(calm);
}

TEST(half_of_the_nodes_heed)
{
	play(&(struct storm_conf){ .times = 10, .heeding = .5, .until_s = FIRST_S, .seed = 104 });
}

TEST(all_nodes_heed_and_the_returns_are_spread)
{
	play(&(struct storm_conf){ .times = 10, .heeding = 1, .seed = 106 });
}

TEST(twenty_times_what_the_target_carries)
{
	play(&(struct storm_conf){ .times = 20, .until_s = FIRST_S, .seed = 108 });
}

/* The edge was started in the middle of it: a second of a queue, and still nobody critical is refused. */
TEST(an_edge_that_has_just_been_started)
{
	struct storm_conf conf = { .times = 20, .until_s = 15, .cold = true, .seed = 110 };
	const struct storm_result *r = storm_play(&conf, NULL, NULL);

	show(&conf, r);
	for (size_t t = 0; t < 14; t++)
		check_eq(r->second[t].refused[PRIO_CRITICAL], 0);
	check(r->p99_ms[PRIO_CRITICAL] < 100);
}

/* What others do, in the same storm: each loses the critical ones, and two lose the target. */
TEST(others_lose_critical_devices)
{
	for (enum storm_control c = STORM_NONE; c < STORM_CONTROL_N; c++) {
		struct storm_conf conf = {
		    .control = c, .times = 10, .until_s = STORM_S + 5, .seed = 111};
		const struct storm_result *r = storm_play(&conf, NULL, NULL);

		show(&conf, r);
		check(r->first_ok[PRIO_CRITICAL] < r->devices[PRIO_CRITICAL] / 2);
	}
}

/* The whole of it, for ./do bench storm virtual. */
static int table(void)
{
	static const double heeding[] = {0, .5, 1};

	for (uint32_t times = 10; times <= 20; times += 10) {
		for (enum storm_control c = 0; c < STORM_CONTROL_N; c++) {
			for (size_t h = 0; h < (c == STORM_JUDGE ? 3 : 1); h++) {
				struct storm_conf conf = {
				    .control = c, .times = times, .heeding = heeding[h]};

				for (conf.seed = 101; conf.seed <= (c == STORM_JUDGE ? 105 : 101);
				     conf.seed++)
					show(&conf, storm_play(&conf, NULL, NULL));
			}
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test list[] = {
		T(nobody_heeds_and_every_critical_first_try_succeeds),
		T(those_who_come_back_after_t3402_are_met_as_the_first_were), T(half_of_the_nodes_heed),
		T(all_nodes_heed_and_the_returns_are_spread), T(twenty_times_what_the_target_carries),
		T(an_edge_that_has_just_been_started), T(others_lose_critical_devices), { NULL, NULL } };

	if (argc == 3 && strcmp(argv[1], "--draw") == 0)
		return storm_draw(argv[2]) ? 0 : 1;
	if (argc == 2 && strcmp(argv[1], "--table") == 0)
		return table();
	return test_run(list);
}
