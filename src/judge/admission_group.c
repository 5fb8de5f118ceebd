/* Appointments of whole groups. A back-off in GTP-C silences all that one node has for one APN, so it is the
 * group that gets a time: the first that its timer can encode at which the gateway can spare what the group
 * will then hold (design.md, 'Storm control'; .f, R-5.6.3.a). */
#include "judge/admission_in.h"

#define PROBES    8
#define RETURN_SLOTS 5  /* over which nodes spread a group's return (TS 23.401 4.3.7.4.2) */
#define RETURN_MS (RETURN_SLOTS * CALENDAR_SLOT_MS) /* after that, who comes was not held back */
#define QUIET_MS  20000 /* nobody was sent away for so long: what may be booked starts anew */
#define COUNT_MS  1000  /* arrivals are counted over that */
#define TRUST_MS  3000  /* what was booked is trusted like what is seen in that time */
#define AHEAD_S   60    /* new ones are foreseen for so long: a storm ends */
#define WAIT_MAX_S 1860 /* later than that nobody is sent away */
#define AIM       110   /* percent of what the gateway carries that should come back in a slot */
#define SHARE_MAX 1600  /* percent of it that is booked at most */
#define ONE       256u  /* of a rate */

static uint64_t get(const _Atomic uint64_t *x)
{
	return atomic_load_explicit(x, memory_order_relaxed);
}

static uint32_t get32(const _Atomic uint32_t *x)
{
	return atomic_load_explicit(x, memory_order_relaxed);
}

/* The row of a group; NULL: there is no room for one more, and then it has no appointments. */
static struct group_row *row_of(struct admission *a, uint64_t group, uint64_t now_ms)
{
	for (size_t i = 0; i < PROBES; i++) {
		struct group_row *r = &a->group[(group >> 16 ^ i) % GROUPS];
		uint64_t held = get(&r->group);

		if (held == group)
			return r;
		if (held == 0 && atomic_compare_exchange_strong(&r->group, &held, group)) {
			atomic_store(&r->since_ms, now_ms);
			return r;
		}
		if (held == group)
			return r;
	}
	return NULL;
}

static bool is_return(const struct group_row *r, uint64_t now_ms)
{
	uint64_t until = get(&r->until_ms);

	return until != 0 && now_ms >= until && now_ms < until + RETURN_MS;
}

static void restart(struct group_row *r, uint64_t now_ms)
{
	atomic_store(&r->came, 0);
	atomic_store(&r->in, 0);
	atomic_store(&r->since_ms, now_ms);
}

/* All that come back with it, from those who came before this one in a part of the time that they are spread
 * over: what was booked counts like some seconds of it. */
static uint64_t all_back(const struct group_row *r, uint64_t now_ms)
{
	uint64_t until = get(&r->until_ms), been = now_ms > until ? now_ms - until : 0, whole = RETURN_MS;

	been = been < whole ? been : whole;
	return (get32(&r->booked) * (uint64_t)TRUST_MS + (get32(&r->came) - 1ull) * whole) /
	       (TRUST_MS + been);
}

/* What came back, beyond who was known to wait, is what it brings in that time. */
static void learn_return(struct group_row *r, uint64_t all)
{
	uint64_t left = get32(&r->left), wait_s = get32(&r->wait_s), seen;

	seen = all > left && wait_s > 0 ? (all - left) * ONE / wait_s : 0;
	atomic_store(&r->rate, (uint32_t)((get32(&r->rate) + seen) / 2));
}

/* One asks. As long as the group is neither silent nor coming back, that is what it brings a second. */
static void count(struct group_row *r, uint64_t now_ms)
{
	uint64_t until = get(&r->until_ms), since, dt;
	uint32_t rate = get32(&r->rate), came;

	if (until != 0 && now_ms >= until + RETURN_MS) {
		learn_return(r, get32(&r->came));
		atomic_store(&r->until_ms, 0);
		restart(r, now_ms);
	}
	since = get(&r->since_ms);
	dt = now_ms > since ? now_ms - since : 0;
	came = atomic_fetch_add(&r->came, 1) + 1;
	if (get(&r->until_ms) != 0 || dt < COUNT_MS)
		return;
	came = (uint32_t)(came * ONE * 1000ull / dt);
	atomic_store(&r->rate, (rate + came) / 2);
	restart(r, now_ms);
}

bool admission_group_asks(struct admission *a, const struct admission_ask *ask)
{
	struct group_row *r = row_of(a, ask->group, ask->now_ms);

	atomic_fetch_add_explicit(&a->group_asked, 1, memory_order_relaxed);

	if (!r)
		return false;
	count(r, ask->now_ms);
	return is_return(r, ask->now_ms);
}

void admission_group_admitted(struct admission *a, const struct admission_ask *ask)
{
	struct group_row *r = row_of(a, ask->group, ask->now_ms);

	if (r)
		atomic_fetch_add_explicit(&r->in, 1, memory_order_relaxed);
}

static uint32_t booked(const struct admission *a, uint64_t no)
{
	uint64_t held = get(&a->slot[no % SLOTS]);

	return held >> 32 == (uint32_t)no ? (uint32_t)held : 0;
}

/* Has the calendar room for them from slot `no` on? Who alone is too many for it gets slots of its own. */
static bool has_room(const struct admission *a, uint64_t no, uint32_t slots, uint32_t part, uint32_t room)
{
	for (uint64_t n = 0; n < slots; n++) {
		uint32_t held = booked(a, no + n);

		if (held + part > room && (part <= room || held > 0))
			return false;
	}
	return true;
}

static void book(struct admission *a, uint64_t no, uint32_t slots, uint32_t part)
{
	for (uint64_t n = 0; n < slots; n++) {
		uint64_t held = booked(a, no + n) + part;

		atomic_store(&a->slot[(no + n) % SLOTS], (uint64_t)(uint32_t)(no + n) << 32 | held);
	}
}

/* Its end counts for the epoch too: appointments are kept until the last one. */
static void note_last(struct admission *a, uint64_t at_ms)
{
	uint64_t old = get(&a->booked_ms);

	while (old < at_ms && !atomic_compare_exchange_weak(&a->booked_ms, &old, at_ms))
		;
}

static uint32_t next_value(uint32_t s)
{
	return calendar_epc_value(s + 1);
}

static uint32_t first_free(struct admission *a, struct group_row *r, uint64_t left, uint64_t now_ms)
{
	uint32_t room = (uint32_t)((uint64_t)get32(&a->rate) * CALENDAR_SLOT_MS / 1000 *
				   get32(&a->share) / 100);
	uint32_t rate = get32(&r->rate), s = calendar_epc_value(2);

	for (; room > 0 && s < WAIT_MAX_S; s = next_value(s)) {
		uint32_t size = (uint32_t)(left + (uint64_t)rate * (s < AHEAD_S ? s : AHEAD_S) / ONE);
		uint32_t slots = RETURN_SLOTS, part = size / slots + 1;
		uint64_t no = (now_ms + s * 1000ull) / CALENDAR_SLOT_MS;

		if (!has_room(a, no, slots, part, room))
			continue;
		book(a, no, slots, part);
		atomic_store(&r->booked, size);
		return s;
	}
	/* Nothing is known of the gateway yet: somewhere in the first minute. */
	return room > 0 ? s : calendar_epc_value(2 + (uint32_t)(get(&r->group) >> 8) % 60);
}

/* Who of the group will be back, of those that are known of. */
static uint64_t left_of(struct group_row *r, uint64_t now_ms)
{
	uint64_t all = all_back(r, now_ms), in = get32(&r->in);

	if (get(&r->until_ms) == 0)
		return 1;
	if (now_ms >= get(&r->until_ms) + TRUST_MS)
		learn_return(r, all);
	return all > in ? all - in : 1;
}

uint32_t admission_silence(struct admission *a, const struct admission_ask *ask)
{
	struct group_row *r = row_of(a, ask->group, ask->now_ms);
	uint64_t until = r ? get(&r->until_ms) : 0, left;
	uint32_t s;

	if (!r)
		return 0;
	/* Requests that were on their way when the group was silenced: what holds is told again. */
	if (until > ask->now_ms)
		return calendar_epc_value((uint32_t)((until - ask->now_ms + 999) / 1000)) * 1000;
	/* One of those who were booked: the others are to come, so it alone waits. */
	if (is_return(r, ask->now_ms) && get32(&r->came) <= get32(&r->booked))
		return 0;
	left = left_of(r, ask->now_ms);
	s = first_free(a, r, left, ask->now_ms);
	atomic_store(&r->left, (uint32_t)left);
	atomic_store(&r->wait_s, s);
	atomic_store(&r->until_ms, ask->now_ms + s * 1000ull);
	atomic_store(&a->silenced_ms, ask->now_ms);
	restart(r, ask->now_ms);
	note_last(a, ask->now_ms + s * 1000ull);
	return s * 1000;
}

/* Fewer come back than were booked (devices were switched off, or counted twice), or more: what may be booked
 * follows what comes. */
void admission_group_slot(struct admission *a, uint64_t now_ms)
{
	uint64_t no = now_ms / CALENDAR_SLOT_MS, came, want, share = get32(&a->share);

	if (no == a->slot_no)
		return;
	came = atomic_exchange(&a->group_asked, 0);
	want = (uint64_t)get32(&a->rate) * CALENDAR_SLOT_MS / 1000 * AIM / 100;
	if (no != a->slot_no + 1 || now_ms > get(&a->silenced_ms) + QUIET_MS || want == 0) {
		share = AIM;
	} else {
		want = share * want / (came > want / 4 ? came : want / 4 + 1);
		share = (share * 7 + want) / 8;
	}
	a->slot_no = no;
	share = share < AIM ? AIM : share > SHARE_MAX ? SHARE_MAX : share;
	atomic_store(&a->share, (uint32_t)share);
}
