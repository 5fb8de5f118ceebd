/* A small world for the judge: a book of arrays, and a judge over it. No process runs. */
#pragma once
#include "judge/admission.h"
#include "judge/sightings.h"
#include "unit/test.h"

#define ROWS 40

#define HOME_REALM "epc.mnc070.mcc999.3gppnetwork.org"
#define P1_REALM   "epc.mnc001.mcc001.3gppnetwork.org"
#define P1_MME     "mme1." P1_REALM

enum { HOME_NET, P1, BLOCKED_NET, PARIS, ANGELES, NETS };

struct world {
	struct network_row net[NETS];
	struct sub_row sub[ROWS];
	struct profile_row profile[4];
	struct equip_row equip[4];
	struct rule_row rule[ROWS * 2];
	struct range_row range;
	size_t sub_n, profile_n, equip_n, rule_n;
	uint64_t version;
	unsigned int sub_looks; /* how often a subscriber was looked up */
	struct book book;
	struct sightings *seen;
	struct admission *target;
	struct judge *judge;
};

static const uint8_t world_key[HASH_KEY] = "0123456789abcde";

static inline uint64_t id(const char *digits)
{
	return bcd_of(view_of(digits));
}

static inline const struct sub_row *world_sub(void *ctx, uint64_t imsi)
{
	struct world *w = ctx;

	w->sub_looks++;
	for (size_t i = 0; i < w->sub_n; i++) {
		if (w->sub[i].imsi == imsi)
			return &w->sub[i];
	}
	return NULL;
}

static inline const struct profile_row *world_profile(void *ctx, uint32_t no)
{
	struct world *w = ctx;

	return no < w->profile_n ? &w->profile[no] : NULL;
}

static inline const struct network_row *world_network(void *ctx, uint64_t plmn)
{
	struct world *w = ctx;

	for (size_t i = 0; i < NETS; i++) {
		if (w->net[i].plmn == plmn)
			return &w->net[i];
	}
	return NULL;
}

static inline const struct network_row *world_realm(void *ctx, struct view realm)
{
	struct world *w = ctx;

	for (size_t i = 0; i < NETS; i++) {
		if (view_eq_case(realm, view_of(w->net[i].realm)))
			return &w->net[i];
	}
	return NULL;
}

static inline const struct network_row *world_number(void *ctx, uint64_t number)
{
	struct world *w = ctx;

	for (size_t i = 0; i < NETS; i++) {
		if (w->net[i].number[0] != 0 && bcd_begins(number, w->net[i].number[0]))
			return &w->net[i];
	}
	return NULL;
}

static inline const struct equip_row *world_equip(void *ctx, uint64_t imei, uint64_t now_s)
{
	struct world *w = ctx;

	for (size_t i = 0; i < w->equip_n; i++) {
		if (bcd_begins(imei, w->equip[i].imei) &&
		    (w->equip[i].until == 0 || now_s < w->equip[i].until))
			return &w->equip[i];
	}
	return NULL;
}

static inline const struct range_row *world_range(void *ctx, uint64_t imsi)
{
	struct world *w = ctx;

	return imsi >= w->range.from && imsi <= w->range.to ? &w->range : NULL;
}

static inline const struct rule_row *world_rules(void *ctx, size_t *n)
{
	struct world *w = ctx;

	*n = w->rule_n;
	return w->rule;
}

static inline uint64_t world_version(void *ctx)
{
	return ((struct world *)ctx)->version;
}

static inline struct network_row world_net(const char *plmn, const char *realm, enum trust trust)
{
	struct network_row n = { .plmn = id(plmn), .trust = (uint8_t)trust, .hide = 1, .steer_weight = 1000 };

	check(view_text(view_of(realm), n.realm, sizeof n.realm));
	return n;
}

static inline void world_rows(struct world *w)
{
	w->net[HOME_NET] = world_net("99970", HOME_REALM, TRUST_OWN);
	w->net[P1] = world_net("00101", P1_REALM, TRUST_TRUSTED);
	w->net[P1].lat_cdeg = 6017; /* Helsinki */
	w->net[P1].lon_cdeg = 2494;
	w->net[BLOCKED_NET] = world_net("00103", "epc.mnc003.mcc001.3gppnetwork.org", TRUST_BLOCKED);
	w->net[PARIS] = world_net("20801", "epc.mnc001.mcc208.3gppnetwork.org", TRUST_TRUSTED);
	w->net[PARIS].lat_cdeg = 4885;
	w->net[PARIS].lon_cdeg = 235;
	w->net[ANGELES] = world_net("310260", "epc.mnc260.mcc310.3gppnetwork.org", TRUST_TRUSTED);
	w->net[ANGELES].lat_cdeg = 3405;
	w->net[ANGELES].lon_cdeg = -11824;
	w->range = (struct range_row){ .from = id("999700000000000"), .to = id("999709999999999") };
	w->profile[0] = (struct profile_row){ .rats = RAT_WB_EUTRAN, .binding = BINDING_REFUSE };
	w->profile[0].apn[0] = (struct apn_row){ .name = "meters.iot" };
	w->profile[0].apn_n = 1;
	w->profile_n = 1;
	w->sub[0] = (struct sub_row){ .imsi = id("999700000000001"), .life = LIFE_ACTIVE,
				      .prio = PRIO_NORMAL };
	w->sub[1] = (struct sub_row){ .imsi = id("999700000000002"), .life = LIFE_ACTIVE,
				      .prio = PRIO_CRITICAL };
	w->sub_n = 2;
}

static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof *w);

	check(w != NULL);
	world_rows(w);
	w->book = (struct book){ w, world_sub, world_profile, world_network, world_realm, world_equip,
				 world_range, world_rules, world_version, NULL,
				 world_number, NULL, NULL, NULL, NULL };
	w->seen = sightings_new(1024, world_key);
	w->target = admission_new(&(struct admission_conf){ 0 }, world_key);
	w->judge = judge_new(&w->book, w->seen, &w->target, 1, world_key);
	check(w->seen && w->target && w->judge);
	judge_identity(w->judge, VIEW("edge." HOME_REALM), VIEW(HOME_REALM));
	return w;
}

static inline void world_free(struct world *w)
{
	judge_free(w->judge);
	admission_free(w->target);
	sightings_free(w->seen);
	free(w);
}

/* A clean request of partner P1's MME, or, in the visited direction, of its HSS. */
static inline struct facts world_facts(enum op op)
{
	bool visited = op == OP_CANCEL_LOCATION || op == OP_INSERT_DATA || op == OP_DELETE_DATA ||
		       op == OP_RESET;
	struct facts f = {
		.direction = visited ? DIR_TO_VISITED : DIR_TO_HOME,
		.op = (uint8_t)op,
		.app_agreed = true,
		.drmp = 255,
		.peer_host = VIEW(P1_MME),
		.peer_realm = VIEW(P1_REALM),
		.peer_plmn = id("00101"),
		.origin_host = VIEW(P1_MME),
		.origin_realm = VIEW(P1_REALM),
		.dest_realm = VIEW(HOME_REALM),
		.imsi = visited ? id("001010000000007") : id("999700000000001"),
		.now_ms = 1700000000000,
	};

	if (op == OP_AUTH_INFO || op == OP_UPDATE_LOCATION)
		f.visited_plmn = id("00101");
	if (op == OP_UPDATE_LOCATION) {
		f.rat = RAT_IS_WB_EUTRAN;
		f.imei = id("35316609000001");
	}
	if (op >= OP_SESSION_CREATE && op < OP_N) {
		f.protocol = PROTO_GTPC;
		f.apn = VIEW("meters.iot");
		f.pdn_type = 1;
		f.session_n = 1;
		f.visited_plmn = f.session_plmn = id("00101");
	}
	if (op == OP_RESET)
		f.imsi = 0;
	return f;
}

/* A success of the past, `ago_s` before, with another origin and network. */
static inline void world_saw(struct world *w, struct facts f, const char *plmn, const char *host,
			     uint64_t ago_s)
{
	f.now_ms -= ago_s * 1000;
	f.visited_plmn = id(plmn);
	f.origin_host = view_of(host);
	judge_done(w->judge, &f, 0, true, false, f.now_ms);
}

static inline void world_registers_roamer(struct world *w, uint64_t imsi)
{
	struct facts f = world_facts(OP_UPDATE_LOCATION);

	f.direction = DIR_OUT_TO_HOME;
	f.imsi = imsi;
	judge_done(w->judge, &f, 0, true, false, f.now_ms);
}

static inline struct rule_row *world_rule(struct world *w, enum check c, enum mode mode)
{
	struct rule_row *r = &w->rule[w->rule_n++];

	check(w->rule_n < sizeof w->rule / sizeof *w->rule);
	*r = (struct rule_row){ .id = (uint32_t)w->rule_n, .check = (uint16_t)c, .mode = (uint8_t)mode };
	w->version++;
	return r;
}

/* Every check off but one. */
static inline void world_alone(struct world *w, enum check alone, enum mode mode)
{
	w->rule_n = 0;
	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++)
		(void)world_rule(w, c, c == alone ? mode : MODE_OFF);
}
