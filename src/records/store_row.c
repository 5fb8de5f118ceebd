/* Rows in and out of SQLite, their MACs, and the seals of their tables. */
#include "records/store_in.h"

#include "base/log.h"

#include <stdio.h>

#define MAC_ROOM (ROW_ROOM + 64 + 64 * COLUMN_MAX)

static void mac_cell(struct wr *w, const struct column *c, const struct cell *cell)
{
	wr_be(w, model_is_num(c->kind) ? (uint64_t)cell->num : cell->text.n, 8);
	if (!model_is_num(c->kind))
		wr_view(w, cell->text);
}

/* Over the table's name, id, version and every column of the first release in the order of model.tab, each
 * with its length; then, by name, the later columns that are not as rows have them that were written
 * before there was such a column. So a new column changes no MAC. */
static enum err row_mac(const struct store *st, const struct row *r, uint8_t mac[MAC_BYTES])
{
	const struct column *c = &model_columns[model_objects[r->object].first];
	struct view table = view_of(model_objects[r->object].table);
	uint8_t in[MAC_ROOM];
	struct wr w = { .p = in, .cap = sizeof in };

	wr_be(&w, table.n, 8);
	wr_view(&w, table);
	wr_be(&w, (uint64_t)r->id, 8);
	wr_be(&w, r->version, 8);
	for (unsigned int i = 0; i < model_n(r->object); i++) {
		if (!(c[i].flags & F_LATER))
			mac_cell(&w, &c[i], &r->cell[i]);
	}
	for (unsigned int i = 0; i < model_n(r->object); i++) {
		const struct cell *absent = &st->absent[r->object].cell[i];

		if (!(c[i].flags & F_LATER) || (r->cell[i].num == absent->num &&
						view_eq(r->cell[i].text, absent->text)))
			continue;
		wr_be(&w, strlen(c[i].name), 8);
		wr_view(&w, view_of(c[i].name));
		mac_cell(&w, &c[i], &r->cell[i]);
	}
	return w.err ? w.err : digest_of(st->mac, (struct view){ in, w.n }, mac);
}

void store_tampered(const struct row *r)
{
	LOG(LOG_ERROR, "records.tampered", KV("object", model_objects[r->object].name),
	    KV("id", (uint64_t)r->id), KV_CLAUSE("R-3.1.c"));
}

/* One column as SQLite has it. What Merlon never wrote (another type, too long) becomes empty:
 * the MAC tells. */
static void take_cell(sqlite3_stmt *q, int at, const struct column *c, struct row *r, struct cell *cell)
{
	size_t n;

	if (model_is_num(c->kind)) {
		cell->num = sqlite3_column_int64(q, at);
		return;
	}
	n = sqlite3_column_text(q, at) ? (size_t)sqlite3_column_bytes(q, at) : 0;
	if (n == 0 || n > sizeof r->room - r->used)
		return;
	memcpy(r->room + r->used, sqlite3_column_text(q, at), n);
	cell->text = (struct view){ (const uint8_t *)r->room + r->used, n };
	r->used += n;
}

void store_take_row(struct store *st, sqlite3_stmt *q, enum object o, struct row *r)
{
	int n = (int)model_n(o);
	uint8_t mac[MAC_BYTES];

	memset(r, 0, offsetof(struct row, room));
	r->object = o;
	r->id = sqlite3_column_int64(q, 0);
	r->version = (uint32_t)sqlite3_column_int64(q, 1);
	r->given = UINT32_MAX;
	for (int i = 0; i < n; i++)
		take_cell(q, 2 + i, &model_columns[model_objects[o].first + (unsigned int)i], r,
			  &r->cell[i]);
	if (sqlite3_column_bytes(q, 2 + n) == MAC_BYTES)
		memcpy(r->mac, sqlite3_column_blob(q, 2 + n), MAC_BYTES);
	r->tampered = row_mac(st, r, mac) || sodium_memcmp(mac, r->mac, MAC_BYTES) != 0;
}

static enum err find(struct store *st, sqlite3_stmt *q, enum object o, struct row *r)
{
	int rc = sqlite3_step(q);

	if (rc == SQLITE_ROW)
		store_take_row(st, q, o, r);
	sqlite3_reset(q);
	return rc == SQLITE_ROW ? ERR_OK : rc == SQLITE_DONE ? ERR_NOT_FOUND : ERR_IO;
}

enum err store_find(struct store *st, enum object o, struct view key, struct row *r)
{
	sqlite3_stmt *q = st->row[o][ST_KEY];

	sqlite3_bind_text(q, 1, (const char *)key.p, (int)key.n, SQLITE_TRANSIENT);
	return find(st, q, o, r);
}

enum err store_find_id(struct store *st, enum object o, int64_t id, struct row *r)
{
	sqlite3_bind_int64(st->row[o][ST_ID], 1, id);
	return find(st, st->row[o][ST_ID], o, r);
}

static void bind_cell(sqlite3_stmt *q, int at, const struct row *r, unsigned int c)
{
	const struct cell *cell = &r->cell[c];

	if (model_is_num(model_columns[model_objects[r->object].first + c].kind))
		sqlite3_bind_int64(q, at, cell->num);
	else if (cell->text.n == 0)
		sqlite3_bind_null(q, at);
	else
		sqlite3_bind_text(q, at, (const char *)cell->text.p, (int)cell->text.n, SQLITE_STATIC);
}

static void bind_row(sqlite3_stmt *q, const struct row *r)
{
	int n = (int)model_n(r->object);

	sqlite3_bind_int64(q, 1, r->id);
	sqlite3_bind_int64(q, 2, r->version);
	for (int i = 0; i < n; i++)
		bind_cell(q, 3 + i, r, (unsigned int)i);
	sqlite3_bind_blob(q, 3 + n, r->mac, MAC_BYTES, SQLITE_STATIC);
}

/* Turn what SQLite refuses into a person's words: its text ends with "table.column". */
static enum err refused(struct store *st, int rc, enum object o, struct say *s)
{
	const char *text = sqlite3_errmsg(st->db), *dot = strrchr(text, '.');
	const char *what = model_objects[o].name, *key = model_columns[model_objects[o].first].name;

	switch (rc) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
		if (dot && strcmp(dot + 1, key) == 0)
			say(s, "%s: exists already (R-3.1.a)", key);
		else
			say(s, "%s: another %s has it already (R-3.1.a)", dot ? dot + 1 : "key", what);
		return ERR_EXISTS;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		say(s, "%s: in use by other records, or names a record that is not there", what);
		return ERR_REFUSED;
	default:
		say(s, "records: %.200s", text);
		return ERR_IO;
	}
}

static enum err run(struct store *st, sqlite3_stmt *q, enum object o, struct say *s)
{
	enum err err = ERR_OK;
	int rc = sqlite3_step(q);

	if (rc != SQLITE_DONE)
		err = refused(st, sqlite3_extended_errcode(st->db), o, s);
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return err;
}

static void fold(struct seal *seal, const uint8_t mac[MAC_BYTES])
{
	for (size_t i = 0; i < MAC_BYTES; i++)
		seal->sum[i] ^= mac[i];
	seal->dirty = true;
}

enum err store_insert(struct store *st, struct row *r, struct say *s)
{
	struct seal *seal = &st->seal[r->object];
	sqlite3_stmt *q = st->row[r->object][ST_INSERT];
	enum err err;

	r->id = (int64_t)seal->next_id;
	r->version = 1;
	err = row_mac(st, r, r->mac);
	if (err)
		return err;
	bind_row(q, r);
	err = run(st, q, r->object, s);
	if (err)
		return err;
	seal->next_id++;
	seal->n++;
	fold(seal, r->mac);
	return ERR_OK;
}

static uint32_t changed_columns(const struct row *old, const struct row *new)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < model_n(new->object); i++) {
		if (old->cell[i].num != new->cell[i].num ||
		    !view_eq(old->cell[i].text, new->cell[i].text))
			bits |= 1u << i;
	}
	return bits;
}

static sqlite3_stmt *update_of(struct store *st, enum object o, uint32_t changed)
{
	struct update *u = &st->update[st->update_next % UPDATES];
	char sql[1024];
	size_t n;

	for (int i = 0; i < UPDATES; i++) {
		if (st->update[i].q && st->update[i].object == o && st->update[i].columns == changed)
			return st->update[i].q;
	}
	st->update_next++;
	n = (size_t)snprintf(sql, sizeof sql, "UPDATE %s SET version = ?", model_objects[o].table);
	for (unsigned int i = 0; i < model_n(o); i++) {
		if (changed >> i & 1)
			n += (size_t)snprintf(sql + n, sizeof sql - n, ", \"%s\" = ?",
					      model_columns[model_objects[o].first + i].name);
	}
	snprintf(sql + n, sizeof sql - n, ", mac = ? WHERE id = ?");
	sqlite3_finalize(u->q);
	*u = (struct update){ o, changed, store_prepare(st, sql) };
	return u->q;
}

enum err store_update(struct store *st, const struct row *old, struct row *r, struct say *s)
{
	uint32_t changed = changed_columns(old, r);
	sqlite3_stmt *q = update_of(st, r->object, changed);
	int at = 2;
	enum err err;

	r->id = old->id;
	r->version = old->version + 1;
	err = q ? row_mac(st, r, r->mac) : ERR_IO;
	if (err)
		return err;
	sqlite3_bind_int64(q, 1, r->version);
	for (unsigned int i = 0; i < model_n(r->object); i++) {
		if (changed >> i & 1)
			bind_cell(q, at++, r, i);
	}
	sqlite3_bind_blob(q, at, r->mac, MAC_BYTES, SQLITE_STATIC);
	sqlite3_bind_int64(q, at + 1, r->id);
	err = run(st, q, r->object, s);
	if (err)
		return err;
	fold(&st->seal[r->object], old->mac);
	fold(&st->seal[r->object], r->mac);
	return ERR_OK;
}

enum err store_remove(struct store *st, const struct row *r, struct say *s)
{
	sqlite3_stmt *q = st->row[r->object][ST_DELETE];
	enum err err;

	sqlite3_bind_int64(q, 1, r->id);
	err = run(st, q, r->object, s);
	if (err)
		return err;
	fold(&st->seal[r->object], r->mac);
	st->seal[r->object].n--;
	return ERR_OK;
}

void store_seal_mac(const struct store *st, enum object o, uint8_t mac[MAC_BYTES])
{
	const struct seal *seal = &st->seal[o];
	uint8_t in[32 + 16 + MAC_BYTES] = { 0 };
	struct wr w = { .p = in, .cap = sizeof in };

	wr_view(&w, view_of(model_objects[o].table));
	w.n = 32;
	wr_be(&w, seal->n, 8);
	wr_be(&w, seal->next_id, 8);
	wr_view(&w, (struct view){ seal->sum, MAC_BYTES });
	crypto_auth_hmacsha256(mac, in, sizeof in, st->key);
}

enum err store_seals_write(struct store *st)
{
	sqlite3_stmt *q = store_prepare(st, "INSERT OR REPLACE INTO seal VALUES (?, ?, ?, ?, ?)");
	enum err err = q ? ERR_OK : ERR_IO;

	for (enum object o = 0; o < OBJ_N && !err; o++) {
		uint8_t mac[MAC_BYTES];

		if (!st->seal[o].dirty)
			continue;
		store_seal_mac(st, o, mac);
		sqlite3_bind_text(q, 1, model_objects[o].name, -1, SQLITE_STATIC);
		sqlite3_bind_int64(q, 2, (int64_t)st->seal[o].n);
		sqlite3_bind_int64(q, 3, (int64_t)st->seal[o].next_id);
		sqlite3_bind_blob(q, 4, st->seal[o].sum, MAC_BYTES, SQLITE_STATIC);
		sqlite3_bind_blob(q, 5, mac, MAC_BYTES, SQLITE_STATIC);
		if (sqlite3_step(q) != SQLITE_DONE)
			err = ERR_IO;
		sqlite3_reset(q);
		st->seal[o].dirty = err != ERR_OK;
	}
	sqlite3_finalize(q);
	return err;
}
