/* The system of record: its rules, its MACs, its journal, its feed. */
#include "unit/records_room.h"

static struct store *st;

static void begin(void)
{
	room_make();
	st = room_open();
	room_fill(st);
}

static void end(void)
{
	store_close(st);
	room_remove();
}

#define SUB  OBJ_SUBSCRIPTION
#define IMSI "999700000000001"
#define CRIT "999700000000002"

/* .a, R-5.1.b, R-5.1.c, R-3.1.a */
TEST(what_a_record_may_be_is_a_rule)
{
	static const struct {
		const char *what;
		enum object object;
		const char *key, *fields;
		enum err want;
	} cases[] = {
		{ "wildcard APN", OBJ_PROFILE, "p1", "tenant=meters\napn1=*", ERR_VALUE },
		{ "no APN", OBJ_PROFILE, "p1", "tenant=meters", ERR_MISSING },
		{ "QCI 65 for low", OBJ_PROFILE, "p1", "tenant=meters\napn1=a.iot:ipv4:65:2", ERR_REFUSED },
		{ "QCI 70 for low", OBJ_PROFILE, "p1", "tenant=meters\napn1=a.iot:ipv4:70:2", ERR_REFUSED },
		{ "QCI 64 for low", OBJ_PROFILE, "p0", "tenant=meters\napn1=a.iot:ipv4:64:2", ERR_OK },
		{ "SMS list without SMS", OBJ_PROFILE, "p1", "tenant=meters\napn1=a.iot\nsms_to=12345", ERR_REFUSED },
		{ "SMS list with SMS", OBJ_PROFILE, "p2", "tenant=meters\napn1=a.iot\nservices=sms-mt\nsms_to=12345", ERR_OK },
		{ "ims without voice", OBJ_PROFILE, "p1", "tenant=meters\napn1=ims:ipv4:5:2", ERR_REFUSED },
		{ "critical that refuses", OBJ_PROFILE, "p1", "tenant=cardio\npriority=critical\nbinding=detach\napn1=c.iot", ERR_REFUSED },
		{ "APN of a critical one", OBJ_PROFILE, "p1", "tenant=meters\napn1=cardio.iot", ERR_REFUSED },
		{ "unknown tenant", OBJ_PROFILE, "p1", "tenant=nobody\napn1=a.iot", ERR_REFUSED },
		{ "broken UTF-8", OBJ_TENANT, "t1", "contact=a\xc3(", ERR_VALUE },
		{ "overlong UTF-8", OBJ_TENANT, "t1", "contact=\xc0\xaf", ERR_VALUE },
		{ "half a character", OBJ_TENANT, "t1", "contact=\xe2\x82", ERR_VALUE },
		{ "UTF-8", OBJ_TENANT, "t1", "contact=\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", ERR_OK },
		{ "unknown field", SUB, IMSI, "colour=red", ERR_VALUE },
		{ "a key", SUB, IMSI, "k=00112233445566778899aabbccddeeff", ERR_REFUSED },
		{ "IMSI of letters", SUB, "99970000000000x", "tenant=meters\nprofile=meter", ERR_VALUE },
		{ "IMSI too long", SUB, "9997000000000011", "tenant=meters\nprofile=meter", ERR_LENGTH },
		{ "ICCID twice", SUB, "999700000000003", "tenant=meters\nprofile=meter\niccid=8999970000000000001", ERR_EXISTS },
		{ "no profile", SUB, "999700000000003", "tenant=meters", ERR_MISSING },
		{ "another's profile", SUB, "999700000000003", "tenant=meters\nprofile=pacemaker", ERR_REFUSED },
		{ "begins retired", SUB, "999700000000003", "tenant=meters\nprofile=meter\nlife=retired", ERR_REFUSED },
		{ "clear from anywhere", OBJ_NETWORK, "00101", "realm=a.b\nclear_ok=yes", ERR_REFUSED },
		{ "bad prefix", OBJ_NETWORK, "00101", "realm=a.b\naddresses=10.0.0.0/33", ERR_VALUE },
		{ "network", OBJ_NETWORK, "00101", "realm=a.b\naddresses=10.0.0.0/8 ::1", ERR_OK },
		{ "range backwards", OBJ_RANGE, "999700000000009", "to=999700000000001", ERR_VALUE },
		{ "range", OBJ_RANGE, "999700000000000", "to=999700000000999", ERR_OK },
		{ "range over range", OBJ_RANGE, "999700000000500", "to=999700000001999", ERR_REFUSED },
		{ "rule of no check", OBJ_RULE, "r1", "check=no.such\nmode=off", ERR_VALUE },
		{ "rule", OBJ_RULE, "r1", "check=category.command\nmode=observe", ERR_OK },
		{ "equipment without list", OBJ_EQUIPMENT, "00101700", "reason=x", ERR_MISSING },
		{ "9 digits of IMEI", OBJ_EQUIPMENT, "001017001", "list=black", ERR_VALUE },
		{ "IMEI of 16", OBJ_EQUIPMENT, "3516660900000312", "list=black\nexpires=2030-01-01", ERR_OK },
		{ "the same of 15", OBJ_EQUIPMENT, "351666090000037", "list=white", ERR_OK },
		{ "agreement of nobody", OBJ_AGREEMENT, "a1", "tenant=nobody\npurposes=inspection\nsigned=2026-01-01", ERR_REFUSED },
		{ "agreement for nothing", OBJ_AGREEMENT, "a1", "tenant=meters\nsigned=2026-01-01", ERR_MISSING },
		{ "agreement never signed", OBJ_AGREEMENT, "a1", "tenant=meters\npurposes=inspection", ERR_MISSING },
		{ "agreement that ends first", OBJ_AGREEMENT, "a1", "tenant=meters\npurposes=inspection\nsigned=2026-01-02\nends=2026-01-01", ERR_VALUE },
		{ "agreement", OBJ_AGREEMENT, "a1", "tenant=meters\npurposes=inspection sharing\nsigned=2026-01-01", ERR_OK },
	};

	begin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct done d = room_set(st, cases[i].object, cases[i].key, cases[i].fields);

		if (d.err != cases[i].want)
			fprintf(stderr, "%s: %s\n", cases[i].what, d.say.text);
		check_eq(d.err, cases[i].want);
	}
	end();
}

TEST(life_takes_no_other_step_than_its_cycle)
{
	static const struct {
		const char *life;
		enum err want;
	} steps[] = {
		{ "active", ERR_REFUSED }, { "test-ready", ERR_OK }, { "suspended", ERR_REFUSED },
		{ "active", ERR_OK }, { "inventory", ERR_REFUSED }, { "retired", ERR_REFUSED },
		{ "suspended", ERR_OK }, { "active", ERR_OK }, { "suspended", ERR_OK },
		{ "retired", ERR_OK }, { "active", ERR_REFUSED }, { "inventory", ERR_REFUSED },
	};
	char field[32];

	begin();
	check_eq(room_set(st, SUB, "999700000000003", "tenant=meters\nprofile=meter\nlife=inventory").err,
		 ERR_OK);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		snprintf(field, sizeof field, "life=%s", steps[i].life);
		check_eq(room_set(st, SUB, "999700000000003", field).err, steps[i].want);
	}
	check_eq(room_edit_by(st, "anna", 0, SUB, EDIT_DELETE, IMSI, "").err, ERR_REFUSED);
	check_eq(room_edit_by(st, "anna", 0, SUB, EDIT_DELETE, "999700000000003", "").err, ERR_OK);
	end();
}

/* .f, R-5.1.g */
TEST(a_critical_subscription_needs_two_persons)
{
	static const struct {
		enum object object;
		const char *key, *fields;
	} asks[] = {
		{ SUB, CRIT, "life=suspended" },
		{ SUB, CRIT, "grey_until=2031-01-01" },
		{ SUB, CRIT, "priority=low" },
		{ OBJ_EQUIPMENT, "00101700000002", "list=black" },
		{ OBJ_EQUIPMENT, "00101700", "list=grey" },
		{ OBJ_PROFILE, "pacemaker", "priority=high\napn1=other.iot" },
	};
	uint64_t after = 0;

	begin();
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		struct done d = room_set(st, asks[i].object, asks[i].key, asks[i].fields);
		struct store_status before, now;

		check_eq(d.err, ERR_APPROVAL);
		check(d.approval > after);
		after = d.approval;
		store_status(st, &before);
		check_eq(room_edit_by(st, "anna", d.approval, asks[i].object, EDIT_SET, asks[i].key,
				      asks[i].fields).err, ERR_REFUSED);
		check_eq(room_edit_by(st, "Anna", d.approval, asks[i].object, EDIT_SET, asks[i].key,
				      asks[i].fields).err, ERR_REFUSED);
		store_status(st, &now);
		check_eq(now.feed, before.feed);
	}
	check_eq(room_edit_by(st, "bert", after, SUB, EDIT_SET, CRIT, "life=suspended").err, ERR_REFUSED);
	check_eq(room_edit_by(st, "bert", 1, SUB, EDIT_SET, CRIT, "life=suspended").err, ERR_OK);
	check_eq(room_edit_by(st, "bert", 1, SUB, EDIT_SET, CRIT, "life=retired").err, ERR_NOT_FOUND);
	check_eq(room_set(st, SUB, CRIT, "life=active").err, ERR_OK); /* giving service back needs none */
	check_eq(room_set(st, SUB, IMSI, "life=suspended").err, ERR_OK);
	end();
}

TEST(a_pending_request_is_carried_out_by_its_number)
{
	struct who bert = { VIEW("bert"), 0, NOW_MS, { 0 } }, late;
	struct say s;
	static uint8_t room[65536];
	struct wr w = { .p = room, .cap = sizeof room };

	begin();
	bert.approval = room_set(st, SUB, CRIT, "life=suspended").approval;
	check_eq(store_approvals(st, NOW_MS, (struct view){ 0 }, &w), ERR_OK);
	wr_be(&w, 0, 1);
	check(strstr((char *)room, "suspending a critical subscription"));
	late = bert;
	late.now_ms += 25 * 3600 * 1000ULL;
	check_eq(store_begin(st), ERR_OK);
	check_eq(store_approve(st, &late, &s), ERR_NOT_FOUND);
	check_eq(store_approve(st, &bert, &s), ERR_OK);
	check_eq(store_commit(st), ERR_OK);
	w = (struct wr){ .p = room, .cap = sizeof room };
	check_eq(store_get(st, SUB, VIEW(CRIT), &(struct reader){ { 0 }, false }, &w, &s), ERR_OK);
	wr_be(&w, 0, 1);
	check(strstr((char *)room, "\"life\":\"suspended\""));
	end();
}

TEST(who_rewrites_a_pending_request_gets_nothing)
{
	begin();
	check_eq(room_set(st, SUB, CRIT, "life=suspended").approval, 1);
	room_behind("UPDATE approval SET actor = 'carl'");
	check_eq(room_edit_by(st, "anna", 1, SUB, EDIT_SET, CRIT, "life=suspended").err, ERR_CORRUPT);
	end();
}

/* .c */
TEST(a_row_changed_behind_our_back_is_found_and_not_published)
{
	static const char *const deeds[] = {
		"UPDATE subscription SET profile = 'pacemaker' WHERE imsi = '" IMSI "'",
		"UPDATE subscription SET life = 3 WHERE imsi = '" IMSI "'",
		"UPDATE subscription SET imei = '12345678' WHERE imsi = '" IMSI "'",
		"UPDATE subscription SET version = 9 WHERE imsi = '" IMSI "'",
		"UPDATE subscription SET mac = zeroblob(32) WHERE imsi = '" IMSI "'",
		"UPDATE subscription SET mac = (SELECT mac FROM subscription WHERE imsi = '" CRIT "') "
		"WHERE imsi = '" IMSI "'",
	};
	struct store_verdict v;
	union packed p;

	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		begin();
		check_eq(store_verify(st, &v), ERR_OK);
		check_eq(v.tampered + v.tables + v.journal_bad, 0);
		check_eq(v.rows, 6);
		check(v.head_ok);
		check_eq(store_pack(st, CHANGE_SUB, bcd_of(VIEW(IMSI)), &p), ERR_OK);
		room_behind(deeds[i]);
		check_eq(store_pack(st, CHANGE_SUB, bcd_of(VIEW(IMSI)), &p), ERR_CORRUPT);
		check_eq(store_verify(st, &v), ERR_OK);
		check_eq(v.tampered, 1);
		check_eq(room_set(st, SUB, IMSI, "life=suspended").err, ERR_CORRUPT);
		end();
	}
}

TEST(a_row_removed_or_put_back_breaks_the_seal)
{
	static const char *const deeds[] = {
		"DELETE FROM subscription WHERE imsi = '" IMSI "'",
		"UPDATE subscription SET life = old.life, version = old.version, mac = old.mac "
		"FROM old WHERE old.imsi = subscription.imsi",
	};
	struct store_verdict v;

	for (size_t i = 0; i < 2; i++) {
		begin();
		room_behind("CREATE TABLE old AS SELECT * FROM subscription");
		check_eq(room_set(st, SUB, IMSI, "life=suspended").err, ERR_OK);
		check_eq(store_verify(st, &v), ERR_OK);
		check_eq(v.tables, 0);
		room_behind(deeds[i]);
		check_eq(store_verify(st, &v), ERR_OK);
		check_eq(v.tampered, 0);
		check_eq(v.tables, 1);
		end();
	}
}

TEST(the_sweep_goes_round_and_finds_it)
{
	struct sweep at = { 0 };
	size_t bad = 0;

	begin();
	for (int i = 0; i < 60; i++)
		bad += store_sweep(st, &at, 2);
	check_eq(bad, 0);
	room_behind("UPDATE tenant SET contact = 'eve' WHERE name = 'meters'");
	for (int i = 0; i < 60; i++)
		bad += store_sweep(st, &at, 2);
	check(bad > 0);
	end();
}

TEST(the_journal_is_a_chain_with_its_head_outside)
{
	static const char *const deeds[] = {
		"UPDATE journal SET actor = 'bert' WHERE seq = 3",
		"UPDATE journal SET detail = '{}' WHERE seq = 3",
		"DELETE FROM journal WHERE seq = 3",
		"DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)",
	};
	struct store_verdict v;

	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		begin();
		room_behind(deeds[i]);
		check_eq(store_verify(st, &v), ERR_OK);
		check(v.journal_bad == 3 || (i == 3 && !v.head_ok));
		check_eq(store_head_ok(st), i != 3);
		end();
	}
}

TEST(the_feed_is_numbered_without_gaps_and_a_rollback_leaves_none)
{
	struct store_change c[32];
	struct done d;
	enum err err;
	size_t n;

	begin();
	d = room_set(st, SUB, IMSI, "life=retired");
	check_eq(d.err, ERR_REFUSED);
	check_eq(room_set(st, SUB, IMSI, "life=suspended").err, ERR_OK);
	check_eq(room_set(st, SUB, IMSI, "life=suspended").err, ERR_OK); /* changes nothing */
	check_eq(room_set(st, OBJ_PROFILE, "meter", "tau_s=60").err, ERR_OK);
	n = store_changes(st, 0, c, 32, &err);
	check_eq(err, ERR_OK);
	check_eq(n, 6);
	for (size_t i = 0; i < n; i++)
		check_eq(c[i].change.seq, i + 1);
	check_eq(c[4].change.kind, CHANGE_SUB);
	check_eq(c[4].change.was, LIFE_ACTIVE);
	check_eq(c[4].change.id, bcd_of(VIEW(IMSI)));
	check_eq(c[5].change.kind, CHANGE_PROFILE);
	check(!c[5].repack);
	end();
}

TEST(rows_are_packed_as_the_judge_reads_them)
{
	union packed p;
	uint32_t profile;

	begin();
	check_eq(store_pack(st, CHANGE_SUB, bcd_of(VIEW(CRIT)), &p), ERR_OK);
	check_eq(p.sub.prio, PRIO_CRITICAL);
	check_eq(p.sub.life, LIFE_ACTIVE);
	check_eq(p.sub.alg, ALG_MILENAGE);
	check_eq(p.sub.imei, bcd_of(VIEW("00101700000002")));
	profile = p.sub.profile;
	check_eq(store_pack(st, CHANGE_PROFILE, profile, &p), ERR_OK);
	check(strcmp(p.profile.name, "pacemaker") == 0);
	check_eq(p.profile.apn_n, 1);
	check(strcmp(p.profile.apn[0].name, "cardio.iot") == 0);
	check_eq(p.profile.apn[0].qci, 65);
	check_eq(p.profile.apn[0].pdn_type, 1);
	check_eq(p.profile.apn[0].context, 1);
	check_eq(p.profile.rats, RAT_LTE_M | RAT_NB_IOT);
	check_eq(store_pack(st, CHANGE_SUB, bcd_of(VIEW("999700000000009")), &p), ERR_NOT_FOUND);
	end();
}

/* .h, R-5.1.i */
TEST(a_new_subscription_belongs_to_the_partition_of_its_range)
{
	static const struct {
		const char *key, *fields;
		unsigned int partition;
	} cases[] = {
		{ "999701000000000", "tenant=meters\nprofile=meter", 3 },
		{ "999701000000999", "tenant=meters\nprofile=meter\npartition=", 3 },
		{ "999701000000500", "tenant=meters\nprofile=meter\npartition=0", 0 },
		{ "999701000000501", "tenant=meters\nprofile=meter\npartition=5", 5 },
		{ "999701000001000", "tenant=meters\nprofile=meter", 0 },
		{ "99970100000050", "tenant=meters\nprofile=meter", 0 }, /* a digit less: not in it */
	};
	union packed p;

	begin();
	check_eq(room_set(st, OBJ_RANGE, "999701000000000", "to=999701000000999\npartition=3").err, ERR_OK);
	check_eq(room_set(st, OBJ_RANGE, "999702000000000", "to=999702000000999").err, ERR_OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_eq(room_set(st, SUB, cases[i].key, cases[i].fields).err, ERR_OK);
		check_eq(store_pack(st, CHANGE_SUB, bcd_of(view_of(cases[i].key)), &p), ERR_OK);
		check_eq(p.sub.partition, cases[i].partition);
	}
	check_eq(room_set(st, SUB, "999701000000000", "partition=0").err, ERR_OK); /* moved, and stays */
	check_eq(room_set(st, SUB, "999701000000000", "msisdn=999700001").err, ERR_OK);
	check_eq(store_pack(st, CHANGE_SUB, bcd_of(VIEW("999701000000000")), &p), ERR_OK);
	check_eq(p.sub.partition, 0);
	room_behind("UPDATE imsi_range SET partition = 4 WHERE \"from\" = '999701000000000'");
	check_eq(room_set(st, SUB, "999701000000002", "tenant=meters\nprofile=meter").err, ERR_CORRUPT);
	end();
}

static unsigned int bad_n;
static char bad_all[1 << 16];

static void bad_line(void *ctx, uint64_t line, const char *reason)
{
	size_t n = strlen(bad_all);

	(void)ctx;
	bad_n++;
	snprintf(bad_all + n, sizeof bad_all - n, "%llu %s\n", (unsigned long long)line, reason);
}

TEST(an_import_makes_every_good_row_and_tells_every_bad_one)
{
	struct import in = { .object = SUB, .mode = EDIT_CREATE, .line = 2, .bad = bad_line,
			     .header = VIEW("imsi,iccid,msisdn,eid,alg,k,opc,op,topc,amf,tenant,"
					    "profile,priority,imei\r\n"),
			     .lines = VIEW("999700000000011,,,,,,,,,8000,meters,meter,,\r\n"
					   "999700000000012,,,,,00ff,,,,,meters,meter,,\n"
					   "\n"
					   "999700000000013,,,,,,,,,,meters,nosuch,,\n"
					   "999700000000011,,,,,,,,,,meters,meter,,\n"
					   "\"999700000000014\",,,,tuak,,,,,,\"meters\",meter,high,"
					   "001017000000141\n"
					   "999700000000015,\"open\n"
					   "999700000000016,,,,,,,,,,meters,meter,,,,too,many\n"
					   "999700000000017,,,,milenage,,,,,,meters,meter,urgent,") };
	struct who who = { VIEW("anna"), 0, NOW_MS, { 0 } };
	struct store_verdict v;
	struct say s;

	begin();
	bad_n = 0;
	bad_all[0] = 0;
	check_eq(store_begin(st), ERR_OK);
	check_eq(store_import(st, &who, &in, &s), ERR_OK);
	check_eq(store_commit(st), ERR_OK);
	check_eq(in.done, 2);
	check_eq(in.refused, 6);
	check_eq(bad_n, 6);
	check(strstr(bad_all, "3 k: keys never enter"));
	check(strstr(bad_all, "5 profile: there is none"));
	check(strstr(bad_all, "6 imsi: exists already"));
	check(strstr(bad_all, "8 quotes"));
	check(strstr(bad_all, "9 more fields"));
	check(strstr(bad_all, "10 priority: \"urgent\" is not one of critical|high"));
	check_eq(store_verify(st, &v), ERR_OK);
	check_eq(v.tampered + v.tables + v.journal_bad, 0);
	in.header = VIEW("imsi,colour");
	check_eq(store_begin(st), ERR_OK);
	check_eq(store_import(st, &who, &in, &s), ERR_VALUE);
	store_rollback(st);
	end();
}

TEST(what_is_exported_can_be_imported_again)
{
	static uint8_t csv[65536], again[65536];
	struct wr w = { .p = csv, .cap = sizeof csv }, w2 = { .p = again, .cap = sizeof again };
	struct page p = { .object = OBJ_PROFILE, .max = 100, .csv = true };
	struct import in = { .object = OBJ_PROFILE, .mode = EDIT_SET, .line = 2, .bad = bad_line };
	struct who who = { VIEW("anna"), 0, NOW_MS, { 0 } };
	struct store_status before, after;
	struct say s;

	begin();
	store_csv_header(OBJ_PROFILE, &w2);
	in.header = wr_done(&w2);
	check_eq(store_list(st, &p, &w, &s), ERR_OK);
	in.lines = wr_done(&w);
	store_status(st, &before);
	check_eq(store_begin(st), ERR_OK);
	check_eq(store_import(st, &who, &in, &s), ERR_OK);
	check_eq(in.done, 2);
	check_eq(store_commit(st), ERR_OK);
	store_status(st, &after);
	check_eq(after.feed, before.feed); /* the same records: nothing changed */
	end();
}

TEST(pages_follow_each_other_and_filters_hold)
{
	static uint8_t room[65536];
	struct wr w = { .p = room, .cap = sizeof room };
	const struct view filter[] = { VIEW_INIT("tenant=meters"), VIEW_INIT("imsi=99970*") };
	struct page p = { .object = SUB, .max = 1 };
	struct page q = { .object = SUB, .max = 10, .filter = filter, .filter_n = 2 };
	struct say s;

	begin();
	check_eq(store_list(st, &p, &w, &s), ERR_OK);
	check_eq(p.n, 1);
	check(strcmp(p.next, IMSI) == 0);
	p.after = VIEW(IMSI);
	check_eq(store_list(st, &p, &w, &s), ERR_OK);
	check(strcmp(p.next, CRIT) == 0);
	p.after = VIEW(CRIT);
	check_eq(store_list(st, &p, &w, &s), ERR_OK);
	check_eq(p.n, 0);
	check(p.next[0] == 0);
	check_eq(store_list(st, &q, &w, &s), ERR_OK);
	check_eq(q.n, 1);
	end();
}

TEST(a_store_opens_only_with_its_own_key)
{
	char path[128], why[256];
	struct store *other;
	FILE *f;

	begin();
	store_close(st);
	snprintf(path, sizeof path, "%s/keeper.key", room_dir);
	f = fopen(path, "r+");
	check(f && fputc(0x55, f) == 0x55 && fputc(0xaa, f) == 0xaa && fclose(f) == 0);
	check_eq(store_open(&other, room_dir, why), ERR_KEY);
	check_eq(unlink(path), 0);
	check_eq(store_open(&other, room_dir, why), ERR_KEY);
	check(strstr(why, "keeper.key"));
	snprintf(path, sizeof path, "%s/records.db", room_dir);
	f = fopen(path, "w");
	check(f && fputs("this is no database, whatever its name says it is", f) >= 0 && fclose(f) == 0);
	check_eq(store_open(&other, room_dir, why), ERR_CORRUPT);
	room_remove();
}

TEST(a_backup_of_the_live_store_opens_and_verifies)
{
	char to[96], path[128], why[256];
	struct stat file;
	struct store_verdict v;
	struct store *copy;
	struct say s;

	begin();
	snprintf(to, sizeof to, "%s/copy", room_dir);
	check_eq(store_backup(st, to, &s), ERR_OK);
	check_eq(store_backup(st, to, &s), ERR_IO); /* never over another */
	snprintf(path, sizeof path, "%s/records.db", to);
	check_eq(stat(path, &file), 0);
	check_eq(file.st_mode & 0777, 0600);
	snprintf(path, sizeof path, "%s/records.db", room_dir);
	check_eq(stat(path, &file), 0);
	check_eq(file.st_mode & 07, 0);
	check_eq(room_set(st, SUB, IMSI, "life=suspended").err, ERR_OK);
	check_eq(store_open(&copy, to, why), ERR_OK);
	check_eq(store_verify(copy, &v), ERR_OK);
	check_eq(v.rows, 6);
	check_eq(v.tampered + v.tables + v.journal_bad, 0);
	check(v.head_ok);
	store_close(copy);
	end();
}

TESTS(T(what_a_record_may_be_is_a_rule), T(life_takes_no_other_step_than_its_cycle),
      T(a_critical_subscription_needs_two_persons), T(a_pending_request_is_carried_out_by_its_number),
      T(who_rewrites_a_pending_request_gets_nothing),
      T(a_row_changed_behind_our_back_is_found_and_not_published),
      T(a_row_removed_or_put_back_breaks_the_seal), T(the_sweep_goes_round_and_finds_it),
      T(the_journal_is_a_chain_with_its_head_outside),
      T(the_feed_is_numbered_without_gaps_and_a_rollback_leaves_none),
      T(rows_are_packed_as_the_judge_reads_them),
      T(a_new_subscription_belongs_to_the_partition_of_its_range),
      T(an_import_makes_every_good_row_and_tells_every_bad_one),
      T(what_is_exported_can_be_imported_again), T(pages_follow_each_other_and_filters_hold),
      T(a_store_opens_only_with_its_own_key), T(a_backup_of_the_live_store_opens_and_verifies))
