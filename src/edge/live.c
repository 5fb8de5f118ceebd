/* Figures for the live view: what each network did, and the wave of returns that is coming. */
#include "edge/inside.h"

#include "base/metric.h"
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

/* One partition's figures by themselves, and into the sums. */
static void add_target(const struct admission *a, unsigned int partition, uint64_t wall_ms,
		       uint64_t *limit, uint64_t *in_flight, uint64_t wave[LIVE_WAVE_MAX])
{
	struct admission_state s;
	uint64_t may, fly;

	admission_look(a, &s);
	may = (uint64_t)s.limit[0] + s.limit[1] + s.limit[2];
	fly = (uint64_t)s.flying[0] + s.flying[1] + s.flying[2];
	metric_set(M_EDGE_PARTITION_LIMIT, partition, may);
	metric_set(M_EDGE_PARTITION_FLYING, partition, fly);
	*limit += may;
	*in_flight += fly;
	for (uint64_t i = 0; i < LIVE_WAVE_MAX; i++)
		wave[i] += admission_booked(a, wall_ms + i * CALENDAR_SLOT_MS);
}

void edge_live_state(struct edge *e, uint64_t wall_ms)
{
	struct live *l = e->conf->live;
	uint64_t limit = 0, in_flight = 0, wave[LIVE_WAVE_MAX] = {0};

	if (!l)
		return;
	for (unsigned int p = 0; p < EDGE_PARTITION_MAX; p++) {
		if (e->target[p])
			add_target(e->target[p], p, wall_ms, &limit, &in_flight, wave);
	}
	set(&l->limit, limit);
	set(&l->in_flight, in_flight);
	set(&l->overload_percent, edge_overload(e, wall_ms).reduction);
	set(&l->wave_slot_ms, CALENDAR_SLOT_MS);
	for (uint64_t i = 0; i < LIVE_WAVE_MAX; i++)
		set(&l->wave[i], wave[i]);
	set(&l->wave_n, LIVE_WAVE_MAX);
}
