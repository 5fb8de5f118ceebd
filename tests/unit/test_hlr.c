/* The HLR: from SCCP messages to SCCP messages, with a world of one subscriber. */
#include "unit/hlr_world.h"
#include "unit/test.h"

#define VLR_NUMBER bcd_of(VIEW("99901100"))
#define SUB_IMSI bcd_of(VIEW("999700000000001"))

static const struct hlr_route by = {.opc = 1, .dpc = 100};
static uint8_t tid[4] = {1, 2, 3, 4};
static uint8_t bytes[4096], room[64 * 1024];
static struct wr w;
static struct hlr_heard h; /* of what the HLR said last */
static struct tcap_out o;

static struct view theirs(void)
{
	return (struct view){tid, sizeof tid};
}

static void say_from(uint8_t ssn, bool wide)
{
	static uint8_t sccp[4400];
	uint8_t called[32], calling[32];
	struct wr a = {.p = called, .cap = 32}, b = {.p = calling, .cap = 32},
		  out = {.p = sccp, .cap = sizeof sccp};

	check_eq(w.err, ERR_OK);
	sccp_put_title(&a, SSN_HLR, VIEW("99970000"));
	sccp_put_title(&b, ssn, VIEW("99901100"));
	if (wide)
		sccp_put_segment(&out, &(struct sccp_put){.class = 1,
							  .hops = 9,
							  .called = wr_done(&a),
							  .calling = wr_done(&b),
							  .data = wr_done(&w),
							  .first = true});
	else
		sccp_put_udt(&out, wr_done(&a), wr_done(&b), wr_done(&w));
	check_eq(out.err, ERR_OK);
	hlr_take(&world, &by, wr_done(&out));
}

static void say(void)
{
	say_from(SSN_VLR, false);
}

/* The last message, read. */
static void read_last(void)
{
	static struct arena mem;
	struct msg sccp;

	check(said_n > 0);
	mem = (struct arena){room, 0, sizeof room};
	check_eq(sccp_parse(&sccp, (struct view){said[said_n - 1].bytes, said[said_n - 1].n}, &mem),
		 ERR_OK);
	check_eq(hlr_hear(&h, tab_get(&sccp, SCCP_DATA), &mem), ERR_OK);
	check(view_eq(h.dtid, theirs()));
}

/* A begin, up to the operation. */
static void ask(uint8_t op, uint8_t context, uint8_t version)
{
	uint8_t oid[MAP_OID];

	w = (struct wr){.p = bytes, .cap = sizeof bytes};
	tcap_start(&o, &w, TCAP_BEGIN, theirs(), (struct view){0});
	if (version > 1)
		tcap_put_aarq(&o, map_oid(context, version, oid));
	tcap_open_components(&o);
	tcap_open_invoke(&o, 1, op);
}

static void ask_vectors(uint8_t version, uint32_t n)
{
	ask(56, 14, version);
	if (version >= 3) {
		tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
		map_put_imsi(&w, BER_CONTEXT, 0, SUB_IMSI);
		ber_put_int(&w, BER_UNIVERSAL, BER_INTEGER, n);
	} else {
		map_put_imsi(&w, BER_UNIVERSAL, BER_OCTETS, SUB_IMSI);
	}
	tcap_end(&o);
}

static void ask_update(uint64_t imsi, uint8_t version)
{
	ask(2, 1, version);
	tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
	map_put_imsi(&w, BER_UNIVERSAL, BER_OCTETS, imsi);
	map_put_number(&w, BER_CONTEXT, 1, bcd_of(VIEW("99901200")));
	map_put_number(&w, BER_UNIVERSAL, BER_OCTETS, VLR_NUMBER);
	tcap_end(&o);
}

/* In the dialogue that the last message is of. */
static void go_on(bool ok, uint8_t code)
{
	uint8_t ours[4];

	check_eq(h.otid.n, 4);
	memcpy(ours, h.otid.p, 4);
	w = (struct wr){.p = bytes, .cap = sizeof bytes};
	tcap_start(&o, &w, TCAP_CONTINUE, theirs(), (struct view){ours, 4});
	tcap_open_components(&o);
	if (ok)
		tcap_put_done(&o, h.invoke);
	else
		tcap_open_error(&o, h.invoke, code);
	tcap_end(&o);
	say();
}

TEST(vectors_are_as_many_as_fit_and_five_in_segments)
{
	world_begin();
	ask_vectors(3, 5);
	say();
	check_eq(said_n, 1);
	read_last();
	check_eq(h.type, TCAP_END);
	check_eq(h.component, TCAP_RESULT);
	check(h.oid.n == 7 && h.pdu == TCAP_AARE && !h.refused);
	check(said[0].n <= 268);
	ask_vectors(3, 5);
	say_from(SSN_SGSN, true);
	check(said_n >= 3); /* segments */
	for (size_t i = 1; i < said_n; i++)
		check(said[i].bytes[0] == 0x11 && said[i].n <= 268);
}

TEST(an_update_is_done_when_its_data_are_taken_and_durable)
{
	world_begin();
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	check_eq(h.type, TCAP_CONTINUE);
	check_eq(h.op, HLR_OP_INSERT);
	check_eq(world_reg.flags, 0);
	go_on(true, 0);
	check_eq(said_n, 1); /* not before it is durable */
	check_eq(world_reg.flags, REG_VLR);
	check(strcmp(world_reg.vlr.host, "map:99901100") == 0 &&
	      strcmp(world_reg.vlr.realm, "99901200") == 0);
	check_eq(hlr_node_version(&world_reg.vlr), 3);
	settle(ERR_OK);
	read_last();
	check_eq(h.type, TCAP_END);
	check_eq(h.component, TCAP_RESULT);
	check_eq(h.op, 2);
	check_eq(hlr_talks_used(world_hlr.talks), 0);
}

TEST(a_commit_that_fails_is_a_system_failure)
{
	world_begin();
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	go_on(true, 0);
	settle(ERR_IO);
	read_last();
	check_eq(h.component, TCAP_ERROR);
	check_eq(h.code, 34);
	world_begin();
	world_full = true;
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	go_on(true, 0);
	read_last();
	check_eq(h.code, 34);
	check_eq(hlr_talks_used(world_hlr.talks), 0);
}

TEST(a_node_that_refuses_its_data_or_is_silent_does_not_serve)
{
	world_begin();
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	go_on(false, 36);
	read_last();
	check_eq(h.code, 34);
	check_eq(world_reg.flags, 0);
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	world_now += HLR_TALK_MS;
	hlr_tick_dialogues(&world);
	read_last();
	check_eq(h.component, TCAP_ERROR);
	check_eq(hlr_talks_used(world_hlr.talks), 0);
}

TEST(a_profile_that_changes_meanwhile_is_told_again)
{
	world_begin();
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	world_profile.services = SERVICE_SMS_MT;
	go_on(true, 0);
	read_last();
	check_eq(h.type, TCAP_CONTINUE);
	check_eq(h.op, HLR_OP_INSERT);
	check_eq(world_reg.flags, 0);
	go_on(true, 0);
	check_eq(world_reg.flags, REG_VLR);
	world_begin();
	ask_update(SUB_IMSI, 3);
	say();
	for (uint32_t i = 0; i < 3; i++) {
		read_last();
		check_eq(h.op, HLR_OP_INSERT);
		world_profile.tau_s = i + 1;
		go_on(true, 0);
	}
	read_last();
	world_profile.tau_s = 9;
	go_on(true, 0); /* it does not come to rest */
	read_last();
	check_eq(h.component, TCAP_ERROR);
	check_eq(world_reg.flags, 0);
	check_eq(hlr_talks_used(world_hlr.talks), 0);
}

/* Only who is unknown is locked, and a VLR's domain of who has no circuit-switched service
 * (R-5.1.c). */
TEST(every_result_has_an_error_of_its_operation)
{
	static const uint8_t update[] = {1, 8, 34, 35, 36}, vectors[] = {1, 34, 35, 36};

	for (enum result r = RESULT_USER_UNKNOWN; r < RESULT_N; r++) {
		uint8_t u = (uint8_t)hlr_error_of(r, 2), v = (uint8_t)hlr_error_of(r, 56);

		check(memchr(update, u, sizeof update) && memchr(vectors, v, sizeof vectors));
		check_eq(u == 1, r == RESULT_USER_UNKNOWN || r == RESULT_NO_CS);
		check_eq(hlr_error_of(r, 23), hlr_error_of(r, 57));
		check(hlr_error_of(r, 43) != 0);
	}
	check_eq(hlr_error_of(RESULT_NO_EQUIPMENT, 43), 7);
}

TEST(versions_are_offered_nearest_first_and_contexts_of_nobody_not_at_all)
{
	check_eq(hlr_offer(1, 4), 3);
	check_eq(hlr_offer(1, 7), 3);
	check_eq(hlr_offer(32, 2), 3);
	check_eq(hlr_offer(19, 3), 2);
	check_eq(hlr_offer(29, 3), 0);
	check(hlr_context_served(14, 2) && hlr_context_served(14, 3) && !hlr_context_served(14, 1));
	check(!hlr_context_served(0, 1));
	for (size_t i = 0; i < hlr_serve_n; i++) {
		check(map_operation(hlr_serves[i].op) != NULL);
		check(hlr_serves[i].from <= hlr_serves[i].to && hlr_serves[i].to <= 3);
	}
}

TEST(each_part_of_the_data_fits_a_unit_whatever_the_names)
{
	static const struct hlr_route way = {.own_n = 14, .peer_n = 14};
	struct home_rows rows = {.sub = &world_sub, .profile = &world_profile};
	struct hlr_data d = {.rows = &rows, .kind = REG_SGSN, .version = 3, .named = true};
	size_t contexts = 0, parts = 0;
	uint8_t next = 1;

	world_begin();
	world_profile.odb = 511;
	world_profile.tau_s = 86400;
	world_profile.apn_n = APN_MAX;
	for (size_t i = 0; i < APN_MAX; i++) {
		world_profile.apn[i] = (struct apn_row){.context = (uint8_t)(i + 1), .pdn_type = 2};
		memset(world_profile.apn[i].name, 'a', 63);
		world_profile.apn[i].name[20] = world_profile.apn[i].name[50] = '.';
	}
	while (next) {
		w = (struct wr){.p = bytes, .cap = sizeof bytes};
		next = hlr_isd_put(&w, &d, next);
		check_eq(w.err, ERR_OK);
		check(w.n + 80 <= hlr_room(&way)); /* the dialogue and the invoke around it */
		for (size_t i = 0; i + 1 < w.n; i++)
			contexts += w.p[i] == 0x94 && w.p[i + 1] == 64;
		check(++parts < 8);
	}
	check_eq(contexts, APN_MAX);
	world_profile.apn_n = 3;
	world_profile.apn[0].pdn_type = 4; /* not IP: no context of GPRS */
	memcpy(world_profile.apn[1].name, "*", 2);
	for (next = 1, contexts = 0; next;) {
		w = (struct wr){.p = bytes, .cap = sizeof bytes};
		next = hlr_isd_put(&w, &d, next);
		for (size_t i = 0; i + 1 < w.n; i++)
			contexts += w.p[i] == 0x94 && w.p[i + 1] == 64;
	}
	check_eq(contexts, 1);
}

TEST(a_bar_that_a_node_refuses_is_seen_and_others_are_not)
{
	/* odb bit 3, all outgoing calls, is bit 0 of ODB-GeneralData; bit 0, all packets, is its
	 * bit 15. */
	check(hlr_bar_refused(VIEW("\x30\x06\x84\x04\x06\x80\0\0"), 1u << 3));
	check(!hlr_bar_refused(VIEW("\x30\x06\x84\x04\x06\x80\0\0"), 1u << 4));
	check(hlr_bar_refused(VIEW("\x30\x05\x84\x03\x00\x00\x01"), 1u));
	check(!hlr_bar_refused(VIEW("\x30\x00"), 511));
	check(!hlr_bar_refused(VIEW("\x30\x04\x84\x02\x06"), 511));
	check(!hlr_bar_refused((struct view){0}, 511));
}

TEST(a_short_message_goes_to_listed_numbers_alone)
{
	struct profile_row p = {.services = SERVICE_SMS_MO};
	struct view one = VIEW("\x01\x00\x09\x91\x99\x79\x00\x00\xf1\x00\x00"),
		    other = VIEW("\x01\x00\x09\x91\x99\x79\x00\x00\xf2\x00\x00");

	check_eq(hlr_sms_allowed(&p, one), HLR_SMS_OK);
	p.sms_to[0] = bcd_of(VIEW("999700001"));
	check_eq(hlr_sms_allowed(&p, one), HLR_SMS_OK);
	check_eq(hlr_sms_allowed(&p, other), HLR_SMS_UNLISTED);
	check_eq(hlr_sms_allowed(&p, VIEW("\x01\x00\x09\x91\x99")), HLR_SMS_UNLISTED);
	check_eq(hlr_sms_allowed(&p, VIEW("\x02\x00\x09\x91\x99\x79\x00\x00\xf1")),
		 HLR_SMS_UNLISTED);
	check_eq(hlr_sms_allowed(&p, VIEW("\x01\x00\x09\xd1\x99\x79\x00\x00\xf1\x00\x00")),
		 HLR_SMS_UNLISTED);
	check_eq(hlr_sms_allowed(&p, (struct view){0}), HLR_SMS_UNLISTED);
	p.services = SERVICE_SMS_MT;
	check_eq(hlr_sms_allowed(&p, one), HLR_SMS_NO_SERVICE);
}

/* --- dialogues --- */

TEST(a_hundred_thousand_dialogues_are_open_and_no_more)
{
	struct hlr_talk *t;

	world_begin();
	for (size_t i = 0; i < HLR_TALKS; i++) {
		t = hlr_talk_add(world_hlr.talks, HLR_SENT, world_now);
		check(t != NULL);
	}
	check_eq(hlr_talks_used(world_hlr.talks), HLR_TALKS);
	check(!hlr_talk_add(world_hlr.talks, HLR_SENT, world_now));
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	check_eq(h.component, TCAP_ERROR);
	check_eq(h.code, 34);
	w = (struct wr){.p = bytes, .cap = sizeof bytes};
	tcap_start(&o, &w, TCAP_BEGIN, theirs(), (struct view){0});
	tcap_put_aarq(&o, map_oid(14, 3, room));
	tcap_end(&o);
	say();
	read_last();
	check_eq(h.type, TCAP_ABORT);
	world_now += HLR_TALK_MS;
	hlr_tick_dialogues(&world);
	check_eq(hlr_talks_used(world_hlr.talks), 0);
	for (size_t i = 0; i < HLR_TALKS; i++)
		check(hlr_talk_add(world_hlr.talks, HLR_BEGUN, world_now));
	ask_update(SUB_IMSI, 3); /* of a flood of empty begins the oldest makes room */
	say();
	read_last();
	check_eq(h.type, TCAP_CONTINUE);
}

/* Requests of ours that are not answered stand before the flood, and must not be what it waits for. */
TEST(a_flood_of_empty_begins_takes_only_its_own_places)
{
	const struct hlr_talk *first;
	uint8_t id[4];

	world_begin();
	first = hlr_talk_add(world_hlr.talks, HLR_SENT, world_now);
	hlr_talk_tid(first, id);
	for (size_t i = 0; i < 2 * HLR_TALKS; i++)
		check(hlr_talk_add(world_hlr.talks, HLR_BEGUN, world_now));
	check(hlr_talks_used(world_hlr.talks) <= HLR_TALKS / 2);
	check(hlr_talk_find(world_hlr.talks, (struct view){id, 4}) == first);
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	check_eq(h.type, TCAP_CONTINUE);
}

TEST(nobody_else_goes_on_in_a_dialogue)
{
	size_t before;

	world_begin();
	ask_update(SUB_IMSI, 3);
	say();
	read_last();
	before = said_n;
	w = (struct wr){.p = bytes, .cap = sizeof bytes};
	memcpy(room, h.otid.p, 4);
	tcap_start(&o, &w, TCAP_CONTINUE, theirs(), (struct view){room, 4});
	tcap_open_components(&o);
	tcap_put_done(&o, h.invoke);
	tcap_end(&o);
	say_from(SSN_SGSN, false);
	check_eq(said_n, before);
	check_eq(world_reg.flags, 0);
	say();
	check_eq(world_reg.flags, REG_VLR);
}

TEST(a_dialogue_is_found_by_its_own_identifier_alone)
{
	struct hlr_talk *a, *b;
	uint8_t id[4];

	world_begin();
	a = hlr_talk_add(world_hlr.talks, HLR_BEGUN, 0);
	b = hlr_talk_add(world_hlr.talks, HLR_BEGUN, 5);
	check(hlr_talk_find(world_hlr.talks, hlr_talk_tid(a, id)) == a);
	id[0] ^= 1;
	check(!hlr_talk_find(world_hlr.talks, (struct view){id, 4}));
	check(!hlr_talk_find(world_hlr.talks, (struct view){id, 3}));
	hlr_talk_tid(a, id);
	hlr_talk_heard(world_hlr.talks, a, 10);
	check(hlr_talk_late(world_hlr.talks, 5 + HLR_TALK_MS) == b);
	hlr_talk_drop(world_hlr.talks, b);
	check(!hlr_talk_late(world_hlr.talks, 5 + HLR_TALK_MS));
	hlr_talk_drop(world_hlr.talks, a);
	check(!hlr_talk_find(world_hlr.talks, (struct view){id, 4}));
	a = hlr_talk_add(world_hlr.talks, HLR_BEGUN, 0); /* the same place, another name */
	check(!hlr_talk_find(world_hlr.talks, (struct view){id, 4}));
	hlr_talk_drop(world_hlr.talks, a);
}

/* What home began is answered: done, not known there, or never; each once. */
TEST(a_cancellation_ends_as_it_is_answered)
{
	static const struct {
		uint16_t type;
		uint8_t code;
		bool gone, lost;
	} cases[] = {{TCAP_END, 0, false, false},
		     {TCAP_END, 1, true, false},
		     {TCAP_END, 34, false, false},
		     {TCAP_ABORT, 0, false, true}};
	struct outbox_item it = {.kind = OUTBOX_CANCEL, .index = 7, .life = 1};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t ours[4];
		struct hlr_talk *t;

		world_begin();
		it.imsi = SUB_IMSI;
		it.cancel = (struct cancel){.type = CANCEL_SGSN_UPDATE, .kind = REG_VLR};
		hlr_node_name(it.cancel.node.host, VLR_NUMBER);
		it.cancel.node.features = HLR_FEATURES(3);
		check(hlr_cancel(&world, &it));
		t = hlr_talk_late(world_hlr.talks, UINT64_MAX);
		check(t && t->stage == HLR_SENT);
		hlr_talk_tid(t, ours);
		w = (struct wr){.p = bytes, .cap = sizeof bytes};
		tcap_start(&o, &w, (enum tcap_msg)cases[i].type, (struct view){0},
			   (struct view){ours, 4});
		if (cases[i].type == TCAP_ABORT) {
			tcap_put_cause(&o, TCAP_NO_RESOURCES);
		} else {
			tcap_open_components(&o);
			if (cases[i].code)
				tcap_open_error(&o, 1, cases[i].code);
			else
				tcap_put_done(&o, 1);
		}
		tcap_end(&o);
		say();
		say(); /* again: it is over */
		check_eq(world_settled.n, 1);
		check_eq(world_settled.index, 7);
		check_eq(world_settled.gone, cases[i].gone);
		check_eq(world_settled.lost, cases[i].lost);
	}
	check(!node_by_gsup(&it.cancel.node) && node_by_map(&it.cancel.node));
	check_eq(hlr_node_number(&it.cancel.node), VLR_NUMBER);
}

/* An answer to what was asked before, said once more, is none to what is asked now. */
TEST(a_request_of_ours_ends_by_its_own_answer_alone)
{
	struct outbox_item it = {.kind = OUTBOX_CANCEL, .index = 7, .life = 1};
	uint8_t ours[4];

	world_begin();
	it.imsi = SUB_IMSI;
	it.cancel = (struct cancel){.type = CANCEL_SGSN_UPDATE, .kind = REG_VLR};
	hlr_node_name(it.cancel.node.host, VLR_NUMBER);
	check(hlr_cancel(&world, &it));
	hlr_talk_tid(hlr_talk_late(world_hlr.talks, UINT64_MAX), ours);
	for (uint8_t invoke = 3; invoke > 0; invoke--) {
		check_eq(world_settled.n, 0);
		w = (struct wr){.p = bytes, .cap = sizeof bytes};
		tcap_start(&o, &w, TCAP_END, (struct view){0}, (struct view){ours, 4});
		tcap_open_components(&o);
		tcap_put_done(&o, invoke);
		tcap_end(&o);
		say();
	}
	check_eq(world_settled.n, 1);
	check_eq(world_settled.lost, false);
}

static void submit(uint64_t imsi, uint64_t msisdn)
{
	static const uint8_t tpdu[] = {1, 0, 4, 0x81, 0x21, 0x43, 0, 0, 0};

	ask(46, 21, 3);
	tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
	map_put_number(&w, BER_CONTEXT, 4, bcd_of(VIEW("99970600")));
	map_put_number(&w, BER_CONTEXT, 2, msisdn);
	ber_put(&w, BER_UNIVERSAL, BER_OCTETS, (struct view){tpdu, sizeof tpdu});
	if (imsi)
		map_put_imsi(&w, BER_UNIVERSAL, BER_OCTETS, imsi);
	tcap_end(&o);
	say();
}

/* Whom the centre takes for the sender says the number; whom the profile is of, the IMSI. */
TEST(nobody_sends_a_short_message_under_anothers_number)
{
	const uint64_t own = bcd_of(VIEW("99970123456")), other = bcd_of(VIEW("99970999999"));
	const struct {
		uint64_t imsi, msisdn, owned;
		bool sent;
	} cases[] = {{SUB_IMSI, own, own, true},
		     {0, own, own, true},
		     {SUB_IMSI, other, own, false},
		     {SUB_IMSI, other, 0, true}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		world_begin();
		world_sub.msisdn = cases[i].owned;
		submit(cases[i].imsi, cases[i].msisdn);
		check_eq(said_n, 1);
		if (cases[i].sent) {
			check_eq(said[0].bytes[7], SSN_MSC); /* handed on: to the centre */
			continue;
		}
		read_last();
		check_eq(h.component, TCAP_ERROR);
		check_eq(h.code, 36);
	}
}

TESTS(T(vectors_are_as_many_as_fit_and_five_in_segments),
      T(an_update_is_done_when_its_data_are_taken_and_durable),
      T(a_commit_that_fails_is_a_system_failure),
      T(a_node_that_refuses_its_data_or_is_silent_does_not_serve),
      T(a_profile_that_changes_meanwhile_is_told_again),
      T(every_result_has_an_error_of_its_operation),
      T(versions_are_offered_nearest_first_and_contexts_of_nobody_not_at_all),
      T(each_part_of_the_data_fits_a_unit_whatever_the_names),
      T(a_bar_that_a_node_refuses_is_seen_and_others_are_not),
      T(a_short_message_goes_to_listed_numbers_alone),
      T(a_hundred_thousand_dialogues_are_open_and_no_more), T(nobody_else_goes_on_in_a_dialogue),
      T(a_dialogue_is_found_by_its_own_identifier_alone), T(a_cancellation_ends_as_it_is_answered),
      T(a_flood_of_empty_begins_takes_only_its_own_places),
      T(a_request_of_ours_ends_by_its_own_answer_alone),
      T(nobody_sends_a_short_message_under_anothers_number))
