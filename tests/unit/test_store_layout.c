/* Stores that an older Merlon made: they open, keep what they have, and what was tampered with stays found
 * out. tests/vectors/records_format1 was written by a Merlon of format 1. */
#include "unit/records_room.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/wait.h>

#define SUB  OBJ_SUBSCRIPTION
#define ROWS 19

static void copy(const char *name)
{
	char from[512], to[128], bytes[4096];
	FILE *in, *out;
	size_t n;

	snprintf(from, sizeof from, "%s/records_format1/%s", VECTORS, name);
	snprintf(to, sizeof to, "%s/%s", room_dir, name);
	in = fopen(from, "re");
	out = fopen(to, "we");
	check(in && out);
	n = fread(bytes, 1, sizeof bytes, in);
	check_eq(fwrite(bytes, 1, n, out), n);
	fclose(in);
	fclose(out);
}

static char *text_of(const char *name)
{
	char path[512], *text = calloc(1, 65536);
	FILE *f;

	snprintf(path, sizeof path, "%s/records_format1/%s", VECTORS, name);
	f = fopen(path, "re");
	check(f && text);
	check(fread(text, 1, 65535, f) > 1000);
	fclose(f);
	return text;
}

/* The old store in a folder of its own. */
static void old_store(void)
{
	char *sql = text_of("records.sql");

	room_make();
	copy("keeper.key");
	copy("journal.head");
	room_behind(sql);
	free(sql);
}

static bool has(struct store *st, enum object o, const char *key, const char *text)
{
	static uint8_t room[65536];
	struct wr w = { .p = room, .cap = sizeof room };
	struct say s;

	check_eq(store_get(st, o, view_of(key), &(struct reader){ { 0 }, false }, &w, &s), ERR_OK);
	wr_be(&w, 0, 1);
	if (!strstr((char *)room, text))
		fprintf(stderr, "%s: no %s in %s\n", key, text, (char *)room);
	return strstr((char *)room, text) != NULL;
}

static struct store_verdict verdict(struct store *st)
{
	struct store_verdict v;

	check_eq(store_verify(st, &v), ERR_OK);
	return v;
}

static bool whole(const struct store_verdict *v)
{
	if (v->first[0])
		fprintf(stderr, "%s\n", v->first);
	return v->tampered + v->tables + v->journal_bad == 0 && v->head_ok;
}

static uint64_t number(const char *sql)
{
	char path[128];
	sqlite3_stmt *q;
	sqlite3 *db;
	uint64_t n;

	snprintf(path, sizeof path, "%s/records.db", room_dir);
	check_eq(sqlite3_open(path, &db), SQLITE_OK);
	check_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	check_eq(sqlite3_step(q), SQLITE_ROW);
	n = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}

/* .c */
TEST(a_store_of_format_1_opens_with_all_its_rows_and_its_journal)
{
	struct store_verdict v;
	struct store *st;
	union packed p;
	uint64_t journal;

	old_store();
	journal = number("SELECT max(seq) FROM journal");
	st = room_open();
	v = verdict(st);
	check(whole(&v));
	check_eq(v.rows, ROWS);
	check_eq(v.journal_n, journal + 1); /* that it was migrated stands there */
	check(has(st, SUB, "999700000000001", "\"imei\":\"00101700000001\""));
	check(has(st, SUB, "999700000000101", "\"grey_until\":\"2031-01-01T00:00:00Z\""));
	check(has(st, OBJ_PROFILE, "pacemaker", "\"apn1\":\"cardio.iot:ipv6:65:2:256000:256000\""));
	check(has(st, OBJ_RULE, "quiet", "\"check\":\"plausibility.velocity\""));
	check(has(st, OBJ_RULE, "steer", "\"check\":\"steering.weight\""));
	check(has(st, OBJ_TENANT, "meters", "\"critical_max\":0"));
	check_eq(store_pack(st, CHANGE_SUB, bcd_of(VIEW("999700000000002")), &p), ERR_OK);
	check_eq(p.sub.prio, PRIO_CRITICAL);
	check_eq(room_set(st, SUB, "999700000000101", "life=active\ngrey_until=").err, ERR_OK);
	check_eq(room_set(st, OBJ_TENANT, "meters", "critical_max=5").err, ERR_OK);
	store_close(st);
	check_eq(number("PRAGMA user_version"), 2);
	st = room_open();
	v = verdict(st);
	check(whole(&v));
	check_eq(v.journal_n, journal + 3); /* and only once */
	check(has(st, OBJ_TENANT, "meters", "\"critical_max\":5"));
	store_close(st);
	room_remove();
}

/* .c: what was changed behind its back in the old store, or is changed in what came later. */
TEST(a_store_that_was_tampered_with_before_it_was_migrated_is_found_out)
{
	static const struct {
		const char *sql;
		uint64_t tampered, tables;
		bool before; /* it is migrated */
	} deeds[] = {
		{ "UPDATE subscription SET life = 2 WHERE imsi = '999700000000101'", 1, 0, true },
		{ "UPDATE profile SET priority = 0 WHERE name = 'meter'", 1, 0, true },
		{ "DELETE FROM equipment", 0, 1, true },
		{ "UPDATE tenant SET critical_max = 7 WHERE name = 'cars'", 1, 0, false },
		{ "UPDATE tenant SET critical_max = 0 WHERE name = 'meters'", 1, 0, false },
	};

	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		struct store_verdict v;
		struct store *st;

		old_store();
		if (deeds[i].before)
			room_behind(deeds[i].sql);
		st = room_open();
		check_eq(room_set(st, OBJ_TENANT, "meters", "critical_max=5").err, ERR_OK);
		if (!deeds[i].before)
			room_behind(deeds[i].sql);
		v = verdict(st);
		check_eq(v.tampered, deeds[i].tampered);
		check_eq(v.tables, deeds[i].tables);
		store_close(st);
		room_remove();
	}
}

TEST(a_store_that_this_build_cannot_have_is_refused_with_the_reason)
{
	static const struct {
		const char *sql, *why;
	} cases[] = {
		{ "ALTER TABLE profile ADD COLUMN colour TEXT", "made by a newer Merlon: profile has a column colour" },
		{ "PRAGMA user_version=3", "of format 3, not of 1 to 2" },
		{ "ALTER TABLE batch DROP COLUMN form", "table batch has no column form" },
		{ "UPDATE layout SET def = '9' WHERE \"column\" = 'critical_max'", "does not fit" },
		{ "DELETE FROM layout WHERE \"column\" = 'critical_max'", "layout of tenant.critical_max" },
		{ "UPDATE layout SET names = 'x|' || names WHERE \"column\" = 'life'", "does not fit" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct store *st;
		char why[256];

		old_store();
		store_close(room_open());
		room_behind(cases[i].sql);
		check(store_open(&st, room_dir, why) != ERR_OK);
		if (!strstr(why, cases[i].why))
			fprintf(stderr, "%s: %s\n", cases[i].sql, why);
		check(strstr(why, cases[i].why));
		room_remove();
	}
}

static void put_text(struct wr *w, const char *text)
{
	wr_be(w, strlen(text), 8);
	wr_view(w, view_of(text));
}

/* As a Merlon would have left it that numbered the checks in this order. */
static void note_checks(const char *names)
{
	uint8_t key[crypto_auth_hmacsha256_KEYBYTES], mac[crypto_auth_hmacsha256_BYTES], in[8192];
	char path[128], hex[2 * sizeof mac + 1], sql[8192];
	struct wr w = { .p = in, .cap = sizeof in };
	FILE *f;

	snprintf(path, sizeof path, "%s/keeper.key", room_dir);
	f = fopen(path, "re");
	check(f && fread(key, 1, sizeof key, f) == sizeof key);
	fclose(f);
	put_text(&w, "layout");
	put_text(&w, "rule");
	put_text(&w, "check");
	put_text(&w, "");
	put_text(&w, names);
	crypto_auth_hmacsha256(mac, in, w.n, key);
	sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
	snprintf(sql, sizeof sql, "UPDATE layout SET names = '%s', mac = x'%s' WHERE object = 'rule' AND "
				  "\"column\" = 'check'", names, hex);
	room_behind(sql);
}

/* The numbers of choices follow their names: a rule stays a rule about the same check. */
TEST(choices_whose_numbers_have_moved_are_told_by_their_names)
{
	const char *now = model_columns[COL_RULE_CHECK].names;
	struct store_verdict v;
	struct store *st;
	char then[4096], why[256];
	uint64_t feed;

	old_store();
	st = room_open();
	check_eq(room_set(st, OBJ_RULE, "peer", "check=partner.peer_unknown\nmode=off").err, ERR_OK);
	store_close(st);
	feed = number("SELECT max(seq) FROM change");
	check_eq(number("SELECT \"check\" FROM rule WHERE name = 'peer'"), 1);
	snprintf(then, sizeof then, "|partner.peer_blocked|partner.peer_unknown%s",
		 now + strlen("|partner.peer_unknown|partner.peer_blocked"));
	note_checks(then);
	st = room_open();
	v = verdict(st);
	check(whole(&v));
	check(has(st, OBJ_RULE, "peer", "\"check\":\"partner.peer_blocked\""));
	check(has(st, OBJ_RULE, "steer", "\"check\":\"steering.weight\""));
	store_close(st);
	check_eq(number("SELECT max(seq) FROM change"), feed + 1); /* it is published */
	note_checks("|partner.peer_unknown|no.longer|steering.weight");
	check_eq(store_open(&st, room_dir, why), ERR_CORRUPT);
	check(strstr(why, "its check is none that this version knows"));
	room_remove();
}

/* Killed at any moment, it is the old store or the new one. */
TEST(a_migration_that_is_killed_leaves_a_whole_store)
{
	unsigned int seed = 7;

	for (int i = 0; i < 30; i++) {
		struct store_verdict v;
		struct store *st;
		char why[256];
		pid_t pid;

		old_store();
		pid = fork();
		check(pid >= 0);
		if (pid == 0) {
			(void)!store_open(&st, room_dir, why);
			_exit(0);
		}
		usleep((unsigned int)rand_r(&seed) % 12000);
		kill(pid, SIGKILL);
		check_eq(waitpid(pid, NULL, 0), pid);
		st = room_open();
		v = verdict(st);
		check(whole(&v));
		check_eq(v.rows, ROWS);
		check(has(st, OBJ_TENANT, "cars", "\"critical_max\":0"));
		store_close(st);
		room_remove();
	}
}

/* What F_LATER promises. */
TEST(a_later_column_is_one_that_old_rows_can_do_without)
{
	for (unsigned int i = 0; i < COL_N; i++) {
		const struct column *c = &model_columns[i];

		if (!(c->flags & F_LATER))
			continue;
		check_eq(c->flags, F_LATER);
		check(c->kind != K_REF || !c->def[0]);
		check(model_objects[c->object].first != i);
	}
}

/* .m */
TEST(a_tenant_has_no_more_critical_subscriptions_than_its_share)
{
	static const struct {
		enum object object;
		const char *key, *fields;
		enum err want;
	} steps[] = {
		{ OBJ_TENANT, "meters", "critical_max=2", ERR_OK },
		{ SUB, "999700000000003", "tenant=meters\nprofile=meter\npriority=critical", ERR_OK },
		{ SUB, "999700000000004", "tenant=meters\nprofile=meter", ERR_OK },
		{ SUB, "999700000000005", "tenant=meters\nprofile=meter\npriority=critical", ERR_OK },
		{ SUB, "999700000000006", "tenant=meters\nprofile=meter\npriority=critical", ERR_REFUSED },
		{ SUB, "999700000000004", "priority=critical", ERR_REFUSED },
		{ SUB, "999700000000004", "priority=high", ERR_OK },
		{ OBJ_TENANT, "meters", "critical_max=1", ERR_REFUSED },
		{ OBJ_TENANT, "meters", "critical_max=3", ERR_OK },
		{ SUB, "999700000000004", "priority=critical", ERR_OK },
		{ SUB, "999700000000007", "tenant=meters\nprofile=meter\npriority=critical", ERR_REFUSED },
		{ OBJ_PROFILE, "meter", "priority=critical\napn1=other.iot", ERR_REFUSED },
		{ OBJ_TENANT, "meters", "critical_max=4", ERR_OK },
		{ OBJ_PROFILE, "meter", "priority=critical\napn1=other.iot", ERR_OK },
		{ SUB, "999700000000007", "tenant=meters\nprofile=meter", ERR_REFUSED },
		{ OBJ_TENANT, "meters", "critical_max=0", ERR_OK },
		{ SUB, "999700000000007", "tenant=meters\nprofile=meter", ERR_OK },
	};
	struct store *st;

	room_make();
	st = room_open();
	room_fill(st);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct done d = room_set(st, steps[i].object, steps[i].key, steps[i].fields);

		if (d.err != steps[i].want)
			fprintf(stderr, "%zu %s: %s\n", i, steps[i].fields, d.say.text);
		check_eq(d.err, steps[i].want);
	}
	store_close(st);
	room_remove();
}

TESTS(T(a_store_of_format_1_opens_with_all_its_rows_and_its_journal),
      T(a_store_that_was_tampered_with_before_it_was_migrated_is_found_out),
      T(a_store_that_this_build_cannot_have_is_refused_with_the_reason),
      T(choices_whose_numbers_have_moved_are_told_by_their_names),
      T(a_migration_that_is_killed_leaves_a_whole_store),
      T(a_later_column_is_one_that_old_rows_can_do_without),
      T(a_tenant_has_no_more_critical_subscriptions_than_its_share))
