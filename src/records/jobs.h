/* Bulk jobs (R-5.8.4.a): one change of many records, from the lines of a CSV or from a filter. Its
 * rows are gathered, then tried without changing anything (a dry run: how many change, what they
 * lose, who must agree), and carried out when somebody starts it: a part at a time, each in one
 * transaction with the place it has come to, so that a keeper that dies at any moment goes on with
 * the next row, and none is done twice.
 *
 * Job and parts carry a MAC under the keeper's key, like every record (R-3.1.c). One job runs at a
 * time, the oldest first. Blocking; the store's thread. */
#pragma once
#include "records/store.h"

#define JOB_ROWS_MAX 20000000		   /* of one job */
#define JOB_PART_ROWS 2000		   /* at once */
#define JOB_KEEP_MS (90ULL * 86400 * 1000) /* an ended job stays so long (R-4.a) */

enum job_state {
	JOB_LOADING,  /* its rows are being gathered */
	JOB_CHECKING, /* it is being tried */
	JOB_READY,    /* tried, nobody has started it */
	JOB_ASKED,    /* started, a second person must agree */
	JOB_RUNNING,
	JOB_PAUSED,
	JOB_DONE,
	JOB_CANCELLED, /* what was done stays done */
	JOB_FAILED,
	JOB_STATES
};

struct jobs;
struct jobs_conf {
	uint32_t share; /* per cent of a tenant's SIMs that a job may touch without a second person;
			   100: all */
	uint32_t few;	/* so many it always may */
};

/* Makes the tables that are missing. Borrows the store. ERR_FULL, ERR_IO. */
enum err MUST_USE jobs_open(struct jobs **j, struct store *st, const struct jobs_conf *conf);
void jobs_close(struct jobs *j); /* NULL is fine */

/* What a new job is: each row is a change of a record of `object`. */
struct job_new {
	enum object object;
	const struct view *pair; /* "name=value": for every row */
	size_t pair_n;
	struct view header; /* of the CSV whose lines follow (jobs_lines); empty: the rows are those
			       that ... */
	struct view filter; /* ... meet all of these, "name=value" lines; empty with a header */
	struct view note;
	uint32_t pace; /* rows a second; 0: as fast as it goes */
};
/* ERR_VALUE with the reason: a field that there is not, a value that cannot be, a filter that says
 * nothing. */
enum err MUST_USE jobs_new(struct jobs *j, const struct who *who, const struct job_new *n,
			   uint64_t *id, struct say *s);
/* Whole lines of its CSV; the last of them when `last`. */
enum err MUST_USE jobs_lines(struct jobs *j, const struct who *who, uint64_t id, struct view lines,
			     bool last, struct say *s);

enum job_verb { JOB_START, JOB_PAUSE, JOB_CANCEL, JOB_APPROVE };
/* START also goes on with what is paused. ERR_APPROVAL: it waits for a second person now;
 * ERR_REFUSED: not in this state, or by the one who asked. */
enum err MUST_USE jobs_do(struct jobs *j, const struct who *who, uint64_t id, enum job_verb verb,
			  struct say *s);

/* A step of the job whose turn it is, in a transaction of its own. Milliseconds until the next one
 * is due, 0: at once, UINT32_MAX: there is none. `changed`: records were. */
uint32_t jobs_step(struct jobs *j, uint64_t now_ms, bool *changed);
/* Now and then: drop what ended long ago. */
void jobs_prune(struct jobs *j, uint64_t now_ms);

/* JSON: one; the newest first, below `before` (0: all), at most `max`, of one tenant alone if it is
 * not empty. */
enum err MUST_USE jobs_show(struct jobs *j, uint64_t id, struct view tenant, struct wr *w,
			    struct say *s);
enum err MUST_USE jobs_list(struct jobs *j, struct view tenant, uint64_t before, size_t max,
			    struct wr *w);
/* What became of each row: CSV lines "line,result,reason,ROW" above line `after` as many as fit;
 * with a first line when `after` is 0. `failed`: those alone that were refused. `*next`: ask on
 * after this one; 0: that was all. */
enum err MUST_USE jobs_result(struct jobs *j, uint64_t id, struct view tenant, uint64_t after,
			      bool failed, struct wr *w, uint64_t *next, struct say *s);
