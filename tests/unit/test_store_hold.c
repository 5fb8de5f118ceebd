/* Cases (hold): their steps, what they do to the subscription, who may open one. .b, R-5.1.f */
#include "unit/records_room.h"

#define SUB   OBJ_SUBSCRIPTION
#define IMSI  "999700000000001"
#define CRIT  "999700000000002"
#define OWN   "00101780000001"
#define OTHER "00101790000001"

static struct store *st;

static void begin(void)
{
	room_make();
	st = room_open();
	room_fill(st);
	check_eq(room_set(st, OBJ_PROFILE, "meter", "binding=greylist\ngrey_s=600").err, ERR_OK);
	check_eq(room_set(st, SUB, IMSI, "imei=" OWN).err, ERR_OK);
}

static void end(void)
{
	struct store_verdict v;

	check_eq(store_verify(st, &v), ERR_OK);
	check_eq(v.tampered + v.tables + v.journal_bad, 0);
	store_close(st);
	room_remove();
}

static uint32_t grey(const char *imsi)
{
	union packed p;

	check_eq(store_pack(st, CHANGE_SUB, bcd_of(view_of(imsi)), &p), ERR_OK);
	return p.sub.grey_until;
}

static uint64_t feed(void)
{
	struct store_status s;

	store_status(st, &s);
	return s.feed;
}

static enum err seen(const char *imsi, const char *imei)
{
	struct who who = { VIEW("home"), 0, NOW_MS, { 0 } };
	struct say s;
	enum err err;

	check_eq(store_begin(st), ERR_OK);
	err = store_hold(st, &who, view_of(imsi), view_of(imei), &s);
	if (err)
		store_rollback(st);
	else
		check_eq(store_commit(st), ERR_OK);
	return err;
}

TEST(a_case_greylists_its_subscription_until_it_is_over)
{
	static const struct {
		const char *fields;
		enum err want;
		uint32_t grey;
	} steps[] = {
		{ "state=open", ERR_MISSING, 0 },
		{ "state=returned", ERR_REFUSED, 0 },
		{ "until=2000000000\ncause=stolen", ERR_OK, 2000000000 },
		{ "note=customer called", ERR_OK, 2000000000 },
		{ "until=2000000100", ERR_OK, 2000000100 },
		{ "state=escalated", ERR_OK, UINT32_MAX },
		{ "state=expired", ERR_REFUSED, UINT32_MAX },
		{ "state=returned\nnote=found", ERR_OK, 0 },
		{ "state=escalated", ERR_REFUSED, 0 },
		{ "state=open\nuntil=2000000200", ERR_OK, 2000000200 },
		{ "state=expired", ERR_OK, 0 },
	};

	begin();
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct done d = room_set(st, OBJ_HOLD, IMSI, steps[i].fields);

		if (d.err != steps[i].want)
			fprintf(stderr, "%s: %s\n", steps[i].fields, d.say.text);
		check_eq(d.err, steps[i].want);
		check_eq(grey(IMSI), steps[i].grey);
	}
	check_eq(room_set(st, OBJ_HOLD, "999700000000009", "until=2000000000").err, ERR_REFUSED);
	check_eq(room_set(st, OBJ_HOLD, IMSI, "state=open\nuntil=2000000300").err, ERR_OK);
	check_eq(room_edit_by(st, "anna", 0, OBJ_HOLD, EDIT_DELETE, IMSI, "").err, ERR_OK);
	check_eq(grey(IMSI), 0);
	end();
}

TEST(a_critical_subscription_is_held_by_two_persons_or_none)
{
	struct done d;

	begin();
	d = room_set(st, OBJ_HOLD, CRIT, "until=2000000000");
	check_eq(d.err, ERR_APPROVAL);
	check_eq(grey(CRIT), 0);
	check_eq(seen(CRIT, OTHER), ERR_REFUSED);
	check_eq(room_edit_by(st, "bert", d.approval, OBJ_HOLD, EDIT_SET, CRIT,
			      "until=2000000000").err, ERR_OK);
	check_eq(grey(CRIT), 2000000000);
	check_eq(room_set(st, OBJ_HOLD, CRIT, "state=returned").err, ERR_OK); /* giving back needs none */
	check_eq(grey(CRIT), 0);
	end();
}

TEST(home_can_ask_for_nothing_that_the_records_do_not_say)
{
	static const struct {
		const char *imsi, *imei;
		enum err want;
	} cases[] = {
		{ IMSI, OWN, ERR_REFUSED }, { "999700000000009", OTHER, ERR_NOT_FOUND },
		{ CRIT, OTHER, ERR_REFUSED },
		{ IMSI, "00101790", ERR_REFUSED }, { IMSI, "", ERR_REFUSED }, { "x", OTHER, ERR_NOT_FOUND },
	};
	uint64_t before;

	begin();
	before = feed();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_eq(seen(cases[i].imsi, cases[i].imei), cases[i].want);
	check_eq(room_set(st, OBJ_PROFILE, "meter", "binding=refuse").err, ERR_OK);
	check_eq(seen(IMSI, OTHER), ERR_REFUSED);
	check_eq(feed(), before + 1);
	check_eq(grey(IMSI), 0);
	end();
}

TEST(a_sighting_opens_one_case_that_ends_by_itself)
{
	struct who keeper = { VIEW("keeper"), 0, NOW_MS + 599000, { 0 } };
	uint64_t before;

	begin();
	check_eq(seen(IMSI, OTHER), ERR_OK);
	check_eq(grey(IMSI), NOW_MS / 1000 + 600);
	before = feed();
	check_eq(seen(IMSI, OTHER), ERR_OK); /* asked again: nothing more */
	check_eq(feed(), before);
	check_eq(store_holds_end(st, &keeper), 0);
	keeper.now_ms += 1000;
	check_eq(store_holds_end(st, &keeper), 1);
	check_eq(grey(IMSI), 0);
	check_eq(store_holds_end(st, &keeper), 0);
	check_eq(seen(IMSI, OTHER), ERR_OK); /* still there: another case */
	check_eq(grey(IMSI), NOW_MS / 1000 + 600);
	end();
}

TEST(a_host_that_was_reported_tells_two_devices_of_one_type_apart)
{
	begin();
	check_eq(room_set(st, SUB, IMSI, "imei=\nhost=Acme/Meter").err, ERR_OK);
	check_eq(seen(IMSI, "00101790000001"), ERR_REFUSED); /* nobody knows its host */
	check_eq(room_set(st, OBJ_HOST, "00101790000001", "maker=Acme\nmodel=Meter").err, ERR_OK);
	check_eq(seen(IMSI, "00101790000001"), ERR_REFUSED);
	check_eq(room_set(st, OBJ_HOST, "00101790000002", "maker=Acme\nmodel=Router").err, ERR_OK);
	check_eq(seen(IMSI, "00101790000002"), ERR_OK);
	end();
}

/* .a, R-5.1.b: what a profile may say of reactions and of the radio. */
TEST(a_profile_quarantines_only_where_there_is_a_quarantine)
{
	static const struct {
		const char *fields;
		enum err want;
	} cases[] = {
		{ "binding=quarantine", ERR_MISSING }, { "grey=quarantine", ERR_MISSING },
		{ "binding=quarantine\nquarantine=meters.iot", ERR_REFUSED },
		{ "binding=quarantine\nquarantine=quarantine.iot", ERR_OK }, { "quarantine=", ERR_MISSING },
		{ "algorithms=EEA2 EIA2 A5/3", ERR_OK }, { "algorithms=EEA2 EEA0", ERR_REFUSED },
		{ "algorithms=A5/1", ERR_REFUSED }, { "algorithms=ROT13", ERR_VALUE }, { "generation=5", ERR_VALUE },
		{ "generation=4\nrats=geran utran lte-m", ERR_OK },
	};
	union packed p;

	begin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct done d = room_set(st, OBJ_PROFILE, "meter", cases[i].fields);

		if (d.err != cases[i].want)
			fprintf(stderr, "%s: %s\n", cases[i].fields, d.say.text);
		check_eq(d.err, cases[i].want);
	}
	check_eq(store_pack(st, CHANGE_PROFILE, 1, &p), ERR_OK);
	check_eq(p.profile.rats, RAT_LTE_M); /* what is older is none of its technologies */
	check(strcmp(p.profile.quarantine.name, "quarantine.iot") == 0);
	check_eq(p.profile.quarantine.context, APN_MAX + 1);
	end();
}

TESTS(T(a_case_greylists_its_subscription_until_it_is_over),
      T(a_critical_subscription_is_held_by_two_persons_or_none),
      T(home_can_ask_for_nothing_that_the_records_do_not_say),
      T(a_sighting_opens_one_case_that_ends_by_itself),
      T(a_host_that_was_reported_tells_two_devices_of_one_type_apart),
      T(a_profile_quarantines_only_where_there_is_a_quarantine))
