/* Update Location, Purge and Notify: who serves from now on, and who is told to let go. */
#include "home/told.h"
#include "unit/home_fixture.h"

#define OLD "mme-old.epc.mnc001.mcc001.3gppnetwork.org"
#define NEW "mme-new.epc.mnc001.mcc001.3gppnetwork.org"
#define SGSN "sgsn.epc.mnc001.mcc001.3gppnetwork.org"

static struct page out;

static struct reg_row registered(uint8_t flags)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row r = no_registration();

	p.rats |= RAT_UTRAN;
	r.flags = flags;
	if (flags & REG_MME)
		r.mme = node_named(OLD, P1);
	if (flags & REG_SGSN)
		r.sgsn = node_named(SGSN, P1);
	told_set(&r, &s, &p);
	return r;
}

static struct update_result update(const struct reg_row *reg, const char *host, uint32_t flags,
				   uint32_t rat)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct home_rows rows = {.sub = &s, .profile = &p, .reg = reg};
	struct home_self self = this_home();
	struct update_request q = {.imsi = IMSI,
				   .imei = IMEI,
				   .plmn = P1,
				   .host = view_of(host),
				   .realm = VIEW("epc.mnc001.mcc001.3gppnetwork.org"),
				   .node = flags & ULR_S6A ? REG_MME : REG_SGSN,
				   .flags = flags,
				   .rat_type = rat};
	struct update_result r;

	p.rats |= RAT_UTRAN;
	update_location(&self, &rows, &q, WALL, &r);
	return r;
}

/* --- nodes that speak GSUP --- */

#define MSC "gsup:msc-1"
#define SGSN_2G "gsup:sgsn-1"

static struct profile_row tracker_profile(void)
{
	struct profile_row p = meter_profile();

	p.rats = RAT_GERAN | RAT_WB_EUTRAN;
	p.services = SERVICE_SMS_MT;
	return p;
}

static struct update_result update_gsup(const struct reg_row *reg, const struct profile_row *p,
					uint8_t node, const char *host, uint16_t rats)
{
	struct sub_row s = meter_sub();
	struct home_rows rows = {.sub = &s, .profile = p, .reg = reg};
	struct home_self self = this_home();
	struct update_request q = {.imsi = IMSI,
				   .plmn = OWN,
				   .host = view_of(host),
				   .node = node,
				   .rats = rats,
				   .flags = node == REG_SGSN ? ULR_SINGLE_REGISTRATION : 0};
	struct update_result r;

	update_location(&self, &rows, &q, WALL, &r);
	return r;
}

TEST(a_vlr_stands_beside_mme_and_sgsn)
{
	struct profile_row p = tracker_profile();
	struct reg_row before = registered(REG_MME);
	struct update_result r = update_gsup(&before, &p, REG_VLR, MSC, RAT_GERAN | RAT_UTRAN);

	check_eq(r.result, RESULT_OK);
	check_eq(r.cancel_n, 0);
	check_eq(r.reg.flags, REG_MME | REG_VLR);
	check(strcmp(r.reg.vlr.host, MSC) == 0);
	check_eq(r.reg.told, before.told); /* the MME has not heard of the other profile */
	r = update_gsup(&r.reg, &p, REG_VLR, "gsup:msc-2", RAT_GERAN);
	check_eq(r.cancel_n, 1);
	check_eq(r.cancel[0].kind, REG_VLR);
	check(strcmp(r.cancel[0].node.host, MSC) == 0);
	r = update_gsup(&r.reg, &p, REG_SGSN, SGSN_2G, RAT_GERAN); /* an SGSN knows no double registration */
	check_eq(r.cancel_n, 1);
	check_eq(r.cancel[0].kind, REG_MME);
	check_eq(r.reg.flags, REG_SGSN | REG_VLR);
}

TEST(what_a_gsup_node_may_not_serve_is_refused)
{
	struct reg_row none = no_registration();
	struct profile_row p = tracker_profile();

	check_eq(update_gsup(&none, &p, REG_SGSN, SGSN_2G, RAT_UTRAN).result, RESULT_RAT);
	p.rats = RAT_NB_IOT; /* .b: no GERAN, no UTRAN */
	check_eq(update_gsup(&none, &p, REG_SGSN, SGSN_2G, RAT_NB_IOT).result, RESULT_RAT);
	check_eq(update_gsup(&none, &p, REG_VLR, MSC, RAT_NB_IOT).result, RESULT_RAT);
	p = tracker_profile();
	p.services = SERVICE_LCS; /* .c: data only */
	check_eq(update_gsup(&none, &p, REG_VLR, MSC, RAT_GERAN).result, RESULT_NO_CS);
	check_eq(update_gsup(&none, &p, REG_SGSN, SGSN_2G, RAT_GERAN).result, RESULT_OK);
	p = tracker_profile();
	p.odb = 1; /* packets barred: that is the SGSN's to do, and it cannot */
	check_eq(update_gsup(&none, &p, REG_SGSN, SGSN_2G, RAT_GERAN).result, RESULT_BARRED);
	check_eq(update_gsup(&none, &p, REG_VLR, MSC, RAT_GERAN).result, RESULT_OK);
	p.odb = 8; /* outgoing calls barred */
	check_eq(update_gsup(&none, &p, REG_SGSN, SGSN_2G, RAT_GERAN).result, RESULT_OK);
	check_eq(update_gsup(&none, &p, REG_VLR, MSC, RAT_GERAN).result, RESULT_BARRED);
}

TEST(only_the_vlr_itself_purges_its_registration)
{
	struct profile_row p = tracker_profile();
	struct reg_row none = no_registration();
	struct reg_row reg = update_gsup(&none, &p, REG_VLR, MSC, RAT_GERAN).reg;
	struct sub_row s = meter_sub();
	struct home_rows rows = {.sub = &s, .profile = &p, .reg = &reg};
	struct purge_result r;

	purge(&rows, VIEW("msc-1"), 0, &r); /* a Diameter host of that name is another node */
	check_eq(r.freeze, 0);
	purge(&rows, VIEW(MSC), PURGED_SGSN, &r);
	check_eq(r.freeze, 0);
	purge(&rows, VIEW(MSC), PURGED_VLR, &r);
	check_eq(r.freeze, PURGED_VLR);
	check_eq(r.reg.flags, REG_VLR | REG_PURGED_VLR);
}

TEST(the_node_that_served_before_is_cancelled_with_the_right_type)
{
	static const struct {
		const char *why;
		uint8_t before;
		const char *host;
		uint32_t flags, rat;
		size_t n;
		uint8_t type;
		const char *to;
		uint8_t after;
	} cases[] = {
	    {"first of all", 0, NEW, ULR_S6A, 1004, 0, 0, "", REG_MME},
	    {"same MME again", REG_MME, OLD, ULR_S6A, 1004, 0, 0, "", REG_MME},
	    {"same MME, other case", REG_MME, "MME-OLD.epc.mnc001.mcc001.3gppnetwork.org", ULR_S6A,
	     1004, 0, 0, "", REG_MME},
	    {"another MME", REG_MME, NEW, ULR_S6A, 1004, 1, CANCEL_MME_UPDATE, OLD, REG_MME},
	    {"another MME, initial attach", REG_MME, NEW, ULR_S6A | ULR_INITIAL_ATTACH, 1004, 1,
	     CANCEL_MME_UPDATE, OLD, REG_MME},
	    {"MME beside an SGSN", REG_SGSN, NEW, ULR_S6A, 1004, 0, 0, "", REG_MME | REG_SGSN},
	    {"MME, initial attach, SGSN before", REG_SGSN, NEW, ULR_S6A | ULR_INITIAL_ATTACH, 1004,
	     1, CANCEL_INITIAL_ATTACH, SGSN, REG_MME},
	    {"MME, single registration", REG_SGSN, NEW,
	     ULR_S6A | ULR_SINGLE_REGISTRATION | ULR_INITIAL_ATTACH, 1004, 1, CANCEL_SGSN_UPDATE,
	     SGSN, REG_MME},
	    {"SGSN beside an MME", REG_MME, SGSN, 0, 1000, 0, 0, "", REG_MME | REG_SGSN},
	    {"SGSN, initial attach, MME before", REG_MME, SGSN, ULR_INITIAL_ATTACH, 1000, 1,
	     CANCEL_INITIAL_ATTACH, OLD, REG_SGSN},
	    {"another SGSN", REG_SGSN, NEW, 0, 1000, 1, CANCEL_SGSN_UPDATE, SGSN, REG_SGSN},
	    {"a combined node keeps what it has", REG_SGSN, SGSN, ULR_S6A | ULR_SINGLE_REGISTRATION,
	     1004, 0, 0, "", REG_MME},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reg_row before = registered(cases[i].before);
		struct update_result r =
		    update(&before, cases[i].host, cases[i].flags, cases[i].rat);

		printf("  %s\n", cases[i].why);
		check_eq(r.result, RESULT_OK);
		check_eq(r.cancel_n, cases[i].n);
		check_eq(r.reg.flags, cases[i].after);
		if (r.cancel_n) {
			check_eq(r.cancel[0].type, cases[i].type);
			check(strcmp(r.cancel[0].node.host, cases[i].to) == 0);
		}
	}
}

TEST(both_old_nodes_are_cancelled_at_once)
{
	struct reg_row before = registered(REG_MME | REG_SGSN);
	struct update_result r = update(&before, NEW, ULR_S6A | ULR_INITIAL_ATTACH, 1004);

	check_eq(r.cancel_n, 2);
	check_eq(r.cancel[0].type, CANCEL_MME_UPDATE);
	check_eq(r.cancel[0].kind, REG_MME);
	check_eq(r.cancel[1].type, CANCEL_INITIAL_ATTACH);
	check_eq(r.cancel[1].kind, REG_SGSN);
}

TEST(an_update_keeps_the_sequence_difference_and_ends_a_purge)
{
	struct reg_row before = registered(REG_MME | REG_PURGED_MME);
	struct update_result r;

	before.dif = 12345;
	r = update(&before, OLD, ULR_S6A, 1004);
	check_eq(r.reg.dif, 12345);
	check_eq(r.reg.flags, REG_MME);
	check_eq(r.reg.imei, IMEI);
	check_eq(r.reg.mme.at_ms, WALL);
	check_eq(r.reg.mme.plmn, P1);
}

TEST(data_are_skipped_only_for_the_node_that_has_them)
{
	struct reg_row before = registered(REG_MME);

	check(!update(&before, OLD, ULR_S6A | ULR_SKIP_DATA, 1004).data);
	check(update(&before, OLD, ULR_S6A, 1004).data);
	check(update(&before, NEW, ULR_S6A | ULR_SKIP_DATA, 1004).data);
	before.told++; /* something has changed since */
	check(update(&before, OLD, ULR_S6A | ULR_SKIP_DATA, 1004).data);
}

TEST(a_radio_the_profile_lacks_is_refused)
{
	struct reg_row none = no_registration();

	check_eq(update(&none, NEW, ULR_S6A, 1001).result, RESULT_RAT); /* GERAN */
	check_eq(update(&none, NEW, ULR_S6A, 1002).result, RESULT_RAT); /* GAN: nobody may */
	check_eq(update(&none, NEW, ULR_S6A, 1006).result, RESULT_RAT); /* NR */
	check_eq(update(&none, NEW, ULR_S6A, 1005).result, RESULT_OK);
	check_eq(update(&none, NEW, ULR_S6A, 1007).result, RESULT_OK);
}

TEST(a_host_name_beyond_any_is_refused_and_cancels_nobody)
{
	struct reg_row before = registered(REG_MME);
	char host[200];
	struct update_result r;

	memset(host, 'x', sizeof host);
	host[sizeof host - 1] = 0;
	r = update(&before, host, ULR_S6A, 1004);
	check_eq(r.result, RESULT_UNABLE);
	check_eq(r.cancel_n, 0);
}

TEST(only_the_serving_node_purges)
{
	static const struct {
		uint8_t before;
		const char *host;
		uint32_t flags, freeze;
		uint8_t after;
	} cases[] = {
	    {REG_MME, OLD, 0, PURGED_MME, REG_MME | REG_PURGED_MME},
	    {REG_MME, OLD, PURGED_MME, PURGED_MME, REG_MME | REG_PURGED_MME},
	    {REG_MME, OLD, PURGED_SGSN, 0, REG_MME},
	    {REG_MME, NEW, 0, 0, REG_MME},
	    {REG_MME | REG_SGSN, SGSN, 0, PURGED_SGSN, REG_MME | REG_SGSN | REG_PURGED_SGSN},
	    {0, OLD, 0, 0, 0},
	};
	struct sub_row s = meter_sub();
	struct reg_row none = no_registration();
	struct home_rows unknown = {.sub = NULL, .profile = NULL, .reg = &none};
	struct purge_result r;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reg_row before = registered(cases[i].before);
		struct home_rows rows = {.sub = &s, .profile = NULL, .reg = &before};

		purge(&rows, view_of(cases[i].host), cases[i].flags, &r);
		check_eq(r.result,
			 RESULT_OK); /* TS 29.272 5.2.1.3.3: success, but nothing is frozen */
		check_eq(r.freeze, cases[i].freeze);
		check_eq(r.reg.flags, cases[i].after);
		check_eq(r.store, cases[i].freeze != 0);
	}
	purge(&unknown, VIEW(OLD), 0, &r);
	check_eq(r.result, RESULT_USER_UNKNOWN);
}

TEST(a_notification_of_another_node_is_refused)
{
	struct sub_row s = meter_sub();
	struct reg_row before = registered(REG_MME);
	struct home_rows rows = {.sub = &s, .reg = &before}, unknown = {.reg = &before};
	struct notify_result r;

	notify(&rows, VIEW(NEW), IMEI, &r);
	check_eq(r.result, RESULT_NOT_SERVING);
	check(!r.store);
	notify(&rows, VIEW(OLD), IMEI, &r);
	check_eq(r.result, RESULT_OK);
	check(r.store);
	check_eq(r.reg.imei, IMEI);
	notify(&rows, VIEW(OLD), 0, &r);
	check(!r.store);
	notify(&unknown, VIEW(OLD), 0, &r);
	check_eq(r.result, RESULT_USER_UNKNOWN);
}

TEST(requests_of_ours_pass_the_rows_of_their_commands)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = registered(REG_MME);
	struct home_rows rows = {.sub = &s, .profile = &p, .reg = &reg};
	struct s6a_out to = {me(), &reg.mme, IMSI, 4}, all = {me(), &reg.mme, 0, 5};
	struct s6a_deletion d = {.flags = 0x4008, .context = {2, 3}, .context_n = 2};

	for (int i = 0; i < 4; i++) {
		page_clear(&out);
		if (i == 0)
			s6a_clr_write(&out.w, &to, CANCEL_WITHDRAWAL, true);
		else if (i == 1)
			s6a_idr_write(&out.w, &to, &rows, false);
		else if (i == 2)
			s6a_dsr_write(&out.w, &to, &d);
		else
			s6a_rsr_write(&out.w, &all);
		page_parse(&out);
		check_eq(out.h.flags, DIA_FLAG_REQUEST | DIA_FLAG_PROXIABLE);
		check_eq(out.h.app, DIA_APP_S6A);
		check(view_eq(tab_get(&out.m, AVP_DESTINATION_HOST), VIEW(OLD)));
		check_eq(bcd_of(tab_get(&out.m, AVP_USER_NAME)), i < 3 ? IMSI : 0);
		check_eq(dia_u32(tab_get(&out.m, AVP_AUTH_SESSION_STATE)), 1);
		if (i == 0)
			check_eq(dia_u32(tab_get(&out.m, AVP_CANCELLATION_TYPE)), 2);
		if (i == 1)
			check(
			    tab_slot(&out.m, AVP_SUBSCRIPTION_DATA, AVP_APN_CONFIGURATION_PROFILE));
		if (i == 2)
			check_eq(dia_u32(tab_get(&out.m, AVP_CONTEXT_IDENTIFIER)), 2);
	}
}

TESTS(T(a_vlr_stands_beside_mme_and_sgsn), T(what_a_gsup_node_may_not_serve_is_refused),
      T(only_the_vlr_itself_purges_its_registration),
      T(the_node_that_served_before_is_cancelled_with_the_right_type),
      T(both_old_nodes_are_cancelled_at_once),
      T(an_update_keeps_the_sequence_difference_and_ends_a_purge),
      T(data_are_skipped_only_for_the_node_that_has_them), T(a_radio_the_profile_lacks_is_refused),
      T(a_host_name_beyond_any_is_refused_and_cancels_nobody), T(only_the_serving_node_purges),
      T(a_notification_of_another_node_is_refused),
      T(requests_of_ours_pass_the_rows_of_their_commands))
