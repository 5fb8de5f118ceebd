/* What a verdict costs: a clean AIR and a clean ULR that pass every check, and floods that do not. The
 * book is an array of a million subscribers, the facts change with each request. Prints ns and ratios. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "judge/admission.h"
#include "judge/sightings.h"

#define SUBS   (1u << 20)
#define ROUNDS 3000000u
#define REALM  "epc.mnc001.mcc001.3gppnetwork.org"
#define HOME   "epc.mnc070.mcc999.3gppnetwork.org"

static struct sub_row *subs;
static const uint8_t key[HASH_KEY] = "a bench's own k";

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
	return n < SUBS ? &subs[n] : NULL;
}

static const struct profile_row *find_profile(void *ctx, uint32_t no)
{
	static const struct profile_row all = { .rats = RAT_WB_EUTRAN };

	(void)ctx;
	(void)no;
	return &all;
}

static const struct network_row *find_network(void *ctx, uint64_t plmn)
{
	const struct network_row *n = ctx;

	return n->plmn == plmn ? n : NULL;
}

static const struct network_row *find_realm(void *ctx, struct view realm)
{
	const struct network_row *n = ctx;

	return view_eq_case(realm, view_of(n->realm)) ? n : NULL;
}

static const struct range_row *find_range(void *ctx, uint64_t imsi)
{
	static const struct range_row ours;

	(void)ctx;
	(void)imsi;
	return &ours;
}

static struct facts facts_of(uint32_t n, enum op op, uint64_t plmn, uint64_t now_ms)
{
	return (struct facts){
		.op = (uint8_t)op, .app_agreed = true, .drmp = 255, .route_n = 1,
		.peer_host = VIEW("dra." REALM), .peer_realm = VIEW(REALM), .peer_plmn = plmn,
		.origin_host = VIEW("mme." REALM), .origin_realm = VIEW(REALM), .dest_realm = VIEW(HOME),
		.route[0] = VIEW("mme." REALM), .imsi = imsi_of(n), .visited_plmn = plmn,
		.rat = op == OP_UPDATE_LOCATION ? RAT_IS_WB_EUTRAN : RAT_UNKNOWN,
		.imei = op == OP_UPDATE_LOCATION ? 0x35316609000001ffu : 0, .now_ms = now_ms,
	};
}

/* Of this process: the machine may be busy with others. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Nanoseconds a request; with `done`, the lesson of its answer too. */
static double run(struct judge *j, uint32_t spread, enum op op, uint64_t plmn, bool done)
{
	static volatile uint32_t refused;
	double from = seconds();

	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct facts f = facts_of(i * 7919 % spread, op, plmn, 1700000000000 + i / 100);
		struct verdict v = judge_request(j, &f);

		refused += v.act != ACT_PASS;
		if (done && v.act == ACT_PASS)
			judge_done(j, &f, 0, true, false, f.now_ms + 1);
	}
	return (seconds() - from) * 1e9 / ROUNDS;
}

static struct book book_of(struct network_row *net)
{
	struct book b = book_empty;

	b.ctx = net;
	b.sub = find_sub;
	b.profile = find_profile;
	b.network = find_network;
	b.network_of_realm = find_realm;
	b.range = find_range;
	return b;
}

int main(void)
{
	struct network_row net = { .plmn = 0x00101fffffffffff, .realm = REALM, .trust = TRUST_TRUSTED,
				   .steer_weight = 1000 };
	struct book book = book_of(&net);
	struct sightings *seen = sightings_new(SUBS * 2, key);
	struct admission *target = admission_new(&(struct admission_conf){ 0 }, key);
	struct judge *open = judge_new(&book, seen, NULL, 0, key);
	struct judge *shut = judge_new(&book, seen, &target, 1, key);
	double air, spoofed;

	subs = calloc(SUBS, sizeof *subs);
	if (!subs || !seen || !target || !open || !shut)
		return 1;
	for (uint32_t n = 0; n < SUBS; n++) {
		subs[n].imsi = imsi_of(n);
		subs[n].life = LIFE_ACTIVE;
		subs[n].prio = PRIO_NORMAL;
	}
	judge_identity(open, VIEW("edge." HOME), VIEW(HOME));
	judge_identity(shut, VIEW("edge." HOME), VIEW(HOME));
	printf("AIR passes, 1,000 SIMs      %6.0f ns\n", run(open, 1000, OP_AUTH_INFO, net.plmn, false));
	printf("ULR passes, 1,000 SIMs      %6.0f ns\n", run(open, 1000, OP_UPDATE_LOCATION, net.plmn, false));
	printf("AIR and its lesson          %6.0f ns\n", run(open, SUBS, OP_AUTH_INFO, net.plmn, true));
	air = run(open, SUBS, OP_AUTH_INFO, net.plmn, false);
	printf("AIR passes, 1,000,000 SIMs  %6.0f ns\n", air);
	printf("ULR passes, 1,000,000 SIMs  %6.0f ns\n", run(open, SUBS, OP_UPDATE_LOCATION, net.plmn, false));
	printf("AIR admitted and answered   %6.0f ns\n", run(shut, SUBS, OP_AUTH_INFO, net.plmn, true));
	printf("AIR beyond the target       %6.0f ns\n", run(shut, SUBS, OP_AUTH_INFO, net.plmn, false));
	spoofed = run(open, SUBS, OP_AUTH_INFO, 0x00199fffffffffff, false);
	printf("AIR of no known network     %6.0f ns, a pass costs %.1f times that\n", spoofed, air / spoofed);
	judge_free(open);
	judge_free(shut);
	admission_free(target);
	sightings_free(seen);
	free(subs);
	return 0;
}
