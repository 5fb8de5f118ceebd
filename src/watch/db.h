/* The event store beside the event file: SQLite, indexed, bounded by age and size. We are its one
 * writer; others read it (records/events_read.h). Blocking, but for as long as a local file takes:
 * what is added is committed ten times a second, without waiting for the disk. A store that is
 * damaged is set aside (.bad). */
#pragma once
#include "watch/line.h"

struct db;

struct db_conf {
	const char *path;
	uint32_t keep_days; /* an event older than this goes */
	uint32_t max_mb;    /* beyond this the oldest go */
	uint32_t history_h; /* how long each second's counts are kept */
};

/* ERR_IO with one clear line. */
enum err MUST_USE db_open(struct db **d, const struct db_conf *conf, char why[256]);
void db_close(struct db *d); /* NULL is fine */

/* One event, parsed; `line` without its end. ERR_IO: not kept (a full disk); the event file may
 * have it. */
enum err MUST_USE db_add(struct db *d, const struct event_line *e, struct view line);
/* All events about this subject go: somebody has a right to it (R-4.a). How many. */
size_t db_forget(struct db *d, struct view subject);

/* An alarm as it is now: made, or brought up to date. `cleared_us` 0: it is open. */
struct db_alarm {
	uint64_t id, last_us, cleared_us, n;
	const char *name, *severity, *clause, *help;
	struct view subject, line; /* line: the event that raised it, or empty */
};
enum err MUST_USE db_alarm(struct db *d, const struct db_alarm *a);
/* Each alarm that was open when the store was closed. Texts are borrowed for the call. */
void db_alarms_open(struct db *d, void (*each)(void *ctx, const struct db_alarm *a), void *ctx);

enum err MUST_USE db_second(struct db *d, uint64_t at_s, struct view counts);
enum err MUST_USE db_live(struct db *d, uint64_t at_s, struct view page);

/* Commit what was added: every 100 ms. ERR_IO: it is lost. */
enum err MUST_USE db_flush(struct db *d);
/* Once a second: drop some of what is too old, or too much. */
void db_prune(struct db *d, uint64_t now_us);
