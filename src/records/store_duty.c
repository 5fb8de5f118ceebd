/* What is due by when, and what is missing: deadlines of incidents, assessments, agreements,
 * requests. */
#include "records/store_in.h"

#include <stdio.h>

#define ROOM_LEFT 2048
#define DAYS_30 "2592000" /* a month: of GDPR's article 12 (3), and what is soon */

/* Each query: key, tenant, what is due by when (seconds; 0: missing). ?1: now, ?2: a tenant, or
 * empty. */
static const struct duty {
	const char *duty, *object, *clause, *sql;
} duties[] = {
    {"early warning", "incident", "R-5.8.3.g",
     "SELECT i.name, i.tenant, i.found + coalesce(j.early_h, 24) * 3600 FROM incident i LEFT JOIN "
     "jurisdiction j ON "
     "j.name = i.jurisdiction WHERE i.severity > 0 AND i.early_sent = 0 AND i.notified = 0 AND "
     "coalesce(j.early_h, 24) > 0"},
    {"notification", "incident", "R-5.8.3.g",
     "SELECT i.name, i.tenant, i.found + coalesce(j.notify_h, 72) * 3600 FROM incident i LEFT JOIN "
     "jurisdiction j ON "
     "j.name = i.jurisdiction WHERE i.severity > 0 AND i.notified = 0 AND coalesce(j.notify_h, 72) "
     "> 0"},
    {"final report", "incident", "R-5.8.3.g",
     "SELECT i.name, i.tenant, i.found + coalesce(j.final_days, 30) * 86400 FROM incident i LEFT "
     "JOIN jurisdiction j ON "
     "j.name = i.jurisdiction WHERE i.severity > 0 AND i.final_sent = 0 AND coalesce(j.final_days, "
     "30) > 0"},
    {"assessment to be reviewed", "assessment", "R-2.h",
     "SELECT a.name, p.tenant, a.review FROM assessment a JOIN profile p ON p.name = a.profile "
     "WHERE a.review < ?1 + " DAYS_30},
    {"no risk assessment", "profile", "R-2.h",
     "SELECT p.name, p.tenant, 0 FROM profile p WHERE NOT EXISTS (SELECT 1 FROM assessment a WHERE "
     "a.profile = p.name AND "
     "a.kind = 0)"},
    {"no privacy assessment", "profile", "R-2.h",
     "SELECT p.name, p.tenant, 0 FROM profile p WHERE NOT EXISTS (SELECT 1 FROM assessment a WHERE "
     "a.profile = p.name AND "
     "a.kind = 1)"},
    {"no agreement", "tenant", "R-4.b",
     "SELECT t.name, t.name AS tenant, 0 FROM tenant t WHERE NOT EXISTS (SELECT 1 FROM agreement a WHERE "
     "a.tenant = t.name)"},
    {"agreement to be renewed", "agreement", "R-4.b",
     "SELECT a.name, a.tenant, a.ends FROM agreement a WHERE a.ends > 0 AND a.ends < ?1 "
     "+ " DAYS_30},
    {"request to be answered", "subject-request", "R-4.a",
     "SELECT w.name, s.tenant, w.received + " DAYS_30
     " FROM subject_request w LEFT JOIN subscription s ON s.imsi = w.imsi WHERE "
     "w.state = 0"},
    {"nomination to be decided", "nomination", "R-5.6.1.m",
     "SELECT n.name, n.tenant, 0 FROM nomination n WHERE n.state = 0"},
    {"class to be reviewed", "nomination", "R-5.6.1.m",
     "SELECT n.name, n.tenant, n.review FROM nomination n WHERE n.state = 1 AND n.review > 0 AND "
     "n.review < ?1 + " DAYS_30},
};

/* What an assessment says that its profile must have, and it has not. */
static bool fulfils(const struct row *profile, struct view needs)
{
	struct row want = *profile;
	struct say ignored;

	while (needs.n > 0) {
		const uint8_t *end = memchr(needs.p, ',', needs.n), *is;
		struct view one = view_first(needs, end ? (size_t)(end - needs.p) : needs.n), name;
		size_t skip = one.n + (end != NULL);
		int c;

		needs = (struct view){needs.p + skip, needs.n - skip};
		while (one.n > 0 && one.p[0] == ' ')
			one = (struct view){one.p + 1, one.n - 1};
		is = one.n > 0 ? memchr(one.p, '=', one.n) : NULL;
		name = view_first(one, is ? (size_t)(is - one.p) : 0);
		c = is ? model_column(OBJ_PROFILE, name) : -1;
		if (c <= 0 ||
		    row_set(&want, (unsigned int)c, (struct view){is + 1, one.n - name.n - 1},
			    &ignored) ||
		    want.cell[c].num != profile->cell[c].num ||
		    !view_eq(want.cell[c].text, profile->cell[c].text))
			return false;
	}
	return true;
}

struct list {
	struct wr *w;
	bool any;
	uint64_t now_s;
	void (*late)(void *ctx, const char *duty, struct view key, uint64_t due_s);
	void *ctx;
};

static void put(struct list *l, const struct duty *d, struct view key, struct view tenant,
		uint64_t due_s)
{
	char t[64];
	bool late = due_s > 0 && due_s <= l->now_s;

	wr_view(l->w, l->any ? VIEW(",\n{\"duty\":") : VIEW("\n{\"duty\":"));
	l->any = true;
	json_text(l->w, view_of(d->duty));
	wr_view(l->w, VIEW(",\"object\":"));
	json_text(l->w, view_of(d->object));
	wr_view(l->w, VIEW(",\"key\":"));
	json_text(l->w, key);
	wr_view(l->w, VIEW(",\"tenant\":"));
	json_text(l->w, tenant);
	snprintf(t, sizeof t, ",\"due_s\":%llu,\"late\":%s,\"clause\":", (unsigned long long)due_s,
		 late ? "true" : "false");
	wr_view(l->w, view_of(t));
	json_text(l->w, view_of(d->clause));
	wr_view(l->w, VIEW("}"));
	if (late && l->late)
		l->late(l->ctx, d->duty, key, due_s);
}

static struct view text_at(sqlite3_stmt *q, int at)
{
	return (struct view){sqlite3_column_text(q, at), (size_t)sqlite3_column_bytes(q, at)};
}

static enum err ask(struct store *st, const struct duty *d, struct view tenant, struct list *l)
{
	char sql[1024];
	sqlite3_stmt *q;

	snprintf(
	    sql, sizeof sql,
	    "SELECT * FROM (%s) WHERE (?2 = '' OR tenant = ?2) AND ?1 > 0 ORDER BY 3, 1 LIMIT 1000",
	    d->sql);
	q = store_prepare(st, sql);
	if (!q)
		return ERR_IO;
	sqlite3_bind_int64(q, 1, (int64_t)l->now_s);
	sqlite3_bind_text(q, 2, tenant.n ? (const char *)tenant.p : "", (int)tenant.n,
			  SQLITE_STATIC);
	while (l->w->cap - l->w->n > ROOM_LEFT && sqlite3_step(q) == SQLITE_ROW)
		put(l, d, text_at(q, 0), text_at(q, 1), (uint64_t)sqlite3_column_int64(q, 2));
	sqlite3_finalize(q);
	return ERR_OK;
}

static void unmet(struct store *st, struct view tenant, struct list *l)
{
	static const struct duty d = {"profile is not as its assessment says", "assessment",
				      "R-2.h", NULL};
	sqlite3_stmt *q = st->row[OBJ_ASSESSMENT][ST_AFTER];
	struct row a, p;
	int64_t after = 0;

	for (;;) {
		sqlite3_bind_int64(q, 1, after);
		if (sqlite3_step(q) == SQLITE_ROW)
			store_take_row(st, q, OBJ_ASSESSMENT, &a);
		else
			break;
		sqlite3_reset(q);
		after = a.id;
		if (row_at(&a, COL_ASSESS_NEEDS)->text.n > 0 && l->w->cap - l->w->n > ROOM_LEFT &&
		    !store_find(st, OBJ_PROFILE, row_at(&a, COL_ASSESS_OF)->text, &p) &&
		    (tenant.n == 0 || view_eq(tenant, row_at(&p, COL_PROFILE_TENANT)->text)) &&
		    !fulfils(&p, row_at(&a, COL_ASSESS_NEEDS)->text))
			put(l, &d, row_key(&a), row_at(&p, COL_PROFILE_TENANT)->text, 0);
	}
	sqlite3_reset(q);
}

enum err store_duties(struct store *st, uint64_t now_s, struct view tenant, struct wr *w,
		      void (*late)(void *ctx, const char *duty, struct view key, uint64_t due_s),
		      void *ctx)
{
	struct list l = {.w = w, .now_s = now_s, .late = late, .ctx = ctx};
	enum err err = ERR_OK;

	wr_view(w, VIEW("["));
	for (size_t i = 0; i < sizeof duties / sizeof *duties && !err; i++)
		err = ask(st, &duties[i], tenant, &l);
	if (!err)
		unmet(st, tenant, &l);
	wr_view(w, VIEW("]"));
	return err ? err : w->err;
}
