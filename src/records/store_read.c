/* Reading for people: one record, a page of records, the journal, what waits for approval. */
#include "records/store_in.h"

#include <stdio.h>


void store_put_json(struct wr *w, const struct row *r, bool hidden)
{
	row_json(w, r, hidden);
	if (r->tampered && !w->err) {
		w->n--; /* before its closing brace */
		wr_view(w, VIEW(",\"tampered\":true}"));
	}
}

enum err store_get(struct store *st, enum object o, struct view key, const struct reader *as, struct wr *w,
		   struct say *s)
{
	struct row r, wanted;
	enum err err;

	memcpy(&wanted, &st->blank[o], offsetof(struct row, room)); /* its texts are all empty */
	err = row_set(&wanted, 0, key, s);
	if (!err)
		err = store_find(st, o, row_key(&wanted), &r);
	if (!err && !scope_has(st, as->tenant, &r))
		err = ERR_NOT_FOUND;
	if (err == ERR_NOT_FOUND)
		say(s, "%s: there is none of that key", model_objects[o].name);
	if (err)
		return err;
	if (r.tampered)
		store_tampered(&r);
	store_put_json(w, &r, as->hidden);
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

void store_put_csv(struct wr *w, const struct row *r)
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

/* All of it, or what was done to one record after it was made. */
static sqlite3_stmt *journal_query(struct store *st, const struct story *of)
{
	static const char all[] = "SELECT seq, at_ms, actor, action, object, key, detail, hex(hash) "
				  "FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
	static const char one[] = "SELECT seq, at_ms, actor, action, object, key, detail, hex(hash) "
				  "FROM journal INDEXED BY journal_of WHERE action <> 'create' AND "
				  "object = ?3 AND key = ?4 AND seq > ?1 ORDER BY seq LIMIT ?2";
	sqlite3_stmt *q = store_prepare(st, of->key.n > 0 ? one : all);

	if (q && of->key.n > 0) {
		sqlite3_bind_text(q, 3, model_objects[of->object].name, -1, SQLITE_STATIC);
		sqlite3_bind_text(q, 4, (const char *)of->key.p, (int)of->key.n, SQLITE_STATIC);
	}
	return q;
}

enum err store_journal(struct store *st, const struct story *of, uint64_t after, size_t max, struct wr *w,
		       uint64_t *last)
{
	static const char *const names[] = { NULL, NULL, "actor", "action", "object", "key" };
	sqlite3_stmt *q = journal_query(st, of);
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

/* "object\nmode\nkey...": is the record that a request is about one of the tenant's? */
static bool request_within(struct store *st, struct view tenant, struct view request)
{
	struct view left = request, object = request_line(&left), key;
	enum object o = model_object(object);
	struct row r;

	if (tenant.n == 0)
		return true;
	request_line(&left);
	key = request_line(&left);
	return o < OBJ_N && !store_find(st, o, key, &r) && scope_has(st, tenant, &r);
}

enum err store_approvals(struct store *st, uint64_t now_ms, struct view tenant, struct wr *w)
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
		if (!request_within(st, tenant, text_at(q, 5)))
			continue;
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
