#include "unit/storm.h"

#include <math.h>
#include <stdlib.h>

#include "unit/storm_world.h"
#include "unit/test.h"

#define T3411_S   10.0 /* TS 24.301 §5.5.1.2.6: five tries, then T3402 */
#define T3402_S   720.0
#define TRIES     5
#define SPREAD_S  300.0 /* of uniform back-off */
#define GIVE_UP_S 10.0 /* a node waits so long for an answer */
#define UE_S      0.1  /* from the vectors to the update: the device computes, the radio carries */
#define WHEEL_MS  (1u << 22) /* longer than any device waits */
#define QUEUE_N   (1u << 21)
#define LATENCY_N 4096 /* steps of 0.1 ms */
#define BURST     50.0 /* of the bucket */
#define WARM_S    10 /* before the storm: a fifth of what the target carries, so that its ways are known */

struct device {
	uint32_t next; /* in the same millisecond; 0: none */
	uint8_t prio, tries, state, heeds;
};

enum { ASLEEP, COMES, UPDATES, SERVED };

struct work {
	double asked, ends;
	uint32_t device;
	uint8_t op, wasted;
};

static struct {
	struct storm_conf conf;
	struct storm_result result;
	struct device device[STORM_DEVICES];
	bool failed[STORM_DEVICES];
	uint32_t wheel[WHEEL_MS]; /* by millisecond: the first device; device n is n + 1 here */
	struct work queue[QUEUE_N];
	size_t head, tail;
	double now, free_at, tokens, tokens_at;
	uint32_t left, latency[PRIO_N][LATENCY_N];
	struct storm_world world;
} sim;

static uint64_t dice[2];

static double chance(void)
{
	uint64_t a = dice[0], b = dice[1], r = a + b;

	b ^= a;
	dice[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	dice[1] = b << 37 | b >> 27;
	return (double)(r >> 11) * (1.0 / 9007199254740992.0);
}

uint8_t storm_prio_of(uint32_t device)
{
	return sim.device[device].prio;
}

static struct storm_second *second(void)
{
	double at = sim.now - WARM_S;

	return &sim.result.second[at >= 0 && at < STORM_SECONDS ? (size_t)at : STORM_SECONDS - 1];
}

/* Each device waits for one thing at a time. */
static void later(double at, uint32_t n)
{
	uint32_t *slot = &sim.wheel[(uint32_t)(at * 1000 + 1) % WHEEL_MS];

	sim.device[n].next = *slot;
	*slot = n + 1;
}

static void tries_again(uint32_t n, double from)
{
	struct device *d = &sim.device[n];
	double wait = T3411_S + .5 * chance();

	d->state = COMES;
	sim.failed[n] = true;
	if (++d->tries == TRIES) {
		d->tries = 0;
		wait = T3402_S + .5 * chance();
	}
	if (sim.conf.control == STORM_UNIFORM)
		wait = SPREAD_S * chance();
	later(from + wait, n);
}

/* One server, first come first served: when this one will be done is known when it comes. */
static void to_target(uint32_t n, enum op op)
{
	double start = sim.free_at > sim.now ? sim.free_at : sim.now;
	struct work *w = &sim.queue[sim.tail % QUEUE_N];

	second()->passed[sim.device[n].prio]++;
	*w = (struct work){ .asked = sim.now, .device = n, .op = (uint8_t)op };
	w->ends = start - log(1 - chance()) / STORM_CAPACITY;
	w->wasted = w->ends - sim.now > GIVE_UP_S;
	if (w->wasted || sim.tail - sim.head == QUEUE_N)
		tries_again(n, sim.now + GIVE_UP_S);
	if (sim.tail - sim.head == QUEUE_N)
		return;
	sim.free_at = w->ends;
	sim.tail++;
	if (sim.tail - sim.head > sim.result.longest)
		sim.result.longest = (uint32_t)(sim.tail - sim.head);
}

static bool bucket(double cost)
{
	sim.tokens += (sim.now - sim.tokens_at) * STORM_CAPACITY;
	sim.tokens = sim.tokens < BURST ? sim.tokens : BURST;
	sim.tokens_at = sim.now;
	if (sim.tokens < cost)
		return false;
	sim.tokens -= cost;
	return true;
}

static bool let_in(uint32_t n, enum op op, double *delay_s)
{
	struct verdict v;

	*delay_s = 0;
	sim.result.judged++;
	if (sim.conf.control == STORM_NONE)
		return true;
	if (sim.conf.control == STORM_BUCKET)
		return bucket(1);
	if (sim.conf.control == STORM_UNIFORM)
		return op == OP_UPDATE_LOCATION || bucket(2);
	v = storm_world_ask(&sim.world, n, op, sim.now);
	*delay_s = v.delay_ms / 1000.0;
	if (v.act == ACT_PASS)
		return true;
	check_eq(v.check, CHECK_ADMISSION);
	check(v.cause == CAUSE_AUTH_UNAVAILABLE); /* temporary; an attach once begun is allowed to finish */
	check(v.delay_ms <= 500);
	return false;
}

static void ask(uint32_t n, enum op op)
{
	double delay_s;

	if (let_in(n, op, &delay_s)) {
		to_target(n, op);
		return;
	}
	second()->refused[sim.device[n].prio]++;
	tries_again(n, sim.now + delay_s);
}

/* A node that heeds holds its devices back with T3346, spread around the time that the report lasts. It knows
 * the critical ones by their establishment cause and lets them go (TS 29.272 Annex C). */
static bool held_back(uint32_t n)
{
	struct device *d = &sim.device[n];
	struct overload o;

	if (!d->heeds || d->prio == PRIO_CRITICAL || sim.conf.control != STORM_JUDGE)
		return false;
	o = judge_overload(sim.world.judge, 0, storm_world_ms(sim.now));
	if (chance() * 100 >= o.reduction)
		return false;
	sim.failed[n] = true;
	second()->held++;
	later(sim.now + o.validity_s * (.5 + chance()), n);
	return true;
}

static void comes(uint32_t n)
{
	second()->comes++;
	if (held_back(n))
		return;
	second()->tries[sim.device[n].prio]++;
	ask(n, OP_AUTH_INFO);
}

static void served(uint32_t n)
{
	struct device *d = &sim.device[n];

	d->state = SERVED;
	second()->served[d->prio]++;
	sim.result.served[d->prio]++;
	sim.result.first_ok[d->prio] += !sim.failed[n];
	sim.result.last_s = (uint32_t)(sim.now - WARM_S);
	sim.left--;
}

static void answered(const struct work *w)
{
	struct device *d = &sim.device[w->device];
	size_t took = (size_t)((sim.now - w->asked) * 10000);

	sim.latency[d->prio][took < LATENCY_N ? took : LATENCY_N - 1]++;
	if (sim.conf.control == STORM_JUDGE)
		storm_world_done(&sim.world, w->device, w->op, w->asked, sim.now);
	sim.result.wasted += w->wasted;
	if (w->wasted)
		return;
	if (w->op == OP_AUTH_INFO) {
		d->state = UPDATES;
		later(sim.now + UE_S, w->device);
	} else {
		served(w->device);
	}
}

static void answers_until(double at)
{
	while (sim.head != sim.tail && sim.queue[sim.head % QUEUE_N].ends <= at) {
		const struct work *w = &sim.queue[sim.head++ % QUEUE_N];

		sim.now = w->ends;
		answered(w);
	}
	sim.now = at;
}

static void run(uint32_t from_ms, uint32_t to_ms)
{
	for (uint32_t ms = from_ms; ms < to_ms && sim.left > 0; ms++) {
		uint32_t n = sim.wheel[ms % WHEEL_MS], after;

		sim.wheel[ms % WHEEL_MS] = 0;
		answers_until(ms / 1000.0);
		for (; n > 0; n = after) {
			after = sim.device[n - 1].next;
			if (sim.device[n - 1].state == UPDATES)
				ask(n - 1, OP_UPDATE_LOCATION);
			else
				comes(n - 1);
		}
	}
}

static void warm_up(void)
{
	uint32_t n = (uint32_t)(STORM_ATTACHES / 5 * (WARM_S - 1));

	for (uint32_t i = 0; i < n; i++) {
		sim.device[i] = (struct device){ .prio = PRIO_LOW, .state = COMES };
		later((WARM_S - 1) * chance(), i);
	}
	sim.left = n;
	run(0, WARM_S * 1000);
	memset(&sim.result, 0, sizeof sim.result);
	memset(sim.latency, 0, sizeof sim.latency);
	memset(sim.wheel, 0, sizeof sim.wheel);
	memset(sim.failed, 0, sizeof sim.failed);
	sim.left = 0;
}

static void begin(const struct storm_conf *conf)
{
	double awake = conf->times * STORM_ATTACHES * STORM_S / STORM_DEVICES;

	memset(&sim, 0, sizeof sim);
	dice[0] = 88172645463325252u + conf->seed * 0x9e3779b97f4a7c15u;
	dice[1] = 1234567;
	sim.conf = *conf;
	storm_world_open(&sim.world);
	if (!conf->cold)
		warm_up();
	for (uint32_t n = 0; n < STORM_DEVICES; n++) {
		struct device *d = &sim.device[n];
		double u = chance();

		*d = (struct device){ .heeds = chance() < conf->heeding };
		d->prio = u < .02 ? PRIO_CRITICAL : u < .10 ? PRIO_HIGH : u < .40 ? PRIO_NORMAL : PRIO_LOW;
		if (chance() >= awake)
			continue;
		d->state = COMES;
		sim.result.devices[d->prio]++;
		sim.left++;
		later(WARM_S + STORM_S * chance(), n);
	}
}

static void find_end(void)
{
	for (uint32_t t = 0; t + 1 < STORM_SECONDS; t++) {
		const struct storm_second *s = &sim.result.second[t];
		uint32_t tries = 0, refused = 0;

		for (size_t p = 0; p < PRIO_N; p++) {
			tries += s->tries[p];
			refused += s->refused[p];
		}
		sim.result.over_s = tries > STORM_ATTACHES ? t : sim.result.over_s;
		sim.result.calm_s = refused > 0 ? t : sim.result.calm_s;
	}
}

static void sum_up(void)
{
	uint32_t done = 0;

	find_end();

	for (size_t t = 5; t < STORM_S; t++) {
		for (size_t p = 0; p < PRIO_N; p++)
			done += sim.result.second[t].served[p];
	}
	sim.result.goodput = done / (STORM_S - 5) / STORM_ATTACHES;
	for (size_t p = 0; p < PRIO_N; p++) {
		uint64_t all = 0, seen = 0;
		size_t i = 0;

		for (size_t k = 0; k < LATENCY_N; k++)
			all += sim.latency[p][k];
		for (; i < LATENCY_N && (seen += sim.latency[p][i]) * 100 < all * 99; i++)
			;
		sim.result.p99_ms[p] = (double)(i + 1) / 10;
	}
	if (sim.conf.control == STORM_JUDGE)
		admission_look(sim.world.target, &sim.result.state);
}

/* The devices are gone; 30 s later others come, of the lowest class, at half of what the target carries. */
static uint32_t normal_again(void)
{
	uint32_t n = (uint32_t)(STORM_ATTACHES / 2 * 5), before = 0, after = 0;
	uint32_t from = (uint32_t)((sim.now + 30) * 1000);

	answers_until(from / 1000.0);
	memset(sim.wheel, 0, sizeof sim.wheel);
	for (size_t t = 0; t < STORM_SECONDS; t++)
		before += sim.result.second[t].refused[PRIO_LOW];
	for (uint32_t i = 0; i < n; i++) {
		sim.device[i] = (struct device){ .prio = PRIO_LOW, .state = COMES };
		later(from / 1000.0 + i * 2 / STORM_ATTACHES, i);
	}
	sim.left = n;
	run(from, from + 20000);
	for (size_t t = 0; t < STORM_SECONDS; t++)
		after += sim.result.second[t].refused[PRIO_LOW];
	return after - before + sim.left;
}

const struct storm_result *storm_play(const struct storm_conf *conf, uint32_t *again, bool *calm)
{
	begin(conf);
	run(WARM_S * 1000, (WARM_S + (conf->until_s ? conf->until_s : STORM_SECONDS)) * 1000);
	sum_up();
	if (again && calm) {
		uint32_t served[PRIO_N], last_s = sim.result.last_s;

		memcpy(served, sim.result.served, sizeof served);
		*again = normal_again();
		memcpy(sim.result.served, served, sizeof served); /* of the storm's devices */
		sim.result.last_s = last_s;
		*calm = !admission_stormy(sim.world.target) &&
			judge_overload(sim.world.judge, 0, storm_world_ms(sim.now)).reduction == 0;
	}
	storm_world_close(&sim.world);
	return &sim.result;
}
