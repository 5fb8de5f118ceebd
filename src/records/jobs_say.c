/* Jobs as JSON, and what became of their rows as CSV. */
#include "records/jobs_in.h"

#include <stdio.h>

const char *const job_states[JOB_STATES] = {
    [JOB_LOADING] = "loading", [JOB_CHECKING] = "checking",   [JOB_READY] = "ready",
    [JOB_ASKED] = "asked",     [JOB_RUNNING] = "running",     [JOB_PAUSED] = "paused",
    [JOB_DONE] = "done",       [JOB_CANCELLED] = "cancelled", [JOB_FAILED] = "failed",
};

static void put_num(struct wr *w, const char *name, int64_t n)
{
	char t[96];

	snprintf(t, sizeof t, ",\"%s\":%lld", name, (long long)n);
	wr_view(w, view_of(t));
}

static void put_text(struct wr *w, const char *name, const char *text)
{
	char t[64];

	snprintf(t, sizeof t, ",\"%s\":", name);
	wr_view(w, view_of(t));
	json_text(w, view_of(text));
}

static void put_job(struct wr *w, const struct job *b)
{
	static const struct {
		const char *name;
		enum job_number n;
	} nums[] = {
	    {"made_ms", N_MADE},    {"started_ms", N_STARTED},
	    {"ended_ms", N_ENDED},  {"pace", N_PACE},
	    {"rows", N_TOTAL},	    {"tried", N_TRIED},
	    {"change", N_CHANGE},   {"same", N_SAME},
	    {"bad", N_BAD},	    {"second_person", N_SECOND},
	    {"at", N_AT},	    {"done", N_DONE},
	    {"refused", N_REFUSED},
	};
	static const struct {
		const char *name;
		enum job_text t;
	} texts[] = {
	    {"object", T_OBJECT},   {"changes", T_PAIRS},     {"filter", T_FILTER},
	    {"note", T_NOTE},	    {"tenant", T_TENANT},     {"actor", T_ACTOR},
	    {"starter", T_STARTER}, {"approver", T_APPROVER},
	};
	char t[64];

	snprintf(t, sizeof t, "{\"id\":%llu,\"state\":\"%s\"", (unsigned long long)b->id,
		 job_states[b->num[N_STATE]]);
	wr_view(w, view_of(t));
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		put_text(w, texts[i].name, b->text[texts[i].t]);
	for (size_t i = 0; i < sizeof nums / sizeof *nums; i++)
		put_num(w, nums[i].name, b->num[nums[i].n]);
	put_text(w, "why", b->num[N_STATE] == JOB_FAILED ? b->text[T_WHY] : "");
	wr_view(w, b->num[N_GUARD] ? VIEW(",\"too_large_a_share\":true")
				   : VIEW(",\"too_large_a_share\":false"));
	wr_view(w, VIEW(",\"trial\":"));
	wr_view(w, view_of(b->text[T_EFFECTS][0] ? b->text[T_EFFECTS] : "null"));
	wr_view(w, VIEW("}"));
}

static enum err load(struct jobs *j, uint64_t id, struct view tenant, struct say *s)
{
	enum err err = jobs_load(j, id, &j->job);

	if (!err && tenant.n > 0 && !view_eq(tenant, view_of(j->job.text[T_TENANT])))
		err = ERR_NOT_FOUND;
	if (!err && (j->job.num[N_STATE] < 0 || j->job.num[N_STATE] >= JOB_STATES))
		err = ERR_CORRUPT;
	if (err)
		say(s,
		    err == ERR_NOT_FOUND ? "job %llu: there is none of that number"
					 : "job %llu: was changed behind Merlon's back (R-3.1.c)",
		    (unsigned long long)id);
	return err;
}

enum err jobs_show(struct jobs *j, uint64_t id, struct view tenant, struct wr *w, struct say *s)
{
	enum err err = load(j, id, tenant, s);

	if (!err)
		put_job(w, &j->job);
	return err ? err : w->err;
}

enum err jobs_list(struct jobs *j, struct view tenant, uint64_t before, size_t max, struct wr *w)
{
	sqlite3_stmt *q =
	    store_prepare(j->st, "SELECT id FROM job WHERE id < ?1 AND (?2 = '' OR tenant = ?2) "
				 "ORDER BY id DESC LIMIT ?3");
	struct say ignored;
	bool first = true;

	if (!q)
		return ERR_IO;
	sqlite3_bind_int64(q, 1, before > 0 && before < INT64_MAX ? (int64_t)before : INT64_MAX);
	sqlite3_bind_text(q, 2, tenant.n > 0 ? (const char *)tenant.p : "", (int)tenant.n,
			  SQLITE_STATIC);
	sqlite3_bind_int64(q, 3, (int64_t)max);
	wr_view(w, VIEW("["));
	while (w->cap - w->n > 6 * JOB_EFFECTS && sqlite3_step(q) == SQLITE_ROW) {
		if (load(j, (uint64_t)sqlite3_column_int64(q, 0), tenant, &ignored))
			continue;
		wr_view(w, first ? VIEW("\n") : VIEW(",\n"));
		put_job(w, &j->job);
		first = false;
	}
	sqlite3_finalize(q);
	wr_view(w, VIEW("]"));
	return w->err;
}

/* The reason, as a CSV field. */
static void put_reason(struct wr *w, struct view v)
{
	wr_view(w, VIEW("\""));
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"')
			wr_be(w, '"', 1);
		wr_be(w, v.p[i], 1);
	}
	wr_view(w, VIEW("\""));
}

/* Reasons come in the order of the rows, beside them. */
struct bads {
	sqlite3_stmt *q;
	uint64_t line; /* of the one that is next; UINT64_MAX: there is none */
};

static void bads_next(struct bads *x)
{
	x->line = x->q && sqlite3_step(x->q) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(x->q, 0)
							   : UINT64_MAX;
}

static void put_row(struct wr *w, const struct job *b, struct bads *x, uint64_t line,
		    struct view row)
{
	bool bad = x->line == line, ran = line <= (uint64_t)b->num[N_AT];
	char t[48];

	snprintf(t, sizeof t, "%llu,%s,", (unsigned long long)line,
		 bad   ? b->num[N_STATE] < JOB_RUNNING ? "would be refused" : "refused"
		 : ran ? "done"
		 : b->num[N_STATE] < JOB_DONE ? "waits"
					      : "not done");
	wr_view(w, view_of(t));
	if (bad)
		put_reason(w, (struct view){sqlite3_column_text(x->q, 1),
					    (size_t)sqlite3_column_bytes(x->q, 1)});
	wr_view(w, VIEW(","));
	wr_view(w, row);
	wr_view(w, VIEW("\n"));
	if (bad)
		bads_next(x);
}

static uint64_t put_part(struct wr *w, const struct job *b, struct bads *x, struct view left,
			 uint64_t line, uint64_t after, bool failed)
{
	while (left.n > 0) {
		const uint8_t *end = memchr(left.p, '\n', left.n);
		size_t n = end ? (size_t)(end - left.p) : left.n;
		struct view row = view_first(left, n);

		n += end != NULL;
		left = (struct view){left.p + n, left.n - n};
		line++;
		if (row.n > 0 && row.p[row.n - 1] == '\r')
			row.n--;
		if (line > after && row.n > 0 && (!failed || x->line == line))
			put_row(w, b, x, line, row);
	}
	return line;
}

enum err jobs_result(struct jobs *j, uint64_t id, struct view tenant, uint64_t after, bool failed,
		     struct wr *w, uint64_t *next, struct say *s)
{
	enum err err = load(j, id, tenant, s);
	const struct job *b = &j->job;
	struct bads x = {0};
	uint64_t line = after;
	struct view lines;
	size_t n;

	*next = 0;
	if (err)
		return err;
	x.q = store_prepare(
	    j->st, "SELECT line, reason FROM job_bad WHERE job = ? AND line > ? ORDER BY line");
	if (!x.q)
		return ERR_IO;
	sqlite3_bind_int64(x.q, 1, (int64_t)id);
	sqlite3_bind_int64(x.q, 2, (int64_t)after);
	bads_next(&x);
	if (after == 0) {
		wr_view(w, VIEW("line,result,reason,"));
		wr_view(w, view_of(b->text[T_HEADER]));
		wr_view(w, VIEW("\n"));
	}
	while (!err && line < (uint64_t)b->num[N_TOTAL] &&
	       w->cap - w->n > JOB_PART_BYTES + JOB_PART_ROWS * 300) {
		err = jobs_part_get(j, id, line, &n, &lines);
		if (!err)
			line = put_part(w, b, &x, lines, line, after, failed);
	}
	*next = line < (uint64_t)b->num[N_TOTAL] ? line : 0;
	sqlite3_finalize(x.q);
	return err ? err : w->err;
}
