/* The control step of storm control, each 100 ms: the limits from latency, the rate from completions,
 * the threshold from what asked (facts/analytics.md 2.2). */
#include "judge/admission_in.h"

#define LATENCY_MIN_US 5000   /* below that all are alike: a machine that pauses is no target that queues */
#define LIMIT_ONE    256u
#define SAMPLES_MIN  5        /* answers that make a mean */
#define WEIGHT_MAX   8
#define SLACK_MS     25
#define EASE_US      10000
#define EASY_STEPS   10       /* control steps without a sign of distress: the target can do more */
#define IDLE_MS      2000     /* nothing came for so long: what was shed before is history */
#define OVERBOOK     105      /* percent: arrivals are uneven, and the limit catches what is too much */
/* Of the cap, tuned with tests/unit/storm.c (seeds 1 to 3) and judged with others. */
#define SHED_MUCH    50       /* permille of what asked, lately: then a queue at the target is no accident */
#define FLOOD_N      3        /* so many steps of it, or it was a burst */
#define CAP_FACTOR   2        /* times its quickest answers is what a request may wait there */
#define CAP_LEAST    5u       /* in flight keep a target of one server at work */
#define MORE_MAX     1000u    /* percent of that, where the target runs out of work */
#define IDLE_SHARE   70       /* permille of the time that it may be without, */
#define IDLE_CRITICAL 6       /* and a sixth of the critical work's share: that comes in bunches */
#define PACE_LOOSE   130      /* percent of what was carried: not the pace leaves it idle, the cap does */
#define GUESS_MAX    150      /* percent of the most it has carried that an idle target is held to carry */
#define OVERBOOK_CAPPED 250   /* the pace and the cap catch what is too much */
/* Of the overload report. */
#define KEEP_MIN     (KEEP_ALL / 50)
#define AIM          118      /* percent of the target's rate that it lets nodes send */
#define VALIDITY_MIN_S 10
#define VALIDITY_MAX_S 1800   /* as long as networks choose T3346 themselves (TS 24.008 §10.5.7.4) */

static uint32_t take(_Atomic uint32_t *n)
{
	return atomic_exchange_explicit(n, 0, memory_order_relaxed);
}

static uint64_t root(uint64_t x)
{
	uint64_t r = 0;

	while ((r + 1) * (r + 1) <= x)
		r++;
	return r;
}

/* Forget what was asked two minutes ago and more: whatever is still counted there was lost. */
static void age(struct admission *a, uint64_t now_ms)
{
	uint32_t gen = (uint32_t)(now_ms >> 16);

	if (gen == a->gen)
		return;
	/* After a long silence all of them; but never those of now. */
	for (uint32_t g = gen + 1; g != gen + GENERATIONS; g++) {
		if (g != gen + 1 && gen - a->gen < GENERATIONS)
			break;
		for (size_t i = 0; i < LANES; i++)
			atomic_store(&a->lane[i].flying.n[g % GENERATIONS], 0);
	}
	a->gen = gen;
}

/* Gradient against the shortest latency seen: at twice that the target queues, and the limit falls. It
 * grows only while it is used. */
static uint64_t by_latency(struct lane *l, uint64_t limit, uint64_t mean_us)
{
	uint64_t gradient = LIMIT_ONE, aim;

	l->now_us = mean_us;
	l->quick_us += l->quick_us / 8192;
	if (l->quick_us == 0 || mean_us < l->quick_us)
		l->quick_us = mean_us;
	mean_us = mean_us > LATENCY_MIN_US ? mean_us : LATENCY_MIN_US;
	l->mean_us = mean_us;
	/* The shortest fades, so that a target that has become slower is learned anew. */
	l->best_us += l->best_us / 8192;
	if (l->best_us == 0 || mean_us < l->best_us)
		l->best_us = mean_us;
	if (mean_us > 2 * l->best_us) {
		gradient = 2 * l->best_us * LIMIT_ONE / mean_us;
		l->easy = 0;
	}
	gradient = gradient > LIMIT_ONE / 2 ? gradient : LIMIT_ONE / 2;
	aim = limit * gradient / LIMIT_ONE + root(limit / LIMIT_ONE) * LIMIT_ONE;
	if (l->easy >= EASY_STEPS)
		aim = limit * 2;
	if (aim > limit && flying_now(&l->flying) * 2 * LIMIT_ONE <= limit)
		return limit;
	return (limit * 4 + aim) / 5;
}

/* The target's own refusals take their share off, a tenth at most in a step: one that fails for another
 * reason now and then does not close it. */
static void learn_limit(struct admission *a, struct lane *l)
{
	uint64_t n = atomic_exchange(&l->sample_n, 0), sum = atomic_exchange(&l->sum_ms, 0);
	uint64_t busy = atomic_exchange(&l->busy_n, 0), limit = atomic_load(&l->limit), cut;
	uint64_t floor = (uint64_t)a->conf.floor * LIMIT_ONE;
	uint64_t top = (uint64_t)a->conf.ceiling * LIMIT_ONE;

	l->easy += l->easy < EASY_STEPS;
	if (n >= SAMPLES_MIN)
		limit = by_latency(l, limit, sum * 1000 / n);
	if (busy > 0) {
		l->easy = 0;
		cut = limit * busy / (busy + n);
		limit -= cut < limit / 10 ? cut : limit / 10;
	}
	limit = limit < floor ? floor : limit > top ? top : limit;
	atomic_store(&l->limit, (uint32_t)limit);
}

/* Who asks beyond the mean of those who ask at all. */
static void share_out(struct shares *s)
{
	uint64_t sum = 0, n = 0, mean;

	for (size_t i = 0; i < FAIR_N; i++) {
		s->usual[i] = s->usual[i] - s->usual[i] / 16 + take(&s->asked[i]);
		sum += s->usual[i];
		n += s->usual[i] > 0;
	}
	mean = n > 0 ? sum / n : 0;
	for (size_t i = 0; i < FAIR_N; i++) {
		uint64_t w = mean > 0 ? (uint64_t)s->usual[i] * FAIR_ONE / mean : FAIR_ONE;

		w = w < FAIR_ONE ? FAIR_ONE : w > WEIGHT_MAX * FAIR_ONE ? WEIGHT_MAX * FAIR_ONE : w;
		atomic_store_explicit(&s->weight[i], (uint16_t)w, memory_order_relaxed);
	}
}

static bool at_ease(const struct admission *a)
{
	for (size_t i = 0; i < LANES; i++) {
		if (a->lane[i].easy < EASY_STEPS)
			return false;
	}
	return true;
}

/* Is nothing waiting at the target: it answers about as fast as it ever did. */
static bool unloaded(const struct admission *a)
{
	for (size_t i = 0; i < LANES; i++) {
		if (a->lane[i].now_us > 2 * a->lane[i].quick_us)
			return false;
	}
	return true;
}

/* Idle time counts while the queue is capped, and goes on over the control step. */
static void learn_idle(struct admission *a, uint64_t now_ms, uint64_t dt_ms)
{
	bool idle = atomic_load(&a->cap) > 0 && atomic_load(&a->idle_from) > 0;
	uint64_t permille;

	admission_idle(a, now_ms, idle ? now_ms : 0);
	permille = take(&a->idle_ms) * 1000ull / dt_ms;
	a->idle = (a->idle * 3 + (permille < 1000 ? permille : 1000)) / 4;
}

/* How much of what the target carries in a control step is critical, lately. */
static uint64_t critical_permille(const struct admission *a, uint64_t carried)
{
	uint64_t permille = carried > 0 ? (uint64_t)a->critical * 1000 / (carried * WORK_ONE) : 0;

	return permille < 1000 ? permille : 1000;
}

/* While the queue is capped the target does what it can, unless it runs out of work now and then: then both
 * what it is held to carry and the cap are too low. A guess must be borne out before it grows on. */
static uint64_t track(struct admission *a, uint64_t rate, uint64_t done, uint64_t dt_ms)
{
	uint64_t most = a->peak_rate * 21 / 20;

	if (done == 0) { /* what flies may be lost */
		a->more += a->more / 5;
	} else if (unloaded(a)) {
		a->more += a->more / 5;
		rate += rate / 5 + 1;
		most = a->peak_rate * 3 / 2;
	} else if (a->idle > IDLE_SHARE + critical_permille(a, rate * dt_ms / 1000) / IDLE_CRITICAL) {
		if (rate * 100 > a->seen_rate * PACE_LOOSE)
			a->more += a->more / 64;
		rate += rate * a->idle / 4000 + 1;
		most = a->peak_rate * GUESS_MAX / 100;
	} else {
		a->more -= (a->more - 100) / 16;
		rate -= rate > a->seen_rate ? (rate - a->seen_rate) / 8 : 0;
	}
	a->more = a->more < MORE_MAX ? a->more : MORE_MAX;
	return rate < most ? rate : most;
}

/* What the target carries shows only while it has all it can do. So the most it has carried lately counts,
 * smoothed over half a second, and fades by two percent a second; the limit on requests in flight catches
 * what that is too much, and nothing would fill a target left idle. With work shed and room left it is too
 * low: it rises by a tenth a second (docomo 2021, facts/numbers.md: no faster) behind a target in
 * distress, and by a tenth a step behind one that has answered as fast as ever for a second: what was
 * learned in a pause of the machine, or at the start, is soon put right. */
static void learn_rate(struct admission *a, uint64_t done, uint64_t dt_ms, uint32_t limit_hits,
		       uint32_t level_hits)
{
	uint64_t rate = atomic_load(&a->rate), seen = done * 1000 / dt_ms;
	uint64_t limit = atomic_load(&a->lane[0].limit) / LIMIT_ONE;
	bool full = limit_hits > 0 || flying_all(a) * 2 >= limit;

	a->seen_rate = a->seen_rate ? (a->seen_rate * 3 + seen) / 4 : seen;
	if (atomic_load(&a->cap) > 0)
		rate = track(a, rate, done, dt_ms);
	else if (a->seen_rate > rate && (rate > 0 || full))
		rate = a->seen_rate;
	else if (full)
		rate -= (rate - a->seen_rate) / 64 < rate / 512 ? (rate - a->seen_rate) / 64 : rate / 512;
	else if (level_hits > 0)
		rate += rate / (at_ease(a) ? 10 : 100) + 1;
	if (a->conf.rate > 0 && rate > a->conf.rate)
		rate = a->conf.rate;
	atomic_store(&a->rate, (uint32_t)rate);
}

/* Requests come in batches, and machines pause: many in flight for an instant are no overload. While the
 * target answers about as fast as ever it may have at once what it has lately done in SLACK_MS. */
static void give_slack(struct admission *a)
{
	uint64_t room = a->peak_rate * SLACK_MS * LIMIT_ONE / 1000;
	uint64_t top = (uint64_t)a->conf.ceiling * LIMIT_ONE;

	a->peak_rate -= a->peak_rate / 512;
	if (a->seen_rate > a->peak_rate)
		a->peak_rate = a->seen_rate;
	for (size_t i = 0; i < LANES; i++) {
		const struct lane *l = &a->lane[i];

		if (l->mean_us > 4 * l->best_us && l->mean_us > EASE_US)
			room = 0;
	}
	atomic_store(&a->slack, (uint32_t)(room < top ? room : top));
}

/* The rank up to which the budget reaches, within a bucket by proportion. Critical work is always in. */
static uint32_t reach(const uint32_t hist[HIST_N], uint64_t budget)
{
	uint64_t sum = 0;
	uint32_t at = 0;

	for (; at < HIST_N; at++) {
		if (sum + hist[at] > budget)
			break;
		sum += hist[at];
	}
	if (at == HIST_N)
		return RANK_ALL;
	at = (at << HIST_SHIFT) +
	     (uint32_t)(((budget - sum) << HIST_SHIFT) / hist[at]);
	return at < RANK_CLASS ? RANK_CLASS : at;
}

/* Does much more come than the target has been seen to carry? If not, it is the target that is slow; and if
 * once only, it is what came while the machine paused. */
static void see_flood(struct admission *a, uint32_t limit_hits, uint64_t demand, uint64_t dt)
{
	uint32_t news = atomic_load(&a->news);

	a->flood = demand > 2 * (a->peak_rate * dt / 1000 + a->conf.floor) ? a->flood + 1 : 0;
	atomic_store(&a->news, !admission_stormy(a) && limit_hits == 0 ? 0 : news < NEWS_N ? news + 1 : news);
}

/* While much is shed all that the target gets is a queue, and critical work waits in it. So no more may fly
 * than keeps the target busy (Little): its rate, times some of its quickest answers or what nobody notices;
 * and of that no more by others than the share of the target that critical work leaves them. */
static void cap_queue(struct admission *a, uint64_t critical, uint64_t room, uint64_t dt, uint64_t now_ms)
{
	uint64_t quick = 0, n = 0, cap, wait, least = CAP_LEAST * LIMIT_ONE;
	/* Groups that are told to stay away are shed, though it is not seen that they ask. */
	uint64_t silenced = atomic_load(&a->silenced_ms);
	bool silences = silenced != 0 && now_ms < silenced + CALM_MS;

	for (size_t i = 0; i < LANES; i++) {
		const struct lane *l = &a->lane[i];

		quick = l->quick_us > quick ? l->quick_us : quick;
		n += l->quick_us > 0;
	}
	wait = quick * CAP_FACTOR > LATENCY_MIN_US ? quick * CAP_FACTOR : LATENCY_MIN_US;
	cap = a->peak_rate * wait * LIMIT_ONE / 1000000;
	cap = (cap > least ? cap : least) * a->more / 100;
	a->critical += ((int64_t)critical - a->critical) / 8;
	critical = (uint64_t)a->critical < room / 2 ? (uint64_t)a->critical : room / 2;
	cap = room > 0 ? cap * (room - critical) / room : cap;
	if (n == 0 || (!silences && (a->shed_permille < SHED_MUCH ||
				      (atomic_load(&a->cap) == 0 && a->flood < FLOOD_N))))
		cap = 0;
	atomic_store(&a->cap, (uint32_t)(cap < UINT32_MAX ? cap : UINT32_MAX));
	quick = a->peak_rate * quick / 1000000;
	atomic_store(&a->least, cap == 0 ? 0 : quick > 1 ? (uint32_t)quick : 1);
	atomic_store(&a->each_us, cap > 0 && room > critical ? dt * 1000 * WORK_ONE / (room - critical) : 0);
}

/* What of their requests nodes that heed us should keep (RFC 7683, loss algorithm): what comes then is a
 * little more than the target carries, and the judge sheds the rest by class. */
static void learn_keep(struct admission *a, uint64_t demand, uint64_t room)
{
	uint64_t now = a->keep, aim;

	a->demand += demand / 8;
	a->demand -= a->demand / 8;
	if (!admission_stormy(a)) {
		a->keep = KEEP_ALL;
		return;
	}
	aim = a->demand > 0 ? now * room * AIM / 100 / a->demand : KEEP_ALL;
	aim = aim < now / 2 ? now / 2 : aim > now * 2 ? now * 2 : aim;
	now = (now * 15 + aim) / 16;
	a->keep = (uint32_t)(now < KEEP_MIN ? KEEP_MIN : now > KEEP_ALL ? KEEP_ALL : now);
}

/* How many attaches the nodes hold back, if all of them heed us, and so for how long they must spread them:
 * the time that the target takes for that many. What is spread so returns at the target's rate. */
static void learn_held(struct admission *a, uint64_t demand, uint64_t dt_ms)
{
	uint64_t validity = atomic_load(&a->validity_s), rate = atomic_load(&a->rate);

	validity = validity ? validity : VALIDITY_MIN_S;
	a->held -= a->held * dt_ms / (validity * 1000);
	if (a->keep < KEEP_ALL)
		a->held += demand / 2 * (KEEP_ALL - a->keep) / a->keep;
	validity = rate > 0 ? a->held * 2 / WORK_ONE / rate : 0;
	validity = validity < VALIDITY_MIN_S ? VALIDITY_MIN_S : validity;
	atomic_store(&a->validity_s, (uint32_t)(validity < VALIDITY_MAX_S ? validity : VALIDITY_MAX_S));
}

/* The report changes only when it must: each change is a new sequence number that every node takes in. It
 * must rise with each change, across restarts too (RFC 7683 §7.4): milliseconds do. */
static void tell(struct admission *a, uint32_t asked, uint32_t shed, uint64_t now_ms)
{
	uint32_t now = asked > 0 ? shed * 1000 / asked : 0;
	uint64_t told = atomic_load(&a->overload), was = told & 0xff;
	uint32_t percent = (KEEP_ALL - a->keep) / (KEEP_ALL / 100), left = 100 - percent;
	uint64_t moved = percent > was ? percent - was : was - percent;

	a->shed_permille = (a->shed_permille * 15 + now) / 16;
	percent = percent < 5 ? 0 : percent;
	if ((percent == 0) == (was == 0) && moved * 10 < left + 5)
		return;
	atomic_store(&a->overload, now_ms << 8 | percent);
}

/* The storm is over when nothing was shed for CALM_MS; its calendar when the last one booked is back. */
static void weather(struct admission *a, bool shedding, uint64_t was_ms, uint64_t now_ms)
{
	uint64_t none = 0;

	if (shedding) {
		(void)atomic_compare_exchange_strong(&a->epoch_ms, &none, now_ms);
		atomic_store(&a->storm, true);
		a->calm_ms = now_ms - was_ms > IDLE_MS ? was_ms : now_ms; /* it was shed soon after that */
	}
	if (now_ms - a->calm_ms < CALM_MS)
		return;
	atomic_store(&a->storm, false);
	if (!atomic_load(&a->epoch_ms) || now_ms <= atomic_load(&a->booked_ms) + CALENDAR_SLOT_MS)
		return;
	atomic_store(&a->epoch_ms, 0);
	for (size_t i = 0; i < KNOWN_WORDS; i++)
		atomic_store_explicit(&a->known[i], 0, memory_order_relaxed);
}

/* How many updates come of the vectors let in: one each in an attach, none where vectors are fetched
 * ahead. Smoothed over some seconds. */
static void learn_follow(struct admission *a, uint64_t begun)
{
	uint64_t vectors = take(&a->vectors_n), now;

	if (vectors < SAMPLES_MIN)
		return;
	now = begun < vectors ? begun * WORK_ONE * 256 / vectors : WORK_ONE * 256;
	a->follow_fine += (now > a->follow_fine ? now - a->follow_fine : 0) / 4;
	a->follow_fine -= (a->follow_fine > now ? a->follow_fine - now : 0) / 16;
	atomic_store(&a->follow, (uint32_t)(a->follow_fine / 256));
}

/* What new attaches must wait for: what flies, and updates beyond the half of the work that they are
 * when all is steady; they come of attaches let in before the rate was known. */
static uint64_t backlog_of(const struct admission *a, uint64_t begun, uint64_t budget)
{
	uint64_t usual = budget * 6 / 10;

	return flying_all(a) / 2 + (begun > usual ? 2 * (begun - usual) : 0);
}

/* Critical work is not overbooked: all of it comes in. */
static uint64_t overbook(const struct admission *a, uint64_t room)
{
	uint64_t critical = (uint64_t)a->critical < room ? (uint64_t)a->critical : room;
	uint64_t percent = atomic_load(&a->cap) > 0 ? OVERBOOK_CAPPED : OVERBOOK;

	return critical + (room - critical) * percent / 100;
}

/* Of what asks, no more than the target's own report leaves; our own estimate counts only in a storm. */
static uint64_t heeded(const struct admission *a, uint64_t demand, uint64_t budget, uint64_t now_ms)
{
	uint64_t heed = atomic_load(&a->heed), left = demand;

	if (heed >> 8 > now_ms)
		left = demand * (100 - (heed & 0xff)) / 100;
	if (!admission_stormy(a))
		return left;
	return budget < left ? budget : left;
}

void admission_control(struct admission *a, uint64_t was_ms, uint64_t now_ms)
{
	uint32_t hist[HIST_N], limit_hits = take(&a->limit_hits), level_hits = take(&a->level_hits);
	uint32_t asked = take(&a->asked_n), shed = take(&a->shed_n), done = take(&a->done_n);
	uint64_t dt = now_ms > was_ms && now_ms - was_ms < 1000 ? now_ms - was_ms : 1000, demand = 0;
	uint64_t critical = 0;
	uint64_t budget, backlog, begun = take(&a->begun_n);

	learn_idle(a, now_ms, dt);
	age(a, now_ms);
	admission_group_slot(a, now_ms);
	if (now_ms - was_ms > IDLE_MS)
		a->shed_permille = 0;
	for (size_t i = 0; i < LANES; i++)
		learn_limit(a, &a->lane[i]);
	share_out(&a->tenants);
	share_out(&a->partners);
	learn_rate(a, done, dt, limit_hits, level_hits);
	give_slack(a);
	learn_follow(a, begun);
	for (size_t i = 0; i < HIST_N; i++)
		demand += hist[i] = take(&a->hist[i]);
	for (size_t i = 0; i < RANK_CLASS >> HIST_SHIFT; i++)
		critical += hist[i];

	see_flood(a, limit_hits, demand / WORK_ONE, dt);
	weather(a, limit_hits > 0 || level_hits > 0, was_ms, now_ms);
	learn_keep(a, demand, a->peak_rate * dt * WORK_ONE / 1000);
	learn_held(a, demand, dt);
	tell(a, asked, shed, now_ms);
	budget = (uint64_t)atomic_load(&a->rate) * dt / 1000;
	cap_queue(a, critical, budget * WORK_ONE, dt, now_ms);
	budget = overbook(a, budget * WORK_ONE) / WORK_ONE;
	backlog = backlog_of(a, begun, budget);
	budget = (budget > backlog ? budget - backlog : 0) * WORK_ONE;
	budget = heeded(a, demand, budget, now_ms);
	if (demand <= budget)
		atomic_store(&a->threshold, RANK_ALL);
	else
		atomic_store(&a->threshold, reach(hist, budget));
}
