/* What the device a SIM is in means for its registration (home/device.h). R-5.1.1.2.b, R-5.7.3.b */
#include "home/device.h"
#include "home/feed.h"
#include "home/told.h"
#include "unit/home_fixture.h"

#define OTHER bcd_of(VIEW("00101790000001"))
#define HOST  "mme.epc.mnc001.mcc001.3gppnetwork.org"

static struct sub_row sub;
static struct profile_row profile, room;
static struct reg_row reg;
static const struct book book;

static struct home_rows begin(enum binding binding, enum grey grey)
{
	sub = meter_sub();
	sub.imei = IMEI;
	profile = meter_profile();
	profile.binding = (uint8_t)binding;
	profile.grey = (uint8_t)grey;
	profile.quarantine = profile.apn[0];
	profile.quarantine.context = APN_MAX + 1;
	snprintf(profile.quarantine.name, sizeof profile.quarantine.name, "quarantine.iot");
	reg = no_registration();
	reg.imei = IMEI;
	reg.flags = REG_MME;
	reg.mme = node_named(HOST, P1);
	reg.mme.features = UINT64_MAX;
	told_set(&reg, &sub, &profile);
	return (struct home_rows){.sub = &sub, .own = &profile, .profile = &profile, .reg = &reg};
}

/* An update from this device; what then holds of the registration as it is stored. */
static struct update_result update(struct home_rows *rows, uint64_t imei)
{
	struct home_self self = this_home();
	struct update_request q = {.imsi = IMSI,
				   .imei = imei,
				   .plmn = P1,
				   .host = VIEW(HOST),
				   .realm = VIEW("epc.mnc001.mcc001.3gppnetwork.org"),
				   .flags = ULR_S6A,
				   .node = REG_MME,
				   .features = UINT64_MAX,
				   .rat_type = 1005};
	struct reg_row now = reg;
	struct update_result r;

	device_seen(rows, &now, &book, device_of_update(&now, &q), WALL, &room);
	update_location(&self, rows, &q, WALL, &r);
	if (r.result == RESULT_OK || r.store)
		reg = r.reg;
	rows->reg = &reg;
	return r;
}

static enum sync plan(struct home_rows *rows)
{
	device_look(rows, &book, reg.imei, WALL, &room);
	return feed_plan(rows, OWN, WALL).what;
}

TEST(each_reaction_answers_an_update_and_follows_it_up)
{
	static const struct {
		enum binding binding;
		enum grey grey;
		enum result want;
		const char *apn; /* served with */
		enum sync then;
		bool wanted;
	} cases[] = {
		{BINDING_ALERT, GREY_CANCEL, RESULT_OK, "meters.iot", SYNC_NONE, false},
		{BINDING_REFUSE, GREY_CANCEL, RESULT_DEVICE, NULL, SYNC_NONE, false},
		{BINDING_DETACH, GREY_CANCEL, RESULT_DEVICE, NULL, SYNC_CANCEL, false},
		{BINDING_QUARANTINE, GREY_CANCEL, RESULT_OK, "quarantine.iot", SYNC_NONE, false},
		{BINDING_GREYLIST, GREY_CANCEL, RESULT_BARRED, NULL, SYNC_CANCEL, true},
		{BINDING_GREYLIST, GREY_QUARANTINE, RESULT_OK, "quarantine.iot", SYNC_NONE, true},
		{BINDING_GREYLIST, GREY_WATCH, RESULT_OK, "meters.iot", SYNC_NONE, true},
		{BINDING_GREYLIST, GREY_BAR, RESULT_OK, "meters.iot", SYNC_NONE, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct home_rows rows = begin(cases[i].binding, cases[i].grey);
		struct update_result r = update(&rows, OTHER);

		check_eq(r.result, cases[i].want);
		if (cases[i].apn)
			check(strcmp(rows.profile->apn[0].name, cases[i].apn) == 0);
		check_eq(rows.profile->odb, cases[i].grey == GREY_BAR ? 1 : 0);
		check_eq(plan(&rows), cases[i].then);
		check_eq((reg.flags & REG_HOLD_WANTED) != 0, cases[i].wanted);
	}
}

/* What is in force follows from the records and the device: back in its own, all is as before. */
TEST(a_sim_that_is_back_gets_its_own_again)
{
	struct home_rows rows = begin(BINDING_QUARANTINE, GREY_CANCEL);

	check_eq(update(&rows, OTHER).result, RESULT_OK);
	check_eq(rows.profile->apn_n, 1);
	check_eq(update(&rows, IMEI).result, RESULT_OK);
	check(rows.profile == &profile);
	check_eq(update(&rows, OTHER).result, RESULT_OK);
	check_eq(plan(&rows), SYNC_NONE);
	sub.imei = OTHER; /* given to that device */
	check_eq(plan(&rows), SYNC_INSERT);
	check(rows.profile == &profile);
}

TEST(a_greylisting_that_the_records_have_ends_with_them)
{
	struct home_rows rows = begin(BINDING_GREYLIST, GREY_QUARANTINE);

	check_eq(update(&rows, OTHER).result, RESULT_OK);
	sub.flags |= SUB_GREY;
	sub.grey_until = WALL / 1000 + 10;
	reg.flags &= (uint8_t)~REG_HOLD_WANTED; /* the keeper has made the case */
	check_eq(plan(&rows), SYNC_NONE);
	check_eq(rows.profile->apn_n, 1);
	check(strcmp(rows.profile->apn[0].name, "quarantine.iot") == 0);
	sub.flags = 0; /* returned, or run out */
	check_eq(plan(&rows), SYNC_INSERT);
	check(rows.profile == &profile);
}

TEST(a_device_that_nobody_names_is_not_the_one_before)
{
	static const struct {
		const char *host;
		uint32_t flags;
		uint8_t node;
		uint64_t want;
	} cases[] = {
		{HOST, ULR_S6A, REG_MME, 1},
		{HOST, ULR_S6A | ULR_INITIAL_ATTACH, REG_MME, 0},
		{"other." HOST, ULR_S6A, REG_MME, 0},
		{HOST, 0, REG_SGSN, 0},
	};
	struct home_rows rows = begin(BINDING_REFUSE, GREY_CANCEL);

	(void)rows;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct update_request q = {.host = view_of(cases[i].host), .flags = cases[i].flags,
					   .node = cases[i].node};

		check_eq(device_of_update(&reg, &q), cases[i].want ? reg.imei : 0);
	}
}

TEST(a_profile_that_asks_for_the_device_refuses_a_sim_alone)
{
	struct home_rows rows = begin(BINDING_ALERT, GREY_CANCEL);

	profile.assurance = ASSURED_BOUND;
	check_eq(update(&rows, IMEI).result, RESULT_OK);
	check_eq(update(&rows, OTHER).result, RESULT_ASSURANCE);
	sub.imei = 0;
	check_eq(update(&rows, IMEI).result, RESULT_ASSURANCE);
	sub.prio = PRIO_CRITICAL;
	check_eq(update(&rows, IMEI).result, RESULT_OK);
}

TESTS(T(each_reaction_answers_an_update_and_follows_it_up), T(a_sim_that_is_back_gets_its_own_again),
      T(a_greylisting_that_the_records_have_ends_with_them),
      T(a_device_that_nobody_names_is_not_the_one_before),
      T(a_profile_that_asks_for_the_device_refuses_a_sim_alone))
