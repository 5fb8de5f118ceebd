/* Storm control of one target, step by step (R-5.6.1.e, R-5.6.a): the storm as a whole is test_storm. */
#include "judge/admission.h"

#include <pthread.h>

#include "unit/test.h"

#define NOW 1700000000000u

static const uint8_t key[HASH_KEY] = "admission tests";

static struct admission *made(struct admission_conf conf)
{
	struct admission *a = admission_new(&conf, key);

	check(a != NULL);
	return a;
}

static struct admission_ask one(uint64_t imsi, enum prio prio, uint64_t now_ms)
{
	return (struct admission_ask){ .imsi = imsi, .now_ms = now_ms, .op = OP_AUTH_INFO,
				       .prio = (uint8_t)prio, .partner = 0x00101fffffffffff };
}

static bool let_in(struct admission *a, const struct admission_ask *ask)
{
	if (!admission_judge(a, ask).admit)
		return false;
	admission_begin(a, ask->op, ask->now_ms);
	return true;
}

static void answer(struct admission *a, enum op op, uint64_t asked_ms, uint64_t after_ms, bool busy)
{
	admission_end(a, &(struct admission_answer){ .asked_ms = asked_ms, .op = (uint8_t)op,
		.answered_ms = asked_ms + after_ms, .busy = busy });
}

static uint32_t limit_of(const struct admission *a)
{
	struct admission_state s;

	admission_look(a, &s);
	return s.limit[0];
}

TEST(lower_classes_leave_room_and_the_critical_have_a_reserve)
{
	static const unsigned int most[PRIO_N] = { 120, 95, 85, 65 };

	for (enum prio p = PRIO_CRITICAL; p < PRIO_N; p++) {
		struct admission *a = made((struct admission_conf){ .ceiling = 100, .floor = 100,
								    .reserve = 20 });
		unsigned int n = 0;

		for (uint64_t i = 0; i < 200; i++) {
			struct admission_ask ask = one(i, p, NOW);

			n += let_in(a, &ask);
		}
		check_eq(n, most[p]);
		admission_free(a);
	}
}

TEST(a_full_target_still_takes_the_critical)
{
	struct admission *a = made((struct admission_conf){ .ceiling = 50, .floor = 50, .reserve = 10 });
	struct admission_ask ask = one(1, PRIO_HIGH, NOW);

	while (let_in(a, &ask))
		ask.imsi++;
	ask = one(2, PRIO_CRITICAL, NOW);
	check(let_in(a, &ask));
	admission_free(a);
}

TEST(an_attach_once_begun_is_allowed_to_finish)
{
	struct admission *a = made((struct admission_conf){ .ceiling = 50, .floor = 50, .reserve = 10 });
	struct admission_ask ask = one(1, PRIO_LOW, NOW);

	while (let_in(a, &ask))
		ask.imsi++;
	ask.op = OP_UPDATE_LOCATION;
	check(!let_in(a, &ask));
	ask.begun = true;
	check(let_in(a, &ask));
	admission_free(a);
}

/* Keep the target as full as the limit allows, each answer after `latency_ms`. */
static uint64_t keep_full(struct admission *a, uint64_t now, unsigned int ms, uint64_t latency_ms)
{
	struct admission_state s;
	unsigned int flying;

	admission_look(a, &s);
	flying = s.flying[0];
	for (uint64_t end = now + ms; now < end; now += 10) {
		for (; flying < limit_of(a); flying++)
			admission_begin(a, OP_AUTH_INFO, now);
		for (int i = 0; i < 10; i++, flying--)
			answer(a, OP_AUTH_INFO, now - latency_ms, latency_ms, false);
	}
	return now;
}

/* The gradient: a target that answers four times as slowly as it can has a queue. */
TEST(the_limit_falls_with_latency_and_rises_again)
{
	struct admission *a = made((struct admission_conf){ .ceiling = 400 });
	uint64_t now = keep_full(a, NOW, 20000, 5);

	check(limit_of(a) > 300);
	now = keep_full(a, now, 5000, 40);
	check(limit_of(a) < 100);
	(void)keep_full(a, now, 20000, 5);
	check(limit_of(a) > 300);
	admission_free(a);
}

TEST(a_refusal_by_the_target_lowers_the_limit_and_is_no_sample)
{
	struct admission *a = made((struct admission_conf){ .ceiling = 400 });
	uint32_t before = limit_of(a);

	for (int i = 0; i < 10; i++)
		answer(a, OP_AUTH_INFO, NOW + (uint64_t)i * 200, 0, true);
	check(limit_of(a) < before / 2 + 5);
	for (int i = 0; i < 1000; i++)
		answer(a, OP_AUTH_INFO, NOW + 3000 + (uint64_t)i * 200, 0, true);
	check_eq(limit_of(a), 16);
	admission_free(a);
}

TEST(a_few_failures_do_not_close_the_target)
{
	struct admission *a = made((struct admission_conf){ .ceiling = 400 });
	uint64_t now = keep_full(a, NOW, 20000, 5);

	for (int i = 0; i < 100; i++) {
		answer(a, OP_AUTH_INFO, now, 5, true);
		admission_begin(a, OP_AUTH_INFO, now);
		now = keep_full(a, now, 200, 5);
	}
	check(limit_of(a) > 300);
	admission_free(a);
}

TEST(what_was_never_taken_back_is_forgotten)
{
	struct admission *a = made((struct admission_conf){ .ceiling = 20, .floor = 20 });
	struct admission_ask ask = one(1, PRIO_HIGH, NOW);

	while (let_in(a, &ask))
		ask.imsi++;
	for (int minute = 0; minute < 6; minute++) {
		ask.now_ms += 66000;
		(void)admission_judge(a, &ask);
	}
	check(admission_judge(a, &ask).admit);
	admission_free(a);
}

/* --- a target of 1000 requests a second that answers after 10 ms, asked for more --- */

struct asker {
	uint32_t tenant;
	uint64_t partner;
	enum prio prio;
	unsigned int per_ms;   /* requests each millisecond, of devices that come once */
	unsigned int asked, in;
};

#define DELAY_MS 10

static void load(struct admission *a, struct asker *asker, size_t n, uint64_t from, unsigned int ms)
{
	static unsigned int in[DELAY_MS];
	static uint64_t device;
	unsigned int queue = 0;

	memset(in, 0, sizeof in);
	for (unsigned int t = 0; t < ms; t++) {
		/* one a millisecond is served, and the rest waits */
		if (queue > 0) {
			answer(a, OP_UPDATE_LOCATION, from + t - DELAY_MS - queue, DELAY_MS + queue, false);
			queue--;
		}
		for (size_t i = 0; i < n; i++) {
			for (unsigned int k = 0; k < asker[i].per_ms; k++) {
				struct admission_ask ask = one(++device * 977, asker[i].prio, from + t);

				ask.op = OP_UPDATE_LOCATION;
				ask.tenant = asker[i].tenant;
				ask.partner = asker[i].partner;
				asker[i].asked++;
				if (let_in(a, &ask)) {
					asker[i].in++;
					in[t % DELAY_MS]++;
				}
			}
		}
		queue += in[(t + 1) % DELAY_MS];
		in[(t + 1) % DELAY_MS] = 0;
	}
	for (size_t i = 0; i < DELAY_MS; i++) /* what is under way is answered */
		queue += in[i];
	while (queue-- > 0)
		answer(a, OP_UPDATE_LOCATION, from + ms - DELAY_MS, DELAY_MS, false);
}

TEST(classes_are_served_in_strict_order)
{
	struct admission *a = made((struct admission_conf){ .rate = 1000, .ceiling = 256 });
	struct asker by[2] = { { .prio = PRIO_HIGH, .per_ms = 1 }, { .prio = PRIO_LOW, .per_ms = 5 } };

	load(a, by, 2, NOW, 10000);
	check(by[0].in > by[0].asked * 8 / 10);
	check(by[1].in < by[0].in / 3);
	check(admission_stormy(a));
	admission_free(a);
}

TEST(tenants_and_partners_get_a_fair_share)
{
	struct asker by[3] = { { .tenant = 1, .prio = PRIO_LOW, .per_ms = 12 },
			       { .tenant = 2, .prio = PRIO_LOW, .per_ms = 2 },
			       { .tenant = 3, .prio = PRIO_LOW, .per_ms = 1 } };

	for (int partners = 0; partners < 2; partners++) {
		struct admission *a = made((struct admission_conf){ .rate = 1000, .ceiling = 256 });

		for (size_t i = 0; i < 3; i++) {
			by[i].asked = by[i].in = 0;
			by[i].tenant = partners ? 0 : (uint32_t)i;
			by[i].partner = partners ? (0x00101ull + i) << 44 | 0xfffffffffff : 1;
		}
		load(a, by, 3, NOW, 20000);
		printf("  %u of %u, %u of %u, %u of %u\n", by[0].in, by[0].asked, by[1].in, by[1].asked,
		       by[2].in, by[2].asked);
		/* without shares the first would get twelve times as many as the third */
		check(by[0].in < by[2].in * 6);
		check(by[2].in > by[2].asked / 10);
		admission_free(a);
	}
}

/* What keeps the pace of those let in is time of day: set back, it must not shut out all but the critical. */
TEST(a_clock_set_back_in_a_storm_shuts_nobody_out)
{
	struct admission *a = made((struct admission_conf){ .rate = 1000, .ceiling = 256 });
	struct asker by = { .prio = PRIO_LOW, .per_ms = 10 };
	unsigned int before;

	load(a, &by, 1, NOW, 10000);
	by.in = 0;
	load(a, &by, 1, NOW + 10000, 5000);
	before = by.in;
	check(before > 1000);
	by.in = 0;
	load(a, &by, 1, NOW - 3600000, 5000);
	check(by.in > before / 2);
	admission_free(a);
}

TEST(the_overload_report_rises_with_the_storm_and_ends_with_it)
{
	struct admission *a = made((struct admission_conf){ .rate = 1000, .ceiling = 256 });
	struct asker by = { .prio = PRIO_LOW, .per_ms = 10 };
	struct overload before = admission_overload(a, NOW), early, storm, after;

	check_eq(before.reduction, 0);
	load(a, &by, 1, NOW, 5000);
	early = admission_overload(a, NOW + 5000);
	load(a, &by, 1, NOW + 5000, 5000);
	storm = admission_overload(a, NOW + 10000);
	check(storm.reduction >= 80 && storm.reduction <= 100);
	/* as long as the target takes for all that is held back, which grows */
	check(early.validity_s > 10 && storm.validity_s > early.validity_s && storm.validity_s < 1800);
	check(storm.sequence > before.sequence);
	by.per_ms = 1;
	load(a, &by, 1, NOW + 11000, 1);
	load(a, &by, 1, NOW + 80000, 1);
	load(a, &by, 1, NOW + 81000, 1);
	check(!admission_stormy(a));
	after = admission_overload(a, NOW + 81000);
	check_eq(after.reduction, 0);
	check(after.sequence > storm.sequence);
	admission_free(a);
}

/* Devices that obey get values the protocol can encode, and not more a slot than the target can spare. */
TEST(appointments_are_booked_at_the_rate_that_can_be_spared)
{
	struct admission *a = made((struct admission_conf){ .rate = 1000, .ceiling = 256 });
	struct asker by = { .prio = PRIO_LOW, .per_ms = 10 };
	uint64_t now = NOW + 5000;
	struct admission_state s;
	uint64_t back = 0, again = 0;
	uint32_t most = 0;

	load(a, &by, 1, NOW, 5000);
	for (uint64_t imsi = 1; imsi <= 50000; imsi++) {
		struct admission_ask ask = one(imsi, PRIO_LOW, now + imsi / 5);
		struct admission_say say;

		say = admission_judge(a, &ask);
		if (say.admit)
			continue;
		check_eq(say.backoff_ms, admission_judge(a, &ask).backoff_ms); /* and is booked once */
		again++;
		check(say.backoff_ms > 0 && say.backoff_ms % 2000 == 0);
		check(say.delay_ms <= 500);
	}
	for (uint64_t t = 0; t < 11200000; t += 2000) {
		uint32_t n = admission_booked(a, NOW + t);

		most = n > most ? n : most;
		back += n;
	}
	admission_look(a, &s);
	check(back <= s.refused[PRIO_LOW] - again);
	check(back > (s.refused[PRIO_LOW] - again) * 9 / 10);
	check(most <= 1000 * 2 * 65 / 100 / 2);
	admission_free(a);
}

TEST(a_calendar_outlives_its_storm_until_the_last_booked_is_back)
{
	struct admission *a = made((struct admission_conf){ .rate = 1000, .ceiling = 256 });
	struct asker by = { .prio = PRIO_LOW, .per_ms = 10 };
	struct admission_ask ask = one(7, PRIO_LOW, NOW + 60000);
	struct admission_state s;
	uint64_t back;

	load(a, &by, 1, NOW, 60000);
	while (admission_judge(a, &ask).admit || admission_judge(a, &ask).backoff_ms < 120000)
		ask.imsi += 1001;
	back = ask.now_ms + admission_judge(a, &ask).backoff_ms;
	for (ask.now_ms += 1000; ask.now_ms <= back; ask.now_ms += 1000)
		(void)admission_judge(a, &ask);
	admission_look(a, &s);
	check(!admission_stormy(a));
	check(s.epoch_ms != 0);
	ask.now_ms += 5 * 3600 * 1000;
	(void)admission_judge(a, &ask);
	admission_look(a, &s);
	check_eq(s.epoch_ms, 0);
	admission_free(a);
}

TEST(who_keeps_its_appointment_comes_before_its_class)
{
	struct admission *a = made((struct admission_conf){ .rate = 1000, .ceiling = 256 });
	struct asker by = { .prio = PRIO_LOW, .per_ms = 10 };
	struct admission_state before, after;

	load(a, &by, 1, NOW, 50000);
	admission_look(a, &before);
	load(a, &by, 1, NOW + 50000, 10000); /* near the end of the first window nearly all are due */
	admission_look(a, &after);
	check(after.due - before.due > (after.admitted[PRIO_LOW] - before.admitted[PRIO_LOW]) * 9 / 10);
	admission_free(a);
}

static void *works(void *arg)
{
	struct admission *a = arg;

	for (uint64_t i = 0; i < 200000; i++) {
		struct admission_ask ask = one(i, (enum prio)(i % PRIO_N), NOW + i / 20);

		if (let_in(a, &ask))
			answer(a, OP_AUTH_INFO, ask.now_ms, i % 7, false);
	}
	return NULL;
}

TEST(workers_share_a_target_and_lose_no_count)
{
	struct admission *a = made((struct admission_conf){ 0 });
	struct admission_state s;
	pthread_t two[2];

	check(pthread_create(&two[0], NULL, works, a) == 0);
	check(pthread_create(&two[1], NULL, works, a) == 0);
	check(pthread_join(two[0], NULL) == 0 && pthread_join(two[1], NULL) == 0);
	admission_look(a, &s);
	check_eq(s.flying[0], 0);
	for (enum prio p = PRIO_CRITICAL; p < PRIO_N; p++) {
		check_eq(s.offered[p], 100000);
		check_eq(s.admitted[p] + s.refused[p], 100000);
	}
	admission_free(a);
}

/* One second of `n` requests of a class, each answered after a millisecond; how many came in. */
static unsigned int second_of(struct admission *a, uint64_t from_ms, enum prio prio, unsigned int n)
{
	unsigned int in = 0;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t at = from_ms + i * 1000u / n;
		struct admission_ask ask = one(from_ms + i, prio, at);

		if (!let_in(a, &ask))
			continue;
		answer(a, OP_AUTH_INFO, at, 1, false);
		in++;
	}
	return in;
}

/* .e: a vendor's HSS that says it is overloaded is believed (RFC 7683). */
TEST(the_targets_own_report_is_heeded_until_it_ends)
{
	struct admission *a = made((struct admission_conf){ .ceiling = 1000 });
	unsigned int low;

	check_eq(second_of(a, NOW, PRIO_LOW, 1000), 1000);
	admission_heed(a, 50, 10, NOW + 1000);
	(void)second_of(a, NOW + 1000, PRIO_LOW, 1000); /* the first step sees what asks */
	low = second_of(a, NOW + 2000, PRIO_LOW, 1000);
	check(low > 400 && low < 600);
	check_eq(second_of(a, NOW + 3000, PRIO_CRITICAL, 1000), 1000);
	admission_heed(a, 0, 0, NOW + 4000);
	(void)second_of(a, NOW + 4000, PRIO_LOW, 1000);
	check(second_of(a, NOW + 5000, PRIO_LOW, 1000) > 950);
	admission_heed(a, 100, 1, NOW + 6000);
	(void)second_of(a, NOW + 6000, PRIO_LOW, 1000);
	(void)second_of(a, NOW + 7000, PRIO_LOW, 1000);
	check(second_of(a, NOW + 8000, PRIO_LOW, 1000) > 900); /* its time is over */
	admission_free(a);
}

TESTS(T(workers_share_a_target_and_lose_no_count),
      T(lower_classes_leave_room_and_the_critical_have_a_reserve),
      T(a_full_target_still_takes_the_critical), T(an_attach_once_begun_is_allowed_to_finish),
      T(the_limit_falls_with_latency_and_rises_again),
      T(a_refusal_by_the_target_lowers_the_limit_and_is_no_sample),
      T(a_few_failures_do_not_close_the_target), T(what_was_never_taken_back_is_forgotten),
      T(classes_are_served_in_strict_order),
      T(tenants_and_partners_get_a_fair_share),
      T(the_overload_report_rises_with_the_storm_and_ends_with_it),
      T(appointments_are_booked_at_the_rate_that_can_be_spared),
      T(a_calendar_outlives_its_storm_until_the_last_booked_is_back),
      T(who_keeps_its_appointment_comes_before_its_class),
      T(the_targets_own_report_is_heeded_until_it_ends),
      T(a_clock_set_back_in_a_storm_shuts_nobody_out))
