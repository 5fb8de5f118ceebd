/* Message to facts, verdict to answer, and what changes in a message that is passed on. Evidence for
 * .e (temporary causes), R-5.6.1.f (overload reports) and .g (no topology gets out). */
#include "unit/test_node.h"

#define V       VIEW_INIT
#define A       (&world.side[0])
#define MSG_MAX 4096

static uint8_t in_bytes[MSG_MAX], out_bytes[MSG_MAX];
static struct wr in, out;
static struct dia_header head;

static struct wr *request(uint32_t app, uint32_t code, size_t *start)
{
	struct dia_header h = { 0xc0, code, app, 11, 22 };

	in = (struct wr){ .p = in_bytes, .cap = sizeof in_bytes };
	*start = dia_begin(&in, &h);
	dia_put(&in, AVP_SESSION_ID, VIEW("mme;1;2"));
	dia_put_u32(&in, AVP_AUTH_SESSION_STATE, 1);
	dia_put(&in, AVP_ORIGIN_HOST, VIEW("mme.visited.test"));
	dia_put(&in, AVP_ORIGIN_REALM, VIEW("visited.test"));
	dia_put(&in, AVP_DESTINATION_HOST, VIEW("hss.home.test"));
	dia_put(&in, AVP_DESTINATION_REALM, VIEW("home.test"));
	return &in;
}

static void put_terminal(struct wr *w, struct view imei)
{
	size_t group = dia_open(w, AVP_TERMINAL_INFORMATION);

	dia_put(w, AVP_IMEI, imei);
	dia_put(w, AVP_SOFTWARE_VERSION, VIEW("02"));
	dia_close(w, group);
}

/* As a relay sees it. */
static struct msg *relay(struct view raw)
{
	static struct msg m;

	check_eq(dia_parse(&m, &head, raw, DIA_RELAY, world_mem()), ERR_OK);
	return &m;
}

static struct facts facts_of(enum dia_peer_kind kind)
{
	struct facts f;

	world_init("a.home.test", "b.visited.test");
	A->admit.kind = kind;
	A->admit.plmn = bcd_of(VIEW("00101"));
	check(dia_node_peer(world.side[1].node, DIA_HOME, VIEW("a.home.test"), NULL));
	world_run(200);
	dia_facts(&f, A->peer, relay(wr_done(&in)), &head, 777);
	return f;
}

static void ulr(uint32_t rat, struct view imei, uint32_t flags)
{
	size_t start;

	request(DIA_APP_S6A, 316, &start);
	dia_put(&in, AVP_USER_NAME, VIEW("999700000000001"));
	put_terminal(&in, imei);
	dia_put_u32(&in, AVP_RAT_TYPE, rat);
	dia_put_u32(&in, AVP_ULR_FLAGS, flags);
	dia_put(&in, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	dia_put_u32(&in, AVP_DRMP, 3);
	dia_put(&in, AVP_ROUTE_RECORD, VIEW("mme.visited.test"));
	dia_put(&in, AVP_ROUTE_RECORD, VIEW("dra.visited.test"));
	dia_end(&in, start);
}

TEST(a_ulr_becomes_facts)
{
	struct facts f;

	ulr(1005, VIEW("353166090000017"), 0x22);
	f = facts_of(DIA_PARTNER);
	check_eq(f.protocol, PROTO_DIAMETER);
	check_eq(f.op, OP_UPDATE_LOCATION);
	check_eq(f.direction, DIR_TO_HOME);
	check_eq(f.rat, RAT_IS_NB_IOT);
	check(f.clear && f.app_agreed && f.initial && !f.single_registration && !f.resync);
	check_eq(f.drmp, 3);
	check_eq(f.imsi, bcd_of(VIEW("999700000000001")));
	check_eq(f.imei, bcd_of(VIEW("35316609000001")));
	check_eq(f.visited_plmn, bcd_of(VIEW("00101")));
	check_eq(f.peer_plmn, bcd_of(VIEW("00101")));
	check(view_eq(f.peer_host, VIEW("b.visited.test")));
	check(view_eq(f.peer_realm, VIEW("visited.test")));
	check(view_eq(f.origin_host, VIEW("mme.visited.test")));
	check(view_eq(f.origin_realm, VIEW("visited.test")));
	check(view_eq(f.dest_host, VIEW("hss.home.test")));
	check(view_eq(f.dest_realm, VIEW("home.test")));
	check(view_eq(f.session, VIEW("mme;1;2")));
	check_eq(f.route_n, 2);
	check(view_eq(f.route[1], VIEW("dra.visited.test")));
	check_eq(f.now_ms, 777);
}

TEST(the_radio_technology_is_read_by_its_number)
{
	static const struct {
		uint32_t rat, want;
	} cases[] = {
		{ 1000, RAT_IS_UTRAN },  { 1001, RAT_IS_GERAN }, { 1004, RAT_IS_WB_EUTRAN },
		{ 1005, RAT_IS_NB_IOT }, { 1006, RAT_IS_NR },    { 1007, RAT_IS_LTE_M },
		{ 0, RAT_UNKNOWN },      { 2003, RAT_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ulr(cases[i].rat, VIEW("35316609000001"), 0x01);
		check_eq(facts_of(DIA_PARTNER).rat, cases[i].want);
	}
	check(facts_of(DIA_PARTNER).single_registration);
}

TEST(operation_and_direction_follow_the_command_and_the_peer)
{
	static const struct {
		uint32_t app, code;
		enum dia_peer_kind kind;
		uint8_t op, direction;
		bool agreed;
	} cases[] = {
		{ DIA_APP_S6A, 321, DIA_PARTNER, OP_PURGE, DIR_TO_HOME, true },
		{ DIA_APP_S6A, 323, DIA_PARTNER, OP_NOTIFY, DIR_TO_HOME, true },
		{ DIA_APP_S6A, 317, DIA_PARTNER, OP_CANCEL_LOCATION, DIR_TO_VISITED, true },
		{ DIA_APP_S6A, 320, DIA_PARTNER, OP_DELETE_DATA, DIR_TO_VISITED, true },
		{ DIA_APP_S6A, 322, DIA_PARTNER, OP_RESET, DIR_TO_VISITED, true },
		{ DIA_APP_S6A, 317, DIA_HOME, OP_CANCEL_LOCATION, DIR_OUT_TO_VISITED, true },
		{ DIA_APP_S6A, 321, DIA_OWN, OP_PURGE, DIR_OUT_TO_HOME, true },
		{ DIA_APP_S13, 324, DIA_PARTNER, OP_CHECK_EQUIPMENT, DIR_TO_HOME, true },
		{ DIA_APP_S6A, 999, DIA_PARTNER, OP_OTHER, DIR_TO_HOME, true },
		{ DIA_APP_S6A, 324, DIA_PARTNER, OP_OTHER, DIR_TO_HOME, true },
		{ 16777216, 303, DIA_PARTNER, OP_OTHER, DIR_TO_HOME, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct facts f;
		size_t start;

		request(cases[i].app, cases[i].code, &start);
		dia_put(&in, AVP_USER_NAME, VIEW("999700000000001"));
		dia_put_u32(&in, AVP_CANCELLATION_TYPE, 2);
		dia_put_u32(&in, AVP_DSR_FLAGS, 1);
		put_terminal(&in, VIEW("35316609000001"));
		dia_end(&in, start);
		f = facts_of(cases[i].kind);
		check_eq(f.op, cases[i].op);
		check_eq(f.direction, cases[i].direction);
		check_eq(f.app_agreed, cases[i].agreed);
		check_eq(f.drmp, 255);
		check_eq(f.route_n, 0);
	}
}

TEST(an_application_inside_that_is_not_the_header_s_is_not_agreed)
{
	size_t start, group;

	request(DIA_APP_S6A, 321, &start);
	group = dia_open(&in, AVP_VENDOR_SPECIFIC_APPLICATION_ID);
	dia_put_u32(&in, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(&in, AVP_AUTH_APPLICATION_ID, DIA_APP_S13);
	dia_close(&in, group);
	dia_put(&in, AVP_USER_NAME, VIEW("999700000000001"));
	dia_end(&in, start);
	check(!facts_of(DIA_PARTNER).app_agreed);
}

TEST(a_resynchronisation_is_seen)
{
	static const uint8_t rand_auts[30];
	size_t start, group;

	request(DIA_APP_S6A, 318, &start);
	dia_put(&in, AVP_USER_NAME, VIEW("999700000000001"));
	dia_put(&in, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	group = dia_open(&in, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO);
	dia_put_u32(&in, AVP_NUMBER_OF_REQUESTED_VECTORS, 1);
	dia_put(&in, AVP_RE_SYNCHRONIZATION_INFO, (struct view){ rand_auts, sizeof rand_auts });
	dia_close(&in, group);
	dia_end(&in, start);
	check(facts_of(DIA_PARTNER).resync);
}

/* --- refusals ------------------------------------------------------------------------------- */

static struct msg *rejected(uint8_t cause, const struct dia_reply *r)
{
	struct verdict v = { .act = ACT_REJECT, .cause = cause };
	struct msg *m = relay(wr_done(&in));
	struct dia_header h = head;

	world_side(0, "a.home.test", "home.test");
	out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
	dia_reject(&out, &A->conf, m, &h, &v, r);
	check_eq(out.err, ERR_OK);
	return parse(wr_done(&out), &head);
}

static void simple(uint32_t app, uint32_t code)
{
	size_t start;

	if (code == 316) {
		ulr(1004, VIEW("35316609000001"), 0x22);
		return;
	}
	request(app, code, &start);
	dia_put(&in, AVP_USER_NAME, VIEW("999700000000001"));
	if (code == 318)
		dia_put(&in, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	if (code == 317)
		dia_put_u32(&in, AVP_CANCELLATION_TYPE, 0);
	if (code == 324)
		put_terminal(&in, VIEW("35316609000001"));
	dia_end(&in, start);
}

TEST(each_cause_has_its_words_in_each_command)
{
	/* 1xxxxx: experimental. */
	static const struct {
		uint8_t cause;
		uint32_t air, ulr, pur, clr, ecr;
	} cases[] = {
		{ CAUSE_NONE, 5012, 5012, 5012, 5012, 5012 },
		{ CAUSE_USER_UNKNOWN, 105001, 105001, 105001, 105001, 5003 },
		{ CAUSE_NO_SUBSCRIPTION, 105420, 105420, 105001, 105001, 5003 },
		{ CAUSE_RAT_NOT_ALLOWED, 105421, 105421, 5003, 5003, 5003 },
		{ CAUSE_ROAMING_NOT_ALLOWED, 105004, 105004, 5003, 5003, 5003 },
		{ CAUSE_BARRED, 105004, 105004, 5003, 5003, 5003 },
		{ CAUSE_AUTH_UNAVAILABLE, 104181, 104181, 5012, 5012, 5012 },
		{ CAUSE_EQUIPMENT_UNKNOWN, 5012, 5012, 5012, 5012, 105422 },
		{ CAUSE_UNABLE_TO_COMPLY, 5012, 5012, 5012, 5012, 5012 },
		{ CAUSE_TOO_BUSY, 3004, 3004, 3004, 3004, 3004 },
		{ CAUSE_NOT_AUTHORISED, 5003, 5003, 5003, 5003, 5003 },
		{ CAUSE_REALM_NOT_SERVED, 3003, 3003, 3003, 3003, 3003 },
		{ CAUSE_UNABLE_TO_DELIVER, 3002, 3002, 3002, 3002, 3002 },
		{ CAUSE_APP_UNSUPPORTED, 3007, 3007, 3007, 3007, 3007 },
		{ CAUSE_COMMAND_UNSUPPORTED, 3001, 3001, 3001, 3001, 3001 },
		{ CAUSE_APN_UNKNOWN, 5003, 5003, 5003, 5003, 5003 },
		{ CAUSE_PDN_TYPE, 5003, 5003, 5003, 5003, 5003 },
		{ CAUSE_NO_CONTEXT, 5012, 5012, 5012, 5012, 5012 },
	};
	static const uint32_t codes[] = { 318, 316, 321, 317, 324 };
	struct dia_reply none = { 0 };

	check_eq(sizeof cases / sizeof *cases, CAUSE_N);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const uint32_t want[] = { cases[i].air, cases[i].ulr, cases[i].pur, cases[i].clr,
					  cases[i].ecr };

		for (size_t k = 0; k < 5; k++) {
			bool error = want[k] / 1000 == 3;
			struct msg *m;

			simple(codes[k] == 324 ? DIA_APP_S13 : DIA_APP_S6A, codes[k]);
			m = rejected(cases[i].cause, &none);
			check_eq(result_of(wr_done(&out)), want[k]);
			m = parse(wr_done(&out), &head);
			check_eq(head.flags, 0x40 | (error ? DIA_FLAG_ERROR : 0));
			check_eq(head.code, codes[k]);
			check_eq(head.hop_by_hop, 11);
			check_eq(head.end_to_end, 22);
			check_eq(m->slot[m->slot->first].field, AVP_SESSION_ID);
			check(view_eq(tab_get(m, AVP_SESSION_ID), VIEW("mme;1;2")));
			check(view_eq(tab_get(m, AVP_ORIGIN_HOST), VIEW("a.home.test")));
			check(view_eq(tab_get(m, AVP_ORIGIN_REALM), VIEW("home.test")));
			check_eq(tab_get(m, AVP_AUTH_SESSION_STATE).n, error ? 0 : 4);
			check_eq(tab_get(m, AVP_RESULT_CODE).n, want[k] > 100000 ? 0 : 4);
			check_eq(tab_get(m, AVP_ERROR_DIAGNOSTIC).n,
				 cases[i].cause == CAUSE_BARRED && k < 2 ? 4 : 0);
		}
	}
}

TEST(a_barred_subscriber_is_barred_from_all_apns)
{
	struct dia_reply none = { 0 };

	simple(DIA_APP_S6A, 318);
	check_eq(dia_u32(tab_get(rejected(CAUSE_BARRED, &none), AVP_ERROR_DIAGNOSTIC)), 2);
}

TEST(an_unknown_application_is_refused_in_base_words)
{
	struct dia_reply none = { 0 };
	size_t start;

	request(16777216, 303, &start);
	dia_end(&in, start);
	rejected(CAUSE_APP_UNSUPPORTED, &none);
	check_eq(result_of(wr_done(&out)), 3007);
}

TEST(a_compatible_error_ula_has_all_that_a_good_one_has_and_nothing_usable)
{
	struct dia_reply compat = { .compat = true }, plain = { 0 };
	struct msg *m;

	simple(DIA_APP_S6A, 316);
	m = rejected(CAUSE_ROAMING_NOT_ALLOWED, &compat);
	check_eq(tab_get(m, AVP_ULA_FLAGS).n, 4);
	check_eq(dia_u32(tab_get(m, AVP_SUBSCRIPTION_DATA, AVP_SUBSCRIBER_STATUS)), 1);
	check_eq(dia_u32(tab_get(m, AVP_SUBSCRIPTION_DATA, AVP_ACCESS_RESTRICTION_DATA)), 0x1fff);
	check_eq(tab_get(m, AVP_SUBSCRIPTION_DATA, AVP_AMBR, AVP_MAX_REQUESTED_BANDWIDTH_UL).n, 4);
	check_eq(dia_u32(tab_get(m, AVP_SUBSCRIPTION_DATA, AVP_APN_CONFIGURATION_PROFILE,
				 AVP_APN_CONFIGURATION, AVP_EPS_SUBSCRIBED_QOS_PROFILE,
				 AVP_ALLOCATION_RETENTION_PRIORITY, AVP_PRIORITY_LEVEL)), 15);
	check(view_eq(tab_get(m, AVP_SUBSCRIPTION_DATA, AVP_APN_CONFIGURATION_PROFILE,
			      AVP_APN_CONFIGURATION, AVP_SERVICE_SELECTION), VIEW("barred.invalid")));

	m = rejected(CAUSE_ROAMING_NOT_ALLOWED, &plain);
	check(!tab_slot(m, AVP_SUBSCRIPTION_DATA));
	m = rejected(CAUSE_TOO_BUSY, &compat); /* a protocol error has no profile */
	check(!tab_slot(m, AVP_SUBSCRIPTION_DATA));
	simple(DIA_APP_S6A, 318);
	m = rejected(CAUSE_ROAMING_NOT_ALLOWED, &compat);
	check(!tab_slot(m, AVP_SUBSCRIPTION_DATA));
}

TEST(an_overload_report_goes_only_to_who_can_read_it)
{
	struct overload o = { .reduction = 40, .validity_s = 60, .sequence = 7 }, got;
	struct dia_reply r = { .overload = &o };
	struct msg *m;

	simple(DIA_APP_S6A, 318);
	m = rejected(CAUSE_UNABLE_TO_COMPLY, &r);
	check(!tab_slot(m, AVP_OC_OLR) && !tab_slot(m, AVP_OC_SUPPORTED_FEATURES));

	dia_put_features(&in);
	wr_at(&in, 1, in.n, 3);
	m = rejected(CAUSE_UNABLE_TO_COMPLY, &r);
	got = dia_overload(m);
	check_eq(got.reduction, 40);
	check_eq(got.validity_s, 60);
	check_eq(got.sequence, 7);
	check_eq(dia_u64(tab_get(m, AVP_OC_SUPPORTED_FEATURES, AVP_OC_FEATURE_VECTOR)), 1);
	check_eq(dia_u32(tab_get(m, AVP_OC_OLR, AVP_OC_REPORT_TYPE)), 0);

	o = (struct overload){ .sequence = 8, .validity_s = 60 }; /* it is over */
	got = dia_overload(rejected(CAUSE_UNABLE_TO_COMPLY, &r));
	check_eq(got.reduction, 0);
	check_eq(got.sequence, 8);
	o = (struct overload){ 0 };
	m = rejected(CAUSE_UNABLE_TO_COMPLY, &r);
	check(tab_slot(m, AVP_OC_SUPPORTED_FEATURES) && !tab_slot(m, AVP_OC_OLR));
}

/* --- answers -------------------------------------------------------------------------------- */

TEST(an_answer_is_success_or_busy_or_neither)
{
	static const struct {
		uint32_t result, experimental;
		bool ok, busy;
	} cases[] = {
		{ 2001, 0, true, false },  { 2002, 0, true, false },  { 3004, 0, false, true },
		{ 5012, 0, false, true },  { 0, 4181, false, true },  { 0, 5001, false, false },
		{ 5003, 0, false, false }, { 2001, 5004, false, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dia_header h = { 0x40, 318, DIA_APP_S6A, 1, 2 };
		struct dia_outcome o;
		size_t group;

		out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
		dia_begin(&out, &h);
		dia_put(&out, AVP_SESSION_ID, VIEW("mme;1;2"));
		if (cases[i].result)
			dia_put_u32(&out, AVP_RESULT_CODE, cases[i].result);
		group = dia_open(&out, AVP_EXPERIMENTAL_RESULT);
		dia_put_u32(&out, AVP_VENDOR_ID, VENDOR_3GPP);
		dia_put_u32(&out, AVP_EXPERIMENTAL_RESULT_CODE, cases[i].experimental);
		dia_close(&out, group);
		dia_put(&out, AVP_ORIGIN_HOST, VIEW("hss.home.test"));
		dia_put(&out, AVP_ORIGIN_REALM, VIEW("home.test"));
		dia_end(&out, 0);
		o = dia_outcome(relay(wr_done(&out)));
		check_eq(o.ok, cases[i].ok);
		check_eq(o.busy, cases[i].busy);
		check_eq(o.experimental, cases[i].experimental);
	}
}

/* --- patches -------------------------------------------------------------------------------- */

static const struct view strange = V("\0\0\x0f\x9f\x40\0\0\x0e\1\2\3\4\5\6\xaa\xbb"); /* odd padding */

static struct msg *patched(const struct dia_patch *p)
{
	struct msg *m = relay(wr_done(&in));
	struct dia_header h = head;

	out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
	dia_patch(&out, m, &h, wr_done(&in), p);
	check_eq(out.err, ERR_OK);
	return relay(wr_done(&out));
}

static void with_strange(void)
{
	ulr(1004, VIEW("35316609000001"), 0x22);
	wr_view(&in, strange);
	wr_at(&in, 1, in.n, 3);
}

TEST(an_empty_patch_changes_no_byte)
{
	struct dia_patch p = { .drmp = -1 };

	with_strange();
	patched(&p);
	check(view_eq(wr_done(&out), wr_done(&in)));
}

/* The AVPs of `m` that `other` has too, in the same bytes. */
static size_t common(const struct msg *m, const struct msg *other)
{
	size_t n = 0;

	for (size_t i = 0; i < m->slot->n; i++) {
		const struct slot *s = &m->slot[m->slot->first + i];

		for (size_t k = 0; k < other->slot->n; k++)
			n += view_eq(s->whole, other->slot[other->slot->first + k].whole);
	}
	return n;
}

TEST(hiding_replaces_what_it_names_and_keeps_the_rest_byte_for_byte)
{
	static struct msg before;
	struct dia_patch p = {
		.origin_host = VIEW("edge.home.test"), .origin_realm = VIEW("h.test"),
		.dest_realm = VIEW("longer.visited.test"), .session_id = VIEW("edge;1;2"),
		.drop_routes = true, .drop_dest_host = true, .drmp = 12,
	};
	static uint8_t room[1 << 18];
	struct arena mem = { room, 0, sizeof room };
	struct msg *m;

	with_strange();
	m = patched(&p);
	check(view_eq(tab_get(m, AVP_ORIGIN_HOST), VIEW("edge.home.test")));
	check(view_eq(tab_get(m, AVP_ORIGIN_REALM), VIEW("h.test")));
	check(view_eq(tab_get(m, AVP_DESTINATION_REALM), VIEW("longer.visited.test")));
	check(view_eq(tab_get(m, AVP_SESSION_ID), VIEW("edge;1;2")));
	check_eq(m->slot[m->slot->first].field, AVP_SESSION_ID);
	check(!tab_slot(m, AVP_ROUTE_RECORD) && !tab_slot(m, AVP_DESTINATION_HOST));
	check_eq(dia_u32(tab_get(m, AVP_DRMP)), 12);
	check(view_eq((struct view){ out.p + out.n - strange.n, strange.n }, strange));

	check_eq(dia_parse(&before, &head, wr_done(&in), DIA_RELAY, &mem), ERR_OK);
	check_eq(before.slot->n, m->slot->n + 3); /* two routes and Destination-Host */
	check_eq(common(m, &before), m->slot->n - 5);
	check_eq(memmem(out.p, out.n, "mme.visited", 11) == NULL, 1);
}

TEST(what_is_not_there_is_appended_where_that_makes_sense)
{
	struct dia_patch p = { .drmp = 1, .dest_host = VIEW("hss9.home.test"),
			       .route_record = VIEW("peer.visited.test"), .offer_doic = true };
	struct msg *m;
	size_t start;

	request(DIA_APP_S6A, 321, &start);
	dia_put(&in, AVP_USER_NAME, VIEW("999700000000001"));
	dia_end(&in, start);
	m = patched(&p);
	check_eq(dia_u32(tab_get(m, AVP_DRMP)), 1);
	check(view_eq(tab_get(m, AVP_DESTINATION_HOST), VIEW("hss9.home.test")));
	check(view_eq(tab_get(m, AVP_ROUTE_RECORD), VIEW("peer.visited.test")));
	check(tab_slot(m, AVP_OC_SUPPORTED_FEATURES));
	check(!tab_next(m, NULL, AVP_DESTINATION_HOST, tab_slot(m, AVP_DESTINATION_HOST)));
}

TEST(a_report_from_home_ends_here_and_ours_takes_its_place)
{
	struct overload theirs = { 90, 60, 1 }, ours = { 10, 30, 2 };
	struct dia_patch p = { .drmp = -1, .drop_doic = true, .drop_load = true,
			       .origin_host = VIEW("edge.home.test") };
	struct dia_header h = { 0x40, 318, DIA_APP_S6A, 1, 2 };
	struct msg *m;
	size_t load;

	in = (struct wr){ .p = in_bytes, .cap = sizeof in_bytes };
	dia_begin(&in, &h);
	dia_put(&in, AVP_SESSION_ID, VIEW("mme;1;2"));
	dia_put_u32(&in, AVP_RESULT_CODE, 3002);
	dia_put(&in, AVP_ORIGIN_HOST, VIEW("hss.home.test"));
	dia_put(&in, AVP_ORIGIN_REALM, VIEW("home.test"));
	dia_put(&in, AVP_ERROR_REPORTING_HOST, VIEW("inner.home.test"));
	dia_put_overload(&in, &theirs, true);
	load = dia_open(&in, AVP_LOAD);
	dia_put_u64(&in, AVP_LOAD_VALUE, 5);
	dia_close(&in, load);
	dia_end(&in, 0);

	m = patched(&p);
	check(!tab_slot(m, AVP_OC_OLR) && !tab_slot(m, AVP_OC_SUPPORTED_FEATURES));
	check(!tab_slot(m, AVP_LOAD));
	check(view_eq(tab_get(m, AVP_ERROR_REPORTING_HOST), VIEW("edge.home.test")));
	p.overload = &ours;
	m = patched(&p);
	check_eq(dia_overload(m).reduction, 10);
	check_eq(dia_overload(m).sequence, 2);
	check(!tab_next(m, NULL, AVP_OC_OLR, tab_slot(m, AVP_OC_OLR)));
}

TEST(a_second_origin_host_does_not_betray_the_first)
{
	struct dia_patch p = { .drmp = -1, .origin_host = VIEW("edge.home.test") };
	struct dia_header h = { 0xc0, 999, 16777216, 1, 2 };
	struct msg *m;

	in = (struct wr){ .p = in_bytes, .cap = sizeof in_bytes };
	dia_begin(&in, &h);
	dia_put(&in, AVP_ORIGIN_HOST, VIEW("hss1.home.test"));
	dia_put(&in, AVP_ORIGIN_HOST, VIEW("hss2.home.test"));
	dia_end(&in, 0);
	m = patched(&p);
	check_eq(m->slot->n, 1);
	check(view_eq(tab_get(m, AVP_ORIGIN_HOST), VIEW("edge.home.test")));
}

TEST(a_patch_that_does_not_fit_says_so)
{
	struct dia_patch p = { .drmp = -1, .route_record = VIEW("peer.visited.test") };

	with_strange();
	for (size_t cap = 0; cap < in.n + 28; cap++) {
		struct msg *m = relay(wr_done(&in));
		struct dia_header h = head;

		out = (struct wr){ .p = out_bytes, .cap = cap };
		dia_patch(&out, m, &h, wr_done(&in), &p);
		check_eq(out.err, ERR_FULL);
	}
	out = (struct wr){ .p = out_bytes, .cap = in.n + 28 };
	dia_patch(&out, relay(wr_done(&in)), &head, wr_done(&in), &p);
	check_eq(out.err, ERR_OK);
}

TESTS(T(a_ulr_becomes_facts), T(the_radio_technology_is_read_by_its_number),
      T(operation_and_direction_follow_the_command_and_the_peer),
      T(an_application_inside_that_is_not_the_header_s_is_not_agreed),
      T(a_resynchronisation_is_seen), T(each_cause_has_its_words_in_each_command),
      T(a_barred_subscriber_is_barred_from_all_apns),
      T(an_unknown_application_is_refused_in_base_words),
      T(a_compatible_error_ula_has_all_that_a_good_one_has_and_nothing_usable),
      T(an_overload_report_goes_only_to_who_can_read_it),
      T(an_answer_is_success_or_busy_or_neither), T(an_empty_patch_changes_no_byte),
      T(hiding_replaces_what_it_names_and_keeps_the_rest_byte_for_byte),
      T(what_is_not_there_is_appended_where_that_makes_sense),
      T(a_report_from_home_ends_here_and_ours_takes_its_place),
      T(a_second_origin_host_does_not_betray_the_first), T(a_patch_that_does_not_fit_says_so))
