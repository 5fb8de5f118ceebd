/* Diameter from bytes: what the rows accept, what they refuse, and what a peer hears of it
 * (R-3.4.2.a, R-5.6.d). */
#include "unit/dia_example.h"
#include "unit/test.h"

#define EACH_SHAPE(s)                                  \
	(const struct shape *s = dia_proto.shapes + 1; \
	 s < dia_proto.shapes + dia_proto.shape_n; s++)

static uint8_t room[64 * 1024], bytes[64 * 1024];
static struct arena mem;
static struct wr w;
static struct msg m;
static struct dia_header h;

static struct wr *fresh(void)
{
	w = (struct wr){ .p = bytes, .cap = sizeof bytes };
	return &w;
}

static enum err parse(struct view in, enum dia_strict strict)
{
	mem = (struct arena){ room, 0, sizeof room };
	return dia_parse(&m, &h, in, strict, &mem);
}

/* An example of a message with `n` more bytes at its end, its length made true. */
static struct view with(enum dia_msg id, uint16_t without, struct view more)
{
	struct view v = dia_example(id, (struct example){ .without = without }, fresh());

	wr_view(&w, more);
	dia_end(&w, 0);
	return (struct view){ v.p, w.n };
}

static size_t rules_n(const struct rule *r)
{
	size_t n = 0;

	while (r && r[n].field != NO_FIELD)
		n++;
	return n;
}

/* What the index and Failed-AVP rely on, and no compiler can see. */
TEST(rows_keep_within_the_engine)
{
	const struct field *f = dia_proto.fields;

	check(!dia_proto.index->by_rule); /* no two AVPs share code and vendor */
	for (size_t i = 1; i < dia_proto.field_n; i++) {
		check(f[i].name != NULL);
		check(f[i].min <= f[i].max && f[i].min + 12 + 3 <= FAULT_MAX);
		check(rules_n(f[i].rules) <= RULES_MAX);
		check(f[i].kind != ENUM || f[i].among);
		check(f[i].kind == GROUP || !f[i].rules);
		for (size_t k = 1; k < i; k++)
			check(strcmp(f[i].name, f[k].name) != 0);
	}
	for EACH_SHAPE(s)
		check(rules_n(s->rules) <= RULES_MAX);
}

TEST(every_message_of_the_table_parses)
{
	for EACH_SHAPE(s) {
		enum dia_msg id = (enum dia_msg)s->id;

		for (int full = 0; full < 2; full++) {
			struct view v = dia_example(id, (struct example){ .full = full }, fresh());

			printf("  %s%s, %zu bytes\n", s->name, full ? " with everything" : "", v.n);
			check_eq(parse(v, DIA_RELAY), ERR_OK);
			check_eq(parse(v, DIA_END), ERR_OK);
			check_eq(m.shape->id, id);
			check(view_eq(m.raw, v));
			for (const struct rule *r = s->rules; full && r->field != NO_FIELD; r++)
				check(tab_slot(&m, r->field) != NULL);
		}
	}
}

TEST(what_a_message_must_have_is_missed_and_named)
{
	for EACH_SHAPE(s) {
		for (const struct rule *r = s->rules; r->field != NO_FIELD; r++) {
			const struct field *f = &dia_proto.fields[r->field];
			struct example how = { .without = r->field };
			size_t header = f->space ? 12 : 8;

			if (r->min == 0)
				continue;
			for (int strict = DIA_END; strict <= DIA_RELAY; strict++) {
				check_eq(parse(dia_example((enum dia_msg)s->id, how, fresh()),
					       (enum dia_strict)strict), ERR_MISSING);
				check_eq(m.culprit, r->field);
				check_eq(m.bad.n, (header + f->min + 3) / 4 * 4);
				check_eq(dia_u32(view_first(m.bad, 4)), f->tag);
				check_eq(m.bad.p[7], header + f->min);
				for (size_t i = header; i < m.bad.n; i++)
					check_eq(m.bad.p[i], 0);
			}
		}
	}
}

TEST(what_a_message_may_have_once_is_refused_twice)
{
	for EACH_SHAPE(s) {
		for (const struct rule *r = s->rules; r->field != NO_FIELD; r++) {
			struct example how = { .twice = r->field };
			struct view in = dia_example((enum dia_msg)s->id, how, fresh());
			enum err want = r->max == 1 ? ERR_REPEATED : ERR_OK;

			check_eq(parse(in, DIA_RELAY), want);
			check_eq(parse(in, DIA_END), want);
			check_eq(m.culprit, want ? r->field : NO_FIELD);
		}
	}
}

#define V VIEW_INIT
#define UNKNOWN_M   "\0\0\x0f\x9f\x40\0\0\x0c\0\0\0\1"
#define UNKNOWN     "\0\0\x0f\x9f\x00\0\0\x0c\0\0\0\1"
#define STATE(f, x) "\0\0\1\x15" f "\0\0\x0c" x

TEST(every_avp_error_is_heard_with_the_avp_to_blame)
{
	static const struct {
		const char *why;
		uint16_t without;
		struct view more;
		enum err end, relay;
		uint32_t result;
		struct view bad;
	} cases[] = {
		{ "unknown, M set", 0, V(UNKNOWN_M), ERR_UNKNOWN, ERR_OK, 5001, V(UNKNOWN_M) },
		{ "unknown, M clear", 0, V(UNKNOWN), ERR_OK, ERR_OK, 2001, V("") },
		{ "number out of its list", AVP_AUTH_SESSION_STATE, V(STATE("\x40", "\0\0\0\2")),
		  ERR_VALUE, ERR_VALUE, 5004, V(STATE("\x40", "\0\0\0\2")) },
		{ "reserved flag", AVP_AUTH_SESSION_STATE, V(STATE("\x41", "\0\0\0\1")),
		  ERR_AVP_FLAGS, ERR_AVP_FLAGS, 3009, V(STATE("\x41", "\0\0\0\1")) },
		{ "reserved flag, unknown", 0, V("\0\0\x0f\x9f\x10\0\0\x08"),
		  ERR_AVP_FLAGS, ERR_OK, 3009, V("\0\0\x0f\x9f\x10\0\0\x08") },
		{ "vendor zero", 0, V("\0\0\0\1\x80\0\0\x0d\0\0\0\0" "1\0\0\0"),
		  ERR_AVP_FLAGS, ERR_AVP_FLAGS, 3009, V("\0\0\0\1\x80\0\0\x0d\0\0\0\0" "1\0\0\0") },
		{ "number of 3 bytes", AVP_AUTH_SESSION_STATE, V("\0\0\1\x15\x40\0\0\x0b\0\0\1\0"),
		  ERR_LENGTH, ERR_LENGTH, 5014, V("\0\0\1\x15\x40\0\0\x0b\0\0\1\0") },
		{ "longer than the message", AVP_AUTH_SESSION_STATE,
		  V("\0\0\1\x15\x40\0\1\0\0\0\0\1"),
		  ERR_LENGTH, ERR_LENGTH, 5014, V("\0\0\1\x15\x40\0\0\x0c\0\0\0\0") },
		{ "shorter than its header", AVP_AUTH_SESSION_STATE,
		  V("\0\0\1\x15\x40\0\0\7\0\0\0\1"),
		  ERR_LENGTH, ERR_LENGTH, 5014, V("\0\0\1\x15\x40\0\0\x0c\0\0\0\0") },
		{ "header cut", 0, V("\0\0\1\x15"), ERR_SHORT, ERR_SHORT, 5014,
		  V("\0\0\1\x15\0\0\0\x08") },
		{ "vendor cut", 0, V("\0\0\5\x7a\xc0\0\0\x10"), ERR_SHORT, ERR_SHORT, 5014,
		  V("\0\0\5\x7a\xc0\0\0\x0c\0\0\0\0") },
		{ "padding of a nested AVP missing", 0,
		  V("\0\0\5\x79\xc0\0\0\x1a\0\0\x28\xaf" "\0\0\5\x7b\xc0\0\0\x0e\0\0\x28\xaf" "01"
		    "\0\0"),
		  ERR_LENGTH, ERR_LENGTH, 5014, V("\0\0\5\x7b\xc0\0\0\x0e\0\0\x28\xaf\0\0\0\0") },
		{ "a closed group with a stranger", 0,
		  V("\0\0\1\x29\x40\0\0\x2c\0\0\1\x0a\x40\0\0\x0c\0\0\x28\xaf"
		    "\0\0\1\x2a\x40\0\0\x0c\0\0\x13\x89" UNKNOWN),
		  ERR_NOT_ALLOWED, ERR_OK, 5008, V(UNKNOWN) },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view in = with(S6A_ULR, cases[i].without, cases[i].more);

		printf("  %s\n", cases[i].why);
		check_eq(parse(in, DIA_RELAY), cases[i].relay);
		check_eq(parse(in, DIA_END), cases[i].end);
		check_eq(dia_result(cases[i].end), cases[i].result);
		check_eq(m.bad.n, cases[i].bad.n);
		check(view_eq(m.bad, cases[i].bad));
	}
}

TEST(a_wrong_header_is_told_before_anything_else)
{
	static const struct {
		const char *why;
		size_t at;
		uint8_t byte;
		enum err end, relay;
		uint32_t result;
	} cases[] = {
		{ "version 2", 0, 2, ERR_VERSION, ERR_VERSION, 5011 },
		{ "length", 3, 0, ERR_HEADER, ERR_HEADER, 5015 },
		{ "request and error", 4, 0xe0, ERR_FLAGS, ERR_FLAGS, 3008 },
		{ "not proxiable", 4, 0x80, ERR_FLAGS, ERR_OK, 3008 },
		{ "reserved bits are ignored", 4, 0xcf, ERR_OK, ERR_OK, 2001 },
		{ "command", 7, 99, ERR_UNKNOWN_CMD, ERR_OK, 3001 },
		{ "application", 8, 9, ERR_UNKNOWN_APP, ERR_OK, 3007 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view in = dia_example(S6A_AIR, (struct example){ 0 }, fresh());

		printf("  %s\n", cases[i].why);
		bytes[cases[i].at] = cases[i].byte;
		check_eq(parse(in, DIA_RELAY), cases[i].relay);
		check_eq(parse(in, DIA_END), cases[i].end);
		check_eq(dia_result(cases[i].end), cases[i].result);
		check_eq(h.hop_by_hop, 7);
		check_eq(h.end_to_end, 9);
		check_eq(m.bad.n, 0);
	}
	check_eq(parse(VIEW("\1\0\0\x13"), DIA_END), ERR_SHORT);
	check_eq(h.hop_by_hop, 0);
	check(tab_slot(&m, AVP_SESSION_ID) == NULL);
}

TEST(after_an_error_the_answer_still_finds_its_fields)
{
	struct view in = with(S6A_ULR, AVP_SESSION_ID,
			      VIEW(UNKNOWN_M "\0\0\1\7\x40\0\0\x0b" "a;1\0"
				   STATE("\x40", "\0\0\0\1")));

	check_eq(parse(in, DIA_END), ERR_UNKNOWN);
	check(view_eq(tab_get(&m, AVP_SESSION_ID), VIEW("a;1")));
	check(view_eq(m.bad, VIEW(UNKNOWN_M)));

	in = dia_example(S6A_AIR, (struct example){ .full = true }, fresh());
	bytes[7] = 99;
	check_eq(parse(in, DIA_END), ERR_UNKNOWN_CMD);
	check(!m.shape);
	check(tab_get(&m, AVP_SESSION_ID).n > 0);
	check(tab_slot(&m, AVP_PROXY_INFO) != NULL);
}

TEST(values_are_judged_not_only_lengths)
{
	static const struct {
		enum dia_msg msg;
		uint16_t avp;
		struct view value;
		enum err err;
	} cases[] = {
		{ S6A_ULR, AVP_USER_NAME, V("00101"), ERR_VALUE },
		{ S6A_ULR, AVP_USER_NAME, V("001010"), ERR_OK },
		{ S6A_ULR, AVP_USER_NAME, V("001010123456789"), ERR_OK },
		{ S6A_ULR, AVP_USER_NAME, V("0010101234567890"), ERR_VALUE },
		{ S6A_ULR, AVP_USER_NAME, V("00101012345678a"), ERR_VALUE },
		{ S13_ECR, AVP_USER_NAME, V("0;DROP"), ERR_VALUE },
		{ S6A_ULR, AVP_VISITED_PLMN_ID, V("\x00\xf1\x10"), ERR_OK },
		{ S6A_ULR, AVP_VISITED_PLMN_ID, V("\x00\x31\x10"), ERR_OK },
		{ S6A_ULR, AVP_VISITED_PLMN_ID, V("\x0a\xf1\x10"), ERR_VALUE },
		{ S6A_ULR, AVP_VISITED_PLMN_ID, V("\x00\xe1\x10"), ERR_VALUE },
		{ S6A_ULR, AVP_VISITED_PLMN_ID, V("\x00\xf1"), ERR_LENGTH },
		{ S6A_ULR, AVP_RAT_TYPE, V("\0\0\x03\xec"), ERR_OK },
		{ S6A_ULR, AVP_RAT_TYPE, V("\0\0\x03\xe7"), ERR_VALUE },
		{ S6A_ULR, AVP_ORIGIN_HOST, V("mme_1.example-net.org"), ERR_OK },
		{ S6A_ULR, AVP_ORIGIN_HOST, V("mme example"), ERR_VALUE },
		{ S6A_ULR, AVP_ORIGIN_HOST, V("mme\0.example"), ERR_VALUE },
		{ S6A_ULR, AVP_ORIGIN_HOST, V(""), ERR_LENGTH },
		{ S6A_ULR, AVP_SESSION_ID, V("mme;1;2;\xc3\xa9"), ERR_OK },
		{ S6A_ULR, AVP_SESSION_ID, V("mme;1;2;12345678\xc3"), ERR_VALUE },
		{ S6A_ULR, AVP_SESSION_ID, V("mme;\xc0\xaf"), ERR_VALUE },
		{ S6A_ULR, AVP_SESSION_ID, V("mme;\xed\xa0\x80"), ERR_VALUE },
		{ S6A_ULR, AVP_SESSION_ID, V("12345678\x1b[31m"), ERR_VALUE },
		{ S6A_CLR, AVP_CANCELLATION_TYPE, V("\0\0\0\4"), ERR_OK },
		{ S6A_CLR, AVP_CANCELLATION_TYPE, V("\0\0\0\5"), ERR_VALUE },
		{ S13_ECA, AVP_EQUIPMENT_STATUS, V("\0\0\0\3"), ERR_VALUE },
		{ S6A_ULR, AVP_SGSN_NUMBER, V("\x21\xf3"), ERR_OK },
		{ S6A_ULR, AVP_SGSN_NUMBER, V("\xf1\x23"), ERR_VALUE },
		{ DIA_CER, AVP_HOST_IP_ADDRESS, V("\0\1\x7f\0\0\1"), ERR_OK },
		{ DIA_CER, AVP_HOST_IP_ADDRESS, V("\0\2\x7f\0\0\1"), ERR_VALUE },
		{ DIA_CER, AVP_HOST_IP_ADDRESS, V("\0\2" "0123456789abcdef"), ERR_OK },
		{ DIA_CER, AVP_HOST_IP_ADDRESS, V("\0\1" "0123456789abcdef"), ERR_VALUE },
		{ DIA_CER, AVP_HOST_IP_ADDRESS, V("\0\1\0\0"), ERR_LENGTH },
		{ DIA_DPR, AVP_DISCONNECT_CAUSE, V("\0\0\0\3"), ERR_VALUE },
		{ S6A_ULR, AVP_DRMP, V("\0\0\0\x10"), ERR_VALUE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *name = dia_proto.fields[cases[i].avp].name;
		uint8_t avp[64];
		struct wr a = { .p = avp, .cap = sizeof avp };

		dia_put(&a, cases[i].avp, cases[i].value);
		printf("  %zu %s\n", i, name);
		for (int strict = DIA_END; strict <= DIA_RELAY; strict++) {
			check_eq(parse(with(cases[i].msg, cases[i].avp, wr_done(&a)),
				       (enum dia_strict)strict), cases[i].err);
			check(view_eq(m.bad, cases[i].err ? wr_done(&a) : (struct view){ 0 }));
		}
	}
}

TEST(a_relay_passes_what_it_need_not_understand)
{
	/* a Subscription-Data with an unknown PDN type, in a message that has no use for it */
	struct view odd = VIEW("\0\0\5\xb0\x80\0\0\x10\0\0\x28\xaf\0\0\0\x63");
	struct view in = with(S6A_AIR, 0, odd);

	check_eq(parse(in, DIA_END), ERR_VALUE);
	check_eq(parse(in, DIA_RELAY), ERR_OK);
	check_eq(tab_slot(&m, AVP_PDN_TYPE)->opaque, 1);

	in = dia_example(S6A_AIR, (struct example){ 0 }, fresh());
	bytes[7] = 99;
	check_eq(parse(in, DIA_RELAY), ERR_OK);
	check(!m.shape);
	check(tab_get(&m, AVP_ORIGIN_HOST).n > 0);
}

TEST(count_depth_and_room_are_bounded)
{
	struct view in = dia_example(S6A_AIR, (struct example){ 0 }, fresh());
	size_t open[DEPTH_MAX + 1];
	static uint8_t little[3000];

	while (w.n < 20 + 8 * (SLOTS_MAX + 64))
		wr_view(&w, VIEW("\0\0\x0f\x9f\0\0\0\x08"));
	dia_end(&w, 0);
	check_eq(parse(wr_done(&w), DIA_END), ERR_FULL);
	check_eq(parse(wr_done(&w), DIA_RELAY), ERR_FULL);
	check_eq(dia_result(ERR_FULL), 5012);

	for (int deep = 0; deep < 2; deep++) {
		int n = DEPTH_MAX - 1 + deep;

		dia_example(S6A_AIR, (struct example){ 0 }, fresh());
		for (int i = 0; i < n; i++)
			open[i] = dia_open(&w, AVP_EMERGENCY_INFO);
		dia_put_u32(&w, AVP_ORIGIN_STATE_ID, 1);
		while (n > 0)
			dia_close(&w, open[--n]);
		dia_end(&w, 0);
		check_eq(parse(wr_done(&w), DIA_END), deep ? ERR_FULL : ERR_OK);
		check_eq(parse(wr_done(&w), DIA_RELAY), ERR_OK);
	}

	in = dia_example(S6A_ULA, (struct example){ .full = true }, fresh());
	mem = (struct arena){ little, 0, sizeof little };
	check_eq(dia_parse(&m, &h, in, DIA_END, &mem), ERR_FULL);
}

TEST(repeated_fields_are_walked_in_order)
{
	struct view in = with(S6A_AIR, 0,
			      VIEW("\0\0\1\x1a\x40\0\0\x0a" "r1\0\0"
				   "\0\0\1\x1a\x40\0\0\x0a" "r2\0\0"));
	const struct slot *s = NULL;
	size_t n = 0;

	check_eq(parse(in, DIA_END), ERR_OK);
	while ((s = tab_next(&m, NULL, AVP_ROUTE_RECORD, s))) {
		check_eq(s->value.p[1], '1' + n);
		check_eq(s->whole.n, 12);
		n++;
	}
	check_eq(n, 2);
	for (n = 0; (s = tab_next(&m, NULL, NO_FIELD, s)); n++)
		check(s->whole.p >= in.p + 20 && s->whole.p + s->whole.n <= in.p + in.n);
	check_eq(n, m.slot[0].n);
	check(tab_slot(&m, AVP_SUBSCRIPTION_DATA, AVP_AMBR) == NULL);
}

TEST(writers_keep_flags_lengths_and_padding)
{
	static const uint8_t want[] =
		"\1\0\0\x48\xc0\0\1\x3e\1\0\0\x23\0\0\0\5\0\0\0\6" /* AIR */
		"\0\0\1\7\x40\0\0\x0a" "ab\0\0"                    /* Session-Id: M */
		"\0\0\2\x74\x80\0\0\x18\0\0\x28\xaf"               /* Supported-Features: V */
		"\0\0\1\x0a\x40\0\0\x0c\0\0\x28\xaf"
		"\0\0\2\x70\0\0\0\x10\0\0\0\0\0\0\0\1"; /* OC-Sequence-Number: neither */
	struct dia_header head = { .flags = 0xc0, .code = 318, .app = DIA_APP_S6A,
				   .hop_by_hop = 5, .end_to_end = 6 };
	size_t start, group;

	wr_view(fresh(), VIEW("before"));
	start = dia_begin(&w, &head);
	dia_put_text(&w, AVP_SESSION_ID, "ab");
	group = dia_open(&w, AVP_SUPPORTED_FEATURES);
	dia_put_u32(&w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_close(&w, group);
	dia_put_u64(&w, AVP_OC_SEQUENCE_NUMBER, 1);
	dia_end(&w, start);
	check_eq(start, 6);
	check(view_eq((struct view){ bytes + start, w.n - start },
		      (struct view){ want, sizeof want - 1 }));
	dia_set_hop_by_hop(bytes + start, 0xdeadbeef);
	check_eq(dia_u32((struct view){ bytes + start + 12, 4 }), 0xdeadbeef);
	check_eq(bytes[start + 19], 6);

	w = (struct wr){ .p = bytes, .cap = 30 };
	dia_begin(&w, &head);
	dia_put_text(&w, AVP_SESSION_ID, "ab");
	check_eq(w.err, ERR_FULL);
}

TEST(frames_are_cut_by_their_length)
{
	static const struct {
		struct view in;
		size_t want;
	} cases[] = {
		{ V(""), 0 },
		{ V("\1\0\0"), 0 },
		{ V("\1\0\0\x14"), 0 },
		{ V("\1\0\0\x14" "0123456789abcdef"), 20 },
		{ V("\1\0\0\x14" "0123456789abcdef" "more"), 20 },
		{ V("\2"), SIZE_MAX },
		{ V("\1\0\0\x10"), SIZE_MAX },
		{ V("\1\0\0\x15"), SIZE_MAX },
		{ V("\1\1\0\0"), 0 },
		{ V("\1\1\0\4"), SIZE_MAX },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_eq(dia_frame(cases[i].in), cases[i].want);
}

TESTS(T(rows_keep_within_the_engine), T(every_message_of_the_table_parses),
      T(what_a_message_must_have_is_missed_and_named),
      T(what_a_message_may_have_once_is_refused_twice),
      T(every_avp_error_is_heard_with_the_avp_to_blame),
      T(a_wrong_header_is_told_before_anything_else),
      T(after_an_error_the_answer_still_finds_its_fields), T(values_are_judged_not_only_lengths),
      T(a_relay_passes_what_it_need_not_understand), T(count_depth_and_room_are_bounded),
      T(repeated_fields_are_walked_in_order), T(writers_keep_flags_lengths_and_padding),
      T(frames_are_cut_by_their_length))
