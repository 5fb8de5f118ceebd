/* Figures for the live view: what each network did, and the wave of returns that is coming. */
#include "edge/inside.h"

#include "judge/calendar.h"

void edge_live_add(struct edge_worker *w, uint64_t plmn, enum live_what what)
{
	struct live_network *n;
	uint64_t *cell;

	if (!w->edge->conf->live || plmn == 0)
		return;
	n = live_network(w->edge->conf->live, plmn);
	cell = what == LIVE_ARRIVED   ? &n->arrived
	       : what == LIVE_PASSED  ? &n->passed
	       : what == LIVE_REFUSED ? &n->refused
				      : &n->appointed;
	__atomic_fetch_add(cell, 1, __ATOMIC_RELAXED);
}

static void set(uint64_t *cell, uint64_t to)
{
	__atomic_store_n(cell, to, __ATOMIC_RELAXED);
}

void edge_live_state(struct edge *e, uint64_t wall_ms)
{
	struct live *l = e->conf->live;
	struct admission_state s;

	if (!l)
		return;
	admission_look(e->target[0], &s);
	set(&l->limit, (uint64_t)s.limit[0] + s.limit[1] + s.limit[2]);
	set(&l->in_flight, (uint64_t)s.flying[0] + s.flying[1] + s.flying[2]);
	set(&l->overload_percent, admission_overload(e->target[0], wall_ms).reduction);
	set(&l->wave_slot_ms, CALENDAR_SLOT_MS);
	for (uint64_t i = 0; i < LIVE_WAVE_MAX; i++)
		set(&l->wave[i], admission_booked(e->target[0], wall_ms + i * CALENDAR_SLOT_MS));
	set(&l->wave_n, LIVE_WAVE_MAX);
}
