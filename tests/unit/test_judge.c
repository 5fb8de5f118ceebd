/* Every check of check.tab: clean facts pass, spoiled ones are refused, in each of its modes and scopes
 * (R-5.6.1.g, R-5.6.1.h, R-5.6.1.k, R-5.6.b, R-5.1.b, R-5.7.3.a, R-5.7.3.b). */
#include "unit/judge_world.h"

struct spoil {
	enum check check;
	enum op op;
	void (*spoil)(struct world *w, struct facts *f);
};

static void no_record(struct world *w, struct facts *f)
{
	(void)w;
	f->peer_plmn = id("00199");
}

static void blocked(struct world *w, struct facts *f)
{
	w->net[P1].trust = TRUST_BLOCKED;
	(void)f;
}

static void claims_us(struct world *w, struct facts *f)
{
	(void)w;
	f->origin_realm = VIEW("EPC.mnc070.mcc999.3gppnetwork.ORG");
	f->origin_host = VIEW("mme." HOME_REALM);
}

static void other_realm(struct world *w, struct facts *f)
{
	(void)w;
	f->origin_realm = VIEW("epc.mnc001.mcc208.3gppnetwork.org");
	f->origin_host = VIEW("mme.epc.mnc001.mcc208.3gppnetwork.org");
}

static void other_host(struct world *w, struct facts *f)
{
	(void)w;
	f->origin_host = VIEW("mme.evil" P1_REALM);
}

static void route_names_us(struct world *w, struct facts *f)
{
	(void)w;
	f->route[0] = VIEW("home." HOME_REALM);
	f->route[1] = VIEW(P1_MME);
	f->route_n = 2;
}

static void other_visited(struct world *w, struct facts *f)
{
	(void)w;
	f->visited_plmn = id("20801");
}

static void to_home_itself(struct world *w, struct facts *f)
{
	(void)w;
	f->dest_host = VIEW("home." HOME_REALM);
}

static void transit(struct world *w, struct facts *f)
{
	(void)w;
	f->dest_realm = VIEW("epc.mnc001.mcc208.3gppnetwork.org");
}

static void eir_not_agreed(struct world *w, struct facts *f)
{
	w->net[P1].apps = APP_BIT_S6A;
	(void)f;
}

static void unknown_command(struct world *w, struct facts *f)
{
	(void)w;
	f->op = OP_OTHER;
}

static void of_paris(struct world *w, struct facts *f)
{
	f->imsi = id("208010000000007");
	world_registers_roamer(w, f->imsi);
}

static void of_ours(struct world *w, struct facts *f)
{
	(void)w;
	f->imsi = id("999700000000001");
}

static void not_here(struct world *w, struct facts *f)
{
	(void)w;
	f->imsi = id("001010000000008");
}

static void served_elsewhere(struct world *w, struct facts *f)
{
	world_saw(w, world_facts(OP_UPDATE_LOCATION), "20801", "mme.paris", 100000);
	(void)f;
}

static void was_in_angeles(struct world *w, struct facts *f)
{
	(void)f;
	world_saw(w, world_facts(OP_UPDATE_LOCATION), "310260", P1_MME, 3600);
}

static void vectors_elsewhere(struct world *w, struct facts *f)
{
	(void)f;
	world_saw(w, world_facts(OP_AUTH_INFO), "20801", P1_MME, 3600);
}

static void no_sub(struct world *w, struct facts *f)
{
	(void)w;
	f->imsi = id("999700000099999");
}

static void suspended(struct world *w, struct facts *f)
{
	w->sub[0].life = LIFE_SUSPENDED;
	(void)f;
}

static void grey(struct world *w, struct facts *f)
{
	w->sub[0].flags = SUB_GREY;
	w->sub[0].grey_until = (uint32_t)(f->now_ms / 1000) + 1;
}

static void only_france(struct world *w, struct facts *f)
{
	w->profile[0].country[0] = id("208");
	w->profile[0].country_n = 1;
	(void)f;
}

static void only_nb_iot(struct world *w, struct facts *f)
{
	w->profile[0].rats = RAT_NB_IOT;
	(void)f;
}

static void bound_elsewhere(struct world *w, struct facts *f)
{
	w->sub[0].imei = id("35316610");
	(void)f;
}

static void stolen(struct world *w, struct facts *f)
{
	w->equip[0] = (struct equip_row){ .imei = id("35316609000001"), .colour = BLACK };
	w->equip_n = 1;
	(void)f;
}

static void unknown_again(struct world *w, struct facts *f)
{
	no_sub(w, f);
	w->net[P1].unknown_rate = 1;
	(void)judge_request(w->judge, f);
}

static void beyond_rate(struct world *w, struct facts *f)
{
	w->net[P1].rate = 1;
	(void)judge_request(w->judge, f);
}

static void target_full(struct world *w, struct facts *f)
{
	for (int i = 0; i < 2000; i++)
		admission_begin(w->target, f->op, f->now_ms);
}

static void avoided(struct world *w, struct facts *f)
{
	w->net[P1].steer_weight = 0;
	w->net[P1].steer_attempts = 2;
	(void)f;
}

static void form_code(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_CODE;
}

static void form_context(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_CONTEXT;
}

static void form_version(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_VERSION;
}

static void form_several(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_SEVERAL;
}

static void form_late(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_LATE;
}

static void form_layers(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_LAYERS;
}

static void form_split(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_SPLIT;
}

static void form_lengths(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_LENGTHS;
}

static void form_names(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_NAMES;
}

/* A node's number that is another network's. */
static void node_of_paris(struct world *w, struct facts *f)
{
	w->net[PARIS].number[0] = id("336");
	f->node[0] = id("33612345");
	f->node_n = 1;
}

static void sms_from_elsewhere(struct world *w, struct facts *f)
{
	world_saw(w, world_facts(OP_UPDATE_LOCATION), "20801", "mme.paris", 100000);
	f->op = OP_SMS_MO;
	f->visited_plmn = f->peer_plmn;
}

static void form_unasked(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_UNASKED;
}

static void form_tunnel(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_TUNNEL;
}

static void form_reused(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_REUSED;
}

static void form_sequence(struct world *w, struct facts *f)
{
	(void)w;
	f->form = FORM_SEQUENCE;
}

static void session_of_paris(struct world *w, struct facts *f)
{
	f->session_plmn = w->net[PARIS].plmn;
}

static void other_msisdn(struct world *w, struct facts *f)
{
	w->sub[0].msisdn = id("99970123");
	f->msisdn = id("99970124");
}

static void other_apn(struct world *w, struct facts *f)
{
	(void)w;
	f->apn = VIEW("internet");
}

static void other_pdn_type(struct world *w, struct facts *f)
{
	(void)w;
	f->pdn_type = 2;
}

static void too_many_sessions(struct world *w, struct facts *f)
{
	(void)w;
	f->session_n = 3;
}

static void path_flood(struct world *w, struct facts *f)
{
	while (judge_request(w->judge, f).act == ACT_PASS && w->sub_looks++ < 200)
		;
}

static const struct spoil spoils[] = {
	{ CHECK_PEER_UNKNOWN,     OP_AUTH_INFO,       no_record },
	{ CHECK_PEER_BLOCKED,     OP_AUTH_INFO,       blocked },
	{ CHECK_ORIGIN_OURS,      OP_AUTH_INFO,       claims_us },
	{ CHECK_ORIGIN_OURS,      OP_CANCEL_LOCATION, claims_us },
	{ CHECK_ORIGIN_REALM,     OP_AUTH_INFO,       other_realm },
	{ CHECK_ORIGIN_HOST,      OP_AUTH_INFO,       other_host },
	{ CHECK_ROUTE_RECORD,     OP_AUTH_INFO,       route_names_us },
	{ CHECK_VISITED_PLMN,     OP_AUTH_INFO,       other_visited },
	{ CHECK_DEST_INTERNAL,    OP_AUTH_INFO,       to_home_itself },
	{ CHECK_DEST_REALM,       OP_AUTH_INFO,       transit },
	{ CHECK_CAT1_APPLICATION, OP_CHECK_EQUIPMENT, eir_not_agreed },
	{ CHECK_CAT1_COMMAND,     OP_AUTH_INFO,       unknown_command },
	{ CHECK_CAT2_HOME,        OP_CANCEL_LOCATION, of_paris },
	{ CHECK_CAT2_OWN_SUB,     OP_INSERT_DATA,     of_ours },
	{ CHECK_CAT2_ROAMER,      OP_DELETE_DATA,     not_here },
	{ CHECK_CAT3_FOREIGN,     OP_AUTH_INFO,       not_here },
	{ CHECK_PREV_HOST,        OP_PURGE,           served_elsewhere },
	{ CHECK_PREV_HOST,        OP_NOTIFY,          served_elsewhere },
	{ CHECK_VELOCITY,         OP_UPDATE_LOCATION, was_in_angeles },
	{ CHECK_VELOCITY,         OP_AUTH_INFO,       was_in_angeles },
	{ CHECK_ULR_WITHOUT_AIR,  OP_UPDATE_LOCATION, vectors_elsewhere },
	{ CHECK_UNKNOWN_SUB,      OP_AUTH_INFO,       no_sub },
	{ CHECK_NOT_ACTIVE,       OP_AUTH_INFO,       suspended },
	{ CHECK_GREYLISTED,       OP_UPDATE_LOCATION, grey },
	{ CHECK_PLMN,             OP_AUTH_INFO,       only_france },
	{ CHECK_RAT,              OP_UPDATE_LOCATION, only_nb_iot },
	{ CHECK_BINDING,          OP_UPDATE_LOCATION, bound_elsewhere },
	{ CHECK_EQUIPMENT,        OP_UPDATE_LOCATION, stolen },
	{ CHECK_UNKNOWN_RATE,     OP_AUTH_INFO,       unknown_again },
	{ CHECK_PARTNER_RATE,     OP_AUTH_INFO,       beyond_rate },
	{ CHECK_ADMISSION,        OP_AUTH_INFO,       target_full },
	{ CHECK_STEERING,         OP_UPDATE_LOCATION, avoided },
	{ CHECK_NODE_ADDRESS,     OP_AUTH_INFO,       node_of_paris },
	{ CHECK_PREV_NETWORK,     OP_NOTIFY,          sms_from_elsewhere },
	{ CHECK_FORM_CODE, OP_AUTH_INFO, form_code },
	{ CHECK_FORM_CONTEXT, OP_AUTH_INFO, form_context },
	{ CHECK_FORM_VERSION, OP_AUTH_INFO, form_version },
	{ CHECK_FORM_SEVERAL, OP_AUTH_INFO, form_several },
	{ CHECK_FORM_LATE, OP_AUTH_INFO, form_late },
	{ CHECK_FORM_LAYERS, OP_AUTH_INFO, form_layers },
	{ CHECK_FORM_SPLIT, OP_AUTH_INFO, form_split },
	{ CHECK_FORM_LENGTHS, OP_AUTH_INFO, form_lengths },
	{ CHECK_FORM_NAMES, OP_AUTH_INFO, form_names },
	{ CHECK_FORM_UNASKED, OP_AUTH_INFO, form_unasked },
	{ CHECK_FORM_TUNNEL, OP_AUTH_INFO, form_tunnel },
	{ CHECK_FORM_REUSED, OP_AUTH_INFO, form_reused },
	{ CHECK_FORM_SEQUENCE, OP_AUTH_INFO, form_sequence },
	{ CHECK_SESSION_NETWORK,  OP_SESSION_CHANGE,  session_of_paris },
	{ CHECK_SESSION_NETWORK,  OP_SESSION_END,     session_of_paris },
	{ CHECK_MSISDN,           OP_SESSION_CREATE,  other_msisdn },
	{ CHECK_APN,              OP_SESSION_CREATE,  other_apn },
	{ CHECK_PDN_TYPE,         OP_SESSION_CREATE,  other_pdn_type },
	{ CHECK_SESSIONS,         OP_SESSION_CREATE,  too_many_sessions },
	{ CHECK_PATH_RATE,        OP_PATH,            path_flood },
};
#define SPOILS (sizeof spoils / sizeof *spoils)

/* A world in which the spoiled facts are judged, after `set` has laid its rules. */
static struct verdict judged(const struct spoil *s, void (*set)(struct world *, const struct facts *,
								enum check), bool spoil)
{
	struct world *w = world_new();
	struct facts f = world_facts(s->op);
	struct verdict v;

	w->net[P1].apps = APP_BIT_S6A | APP_BIT_S13 | APP_BIT_GTP;
	if (f.direction == DIR_TO_VISITED && f.imsi)
		world_registers_roamer(w, f.imsi);
	if (set)
		set(w, &f, s->check);
	if (spoil)
		s->spoil(w, &f);
	v = judge_request(w->judge, &f);
	world_free(w);
	return v;
}

static void enforced_alone(struct world *w, const struct facts *f, enum check c)
{
	(void)f;
	world_alone(w, c, MODE_ENFORCE);
}

static void observed_alone(struct world *w, const struct facts *f, enum check c)
{
	(void)f;
	world_alone(w, c, MODE_OBSERVE);
}

static void all_off(struct world *w, const struct facts *f, enum check c)
{
	(void)f;
	(void)c;
	world_alone(w, CHECK_NONE, MODE_OFF);
}

static void check_refused(const struct spoil *s, struct verdict v)
{
	check_eq(v.check, s->check);
	check_eq(v.act, s->check == CHECK_UNKNOWN_RATE || s->check == CHECK_PATH_RATE ||
			s->check == CHECK_FORM_SEQUENCE ? ACT_DROP : ACT_REJECT);
	if (check_rows[s->check].stage == STAGE_LOAD && s->op == OP_AUTH_INFO)
		check_eq(v.cause, CAUSE_AUTH_UNAVAILABLE);
	else
		check_eq(v.cause, check_rows[s->check].cause);
}

static void check_passed(struct verdict v, uint64_t observed)
{
	check_eq(v.check, CHECK_NONE);
	check_eq(v.act, ACT_PASS);
	check_eq(v.observed, observed);
}

TEST(every_check_has_facts_that_it_refuses)
{
	bool has[CHECK_N] = { true };

	for (size_t i = 0; i < SPOILS; i++)
		has[spoils[i].check] = true;
	for (size_t c = 0; c < CHECK_N; c++)
		check(has[c]);
}

TEST(clean_facts_pass_the_shipped_rules)
{
	for (size_t i = 0; i < SPOILS; i++)
		check_passed(judged(&spoils[i], NULL, false), 0);
}

TEST(spoiled_facts_are_refused_by_the_shipped_rules_with_the_cause_of_the_row)
{
	for (size_t i = 0; i < SPOILS; i++) {
		struct verdict v = judged(&spoils[i], NULL, true);

		printf("  %s\n", check_rows[spoils[i].check].name);
		if (check_rows[spoils[i].check].mode == MODE_OBSERVE)
			check_passed(v, UINT64_C(1) << spoils[i].check);
		else
			check_refused(&spoils[i], v);
	}
}

TEST(a_check_alone_refuses_observes_or_is_off)
{
	for (size_t i = 0; i < SPOILS; i++) {
		check_refused(&spoils[i], judged(&spoils[i], enforced_alone, true));
		check_passed(judged(&spoils[i], observed_alone, true), UINT64_C(1) << spoils[i].check);
		check_passed(judged(&spoils[i], all_off, true), 0);
		check_passed(judged(&spoils[i], enforced_alone, false), 0);
	}
}

static void exempt_host(struct world *w, const struct facts *f, enum check c)
{
	(void)f;
	world_alone(w, c, MODE_ENFORCE);
	check(view_text(VIEW(P1_REALM), world_rule(w, c, MODE_OFF)->host, HOST_MAX_BYTES));
}

static void exempt_other_host(struct world *w, const struct facts *f, enum check c)
{
	(void)f;
	world_alone(w, c, MODE_ENFORCE);
	check(view_text(VIEW("x." P1_REALM), world_rule(w, c, MODE_OFF)->host, HOST_MAX_BYTES));
}

static void exempt_all_networks(struct world *w, const struct facts *f, enum check c)
{
	(void)f;
	world_alone(w, c, MODE_ENFORCE);
	world_rule(w, c, MODE_OFF)->plmn = id("00101");
	world_rule(w, c, MODE_OFF)->plmn = id("00199");
}

static void exempt_other_network(struct world *w, const struct facts *f, enum check c)
{
	(void)f;
	world_alone(w, c, MODE_ENFORCE);
	world_rule(w, c, MODE_OFF)->plmn = id("20801");
}

static void exempt_every_imsi(struct world *w, const struct facts *f, enum check c)
{
	struct rule_row *r;

	(void)f;
	world_alone(w, c, MODE_ENFORCE);
	r = world_rule(w, c, MODE_OFF);
	r->imsi_from = id("001010000000000");
	r->imsi_to = id("999709999999999");
}

static void exempt_other_imsi(struct world *w, const struct facts *f, enum check c)
{
	struct rule_row *r;

	(void)f;
	world_alone(w, c, MODE_ENFORCE);
	r = world_rule(w, c, MODE_OFF);
	r->imsi_from = id("999700000100000");
	r->imsi_to = id("999700000199999");
}

TEST(exceptions_hold_for_their_host_network_or_imsi_range_and_no_other)
{
	for (size_t i = 0; i < SPOILS; i++) {
		const struct spoil *s = &spoils[i];

		check_passed(judged(s, exempt_host, true), 0);
		check_refused(s, judged(s, exempt_other_host, true));
		check_passed(judged(s, exempt_all_networks, true), 0);
		check_refused(s, judged(s, exempt_other_network, true));
		if (s->op != OP_CHECK_EQUIPMENT || world_facts(s->op).imsi)
			check_passed(judged(s, exempt_every_imsi, true), 0);
		check_refused(s, judged(s, exempt_other_imsi, true));
	}
}

TEST(the_most_specific_rule_wins)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_AUTH_INFO);
	struct rule_row *r;

	suspended(w, &f);
	world_alone(w, CHECK_NOT_ACTIVE, MODE_OFF);
	r = world_rule(w, CHECK_NOT_ACTIVE, MODE_ENFORCE);
	r->imsi_from = id("999700000000000");
	r->imsi_to = id("999700000000009");
	check_eq(judge_request(w->judge, &f).check, CHECK_NOT_ACTIVE);
	r = world_rule(w, CHECK_NOT_ACTIVE, MODE_ENFORCE);
	r->imsi_from = id("999700000000000");
	r->imsi_to = id("999709999999999");
	world_rule(w, CHECK_NOT_ACTIVE, MODE_OBSERVE)->plmn = id("00101");
	check_passed(judge_request(w->judge, &f), 1u << CHECK_NOT_ACTIVE);
	check(view_text(VIEW(P1_REALM), world_rule(w, CHECK_NOT_ACTIVE, MODE_OFF)->host, HOST_MAX_BYTES));
	check_passed(judge_request(w->judge, &f), 0);
	world_rule(w, CHECK_NOT_ACTIVE, MODE_OBSERVE)->plmn = id("00101"); /* a host is closer */
	check_passed(judge_request(w->judge, &f), 0);
	check(view_text(VIEW(P1_MME), world_rule(w, CHECK_NOT_ACTIVE, MODE_ENFORCE)->host, HOST_MAX_BYTES));
	check_eq(judge_request(w->judge, &f).check, CHECK_NOT_ACTIVE);
	world_free(w);
}

TEST(of_two_rules_for_the_same_the_newer_wins)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_AUTH_INFO);

	suspended(w, &f);
	for (int i = 0; i < 20; i++) {
		world_rule(w, CHECK_NOT_ACTIVE, i % 2 ? MODE_ENFORCE : MODE_OFF)->plmn = id("00101");
		check_eq(judge_request(w->judge, &f).check, i % 2 ? CHECK_NOT_ACTIVE : CHECK_NONE);
	}
	world_free(w);
}

/* The host of an exception is a claim in Origin-Host: from another network it earns nothing. */
TEST(a_borrowed_host_name_borrows_no_exception)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_AUTH_INFO);

	world_alone(w, CHECK_VISITED_PLMN, MODE_ENFORCE);
	check(view_text(VIEW(P1_MME), world_rule(w, CHECK_VISITED_PLMN, MODE_OFF)->host, HOST_MAX_BYTES));
	check_passed(judge_request(w->judge, &f), 0);
	f.peer_plmn = id("20801");
	f.peer_host = VIEW("dra.epc.mnc001.mcc208.3gppnetwork.org");
	f.peer_realm = VIEW("epc.mnc001.mcc208.3gppnetwork.org");
	check_eq(judge_request(w->judge, &f).check, CHECK_VISITED_PLMN);
	world_free(w);
}

TEST(a_spoofed_flood_pays_for_no_subscriber_look_up)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_AUTH_INFO);

	other_realm(w, &f);
	check_eq(judge_request(w->judge, &f).check, CHECK_ORIGIN_REALM);
	f = world_facts(OP_AUTH_INFO);
	other_visited(w, &f);
	check_eq(judge_request(w->judge, &f).check, CHECK_VISITED_PLMN);
	f = world_facts(OP_AUTH_INFO);
	f.imsi = id("208010000000001");
	check_eq(judge_request(w->judge, &f).check, CHECK_CAT3_FOREIGN);
	check_eq(w->sub_looks, 0);
	world_free(w);
}

TEST(checks_have_their_names)
{
	check_eq(check_find(VIEW("plausibility.velocity")), CHECK_VELOCITY);
	check_eq(check_find(VIEW("plausibility")), CHECK_NONE);
	check_eq(check_find(VIEW("")), CHECK_NONE);
}

TESTS(T(every_check_has_facts_that_it_refuses), T(clean_facts_pass_the_shipped_rules),
      T(spoiled_facts_are_refused_by_the_shipped_rules_with_the_cause_of_the_row),
      T(a_check_alone_refuses_observes_or_is_off),
      T(exceptions_hold_for_their_host_network_or_imsi_range_and_no_other),
      T(the_most_specific_rule_wins),
      T(of_two_rules_for_the_same_the_newer_wins), T(a_borrowed_host_name_borrows_no_exception),
      T(a_spoofed_flood_pays_for_no_subscriber_look_up), T(checks_have_their_names))
