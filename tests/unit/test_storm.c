/* A storm in virtual time: 600,000 devices at ten times what the target carries, and no process runs
 * (R-5.6.1.a, R-5.6.1.d, R-5.6.1.e). The target is one queue with exponential service; a device does what
 * TS 24.301 §5.5.1.2.6 says: T3411 of 10 s five times, then T3402 of 12 minutes. Some of the low-priority
 * ones are behind MMEs that heed our overload report (RFC 7683) and send them away with T3346. */
#include <math.h>

#include "judge/admission.h"
#include "judge/sightings.h"
#include "unit/test.h"

#define DEVICES   600000u
#define CAPACITY  1000.0 /* attaches a second; each is an AIR and a ULR */
#define TENFOLD   (10 * CAPACITY)
#define T3411_S   10.0
#define T3402_S   720.0
#define TRIES     5
#define UE_S      0.1    /* from the vectors to the update: the device computes, the radio carries */
#define EPOCH_MS  1700000000000
#define WHEEL_MS  (1u << 21) /* longer than any device waits */
#define END_MS    19000000u
#define REALM     "epc.mnc001.mcc001.3gppnetwork.org"
#define HOME      "epc.mnc070.mcc999.3gppnetwork.org"

struct device {
	uint8_t prio, tries, reacts;
	bool updates, first_failed; /* its next event is the update of its attach */
	uint32_t next;              /* in the same millisecond; 0: none */
	float came, served;
};

struct work {
	double asked;
	uint32_t device;
	uint8_t op;
};

static struct {
	struct device device[DEVICES];
	uint32_t wheel[WHEEL_MS];  /* by millisecond: the first device; device n is n + 1 here */
	struct work queue[8192];
	size_t head, tail, longest;
	double now, answer_at;     /* seconds; when the target answers next */
	struct judge *judge;
	struct admission *target;
	struct sub_row sub;
	uint64_t asked[PRIO_N], refused[PRIO_N], heeded, judged;
	uint32_t comes_s[20000], served_s[20000]; /* by second */
	uint32_t device_n, left;
	double storm_s;
} sim;

static uint64_t dice[2] = { 88172645463325252u, 1234567 };

static double chance(void)
{
	uint64_t a = dice[0], b = dice[1], r = a + b;

	b ^= a;
	dice[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	dice[1] = b << 37 | b >> 27;
	return (double)(r >> 11) * (1.0 / 9007199254740992.0);
}

static double exponential(double mean)
{
	return -mean * log(1 - chance());
}

/* Each device waits for one thing at a time. */
static void later(double at, uint32_t n)
{
	uint32_t *slot = &sim.wheel[(uint32_t)(at * 1000 + 1) % WHEEL_MS];

	sim.device[n].next = *slot;
	*slot = n + 1;
}

/* --- the book: device n has IMSI 99970 and n; nothing is stored but its class --- */

static uint64_t imsi_of(uint32_t n)
{
	uint64_t digits = 0;

	for (unsigned int i = 0; i < 10; i++, n /= 10)
		digits |= (uint64_t)(n % 10) << 4 * i;
	return 0x99970ull << 44 | digits << 4 | 15;
}

static const struct sub_row *find_sub(void *ctx, uint64_t imsi)
{
	uint32_t n = 0;

	(void)ctx;
	for (unsigned int i = 0; i < 10; i++)
		n = n * 10 + (uint32_t)(imsi >> (40 - 4 * i) & 15);
	sim.sub = (struct sub_row){ .imsi = imsi, .life = LIFE_ACTIVE, .prio = sim.device[n].prio };
	return &sim.sub;
}

static const struct profile_row *find_profile(void *ctx, uint32_t no)
{
	static const struct profile_row all = { .rats = RAT_WB_EUTRAN };

	(void)ctx;
	(void)no;
	return &all;
}

static const struct network_row partner = { .plmn = 0x00101fffffffffff, .realm = REALM,
					    .trust = TRUST_TRUSTED, .steer_weight = 1000 };

static const struct network_row *find_network(void *ctx, uint64_t plmn)
{
	(void)plmn;
	return ctx;
}

static const struct network_row *find_realm(void *ctx, struct view realm)
{
	(void)ctx;
	(void)realm;
	return NULL;
}

static const struct equip_row *find_equip(void *ctx, uint64_t imei, uint64_t now_s)
{
	(void)ctx;
	(void)imei;
	(void)now_s;
	return NULL;
}

static const struct range_row *find_range(void *ctx, uint64_t imsi)
{
	static const struct range_row ours;

	(void)ctx;
	(void)imsi;
	return &ours;
}

static const struct rule_row *find_rules(void *ctx, size_t *n)
{
	(void)ctx;
	*n = 0;
	return NULL;
}

static uint64_t version(void *ctx)
{
	(void)ctx;
	return 1;
}

/* --- the target and the visited network --- */

static struct facts facts_at(uint32_t device, enum op op, double at)
{
	return (struct facts){
		.op = (uint8_t)op, .app_agreed = true, .drmp = 255,
		.peer_host = VIEW("mme." REALM), .peer_realm = VIEW(REALM), .peer_plmn = partner.plmn,
		.origin_host = VIEW("mme." REALM), .origin_realm = VIEW(REALM), .dest_realm = VIEW(HOME),
		.imsi = imsi_of(device), .visited_plmn = partner.plmn,
		.rat = op == OP_UPDATE_LOCATION ? RAT_IS_WB_EUTRAN : RAT_UNKNOWN,
		.now_ms = EPOCH_MS + (uint64_t)(at * 1000),
	};
}

static void serve_next(void)
{
	sim.answer_at = sim.head != sim.tail ? sim.now + exponential(0.5 / CAPACITY) : INFINITY;
}

static void refused(uint32_t n, double delay_s)
{
	struct device *d = &sim.device[n];

	d->first_failed = true;
	sim.refused[d->prio]++;
	if (++d->tries < TRIES) {
		later(sim.now + delay_s + T3411_S, n);
		return;
	}
	d->tries = 0;
	later(sim.now + delay_s + T3402_S, n);
}

static void ask(uint32_t n, enum op op)
{
	struct facts f = facts_at(n, op, sim.now);
	struct verdict v = judge_request(sim.judge, &f);

	sim.judged++;
	if (v.act != ACT_PASS) {
		check_eq(v.check, CHECK_ADMISSION);
		check(v.cause == CAUSE_UNABLE_TO_COMPLY || v.cause == CAUSE_AUTH_UNAVAILABLE);
		check(v.delay_ms <= 500);
		check(op == OP_AUTH_INFO); /* an attach once begun is allowed to finish */
		refused(n, v.delay_ms / 1000.0);
		return;
	}
	sim.queue[sim.tail++ % 8192] = (struct work){ sim.now, n, (uint8_t)op };
	check(sim.tail - sim.head < 8192);
	sim.longest = sim.tail - sim.head > sim.longest ? sim.tail - sim.head : sim.longest;
	if (sim.tail - sim.head == 1)
		serve_next();
}

static void comes(uint32_t n)
{
	struct device *d = &sim.device[n];
	struct overload o;

	sim.comes_s[(size_t)sim.now]++;
	sim.asked[d->prio]++;
	if (d->reacts) {
		o = judge_overload(sim.judge, 0, EPOCH_MS + (uint64_t)(sim.now * 1000));
		if (chance() * 100 < o.reduction) {
			sim.heeded++;
			d->first_failed = true;
			later(sim.now + 900 + 900 * chance(), n);
			return;
		}
	}
	ask(n, OP_AUTH_INFO);
}

static void answered(void)
{
	struct work w = sim.queue[sim.head++ % 8192];
	struct device *d = &sim.device[w.device];
	struct facts f = facts_at(w.device, w.op, w.asked);

	judge_done(sim.judge, &f, 0, true, false, EPOCH_MS + (uint64_t)(sim.now * 1000));
	serve_next();
	if (w.op == OP_AUTH_INFO) {
		d->updates = true;
		later(sim.now + UE_S, w.device);
		return;
	}
	d->served = (float)sim.now;
	sim.served_s[(size_t)sim.now]++;
	sim.left--;
}

static void answers_until(double at)
{
	while (sim.answer_at <= at) {
		sim.now = sim.answer_at;
		answered();
	}
	sim.now = at;
}

static void run(uint32_t from_ms)
{
	for (uint32_t ms = from_ms; sim.left > 0; ms++) {
		uint32_t n = sim.wheel[ms % WHEEL_MS], after;

		sim.wheel[ms % WHEEL_MS] = 0;
		check(ms < END_MS);
		answers_until(ms / 1000.0);
		for (; n > 0; n = after) {
			struct device *d = &sim.device[n - 1];

			after = d->next;
			if (d->updates)
				ask(n - 1, OP_UPDATE_LOCATION);
			else
				comes(n - 1);
		}
	}
}

static void begin(uint32_t devices, double reacting)
{
	memset(&sim, 0, sizeof sim);
	sim.left = sim.device_n = devices;
	sim.storm_s = devices / TENFOLD;
	sim.answer_at = INFINITY;
	for (uint32_t n = 0; n < sim.device_n; n++) {
		struct device *d = &sim.device[n];
		double u = chance();

		d->prio = u < .02 ? PRIO_CRITICAL : u < .10 ? PRIO_HIGH : u < .40 ? PRIO_NORMAL : PRIO_LOW;
		d->reacts = d->prio == PRIO_LOW && chance() < reacting;
		d->came = (float)(sim.storm_s * chance());
		later(d->came, n);
	}
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* How long critical attaches took at the target: the time the device itself needs is not its fault. */
static double critical_p99_ms(void)
{
	static float took[DEVICES];
	size_t n = 0;

	for (uint32_t i = 0; i < sim.device_n; i++) {
		const struct device *d = &sim.device[i];

		if (d->prio == PRIO_CRITICAL)
			took[n++] = d->served - d->came - (float)UE_S;
	}
	qsort(took, n, sizeof *took, by_size);
	return 1000.0 * (double)took[n - n / 100 - 1];
}

static void show(const struct admission_state *s, double reacting)
{
	static const char *const names[PRIO_N] = { "critical", "high", "normal", "low" };
	uint32_t peak = 0, last = 0, goodput = 0;

	for (uint32_t t = 0; t < 20000; t++) {
		peak = t > sim.storm_s + 60 && sim.comes_s[t] > peak ? sim.comes_s[t] : peak;
		last = sim.served_s[t] ? t : last;
		goodput += t >= 5 && t < (uint32_t)sim.storm_s ? sim.served_s[t] : 0;
	}
	printf("  %.0f %% of the low class behind MMEs that heed DOIC; %lu requests judged\n",
	       reacting * 100, (unsigned long)sim.judged);
	printf("  class     asked    admitted  refused  first try\n");
	for (int p = 0; p < PRIO_N; p++) {
		uint32_t all = 0, first = 0;

		for (uint32_t n = 0; n < sim.device_n; n++) {
			all += sim.device[n].prio == p;
			first += sim.device[n].prio == p && !sim.device[n].first_failed;
		}
		printf("  %-8s %8lu %8lu %8lu   %.5f\n", names[p], (unsigned long)sim.asked[p],
		       (unsigned long)s->admitted[p], (unsigned long)sim.refused[p],
		       (double)first / all);
	}
	printf("  goodput in the storm %.3f of capacity; all served at %u s; longest queue %zu;\n"
	       "  peak of returns %.1fx; kept appointments %lu; sent away by MMEs %lu; rate %u/s, limit %u;\n"
	       "  critical attaches took %.1f ms at the 99th percentile\n",
	       goodput / (sim.storm_s - 5) / CAPACITY, last, sim.longest, peak / CAPACITY,
	       (unsigned long)s->due, (unsigned long)sim.heeded, s->rate, s->limit[0], critical_p99_ms());
}

/* A minute later all is as before: half the capacity comes, of the lowest class, and is let in at once. */
static void check_normal_again(void)
{
	struct admission_state state;
	uint32_t last = 5000;

	sim.now += 61;
	for (uint32_t n = 0; n < last; n++) {
		sim.device[n] = (struct device){ .prio = PRIO_LOW };
		later(sim.now + n * 2 / CAPACITY, n);
	}
	memset(sim.refused, 0, sizeof sim.refused);
	sim.left = last;
	run((uint32_t)(sim.now * 1000));
	admission_look(sim.target, &state);
	check_eq(sim.refused[PRIO_LOW], 0);
	check(!admission_stormy(sim.target));
	check_eq(judge_overload(sim.judge, 0, EPOCH_MS + (uint64_t)(sim.now * 1000)).reduction, 0);
}

static void play(uint32_t devices, double reacting)
{
	static const uint8_t key[HASH_KEY] = "fedcba987654321";
	struct network_row net = partner;
	struct book book = { &net, find_sub, find_profile, find_network, find_realm, find_equip,
			     find_range, find_rules, version, NULL, NULL };
	struct sightings *seen = sightings_new(1u << 20, key);
	struct admission_state state;
	uint32_t goodput = 0;

	begin(devices, reacting);
	sim.target = admission_new(&(struct admission_conf){ 0 }, key);
	sim.judge = judge_new(&book, seen, &sim.target, 1, key);
	check(seen && sim.target && sim.judge);
	judge_identity(sim.judge, VIEW("edge." HOME), VIEW(HOME));
	run(0);

	admission_look(sim.target, &state);
	show(&state, reacting);
	check_eq(sim.left, 0);
	for (uint32_t n = 0; n < sim.device_n; n++)
		check(sim.device[n].prio != PRIO_CRITICAL || !sim.device[n].first_failed);
	for (uint32_t t = 5; t < (uint32_t)sim.storm_s; t++)
		goodput += sim.served_s[t];
	check(goodput > 0.9 * CAPACITY * (sim.storm_s - 5));
	check(critical_p99_ms() < 100);
	check_normal_again();
	judge_free(sim.judge);
	admission_free(sim.target);
	sightings_free(seen);
}

TEST(every_critical_first_try_succeeds_in_a_tenfold_storm)
{
	play(DEVICES, 0);
}

TEST(and_with_networks_that_heed_the_overload_report)
{
	play(DEVICES / 5, 0.5);
}

TESTS(T(every_critical_first_try_succeeds_in_a_tenfold_storm),
      T(and_with_networks_that_heed_the_overload_report))
