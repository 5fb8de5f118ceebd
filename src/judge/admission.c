#include "judge/admission_in.h"

#include <stdlib.h>

#define GENERATION_MS 65536
#define HEED_MAX_S    86400u /* RFC 7683 §7.5 */
#define WINDOWS_AHEAD 8 /* of the calendar: more than two hours */
#define STRETCH       5 /* times what is beyond the share */
#define AHEAD_MAX     64 /* requests that the highest class but critical may be ahead of the pace */

static void fill_in(struct admission_conf *c)
{
	c->ceiling = c->ceiling ? c->ceiling : 1024;
	c->floor = c->floor ? c->floor : 16;
	c->floor = c->floor < c->ceiling ? c->floor : c->ceiling;
	c->reserve = c->reserve ? c->reserve : c->floor;
	c->delay_max_ms = c->delay_max_ms ? c->delay_max_ms : 500;
}

struct admission *admission_new(const struct admission_conf *conf, const uint8_t key[HASH_KEY])
{
	struct admission *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->conf = *conf;
	fill_in(&a->conf);
	memcpy(a->key, key, HASH_KEY);
	for (size_t i = 0; i < LANES; i++) {
		uint32_t start = a->conf.floor * 4 < a->conf.ceiling ? a->conf.floor * 4 : a->conf.ceiling;

		atomic_store(&a->lane[i].limit, start << 8);
	}
	for (size_t i = 0; i < FAIR_N; i++) {
		atomic_store(&a->tenants.weight[i], FAIR_ONE);
		atomic_store(&a->partners.weight[i], FAIR_ONE);
	}
	atomic_store(&a->threshold, RANK_ALL);
	atomic_store(&a->follow, WORK_ONE);
	a->follow_fine = WORK_ONE * 256;
	a->keep = KEEP_ALL;
	atomic_store(&a->share, 100);
	a->more = 100;
	atomic_store(&a->rate, a->conf.rate);
	return a;
}

void admission_free(struct admission *a)
{
	free(a);
}

static struct lane *lane_of(struct admission *a, uint8_t op)
{
	return &a->lane[op == OP_AUTH_INFO ? 0 : op == OP_UPDATE_LOCATION ? 1 : 2];
}

static _Atomic uint32_t *generation(struct flying *f, uint64_t asked_ms)
{
	return &f->n[asked_ms / GENERATION_MS % GENERATIONS];
}

uint32_t flying_now(const struct flying *f)
{
	uint32_t n = 0;

	for (size_t i = 0; i < GENERATIONS; i++)
		n += atomic_load_explicit(&f->n[i], memory_order_relaxed);
	return n;
}

uint32_t flying_all(const struct admission *a)
{
	uint32_t n = 0;

	for (size_t i = 0; i < LANES; i++)
		n += flying_now(&a->lane[i].flying);
	return n;
}

static void add(_Atomic uint32_t *n, uint32_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

static void count(_Atomic uint64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

void admission_idle(struct admission *a, uint64_t now_ms, uint64_t next_ms)
{
	uint64_t from = atomic_exchange_explicit(&a->idle_from, next_ms, memory_order_relaxed);

	if (from > 0 && now_ms > from)
		add(&a->idle_ms, (uint32_t)(now_ms - from));
}

static void tick(struct admission *a, uint64_t now_ms)
{
	uint64_t was = atomic_load_explicit(&a->tick_ms, memory_order_relaxed), every = TICK_MS;

	/* The first to be turned away are news that cannot wait. */
	if (atomic_load_explicit(&a->limit_hits, memory_order_relaxed) > 0 &&
	    atomic_load_explicit(&a->news, memory_order_relaxed) < NEWS_N)
		every = NEWS_MS;
	if (now_ms - was < every && now_ms >= was)
		return;
	/* Whoever comes while another controls goes on: there is a next time in 100 ms. */
	if (atomic_flag_test_and_set(&a->controlling))
		return;
	if (atomic_compare_exchange_strong(&a->tick_ms, &was, now_ms))
		admission_control(a, was, now_ms);
	atomic_flag_clear(&a->controlling);
}

void admission_begin(struct admission *a, uint8_t op, uint64_t now_ms)
{
	uint32_t least = atomic_load_explicit(&a->least, memory_order_relaxed);

	add(generation(&lane_of(a, op)->flying, now_ms), 1);
	if (atomic_load_explicit(&a->idle_from, memory_order_relaxed) > 0 && flying_all(a) >= least)
		admission_idle(a, now_ms, 0);
}

void admission_end(struct admission *a, const struct admission_answer *answer)
{
	struct lane *l = lane_of(a, answer->op);
	_Atomic uint32_t *n = generation(&l->flying, answer->asked_ms);
	uint32_t had = atomic_load_explicit(n, memory_order_relaxed), least;

	while (had > 0 && !atomic_compare_exchange_weak(n, &had, had - 1))
		;
	/* A refusal for load says how long refusing takes, not how long the work does. */
	if (answer->busy) {
		count(&l->busy_n);
	} else if (answer->answered_ms >= answer->asked_ms) {
		atomic_fetch_add_explicit(&l->sum_ms, answer->answered_ms - answer->asked_ms,
					  memory_order_relaxed);
		count(&l->sample_n);
		add(&a->done_n, 1);
		least = atomic_load_explicit(&a->least, memory_order_relaxed);
		if (least > 0 && flying_all(a) < least) { /* outside a storm nothing is asked for at least */
			uint64_t none = 0;

			(void)atomic_compare_exchange_strong(&a->idle_from, &none, answer->answered_ms);
		}
	}
	tick(a, answer->answered_ms);
}

static struct calendar calendar_of(const struct admission *a, const struct admission_ask *ask)
{
	struct calendar c = { .epoch_ms = atomic_load_explicit(&a->epoch_ms, memory_order_relaxed) };

	c.hash = hash_u64(a->key, ask->imsi, c.epoch_ms);
	return c;
}

/* Those who ask beyond their fair share find their level stretched, so that of a tenant with twice the
 * mean only half as many come in; and more than that, because the threshold lets more pass than come in. */
static uint32_t stretch(struct admission *a, const struct admission_ask *ask, uint32_t level)
{
	size_t t = ask->tenant % FAIR_N, p = (size_t)(ask->partner >> 40) % FAIR_N;
	uint32_t by_tenant = a->tenants.weight[t], by_partner = a->partners.weight[p];
	uint64_t weight = by_tenant > by_partner ? by_tenant : by_partner, wide;

	add(&a->tenants.asked[t], 1);
	add(&a->partners.asked[p], 1);
	weight += (weight - FAIR_ONE) * STRETCH;
	wide = (uint64_t)level * weight / FAIR_ONE;
	return wide < RANK_LATE ? (uint32_t)wide : RANK_LATE - 1;
}

static uint32_t rank_of(struct admission *a, const struct admission_ask *ask, const struct calendar *c,
			bool group_due)
{
	uint64_t hour = ask->now_ms / 3600000;
	uint32_t level = (uint32_t)((c->hash ^ hour * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u >>
				    (64 - LEVEL_BITS));
	bool due = ask->group ? group_due : c->epoch_ms != 0 && calendar_due(c, ask->now_ms);

	return ask->prio * RANK_CLASS + (due ? 0 : RANK_LATE) + stretch(a, ask, level);
}

/* How much of the limit a class may fill: the lower leave room to the higher. All that flies counts, in
 * whichever lane: updates that were promised room take it from new attaches. */
static bool has_room(const struct admission *a, const struct lane *l, uint8_t prio)
{
	static const uint32_t percent[2][PRIO_N] = { { 100, 95, 85, 65 }, { 100, 100, 90, 80 } };
	uint32_t learned = atomic_load_explicit(&l->limit, memory_order_relaxed);
	uint32_t slack = atomic_load_explicit(&a->slack, memory_order_relaxed);
	uint32_t cap = atomic_load_explicit(&a->cap, memory_order_relaxed);
	uint32_t most = learned > slack ? learned : slack;
	bool capped = cap > 0 && cap < most;
	uint32_t limit = (capped ? cap : most) / 100 * percent[capped][prio];

	if (prio == PRIO_CRITICAL)
		limit = (a->conf.ceiling + a->conf.reserve) << 8;
	return (uint64_t)flying_all(a) << 8 < limit;
}

/* Work that a first message brings: vectors are followed by an update, more often or less. */
static uint32_t work_of(const struct admission *a, uint8_t op)
{
	uint32_t follow = atomic_load_explicit(&a->follow, memory_order_relaxed);

	return op == OP_AUTH_INFO ? WORK_ONE + follow : WORK_ONE;
}

/* Those let in together bring their updates together, and critical work stands behind them: while much is
 * shed they come in one after another, as far apart as the target takes for each. A higher class may go
 * further ahead of that. */
static bool in_pace(struct admission *a, const struct admission_ask *ask)
{
	static const uint64_t ahead[PRIO_N] = { 0, AHEAD_MAX, 56, 48 }; /* requests */
	uint64_t each = atomic_load_explicit(&a->each_us, memory_order_relaxed);
	uint64_t now = ask->now_ms * 1000, work = each * work_of(a, ask->op) / WORK_ONE, from;
	uint64_t at = atomic_load_explicit(&a->next_us, memory_order_relaxed);

	if (each == 0 || ask->prio == PRIO_CRITICAL)
		return true;
	do {
		/* A clock that was set back must not shut them out for that long. */
		from = at > now && at <= now + 2 * AHEAD_MAX * each + 1000000 ? at : now;
		if (from > now + ahead[ask->prio] * each)
			return false;
	} while (!atomic_compare_exchange_weak(&a->next_us, &at, from + work));
	return true;
}

/* Book a return; false if that slot has all that the target can spare then. */
static bool book(struct admission *a, uint64_t at_ms, uint8_t prio, bool must)
{
	static const uint32_t percent[PRIO_N] = { 100, 95, 85, 65 };
	uint64_t no = at_ms / CALENDAR_SLOT_MS, old;
	_Atomic uint64_t *slot = &a->slot[no % SLOTS];
	uint32_t room = atomic_load(&a->rate) * CALENDAR_SLOT_MS / 1000 * percent[prio] / 100;

	old = atomic_load_explicit(slot, memory_order_relaxed);
	for (;;) {
		uint64_t n = old >> 32 == (uint32_t)no ? (uint32_t)old : 0;

		/* An attach is two requests. */
		if (!must && room > 0 && (n + 1) * 2 > room)
			return false;
		if (atomic_compare_exchange_weak(slot, &old, (uint64_t)(uint32_t)no << 32 | (n + 1)))
			break;
	}
	old = atomic_load_explicit(&a->booked_ms, memory_order_relaxed);
	while (old < at_ms && !atomic_compare_exchange_weak(&a->booked_ms, &old, at_ms))
		;
	return true;
}

/* Book a device for its appointment, once however often it is turned away until then. The filter of bits
 * now and then takes a device for booked that is not, and the slot then holds one more than was meant. */
static bool book_once(struct admission *a, const struct calendar *c, uint64_t appointment_ms,
		      uint64_t back_ms, uint8_t prio, bool must)
{
	uint64_t h = (c->hash ^ appointment_ms) * 0x9e3779b97f4a7c15u;
	uint64_t bit = 1ull << (h >> 58);
	_Atomic uint64_t *word = &a->known[(h >> 24) % KNOWN_WORDS];

	if (atomic_load_explicit(word, memory_order_relaxed) & bit)
		return true;
	if (!book(a, back_ms, prio, must))
		return false;
	atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
	return true;
}

/* The first appointment with room. S6a cannot tell it to the device, which will try at times of its own;
 * it counts all the same when it happens to be kept, and foretells the return. */
static uint32_t appoint(struct admission *a, const struct admission_ask *ask, const struct calendar *c)
{
	uint32_t wait = 0;
	unsigned int last = 0;

	for (unsigned int n = 0; n < WINDOWS_AHEAD; n++) {
		uint32_t next = calendar_wait(c, ask->now_ms, n);

		if (next == 0)
			continue;
		wait = next;
		last = n;
		if (book_once(a, c, calendar_at(c, ask->now_ms, n), ask->now_ms + wait * 1000u,
			      ask->prio, false))
			return wait * 1000u;
	}
	if (wait > 0)
		(void)book_once(a, c, calendar_at(c, ask->now_ms, last), ask->now_ms + wait * 1000u,
				ask->prio, true);
	return (wait > 0 ? wait : CALENDAR_MAX_S) * 1000u;
}

static struct admission_say turn_away(struct admission *a, const struct admission_ask *ask,
				      struct calendar *c)
{
	struct admission_say say = { .admit = false };

	count(&a->refused[ask->prio]);
	add(&a->shed_n, ask->prio != PRIO_CRITICAL);
	/* The first to be turned away begins the epoch, or its appointment could not be checked. */
	if (c->epoch_ms == 0) {
		if (atomic_compare_exchange_strong(&a->epoch_ms, &c->epoch_ms, ask->now_ms))
			c->epoch_ms = ask->now_ms;
		c->hash = hash_u64(a->key, ask->imsi, c->epoch_ms);
	}
	if (!ask->group)
		say.backoff_ms = appoint(a, ask, c);
	say.delay_ms = (uint32_t)((c->hash ^ ask->now_ms * 0x9e3779b97f4a7c15u) >> 33) %
		       (a->conf.delay_max_ms + 1);
	return say;
}

struct admission_say admission_judge(struct admission *a, const struct admission_ask *ask)
{
	struct lane *l = lane_of(a, ask->op);
	struct calendar c;
	uint32_t rank;

	tick(a, ask->now_ms);
	if (ask->begun && flying_now(&l->flying) < a->conf.ceiling + a->conf.reserve) {
		add(&a->begun_n, 1);
		return (struct admission_say){ .admit = true };
	}
	c = calendar_of(a, ask);
	rank = rank_of(a, ask, &c, ask->group && admission_group_asks(a, ask));
	count(&a->offered[ask->prio]);
	add(&a->asked_n, ask->prio != PRIO_CRITICAL);
	add(&a->hist[rank >> HIST_SHIFT], work_of(a, ask->op));
	if (ask->prio != PRIO_CRITICAL && rank >= atomic_load_explicit(&a->threshold, memory_order_relaxed)) {
		add(&a->level_hits, 1);
		return turn_away(a, ask, &c);
	}
	if (!has_room(a, l, ask->prio)) {
		add(&a->limit_hits, 1);
		return turn_away(a, ask, &c);
	}
	if (!in_pace(a, ask)) {
		add(&a->level_hits, 1);
		return turn_away(a, ask, &c);
	}
	count(&a->admitted[ask->prio]);
	if (ask->group)
		admission_group_admitted(a, ask);
	if (ask->op == OP_AUTH_INFO)
		add(&a->vectors_n, 1);
	if (!(rank & RANK_LATE))
		count(&a->due);
	return (struct admission_say){ .admit = true };
}

void admission_heed(struct admission *a, uint32_t reduction, uint32_t validity_s, uint64_t now_ms)
{
	uint64_t until = now_ms + (validity_s < HEED_MAX_S ? validity_s : HEED_MAX_S) * 1000u;

	atomic_store(&a->heed, reduction == 0 ? 0 : until << 8 | (reduction < 100 ? reduction : 100));
}

bool admission_stormy(const struct admission *a)
{
	return atomic_load_explicit(&a->storm, memory_order_relaxed);
}

/* Control steps are driven by what comes: when nothing has come for long, the report has had its day. */
struct overload admission_overload(const struct admission *a, uint64_t now_ms)
{
	uint64_t told = atomic_load_explicit(&a->overload, memory_order_relaxed);
	struct overload o = { .reduction = (uint32_t)(told & 0xff), .sequence = told >> 8 };

	if (now_ms > atomic_load_explicit(&a->tick_ms, memory_order_relaxed) + CALM_MS)
		o.reduction = 0;
	if (o.reduction > 0)
		o.validity_s = atomic_load_explicit(&a->validity_s, memory_order_relaxed);
	return o;
}

void admission_look(const struct admission *a, struct admission_state *out)
{
	*out = (struct admission_state){ .due = atomic_load(&a->due), .epoch_ms = atomic_load(&a->epoch_ms),
					 .rate = atomic_load(&a->rate) };
	for (size_t i = 0; i < PRIO_N; i++) {
		out->offered[i] = atomic_load(&a->offered[i]);
		out->admitted[i] = atomic_load(&a->admitted[i]);
		out->refused[i] = atomic_load(&a->refused[i]);
	}
	for (size_t i = 0; i < LANES; i++) {
		out->limit[i] = atomic_load(&a->lane[i].limit) >> 8;
		out->flying[i] = flying_now(&a->lane[i].flying);
	}
}

uint32_t admission_booked(const struct admission *a, uint64_t at_ms)
{
	uint64_t no = at_ms / CALENDAR_SLOT_MS, held = atomic_load(&a->slot[no % SLOTS]);

	return held >> 32 == (uint32_t)no ? (uint32_t)held : 0;
}
