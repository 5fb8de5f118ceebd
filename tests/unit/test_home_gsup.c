/* GSUP in home: who may connect, what waits for an answer, and what the messages say. */
#include "home/gsup_in.h"
#include "home/gsup_wait.h"
#include "unit/home_fixture.h"

static struct gsup_conf conf;

static enum err add(const char *text)
{
	return gsup_known_add(&conf, view_of(text));
}

static bool from(const char *name, const char *address)
{
	return gsup_known_from(&conf, view_of(name), view_of(address));
}

TEST(a_name_comes_from_where_it_may_and_by_itself_from_this_machine)
{
	conf = (struct gsup_conf){0};
	check_eq(add("msc-1 sgsn-1"), ERR_OK);
	check_eq(add("far.example from 10.1.0.0/16 2001:db8::/32"), ERR_OK);
	check_eq(add("  one   from 192.0.2.7 "), ERR_OK);
	check_eq(conf.known_n, 4);
	check(from("msc-1", "127.0.0.1") && from("sgsn-1", "::1") && !from("msc-1", "10.1.0.1"));
	check(from("far.example", "10.1.2.3") && from("far.example", "2001:db8::9"));
	check(!from("far.example", "127.0.0.1") && !from("far.example", "10.2.0.1"));
	check(from("one", "192.0.2.7") && !from("one", "192.0.2.8"));
	check(!from("two", "127.0.0.1") && !from("MSC-1", "127.0.0.1"));
	check(from("", "10.1.0.1") && !from("", "198.51.100.1")); /* may anybody come from there? */
}

TEST(what_is_no_list_of_nodes_is_refused)
{
	static const char *const bad[] = {"",	       "from 10.0.0.0/8",    "msc from",
					  "msc from x", "msc from 10.0.0.0/33", "ms/c", "a\nb"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		conf = (struct gsup_conf){0};
		printf("  %s\n", bad[i]);
		check_eq(add(bad[i]), ERR_VALUE);
	}
	conf = (struct gsup_conf){0};
	for (size_t i = 0; i < GSUP_KNOWN_MAX; i++)
		check_eq(add("n"), ERR_OK);
	check_eq(add("n"), ERR_FULL);
}

TEST(an_answer_finds_what_it_is_to)
{
	struct gsup_waits *ws = gsup_waits_new();
	struct gsup_wait like = {.imsi = IMSI, .conn = 7, .type = 0x10, .kind = REG_VLR}, *a, *b;

	check(ws);
	a = gsup_wait_add(ws, &like, 1000);
	like.kind = REG_SGSN;
	b = gsup_wait_add(ws, &like, 2000);
	check(a && b && a != b);
	check(gsup_wait_find(ws, 7, IMSI, 0x10, REG_VLR) == a);
	check(gsup_wait_find(ws, 7, IMSI, 0x10, REG_SGSN) == b);
	check(gsup_wait_find(ws, 7, IMSI, 0x10, 0) != NULL); /* the answer named no domain */
	check(!gsup_wait_find(ws, 8, IMSI, 0x10, 0) && !gsup_wait_find(ws, 7, IMSI, 0x1c, 0));
	check(!gsup_wait_late(ws, 1000 + GSUP_WAIT_MS - 1));
	check(gsup_wait_late(ws, 1000 + GSUP_WAIT_MS) == a);
	gsup_wait_drop(ws, a);
	check(gsup_wait_of(ws, 7) == b && !gsup_wait_of(ws, 8));
	gsup_wait_drop(ws, b);
	check(!gsup_wait_find(ws, 7, IMSI, 0x10, 0) && !gsup_wait_late(ws, UINT64_MAX));
	for (uint64_t i = 0; i < GSUP_WAIT_MAX; i++) {
		like.imsi = bcd_of(VIEW("999700000000000")) + (i << 8);
		check(gsup_wait_add(ws, &like, 0));
	}
	check(!gsup_wait_add(ws, &like, 0));
	gsup_waits_free(ws);
}

/* --- messages --- */

static uint8_t bytes[4096], room[64 * 1024];
static struct wr w;
static struct msg m;

static void begin(void)
{
	w = (struct wr){.p = bytes, .cap = sizeof bytes};
}

static void parse(void)
{
	static struct arena mem;
	uint8_t type;

	mem = (struct arena){.base = room, .cap = sizeof room};
	check_eq(w.err, ERR_OK);
	check_eq(gsup_parse(&m, &type, (struct view){bytes + 4, w.n - 4}, &mem), ERR_OK);
}

static size_t count(uint16_t field)
{
	const struct slot *s = NULL;
	size_t n = 0;

	while ((s = tab_next(&m, NULL, field, s)))
		n++;
	return n;
}

TEST(the_data_are_those_of_the_profile_and_no_wildcard)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct home_rows rows = {.sub = &s, .profile = &p};

	p.apn_n = 4;
	p.apn[1] = (struct apn_row){.name = "*", .context = 2};
	p.apn[2] = (struct apn_row){.name = "non.ip", .context = 3, .pdn_type = 4};
	p.apn[3] = (struct apn_row){.name = "six.iot", .context = 4, .pdn_type = 1};
	begin();
	gsup_isd_write(&w, IMSI, &rows, REG_SGSN);
	parse();
	check_eq(gsup_imsi(&m), IMSI);
	check_eq(gsup_digits(tab_get(&m, GSUP_MSISDN)), s.msisdn);
	check_eq(count(GSUP_PDP_INFO), 2);
	check_eq(count(GSUP_COMPLETE), 1);
	check_eq(gsup_u8(tab_get(&m, GSUP_CN_DOMAIN)), 1);
	s.msisdn = 0;
	begin();
	gsup_isd_write(&w, IMSI, &rows, REG_VLR);
	parse();
	check_eq(count(GSUP_PDP_INFO) + count(GSUP_COMPLETE) + count(GSUP_MSISDN), 0);
	check_eq(gsup_u8(tab_get(&m, GSUP_CN_DOMAIN)), 2);
}

TEST(without_geran_sres_and_kc_are_the_spare_octets)
{
	struct aka_vector v = {.xres_n = 8};
	static const uint8_t spare[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	size_t start;

	memset(v.xres, 0x55, 8);
	v.xres[0] = 0xaa;
	for (int geran = 0; geran < 2; geran++) {
		struct auth_result r = {.geran = geran};

		begin();
		start = gsup_begin(&w, gsup_type(GSUP_SAI_RES), IMSI);
		gsup_put_tuple(&w, &r, &v, spare);
		gsup_end(&w, start);
		parse();
		check(view_eq(tab_get(&m, GSUP_TUPLE, GSUP_SRES),
			      geran ? VIEW("\xff\0\0\0") : (struct view){spare, 4}));
		check_eq(view_eq(tab_get(&m, GSUP_TUPLE, GSUP_KC), (struct view){spare + 4, 8}), !geran);
		check(tab_slot(&m, GSUP_TUPLE, GSUP_AUTN) && tab_slot(&m, GSUP_TUPLE, GSUP_RES));
	}
}

/* .b: of a card with COMP128-3 there is no AUTN that a network could check or send. */
TEST(a_bare_triplet_has_no_quintuplet_beside_it)
{
	static const struct auth_result r = {.geran = true, .bare = true};
	struct aka_vector v = {.xres_n = 4};
	static const uint8_t spare[16];
	size_t start;

	begin();
	start = gsup_begin(&w, gsup_type(GSUP_SAI_RES), IMSI);
	gsup_put_tuple(&w, &r, &v, spare);
	gsup_end(&w, start);
	parse();
	check(tab_slot(&m, GSUP_TUPLE, GSUP_RAND) && tab_slot(&m, GSUP_TUPLE, GSUP_SRES));
	check(tab_slot(&m, GSUP_TUPLE, GSUP_KC));
	check(!tab_slot(&m, GSUP_TUPLE, GSUP_AUTN) && !tab_slot(&m, GSUP_TUPLE, GSUP_RES));
	check(!tab_slot(&m, GSUP_TUPLE, GSUP_CK) && !tab_slot(&m, GSUP_TUPLE, GSUP_IK));
}

/* .b, R-5.1.c, R-5.7.1.a: only an unknown SIM is locked for good. */
TEST(every_result_has_a_cause_and_only_unknown_locks_the_sim)
{
	for (enum result r = RESULT_USER_UNKNOWN; r < RESULT_N; r++) {
		uint8_t cs = gsup_cause(r, REG_VLR), ps = gsup_cause(r, REG_SGSN);

		check(cs && ps);
		check_eq(ps == 3 || ps == 6 || ps == 7 || ps == 8, r == RESULT_USER_UNKNOWN);
		check_eq(cs == 2, r == RESULT_USER_UNKNOWN || r == RESULT_NO_CS);
	}
	check_eq(gsup_cause(RESULT_RAT, REG_SGSN), 13);
	check_eq(gsup_cause(RESULT_ROAMING, REG_VLR), 11);
}

TEST(radio_technologies_are_those_that_the_node_names)
{
	static const struct {
		struct view fields;
		uint16_t rats;
	} cases[] = {
	    {VIEW_INIT(""), RAT_GERAN | RAT_UTRAN},
	    {VIEW_INIT("\x29\x01\x01"), RAT_GERAN},
	    {VIEW_INIT("\x29\x02\x01\x02"), RAT_GERAN | RAT_UTRAN},
	    {VIEW_INIT("\x29\x02\x01\x02\x2a\x01\x02"), RAT_UTRAN},
	    {VIEW_INIT("\x29\x01\x03"), RAT_WB_EUTRAN | RAT_NB_IOT | RAT_LTE_M},
	    {VIEW_INIT("\x29\x01\x63"), RAT_GERAN | RAT_UTRAN},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t start;

		begin();
		start = gsup_begin(&w, gsup_type(GSUP_UL_REQ), IMSI);
		wr_view(&w, cases[i].fields);
		gsup_end(&w, start);
		parse();
		check_eq(gsup_rats(&m), cases[i].rats);
	}
}

TESTS(T(a_name_comes_from_where_it_may_and_by_itself_from_this_machine),
      T(what_is_no_list_of_nodes_is_refused), T(an_answer_finds_what_it_is_to),
      T(the_data_are_those_of_the_profile_and_no_wildcard),
      T(without_geran_sres_and_kc_are_the_spare_octets),
      T(a_bare_triplet_has_no_quintuplet_beside_it),
      T(every_result_has_a_cause_and_only_unknown_locks_the_sim),
      T(radio_technologies_are_those_that_the_node_names))
