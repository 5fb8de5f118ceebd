/* The finer points of the checks, both directions, and a hundred thousand clean transactions. */
#include "unit/judge_world.h"

static enum check asked(struct world *w, const struct facts *f)
{
	return (enum check)judge_request(w->judge, f).check;
}

static uint64_t imsi_of(uint32_t n)
{
	char digits[BCD_TEXT];

	snprintf(digits, sizeof digits, "99970%010u", n);
	return id(digits);
}

TEST(a_route_may_hold_the_peers_hops_and_unknown_agents_but_no_other_network)
{
	static const struct {
		struct view hop[2];
		enum check want;
	} cases[] = {
		{ { VIEW_INIT(P1_MME), VIEW_INIT("dra." P1_REALM) }, CHECK_NONE },
		{ { VIEW_INIT("dea.ipx.example"), VIEW_INIT("dra." P1_REALM) }, CHECK_NONE },
		{ { VIEW_INIT("dra." P1_REALM), VIEW_INIT("dea.ipx.example") }, CHECK_ROUTE_RECORD },
		{ { VIEW_INIT("mme.epc.mnc001.mcc208.3gppnetwork.org"), VIEW_INIT("dra." P1_REALM) },
		  CHECK_ROUTE_RECORD },
		{ { VIEW_INIT("edge." HOME_REALM), VIEW_INIT("dra." P1_REALM) }, CHECK_ROUTE_RECORD },
	};
	struct world *w = world_new();

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct facts f = world_facts(OP_AUTH_INFO);

		f.route[0] = cases[i].hop[0];
		f.route[1] = cases[i].hop[1];
		f.route_n = 2;
		check_eq(asked(w, &f), cases[i].want);
	}
	world_free(w);
}

TEST(our_own_mme_may_use_our_realm_and_all_that_we_speak)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_CHECK_EQUIPMENT);

	f.peer_plmn = id("99970");
	f.peer_host = f.origin_host = VIEW("mme." HOME_REALM);
	f.peer_realm = f.origin_realm = VIEW(HOME_REALM);
	f.dest_host = VIEW("home." HOME_REALM);
	f.imsi = id("208010000000001");
	check_eq(asked(w, &f), CHECK_NONE);
	w->profile[0].country[0] = id("208");
	w->profile[0].country_n = 1;
	f.op = OP_AUTH_INFO;
	f.imsi = id("999700000000001");
	f.visited_plmn = id("99970");
	check_eq(asked(w, &f), CHECK_NONE);
	world_free(w);
}

TEST(the_edge_may_be_named_as_destination)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_AUTH_INFO);

	f.dest_host = VIEW("Edge." HOME_REALM);
	check_eq(asked(w, &f), CHECK_NONE);
	f.dest_host = VIEW("x.edge." HOME_REALM);
	check_eq(asked(w, &f), CHECK_DEST_INTERNAL);
	f.dest_host = (struct view){ 0 };
	f.dest_realm = VIEW("ims.mnc070.mcc999.3gppnetwork.org");
	check_eq(asked(w, &f), CHECK_DEST_REALM);
	world_free(w);
}

/* .k: a home network may speak of its roamers here, and of nobody else. */
TEST(a_home_network_reaches_its_registered_roamers_until_they_leave)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_INSERT_DATA), clr = world_facts(OP_CANCEL_LOCATION);

	check_eq(asked(w, &f), CHECK_CAT2_ROAMER);
	world_registers_roamer(w, f.imsi);
	check_eq(asked(w, &f), CHECK_NONE);
	check_eq(asked(w, &clr), CHECK_NONE);
	judge_done(w->judge, &clr, 0, false, false, clr.now_ms);
	check_eq(asked(w, &f), CHECK_NONE);
	judge_done(w->judge, &clr, 0, true, false, clr.now_ms);
	check_eq(asked(w, &f), CHECK_CAT2_ROAMER);
	f.imsi = 0;
	check_eq(asked(w, &f), CHECK_CAT2_HOME);
	world_free(w);
}

TEST(a_reset_passes_and_a_storm_of_resets_does_not)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_RESET);
	unsigned int passed = 0;

	for (int i = 0; i < 100; i++)
		passed += asked(w, &f) == CHECK_NONE;
	check(passed >= 1 && passed <= 10);
	f.now_ms += 60000;
	check_eq(asked(w, &f), CHECK_NONE);
	world_free(w);
}

TEST(a_mobile_network_code_has_two_or_three_digits)
{
	struct world *w = world_new();

	check(book_home(&w->book, id("310260123456789")) == &w->net[ANGELES]);
	check(book_home(&w->book, id("001010000000001")) == &w->net[P1]);
	check(book_home(&w->book, id("901280000000001")) == NULL);
	check(book_home(&w->book, id("0010")) == NULL);
	check(book_home(&w->book, 0) == NULL);
	world_free(w);
}

TEST(requests_of_ours_pass_with_their_class)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_CANCEL_LOCATION);
	struct verdict v;

	f.direction = DIR_OUT_TO_VISITED;
	f.imsi = id("999700000000002");
	f.peer_plmn = 0;
	v = judge_request(w->judge, &f);
	check_eq(v.act, ACT_PASS);
	check_eq(v.prio, PRIO_CRITICAL);
	f.direction = DIR_OUT_TO_HOME;
	f.imsi = id("208010000000002");
	check_eq(judge_request(w->judge, &f).prio, PRIO_NORMAL);
	world_free(w);
}

TEST(unknown_is_not_bad)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_PURGE);

	check_eq(asked(w, &f), CHECK_NONE);
	f = world_facts(OP_UPDATE_LOCATION);
	check_eq(judge_request(w->judge, &f).observed, 0);
	world_free(w);
}

TEST(an_mme_and_an_sgsn_may_serve_at_once)
{
	struct world *w = world_new();
	struct facts ulr = world_facts(OP_UPDATE_LOCATION), f = world_facts(OP_PURGE);

	world_saw(w, ulr, "00101", P1_MME, 10);
	ulr.rat = RAT_IS_GERAN;
	world_saw(w, ulr, "00101", "sgsn." P1_REALM, 5);
	check_eq(asked(w, &f), CHECK_NONE);
	f.origin_host = VIEW("SGSN." P1_REALM);
	check_eq(asked(w, &f), CHECK_NONE);
	f.origin_host = VIEW("mme2." P1_REALM);
	check_eq(asked(w, &f), CHECK_PREV_HOST);
	world_free(w);
}

TEST(only_a_success_is_learned)
{
	struct world *w = world_new();
	struct facts ulr = world_facts(OP_UPDATE_LOCATION);
	struct sighting s;

	judge_done(w->judge, &ulr, 0, false, false, ulr.now_ms);
	check(!sightings_find(w->seen, ulr.imsi, &s));
	judge_done(w->judge, &ulr, 0, true, false, ulr.now_ms);
	check(sightings_find(w->seen, ulr.imsi, &s));
	check_eq(s.imei, ulr.imei);
	world_free(w);
}

TEST(a_move_is_judged_by_its_speed)
{
	static const struct {
		const char *plmn;
		uint64_t ago_s;
		enum check want;
	} cases[] = {
		{ "20801", 3600, CHECK_VELOCITY },      /* Paris to Helsinki: 1900 km */
		{ "20801", 2 * 3600, CHECK_NONE },
		{ "310260", 2 * 3600, CHECK_VELOCITY }, /* Los Angeles: 9000 km */
		{ "310260", 9 * 3600, CHECK_NONE },
		{ "00103", 1, CHECK_NONE },             /* the same country */
		{ "24801", 1, CHECK_NONE },             /* across the bay, within a second of each other */
		{ "99970", 1, CHECK_NONE },             /* a network without a place */
		{ "23415", 1, CHECK_NONE },             /* without a record */
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new();
		struct facts f = world_facts(OP_UPDATE_LOCATION);

		w->net[BLOCKED_NET].lat_cdeg = 6701; /* Oulu: 540 km */
		w->net[BLOCKED_NET].lon_cdeg = 2547;
		w->net[ANGELES].plmn = id(cases[i].plmn[0] == '2' ? "24801" : "310260");
		if (cases[i].plmn[1] == '4') {       /* Tallinn: 82 km */
			w->net[ANGELES].lat_cdeg = 5944;
			w->net[ANGELES].lon_cdeg = 2475;
		}
		world_saw(w, f, cases[i].plmn, P1_MME, cases[i].ago_s);
		check_eq(asked(w, &f), cases[i].want);
		world_free(w);
	}
}

/* .c, R-5.1.g: suspicion does not cut off a critical service; it tells. */
TEST(a_critical_subscription_is_alerted_not_refused_by_suspicion)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_UPDATE_LOCATION);
	struct verdict v;

	f.imsi = id("999700000000002");
	w->sub[1].flags = SUB_GREY;
	w->sub[1].imei = id("35316699");
	w->equip[0] = (struct equip_row){ .imei = id("35316609"), .colour = BLACK };
	w->equip_n = 1;
	v = judge_request(w->judge, &f);
	check_eq(v.act, ACT_PASS);
	check_eq(v.prio, PRIO_CRITICAL);
	check_eq(v.observed, 1u << CHECK_GREYLISTED | 1u << CHECK_BINDING | 1u << CHECK_EQUIPMENT);
	check(v.critical);
	w->sub[1].life = LIFE_SUSPENDED; /* that needs a second person's approval, and holds */
	v = judge_request(w->judge, &f);
	check_eq(v.check, CHECK_NOT_ACTIVE);
	check(v.critical);
	world_free(w);
}

TEST(a_device_is_bound_by_its_number_or_its_type)
{
	static const struct {
		const char *bound;
		enum binding binding;
		enum check want;
		bool observed;
	} cases[] = {
		{ "35316609000001", BINDING_REFUSE, CHECK_NONE, false },
		{ "35316609", BINDING_REFUSE, CHECK_NONE, false },
		{ "35316609000002", BINDING_REFUSE, CHECK_BINDING, false },
		{ "35316609000002", BINDING_GREYLIST, CHECK_NONE, true }, /* home greylists it */
		{ "35316609000002", BINDING_DETACH, CHECK_NONE, true },
		{ "35316609000002", BINDING_QUARANTINE, CHECK_BINDING, false }, /* and has no APN for it */
		{ "35316608", BINDING_ALERT, CHECK_NONE, true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new();
		struct facts f = world_facts(OP_UPDATE_LOCATION);
		struct verdict v;

		w->sub[0].imei = id(cases[i].bound);
		w->profile[0].binding = (uint8_t)cases[i].binding;
		v = judge_request(w->judge, &f);
		check_eq(v.check, cases[i].want);
		check_eq(v.observed, cases[i].observed ? 1u << CHECK_BINDING : 0);
		f.imei = 0;
		check_eq(asked(w, &f), CHECK_NONE);
		world_free(w);
	}
}

TEST(lists_run_out)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_UPDATE_LOCATION);

	w->equip[0] = (struct equip_row){ .imei = f.imei, .colour = BLACK,
					  .until = (uint32_t)(f.now_ms / 1000) + 10 };
	w->equip_n = 1;
	w->sub[0].flags = SUB_GREY;
	w->sub[0].grey_until = (uint32_t)(f.now_ms / 1000) + 5;
	check_eq(asked(w, &f), CHECK_GREYLISTED);
	f.now_ms += 5000;
	check_eq(asked(w, &f), CHECK_EQUIPMENT);
	f.now_ms += 5000;
	check_eq(asked(w, &f), CHECK_NONE);
	world_free(w);
}

TEST(a_suspended_subscription_can_still_be_purged)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_PURGE);

	w->sub[0].life = LIFE_SUSPENDED;
	check_eq(asked(w, &f), CHECK_NONE);
	world_free(w);
}

/* .c: the partner is answered at its rate, and beyond it met with silence. */
TEST(unknown_subscribers_are_answered_at_a_rate)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_AUTH_INFO);
	unsigned int answered = 0, dropped = 0;

	w->net[P1].unknown_rate = 20;
	for (uint64_t i = 0; i < 10000; i++) { /* ten seconds */
		struct verdict v;

		f.imsi = imsi_of((uint32_t)i + 1000);
		v = judge_request(w->judge, &f);
		answered += v.act == ACT_REJECT && v.check == CHECK_UNKNOWN_SUB;
		dropped += v.act == ACT_DROP && v.check == CHECK_UNKNOWN_RATE;
		f.now_ms++;
	}
	check_eq(answered + dropped, 10000);
	check(answered >= 200 && answered <= 230);
	f.imsi = id("999700000000001");
	check_eq(asked(w, &f), CHECK_NONE);
	world_free(w);
}

TEST(the_partners_rate_holds_back_low_classes_first_and_critical_never)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_AUTH_INFO);
	unsigned int passed[PRIO_N] = { 0 };

	w->net[P1].trust = TRUST_THROTTLED;
	w->net[P1].rate = 100;
	for (enum prio p = PRIO_CRITICAL; p < PRIO_N; p++) {
		w->sub[p].imsi = imsi_of(p);
		w->sub[p].life = LIFE_ACTIVE;
		w->sub[p].prio = (uint8_t)p;
	}
	w->sub_n = PRIO_N;
	for (unsigned int i = 0; i < 4000; i++) { /* 10 s at four times the rate */
		f.imsi = w->sub[i % PRIO_N].imsi;
		f.now_ms = 1700000000000 + i * 5 / 2;
		if (asked(w, &f) != CHECK_NONE)
			continue;
		passed[i % PRIO_N]++;
		judge_done(w->judge, &f, 0, true, false, f.now_ms);
	}
	check_eq(passed[PRIO_CRITICAL], 1000);
	check(passed[PRIO_HIGH] + passed[PRIO_NORMAL] + passed[PRIO_LOW] <= 210);
	f.imsi = w->sub[PRIO_CRITICAL].imsi;
	for (int i = 0; i < 1000; i++) { /* all at once */
		check_eq(asked(w, &f), CHECK_NONE);
		judge_done(w->judge, &f, 0, true, false, f.now_ms);
	}
	check(passed[PRIO_HIGH] >= passed[PRIO_NORMAL] && passed[PRIO_NORMAL] >= passed[PRIO_LOW]);
	world_free(w);
}

/* .a, R-5.6.c: rejects are capped, for one network and for a device that zigzags. */
TEST(steering_is_capped_and_spares_the_critical_and_the_registered)
{
	struct world *w = world_new();
	struct facts f = world_facts(OP_UPDATE_LOCATION);

	w->net[P1].steer_weight = 0;
	w->net[P1].steer_attempts = 3;
	for (int i = 0; i < 3; i++)
		check_eq(asked(w, &f), CHECK_STEERING);
	check_eq(asked(w, &f), CHECK_NONE);
	f.now_ms += 25 * 3600 * 1000ull;
	check_eq(asked(w, &f), CHECK_STEERING);
	judge_done(w->judge, &f, 0, true, false, f.now_ms);
	check_eq(asked(w, &f), CHECK_NONE);
	f.imsi = id("999700000000002");
	check_eq(asked(w, &f), CHECK_NONE);
	world_free(w);
}

TEST(zigzag_between_steered_networks_ends)
{
	struct world *w = world_new();
	unsigned int refused = 0;

	w->net[P1].steer_weight = w->net[PARIS].steer_weight = w->net[ANGELES].steer_weight = 0;
	w->net[P1].steer_attempts = w->net[PARIS].steer_attempts = w->net[ANGELES].steer_attempts = 5;
	world_alone(w, CHECK_STEERING, MODE_ENFORCE);
	for (int i = 0; i < 60; i++) {
		struct facts f = world_facts(OP_UPDATE_LOCATION);

		f.peer_plmn = f.visited_plmn = w->net[P1 + (i % 3 == 0 ? 0 : 1 + i % 3)].plmn;
		refused += asked(w, &f) == CHECK_STEERING;
	}
	check(refused > 0 && refused <= 8);
	world_free(w);
}

TEST(a_weight_steers_its_share)
{
	struct world *w = world_new();
	unsigned int refused = 0;

	w->net[P1].steer_weight = 700;
	w->net[P1].steer_attempts = 1;
	world_alone(w, CHECK_STEERING, MODE_ENFORCE);
	for (unsigned int i = 0; i < 10000; i++) {
		struct facts f = world_facts(OP_UPDATE_LOCATION);

		f.imsi = imsi_of(i + 100);
		refused += asked(w, &f) == CHECK_STEERING;
	}
	check(refused > 2800 && refused < 3200);
	world_free(w);
}

static uint64_t dice = 88172645463325252u;

static uint32_t roll(uint32_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (uint32_t)(dice >> 33) % n;
}

/* A subscriber's next step: it attaches, moves at a train's speed, updates, leaves. */
static void step(struct world *w, size_t i, uint64_t now_ms, bool *attached)
{
	static const enum op idle[] = { OP_AUTH_INFO }, on[] = { OP_NOTIFY, OP_AUTH_INFO, OP_PURGE };
	struct facts f;
	enum op op = *attached ? on[roll(3)] : idle[0];
	struct verdict v;

	f = world_facts(op);
	f.imsi = w->sub[i].imsi;
	f.now_ms = now_ms;
	v = judge_request(w->judge, &f);
	check_eq(v.act, ACT_PASS);
	check_eq(v.observed, 0);
	judge_done(w->judge, &f, 0, true, false, now_ms + 2);
	*attached = op == OP_PURGE ? false : *attached;
	if (op != OP_AUTH_INFO)
		return;
	f = world_facts(OP_UPDATE_LOCATION);
	f.imsi = w->sub[i].imsi;
	f.now_ms = now_ms + 5;
	v = judge_request(w->judge, &f);
	check_eq(v.act, ACT_PASS);
	check_eq(v.observed, 0);
	judge_done(w->judge, &f, 0, true, false, now_ms + 8);
	*attached = true;
}

static void visit(struct world *w, uint64_t imsi, uint64_t now_ms)
{
	static const enum op ops[] = { OP_INSERT_DATA, OP_DELETE_DATA, OP_CANCEL_LOCATION };
	struct facts f = world_facts(ops[roll(3)]);

	world_registers_roamer(w, imsi);
	f.imsi = imsi;
	f.now_ms = now_ms;
	check_eq(judge_request(w->judge, &f).act, ACT_PASS);
	judge_done(w->judge, &f, 0, true, false, now_ms);
}

/* .g: no false refusal in 100,000 clean transactions, both directions. */
TEST(a_hundred_thousand_clean_transactions_pass)
{
	struct world *w = world_new();
	bool attached[ROWS] = { false };
	char digits[BCD_TEXT];

	for (w->sub_n = 0; w->sub_n < ROWS; w->sub_n++) {
		w->sub[w->sub_n] = (struct sub_row){ .imsi = imsi_of((uint32_t)w->sub_n), .life = LIFE_ACTIVE,
						     .prio = (uint8_t)(w->sub_n % PRIO_N) };
	}
	for (uint64_t i = 0; i < 100000; i++) {
		size_t who = roll(ROWS);
		uint64_t now = 1700000000000 + i * 20;

		if (roll(4) > 0) {
			step(w, who, now, &attached[who]);
			continue;
		}
		snprintf(digits, sizeof digits, "0010100000%05u", roll(1000));
		visit(w, id(digits), now);
	}
	world_free(w);
}

TESTS(T(a_route_may_hold_the_peers_hops_and_unknown_agents_but_no_other_network),
      T(our_own_mme_may_use_our_realm_and_all_that_we_speak), T(the_edge_may_be_named_as_destination),
      T(a_home_network_reaches_its_registered_roamers_until_they_leave),
      T(a_reset_passes_and_a_storm_of_resets_does_not), T(a_mobile_network_code_has_two_or_three_digits),
      T(requests_of_ours_pass_with_their_class), T(unknown_is_not_bad),
      T(an_mme_and_an_sgsn_may_serve_at_once), T(only_a_success_is_learned),
      T(a_move_is_judged_by_its_speed),
      T(a_critical_subscription_is_alerted_not_refused_by_suspicion),
      T(a_device_is_bound_by_its_number_or_its_type), T(lists_run_out),
      T(a_suspended_subscription_can_still_be_purged), T(unknown_subscribers_are_answered_at_a_rate),
      T(the_partners_rate_holds_back_low_classes_first_and_critical_never),
      T(steering_is_capped_and_spares_the_critical_and_the_registered),
      T(zigzag_between_steered_networks_ends), T(a_weight_steers_its_share),
      T(a_hundred_thousand_clean_transactions_pass))
