/* What a change of the records makes home send: the decision table, and the outbox that sends it.
 */
#include "home/feed.h"
#include "home/told.h"
#include "unit/home_fixture.h"

#define HOST "mme.epc.mnc001.mcc001.3gppnetwork.org"

static struct sub_row sub;
static struct profile_row profile;
static struct reg_row reg;

/* A meter with two APNs, registered in an MME that was told all of it. */
static void begin(void)
{
	sub = meter_sub();
	profile = meter_profile();
	profile.apn_n = 2;
	profile.apn[1] = profile.apn[0];
	profile.apn[1].context = 2;
	snprintf(profile.apn[1].name, sizeof profile.apn[1].name, "firmware.iot");
	reg = no_registration();
	reg.flags = REG_MME;
	reg.mme = node_named(HOST, P1);
	told_set(&reg, &sub, &profile);
}

static struct sync_plan plan_with(bool has_sub, bool has_profile)
{
	struct home_rows rows = {
	    .sub = has_sub ? &sub : NULL, .profile = has_profile ? &profile : NULL, .reg = &reg};

	return feed_plan(&rows, OWN, WALL);
}

static void nothing(void)
{
	sub.version++;
	profile.version++;
}

static void suspend(void)
{
	sub.life = LIFE_SUSPENDED;
}

static void retire(void)
{
	sub.life = LIFE_RETIRED;
}

static void greylist(void)
{
	sub.flags = SUB_GREY;
	sub.grey_until = WALL / 1000 + 1;
}

static void greylist_critical(void)
{
	greylist();
	sub.prio = PRIO_CRITICAL;
	told_set(&reg, &sub, &profile);
}

static void greylist_past(void)
{
	greylist();
	sub.grey_until = WALL / 1000 - 1;
}

static void roam_elsewhere(void)
{
	profile.country_n = 1;
	profile.country[0] = bcd_of(VIEW("262"));
}

static void bar_unsupported(void)
{
	profile.odb = 1;
}

static void faster(void)
{
	profile.ul_bps *= 2;
}

static void other_radio(void)
{
	profile.rats |= RAT_WB_EUTRAN;
}

static void add_apn(void)
{
	profile.apn_n = 3;
	profile.apn[2] = profile.apn[0];
	profile.apn[2].context = 3;
}

static void drop_apn(void)
{
	profile.apn_n = 1;
}

static void drop_timer(void)
{
	profile.tau_s = 0;
}

static void drop_timer_and_apn(void)
{
	drop_timer();
	drop_apn();
}

static void drop_msisdn(void)
{
	sub.msisdn = 0;
}

static void drop_msisdn_known(void)
{
	sub.msisdn = 0;
	reg.mme.features = (uint64_t)1 << (32 + 23);
}

static void drop_sms(void)
{
	profile.services = SERVICE_SMS_MT;
	told_set(&reg, &sub, &profile);
	profile.services = 0;
}

static void other_default(void)
{
	profile.apn[0] = profile.apn[1];
	profile.apn_n = 1;
}

static void suspend_purged(void)
{
	suspend();
	reg.flags |= REG_PURGED_MME;
}

static void unregistered(void)
{
	suspend();
	reg.flags = 0;
}

TEST(a_change_is_told_as_what_it_is)
{
	static const struct {
		const char *why;
		void (*change)(void);
		enum sync what;
		uint32_t flags;
		size_t contexts;
	} cases[] = {
	    {"only versions", nothing, SYNC_NONE, 0, 0},
	    {"suspended", suspend, SYNC_CANCEL, 0, 0},
	    {"retired", retire, SYNC_CANCEL, 0, 0},
	    {"greylisted", greylist, SYNC_CANCEL, 0, 0},
	    {"greylisted, critical", greylist_critical, SYNC_NONE, 0, 0},
	    {"greylisted until yesterday", greylist_past, SYNC_NONE, 0, 0},
	    {"network no longer allowed", roam_elsewhere, SYNC_CANCEL, 0, 0},
	    {"a bar the node does not know", bar_unsupported, SYNC_CANCEL, 0, 0},
	    {"bit rate", faster, SYNC_INSERT, 0, 0},
	    {"radio", other_radio, SYNC_INSERT, 0, 0},
	    {"APN added", add_apn, SYNC_INSERT, 0, 0},
	    {"APN withdrawn", drop_apn, SYNC_DELETE, 0x8, 1},
	    {"timer withdrawn", drop_timer, SYNC_DELETE, 0x4000, 0},
	    {"both withdrawn", drop_timer_and_apn, SYNC_DELETE, 0x4008, 1},
	    {"MSISDN withdrawn, node cannot", drop_msisdn, SYNC_INSERT, 0, 0},
	    {"MSISDN withdrawn, node can", drop_msisdn_known, SYNC_DELETE, 0x800000, 0},
	    {"SMS withdrawn", drop_sms, SYNC_DELETE, 0x2000, 0},
	    {"default APN replaced by the second", other_default, SYNC_INSERT, 0, 0},
	    {"suspended, but purged", suspend_purged, SYNC_NONE, 0, 0},
	    {"suspended, but not registered", unregistered, SYNC_NONE, 0, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sync_plan p;

		printf("  %s\n", cases[i].why);
		begin();
		cases[i].change();
		p = plan_with(true, true);
		check_eq(p.what, cases[i].what);
		check_eq(p.deletion.flags, cases[i].flags);
		check_eq(p.deletion.context_n, cases[i].contexts);
		if (p.deletion.context_n)
			check_eq(p.deletion.context[0], 2);
	}
	begin();
	check_eq(plan_with(false, false).what, SYNC_CANCEL); /* deleted */
	check_eq(plan_with(true, false).what, SYNC_CANCEL);
}

TEST(every_plan_ends_once_it_is_carried_out)
{
	static void (*const changes[])(void) = {
	    suspend,	greylist,	    faster,   add_apn,		 drop_apn,
	    drop_timer, drop_timer_and_apn, drop_sms, drop_msisdn_known, other_default};

	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		struct home_rows rows = {.sub = &sub, .profile = &profile, .reg = &reg};
		struct sync_plan p;
		int steps = 0;

		begin();
		changes[i]();
		for (p = plan_with(true, true); p.what != SYNC_NONE; p = plan_with(true, true)) {
			feed_done(&reg, &rows, &p, REG_MME);
			check(++steps <= 2); /* a DSR, then the IDR that follows it */
		}
		check(steps > 0);
	}
}

TEST(both_nodes_are_told_and_only_the_wrong_place_is_cancelled)
{
	struct sync_plan p;

	begin();
	reg.flags = REG_MME | REG_SGSN;
	reg.sgsn = node_named("sgsn.epc.mnc001.mcc262.3gppnetwork.org", P2);
	faster();
	p = plan_with(true, true);
	check_eq(p.what, SYNC_INSERT);
	check_eq(p.nodes, REG_MME | REG_SGSN);
	roam_elsewhere();
	p = plan_with(true, true);
	check_eq(p.what, SYNC_CANCEL);
	check_eq(p.nodes, REG_MME);
}

TEST(a_subscriber_is_in_the_outbox_once)
{
	struct outbox *o = outbox_new();
	uint32_t from = 0;
	struct outbox_item *it;

	check(o);
	check(outbox_sync(o, IMSI, 1000));
	check(outbox_sync(o, IMSI, 1000));
	check_eq(outbox_used(o), 1);
	it = outbox_due(o, 1000, &from);
	check(it && it->imsi == IMSI);
	check(!outbox_due(o, 1000, &from));
	outbox_sent(o, it);
	from = 0;
	check(!outbox_due(o, UINT64_MAX - 1, &from));
	check(outbox_find(o, it->index, it->life) == it);
	outbox_done(o, it);
	check(!outbox_find(o, it->index, it->life));
	check_eq(outbox_used(o), 0);
	outbox_free(o);
}

TEST(a_silent_node_is_tried_ever_more_slowly_and_then_no_more)
{
	struct outbox *o = outbox_new();
	uint64_t now = 0, last = 0;
	uint32_t from;
	int tries = 0;

	check(o);
	check(outbox_sync(o, IMSI, now));
	while (outbox_used(o)) {
		struct outbox_item *it;

		from = 0;
		it = outbox_due(o, now, &from);
		if (it) {
			check(tries == 0 || now - last >= 1000);
			last = now;
			tries++;
			outbox_sent(o, it);
			outbox_retry(o, it, now);
		}
		now += 500;
		check(now < 10000000);
	}
	check_eq(tries, OUTBOX_ATTEMPTS);
	check(now > 3600000);
	outbox_free(o);
}

TEST(a_full_outbox_says_so_and_has_room_again)
{
	struct outbox *o = outbox_new();
	uint32_t from = 0;

	check(o);
	for (uint64_t i = 1; i <= OUTBOX_MAX; i++)
		check(outbox_sync(o, i, 0));
	check(!outbox_sync(o, OUTBOX_MAX + 1, 0));
	check(outbox_sync(o, 5, 0)); /* is in it */
	outbox_done(o, outbox_due(o, 0, &from));
	check(outbox_sync(o, OUTBOX_MAX + 1, 0));
	outbox_free(o);
}

TEST(load_is_reported_from_half_full_on_and_its_end_for_a_while)
{
	struct home_load l = {0};

	load_update(&l, 0, 4096, 1000);
	check_eq(l.value, 65535);
	check(!l.report);
	load_update(&l, 2048, 4096, 2000);
	check(!l.report);
	load_update(&l, 3072, 4096, 3000);
	check(l.report);
	check_eq(l.reduction, 50);
	check_eq(l.sequence, 1);
	load_update(&l, 3080, 4096, 3100);
	check_eq(l.sequence, 1); /* the same report */
	load_update(&l, 4096, 4096, 4000);
	check_eq(l.reduction, 100);
	check_eq(l.value, 0);
	load_update(&l, 10, 4096, 5000);
	check(l.report);
	check_eq(l.reduction, 0);
	check_eq(l.sequence, 3);
	load_update(&l, 10, 4096, 70000);
	check(!l.report);
}

TESTS(T(a_change_is_told_as_what_it_is), T(every_plan_ends_once_it_is_carried_out),
      T(both_nodes_are_told_and_only_the_wrong_place_is_cancelled),
      T(a_subscriber_is_in_the_outbox_once),
      T(a_silent_node_is_tried_ever_more_slowly_and_then_no_more),
      T(a_full_outbox_says_so_and_has_room_again),
      T(load_is_reported_from_half_full_on_and_its_end_for_a_while))
