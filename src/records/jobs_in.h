/* What the files of the jobs share. */
#pragma once
#include "records/jobs.h"
#include "records/store_in.h"

#define JOB_TEXT 8192 /* of the changes, of the filter */
#define JOB_EFFECTS 8192
#define JOB_KINDS 64 /* of steps that a dry run tells apart */
#define JOB_TENANTS 32

/* One row of the table, as it is. Numbers are in the order of its columns. */
enum job_number {
	N_MADE,
	N_STATE,
	N_PACE,
	N_TOTAL,
	N_TRIED,
	N_CHANGE,
	N_SAME,
	N_BAD,
	N_SECOND,
	N_AT,
	N_DONE,
	N_REFUSED,
	N_STARTED,
	N_ENDED,
	N_GUARD,
	N_AFTER,
	JOB_NUMBERS
};
enum job_text {
	T_ACTOR,
	T_TENANT,
	T_OBJECT,
	T_PAIRS,
	T_FILTER,
	T_HEADER,
	T_NOTE,
	T_EFFECTS,
	T_STARTER,
	T_APPROVER,
	T_WHY,
	JOB_TEXTS
};

struct job {
	uint64_t id;
	int64_t num[JOB_NUMBERS];
	char text[JOB_TEXTS][JOB_EFFECTS];
};

/* What a row would do, as far as it matters to whom it is done to; counted by kind. */
struct job_kind {
	char from[NAME_MAX_BYTES], to[NAME_MAX_BYTES]; /* profiles */
	uint8_t life_from, life_to, prio_from, prio_to;
	uint64_t n;
};

struct jobs {
	struct store *st;
	struct jobs_conf conf;
	sqlite3_stmt *next;
	struct job job; /* at work */
	uint8_t *part;	/* the lines of one part */
	/* of the dry run that is under way; it begins anew when we do */
	uint64_t trying;
	struct job_kind kind[JOB_KINDS];
	size_t kind_n;
	uint64_t others;
	struct {
		char name[NAME_MAX_BYTES];
		uint64_t n;
	} tenant[JOB_TENANTS];
	size_t tenant_n;
	uint64_t due_ms; /* by its pace */
};
#define JOB_PART_BYTES ((size_t)2 << 20)

/* jobs_table.c. ERR_NOT_FOUND; ERR_CORRUPT: changed behind our back. */
enum err MUST_USE jobs_tables(struct store *st);
enum err MUST_USE jobs_load(struct jobs *j, uint64_t id, struct job *to);
enum err MUST_USE jobs_save(struct jobs *j,
			    const struct job *b); /* id 0: a new one, whose number it gets */
enum err MUST_USE jobs_part_put(struct jobs *j, uint64_t id, uint64_t first, size_t n,
				struct view lines);
/* The part that begins with row `first` (from 0): its lines, in j->part. */
enum err MUST_USE jobs_part_get(struct jobs *j, uint64_t id, uint64_t first, size_t *n,
				struct view *lines);
enum err MUST_USE jobs_bad_put(struct jobs *j, uint64_t id, uint64_t line, const char *reason);
enum err MUST_USE jobs_drop(struct jobs *j, const char *table, uint64_t id);

/* jobs.c: whole lines into parts, behind those that are there. ERR_FULL. */
enum err MUST_USE jobs_add_lines(struct jobs *j, struct job *b, struct view left, struct say *s);
/* jobs_step.c: it is over. */
void jobs_end(struct job *b, enum job_state how, uint64_t now_ms);

/* jobs_try.c: one part of the dry run; and what it came to, when it is through: effects and the
 * guard. */
enum err MUST_USE jobs_try(struct jobs *j, struct job *b, uint64_t now_ms, struct say *s);
void jobs_tried(struct jobs *j, struct job *b);

/* jobs_say.c */
extern const char *const job_states[JOB_STATES];
size_t jobs_pairs(char *text, struct view pair[EDIT_PAIRS]); /* lines to pairs */
