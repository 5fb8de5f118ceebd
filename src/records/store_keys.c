/* The keys of the records that a filter names, some at a time: a table of ten million is gone
 * through without anybody waiting for it. */
#include "records/store_in.h"

#include <stdio.h>

#define FILTERS_MAX 8

struct filter {
	unsigned int column;
	bool begins, num;
	struct view text;
	int64_t value;
};

static enum err read_filter(enum object o, struct view pair, struct filter *f, struct row *room,
			    struct say *s)
{
	const uint8_t *is = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
	struct view name = view_first(pair, is ? (size_t)(is - pair.p) : pair.n);
	int c = is ? model_column(o, name) : -1;
	enum err err = ERR_OK;

	if (c < 0) {
		say(s, "%.*s: no such field of %s", (int)(name.n < 60 ? name.n : 60),
		    (const char *)name.p, model_objects[o].name);
		return ERR_VALUE;
	}
	*f = (struct filter){.column = (unsigned int)c, .text = {is + 1, pair.n - name.n - 1}};
	f->num = model_is_num(model_columns[model_objects[o].first + f->column].kind);
	if (f->num) {
		err = row_set(room, f->column, f->text, s);
		f->value = room->cell[c].num;
	} else if (f->text.n > 0 && f->text.p[f->text.n - 1] == '*') {
		f->begins = true;
		f->text.n--;
	}
	return err;
}

/* The key behind which the next window begins: the last of `max` behind `after`. False: there are
 * not so many. */
static bool window(struct store *st, const struct page *p, char end[ROW_ROOM])
{
	const char *key = model_columns[model_objects[p->object].first].name;
	char sql[256];
	sqlite3_stmt *q;
	bool there = false;

	snprintf(sql, sizeof sql,
		 "SELECT \"%s\" FROM %s WHERE \"%s\" > ?1 ORDER BY \"%s\" LIMIT 1 OFFSET %zu", key,
		 model_objects[p->object].table, key, key, p->max - 1);
	q = store_prepare(st, sql);
	if (q)
		sqlite3_bind_text(q, 1, p->after.n > 0 ? (const char *)p->after.p : "",
				  (int)p->after.n, SQLITE_STATIC);
	if (q && sqlite3_step(q) == SQLITE_ROW)
		there = view_text(
		    (struct view){sqlite3_column_text(q, 0), (size_t)sqlite3_column_bytes(q, 0)},
		    end, ROW_ROOM);
	sqlite3_finalize(q);
	return there;
}

static sqlite3_stmt *ask(struct store *st, const struct page *p, const struct filter *f,
			 const char *end)
{
	const struct object_row *row = &model_objects[p->object];
	const char *key = model_columns[row->first].name;
	char sql[2048];
	size_t n = (size_t)snprintf(sql, sizeof sql, "SELECT \"%s\" FROM %s WHERE \"%s\" > ?1", key,
				    row->table, key);
	sqlite3_stmt *q;

	if (end[0])
		n += (size_t)snprintf(sql + n, sizeof sql - n, " AND \"%s\" <= ?2", key);
	for (size_t i = 0; i < p->filter_n; i++) {
		const char *name = model_columns[row->first + f[i].column].name;

		n += (size_t)snprintf(sql + n, sizeof sql - n,
				      f[i].begins
					  ? " AND \"%s\" >= ?%zu AND \"%s\" < ?%zu || char(1114111)"
				      : f[i].num ? " AND \"%s\" = ?%zu"
						 : " AND coalesce(\"%s\", '') = ?%zu",
				      name, i + 3, name, i + 3);
	}
	if (p->tenant.n > 0)
		n += (size_t)snprintf(sql + n, sizeof sql - n, " AND \"%s\" = ?%zu",
				      model_columns[scope_column(p->object)].name, p->filter_n + 3);
	snprintf(sql + n, sizeof sql - n, " ORDER BY \"%s\"", key);
	q = store_prepare(st, sql);
	if (!q)
		return NULL;
	sqlite3_bind_text(q, 1, p->after.n > 0 ? (const char *)p->after.p : "", (int)p->after.n,
			  SQLITE_STATIC);
	if (end[0])
		sqlite3_bind_text(q, 2, end, -1, SQLITE_STATIC);
	for (size_t i = 0; i < p->filter_n; i++) {
		if (f[i].num)
			sqlite3_bind_int64(q, (int)i + 3, f[i].value);
		else
			sqlite3_bind_text(q, (int)i + 3,
					  f[i].text.n ? (const char *)f[i].text.p : "",
					  (int)f[i].text.n, SQLITE_STATIC);
	}
	if (p->tenant.n > 0)
		sqlite3_bind_text(q, (int)p->filter_n + 3, (const char *)p->tenant.p,
				  (int)p->tenant.n, SQLITE_STATIC);
	return q;
}

enum err store_keys(struct store *st, struct page *p, struct wr *w, struct say *s)
{
	struct filter f[FILTERS_MAX];
	char end[ROW_ROOM] = "";
	struct row r;
	sqlite3_stmt *q;
	enum err err = ERR_OK;
	int rc = SQLITE_DONE;

	p->next[0] = 0;
	if (p->tenant.n > 0 && scope_column(p->object) == COL_N)
		return ERR_OK; /* nothing of it is a tenant's */
	if (p->filter_n > FILTERS_MAX) {
		say(s, "at most %d filters", FILTERS_MAX);
		return ERR_FULL;
	}
	row_init(&r, p->object);
	for (size_t i = 0; i < p->filter_n && !err; i++)
		err = read_filter(p->object, p->filter[i], &f[i], &r, s);
	if (err)
		return err;
	if (!window(st, p, end))
		end[0] = 0;
	q = ask(st, p, f, end);
	while (q && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		wr_view(w, (struct view){sqlite3_column_text(q, 0),
					 (size_t)sqlite3_column_bytes(q, 0)});
		wr_view(w, VIEW("\n"));
		p->n++;
	}
	if (end[0])
		view_text(view_of(end), p->next, sizeof p->next);
	err = !q || rc != SQLITE_DONE ? ERR_IO : w->err;
	sqlite3_finalize(q);
	return err;
}
