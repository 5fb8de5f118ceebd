/* What clause 4 asks for: assessments, consents, jurisdictions, incidents, requests, nominations.
 */
#include "unit/records_room.h"

static struct store *st;
static uint8_t room[1 << 20];
static struct say said;
static const struct reader nobody;
static const struct story all;

#define DAY 86400ULL
#define NOW_S (NOW_MS / 1000)

static struct done put(const char *actor, enum object o, enum edit_mode mode, const char *key,
		       const char *fields)
{
	return room_edit_by(st, actor, 0, o, mode, key, fields);
}

static void ok(enum object o, const char *key, const char *fields)
{
	struct done d = put("anna", o, EDIT_SET, key, fields);

	if (d.err)
		fprintf(stderr, "%s: %s\n", key, d.say.text);
	check_eq(d.err, ERR_OK);
}

static void begin(void)
{
	room_make();
	st = room_open();
	ok(OBJ_TENANT, "cardio", "critical_max=1");
	ok(OBJ_PROFILE, "sensor", "tenant=cardio\napn1=cardio.iot:ipv4:9:12:1000:1000");
	ok(OBJ_SUBSCRIPTION, "999700000000001", "tenant=cardio\nprofile=sensor");
	ok(OBJ_SUBSCRIPTION, "999700000000002", "tenant=cardio\nprofile=sensor");
}

static void end(void)
{
	store_close(st);
	room_remove();
}

static enum err may(const char *purpose, const char *imsi, const char *mcc)
{
	struct use u = {VIEW("cardio"), view_of(purpose), view_of(imsi), view_of(mcc)};
	struct who who = {.actor = VIEW("anna"), .now_ms = NOW_MS};

	return store_may(st, &who, &u, &said);
}

static const char *show(enum object o, const char *key)
{
	struct wr w = {.p = room, .cap = sizeof room - 1};

	check_eq(store_get(st, o, view_of(key), &nobody, &w, &said), ERR_OK);
	room[w.n] = 0;
	return (const char *)room;
}

static const char *duties(void)
{
	struct wr w = {.p = room, .cap = sizeof room - 1};

	check_eq(store_duties(st, NOW_S, (struct view){0}, &w, NULL, NULL), ERR_OK);
	room[w.n] = 0;
	return (const char *)room;
}

TEST(without_an_agreement_nothing_is_done_with_the_data)
{
	begin();
	check_eq(may("analytics", "", ""), ERR_REFUSED); /* R-4.b */
	check(strstr(said.text, "R-4.b"));
	ok(OBJ_AGREEMENT, "dpa", "tenant=cardio\npurposes=analytics sharing\nsigned=2020-01-01");
	check_eq(may("analytics", "", ""), ERR_OK);
	check_eq(may("location", "", ""), ERR_REFUSED);
	check_eq(may("nonsense", "", ""), ERR_VALUE);
	ok(OBJ_AGREEMENT, "dpa", "ends=2021-01-01");
	check_eq(may("analytics", "", ""), ERR_REFUSED);
	end();
}

TEST(a_consent_withdrawn_stops_what_was_agreed)
{
	begin();
	ok(OBJ_AGREEMENT, "dpa", "tenant=cardio\npurposes=analytics\nsigned=2020-01-01");
	ok(OBJ_CONSENT, "c1",
	   "tenant=cardio\nimsi=999700000000001\npurposes=analytics\ngiven=2021-01-01");
	check_eq(may("analytics", "999700000000001", ""), ERR_OK);
	ok(OBJ_CONSENT, "c1", "withdrawn=2022-01-01"); /* R-4.d */
	check_eq(may("analytics", "999700000000001", ""), ERR_REFUSED);
	check_eq(may("analytics", "999700000000002", ""), ERR_OK);
	end();
}

TEST(one_input_and_two_jurisdictions_have_two_outcomes)
{
	struct done d;

	begin();
	ok(OBJ_AGREEMENT, "dpa", "tenant=cardio\npurposes=location\nsigned=2020-01-01");
	ok(OBJ_JURISDICTION, "262", "law=TDDDG\nforbids=location");
	ok(OBJ_JURISDICTION, "208", "consent=location");
	check_eq(may("location", "", "262"), ERR_REFUSED); /* .c */
	check_eq(may("location", "", "208"), ERR_REFUSED);
	check_eq(may("location", "", "310"), ERR_OK);
	ok(OBJ_CONSENT, "all", "tenant=cardio\npurposes=location\ngiven=2021-01-01");
	check_eq(may("location", "", "208"), ERR_OK);
	d = put("anna", OBJ_OVERRIDE, EDIT_SET, "court",
		"jurisdiction=262\npurposes=location\nreason=order 12/3\nuntil=2099-01-01");
	check_eq(d.err, ERR_APPROVAL);
	check_eq(may("location", "", "262"), ERR_REFUSED);
	d = room_edit_by(
	    st, "bert", d.approval, OBJ_OVERRIDE, EDIT_SET, "court",
	    "jurisdiction=262\npurposes=location\nreason=order 12/3\nuntil=2099-01-01");
	check_eq(d.err, ERR_OK);
	check_eq(may("location", "", "262"), ERR_OK);
	{
		struct wr w = {.p = room, .cap = sizeof room - 1};
		uint64_t last;

		check_eq(store_journal(st, &all, 0, 1000, &w, &last), ERR_OK);
		room[w.n] = 0;
		check(strstr((char *)room, "\"action\":\"override\""));
	}
	end();
}

TEST(deadlines_count_from_the_incident)
{
	char fields[128];

	begin();
	snprintf(fields, sizeof fields, "found=%llu\nsummary=stolen keys",
		 (unsigned long long)(NOW_S - 30 * 3600));
	ok(OBJ_INCIDENT, "i1", fields);
	snprintf(fields, sizeof fields, "\"due_s\":%llu,\"late\":true",
		 (unsigned long long)(NOW_S - 6 * 3600));
	check(strstr(duties(), fields)); /* 24 h */
	snprintf(fields, sizeof fields, "\"due_s\":%llu,\"late\":false",
		 (unsigned long long)(NOW_S + 42 * 3600));
	check(strstr(duties(), fields)); /* 72 h */
	snprintf(fields, sizeof fields, "early_sent=%llu", (unsigned long long)(NOW_S - 10 * 3600));
	ok(OBJ_INCIDENT, "i1", fields);
	check(!strstr(duties(), "early warning"));
	ok(OBJ_JURISDICTION, "208", "notify_h=48");
	ok(OBJ_INCIDENT, "i1", "jurisdiction=208");
	snprintf(fields, sizeof fields, "\"due_s\":%llu,\"late\":false",
		 (unsigned long long)(NOW_S + 18 * 3600));
	check(strstr(duties(), fields));
	check_eq(put("anna", OBJ_INCIDENT, EDIT_SET, "i1", "notified=2001-01-01").err, ERR_REFUSED);
	end();
}

TEST(a_profile_without_an_assessment_or_unlike_it_is_a_finding)
{
	begin();
	check(
	    strstr(duties(),
		   "\"no risk assessment\",\"object\":\"profile\",\"key\":\"sensor\"")); /* R-2.h */
	ok(OBJ_ASSESSMENT, "a1", "profile=sensor\nkind=risk\nowner=dora\nreview=2020-01-01");
	ok(OBJ_ASSESSMENT, "a2",
	   "profile=sensor\nkind=privacy\nowner=dora\nreview=2099-01-01\nneeds=priority=low, "
	   "tau_s=7");
	check(!strstr(duties(), "no risk assessment"));
	check(strstr(duties(),
		     "\"assessment to be "
		     "reviewed\",\"object\":\"assessment\",\"key\":\"a1\",\"tenant\":\"cardio\","));
	check(strstr(duties(), "profile is not as its assessment says"));
	ok(OBJ_PROFILE, "sensor", "tau_s=7");
	check(!strstr(duties(), "profile is not as its assessment says"));
	check_eq(put("anna", OBJ_ASSESSMENT, EDIT_SET, "a1", "document=123").err, ERR_VALUE);
	check_eq(put("anna", OBJ_ASSESSMENT, EDIT_SET, "a1", "by=bert").err, ERR_REFUSED);
	check(strstr(show(OBJ_ASSESSMENT, "a1"), "\"by\":\"anna\""));
	end();
}

TEST(a_tenant_nominates_another_approves_and_the_quota_holds)
{
	begin();
	ok(OBJ_NOMINATION, "n1",
	   "tenant=cardio\nimsi=999700000000001\npriority=critical\nreason=pacemaker");
	check_eq(put("anna", OBJ_NOMINATION, EDIT_SET, "n1", "state=approved").err,
		 ERR_REFUSED); /* .m */
	check(!strstr(show(OBJ_SUBSCRIPTION, "999700000000001"), "\"priority\":\"critical\""));
	check_eq(
	    put("bert", OBJ_NOMINATION, EDIT_SET, "n1", "state=approved\nreview=2099-01-01").err,
	    ERR_OK);
	check(strstr(show(OBJ_SUBSCRIPTION, "999700000000001"), "\"priority\":\"critical\""));
	check(strstr(show(OBJ_NOMINATION, "n1"), "\"by\":\"anna\",\"last_by\":\"bert\""));
	ok(OBJ_NOMINATION, "n2",
	   "tenant=cardio\nimsi=999700000000002\npriority=critical\nreason=pacemaker");
	check_eq(put("bert", OBJ_NOMINATION, EDIT_SET, "n2", "state=approved").err,
		 ERR_REFUSED); /* quota: 1 */
	check(strstr(show(OBJ_NOMINATION, "n2"), "\"state\":\"proposed\""));
	check_eq(put("bert", OBJ_NOMINATION, EDIT_SET, "n2", "state=refused").err, ERR_OK);
	check_eq(put("carl", OBJ_NOMINATION, EDIT_SET, "n2", "state=approved").err, ERR_REFUSED);
	end();
}

TEST(a_tenant_raises_no_class_by_itself)
{
	static const struct {
		enum object o;
		const char *key, *fields;
		enum err err;
	} cases[] = {
	    {OBJ_SUBSCRIPTION, "999700000000001", "priority=critical", ERR_REFUSED}, /* .m */
	    {OBJ_SUBSCRIPTION, "999700000000001", "priority=low", ERR_OK},
	    {OBJ_PROFILE, "sensor", "priority=high", ERR_REFUSED},
	    {OBJ_PROFILE, "other",
	     "tenant=cardio\napn1=x.iot:ipv4:9:12:1000:1000\npriority=critical", ERR_REFUSED},
	    {OBJ_PROFILE, "other", "tenant=cardio\napn1=x.iot:ipv4:9:12:1000:1000\npriority=normal",
	     ERR_OK},
	};

	begin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct who who = {
		    .actor = VIEW("tess"), .now_ms = NOW_MS, .tenant = VIEW("cardio")};
		struct view pair[EDIT_PAIRS];
		struct edit e = {.object = cases[i].o, .key = view_of(cases[i].key), .pair = pair};
		const char *f = cases[i].fields;
		uint64_t approval;

		while (*f) {
			size_t n = strcspn(f, "\n");

			pair[e.pair_n++] = (struct view){(const uint8_t *)f, n};
			f += n + (f[n] != 0);
		}
		check_eq(store_begin(st), ERR_OK);
		check_eq(store_edit(st, &who, &e, &approval, &said), cases[i].err);
		store_rollback(st);
	}
	end();
}

TEST(an_erasure_erases_by_two_people_and_only_who_has_left)
{
	struct done d;

	begin();
	ok(OBJ_HOST, "35390000000001", "maker=x\nimsi=999700000000001");
	ok(OBJ_WISH, "w1", "imsi=999700000000001\nkind=erasure\nreceived=2025-11-01");
	check(strstr(duties(), "request to be answered"));
	check_eq(put("anna", OBJ_WISH, EDIT_SET, "w1", "state=done").err, ERR_REFUSED);
	ok(OBJ_SUBSCRIPTION, "999700000000001", "life=suspended");
	ok(OBJ_SUBSCRIPTION, "999700000000001", "life=retired");
	d = put("anna", OBJ_WISH, EDIT_SET, "w1", "state=done");
	check_eq(d.err, ERR_APPROVAL);
	check_eq(room_edit_by(st, "bert", d.approval, OBJ_WISH, EDIT_SET, "w1", "state=done").err,
		 ERR_OK);
	{
		struct wr w = {.p = room, .cap = sizeof room};

		check_eq(
		    store_get(st, OBJ_SUBSCRIPTION, VIEW("999700000000001"), &nobody, &w, &said),
		    ERR_NOT_FOUND);
		check_eq(store_get(st, OBJ_HOST, VIEW("35390000000001"), &nobody, &w, &said),
			 ERR_NOT_FOUND);
	}
	check(strstr(show(OBJ_WISH, "w1"), "\"state\":\"done\""));
	end();
}

TESTS(T(without_an_agreement_nothing_is_done_with_the_data),
      T(a_consent_withdrawn_stops_what_was_agreed),
      T(one_input_and_two_jurisdictions_have_two_outcomes), T(deadlines_count_from_the_incident),
      T(a_profile_without_an_assessment_or_unlike_it_is_a_finding),
      T(a_tenant_nominates_another_approves_and_the_quota_holds),
      T(a_tenant_raises_no_class_by_itself),
      T(an_erasure_erases_by_two_people_and_only_who_has_left))
