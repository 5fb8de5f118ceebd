/* A page of records. A table may have ten million rows, and a page is wanted at once: each is read along
 * an index, a window of rows at a time, and what met the filters when the time is up is the page; the next
 * begins where it stopped. */
#include "records/store_page.h"

#include <stdio.h>
#include <time.h>

#define ROOM_LEFT   (3 * ROW_ROOM) /* what one row may need */
#define WINDOW	    20000	   /* rows of an index that one query walks over */
#define FEW	    20000	   /* as many are found first and sorted then */
#define PAGE_MS	    120
#define SQL_MAX	    4096

/* Of a column that many rows share, its rows in the key's order. */
static const struct walk walks[] = {
	{ COL_SUB_TENANT, "subscription_tenant", -1 },
	{ COL_SUB_PROFILE, "subscription_profile_imsi", -1 },
	{ COL_SUB_LIFE, "subscription_life", LIFE_ACTIVE },
};

/* One condition, whose value is parameter `at`. The plus sign keeps SQLite from an index: which one it is
 * to take is said. */
static size_t put_filter(const struct query *q, char *to, size_t cap, const struct filter *f, size_t at)
{
	const struct column *c = column_at(q, f->column);
	const char *plus = q->walk || f->column == q->sort ? "" : "+";

	if (f->begins)
		return (size_t)snprintf(to, cap, " AND %s\"%s\" >= ?%zu AND %s\"%s\" < ?%zu || "
					"char(1114111)", plus, c->name, at, plus, c->name, at);
	if (f->text.n == 0 && !model_is_num(c->kind))
		return (size_t)snprintf(to, cap, " AND coalesce(\"%s\", '') = ''", c->name);
	if (model_is_num(c->kind)) /* written out, so that SQLite sees that a partial index will do */
		return (size_t)snprintf(to, cap, " AND %s\"%s\" = %lld", plus, c->name, (long long)f->num);
	return (size_t)snprintf(to, cap, " AND %s\"%s\" = ?%zu", plus, c->name, at);
}

/* The text in any of the texts, whatever the case: tables of some hundred rows. */
static size_t put_find(const struct query *q, char *to, size_t cap)
{
	const struct object_row *row = &model_objects[q->o];
	size_t n = (size_t)snprintf(to, cap, " AND (0");

	for (unsigned int i = row->first; i <= row->last && n < cap; i++) {
		if (!model_is_num(model_columns[i].kind) && !(model_columns[i].flags & F_HIDE))
			n += (size_t)snprintf(to + n, cap - n, " OR instr(lower(\"%s\"), lower(?2)) > 0",
					      model_columns[i].name);
	}
	return n + (size_t)snprintf(to + n, cap - n, ")");
}

/* Parameters: 1 where the page begins, 2 what is found, 3... the filters. */
static sqlite3_stmt *prepare(const struct query *q, const char *what, const char *begin, const char *end)
{
	const struct object_row *row = &model_objects[q->o];
	char sql[SQL_MAX];
	size_t n;
	sqlite3_stmt *stmt = NULL;

	n = (size_t)snprintf(sql, sizeof sql, "SELECT %s FROM %s %s%s WHERE 1%s", what, row->table,
			     q->walk ? "INDEXED BY " : "", q->walk ? q->walk->index : "", begin);
	if (q->walk && q->walk->not >= 0 && n < sizeof sql)
		n += (size_t)snprintf(sql + n, sizeof sql - n, " AND \"%s\" <> %lld",
				      model_columns[q->walk->column].name, (long long)q->walk->not);
	for (size_t i = 0; i < q->n && n < sizeof sql; i++)
		n += put_filter(q, sql + n, sizeof sql - n, &q->f[i], i + 3);
	if (q->find.n > 0 && n < sizeof sql)
		n += put_find(q, sql + n, sizeof sql - n);
	if (n < sizeof sql)
		n += (size_t)snprintf(sql + n, sizeof sql - n, "%s", end);
	if (n < sizeof sql)
		stmt = store_prepare(q->st, sql);
	for (size_t i = 0; stmt && i < q->n; i++) {
		const struct filter *f = &q->f[i];

		if (!model_is_num(column_at(q, f->column)->kind))
			sqlite3_bind_text(stmt, (int)i + 3, (const char *)f->text.p, (int)f->text.n,
					  SQLITE_STATIC);
	}
	if (stmt && q->find.n > 0)
		sqlite3_bind_text(stmt, 2, (const char *)q->find.p, (int)q->find.n, SQLITE_STATIC);
	return stmt;
}

int64_t page_count(const struct query *q, size_t n, size_t most, const struct walk *walk)
{
	struct query few = *q;
	char end[64];
	sqlite3_stmt *stmt;
	int64_t found = -1;

	few.n = n;
	few.walk = walk;
	few.find.n = 0;
	snprintf(end, sizeof end, " LIMIT %zu", most);
	stmt = prepare(&few, "1", "", end);
	if (stmt) {
		int rc;

		found = 0;
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
			found++;
		found = rc == SQLITE_DONE ? found : -1;
	}
	sqlite3_finalize(stmt);
	return found;
}

static const struct walk *walk_of(const struct query *q, const struct filter *f)
{
	const unsigned int column = model_objects[q->o].first + f->column;

	for (size_t w = 0; w < sizeof walks / sizeof *walks; w++) {
		if (walks[w].column == (enum column_of_all)column && walks[w].not != f->num && !f->begins &&
		    (f->text.n > 0 || model_is_num(model_columns[column].kind)))
			return &walks[w];
	}
	return NULL;
}

/* Where to begin: at the filter that leaves the fewest rows, which becomes the first; for an order that is
 * not the key's, only if they are few enough to be sorted. */
static void choose(struct query *q)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < q->n; i++) {
		const struct walk *w = walk_of(q, &q->f[i]);
		const struct filter f = q->f[i], first = q->f[0];
		int64_t n;

		if (!w)
			continue;
		q->f[i] = first;
		q->f[0] = f;
		n = page_count(q, 1, FEW, w);
		/* Of two that leave many, one that most rows are not in leaves fewer. */
		if (n >= 0 && (n < least || (n == least && w->not >= 0)) && (q->sort == 0 || n < FEW)) {
			least = n;
			q->walk = w;
		} else {
			q->f[0] = first;
			q->f[i] = f;
		}
	}
}

/* What the index answers comes first. */
static void sort_filters(struct query *q)
{
	q->inside = q->walk ? 1 : 0;
	for (size_t i = q->inside; i < q->n; i++) {
		const struct filter f = q->f[i];

		if (f.column != q->sort || f.text.n == 0)
			continue;
		q->f[i] = q->f[q->inside];
		q->f[q->inside++] = f;
	}
}

void page_choose(struct query *q)
{
	choose(q);
	sort_filters(q);
}

static const char *order_of(const struct query *q, char to[200], size_t limit)
{
	const char *key = column_at(q, 0)->name, *way = q->down ? " DESC" : "";

	if (q->sort == 0)
		snprintf(to, 200, " ORDER BY \"%s\"%s LIMIT %zu", key, way, limit);
	else
		snprintf(to, 200, " ORDER BY \"%s\"%s, \"%s\"%s LIMIT %zu", column_at(q, q->sort)->name, way,
			 key, way, limit);
	return to;
}

/* Rows behind where the last page ended: of a column that is not the key, that is "value\tkey". */
static const char *begin_of(const struct query *q, char to[400])
{
	const char *key = column_at(q, 0)->name, *by = column_at(q, q->sort)->name;
	char past = q->down ? '<' : '>';
	bool num = model_is_num(column_at(q, q->sort)->kind);
	const char *last = num ? "CAST(?1 AS INTEGER)" : "substr(?1, 1, instr(?1, char(9)) - 1)";

	to[0] = 0;
	if (q->sort > 0 && !num && !q->after[0])
		snprintf(to, 400, " AND \"%s\" IS NOT NULL", by);
	else if (q->sort > 0 && q->after[0] && column_at(q, q->sort)->flags & F_ONE)
		snprintf(to, 400, " AND \"%s\" %c %s", by, past, last);
	else if (q->sort > 0 && q->after[0])
		snprintf(to, 400,
			 " AND \"%s\" %c= %s AND (\"%s\", \"%s\") %c (%s, "
			 "substr(?1, instr(?1, char(9)) + 1))", by, past, last, by, key, past, last);
	else if (q->after[0])
		snprintf(to, 400, " AND \"%s\" %c ?1", key, past);
	return to;
}

static void bind_after(const struct query *q, sqlite3_stmt *stmt)
{
	if (q->after[0])
		sqlite3_bind_text(stmt, 1, q->after, -1, SQLITE_STATIC);
}

static void columns_of(const struct query *q, char *to, size_t cap)
{
	const struct object_row *row = &model_objects[q->o];
	size_t n = (size_t)snprintf(to, cap, "id, version, ");

	for (unsigned int i = row->first; i <= row->last && n < cap; i++)
		n += (size_t)snprintf(to + n, cap - n, "\"%s\", ", model_columns[i].name);
	if (n < cap)
		snprintf(to + n, cap - n, "mac");
}

/* Where the page after this row begins. */
static void after_row(struct query *q, const struct row *r)
{
	struct wr w = { .p = (uint8_t *)q->after, .cap = sizeof q->after - 1 };
	char num[32];

	if (q->sort > 0 && model_is_num(column_at(q, q->sort)->kind)) {
		snprintf(num, sizeof num, "%lld\t", (long long)r->cell[q->sort].num);
		wr_view(&w, view_of(num));
	} else if (q->sort > 0) {
		wr_view(&w, r->cell[q->sort].text);
		wr_view(&w, VIEW("\t"));
	}
	wr_view(&w, row_key(r));
	q->after[w.err ? 0 : w.n] = 0;
}

/* Where the window that begins at q->after ends, if that many rows are left in it; "" otherwise. */
static enum err window_end(const struct query *q, char to[ROW_ROOM])
{
	struct query whole = *q;
	char begin[400], order[200], what[160];
	sqlite3_stmt *stmt;
	int rc = SQLITE_ERROR;

	to[0] = 0;
	whole.n = q->inside;
	whole.find.n = 0;
	snprintf(order, sizeof order, " ORDER BY \"%s\"%s LIMIT 1 OFFSET %d", column_at(q, q->sort)->name,
		 q->down ? " DESC" : "", WINDOW - 1);
	/* All rows of that value are inside: the next window begins behind the last key there can be. Nothing
	 * is asked that the index does not have. */
	snprintf(what, sizeof what, "\"%s\"%s", column_at(q, q->sort)->name,
		 q->sort == 0 ? "" : q->down ? " || char(9)" : " || char(9) || char(1114111)");
	stmt = prepare(&whole, what, begin_of(q, begin), order);
	if (stmt) {
		bind_after(q, stmt);
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW)
		snprintf(to, ROW_ROOM, "%s", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : ERR_IO;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until where: the row there is the window's last. */
static void put_end(const struct query *q, const char *end, char *to, size_t cap)
{
	const char *key = column_at(q, 0)->name;
	char past = q->down ? '>' : '<';
	size_t n = strlen(to);

	if (!end[0])
		return;
	if (q->sort == 0)
		snprintf(to + n, cap - n, " AND \"%s\" %c= ?%zu", key, past, q->n + 3);
	else
		snprintf(to + n, cap - n, " AND \"%s\" %c= substr(?%zu, 1, instr(?%zu, char(9)) - 1)",
			 column_at(q, q->sort)->name, past, q->n + 3, q->n + 3);
}

/* The rows of one query into the page. `*more`: it is full, and there may be more. */
static enum err rows_of(struct query *q, const char *end, struct page *p, struct wr *w, bool *more)
{
	char what[1400], begin[800], order[200];
	struct row r;
	sqlite3_stmt *stmt;
	int rc = SQLITE_ROW;

	columns_of(q, what, sizeof what);
	begin_of(q, begin);
	put_end(q, end, begin, sizeof begin);
	stmt = prepare(q, what, begin, order_of(q, order, q->max - p->n));
	if (!stmt)
		return ERR_IO;
	bind_after(q, stmt);
	if (end[0])
		sqlite3_bind_text(stmt, (int)q->n + 3, end, -1, SQLITE_STATIC);
	row_init(&r, q->o);
	while (p->n < q->max && w->cap - w->n > ROOM_LEFT && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		store_take_row(q->st, stmt, q->o, &r);
		if (p->csv) {
			store_put_csv(w, &r);
		} else {
			wr_view(w, p->n > 0 ? VIEW(",\n") : VIEW("\n"));
			store_put_json(w, &r, p->hidden);
		}
		p->n++;
		after_row(q, &r);
	}
	*more = rc == SQLITE_ROW;
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? w->err : ERR_IO;
}

/* Window after window, until the page is full, the rows are over or the time is up. */
enum err page_walk(struct query *q, struct page *p, struct wr *w)
{
	uint64_t until = now_ms() + PAGE_MS;
	char end[ROW_ROOM] = "";
	enum err err = ERR_OK;
	bool more = false, narrow = q->n > q->inside;

	for (;;) {
		if (q->bounded && narrow)
			err = window_end(q, end);
		if (!err)
			err = rows_of(q, end, p, w, &more);
		if (err || more || !end[0])
			break;
		snprintf(q->after, sizeof q->after, "%s", end);
		if (now_ms() > until) {
			more = true;
			break;
		}
	}
	if (!more)
		q->after[0] = 0;
	snprintf(p->next, sizeof p->next, "%s", q->after);
	return err;
}
