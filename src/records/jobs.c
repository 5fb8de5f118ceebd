/* The life of a job: made, its rows gathered, tried, started, paused, carried out. */
#include "records/jobs_in.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum err jobs_open(struct jobs **out, struct store *st, const struct jobs_conf *conf)
{
	struct jobs *j = calloc(1, sizeof *j);
	enum err err = j ? jobs_tables(st) : ERR_FULL;

	*out = NULL;
	if (!err) {
		j->st = st;
		j->conf = *conf;
		j->part = malloc(JOB_PART_BYTES);
		j->next = store_prepare(
		    st, "SELECT id FROM job WHERE state IN (0, 1, 4) AND (state <> 0 OR "
			"filter <> '') ORDER BY id LIMIT 1");
		err = !j->part ? ERR_FULL : j->next ? ERR_OK : ERR_IO;
	}
	if (err) {
		jobs_close(j);
		return err;
	}
	*out = j;
	return ERR_OK;
}

void jobs_close(struct jobs *j)
{
	if (!j)
		return;
	sqlite3_finalize(j->next);
	free(j->part);
	free(j);
}

/* --- made --- */

size_t jobs_pairs(char *text, struct view pair[EDIT_PAIRS])
{
	size_t n = 0;
	char *line;

	while (n < EDIT_PAIRS && (line = strsep(&text, "\n"))) {
		if (*line)
			pair[n++] = view_of(line);
	}
	return n;
}

static enum err pairs_ok(const struct job_new *n, struct job *b, struct say *s)
{
	struct wr w = {.p = (uint8_t *)b->text[T_PAIRS], .cap = JOB_TEXT - 1};
	struct row r;
	enum err err = ERR_OK;

	row_init(&r, n->object);
	for (size_t i = 0; i < n->pair_n && !err; i++) {
		const uint8_t *is = memchr(n->pair[i].p, '=', n->pair[i].n);
		struct view name = view_first(n->pair[i], is ? (size_t)(is - n->pair[i].p) : 0);
		int c = is ? model_column(n->object, name) : -1;

		if (c <= 0) {
			say(s, "%.*s: no field of %s that a job can change",
			    (int)(name.n < 60 ? name.n : 60), (const char *)name.p,
			    model_objects[n->object].name);
			return ERR_VALUE;
		}
		err = row_set(&r, (unsigned int)c, (struct view){is + 1, n->pair[i].n - name.n - 1},
			      s);
		wr_view(&w, i ? VIEW("\n") : VIEW(""));
		wr_view(&w, n->pair[i]);
	}
	if (w.err)
		say(s, "too many changes for one job");
	w.p[w.err ? 0 : w.n] = 0;
	return err ? err : w.err;
}

static enum err text_ok(struct job *b, enum job_text which, struct view v, size_t cap,
			const char *what, struct say *s)
{
	bool bad = false;

	for (size_t i = 0; i < v.n; i++)
		bad |= (v.p[i] < 0x20 && v.p[i] != '\n') || v.p[i] == 0x7f;
	if (!bad && view_text(v, b->text[which], cap))
		return ERR_OK;
	say(s, "%s: too long, or with control characters in it", what);
	return ERR_VALUE;
}

static struct view trimmed(struct view v)
{
	while (v.n > 0 && (v.p[v.n - 1] == '\r' || v.p[v.n - 1] == '\n'))
		v.n--;
	return v;
}

/* A filter is tried at once, so that a slip is told before anything is stored. */
static enum err filter_ok(struct jobs *j, const struct job_new *n, struct job *b, struct say *s)
{
	struct view pair[EDIT_PAIRS];
	char text[JOB_TEXT];
	struct page p = {.object = n->object, .filter = pair, .max = 1, .csv = true};
	struct wr nothing = {.p = j->part, .cap = JOB_PART_BYTES};
	enum err err = text_ok(b, T_FILTER, trimmed(n->filter), JOB_TEXT, "filter", s);

	if (err || b->text[T_FILTER][0] == 0)
		return err;
	snprintf(text, sizeof text, "%s", b->text[T_FILTER]);
	p.filter_n = jobs_pairs(text, pair);
	return store_list(j->st, &p, &nothing, s);
}

enum err jobs_new(struct jobs *j, const struct who *who, const struct job_new *n, uint64_t *id,
		  struct say *s)
{
	struct job *b = &j->job;
	enum err err;

	memset(b, 0, sizeof *b);
	if ((n->header.n > 0) == (trimmed(n->filter).n > 0)) {
		say(s, "rows: a CSV, or a filter that says which");
		return ERR_VALUE;
	}
	if (n->object != OBJ_SUBSCRIPTION && n->object != OBJ_PROFILE &&
	    n->object != OBJ_EQUIPMENT) {
		say(s, "object: a job changes subscriptions, profiles or equipment");
		return ERR_VALUE;
	}
	b->num[N_MADE] = (int64_t)who->now_ms;
	b->num[N_PACE] = n->pace;
	snprintf(b->text[T_OBJECT], JOB_TEXT, "%s", model_objects[n->object].name);
	err = pairs_ok(n, b, s);
	if (!err)
		err = text_ok(b, T_ACTOR, who->actor, 128, "actor", s);
	if (!err)
		err = text_ok(b, T_TENANT, who->tenant, NAME_MAX_BYTES, "tenant", s);
	if (!err)
		err = text_ok(b, T_HEADER, trimmed(n->header), 2048, "header", s);
	if (!err)
		err = text_ok(b, T_NOTE, n->note, 128, "note", s);
	if (!err)
		err = filter_ok(j, n, b, s);
	if (!err && n->filter.n > 0)
		snprintf(b->text[T_HEADER], JOB_TEXT, "%s",
			 model_columns[model_objects[n->object].first].name);
	if (!err && n->filter.n > 0 && n->pair_n == 0) {
		say(s, "changes: none are given");
		err = ERR_VALUE;
	}
	if (err)
		return err;
	err = store_begin(j->st);
	if (!err)
		err = jobs_save(j, b);
	if (err) {
		store_rollback(j->st);
		return err;
	}
	*id = b->id;
	LOG(LOG_NOTE, "job.made", KV("job", b->id), KV("actor", who->actor),
	    KV("object", (const char *)b->text[T_OBJECT]), KV_CLAUSE("R-5.8.4.a"));
	return store_commit(j->st);
}

/* --- its rows --- */

static enum err get(struct jobs *j, const struct who *who, uint64_t id, struct say *s)
{
	enum err err = jobs_load(j, id, &j->job);

	if (!err && who->tenant.n > 0 && !view_eq(who->tenant, view_of(j->job.text[T_TENANT])))
		err = ERR_NOT_FOUND; /* nobody learns here what others do */
	if (err == ERR_NOT_FOUND)
		say(s, "job %llu: there is none of that number", (unsigned long long)id);
	else if (err)
		say(s, "job %llu: was changed behind Merlon's back (R-3.1.c)",
		    (unsigned long long)id);
	return err;
}

/* Whole lines into parts; each is a row of the table. */
enum err jobs_add_lines(struct jobs *j, struct job *b, struct view left, struct say *s)
{
	enum err err = ERR_OK;

	while (left.n > 0 && !err) {
		size_t at = 0, n = 0;

		while (at < left.n && n < JOB_PART_ROWS) {
			const uint8_t *end = memchr(left.p + at, '\n', left.n - at);
			size_t len = end ? (size_t)(end - left.p) + 1 - at : left.n - at;

			if (n > 0 && at + len > JOB_PART_BYTES / 2)
				break;
			at += len;
			n++;
		}
		if (at > JOB_PART_BYTES || (uint64_t)b->num[N_TOTAL] + n > JOB_ROWS_MAX) {
			say(s, "rows: a line too long, or more than %d", JOB_ROWS_MAX);
			return ERR_FULL;
		}
		err = jobs_part_put(j, b->id, (uint64_t)b->num[N_TOTAL], n, view_first(left, at));
		b->num[N_TOTAL] += (int64_t)n;
		left = (struct view){left.p + at, left.n - at};
	}
	return err;
}

enum err jobs_lines(struct jobs *j, const struct who *who, uint64_t id, struct view lines,
		    bool last, struct say *s)
{
	struct job *b = &j->job;
	enum err err = get(j, who, id, s);

	if (!err && (b->num[N_STATE] != JOB_LOADING || b->text[T_FILTER][0])) {
		say(s, "job %llu: takes no rows now", (unsigned long long)id);
		err = ERR_REFUSED;
	}
	if (!err)
		err = store_begin(j->st);
	if (err)
		return err;
	err = jobs_add_lines(j, b, lines, s);
	if (!err && last)
		b->num[N_STATE] = JOB_CHECKING;
	if (!err)
		err = jobs_save(j, b);
	if (!err)
		return store_commit(j->st);
	store_rollback(j->st);
	return err;
}

/* Some of the keys that meet the filter; where it was is part of the job, so a new keeper goes on
 * from there. */
/* --- by whom --- */

static enum err start(struct jobs *j, struct job *b, const struct who *who, struct say *s)
{
	(void)j;
	if (b->num[N_STATE] == JOB_PAUSED) {
		b->num[N_STATE] = JOB_RUNNING;
		return ERR_OK;
	}
	if (b->num[N_STATE] != JOB_READY) {
		say(s, "job %llu: is %s, so it cannot be started", (unsigned long long)b->id,
		    job_states[b->num[N_STATE]]);
		return ERR_REFUSED;
	}
	view_text(view_first(who->actor, 127), b->text[T_STARTER], 128);
	b->num[N_STARTED] = (int64_t)who->now_ms;
	b->num[N_STATE] = JOB_RUNNING;
	if (!b->num[N_GUARD] && !b->num[N_SECOND])
		return jobs_drop(j, "job_bad", b->id);
	b->num[N_STATE] = JOB_ASKED;
	say(s, "job %llu: %s; a second person must agree (R-5.1.f)", (unsigned long long)b->id,
	    b->num[N_SECOND] ? "touches critical subscriptions"
			     : "touches too large a share of a tenant's SIMs");
	return ERR_APPROVAL;
}

static enum err agree(struct jobs *j, struct job *b, const struct who *who, struct say *s)
{
	if (b->num[N_STATE] != JOB_ASKED) {
		say(s, "job %llu: does not wait for a second person", (unsigned long long)b->id);
		return ERR_REFUSED;
	}
	if (view_eq_case(who->actor, view_of(b->text[T_STARTER])) ||
	    view_eq_case(who->actor, view_of(b->text[T_ACTOR]))) {
		say(s, "job %llu: must be agreed to by another person than %.80s (R-5.1.f)",
		    (unsigned long long)b->id, b->text[T_STARTER]);
		return ERR_REFUSED;
	}
	view_text(view_first(who->actor, 127), b->text[T_APPROVER], 128);
	b->num[N_STATE] = JOB_RUNNING;
	return jobs_drop(j, "job_bad", b->id);
}

static enum err carry(struct jobs *j, struct job *b, const struct who *who, enum job_verb verb,
		      struct say *s)
{
	switch (verb) {
	case JOB_START:
		return start(j, b, who, s);
	case JOB_APPROVE:
		return agree(j, b, who, s);
	case JOB_PAUSE:
		if (b->num[N_STATE] == JOB_RUNNING) {
			b->num[N_STATE] = JOB_PAUSED;
			return ERR_OK;
		}
		break;
	case JOB_CANCEL:
		if (b->num[N_STATE] < JOB_DONE) {
			jobs_end(b, JOB_CANCELLED, who->now_ms);
			return ERR_OK;
		}
		break;
	}
	say(s, "job %llu: is %s", (unsigned long long)b->id, job_states[b->num[N_STATE]]);
	return ERR_REFUSED;
}

/* Who started, agreed to, paused and cancelled it stands in the journal. */
static enum err note(struct jobs *j, const struct job *b, const struct who *who, enum job_verb verb)
{
	static const char *const verbs[] = {"start", "pause", "cancel", "approve"};
	char key[32], detail[160];
	struct entry e = {.actor = who->actor,
			  .action = view_of(verbs[verb]),
			  .object = VIEW("job"),
			  .at_ms = who->now_ms};

	snprintf(key, sizeof key, "%llu", (unsigned long long)b->id);
	snprintf(detail, sizeof detail, "{\"state\":\"%s\",\"rows\":%lld,\"done\":%lld}",
		 job_states[b->num[N_STATE]], (long long)b->num[N_TOTAL],
		 (long long)b->num[N_DONE]);
	e.key = view_of(key);
	e.detail = view_of(detail);
	return store_journal_add(j->st, &e);
}

enum err jobs_do(struct jobs *j, const struct who *who, uint64_t id, enum job_verb verb,
		 struct say *s)
{
	struct job *b = &j->job;
	enum err err = get(j, who, id, s), saved;

	if (!err)
		err = store_begin(j->st);
	if (err)
		return err;
	err = carry(j, b, who, verb, s);
	saved = err && err != ERR_APPROVAL ? err : jobs_save(j, b);
	if (!saved)
		saved = note(j, b, who, verb);
	if (saved) {
		store_rollback(j->st);
		return saved;
	}
	saved = store_commit(j->st);
	return saved ? saved : err;
}

void jobs_prune(struct jobs *j, uint64_t now_ms)
{
	sqlite3_stmt *q =
	    store_prepare(j->st, "SELECT id FROM job WHERE state > 5 AND ended < ? LIMIT 1");
	uint64_t id = 0;
	char sql[64];

	if (q)
		sqlite3_bind_int64(q, 1,
				   now_ms > JOB_KEEP_MS ? (int64_t)(now_ms - JOB_KEEP_MS) : 0);
	if (q && sqlite3_step(q) == SQLITE_ROW)
		id = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	snprintf(sql, sizeof sql, "DELETE FROM job WHERE id = %llu", (unsigned long long)id);
	if (!id || store_begin(j->st))
		return;
	if (jobs_drop(j, "job_part", id) || jobs_drop(j, "job_bad", id) || store_sql(j->st, sql))
		store_rollback(j->st);
	else if (store_commit(j->st))
		return; /* logged */
}
