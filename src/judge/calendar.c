#include "judge/calendar.h"

#define FIRST_MS   64000 /* the first window: 32 slots */
#define WINDOW_MAX 7     /* 8192 s; then they grow no more */

struct window {
	uint64_t start_ms, len_ms;
	unsigned int no;
};

uint32_t calendar_value(uint32_t s)
{
	if (s <= 62)
		return s < 2 ? 2 : (s + 1) / 2 * 2;
	if (s <= 1860)
		return (s + 59) / 60 * 60;
	return s >= CALENDAR_MAX_S ? CALENDAR_MAX_S : (s + 359) / 360 * 360;
}

uint8_t calendar_octet(uint32_t value)
{
	if (value <= 62)
		return (uint8_t)(value / 2);
	if (value <= 1860)
		return (uint8_t)(0x20 | value / 60);
	return (uint8_t)(0x40 | value / 360);
}

uint32_t calendar_epc_value(uint32_t s)
{
	if (s <= 1860)
		return calendar_value(s);
	return s >= CALENDAR_EPC_MAX_S ? CALENDAR_EPC_MAX_S : (s + 599) / 600 * 600;
}

uint8_t calendar_epc_octet(uint32_t s)
{
	uint32_t value = calendar_epc_value(s);

	if (value <= 1860)
		return calendar_octet(value);
	return (uint8_t)(0x40 | value / 600);
}

static struct window window_at(uint64_t epoch_ms, uint64_t at_ms)
{
	struct window w = { epoch_ms, FIRST_MS, 0 };

	while (at_ms >= w.start_ms + w.len_ms) {
		w.start_ms += w.len_ms;
		if (w.no < WINDOW_MAX)
			w.len_ms *= 2;
		w.no++;
		if (w.no > WINDOW_MAX && at_ms >= w.start_ms + w.len_ms) {
			uint64_t skip = (at_ms - w.start_ms) / w.len_ms;

			w.start_ms += skip * w.len_ms;
			w.no += (unsigned int)skip;
		}
	}
	return w;
}

/* The finaliser of splitmix64: the windows' slots of one device have nothing to do with each other. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t appointment(const struct calendar *c, const struct window *w)
{
	uint64_t slots = w->len_ms / CALENDAR_SLOT_MS;
	uint64_t h = mix(c->hash + w->no * 0x9e3779b97f4a7c15u) >> 32;

	return w->start_ms + (h * slots >> 32) * CALENDAR_SLOT_MS;
}

bool calendar_due(const struct calendar *c, uint64_t now_ms)
{
	struct window w;

	if (now_ms < c->epoch_ms)
		return false;
	w = window_at(c->epoch_ms, now_ms);
	return now_ms >= appointment(c, &w);
}

static struct window nth_window(uint64_t epoch_ms, uint64_t now_ms, unsigned int n)
{
	struct window w = window_at(epoch_ms, now_ms < epoch_ms ? epoch_ms : now_ms);

	while (n-- > 0)
		w = window_at(epoch_ms, w.start_ms + w.len_ms);
	return w;
}

uint64_t calendar_at(const struct calendar *c, uint64_t now_ms, unsigned int n)
{
	struct window w = nth_window(c->epoch_ms, now_ms, n);

	return appointment(c, &w);
}

uint32_t calendar_wait(const struct calendar *c, uint64_t now_ms, unsigned int n)
{
	struct window w = nth_window(c->epoch_ms, now_ms, n);
	uint64_t at;
	uint32_t wait;

	at = appointment(c, &w);
	if (at <= now_ms || at - now_ms > CALENDAR_MAX_S * 1000u)
		return 0;
	wait = calendar_value((uint32_t)((at - now_ms + 999) / 1000));
	return now_ms + wait * 1000u < w.start_ms + w.len_ms ? wait : 0;
}

uint32_t calendar_left(uint64_t epoch_ms, uint64_t now_ms)
{
	struct window w = window_at(epoch_ms, now_ms < epoch_ms ? epoch_ms : now_ms);

	return (uint32_t)((w.start_ms + w.len_ms - now_ms) / 1000);
}
