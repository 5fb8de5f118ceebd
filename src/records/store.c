#include "records/store_in.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const tables[] = {
	"CREATE TABLE IF NOT EXISTS seal (object TEXT PRIMARY KEY, n INTEGER NOT NULL, "
	"next_id INTEGER NOT NULL, sum BLOB NOT NULL, mac BLOB NOT NULL)",
	"CREATE TABLE IF NOT EXISTS change (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, "
	"id INTEGER NOT NULL, was INTEGER NOT NULL, repack INTEGER NOT NULL)",
	"CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, "
	"actor TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, key TEXT NOT NULL, "
	"detail TEXT NOT NULL, hash BLOB NOT NULL)",
	"CREATE TABLE IF NOT EXISTS approval (id INTEGER PRIMARY KEY AUTOINCREMENT, "
	"at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, actor TEXT NOT NULL, "
	"request BLOB NOT NULL, reason TEXT NOT NULL, approver TEXT, mac BLOB NOT NULL)",
	"CREATE TABLE IF NOT EXISTS lists (id INTEGER PRIMARY KEY CHECK (id = 1), row BLOB NOT NULL, "
	"mac BLOB NOT NULL)",
	"DROP INDEX IF EXISTS subscription_profile",
	"CREATE INDEX IF NOT EXISTS subscription_profile_imsi ON subscription(profile, imsi)",
	"CREATE INDEX IF NOT EXISTS subscription_tenant ON subscription(tenant, imsi)",
	"CREATE INDEX IF NOT EXISTS subscription_life ON subscription(life, imsi) WHERE life <> 2",
	"CREATE INDEX IF NOT EXISTS subscription_eid ON subscription(eid) WHERE eid IS NOT NULL",
	"CREATE INDEX IF NOT EXISTS journal_of ON journal(object, key) WHERE action <> 'create'",
	"CREATE INDEX IF NOT EXISTS subscription_imei ON subscription(imei) WHERE imei IS NOT NULL",
};

enum err store_sql(struct store *st, const char *sql)
{
	char *text = NULL;
	int rc = sqlite3_exec(st->db, sql, NULL, NULL, &text);

	if (rc != SQLITE_OK)
		LOG(LOG_ERROR, "records.sql", KV("error", text ? (const char *)text : "?"));
	sqlite3_free(text);
	return rc == SQLITE_OK ? ERR_OK : ERR_IO;
}

sqlite3_stmt *store_prepare(struct store *st, const char *sql)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v3(st->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q, NULL) != SQLITE_OK)
		LOG(LOG_ERROR, "records.sql", KV("error", sqlite3_errmsg(st->db)));
	return q;
}

/* The columns of an object, each as `one` says: "name" or "?". */
static size_t columns(enum object o, char *to, size_t cap, const char *one)
{
	const struct object_row *row = &model_objects[o];
	size_t n = 0;

	for (unsigned int i = row->first; i <= row->last && n < cap; i++) {
		n += (size_t)snprintf(to + n, cap - n, "%s", i == row->first ? "" : ", ");
		if (n < cap && one[0] == '?')
			n += (size_t)snprintf(to + n, cap - n, "?");
		else if (n < cap)
			n += (size_t)snprintf(to + n, cap - n, "\"%s\"%s",
					      model_columns[i].name, one);
	}
	return n;
}

static enum err prepare_object(struct store *st, enum object o)
{
	const char *table = model_objects[o].table;
	const char *key = model_columns[model_objects[o].first].name;
	char names[1024], marks[128], sql[2048];

	columns(o, names, sizeof names, "");
	columns(o, marks, sizeof marks, "?");
	snprintf(sql, sizeof sql, "SELECT id, version, %s, mac FROM %s WHERE \"%s\" = ?", names,
		 table, key);
	st->row[o][ST_KEY] = store_prepare(st, sql);
	snprintf(sql, sizeof sql, "SELECT id, version, %s, mac FROM %s WHERE id = ?", names, table);
	st->row[o][ST_ID] = store_prepare(st, sql);
	snprintf(sql, sizeof sql, "INSERT INTO %s (id, version, %s, mac) VALUES (?, ?, %s, ?)",
		 table, names, marks);
	st->row[o][ST_INSERT] = store_prepare(st, sql);
	snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id = ?", table);
	st->row[o][ST_DELETE] = store_prepare(st, sql);
	snprintf(sql, sizeof sql, "SELECT id, version, %s, mac FROM %s WHERE id > ? ORDER BY id",
		 names, table);
	st->row[o][ST_AFTER] = store_prepare(st, sql);
	for (int i = 0; i < ST_N; i++) {
		if (!st->row[o][i])
			return ERR_CORRUPT;
	}
	return ERR_OK;
}

/* All or none, should we die here: within one transaction. */
static enum err make_tables(struct store *st, char why[256])
{
	enum err err = store_layout(st, why);

	for (size_t i = 0; i < sizeof tables / sizeof *tables && !err; i++)
		err = store_sql(st, tables[i]);
	return err;
}

static enum err prepare(struct store *st)
{
	enum err err = ERR_OK;

	for (enum object o = 0; o < OBJ_N && !err; o++)
		err = prepare_object(st, o);
	st->change = store_prepare(st, "INSERT INTO change VALUES (?, ?, ?, ?, ?)");
	st->journal = store_prepare(st, "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
	st->subs_of = store_prepare(st, "SELECT id FROM subscription WHERE profile = ? AND id > ? "
					"ORDER BY id LIMIT ?");
	st->batch_of = store_prepare(st, "SELECT id FROM imsi_range WHERE partition <> 0 AND "
					 "\"from\" <= ?1 AND \"to\" >= ?1 AND "
					 "length(\"from\") = length(?1)");
	return err ? err : st->change && st->journal && st->subs_of && st->batch_of ? ERR_OK
										    : ERR_CORRUPT;
}

/* A new key, whole or not at all. */
static enum err make_key(struct store *st, const char *path)
{
	char new[4200];
	int fd;
	enum err err = ERR_IO;

	snprintf(new, sizeof new, "%s.new", path);
	unlink(new); /* of a start that did not come so far */
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ERR_IO;
	randombytes_buf(st->key, sizeof st->key);
	if (write(fd, st->key, sizeof st->key) == sizeof st->key && fsync(fd) == 0 &&
	    rename(new, path) == 0)
		err = ERR_OK;
	close(fd);
	return err;
}

/* The key that makes the rows' MACs: made once, readable by the keeper alone. */
static enum err open_key(struct store *st, bool fresh, char why[256])
{
	char path[4096];
	int fd;
	enum err err = ERR_OK;

	snprintf(path, sizeof path, "%s/keeper.key", st->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && fresh) {
		err = make_key(st, path);
		if (err)
			snprintf(why, 256, "%.180s: %s", path, strerror(errno));
		return err;
	}
	if (fd < 0) {
		snprintf(why, 256, "%.180s: %s", path, strerror(errno));
		return ERR_KEY;
	}
	if (read(fd, st->key, sizeof st->key) != sizeof st->key) {
		snprintf(why, 256, "%.180s: too short for a key", path);
		err = ERR_KEY;
	}
	close(fd);
	return err;
}

/* What each row and each block needs again: made once. */
static enum err make_rooms(struct store *st)
{
	st->mac = digest_new((struct view){ st->key, sizeof st->key });
	st->chain = digest_new((struct view){ 0 });
	for (enum object o = 0; o < OBJ_N; o++)
		row_init(&st->blank[o], o);
	st->fresh = calloc(FRESH_MAX, sizeof *st->fresh);
	st->fresh_sub = calloc(FRESH_MAX, sizeof *st->fresh_sub);
	return st->mac && st->chain && st->fresh && st->fresh_sub ? ERR_OK : ERR_FULL;
}

static bool is_fresh(struct store *st)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT count(*) FROM sqlite_master");
	bool fresh = q && sqlite3_step(q) == SQLITE_ROW && sqlite3_column_int(q, 0) == 0;

	sqlite3_finalize(q);
	return fresh;
}

static int user_version(struct store *st)
{
	sqlite3_stmt *q = store_prepare(st, "PRAGMA user_version");
	int version = q && sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int(q, 0) : -1;

	sqlite3_finalize(q);
	return version;
}

static enum err load_seals(struct store *st)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT object, n, next_id, sum, mac FROM seal");
	enum err err = q ? ERR_OK : ERR_CORRUPT;

	memset(st->seal, 0, sizeof st->seal);
	for (enum object o = 0; o < OBJ_N; o++)
		st->seal[o].next_id = 1;
	while (q && sqlite3_step(q) == SQLITE_ROW) {
		enum object o = model_object(view_of((const char *)sqlite3_column_text(q, 0)));
		uint8_t mac[MAC_BYTES];

		if (o == OBJ_N || sqlite3_column_bytes(q, 3) != MAC_BYTES ||
		    sqlite3_column_bytes(q, 4) != MAC_BYTES)
			continue;
		st->seal[o].n = (uint64_t)sqlite3_column_int64(q, 1);
		st->seal[o].next_id = (uint64_t)sqlite3_column_int64(q, 2);
		memcpy(st->seal[o].sum, sqlite3_column_blob(q, 3), MAC_BYTES);
		store_seal_mac(st, o, mac);
		if (sodium_memcmp(mac, sqlite3_column_blob(q, 4), MAC_BYTES) != 0)
			err = ERR_KEY;
	}
	sqlite3_finalize(q);
	return err;
}

/* What is kept in memory of what is stored: after opening, and after a rollback. */
enum err store_load_state(struct store *st)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT (SELECT coalesce(max(seq), 0) FROM change), "
					    "(SELECT coalesce(max(seq), 0) FROM journal), "
					    "(SELECT hash FROM journal ORDER BY seq DESC LIMIT 1)");
	enum err err = ERR_CORRUPT;

	if (q && sqlite3_step(q) == SQLITE_ROW) {
		st->feed = (uint64_t)sqlite3_column_int64(q, 0);
		st->journal_seq = (uint64_t)sqlite3_column_int64(q, 1);
		memset(st->journal_head, 0, sizeof st->journal_head);
		if (sqlite3_column_bytes(q, 2) == HASH_BYTES)
			memcpy(st->journal_head, sqlite3_column_blob(q, 2), HASH_BYTES);
		err = ERR_OK;
	}
	sqlite3_finalize(q);
	st->profile_name[0] = st->tenant_name[0] = st->quota_tenant[0] = 0;
	st->batches_known = false;
	store_fresh_drop(st);
	return err ? err : load_seals(st);
}

/* The tables as this build has them, made or brought up to date in one transaction. */
static enum err settle_tables(struct store *st, char why[256])
{
	struct timespec now;
	char sql[64];
	enum err err = store_sql(st, "BEGIN IMMEDIATE");

	clock_gettime(CLOCK_REALTIME, &now);
	if (!err)
		err = make_tables(st, why);
	if (!err)
		err = prepare(st);
	if (!err)
		err = store_load_state(st);
	if (!err)
		err = store_layout_settle(st, (uint64_t)now.tv_sec * 1000, why);
	snprintf(sql, sizeof sql, "PRAGMA user_version=%d", STORE_FORMAT);
	if (!err)
		err = store_sql(st, sql);
	if (err)
		return err; /* closing rolls it back */
	if (st->format == 0 || (st->format == STORE_FORMAT && !st->migrated && !st->renumbered))
		return store_sql(st, "COMMIT");
	st->open = true;
	return store_commit(st); /* with its entry in the journal */
}

static enum err open_db(struct store *st, char why[256])
{
	char path[4096];
	bool fresh;
	enum err err;
	int fd;

	snprintf(path, sizeof path, "%s/records.db", st->dir);
	/* Made by us, for SQLite would let the world read it; its -wal and -shm take after it. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0) {
		(void)fchmod(fd, 0600); /* older versions let its group read it */
		close(fd);
	}
	if (sqlite3_open_v2(path, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		snprintf(why, 256, "%.180s: %.60s", path, sqlite3_errmsg(st->db));
		return ERR_IO;
	}
	sqlite3_busy_timeout(st->db, 5000);
	err = store_sql(st, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
			    "PRAGMA foreign_keys=ON; PRAGMA cache_size=-65536; "
			    "PRAGMA wal_autocheckpoint=16384");
	fresh = !err && is_fresh(st);
	st->format = fresh ? 0 : user_version(st);
	if (!err && !fresh && (st->format < 1 || st->format > STORE_FORMAT)) {
		snprintf(why, 256, "%.160s: of format %d, not of 1 to %d", path, st->format, STORE_FORMAT);
		return ERR_CORRUPT;
	}
	if (!err)
		err = open_key(st, fresh, why);
	if (err == ERR_KEY || (err == ERR_IO && why[0]))
		return err;
	if (!err)
		err = make_rooms(st);
	if (!err)
		err = settle_tables(st, why);
	if (err == ERR_KEY)
		snprintf(why, 256, "%.120s/keeper.key does not fit %.100s", st->dir, path);
	else if (err && !why[0])
		snprintf(why, 256, "%.160s: damaged or not ours: %.60s", path, sqlite3_errmsg(st->db));
	return err == ERR_IO ? ERR_CORRUPT : err;
}

enum err store_open(struct store **out, const char *dir, char why[256])
{
	struct store *st = calloc(1, sizeof *st);
	enum err err;

	why[0] = 0;
	*out = NULL;
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a lock at every malloc; refused once in use */
	if (!st || sodium_init() < 0 || strlen(dir) >= sizeof st->dir) {
		free(st);
		snprintf(why, 256, "records: out of memory");
		return ERR_FULL;
	}
	memcpy(st->dir, dir, strlen(dir) + 1);
	err = open_db(st, why);
	if (err) {
		store_close(st);
		return err;
	}
	*out = st;
	return ERR_OK;
}

/* Its own connection, which SQLite's write-ahead log keeps at one state for as long as it reads. */
static enum err open_reader(struct store *st, const struct store *of, char why[256])
{
	char path[4096];
	enum err err;

	memcpy(st->dir, of->dir, sizeof st->dir);
	memcpy(st->key, of->key, sizeof st->key);
	st->reader = true;
	snprintf(path, sizeof path, "%s/records.db", st->dir);
	if (sqlite3_open_v2(path, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		snprintf(why, 256, "%.180s: %.60s", path, sqlite3_errmsg(st->db));
		return ERR_IO;
	}
	sqlite3_busy_timeout(st->db, 5000);
	err = make_rooms(st);
	/* Before the state is chosen: it may be of an entry before the last, never of one to come. */
	st->anchor = store_anchor_read(st, &st->anchor_seq, st->anchor_head);
	if (!err)
		err = store_sql(st, "PRAGMA mmap_size=2147418112; PRAGMA query_only=ON; BEGIN");
	st->format = STORE_FORMAT;
	if (!err)
		err = store_layout(st, why);
	if (!err)
		err = prepare(st);
	return err ? err : store_load_state(st);
}

enum err store_reader(struct store **out, const struct store *of, char why[256])
{
	struct store *st = calloc(1, sizeof *st);
	enum err err;

	*out = NULL;
	snprintf(why, 256, "records: out of memory");
	if (!st)
		return ERR_FULL;
	err = open_reader(st, of, why);
	if (err)
		store_close(st);
	else
		*out = st;
	return err;
}

void store_interrupt(struct store *st)
{
	sqlite3_interrupt(st->db);
}

void store_cache(struct store *st, unsigned int mb)
{
	char sql[64];

	snprintf(sql, sizeof sql, "PRAGMA cache_size=-%u", mb * 1024);
	if (store_sql(st, sql))
		return; /* logged; what it had is enough to work with */
}

void store_close(struct store *st)
{
	if (!st)
		return;
	if (st->open)
		store_rollback(st);
	for (enum object o = 0; o < OBJ_N; o++) {
		for (int i = 0; i < ST_N; i++)
			sqlite3_finalize(st->row[o][i]);
	}
	for (int i = 0; i < UPDATES; i++)
		sqlite3_finalize(st->update[i].q);
	sqlite3_finalize(st->change);
	sqlite3_finalize(st->journal);
	sqlite3_finalize(st->subs_of);
	sqlite3_finalize(st->batch_of);
	sqlite3_close(st->db);
	sodium_memzero(st->key, sizeof st->key);
	digest_free(st->mac);
	digest_free(st->chain);
	free(st->fresh);
	free(st->fresh_sub);
	free(st);
}

enum err store_begin(struct store *st)
{
	enum err err = store_sql(st, "BEGIN IMMEDIATE");

	store_fresh_drop(st); /* what is not published yet is read from the feed */
	st->open = !err;
	return err;
}

/* The head of the journal outside the database: who cuts the journal's end off, or writes it
 * anew, is found out by this file, and by whoever keeps a copy of it. */
static void anchor_write(struct store *st)
{
	char path[4096], text[ANCHOR_TEXT];
	int fd, n = store_anchor(st, st->journal_seq, st->journal_head, text);

	snprintf(path, sizeof path, "%s/journal.head", st->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	/* One sector, written in place: a crash leaves the old head or the new, and either is in the
	 * journal. Only the first one must be there before anything is built on it. */
	if (fd < 0 || pwrite(fd, text, (size_t)n, 0) != n || (!st->anchored && fsync(fd) != 0))
		LOG(LOG_ERROR, "records.anchor", KV("error", strerror(errno)));
	if (fd >= 0)
		close(fd);
	st->anchored = true;
}

enum err store_commit(struct store *st)
{
	enum err err = store_seals_write(st);

	if (!err)
		err = store_sql(st, "COMMIT");
	if (err) {
		store_rollback(st);
		return err;
	}
	st->open = false;
	anchor_write(st);
	return ERR_OK;
}

void store_rollback(struct store *st)
{
	if (!sqlite3_get_autocommit(st->db) && store_sql(st, "ROLLBACK"))
		LOG(LOG_ERROR, "records.rollback", KV("error", sqlite3_errmsg(st->db)));
	st->open = false;
	if (store_load_state(st))
		LOG(LOG_ERROR, "records.rollback", KV("error", sqlite3_errmsg(st->db)));
}

void store_status(struct store *st, struct store_status *to)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT coalesce(min(seq), 0) FROM change");

	*to = (struct store_status){ .feed = st->feed, .journal_seq = st->journal_seq };
	if (q && sqlite3_step(q) == SQLITE_ROW)
		to->oldest = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	for (enum object o = 0; o < OBJ_N; o++)
		to->n[o] = st->seal[o].n;
	memcpy(to->journal_head, st->journal_head, HASH_BYTES);
}
