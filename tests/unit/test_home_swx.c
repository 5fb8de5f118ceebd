/* SWx: who the subscriber is, which AAA server serves, what it is told, and when it is told that no more. */
#include "home/swx.h"
#include "home/told.h"
#include "unit/home_fixture.h"

#define AAA_1 VIEW("aaa1.epc.mnc070.mcc999.3gppnetwork.org")
#define AAA_2 VIEW("aaa2.epc.mnc070.mcc999.3gppnetwork.org")
#define REALM VIEW("epc.mnc070.mcc999.3gppnetwork.org")

static struct page page;

static struct profile_row wifi_profile(void)
{
	struct profile_row p = meter_profile();

	p.services = SERVICE_WIFI_AKA;
	return p;
}

static struct reg_row aaa_row(void)
{
	struct reg_row r = {0};

	r.imsi = reg_aaa(IMSI);
	return r;
}

static struct assign_result assign(const struct sub_row *s, const struct profile_row *p,
				   const struct reg_row *reg, struct view host, uint32_t type)
{
	struct home_rows rows = {.sub = s, .profile = p, .reg = reg};
	struct assign_request q = {IMSI, host, REALM, type};
	struct assign_result r;

	assign_server(&rows, &q, WALL, &r);
	return r;
}

TEST(a_row_of_the_aaa_server_is_told_from_the_other_by_its_number)
{
	uint64_t longest = bcd_of(VIEW("999999999999999")), shortest = bcd_of(VIEW("999700"));

	check(reg_aaa(IMSI) != IMSI);
	check(reg_is_aaa(reg_aaa(IMSI)) && !reg_is_aaa(IMSI));
	check_eq(reg_imsi(reg_aaa(IMSI)), IMSI);
	check_eq(reg_imsi(IMSI), IMSI);
	check_eq(reg_imsi(reg_aaa(longest)), longest);
	check_eq(reg_imsi(reg_aaa(shortest)), shortest);
}

TEST(the_subscriber_is_an_imsi_or_a_root_nai)
{
	static const struct {
		const char *name;
		bool ours;
	} cases[] = {
	    {"999700000000001", true},
	    {"0999700000000001@nai.epc.mnc070.mcc999.3gppnetwork.org", true},
	    {"1999700000000001@wlan.mnc070.mcc999.3gppnetwork.org", true},
	    {"6999700000000001@x", true},
	    {"2999700000000001@x", false}, /* a pseudonym */
	    {"999700000000001@x", false},
	    {"0999700000000001", false},
	    {"@x", false},
	    {"0@x", false},
	    {"06@x", false},
	    {"joe@x", false},
	    {"99970000000000a", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t start = ask_begin(&page, DIA_APP_SWX, 301), group;

		printf("  %s\n", cases[i].name);
		group = dia_open(&page.w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);
		dia_put_u32(&page.w, AVP_VENDOR_ID, VENDOR_3GPP);
		dia_close(&page.w, group);
		dia_put_text(&page.w, AVP_USER_NAME, cases[i].name);
		dia_put_u32(&page.w, AVP_SERVER_ASSIGNMENT_TYPE, ASSIGN_REGISTER);
		dia_end(&page.w, start);
		page_parse(&page);
		check_eq(swx_imsi(&page.m), cases[i].ours ? IMSI : 0);
	}
}

TEST(a_server_takes_on_is_told_again_and_lets_go)
{
	struct profile_row p = wifi_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = aaa_row();
	struct assign_result r;

	check_eq(assign(&s, &p, &reg, AAA_1, ASSIGN_DATA).result, RESULT_NOT_REGISTERED);
	check_eq(assign(&s, &p, &reg, AAA_1, ASSIGN_DEREGISTER).result, RESULT_NOT_REGISTERED);
	check_eq(assign(&s, &p, &reg, AAA_1, ASSIGN_AUTH_TIMEOUT).result, RESULT_OK);
	r = assign(&s, &p, &reg, AAA_1, ASSIGN_REGISTER);
	check_eq(r.result, RESULT_OK);
	check(r.store && r.data);
	check_eq(r.reg.imsi, reg_aaa(IMSI));
	check_eq(r.reg.flags, REG_AAA);
	check(node_is(reg_aaa_node(&r.reg), AAA_1));
	reg = r.reg;
	r = assign(&s, &p, &reg, AAA_1, ASSIGN_RESTORE);
	check(!r.result && r.store && r.data);
	r = assign(&s, &p, &reg, AAA_1, ASSIGN_AUTH_FAILED);
	check(!r.result && r.store && !r.data);
	check_eq(r.reg.flags, 0);
	r = assign(NULL, NULL, &reg, AAA_1, ASSIGN_DEREGISTER); /* whose subscription is gone meanwhile */
	check(!r.result && r.store);
	check_eq(assign(&s, &p, &reg, AAA_1, 13).result, RESULT_ASSIGNMENT);
}

TEST(another_server_waits_until_the_first_has_let_go_or_failed)
{
	static const uint32_t types[] = {ASSIGN_REGISTER, ASSIGN_DATA, ASSIGN_DEREGISTER, ASSIGN_AUTH_FAILED};
	struct profile_row p = wifi_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = aaa_row();

	check_eq(aaa_check(&reg, AAA_2, false), RESULT_OK);
	reg = assign(&s, &p, &reg, AAA_1, ASSIGN_REGISTER).reg;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct assign_result r = assign(&s, &p, &reg, AAA_2, types[i]);

		check_eq(r.result, RESULT_OTHER_AAA);
		check(!r.store && !r.data);
	}
	check_eq(aaa_check(&reg, AAA_1, false), RESULT_OK);
	check_eq(aaa_check(&reg, AAA_2, false), RESULT_OTHER_AAA);
	check_eq(aaa_check(&reg, AAA_2, true), RESULT_OK);
}

TEST(who_may_not_use_wifi_is_not_registered)
{
	static const struct {
		uint8_t life;
		uint16_t services;
		uint32_t odb;
		enum result result;
	} cases[] = {
	    {LIFE_SUSPENDED, SERVICE_WIFI, 0, RESULT_NO_EPS},
	    {LIFE_ACTIVE, SERVICE_SMS_MO, 0, RESULT_NO_WIFI},
	    {LIFE_ACTIVE, SERVICE_WIFI, 1, RESULT_BARRED},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct profile_row p = wifi_profile();
		struct sub_row s = meter_sub();
		struct reg_row reg = aaa_row();
		struct assign_result r;

		s.life = cases[i].life;
		p.services = cases[i].services;
		p.odb = cases[i].odb;
		r = assign(&s, &p, &reg, AAA_1, ASSIGN_REGISTER);
		check_eq(r.result, cases[i].result);
		check(!r.store && !r.data);
	}
}

TEST(a_change_is_told_when_it_concerns_the_server)
{
	struct profile_row p = wifi_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = aaa_row();
	struct home_rows rows = {.sub = &s, .profile = &p, .reg = &reg};

	check_eq(aaa_plan(&rows, WALL), SYNC_NONE); /* not registered */
	reg = assign(&s, &p, &reg, AAA_1, ASSIGN_REGISTER).reg;
	check_eq(aaa_plan(&rows, WALL), SYNC_NONE);
	p.tau_s = 5;
	p.rats = RAT_GERAN;
	p.services |= SERVICE_SMS_MO | SERVICE_WIFI_AKA_PRIME;
	check_eq(aaa_plan(&rows, WALL), SYNC_NONE); /* nothing of this it was told */
	p.dl_bps++;
	check_eq(aaa_plan(&rows, WALL), SYNC_INSERT);
	told_aaa_set(&reg, &s, &p);
	check_eq(aaa_plan(&rows, WALL), SYNC_NONE);
	s.msisdn = bcd_of(VIEW("99970123499"));
	check_eq(aaa_plan(&rows, WALL), SYNC_INSERT);
	s.life = LIFE_SUSPENDED;
	check_eq(aaa_plan(&rows, WALL), SYNC_CANCEL);
	rows.sub = NULL; /* deleted, or of another partition now */
	check_eq(aaa_plan(&rows, WALL), SYNC_CANCEL);
}

TEST(user_data_names_the_apns_that_carry_ip_and_nothing_else)
{
	struct profile_row p = wifi_profile();
	struct sub_row s = meter_sub();
	struct reg_row none = aaa_row(), reg = assign(&s, &p, &none, AAA_1, ASSIGN_REGISTER).reg;
	struct home_rows rows = {.sub = &s, .profile = &p, .reg = &reg};
	struct s6a_out out = {me(), reg_aaa_node(&reg), IMSI, 4};

	for (int ip = 1; ip >= 0; ip--) {
		const struct slot *data;

		p.apn[0].pdn_type = ip ? 0 : 4;
		page_clear(&page);
		swx_ppr_write(&page.w, &out, &rows);
		page_parse(&page);
		data = tab_slot(&page.m, AVP_NON_3GPP_USER_DATA);
		check(data);
		check_eq(tab_next(&page.m, data, AVP_APN_CONFIGURATION, NULL) != NULL, ip);
		check_eq(tab_next(&page.m, data, AVP_CONTEXT_IDENTIFIER, NULL) != NULL, ip);
		check_eq(dia_u32(tab_next(&page.m, data, AVP_NON_3GPP_IP_ACCESS_APN, NULL)->value), !ip);
	}
	page_clear(&page);
	swx_rtr_write(&page.w, &out);
	page_parse(&page);
	check_eq(page.h.app, DIA_APP_SWX);
	check(view_eq(tab_get(&page.m, AVP_DESTINATION_HOST), AAA_1));
	check(view_eq(tab_get(&page.m, AVP_USER_NAME), VIEW("999700000000001")));
}

TESTS(T(a_row_of_the_aaa_server_is_told_from_the_other_by_its_number),
      T(the_subscriber_is_an_imsi_or_a_root_nai), T(a_server_takes_on_is_told_again_and_lets_go),
      T(another_server_waits_until_the_first_has_let_go_or_failed), T(who_may_not_use_wifi_is_not_registered),
      T(a_change_is_told_when_it_concerns_the_server),
      T(user_data_names_the_apns_that_carry_ip_and_nothing_else))
