/* The appointment calendar (R-5.6.1.f, R-5.6.1.j): encodable values, an even spread, no state. */
#include "base/hash.h"
#include "judge/calendar.h"
#include "unit/test.h"

#define EPOCH 1700000000000u

static const uint8_t key[HASH_KEY] = "calendar tests.";

static struct calendar of(uint64_t imsi)
{
	return (struct calendar){ hash_u64(key, imsi, EPOCH), EPOCH };
}

/* GPRS timer 2 (TS 24.008 §10.5.7.4), decoded as a device does. */
static uint32_t decode(uint8_t octet)
{
	static const uint32_t unit[8] = { 2, 60, 360, 60, 60, 60, 60, 0 };

	return unit[octet >> 5] * (octet & 31);
}

TEST(every_value_is_one_that_the_timer_can_carry)
{
	for (uint32_t s = 0; s <= CALENDAR_MAX_S; s++) {
		uint32_t v = calendar_value(s);

		check(v >= s);
		check_eq(decode(calendar_octet(v)), v);
	}
	check_eq(calendar_value(CALENDAR_MAX_S + 1), CALENDAR_MAX_S);
	check_eq(calendar_octet(900), 0x2f);  /* the two examples of facts/protocols.md 2.3 */
	check_eq(calendar_octet(3600), 0x4a);
}

TEST(who_waits_as_told_is_due_when_it_comes)
{
	for (uint64_t imsi = 1; imsi < 20000; imsi++) {
		struct calendar c = of(imsi);
		uint64_t now = EPOCH + imsi * 37 % 400000;

		for (unsigned int n = 0; n < 6; n++) {
			uint32_t wait = calendar_wait(&c, now, n);

			if (wait > 0)
				check(calendar_due(&c, now + wait * 1000u));
		}
	}
}

TEST(who_comes_before_its_appointment_is_early)
{
	struct calendar c = of(4711);
	bool was_due = false;

	for (uint64_t now = EPOCH; now < EPOCH + 64000; now += 500) {
		bool due = calendar_due(&c, now);

		check(due || !was_due); /* once due, due until the window ends */
		was_due = due;
	}
	check(was_due);
	check(!calendar_due(&c, EPOCH - 1));
}

TEST(a_window_is_spread_evenly_over_its_slots)
{
	static uint32_t slot[32];

	for (uint64_t imsi = 0; imsi < 64000; imsi++) {
		struct calendar c = of(imsi);
		uint32_t at = 0;

		while (!calendar_due(&c, EPOCH + at * 2000u))
			at++;
		check(at < 32);
		slot[at]++;
	}
	for (size_t i = 0; i < 32; i++)
		check(slot[i] > 1700 && slot[i] < 2300);
}

TEST(each_window_draws_anew)
{
	unsigned int both = 0;

	for (uint64_t imsi = 0; imsi < 10000; imsi++) {
		struct calendar c = of(imsi);

		/* half way through the second window (64..192 s) and the third (192..448 s) */
		both += calendar_due(&c, EPOCH + 128000) && calendar_due(&c, EPOCH + 320000);
	}
	check(both > 2200 && both < 2800);
}

TEST(windows_never_end)
{
	struct calendar c = of(1);
	uint64_t far = EPOCH + 30ull * 24 * 3600 * 1000;

	check(calendar_left(EPOCH, EPOCH) == 64);
	check(calendar_left(EPOCH, EPOCH + 64000) == 128);
	check(calendar_left(EPOCH, far) <= 8192);
	(void)calendar_due(&c, far);
	check(calendar_wait(&c, far, 0) <= CALENDAR_MAX_S);
}

TEST(another_storm_gives_another_appointment)
{
	unsigned int same = 0;

	for (uint64_t imsi = 0; imsi < 1000; imsi++) {
		struct calendar a = of(imsi), b = { hash_u64(key, imsi, EPOCH + 1), EPOCH };

		same += calendar_wait(&a, EPOCH, 2) == calendar_wait(&b, EPOCH, 2);
	}
	check(same < 400);
}

TESTS(T(every_value_is_one_that_the_timer_can_carry), T(who_waits_as_told_is_due_when_it_comes),
      T(who_comes_before_its_appointment_is_early), T(a_window_is_spread_evenly_over_its_slots),
      T(each_window_draws_anew), T(windows_never_end), T(another_storm_gives_another_appointment))
