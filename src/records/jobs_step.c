/* One step of the job whose turn it is: some of its rows gathered, tried, or carried out. */
#include "records/jobs_in.h"

#include "base/log.h"

#include <stdio.h>

#define SCAN_ROWS 20000 /* of a table, looked at in one step */

static enum err gather(struct jobs *j, struct job *b, struct say *s)
{
	struct view pair[EDIT_PAIRS];
	char text[JOB_TEXT], after[128];
	struct page p = {
	    .object = model_object(view_of(b->text[T_OBJECT])), .filter = pair, .max = SCAN_ROWS};
	struct wr w = {.p = j->part, .cap = JOB_PART_BYTES};
	enum err err;

	snprintf(text, sizeof text, "%s", b->text[T_FILTER]);
	view_text(view_of(b->text[T_WHY]), after, sizeof after);
	p.filter_n = jobs_pairs(text, pair);
	p.after = view_of(after);
	p.tenant = view_of(b->text[T_TENANT]);
	err = store_keys(j->st, &p, &w, s);
	if (!err && w.n > 0)
		err = jobs_add_lines(j, b, wr_done(&w), s);
	view_text(view_of(p.next), b->text[T_WHY], 128);
	if (!err && !p.next[0])
		b->num[N_STATE] = JOB_CHECKING;
	return err;
}

static void bad(void *ctx, uint64_t line, const char *reason)
{
	struct jobs *j = ctx;

	if (jobs_bad_put(j, j->job.id, line, reason))
		j->job.num[N_STATE] = JOB_FAILED;
}

static enum err carry_out(struct jobs *j, struct job *b, uint64_t now_ms, struct say *s)
{
	struct view pair[EDIT_PAIRS], lines;
	char pairs[JOB_TEXT];
	const struct who who = {.actor = view_of(b->text[T_STARTER]),
				.now_ms = now_ms,
				.tenant = view_of(b->text[T_TENANT])};
	struct import in = {.object = model_object(view_of(b->text[T_OBJECT])),
			    .mode = EDIT_CHANGE,
			    .header = view_of(b->text[T_HEADER]),
			    .line = (uint64_t)b->num[N_AT] + 1,
			    .fixed = pair,
			    .bad = bad,
			    .ctx = j};
	size_t n = 0;
	enum err err = jobs_part_get(j, b->id, (uint64_t)b->num[N_AT], &n, &lines);

	if (err)
		return err;
	snprintf(pairs, sizeof pairs, "%s", b->text[T_PAIRS]);
	in.fixed_n = jobs_pairs(pairs, pair);
	in.lines = lines;
	j->st->job = b->id;
	j->st->job_approved = b->text[T_APPROVER][0] != 0;
	err = store_import(j->st, &who, &in, s);
	j->st->job = 0;
	if (err)
		return err;
	b->num[N_AT] += (int64_t)n;
	b->num[N_DONE] += (int64_t)in.done;
	b->num[N_REFUSED] += (int64_t)in.refused;
	if (b->num[N_PACE] > 0)
		j->due_ms = now_ms + n * 1000 / (uint64_t)b->num[N_PACE];
	return b->num[N_STATE] == JOB_FAILED ? ERR_IO : ERR_OK;
}

void jobs_end(struct job *b, enum job_state how, uint64_t now_ms)
{
	b->num[N_STATE] = how;
	b->num[N_ENDED] = (int64_t)now_ms;
	LOG(how == JOB_FAILED ? LOG_ERROR : LOG_NOTE,
	    how == JOB_FAILED ? "job.failed" : "job.ended", KV("job", b->id),
	    KV("state", job_states[how]), KV("done", (uint64_t)b->num[N_DONE]),
	    KV("refused", (uint64_t)b->num[N_REFUSED]), KV("why", (const char *)b->text[T_WHY]),
	    KV_CLAUSE("R-5.8.4.a"));
}

/* The dry run begins anew with this process: it changes nothing, and what it had counted was in
 * memory. */
static enum err begin_trial(struct jobs *j, struct job *b)
{
	if (j->trying == b->id)
		return ERR_OK;
	j->trying = b->id;
	j->kind_n = j->tenant_n = 0;
	j->others = 0;
	b->num[N_TRIED] = b->num[N_CHANGE] = b->num[N_SAME] = b->num[N_BAD] = b->num[N_SECOND] =
	    b->num[N_GUARD] = 0;
	return jobs_drop(j, "job_bad", b->id);
}

static enum err check(struct jobs *j, struct job *b, uint64_t now_ms, struct say *s)
{
	enum err err = begin_trial(j, b);

	if (!err && b->num[N_TRIED] < b->num[N_TOTAL])
		err = jobs_try(j, b, now_ms, s);
	if (err || b->num[N_TRIED] < b->num[N_TOTAL])
		return err;
	jobs_tried(j, b);
	j->trying = 0;
	b->num[N_STATE] = JOB_READY;
	return ERR_OK;
}

static enum err step(struct jobs *j, struct job *b, uint64_t now_ms, bool *changed, struct say *s)
{
	enum err err = ERR_OK;

	switch ((enum job_state)b->num[N_STATE]) {
	case JOB_LOADING:
		return gather(j, b, s);
	case JOB_CHECKING:
		return check(j, b, now_ms, s);
	case JOB_RUNNING:
		if (b->num[N_AT] < b->num[N_TOTAL]) {
			err = carry_out(j, b, now_ms, s);
			*changed = !err;
		}
		if (!err && b->num[N_AT] >= b->num[N_TOTAL])
			jobs_end(b, JOB_DONE, now_ms);
		return err;
	case JOB_READY:
	case JOB_ASKED:
	case JOB_PAUSED:
	case JOB_DONE:
	case JOB_CANCELLED:
	case JOB_FAILED:
	case JOB_STATES:
		break;
	}
	return ERR_OK;
}

/* What could not be done is undone with its part; the job says so and goes no further. */
static void fail(struct jobs *j, uint64_t id, uint64_t now_ms, const struct say *s)
{
	struct job *b = &j->job;

	if (jobs_load(j, id, b)) { /* tampered with: it is not run, and not written either */
		if (store_sql(j->st, "UPDATE job SET state = 8 WHERE state IN (0, 1, 4) AND id = "
				     "(SELECT min(id) FROM job WHERE state IN (0, 1, 4))"))
			return;
		LOG(LOG_ERROR, "job.failed", KV("job", id),
		    KV("why", "it was changed behind Merlon's back"), KV_CLAUSE("R-3.1.c"));
		return;
	}
	snprintf(b->text[T_WHY], 256, "%s", s->text[0] ? s->text : "the records cannot be written");
	jobs_end(b, JOB_FAILED, now_ms);
	if (store_begin(j->st))
		return;
	if (jobs_save(j, b))
		store_rollback(j->st);
	else if (store_commit(j->st))
		return; /* logged; it is tried again */
}

static uint64_t next_id(struct jobs *j)
{
	uint64_t id =
	    sqlite3_step(j->next) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(j->next, 0) : 0;

	sqlite3_reset(j->next);
	return id;
}

uint32_t jobs_step(struct jobs *j, uint64_t now_ms, bool *changed)
{
	struct say s = {""};
	uint64_t id = next_id(j);
	enum err err;

	*changed = false;
	if (!id)
		return UINT32_MAX;
	if (now_ms < j->due_ms && j->due_ms - now_ms < 3600000)
		return (uint32_t)(j->due_ms - now_ms);
	j->due_ms = 0;
	err = store_begin(j->st);
	if (err)
		return 1000; /* a full disk, somebody else's lock */
	err = jobs_load(j, id, &j->job);
	if (!err)
		err = step(j, &j->job, now_ms, changed, &s);
	if (!err)
		err = jobs_save(j, &j->job);
	if (!err && store_commit(j->st) == ERR_OK)
		return j->due_ms > now_ms ? (uint32_t)(j->due_ms - now_ms) : 0;
	*changed = false;
	j->trying = 0;
	if (err)
		store_rollback(j->st);
	if (err == ERR_IO || err == ERR_FULL || !err)
		return 1000;
	fail(j, id, now_ms, &s);
	return 0;
}
