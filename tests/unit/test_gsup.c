/* GSUP and the IPA multiplex: frames, names, digits, and what every message must hold. */
#include "unit/test.h"
#include "wire/gsup.h"
#include "wire/ipa.h"

#define IMSI bcd_of(VIEW("999700000000001"))

static uint8_t bytes[8192], room[64 * 1024];
static struct wr w;
static struct msg m;

static void begin(void)
{
	w = (struct wr){.p = bytes, .cap = sizeof bytes};
}

/* What was written last, without its IPA header. */
static enum err parse(uint8_t *type)
{
	static struct arena mem;

	mem = (struct arena){.base = room, .cap = sizeof room};
	check_eq(w.err, ERR_OK);
	return gsup_parse(&m, type, (struct view){bytes + 4, w.n - 4}, &mem);
}

TEST(a_frame_is_as_long_as_its_header_says_and_no_longer_than_we_accept)
{
	static const uint8_t ping[] = {0, 1, IPA_CCM, IPA_PING}, other[] = {0, 1, 0xfd, 0},
			     empty[] = {0, 0, IPA_CCM}, huge[] = {0xff, 0xff, IPA_OSMO};
	struct ipa i;

	check_eq(ipa_frame((struct view){ping, 2}), 0);
	check_eq(ipa_frame((struct view){ping, 4}), 4);
	check_eq(ipa_parse((struct view){ping, 4}, &i), ERR_OK);
	check_eq(i.stream, IPA_CCM);
	check_eq(i.kind, IPA_PING);
	check_eq(i.body.n, 0);
	check_eq(ipa_parse((struct view){ping, 3}, &i), ERR_HEADER);
	check_eq(ipa_frame((struct view){other, 4}), SIZE_MAX);
	check_eq(ipa_frame((struct view){empty, 3}), SIZE_MAX);
	check_eq(ipa_frame((struct view){huge, 3}), SIZE_MAX);
	check(ipa_oversize((struct view){huge, 3}) && !ipa_oversize((struct view){other, 4}));
}

TEST(a_name_is_the_serial_number_else_the_units_and_nothing_that_is_no_name)
{
	static const struct {
		const char *why;
		struct view body, name;
	} cases[] = {
	    {"unit name alone", VIEW_INIT("\0\6\1MSC-1"), VIEW_INIT("MSC-1")},
	    {"with a NUL", VIEW_INIT("\0\7\1MSC-1\0"), VIEW_INIT("MSC-1")},
	    {"the serial number counts", VIEW_INIT("\0\6\1MSC-1\0\4\0two\0\6\1MSC-3"),
	     VIEW_INIT("two")},
	    {"none", VIEW_INIT("\0\2\7x"), VIEW_INIT("")},
	    {"control characters", VIEW_INIT("\0\5\1a\nbc"), VIEW_INIT("")},
	    {"longer than it is", VIEW_INIT("\0\x10\1MSC"), VIEW_INIT("")},
	    {"no tag", VIEW_INIT("\0\0"), VIEW_INIT("")},
	    {"something behind", VIEW_INIT("\0\4\1MSC\0"), VIEW_INIT("")},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %s\n", cases[i].why);
		check(view_eq(ipa_name(cases[i].body), cases[i].name));
	}
}

TEST(numbers_of_any_length_come_back_as_they_were)
{
	char digits[] = "123456789012345";
	uint8_t type;

	for (size_t n = 6; n <= 15; n++) {
		uint64_t id = bcd_of((struct view){(const uint8_t *)digits, n});
		size_t start;

		begin();
		start = gsup_begin(&w, gsup_type(GSUP_IMEI_REQ), id);
		gsup_put_digits(&w, GSUP_IMEI, id);
		gsup_end(&w, start);
		check_eq(parse(&type), ERR_OK);
		check_eq(gsup_imsi(&m), id);
		check_eq(gsup_digits(tab_get(&m, GSUP_IMEI)), id);
	}
	check_eq(gsup_digits(VIEW("\x03\x21\x43")), 0); /* shorter than it says */
	check_eq(gsup_digits(VIEW("\x01\xaa")), 0);
	check_eq(gsup_digits(VIEW("\x02\xf1\x43")), 0); /* a filler in the middle */
	check_eq(gsup_digits(VIEW("")), 0);
}

TEST(an_apn_is_labels)
{
	size_t start;
	uint8_t type;

	begin();
	start = gsup_begin(&w, gsup_type(GSUP_ISD_REQ), IMSI);
	{
		size_t info = gsup_open(&w, GSUP_PDP_INFO);

		gsup_put_u8(&w, GSUP_CONTEXT_ID, 3);
		gsup_put_apn(&w, VIEW("meters.iot"));
		gsup_close(&w, info);
	}
	gsup_put_mark(&w, GSUP_COMPLETE);
	gsup_end(&w, start);
	check_eq(parse(&type), ERR_OK);
	check_eq(type, 0x10);
	check(view_eq(tab_get(&m, GSUP_PDP_INFO, GSUP_APN), VIEW("\6meters\3iot")));
	check_eq(gsup_u8(tab_get(&m, GSUP_PDP_INFO, GSUP_CONTEXT_ID)), 3);
	check(tab_slot(&m, GSUP_COMPLETE));
}

TEST(what_a_message_must_hold_is_asked_for_and_an_error_still_finds_the_imsi)
{
	size_t start;
	uint8_t type;

	begin();
	start = gsup_begin(&w, gsup_type(GSUP_IMEI_REQ), IMSI);
	gsup_end(&w, start);
	check_eq(parse(&type), ERR_MISSING);
	check_eq(gsup_imsi(&m), IMSI);
	begin();
	start = gsup_begin(&w, gsup_type(GSUP_UL_REQ), 0);
	gsup_put_u8(&w, GSUP_CN_DOMAIN, 2);
	gsup_end(&w, start);
	check_eq(parse(&type), ERR_MISSING);
	begin();
	start = gsup_begin(&w, gsup_type(GSUP_UL_REQ), IMSI);
	gsup_put_u8(&w, GSUP_CN_DOMAIN, 3);
	gsup_end(&w, start);
	check_eq(parse(&type), ERR_VALUE);
	begin();
	start = gsup_begin(&w, 0x20, IMSI); /* supplementary services: no row of ours */
	wr_view(&w, VIEW("\x35\x02ok"));
	gsup_end(&w, start);
	check_eq(parse(&type), ERR_UNKNOWN_CMD);
	check_eq(type, 0x20);
	check_eq(gsup_imsi(&m), IMSI);
	begin();
	start = gsup_begin(&w, gsup_type(GSUP_UL_REQ), IMSI);
	wr_view(&w, VIEW("\xee\x01x")); /* a field of a later version */
	gsup_end(&w, start);
	check_eq(parse(&type), ERR_OK);
}

TEST(a_field_that_is_too_long_is_not_written)
{
	static const uint8_t big[256];
	size_t start;

	begin();
	start = gsup_begin(&w, gsup_type(GSUP_UL_RES), IMSI);
	gsup_put(&w, GSUP_HLR_NUMBER, (struct view){big, 256});
	gsup_end(&w, start);
	check_eq(w.err, ERR_FULL);
}

TESTS(T(a_frame_is_as_long_as_its_header_says_and_no_longer_than_we_accept),
      T(a_name_is_the_serial_number_else_the_units_and_nothing_that_is_no_name),
      T(numbers_of_any_length_come_back_as_they_were), T(an_apn_is_labels),
      T(what_a_message_must_hold_is_asked_for_and_an_error_still_finds_the_imsi),
      T(a_field_that_is_too_long_is_not_written))
