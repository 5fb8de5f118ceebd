/* The dry run of a job: each row formed and judged, none written; what the change means to those it
 * is about; and whether so many of one tenant's may be touched by one person alone. */
#include "records/jobs_in.h"

#include <stdio.h>

#define EFFECTS 48

static const char *const lives[] = {"inventory", "test-ready", "active", "suspended", "retired"};
static const char *const prios[] = {"critical", "high", "normal", "low"};

/* --- what a row would do, counted by kind --- */

static void copy(char to[NAME_MAX_BYTES], struct view v)
{
	view_text(view_first(v, NAME_MAX_BYTES - 1), to, NAME_MAX_BYTES);
}

static void kind_of(struct jobs *j, const struct trial *t, struct job_kind *k)
{
	memset(k, 0, sizeof *k);
	copy(k->from, row_at(t->was, COL_SUB_PROFILE)->text);
	copy(k->to, row_at(t->is, COL_SUB_PROFILE)->text);
	k->life_from = (uint8_t)row_at(t->was, COL_SUB_LIFE)->num;
	k->life_to = (uint8_t)row_at(t->is, COL_SUB_LIFE)->num;
	k->prio_from = (uint8_t)rule_prio(j->st, t->was);
	k->prio_to = (uint8_t)rule_prio(j->st, t->is);
}

static void count_kind(struct jobs *j, const struct trial *t)
{
	struct job_kind k;

	kind_of(j, t, &k);
	for (size_t i = 0; i < j->kind_n; i++) {
		k.n = j->kind[i].n;
		if (memcmp(&j->kind[i], &k, sizeof k) == 0) {
			j->kind[i].n++;
			return;
		}
	}
	if (j->kind_n == JOB_KINDS) {
		j->others++;
		return;
	}
	k.n = 1;
	j->kind[j->kind_n++] = k;
}

static void count_tenant(struct jobs *j, const struct row *sub)
{
	struct view name = row_at(sub, COL_SUB_TENANT)->text;
	size_t i = 0;

	while (i < j->tenant_n && !view_eq(name, view_of(j->tenant[i].name)))
		i++;
	if (i == JOB_TENANTS)
		return;
	if (i == j->tenant_n) {
		copy(j->tenant[i].name, name);
		j->tenant[i].n = 0;
		j->tenant_n++;
	}
	j->tenant[i].n++;
}

/* A profile's change is its subscriptions'. */
static void count_profile(struct jobs *j, const struct trial *t)
{
	struct job_kind *k = &j->kind[j->kind_n];

	if (j->kind_n == JOB_KINDS) {
		j->others++;
		return;
	}
	memset(k, 0, sizeof *k);
	copy(k->from, row_key(t->was));
	k->n = UINT64_MAX; /* counted when it is told */
	j->kind_n++;
}

static void look(void *ctx, const struct trial *t)
{
	struct jobs *j = ctx;

	j->job.num[N_SAME] += t->same;
	j->job.num[N_SECOND] += t->second;
	j->job.num[N_CHANGE] += !t->same;
	if (t->same || !t->was || !t->is)
		return;
	if (t->was->object == OBJ_SUBSCRIPTION) {
		count_kind(j, t);
		count_tenant(j, t->was);
	} else if (t->was->object == OBJ_PROFILE) {
		count_profile(j, t);
	}
}

static enum err try_row(void *ctx, const struct who *who, const struct edit *e, struct say *s)
{
	struct jobs *j = ctx;

	return store_try(j->st, who, e, look, j, s);
}

/* Those that would be refused are listed too: whoever starts it has seen them. */
static void bad(void *ctx, uint64_t line, const char *reason)
{
	struct jobs *j = ctx;

	if (jobs_bad_put(j, j->job.id, line, reason))
		j->job.num[N_STATE] = JOB_FAILED;
}

enum err jobs_try(struct jobs *j, struct job *b, uint64_t now_ms, struct say *s)
{
	struct view pair[EDIT_PAIRS], lines;
	char pairs[JOB_TEXT];
	const struct who who = {.actor = view_of(b->text[T_ACTOR]),
				.now_ms = now_ms,
				.tenant = view_of(b->text[T_TENANT])};
	struct import in = {.object = model_object(view_of(b->text[T_OBJECT])),
			    .mode = EDIT_CHANGE,
			    .header = view_of(b->text[T_HEADER]),
			    .line = (uint64_t)b->num[N_TRIED] + 1,
			    .fixed = pair,
			    .bad = bad,
			    .edit = try_row,
			    .ctx = j};
	size_t n;
	enum err err = jobs_part_get(j, b->id, (uint64_t)b->num[N_TRIED], &n, &lines);

	if (err)
		return err;
	snprintf(pairs, sizeof pairs, "%s", b->text[T_PAIRS]);
	in.fixed_n = jobs_pairs(pairs, pair);
	in.lines = lines;
	err = store_import(j->st, &who, &in, s);
	if (err)
		return err;
	b->num[N_TRIED] += (int64_t)n;
	b->num[N_BAD] += (int64_t)in.refused;
	return b->num[N_STATE] == JOB_FAILED ? ERR_IO : ERR_OK;
}

/* --- what it comes to --- */

struct effects {
	struct {
		char what[64];
		uint64_t n;
	} row[EFFECTS];
	size_t n;
};

static void effect(struct effects *e, uint64_t n, const char *verb, struct view what)
{
	char text[64];
	size_t i = 0;

	snprintf(text, sizeof text, "%s %.*s", verb, (int)(what.n < 44 ? what.n : 44),
		 (const char *)what.p);
	while (i < e->n && strcmp(e->row[i].what, text) != 0)
		i++;
	if (i == EFFECTS)
		return;
	if (i == e->n) {
		memcpy(e->row[i].what, text, sizeof text);
		e->row[i].n = 0;
		e->n++;
	}
	e->row[i].n += n;
}

/* The choices of two sets of bits that only one of them has, by name. */
static void bits(struct effects *e, uint64_t n, enum column_of_all c, int64_t from, int64_t to)
{
	const char *name = model_columns[c].names;

	for (int i = 0; *name; i++) {
		size_t len = strcspn(name, "|");
		struct view what = {(const uint8_t *)name, len};

		if ((from & ~to) >> i & 1)
			effect(e, n, "lose", what);
		if ((to & ~from) >> i & 1)
			effect(e, n, "gain", what);
		name += len + (name[len] != 0);
	}
}

static bool has_apn(const struct row *p, struct view name)
{
	struct model_apn a;
	struct say ignored;

	for (unsigned int c = COL_PROFILE_APN1; c <= COL_PROFILE_APN4; c++) {
		if (row_at(p, c)->text.n > 0 && !model_apn(row_at(p, c)->text, &a, &ignored) &&
		    view_eq_case(a.name, name))
			return true;
	}
	return false;
}

static void apns(struct effects *e, uint64_t n, const struct row *from, const struct row *to)
{
	struct model_apn a;
	struct say ignored;

	for (unsigned int c = COL_PROFILE_APN1; c <= COL_PROFILE_APN4; c++) {
		if (row_at(from, c)->text.n > 0 &&
		    !model_apn(row_at(from, c)->text, &a, &ignored) && !has_apn(to, a.name))
			effect(e, n, "lose APN", a.name);
	}
}

static bool narrower(struct view from, struct view to)
{
	struct view word;

	if (to.n == 0)
		return false;
	if (from.n == 0)
		return true;
	while ((word = model_word(&from)).n > 0) {
		struct view left = to, w;
		bool there = false;

		while (!there && (w = model_word(&left)).n > 0)
			there = view_eq(w, word);
		if (!there)
			return true;
	}
	return false;
}

static void profiles(struct effects *e, uint64_t n, const struct row *from, const struct row *to)
{
	bits(e, n, COL_PROFILE_SERVE, row_at(from, COL_PROFILE_SERVE)->num,
	     row_at(to, COL_PROFILE_SERVE)->num);
	bits(e, n, COL_PROFILE_RATS, row_at(from, COL_PROFILE_RATS)->num,
	     row_at(to, COL_PROFILE_RATS)->num);
	apns(e, n, from, to);
	if (narrower(row_at(from, COL_PROFILE_WHERE)->text, row_at(to, COL_PROFILE_WHERE)->text))
		effect(e, n, "lose", VIEW("countries"));
	if (row_at(to, COL_PROFILE_UL)->num < row_at(from, COL_PROFILE_UL)->num ||
	    row_at(to, COL_PROFILE_DL)->num < row_at(from, COL_PROFILE_DL)->num)
		effect(e, n, "lose", VIEW("speed"));
}

static uint64_t number(struct jobs *j, const char *sql, struct view text, int64_t limit)
{
	sqlite3_stmt *q = store_prepare(j->st, sql);
	uint64_t n = 0;

	if (q) {
		sqlite3_bind_text(q, 1, (const char *)text.p, (int)text.n, SQLITE_STATIC);
		sqlite3_bind_int64(q, 2, limit);
		if (sqlite3_step(q) == SQLITE_ROW)
			n = (uint64_t)sqlite3_column_int64(q, 0);
	}
	sqlite3_finalize(q);
	return n;
}

/* The profile as it shall be: the job's own changes upon what it is. */
static bool shall_be(struct jobs *j, const struct job *b, const struct row *was, struct row *is)
{
	struct view pair[EDIT_PAIRS];
	char pairs[JOB_TEXT];
	struct say ignored;
	size_t n;

	(void)j;
	*is = *was;
	snprintf(pairs, sizeof pairs, "%s", b->text[T_PAIRS]);
	n = jobs_pairs(pairs, pair);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *eq = memchr(pair[i].p, '=', pair[i].n);
		struct view name = view_first(pair[i], eq ? (size_t)(eq - pair[i].p) : 0);
		int c = model_column(OBJ_PROFILE, name);

		if (c < 0 || row_set(is, (unsigned int)c,
				     (struct view){eq + 1, pair[i].n - name.n - 1}, &ignored))
			return false;
	}
	return true;
}

static void of_kind(struct jobs *j, const struct job *b, const struct job_kind *k,
		    struct effects *e)
{
	static struct row from, to;
	uint64_t n = k->n;

	if (n == UINT64_MAX) {
		n = number(j, "SELECT count(*) FROM subscription WHERE profile = ?1",
			   view_of(k->from), 0);
		if (!store_find(j->st, OBJ_PROFILE, view_of(k->from), &from) &&
		    shall_be(j, b, &from, &to)) {
			profiles(e, n, &from, &to);
			if (row_at(&from, COL_PROFILE_PRIO)->num !=
			    row_at(&to, COL_PROFILE_PRIO)->num)
				effect(e, n, "become",
				       view_of(prios[row_at(&to, COL_PROFILE_PRIO)->num]));
		}
		return;
	}
	if (strcmp(k->from, k->to) != 0 &&
	    !store_find(j->st, OBJ_PROFILE, view_of(k->from), &from) &&
	    !store_find(j->st, OBJ_PROFILE, view_of(k->to), &to))
		profiles(e, n, &from, &to);
	if (k->life_from != k->life_to)
		effect(e, n, "become", view_of(lives[k->life_to]));
	if (k->prio_from != k->prio_to)
		effect(e, n, "become", view_of(prios[k->prio_to]));
}

static void put(struct wr *w, const char *before, uint64_t n)
{
	char t[96];

	snprintf(t, sizeof t, "%s%llu", before, (unsigned long long)n);
	wr_view(w, view_of(t));
}

/* Of one tenant, how many; enough to know whether the share is too large. */
static void of_tenant(struct jobs *j, struct job *b, size_t i, struct wr *w)
{
	uint64_t n = j->tenant[i].n, share = j->conf.share ? j->conf.share : 100,
		 enough = n * 100 / share + 1;
	uint64_t of = number(
	    j, "SELECT count(*) FROM (SELECT 1 FROM subscription WHERE tenant = ?1 LIMIT ?2)",
	    view_of(j->tenant[i].name), (int64_t)enough);
	bool many = share < 100 && n > j->conf.few && of < enough;

	wr_view(w, i ? VIEW(",{\"tenant\":") : VIEW("{\"tenant\":"));
	json_text(w, view_of(j->tenant[i].name));
	put(w, ",\"touched\":", n);
	if (of < enough)
		put(w, ",\"of\":", of);
	wr_view(w, many ? VIEW(",\"too_many\":true}") : VIEW("}"));
	b->num[N_GUARD] |= many;
}

void jobs_tried(struct jobs *j, struct job *b)
{
	struct effects e = {.n = 0};
	struct wr w = {.p = (uint8_t *)b->text[T_EFFECTS], .cap = JOB_EFFECTS - 1};

	for (size_t i = 0; i < j->kind_n; i++)
		of_kind(j, b, &j->kind[i], &e);
	wr_view(&w, VIEW("{\"effects\":["));
	for (size_t i = 0; i < e.n; i++) {
		wr_view(&w, i ? VIEW(",{\"what\":") : VIEW("{\"what\":"));
		json_text(&w, view_of(e.row[i].what));
		put(&w, ",\"devices\":", e.row[i].n);
		wr_view(&w, VIEW("}"));
	}
	put(&w, "],\"not_told_apart\":", j->others);
	wr_view(&w, VIEW(",\"tenants\":["));
	for (size_t i = 0; i < j->tenant_n; i++)
		of_tenant(j, b, i, &w);
	wr_view(&w, VIEW("]}"));
	if (w.err)
		snprintf(b->text[T_EFFECTS], JOB_EFFECTS, "{}");
	else
		w.p[w.n] = 0;
}
