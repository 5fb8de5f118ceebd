#include "judge/rate.h"

#include <stdatomic.h>
#include <stddef.h>

#define PROBES 8

static struct rate_slot *slot_of(struct rates *r, uint64_t plmn)
{
	size_t at = (size_t)((plmn * 0x9e3779b97f4a7c15u) >> 40) % RATE_SLOTS;

	for (size_t i = 0; i < PROBES; i++) {
		struct rate_slot *s = &r->slot[(at + i) % RATE_SLOTS];
		uint64_t held = atomic_load_explicit(&s->plmn, memory_order_relaxed);

		if (held == plmn)
			return s;
		if (held == 0 && atomic_compare_exchange_strong(&s->plmn, &held, plmn))
			return s;
		if (held == plmn)
			return s; /* another worker was first */
	}
	return &r->slot[at];
}

bool rate_take(struct rates *r, const struct rate_ask *ask)
{
	_Atomic uint64_t *due = &slot_of(r, ask->plmn)->due_us[ask->kind];
	uint64_t now = ask->now_ms * 1000, step = 1000000 / (ask->per_s ? ask->per_s : 1);
	uint64_t slack = step * ask->burst, old = atomic_load_explicit(due, memory_order_relaxed);

	for (;;) {
		/* A clock that was set back must not close the bucket for that long. */
		uint64_t from = old > now && old <= now + 2 * slack + step ? old : now;

		if (from + step > now + slack && !ask->force)
			return false;
		if (atomic_compare_exchange_weak(due, &old, from + step))
			return true;
	}
}
