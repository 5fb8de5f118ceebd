/* The control step of storm control, each 100 ms: the limits from latency, the rate from completions,
 * the threshold from what asked (facts/analytics.md 2.2). */
#include "judge/admission_in.h"

#define CALM_MS      60000    /* a storm is over when nothing was shed for so long */
#define LATENCY_MIN_US 5000   /* below that all are alike: a machine that pauses is no target that queues */
#define LIMIT_ONE    256u
#define SAMPLES_MIN  5        /* answers that make a mean */
#define WEIGHT_MAX   8
#define SLACK_MS     25
#define EASE_US      10000
#define EASY_STEPS  10        /* control steps without a sign of distress: the target can do more */
#define OVERBOOK     105      /* percent: arrivals are uneven, and the limit catches what is too much */

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
	a->gen = gen;
	for (size_t i = 0; i < LANES; i++)
		atomic_store(&a->lane[i].flying.n[(gen + 1) % GENERATIONS], 0);
}

/* Gradient against the shortest latency seen: at twice that the target queues, and the limit falls. It
 * grows only while it is used. */
static uint64_t by_latency(struct lane *l, uint64_t limit, uint64_t mean_us)
{
	uint64_t gradient = LIMIT_ONE, aim;

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
	if (a->seen_rate > rate && (rate > 0 || full))
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

static void tell(struct admission *a, uint32_t asked, uint32_t shed, uint64_t now_ms)
{
	uint32_t now = asked > 0 ? shed * 1000 / asked : 0, percent;
	uint64_t told = atomic_load(&a->overload), was = told & 0xff;

	a->shed_permille = (a->shed_permille * 15 + now) / 16;
	percent = a->shed_permille / 10;
	if (!admission_stormy(a))
		percent = 0;
	if ((percent == 0) == (was == 0) && percent + 5 > was && percent < was + 5)
		return;
	/* The sequence must rise with each change, across restarts too (RFC 7683 §7.4): milliseconds do. */
	atomic_store(&a->overload, now_ms << 8 | percent);
}

/* The storm is over when nothing was shed for a minute; its calendar when the last one booked is back. */
static void weather(struct admission *a, bool shedding, uint64_t now_ms)
{
	uint64_t none = 0;

	if (shedding) {
		(void)atomic_compare_exchange_strong(&a->epoch_ms, &none, now_ms);
		atomic_store(&a->storm, true);
		a->calm_ms = now_ms;
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
	uint64_t budget, backlog, begun = take(&a->begun_n);

	age(a, now_ms);
	for (size_t i = 0; i < LANES; i++)
		learn_limit(a, &a->lane[i]);
	share_out(&a->tenants);
	share_out(&a->partners);
	learn_rate(a, done, dt, limit_hits, level_hits);
	give_slack(a);
	learn_follow(a, begun);
	for (size_t i = 0; i < HIST_N; i++)
		demand += hist[i] = take(&a->hist[i]);

	weather(a, limit_hits > 0 || level_hits > 0, now_ms);
	tell(a, asked, shed, now_ms);
	budget = (uint64_t)atomic_load(&a->rate) * dt / 1000 * OVERBOOK / 100;
	backlog = backlog_of(a, begun, budget);
	budget = (budget > backlog ? budget - backlog : 0) * WORK_ONE;
	budget = heeded(a, demand, budget, now_ms);
	if (demand <= budget)
		atomic_store(&a->threshold, RANK_ALL);
	else
		atomic_store(&a->threshold, reach(hist, budget));
}
