/* The ME identity check (R-5.1.1.2.b, R-5.7.3.a): lists, expiry, and the SIM's own device. */
#include "unit/home_fixture.h"

#define TAC_OF_ANOTHER "35316609"

static struct page request, answer;
static struct sub_row sub;
static struct profile_row profile;

static const struct {
	const char *imei;
	uint32_t until;
	uint8_t colour;
} listed[] = {
    {"35316609000001", 0, WHITE},
    {"35316609000002", 0, BLACK},
    {"35316609000004", 0, GREY},
    {"35316609000005", WALL / 1000 - 1, WHITE}, /* ran out: its type counts again */
    {"35316609000006", WALL / 1000 + 60, WHITE},
    {"35316609", 0, BLACK},		  /* a whole type */
    {"00101702", WALL / 1000 - 1, BLACK}, /* ran out, and no other entry */
};

static const struct equip_row *equip(void *ctx, uint64_t imei, uint64_t now_s)
{
	static struct equip_row row;

	(void)ctx;
	for (size_t pass = 0; pass < 2; pass++) {
		uint64_t want = pass ? bcd_first(imei, 8) : imei;

		for (size_t i = 0; i < sizeof listed / sizeof *listed; i++) {
			if (bcd_of(view_of(listed[i].imei)) != want ||
			    (listed[i].until != 0 && now_s >= listed[i].until))
				continue;
			row = (struct equip_row){
			    .imei = want, .until = listed[i].until, .colour = listed[i].colour};
			return &row;
		}
	}
	return NULL;
}

static const struct sub_row *find_sub(void *ctx, uint64_t imsi)
{
	(void)ctx;
	return imsi == IMSI ? &sub : NULL;
}

static const struct profile_row *find_profile(void *ctx, uint32_t id)
{
	(void)ctx;
	return id == profile.id ? &profile : NULL;
}

static const struct book book = {.sub = find_sub, .profile = find_profile, .equip = equip};

/* An ECR in, the Equipment-Status or the error out. */
static uint32_t ask(const char *imei, const char *imsi, bool unknown_ok)
{
	struct home_self self = this_home();
	struct s6a_in in = {&request.m, &request.h, me(), NULL};
	struct check_result r;
	size_t start = ask_begin(&request, DIA_APP_S13, 324),
	       group = dia_open(&request.w, AVP_TERMINAL_INFORMATION);

	if (imei[0])
		dia_put_text(&request.w, AVP_IMEI, imei);
	dia_close(&request.w, group);
	if (imsi[0])
		dia_put_text(&request.w, AVP_USER_NAME, imsi);
	dia_end(&request.w, start);
	page_parse(&request);
	self.unknown_equipment_ok = unknown_ok;
	check_device(&self, &book, s6a_imei(&request.m), s6a_imsi(&request.m), WALL, &r);
	page_clear(&answer);
	s13_eca_write(&answer.w, &in, &r);
	page_parse(&answer);
	check_eq(tab_slot(&answer.m, AVP_EQUIPMENT_STATUS) != NULL, result_of(&answer.m) == 2001);
	return result_of(&answer.m) == 2001 ? dia_u32(tab_get(&answer.m, AVP_EQUIPMENT_STATUS))
					    : result_of(&answer.m);
}

TEST(the_list_decides_and_an_entry_that_ran_out_is_none)
{
	static const struct {
		const char *why, *imei;
		bool unknown_ok;
		uint32_t want;
	} cases[] = {
	    {"white", "35316609000001", false, WHITE},
	    {"15th digit ignored", "353166090000017", false, WHITE},
	    {"black", "35316609000002", true, BLACK},
	    {"grey", "35316609000004", true, GREY},
	    {"ran out, type black", "35316609000005", true, BLACK},
	    {"not yet run out", "35316609000006", false, WHITE},
	    {"type black", "35316609999999", true, BLACK},
	    {"type ran out, strict", "00101702000001", false, 5422},
	    {"type ran out, open", "00101702000001", true, WHITE},
	    {"unlisted, strict", "99999999999999", false, 5422},
	    {"unlisted, open", "99999999999999", true, WHITE},
	    {"no IMEI", "", true, 5005},
	};

	sub = meter_sub();
	profile = meter_profile();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %s\n", cases[i].why);
		check_eq(ask(cases[i].imei, "", cases[i].unknown_ok), cases[i].want);
	}
}

TEST(a_sim_in_a_device_it_is_not_bound_to_is_refused)
{
	static const struct {
		const char *why, *bound, *imei, *imsi;
		uint8_t binding, prio;
		uint32_t want;
	} cases[] = {
	    {"not bound", "", "00101700000009", "999700000000001", BINDING_REFUSE, PRIO_LOW, WHITE},
	    {"own device", "00101700000001", "00101700000001", "999700000000001", BINDING_REFUSE,
	     PRIO_LOW, WHITE},
	    {"other device", "00101700000001", "00101700000009", "999700000000001", BINDING_REFUSE,
	     PRIO_LOW, BLACK},
	    {"other, detach", "00101700000001", "00101700000009", "999700000000001", BINDING_DETACH,
	     PRIO_LOW, BLACK},
	    {"other, alert", "00101700000001", "00101700000009", "999700000000001", BINDING_ALERT,
	     PRIO_LOW, GREY},
	    {"other, critical", "00101700000001", "00101700000009", "999700000000001",
	     BINDING_REFUSE, PRIO_CRITICAL, GREY},
	    {"own type", "00101700", "00101700000009", "999700000000001", BINDING_REFUSE, PRIO_LOW,
	     WHITE},
	    {"other type", "00101700", "00101711000009", "999700000000001", BINDING_REFUSE,
	     PRIO_LOW, BLACK},
	    {"no IMSI: the device alone", "00101700000001", "00101700000009", "", BINDING_REFUSE,
	     PRIO_LOW, WHITE},
	    {"own, but black", "35316609000002", "35316609000002", "999700000000001", BINDING_ALERT,
	     PRIO_CRITICAL, BLACK},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %s\n", cases[i].why);
		sub = meter_sub();
		sub.prio = cases[i].prio;
		sub.imei = bcd_of(view_of(cases[i].bound));
		profile = meter_profile();
		profile.binding = cases[i].binding;
		check_eq(ask(cases[i].imei, cases[i].imsi, true), cases[i].want);
	}
	sub.imei =
	    bcd_of(VIEW("00101700000001")); /* known by its subscription, where no list names it */
	check_eq(ask("00101700000001", "999700000000001", false), WHITE);
}

TESTS(T(the_list_decides_and_an_entry_that_ran_out_is_none),
      T(a_sim_in_a_device_it_is_not_bound_to_is_refused))
