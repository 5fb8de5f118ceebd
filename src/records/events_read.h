/* Reading the event store that watch writes (events_sql.h), on a connection of one's own that
 * changes nothing: for the portal, the audit and the command. Blocking; one thread a reader.
 * Answers are JSON. */
#pragma once
#include "base/bytes.h"

struct events_read;

/* `path`: DATA_DIR/events/events.db. ERR_NOT_FOUND: there is none yet; ERR_VERSION: of another
 * Merlon. One clear line in `why`. It may be opened before a sandbox closes the files, and used
 * after. */
enum err MUST_USE events_read_open(struct events_read **r, const char *path, char why[256]);
void events_read_close(struct events_read *r); /* NULL is fine */

/* Has the store been written since the last call? Quick: for a stream that asks again and again. */
bool events_read_changed(struct events_read *r);

/* What is asked for: everything given must hold; empty, or 0, asks for nothing. */
struct events_query {
	uint64_t after, before;	 /* numbers: above, below */
	uint64_t from_us, to_us; /* time since 1970: from it on, before it */
	struct view role, name, check, clause, network, tenant, subject;
	bool errors; /* those of level error alone */
	bool newest; /* the newest first */
	size_t max;  /* 1 to EVENTS_MAX */
};
#define EVENTS_MAX 5000

/* Put "name=value" (role, event, check, clause, network, tenant, imsi, level, from, to, after,
 * before) into `q`, which borrows it; from and to in seconds since 1970. ERR_VALUE: none of these,
 * or no number. */
enum err MUST_USE events_query_set(struct events_query *q, struct view name, struct view value);

/* A JSON array of events, each with its number "id", as many as fit. `*last`: the number of the
 * last one written, 0: none. `*n`: how many. */
enum err MUST_USE events_read_list(struct events_read *r, const struct events_query *q,
				   struct wr *w, uint64_t *last, size_t *n);
/* The number of the newest event; 0: there is none. */
uint64_t events_read_last(struct events_read *r);
/* How many events meet the query in each of `slots` equal parts of its time (from_us to to_us),
 * summed by their n: a JSON array of numbers. `slots` 1 to 1000. */
enum err MUST_USE events_read_counts(struct events_read *r, const struct events_query *q,
				     size_t slots, struct wr *w);

/* A JSON array of alarms, the newest first, at most `max`: id, alarm, subject, severity, clause,
 * help, raised_us, last_us, cleared_us (0: open), n, event. `open`: those alone that are. */
enum err MUST_USE events_read_alarms(struct events_read *r, bool open, size_t max, struct wr *w);

/* The counts of each second above `after_s`, at most `max`: a JSON array of
 * {"at_s":N,"counts":{...}} (see watch/second.h). */
enum err MUST_USE events_read_seconds(struct events_read *r, uint64_t after_s, size_t max,
				      struct wr *w);
/* {"at_s":N,"live":{...}}: the roles' live figures (docs/watch.md) of the last second;
 * ERR_NOT_FOUND. */
enum err MUST_USE events_read_live(struct events_read *r, struct wr *w);
