/* A store in a folder of its own, for tests. */
#pragma once
#include "records/store.h"
#include "unit/test.h"

#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS 1764000000000ULL /* 2025-11-24 */

static char room_dir[64];

static inline int room_unlink(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static inline void room_make(void)
{
	snprintf(room_dir, sizeof room_dir, "/tmp/merlon-test-XXXXXX");
	check(mkdtemp(room_dir));
}

static inline void room_remove(void)
{
	check_eq(nftw(room_dir, room_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline struct store *room_open(void)
{
	struct store *st;
	char why[256];

	check_eq(store_open(&st, room_dir, why), ERR_OK);
	return st;
}

/* One edit in a transaction of its own, as the keeper does it. `fields`: "a=b\nc=d". */
struct done {
	enum err err;
	uint64_t approval;
	struct say say;
};

static inline struct done room_edit_by(struct store *st, const char *actor, uint64_t approve,
				       enum object o, enum edit_mode mode, const char *key,
				       const char *fields)
{
	struct view pair[EDIT_PAIRS];
	struct edit e = { o, mode, view_of(key), pair, 0, 0 };
	struct who who = { view_of(actor), approve, NOW_MS, { 0 } };
	struct done d = { .approval = 0 };

	while (*fields) {
		size_t n = strcspn(fields, "\n");

		pair[e.pair_n++] = (struct view){ (const uint8_t *)fields, n };
		fields += n + (fields[n] == '\n');
	}
	check_eq(store_begin(st), ERR_OK);
	d.err = store_edit(st, &who, &e, &d.approval, &d.say);
	if (d.err && d.err != ERR_APPROVAL)
		store_rollback(st);
	else
		check_eq(store_commit(st), ERR_OK);
	return d;
}

static inline struct done room_set(struct store *st, enum object o, const char *key, const char *fields)
{
	return room_edit_by(st, "anna", 0, o, EDIT_SET, key, fields);
}

#define METER "tenant=meters\npriority=low\napn1=meters.iot"
#define HEART "tenant=cardio\npriority=critical\napn1=cardio.iot:ipv6:65:2"

/* Two tenants, a profile each, two subscriptions. */
static inline void room_fill(struct store *st)
{
	check_eq(room_set(st, OBJ_TENANT, "meters", "").err, ERR_OK);
	check_eq(room_set(st, OBJ_TENANT, "cardio", "").err, ERR_OK);
	check_eq(room_set(st, OBJ_PROFILE, "meter", METER).err, ERR_OK);
	check_eq(room_set(st, OBJ_PROFILE, "pacemaker", HEART).err, ERR_OK);
	check_eq(room_set(st, OBJ_SUBSCRIPTION, "999700000000001",
			  "tenant=meters\nprofile=meter\niccid=8999970000000000001").err, ERR_OK);
	check_eq(room_set(st, OBJ_SUBSCRIPTION, "999700000000002",
			  "tenant=cardio\nprofile=pacemaker\nimei=001017000000021").err, ERR_OK);
}

/* SQL behind Merlon's back; a keeper that runs may hold the store for a moment. */
static inline void room_behind(const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/records.db", room_dir);
	check_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 20000);
	check_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}
