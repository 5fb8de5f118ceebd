/* M3UA, SCCP, TCAP and MAP from bytes: what they yield, and what they refuse. */
#include "base/bcd.h"
#include "unit/test.h"
#include "wire/m3ua.h"
#include "wire/map.h"
#include "wire/sccp.h"
#include "wire/tcap.h"

static uint8_t room[2][64 * 1024];
static struct msg m, arg;
static struct view rest;

static struct arena *fresh(int nth)
{
	static struct arena mem[2];

	mem[nth] = (struct arena){ room[nth], 0, sizeof room[nth] };
	return &mem[nth];
}

static enum err tcap(struct view v)
{
	return tcap_parse(&m, v, &rest, fresh(0));
}

#define AARQ_ULR                                                                                         \
	"\x6b\x1a\x28\x18\x06\x07\x00\x11\x86\x05\x01\x01\x01\xa0\x0d\x60\x0b\xa1\x09\x06\x07\x04\x00"   \
	"\x00\x01\x00\x01\x03"
#define INVOKE_ULR                                                                                       \
	"\xa1\x1c\x02\x01\x01\x02\x01\x02\x30\x14\x04\x08\x99\x79\x00\x00\x00\x00\x00\xf1\x81\x03\x91"   \
	"\x53\x48"                                                                                       \
	"\x04\x03\x91\x53\x48"
#define BEGIN_ULR "\x62\x42\x48\x04\x01\x02\x03\x04" AARQ_ULR "\x6c\x1e" INVOKE_ULR

TEST(a_begin_yields_its_context_operation_and_argument)
{
	const struct slot *invoke, *pdu;
	uint8_t number = 0, version = 0, plan = 0;

	check_eq(tcap(VIEW(BEGIN_ULR)), ERR_OK);
	check_eq(m.shape->id, TCAP_BEGIN);
	check_eq(rest.n, 0);
	check_eq(tab_get(&m, TCAP_OTID).p[3], 4);
	pdu = tcap_dialogue(&m);
	check(pdu && pdu->field == TCAP_AARQ);
	check(map_context(tab_get(&m, TCAP_DIALOGUE, TCAP_EXTERNAL, TCAP_SINGLE, TCAP_AARQ, TCAP_CONTEXT,
				  TCAP_CONTEXT_OID), &number, &version));
	check_eq(number, 1);
	check_eq(version, 3);
	invoke = tab_slot(&m, TCAP_COMPONENTS, TCAP_INVOKE);
	check_eq(ber_int(tab_next(&m, invoke, TCAP_LOCAL, NULL)->value), 2);
	check_eq(map_parse(&arg, 2, tab_next(&m, invoke, TCAP_PARAMETER, NULL)->whole, fresh(1)), ERR_OK);
	check_eq(map_imsi(tab_get(&arg, MAP_SEQ_UPDATE_LOCATION, MAP_IMSI)), bcd_of(VIEW("999700000000001")));
	check_eq(map_number(tab_get(&arg, MAP_SEQ_UPDATE_LOCATION, MAP_VLR), &plan), bcd_of(VIEW("3584")));
	check_eq(plan, 1);
}

TEST(a_message_cut_anywhere_is_short_and_never_read_beyond)
{
	static const char whole[] = BEGIN_ULR;

	for (size_t n = 0; n < sizeof whole - 1; n++) {
		uint8_t *exact = malloc(n + 1); /* so that a sanitizer sees the first octet too many */

		memcpy(exact, whole, n);
		check(tcap((struct view){ exact, n }) != ERR_OK);
		free(exact);
	}
}

TEST(lengths_may_be_open_and_nested)
{
	check_eq(tcap(VIEW("\x62\x80\x48\x04\x01\x02\x03\x04\x6c\x80" INVOKE_ULR "\0\0\0\0")), ERR_OK);
	check(m.slot->flags & BER_INDEFINITE);
	check_eq(tab_slot(&m, TCAP_COMPONENTS)->n, 1);
	check_eq(tcap(VIEW("\x62\x80\x48\x04\x01\x02\x03\x04\x6c\x80" INVOKE_ULR "\0\0")), ERR_SHORT);
	check_eq(tcap(VIEW("\x62\x80\x48\x80\0\0\0\0")), ERR_LENGTH);
	check_eq(tcap(VIEW("\x64\x06\x49\x04\x01\x02\x03\x04\xff")), ERR_OK);
	check_eq(rest.n, 1);
}

TEST(what_follows_a_message_is_told)
{
	check_eq(tcap(VIEW("\x64\x06\x49\x04\x01\x02\x03\x04" BEGIN_ULR)), ERR_OK);
	check_eq(rest.n, sizeof BEGIN_ULR - 1);
}

TEST(strings_in_pieces_and_other_odd_forms_are_refused)
{
	static const struct {
		struct view in;
		enum err want;
	} cases[] = {
		{ VIEW_INIT("\x62\x08\x68\x06\x04\x04\x01\x02\x03\x04"), ERR_AVP_FLAGS }, /* a TID in pieces */
		{ VIEW_INIT("\x42\x06\x48\x04\x01\x02\x03\x04"), ERR_AVP_FLAGS },
		{ VIEW_INIT("\xe2\x06\xc7\x04\x01\x02\x03\x04"), ERR_UNKNOWN_APP }, /* ANSI */
		{ VIEW_INIT("\x66\x06\x48\x04\x01\x02\x03\x04"), ERR_UNKNOWN_CMD },
		{ VIEW_INIT("\x62\x07\x48\x05\x01\x02\x03\x04\x05"), ERR_LENGTH },
		{ VIEW_INIT("\x62\x85\x00\x00\x00\x00\x06\x48\x04\x01\x02\x03\x04"), ERR_LENGTH },
		{ VIEW_INIT("\x62\x08\x48\x04\x01\x02\x03\x04\x00\x00"), ERR_HEADER }, /* an end of nothing */
		{ VIEW_INIT("\x62\x0c\x48\x04\x01\x02\x03\x04\x48\x04\x01\x02\x03\x04"), ERR_REPEATED },
		{ VIEW_INIT("\x62\x09\x48\x04\x01\x02\x03\x04\x7f\x80\x00"), ERR_HEADER },
		/* an open length is closed by two zero octets and by no other form of them */
		{ VIEW_INIT("\x62\x80\x48\x04\x01\x02\x03\x04\x20\x00"), ERR_HEADER },
		{ VIEW_INIT("\x62\x80\x48\x04\x01\x02\x03\x04\x00\x81\x00"), ERR_HEADER },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %zu\n", i);
		check_eq(tcap(cases[i].in), cases[i].want);
	}
	check_eq(tcap(VIEW("\x62\x0b\x48\x04\x01\x02\x03\x04\x7f\x84\x01\x01\x07")),
		 ERR_OK); /* a tag of 513 */
	check_eq(m.slot[2].tag, 513);
}

TEST(one_of_a_choice_must_be_there_and_only_one)
{
	check_eq(map_parse(&arg, 71, VIEW("\x30\x0c\xa0\x0a\x80\x03\x00\x01\xf1\x81\x03\x91\x53\x48"),
			   fresh(1)),
		 ERR_REPEATED);
	check_eq(tcap(VIEW("\x62\x0d\x48\x04\x01\x02\x03\x04\x6c\x05\xa1\x03\x02\x01\x01")), ERR_MISSING);
	check_eq(map_parse(&arg, 3, VIEW("\x04\x08\x99\x79\x00\x00\x00\x00\x00\xf1"), fresh(1)), ERR_OK);
	check_eq(map_parse(&arg, 3, VIEW("\xa3\x0a\x04\x08\x99\x79\x00\x00\x00\x00\x00\xf1"), fresh(1)),
		 ERR_OK);
	check_eq(map_parse(&arg, 3, VIEW(""), fresh(1)), ERR_MISSING);
	check_eq(map_parse(&arg, 200, VIEW(""), fresh(1)), ERR_UNKNOWN_CMD);
}

/* A stranger's tag is another group's field; it may not be read as that. */
TEST(a_tag_that_its_group_does_not_name_is_nobodys)
{
	check_eq(map_parse(&arg, 37, VIEW("\x30\x0c\x04\x03\x91\x53\x48\x8a\x05\x01\x02\x03\x04\x05"),
			   fresh(1)),
		 ERR_OK);
	check(!tab_slot(&arg, MAP_SEQ_RESET, MAP_LMSI));
	check_eq(arg.slot[3].field, NO_FIELD);
}

TEST(bombs_of_nesting_end_at_the_limits)
{
	static uint8_t bomb[60000];

	for (size_t i = 0; i < sizeof bomb; i += 2) {
		bomb[i] = 0x6c;
		bomb[i + 1] = 0x80;
	}
	memcpy(bomb, "\x62\x80", 2);
	check_eq(tcap((struct view){ bomb, sizeof bomb }), ERR_SHORT);
	memset(bomb, 0, sizeof bomb);
	memcpy(bomb, "\x62\x83\x00\xea\x5b\x48\x04\x01\x02\x03\x04\x6c\x83\x00\xea\x50", 16);
	for (size_t i = 16; i + 2 <= sizeof bomb; i += 2)
		bomb[i] = 0xa5;
	check_eq(tcap((struct view){ bomb, 0xea5b + 5 }), ERR_FULL);
}

#define CALLED  "\x09\x12\x06\x00\x12\x04\x94\x71\x10\x32"
#define CALLING "\x08\x12\x07\x00\x12\x04\x53\x48\x10"

TEST(an_sccp_message_yields_its_parts_whatever_its_kind)
{
	static const struct {
		struct view in;
		uint16_t id;
	} cases[] = {
		{ VIEW_INIT("\x09\x00\x03\x0c\x14" CALLED CALLING "\x02hi"), SCCP_UDT },
		{ VIEW_INIT("\x0a\x01\x03\x0c\x14" CALLED CALLING "\x02hi"), SCCP_UDTS },
		{ VIEW_INIT("\x11\x01\x0f\x04\x0d\x15\x17" CALLED CALLING "\x02hi"
			    "\x10\x04\xc2\x01\x02\x03\x12\x01\x05\x00"), SCCP_XUDT },
		{ VIEW_INIT("\x13\x00\x0f\x07\x00\x0f\x00\x16\x00\x00\x00" CALLED CALLING "\x02\x00hi"),
		  SCCP_LUDT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sccp_address a;

		check_eq(sccp_parse(&m, cases[i].in, fresh(0)), ERR_OK);
		check_eq(m.shape->id, cases[i].id);
		check(view_eq(tab_get(&m, SCCP_DATA), VIEW("hi")));
		check_eq(sccp_address(&a, tab_get(&m, SCCP_CALLED)), ERR_OK);
		check_eq(a.ssn, SSN_HLR);
		check_eq(a.title, 4);
		check_eq(a.plan, PLAN_E164);
		check(view_eq((struct view){ a.digits, a.digit_n }, VIEW("49170123")));
		for (size_t n = 0; n < cases[i].in.n - (cases[i].id == SCCP_XUDT ? 1u : 0u); n++)
			check(sccp_parse(&m, view_first(cases[i].in, n), fresh(0)) != ERR_OK);
	}
	check_eq(sccp_parse(&m, cases[2].in, fresh(0)), ERR_OK);
	check_eq(sccp_segment(tab_get(&m, SCCP_SEGMENT)).left, 2);
	check_eq(sccp_segment(tab_get(&m, SCCP_SEGMENT)).reference, 0x010203);
	check(sccp_segment(tab_get(&m, SCCP_SEGMENT)).first);
	check_eq(sccp_parse(&m, VIEW("\x01\x00\x00"), fresh(0)), ERR_UNKNOWN_CMD);
	check_eq(sccp_parse(&m, VIEW("\x09\x00\x00\x01\x01\x01\x01"), fresh(0)), ERR_VALUE);
}

TEST(global_titles_of_all_kinds_are_read)
{
	static const struct {
		struct view in;
		enum err want;
		uint8_t kind, nature, translation, plan;
		const char *digits;
	} cases[] = {
		{ VIEW_INIT("\x06\x06\x84\x21\x03"), ERR_OK, 1, 4, 0, 0, "123" },
		{ VIEW_INIT("\x0a\x06\x09\x21\x43"), ERR_OK, 2, 0, 9, 0, "1234" },
		{ VIEW_INIT("\x0e\x06\x00\x71\x21\x03"), ERR_OK, 3, 0, 0, 7, "123" },
		{ VIEW_INIT("\x12\x06\x00\x12\x04\x21\x4b"), ERR_OK, 4, 4, 0, 1, "12b4" },
		{ VIEW_INIT("\x43\x34\x12\x08"), ERR_OK, 0, 0, 0, 0, "" },
		{ VIEW_INIT("\x16\x06\x00\x12\x04\x21"), ERR_VALUE, 5, 0, 0, 0, "" },
		{ VIEW_INIT("\x12\x06\x00"), ERR_SHORT, 4, 0, 0, 0, "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sccp_address a;

		check_eq(sccp_address(&a, cases[i].in), cases[i].want);
		check_eq(a.title, cases[i].kind);
		if (cases[i].want)
			continue;
		check_eq(a.nature, cases[i].nature);
		check_eq(a.translation, cases[i].translation);
		check_eq(a.plan, cases[i].plan);
		check(view_eq((struct view){ a.digits, a.digit_n }, view_of(cases[i].digits)));
	}
}

TEST(m3ua_is_read_and_written_padded)
{
	uint8_t out[64];
	struct wr w = { .p = out, .cap = sizeof out };
	struct m3ua_data d = { .opc = 100,
			       .dpc = 200,
			       .si = M3UA_SCCP,
			       .ni = 2,
			       .sls = 5,
			       .user = VIEW("user!") },
			 got;
	size_t start = m3ua_begin(&w, M3UA_TRANSFER);

	m3ua_put_u32(&w, M3UA_ROUTING_CONTEXT, 7);
	m3ua_put_data(&w, &d);
	m3ua_end(&w, start);
	check_eq(w.err, ERR_OK);
	check_eq(w.n, 8 + 8 + 4 + 12 + 8);
	check_eq(m3ua_frame(wr_done(&w)), w.n);
	check_eq(m3ua_parse(&m, wr_done(&w), fresh(0)), ERR_OK);
	check(m3ua_data(&m, &got));
	check_eq(got.opc, 100);
	check_eq(got.dpc, 200);
	check(view_eq(got.user, d.user));
	for (size_t n = 0; n < w.n; n++)
		check(m3ua_parse(&m, view_first(wr_done(&w), n), fresh(0)) != ERR_OK);
	check_eq(m3ua_parse(&m, VIEW("\1\0\3\3\0\0\0\10"), fresh(0)), ERR_OK);
	check_eq(m3ua_parse(&m, VIEW("\2\0\3\3\0\0\0\10"), fresh(0)), ERR_VERSION);
	check_eq(m3ua_parse(&m, VIEW("\1\0\5\3\0\0\0\10"), fresh(0)), ERR_UNKNOWN_CMD);
	check_eq(m3ua_parse(&m, VIEW("\1\0\2\1\0\0\0\10"), fresh(0)), ERR_MISSING);
	check_eq(m3ua_frame(VIEW("\1\0\1\1\0\0\0\4")), SIZE_MAX);
}

TEST(every_operation_and_context_that_screening_names_is_known)
{
	static const uint8_t codes[] = { 2,  3,	 4,  5,	 6,  7,	 8,  9,	 10, 11, 12, 13, 14, 15,
					 17, 18, 19, 20, 22, 23, 24, 25, 26, 28, 29, 33, 34, 36,
					 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 50, 51, 54,
					 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68,
					 69, 70, 71, 72, 73, 74, 75, 83, 85, 86, 88, 89 };
	uint8_t number, version;

	for (size_t i = 0; i < sizeof codes; i++) {
		printf("  %u\n", codes[i]);
		check(map_operation(codes[i]) != NULL);
	}
	check(map_context(VIEW("\x04\x00\x00\x01\x00\x20\x03"), &number, &version));
	check(number == 32 && version == 3);
	check(!map_context(VIEW("\x04\x00\x00\x01\x15\x03\x04"), &number, &version)); /* CAP */
}

TESTS(T(a_begin_yields_its_context_operation_and_argument),
      T(a_message_cut_anywhere_is_short_and_never_read_beyond), T(lengths_may_be_open_and_nested),
      T(what_follows_a_message_is_told), T(strings_in_pieces_and_other_odd_forms_are_refused),
      T(one_of_a_choice_must_be_there_and_only_one), T(a_tag_that_its_group_does_not_name_is_nobodys),
      T(bombs_of_nesting_end_at_the_limits), T(an_sccp_message_yields_its_parts_whatever_its_kind),
      T(global_titles_of_all_kinds_are_read), T(m3ua_is_read_and_written_padded),
      T(every_operation_and_context_that_screening_names_is_known))
