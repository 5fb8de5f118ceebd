/* .b, R-5.1.c, R-5.6.3.d: what a visited network is told of a subscriber is what the profile
 * declares, to the last AVP. */
#include "home/subscription_data.h"
#include "unit/home_fixture.h"

static struct page request, answer;
static char text[4096];

/* The AVPs of a group, one a line, indented, numbers and texts with their values. */
static void list(const struct msg *m, const struct slot *group, int depth)
{
	const struct slot *s = NULL;

	while ((s = tab_next(m, group, NO_FIELD, s))) {
		const struct field *f = &m->proto->fields[s->field];
		size_t n = strlen(text);
		char *to = text + n;
		size_t room = sizeof text - n;

		if (f->kind == GROUP)
			snprintf(to, room, "%*s%s\n", depth, "", f->name);
		else if (f->kind == TEXT)
			snprintf(to, room, "%*s%s %.*s\n", depth, "", f->name, (int)s->value.n,
				 (const char *)s->value.p);
		else if (s->value.n == 4)
			snprintf(to, room, "%*s%s %u\n", depth, "", f->name, dia_u32(s->value));
		else
			snprintf(to, room, "%*s%s %02x%02x..%zu\n", depth, "", f->name,
				 s->value.p[0], s->value.n > 1 ? s->value.p[1] : 0, s->value.n);
		if (f->kind == GROUP)
			list(m, s, depth + 1);
	}
}

static void ulr(uint32_t flags, uint32_t rat, uint64_t features)
{
	size_t start = ask_begin(&request, DIA_APP_S6A, 316), group;

	dia_put(&request.w, AVP_USER_NAME, VIEW("999700000000001"));
	for (uint32_t i = 1; features && i <= 2; i++) {
		group = dia_open(&request.w, AVP_SUPPORTED_FEATURES);
		dia_put_u32(&request.w, AVP_VENDOR_ID, VENDOR_3GPP);
		dia_put_u32(&request.w, AVP_FEATURE_LIST_ID, i);
		dia_put_u32(&request.w, AVP_FEATURE_LIST,
			    (uint32_t)(features >> (i == 2 ? 32 : 0)));
		dia_close(&request.w, group);
	}
	dia_put_u32(&request.w, AVP_RAT_TYPE, rat);
	dia_put_u32(&request.w, AVP_ULR_FLAGS, flags);
	dia_put(&request.w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	dia_end(&request.w, start);
	page_parse(&request);
}

/* Ask with a ULR, and read the ULA back through the table. */
static enum result ask(const struct sub_row *sub, const struct profile_row *profile,
		       const struct reg_row *reg, bool compat)
{
	struct home_rows rows = {.sub = sub, .profile = profile, .reg = reg};
	struct home_self self = this_home();
	struct s6a_in in = {&request.m, &request.h, me(), NULL};
	struct update_request q;
	struct update_result u;

	s6a_ulr_read(&request.m, &q);
	update_location(&self, &rows, &q, WALL, &u);
	page_clear(&answer);
	s6a_ula_write(&answer.w, &in, &q, &u, &rows, compat);
	page_parse(&answer);
	text[0] = 0;
	if (tab_slot(&answer.m, AVP_SUBSCRIPTION_DATA))
		list(&answer.m, tab_slot(&answer.m, AVP_SUBSCRIPTION_DATA), 0);
	return u.result;
}

TEST(a_meter_gets_exactly_what_its_profile_declares)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row r = no_registration();

	ulr(ULR_S6A | ULR_INITIAL_ATTACH, 1004, 0);
	check_eq(ask(&s, &p, &r, false), RESULT_OK);
	printf("%s", text);
	check(strcmp(text, "Subscriber-Status 0\n"
			   "MSISDN 9979..6\n"
			   "Network-Access-Mode 2\n"
			   "Access-Restriction-Data 5935\n"
			   "AMBR\n"
			   " Max-Requested-Bandwidth-UL 100000\n"
			   " Max-Requested-Bandwidth-DL 200000\n"
			   "APN-Configuration-Profile\n"
			   " Context-Identifier 1\n"
			   " All-APN-Configurations-Included-Indicator 0\n"
			   " APN-Configuration\n"
			   "  Context-Identifier 1\n"
			   "  PDN-Type 0\n"
			   "  Service-Selection meters.iot\n"
			   "  EPS-Subscribed-QoS-Profile\n"
			   "   QoS-Class-Identifier 9\n"
			   "   Allocation-Retention-Priority\n"
			   "    Priority-Level 15\n"
			   "    Pre-emption-Capability 1\n"
			   "    Pre-emption-Vulnerability 0\n"
			   "  VPLMN-Dynamic-Address-Allowed 0\n"
			   "  AMBR\n"
			   "   Max-Requested-Bandwidth-UL 64000\n"
			   "   Max-Requested-Bandwidth-DL 128000\n"
			   "  SIPTO-Permission 1\n"
			   "  LIPA-Permission 0\n"
			   "Subscribed-Periodic-RAU-TAU-Timer 86400\n"
			   "Core-Network-Restrictions 2\n") == 0);
	check_eq(result_of(&answer.m), 2001);
	check_eq(dia_u32(tab_get(&answer.m, AVP_ULA_FLAGS)), 1);
	check_eq(answer.h.flags, DIA_FLAG_PROXIABLE);
	check_eq(answer.m.slot[answer.m.slot[0].first].field, AVP_SESSION_ID);
}

TEST(technologies_that_the_profile_does_not_name_are_barred)
{
	static const struct {
		uint16_t rats;
		uint32_t bars;
	} cases[] = {
	    {RAT_NB_IOT | RAT_LTE_M, 0x172f}, /* all but NB-IoT, and LTE-M under WB-E-UTRAN */
	    {RAT_WB_EUTRAN, 0x0f6f},
	    {RAT_WB_EUTRAN | RAT_LTE_M, 0x076f},
	    {RAT_NB_IOT, 0x073f},
	    {RAT_GERAN, 0x077d},
	    {RAT_UTRAN | RAT_GERAN, 0x0774},
	    {RAT_UTRAN | RAT_GERAN | RAT_WB_EUTRAN | RAT_NB_IOT | RAT_LTE_M | RAT_NR, 0x0224},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_eq(access_restriction(cases[i].rats), cases[i].bars);
}

TEST(a_wildcard_apn_is_never_sent)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row r = no_registration();

	p.apn_n = 2;
	p.apn[1] = p.apn[0];
	p.apn[1].context = 2;
	snprintf(p.apn[1].name, sizeof p.apn[1].name, "*");
	ulr(ULR_S6A, 1005, 0);
	check_eq(ask(&s, &p, &r, false), RESULT_OK);
	check(!strstr(text, "Service-Selection *"));
	check(!strstr(text, "Context-Identifier 2"));
	check(
	    !subscription_data_fits(&(struct profile_row){.apn_n = 1, .apn = {{.name = "*"}}}, 0));
}

TEST(sms_goes_by_the_mme_where_that_can_and_by_the_circuit_domain_else)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row r = no_registration();

	p.services = SERVICE_SMS_MO | SERVICE_SMS_MT;
	ulr(ULR_S6A, 1005, 0);
	ask(&s, &p, &r, false);
	check(strstr(text, "Network-Access-Mode 0\n"));
	check(strstr(text, "Teleservice-List\n TS-Code 2100..1\n TS-Code 2200..1\n"));
	check(!strstr(text, "Subscription-Data-Flags"));
	ulr(ULR_S6A, 1005, FEATURE_SMS_IN_MME);
	ask(&s, &p, &r, false);
	check(strstr(text, "Network-Access-Mode 2\n"));
	check(strstr(text, "Subscription-Data-Flags 1\n"));
}

TEST(a_bar_the_mme_cannot_carry_out_is_refused_not_weakened)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row r = no_registration();

	p.odb = 1;
	ulr(ULR_S6A, 1005, 0);
	check_eq(ask(&s, &p, &r, false), RESULT_BARRED);
	check_eq(result_of(&answer.m), 5004);
	check_eq(dia_u32(tab_get(&answer.m, AVP_ERROR_DIAGNOSTIC)), 2);
	check_eq(text[0], 0);
	ulr(ULR_S6A, 1005, FEATURE_ODB_ALL_APN | FEATURE_SMS_IN_MME);
	check_eq(ask(&s, &p, &r, false), RESULT_OK);
	check(strstr(text, "Subscriber-Status 1\n"));
	check(strstr(text, "Operator-Determined-Barring 1\n"));
	check_eq(s6a_features(&answer.m),
		 FEATURE_ODB_ALL_APN); /* of what it offered, what we support */
}

TEST(an_sgsn_that_asks_gets_pdp_contexts_and_an_mme_does_not)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row r = no_registration();

	p.rats |= RAT_UTRAN;
	ulr(ULR_GPRS_DATA, 1000, 0);
	check_eq(ask(&s, &p, &r, false), RESULT_OK);
	check(strstr(
	    text, "GPRS-Subscription-Data\n Complete-Data-List-Included-Indicator 0\n PDP-Context\n"
		  "  Context-Identifier 1\n  PDP-Type f121..2\n"));
	ulr(ULR_GPRS_DATA | ULR_S6A, 1004, 0);
	check_eq(ask(&s, &p, &r, false), RESULT_OK);
	check(!strstr(text, "GPRS"));
}

TEST(a_non_ip_apn_needs_a_node_that_knows_it)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row r = no_registration();

	p.apn[0].pdn_type = 4;
	ulr(ULR_S6A, 1005, 0);
	check_eq(ask(&s, &p, &r, false), RESULT_BARRED);
	ulr(ULR_S6A, 1005, FEATURE_NON_IP);
	check_eq(ask(&s, &p, &r, false), RESULT_OK);
	check(strstr(text, "PDN-Type 0\n"));
	check(strstr(text, "Non-IP-PDN-Type-Indicator 1\n"));
	check(strstr(text, "Non-IP-Data-Delivery-Mechanism 0\n"));
}

TEST(an_error_ula_carries_flags_and_an_empty_profile_only_for_those_who_insist)
{
	struct reg_row r = no_registration();

	ulr(ULR_S6A, 1004, 0);
	check_eq(ask(NULL, NULL, &r, false), RESULT_USER_UNKNOWN);
	check_eq(result_of(&answer.m), 5001);
	check(!tab_slot(&answer.m, AVP_ULA_FLAGS));
	check(!tab_slot(&answer.m, AVP_SUBSCRIPTION_DATA));
	check_eq(ask(NULL, NULL, &r, true), RESULT_USER_UNKNOWN);
	check_eq(result_of(&answer.m), 5001);
	check(tab_slot(&answer.m, AVP_ULA_FLAGS));
	check(tab_slot(&answer.m, AVP_SUBSCRIPTION_DATA));
	check_eq(text[0], 0);
}

TESTS(T(a_meter_gets_exactly_what_its_profile_declares),
      T(technologies_that_the_profile_does_not_name_are_barred), T(a_wildcard_apn_is_never_sent),
      T(sms_goes_by_the_mme_where_that_can_and_by_the_circuit_domain_else),
      T(a_bar_the_mme_cannot_carry_out_is_refused_not_weakened),
      T(an_sgsn_that_asks_gets_pdp_contexts_and_an_mme_does_not),
      T(a_non_ip_apn_needs_a_node_that_knows_it),
      T(an_error_ula_carries_flags_and_an_empty_profile_only_for_those_who_insist))
