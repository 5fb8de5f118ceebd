#include "watch/db.h"

#include "records/events_sql.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PRUNE_ROWS "2000" /* at once: a second's turn must not hold up the others */
#define US 1000000ULL

enum query {
	ADD,
	FORGET,
	ALARM,
	SECOND,
	LIVE,
	OLD_EVENTS,
	MOST_EVENTS,
	OLD_SECONDS,
	OLD_ALARMS,
	QUERIES
};

static const char *const queries[QUERIES] = {
    [ADD] = "INSERT INTO event (at_us, level, role, name, \"check\", clause, network, tenant, "
	    "subject, n, line) "
	    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [FORGET] = "DELETE FROM event WHERE subject = ?",
    [ALARM] =
	"INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
	"last_us = excluded.last_us, cleared_us = excluded.cleared_us, n = excluded.n",
    [SECOND] = "INSERT OR REPLACE INTO second VALUES (?, ?)",
    [LIVE] = "INSERT OR REPLACE INTO live VALUES (1, ?, ?)",
    [OLD_EVENTS] =
	"DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at_us < ? ORDER BY at_us "
	"LIMIT " PRUNE_ROWS ")",
    [MOST_EVENTS] =
	"DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT " PRUNE_ROWS ")",
    [OLD_SECONDS] = "DELETE FROM second WHERE at_s < ?",
    [OLD_ALARMS] = "DELETE FROM alarm WHERE cleared_us > 0 AND cleared_us < ?",
};

struct db {
	struct db_conf conf;
	char path[4096];
	sqlite3 *sql;
	sqlite3_stmt *q[QUERIES];
	bool open; /* a transaction is */
};

static bool run(struct db *d, const char *text)
{
	return sqlite3_exec(d->sql, text, NULL, NULL, NULL) == SQLITE_OK;
}

static int64_t number(struct db *d, const char *pragma)
{
	sqlite3_stmt *q = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(d->sql, pragma, -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* Read by its group: the portal's and the administrator's connections. */
static bool open_file(struct db *d)
{
	int fd = open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640), keep = 1;

	if (fd < 0)
		return false;
	close(fd);
	if (sqlite3_open_v2(d->path, &d->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return false;
	sqlite3_busy_timeout(d->sql, 1000);
	/* A reader of another user may not make the file of the log: it stays when we go. */
	sqlite3_file_control(d->sql, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	return run(
	    d,
	    "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
	    "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000");
}

static bool prepare(struct db *d)
{
	int64_t format = number(d, "PRAGMA user_version");

	if (format != 0 && format != EVENTS_FORMAT)
		return false;
	if (!run(d, "BEGIN IMMEDIATE; " EVENTS_SQL "; PRAGMA user_version=1; COMMIT"))
		return false;
	for (int i = 0; i < QUERIES; i++) {
		if (sqlite3_prepare_v3(d->sql, queries[i], -1, SQLITE_PREPARE_PERSISTENT, &d->q[i],
				       NULL) != SQLITE_OK)
			return false;
	}
	return true;
}

static void shut(struct db *d)
{
	for (int i = 0; i < QUERIES; i++) {
		sqlite3_finalize(d->q[i]);
		d->q[i] = NULL;
	}
	sqlite3_close(d->sql);
	d->sql = NULL;
}

/* It holds nothing that the event file has not held too. */
static void set_aside(const struct db *d)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	char from[4200], to[4200];

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		snprintf(from, sizeof from, "%.4095s%s", d->path, parts[i]);
		snprintf(to, sizeof to, "%.4095s.bad%s", d->path, parts[i]);
		if (rename(from, to) != 0)
			unlink(from);
	}
}

enum err db_open(struct db **out, const struct db_conf *conf, char why[256])
{
	struct db *d = calloc(1, sizeof *d);

	*out = NULL;
	if (!d || strlen(conf->path) >= sizeof d->path) {
		free(d);
		snprintf(why, 256, "watch.store: out of memory, or the path is too long");
		return ERR_FULL;
	}
	d->conf = *conf;
	snprintf(d->path, sizeof d->path, "%s", conf->path);
	if (open_file(d) && prepare(d)) {
		*out = d;
		return ERR_OK;
	}
	if (d->sql && access(d->path, W_OK) == 0) {
		shut(d);
		fprintf(stderr,
			"watch.store: %s was damaged; it is kept as .bad, and a new one begun\n",
			d->path);
		set_aside(d);
		if (open_file(d) && prepare(d)) {
			*out = d;
			return ERR_OK;
		}
	}
	snprintf(why, 256, "watch.store: %.160s: %.60s", d->path,
		 d->sql ? sqlite3_errmsg(d->sql) : "cannot be opened");
	shut(d);
	free(d);
	return ERR_IO;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	if (d->open && !run(d, "COMMIT"))
		fprintf(stderr, "watch.store: the last events could not be written\n");
	shut(d);
	free(d);
}

static bool begin(struct db *d)
{
	if (!d->open)
		d->open = run(d, "BEGIN IMMEDIATE");
	return d->open;
}

static void bind(sqlite3_stmt *q, int at, struct view v)
{
	if (v.n == 0)
		sqlite3_bind_null(q, at);
	else
		sqlite3_bind_text(q, at, (const char *)v.p, (int)v.n, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *q, int at, struct view v)
{
	sqlite3_bind_text(q, at, v.n > 0 ? (const char *)v.p : "", (int)v.n, SQLITE_STATIC);
}

static enum err step(sqlite3_stmt *q)
{
	int rc = sqlite3_step(q);

	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return rc == SQLITE_DONE ? ERR_OK : ERR_IO;
}

enum err db_add(struct db *d, const struct event_line *e, struct view line)
{
	const struct view text[] = {e->role,	e->name,   e->check,  e->clause,
				    e->network, e->tenant, e->subject};
	sqlite3_stmt *q = d->q[ADD];

	if (!begin(d))
		return ERR_IO;
	sqlite3_bind_int64(q, 1, (int64_t)e->at_us);
	sqlite3_bind_int64(q, 2, e->level);
	for (int i = 0; i < 7; i++)
		bind(q, 3 + i, text[i]);
	sqlite3_bind_int64(q, 10, (int64_t)e->n);
	bind_text(q, 11, line);
	return step(q);
}

size_t db_forget(struct db *d, struct view subject)
{
	if (subject.n == 0 || !begin(d))
		return 0;
	bind(d->q[FORGET], 1, subject);
	return step(d->q[FORGET]) ? 0 : (size_t)sqlite3_changes64(d->sql);
}

enum err db_alarm(struct db *d, const struct db_alarm *a)
{
	sqlite3_stmt *q = d->q[ALARM];

	if (!begin(d))
		return ERR_IO;
	sqlite3_bind_int64(q, 1, (int64_t)a->id);
	bind_text(q, 2, view_of(a->name));
	bind_text(q, 3, a->subject);
	bind_text(q, 4, view_of(a->severity));
	bind_text(q, 5, view_of(a->clause));
	bind_text(q, 6, view_of(a->help));
	sqlite3_bind_int64(q, 7, (int64_t)a->last_us);
	sqlite3_bind_int64(q, 8, (int64_t)a->cleared_us);
	sqlite3_bind_int64(q, 9, (int64_t)a->n);
	bind_text(q, 10, a->line);
	return step(q);
}

void db_alarms_open(struct db *d, void (*each)(void *ctx, const struct db_alarm *a), void *ctx)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(
		d->sql, "SELECT id, name, subject, last_us, n FROM alarm WHERE cleared_us = 0", -1,
		&q, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct db_alarm a = {
		    .id = (uint64_t)sqlite3_column_int64(q, 0),
		    .name = (const char *)sqlite3_column_text(q, 1),
		    .subject = {sqlite3_column_text(q, 2), (size_t)sqlite3_column_bytes(q, 2)},
		    .last_us = (uint64_t)sqlite3_column_int64(q, 3),
		    .n = (uint64_t)sqlite3_column_int64(q, 4),
		};

		if (a.name)
			each(ctx, &a);
	}
	sqlite3_finalize(q);
}

static enum err put(struct db *d, enum query which, uint64_t at_s, struct view text)
{
	if (!begin(d))
		return ERR_IO;
	sqlite3_bind_int64(d->q[which], 1, (int64_t)at_s);
	bind_text(d->q[which], 2, text);
	return step(d->q[which]);
}

enum err db_second(struct db *d, uint64_t at_s, struct view counts)
{
	return put(d, SECOND, at_s, counts);
}

enum err db_live(struct db *d, uint64_t at_s, struct view page)
{
	return put(d, LIVE, at_s, page);
}

enum err db_flush(struct db *d)
{
	if (!d->open)
		return ERR_OK;
	d->open = false;
	if (run(d, "COMMIT"))
		return ERR_OK;
	if (!sqlite3_get_autocommit(d->sql))
		run(d, "ROLLBACK");
	return ERR_IO;
}

static bool too_large(struct db *d)
{
	int64_t pages = number(d, "PRAGMA page_count"), free_n = number(d, "PRAGMA freelist_count"),
		size = number(d, "PRAGMA page_size");

	return (pages - free_n) * size > (int64_t)d->conf.max_mb << 20;
}

static void drop(struct db *d, enum query which, uint64_t before)
{
	if (!begin(d))
		return;
	if (sqlite3_bind_parameter_count(d->q[which]) > 0)
		sqlite3_bind_int64(d->q[which], 1, (int64_t)before);
	if (step(d->q[which]) != ERR_OK)
		return; /* tried again in a second */
}

void db_prune(struct db *d, uint64_t now_us)
{
	uint64_t keep_us = (uint64_t)d->conf.keep_days * 86400 * US,
		 history_s = (uint64_t)d->conf.history_h * 3600;

	if (now_us < keep_us)
		return;
	drop(d, OLD_EVENTS, now_us - keep_us);
	drop(d, OLD_ALARMS, now_us - keep_us);
	drop(d, OLD_SECONDS, now_us / US - history_s);
	if (too_large(d))
		drop(d, MOST_EVENTS, 0);
	run(d, "PRAGMA incremental_vacuum(200)");
}
