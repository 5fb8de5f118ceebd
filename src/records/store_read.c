/* Reading for people: one record, a page of records, the journal, what waits for approval. */
#include "records/store_in.h"

#include <stdio.h>

#define FILTERS_MAX 8
#define ROOM_LEFT   (3 * ROW_ROOM) /* what one row may need */

static void put_row(struct wr *w, const struct row *r)
{
	row_json(w, r);
	if (r->tampered && !w->err) {
		w->n--; /* before its closing brace */
		wr_view(w, VIEW(",\"tampered\":true}"));
	}
}

enum err store_get(struct store *st, enum object o, struct view key, struct wr *w, struct say *s)
{
	struct row r, wanted;
	enum err err;

	row_init(&wanted, o);
	err = row_set(&wanted, 0, key, s);
	if (!err)
		err = store_find(st, o, row_key(&wanted), &r);
	if (err == ERR_NOT_FOUND)
		say(s, "%s: there is none of that key", model_objects[o].name);
	if (err)
		return err;
	if (r.tampered)
		store_tampered(&r);
	put_row(w, &r);
	return w->err;
}

static void csv_field(struct wr *w, struct view v)
{
	bool quote = false;

	for (size_t i = 0; i < v.n; i++)
		quote = quote || v.p[i] == ',' || v.p[i] == '"';
	if (!quote) {
		wr_view(w, v);
		return;
	}
	wr_be(w, '"', 1);
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"')
			wr_be(w, '"', 1);
		wr_be(w, v.p[i], 1);
	}
	wr_be(w, '"', 1);
}

void store_csv_header(enum object o, struct wr *w)
{
	const struct object_row *row = &model_objects[o];

	for (unsigned int i = row->first; i <= row->last; i++) {
		wr_view(w, i == row->first ? VIEW("") : VIEW(","));
		wr_view(w, view_of(model_columns[i].name));
	}
	wr_view(w, VIEW("\n"));
}

static void put_csv(struct wr *w, const struct row *r)
{
	for (unsigned int i = 0; i < model_n(r->object); i++) {
		uint8_t room[ROW_ROOM];
		struct wr text = { .p = room, .cap = sizeof room };

		row_text(&text, r, i);
		wr_view(w, i == 0 ? VIEW("") : VIEW(","));
		csv_field(w, wr_done(&text));
	}
	wr_view(w, VIEW("\n"));
}

struct filter {
	unsigned int column;
	bool begins;
	struct view text;
	int64_t num;
};

/* "life=suspended", "imsi=99970*": read like any value, so that a wrong one is told. */
static enum err read_filter(enum object o, struct view pair, struct filter *f, struct row *room,
			    struct say *s)
{
	const uint8_t *is = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
	struct view name = view_first(pair, is ? (size_t)(is - pair.p) : pair.n);
	int c = is ? model_column(o, name) : -1;
	const struct column *column;
	enum err err;

	if (c < 0) {
		say(s, "%.*s: no such field of %s", (int)(name.n < 60 ? name.n : 60),
		    (const char *)name.p, model_objects[o].name);
		return ERR_VALUE;
	}
	column = &model_columns[model_objects[o].first + (unsigned int)c];
	*f = (struct filter){ .column = (unsigned int)c };
	f->text = (struct view){ is + 1, pair.n - name.n - 1 };
	if (!model_is_num(column->kind)) {
		f->begins = f->text.n > 0 && f->text.p[f->text.n - 1] == '*';
		f->text.n -= f->begins;
		return ERR_OK;
	}
	err = row_set(room, f->column, f->text, s);
	f->num = room->cell[c].num;
	return err;
}

/* One condition, whose value is parameter `at`. A plus sign keeps SQLite from an index of a column
 * that many rows share: it would sort all of them for each page, where the key's index gives pages in
 * order. */
static size_t put_filter(char *to, size_t cap, const struct filter *f, const struct column *c, size_t at)
{
	const char *plus = c->kind == K_REF ? "+" : "";

	if (f->begins)
		return (size_t)snprintf(to, cap, " AND %s\"%s\" >= ?%zu AND %s\"%s\" < ?%zu || "
					"char(1114111)", plus, c->name, at, plus, c->name, at);
	if (f->text.n == 0 && !model_is_num(c->kind))
		return (size_t)snprintf(to, cap, " AND coalesce(\"%s\", '') = ''", c->name);
	return (size_t)snprintf(to, cap, " AND %s\"%s\" = ?%zu", plus, c->name, at);
}

static sqlite3_stmt *page_query(struct store *st, const struct page *p, const struct filter *f)
{
	const struct object_row *row = &model_objects[p->object];
	const char *key = model_columns[row->first].name;
	char sql[2048];
	size_t n;
	sqlite3_stmt *q;

	n = (size_t)snprintf(sql, sizeof sql, "SELECT id, version, ");
	for (unsigned int i = row->first; i <= row->last; i++)
		n += (size_t)snprintf(sql + n, sizeof sql - n, "\"%s\", ", model_columns[i].name);
	n += (size_t)snprintf(sql + n, sizeof sql - n, "mac FROM %s WHERE \"%s\" > ?1", row->table, key);
	for (size_t i = 0; i < p->filter_n; i++) {
		n += put_filter(sql + n, sizeof sql - n, &f[i], &model_columns[row->first + f[i].column],
				i + 2);
	}
	snprintf(sql + n, sizeof sql - n, " ORDER BY \"%s\" LIMIT %zu", key, p->max);
	q = store_prepare(st, sql);
	if (!q)
		return NULL;
	sqlite3_bind_text(q, 1, p->after.n > 0 ? (const char *)p->after.p : "", (int)p->after.n,
			  SQLITE_STATIC);
	for (size_t i = 0; i < p->filter_n; i++) {
		if (model_is_num(model_columns[row->first + f[i].column].kind))
			sqlite3_bind_int64(q, (int)i + 2, f[i].num);
		else
			sqlite3_bind_text(q, (int)i + 2, (const char *)f[i].text.p,
					  (int)f[i].text.n, SQLITE_STATIC);
	}
	return q;
}

enum err store_list(struct store *st, struct page *p, struct wr *w, struct say *s)
{
	struct filter f[FILTERS_MAX];
	struct row r;
	sqlite3_stmt *q;
	enum err err = ERR_OK;
	int rc = SQLITE_ROW;

	p->next[0] = 0;
	p->n = 0;
	if (p->filter_n > FILTERS_MAX) {
		say(s, "at most %d filters", FILTERS_MAX);
		return ERR_FULL;
	}
	row_init(&r, p->object);
	for (size_t i = 0; i < p->filter_n && !err; i++)
		err = read_filter(p->object, p->filter[i], &f[i], &r, s);
	if (err)
		return err;
	q = page_query(st, p, f);
	if (!q)
		return ERR_IO;
	wr_view(w, p->csv ? VIEW("") : VIEW("["));
	while (w->cap - w->n > ROOM_LEFT && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		store_take_row(st, q, p->object, &r);
		if (p->csv) {
			put_csv(w, &r);
		} else {
			wr_view(w, p->n > 0 ? VIEW(",\n") : VIEW("\n"));
			put_row(w, &r);
		}
		p->n++;
		view_text(row_key(&r), p->next, sizeof p->next);
	}
	sqlite3_finalize(q);
	wr_view(w, p->csv ? VIEW("") : VIEW("]"));
	if (p->n < p->max && rc != SQLITE_ROW)
		p->next[0] = 0; /* that was all */
	return w->err;
}

static void put_name(struct wr *w, const char *name, bool first)
{
	wr_view(w, first ? VIEW("\"") : VIEW(",\""));
	wr_view(w, view_of(name));
	wr_view(w, VIEW("\":"));
}

static struct view text_at(sqlite3_stmt *q, int at)
{
	return (struct view){ sqlite3_column_text(q, at), (size_t)sqlite3_column_bytes(q, at) };
}

enum err store_journal(struct store *st, uint64_t after, size_t max, struct wr *w, uint64_t *last)
{
	static const char *const names[] = { NULL, NULL, "actor", "action", "object", "key" };
	sqlite3_stmt *q = store_prepare(st, "SELECT seq, at_ms, actor, action, object, key, detail, "
					    "hex(hash) FROM journal WHERE seq > ? ORDER BY seq LIMIT ?");
	char head[96];

	*last = after;
	if (!q)
		return ERR_IO;
	sqlite3_bind_int64(q, 1, (int64_t)after);
	sqlite3_bind_int64(q, 2, (int64_t)max);
	wr_view(w, VIEW("["));
	while (w->cap - w->n > 12 * ROW_ROOM && sqlite3_step(q) == SQLITE_ROW) {
		snprintf(head, sizeof head, "%s\n{\"seq\":%lld,\"at_ms\":%lld", *last > after ? "," : "",
			 (long long)sqlite3_column_int64(q, 0), (long long)sqlite3_column_int64(q, 1));
		wr_view(w, view_of(head));
		for (int i = 2; i <= 5; i++) {
			put_name(w, names[i], false);
			json_text(w, text_at(q, i));
		}
		put_name(w, "detail", false);
		wr_view(w, text_at(q, 6)); /* is JSON already */
		put_name(w, "hash", false);
		json_text(w, text_at(q, 7));
		wr_view(w, VIEW("}"));
		*last = (uint64_t)sqlite3_column_int64(q, 0);
	}
	sqlite3_finalize(q);
	wr_view(w, VIEW("]"));
	return w->err;
}

enum err store_approvals(struct store *st, uint64_t now_ms, struct wr *w)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT id, at_ms, until_ms, actor, reason, request "
					    "FROM approval WHERE approver IS NULL AND until_ms > ? "
					    "ORDER BY id LIMIT 1000");
	char head[160];
	bool first = true;

	if (!q)
		return ERR_IO;
	sqlite3_bind_int64(q, 1, (int64_t)now_ms);
	wr_view(w, VIEW("["));
	while (w->cap - w->n > 12 * ROW_ROOM && sqlite3_step(q) == SQLITE_ROW) {
		snprintf(head, sizeof head, "%s\n{\"approval\":%lld,\"at_ms\":%lld,\"until_ms\":%lld",
			 first ? "" : ",", (long long)sqlite3_column_int64(q, 0),
			 (long long)sqlite3_column_int64(q, 1), (long long)sqlite3_column_int64(q, 2));
		wr_view(w, view_of(head));
		put_name(w, "actor", false);
		json_text(w, text_at(q, 3));
		put_name(w, "reason", false);
		json_text(w, text_at(q, 4));
		put_name(w, "request", false);
		json_text(w, text_at(q, 5));
		wr_view(w, VIEW("}"));
		first = false;
	}
	sqlite3_finalize(q);
	wr_view(w, VIEW("]"));
	return w->err;
}
