/* The layout of the tables: which columns they have, and what the numbers of choices stand for. A store
 * of an older Merlon gets the columns that it lacks; its rows stay as they are, MACs and all, so that
 * nothing that was tampered with becomes good by it. */
#include "records/store_in.h"

#include "base/log.h"

#include <stdio.h>

#define NAMES_MAX 8192

/* Format 1 kept no names. What it wrote, where the numbers may have moved since. */
static const struct {
	enum column_of_all column;
	const char *names;
} format_1[] = {
	{ COL_RULE_CHECK,
	  "|partner.peer_unknown|partner.peer_blocked|partner.origin_ours|partner.origin_realm"
	  "|partner.origin_host|partner.route_record|partner.visited_plmn|partner.dest_internal"
	  "|partner.dest_realm|category.application|category.command|category.home_only"
	  "|category.own_subscriber|category.registered_roamer|category.foreign_imsi"
	  "|plausibility.serving_host|plausibility.velocity|plausibility.ulr_without_air"
	  "|subscriber.unknown|subscriber.not_active|subscriber.greylisted|subscriber.plmn|subscriber.rat"
	  "|subscriber.binding|subscriber.equipment|load.unknown_rate|load.partner_rate|load.admission"
	  "|steering.weight" },
};

/* One row of the table `layout`, of a column that came later or holds choices. */
struct noted {
	char def[256], names[NAMES_MAX];
};

static bool is_noted(const struct column *c)
{
	return c->flags & F_LATER || c->kind == K_ENUM || c->kind == K_BITS;
}

static const char *names_of(const struct column *c)
{
	return c->kind == K_ENUM || c->kind == K_BITS ? c->names : "";
}

static const char *names_then(const struct store *st, unsigned int column)
{
	for (size_t i = 0; st->format == 1 && i < sizeof format_1 / sizeof *format_1; i++) {
		if (format_1[i].column == column)
			return format_1[i].names;
	}
	return names_of(&model_columns[column]);
}

static void put_text(struct wr *w, const char *text)
{
	struct view v = view_of(text);

	wr_be(w, v.n, 8);
	wr_view(w, v);
}

static enum err note_mac(const struct store *st, const struct column *c, const char *def, const char *names,
			 uint8_t mac[MAC_BYTES])
{
	uint8_t in[NAMES_MAX + 512];
	struct wr w = { .p = in, .cap = sizeof in };

	put_text(&w, "layout");
	put_text(&w, model_objects[c->object].name);
	put_text(&w, c->name);
	put_text(&w, def);
	put_text(&w, names);
	return w.err ? w.err : digest_of(st->mac, wr_done(&w), mac);
}

static enum err note(struct store *st, const struct column *c, const char *def, const char *names)
{
	sqlite3_stmt *q = store_prepare(st, "INSERT OR REPLACE INTO layout VALUES (?, ?, ?, ?, ?)");
	uint8_t mac[MAC_BYTES];
	enum err err = q ? note_mac(st, c, def, names, mac) : ERR_IO;

	if (!err) {
		sqlite3_bind_text(q, 1, model_objects[c->object].name, -1, SQLITE_STATIC);
		sqlite3_bind_text(q, 2, c->name, -1, SQLITE_STATIC);
		sqlite3_bind_text(q, 3, def, -1, SQLITE_STATIC);
		sqlite3_bind_text(q, 4, names, -1, SQLITE_STATIC);
		sqlite3_bind_blob(q, 5, mac, MAC_BYTES, SQLITE_STATIC);
		err = sqlite3_step(q) == SQLITE_DONE ? ERR_OK : ERR_IO;
	}
	sqlite3_finalize(q);
	return err;
}

/* ERR_NOT_FOUND; ERR_KEY: not by our key, or changed behind our back. */
static enum err noted(struct store *st, const struct column *c, struct noted *to)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT def, names, mac FROM layout WHERE object = ? AND "
					    "\"column\" = ?");
	uint8_t mac[MAC_BYTES];
	enum err err = ERR_NOT_FOUND;

	if (!q)
		return ERR_IO;
	sqlite3_bind_text(q, 1, model_objects[c->object].name, -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, c->name, -1, SQLITE_STATIC);
	if (sqlite3_step(q) == SQLITE_ROW) {
		struct view def = view_of((const char *)sqlite3_column_text(q, 0));
		struct view names = view_of((const char *)sqlite3_column_text(q, 1));

		err = view_text(def, to->def, sizeof to->def) &&
			      view_text(names, to->names, sizeof to->names) &&
			      sqlite3_column_bytes(q, 2) == MAC_BYTES &&
			      !note_mac(st, c, to->def, to->names, mac) &&
			      sodium_memcmp(mac, sqlite3_column_blob(q, 2), MAC_BYTES) == 0 ?
		      ERR_OK : ERR_KEY;
	}
	sqlite3_finalize(q);
	return err;
}

/* The object's columns that its table has, as bits; false with the name of one that this build does not
 * know. */
static bool columns_there(struct store *st, enum object o, uint32_t *there, char unknown[64])
{
	char sql[128];
	sqlite3_stmt *q;

	*there = 0;
	unknown[0] = 0;
	snprintf(sql, sizeof sql, "SELECT name FROM pragma_table_info('%s')", model_objects[o].table);
	q = store_prepare(st, sql);
	while (q && sqlite3_step(q) == SQLITE_ROW) {
		struct view name = view_of((const char *)sqlite3_column_text(q, 0));
		int c = model_column(o, name);

		if (c >= 0)
			*there |= 1U << c;
		else if (!view_eq(name, VIEW("id")) && !view_eq(name, VIEW("version")) &&
			 !view_eq(name, VIEW("mac")))
			snprintf(unknown, 64, "%.*s", (int)(name.n < 63 ? name.n : 63), (const char *)name.p);
	}
	sqlite3_finalize(q);
	return unknown[0] == 0;
}

/* SQLite writes nothing into the rows: it reads the default where a row ends before the column. */
static enum err add_column(struct store *st, const struct column *c, const struct cell *def)
{
	const char *table = model_objects[c->object].table;
	enum err err = ERR_FULL;
	char *sql;

	if (model_is_num(c->kind))
		sql = sqlite3_mprintf("ALTER TABLE %s ADD COLUMN \"%w\" INTEGER NOT NULL DEFAULT %lld", table,
				      c->name, (long long)def->num);
	else if (c->kind == K_REF)
		sql = sqlite3_mprintf("ALTER TABLE %s ADD COLUMN \"%w\" TEXT REFERENCES %s(name)", table,
				      c->name, c->names);
	else if (def->text.n == 0)
		sql = sqlite3_mprintf("ALTER TABLE %s ADD COLUMN \"%w\" TEXT", table, c->name);
	else
		sql = sqlite3_mprintf("ALTER TABLE %s ADD COLUMN \"%w\" TEXT DEFAULT '%.*q'", table, c->name,
				      (int)def->text.n, (const char *)def->text.p);
	if (sql)
		err = store_sql(st, sql);
	sqlite3_free(sql);
	return err;
}

static enum err one_column(struct store *st, unsigned int column, bool there, char why[256])
{
	const struct column *c = &model_columns[column];
	struct row *absent = &st->absent[c->object];
	unsigned int at = column - model_objects[c->object].first;
	struct noted n = { .def = "" };
	enum err err;
	struct say s;

	if (!there && !(c->flags & F_LATER)) {
		snprintf(why, 256, "records: table %s has no column %s", model_objects[c->object].table,
			 c->name);
		return ERR_CORRUPT;
	}
	err = is_noted(c) && there && st->format > 1 ? noted(st, c, &n) : ERR_OK;
	if (err) {
		snprintf(why, 256, "records: layout of %s.%s: %.60s", model_objects[c->object].name, c->name,
			 err_text(err));
		return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
	}
	if (!there || st->format <= 1)
		snprintf(n.def, sizeof n.def, "%s", c->def);
	if (c->flags & F_LATER)
		err = row_set(absent, at, view_of(n.def), &s);
	if (!err && !there) {
		st->migrated++;
		err = add_column(st, c, &absent->cell[at]);
	}
	if (!err && is_noted(c) && (!there || st->format <= 1))
		err = note(st, c, n.def, names_then(st, column));
	return err;
}

static enum err new_table(struct store *st, enum object o)
{
	const struct object_row *row = &model_objects[o];
	char sql[4096];
	enum err err;

	model_sql(o, sql, sizeof sql);
	err = store_sql(st, sql);
	memcpy(&st->absent[o], &st->blank[o], sizeof st->absent[o]);
	for (unsigned int i = row->first; i <= row->last && !err; i++) {
		if (is_noted(&model_columns[i]))
			err = note(st, &model_columns[i], model_columns[i].def, names_of(&model_columns[i]));
	}
	return err;
}

enum err store_layout(struct store *st, char why[256])
{
	enum err err = ERR_OK;
	uint32_t there;
	char unknown[64];

	if (!st->reader)
		err = store_sql(st, "CREATE TABLE IF NOT EXISTS layout (object TEXT NOT NULL, "
				    "\"column\" TEXT NOT NULL, def TEXT NOT NULL, names TEXT NOT NULL, "
				    "mac BLOB NOT NULL, PRIMARY KEY (object, \"column\"))");
	for (enum object o = 0; o < OBJ_N && !err; o++) {
		const struct object_row *row = &model_objects[o];

		if (!columns_there(st, o, &there, unknown)) {
			snprintf(why, 256, "records: made by a newer Merlon: %s has a column %s", row->name,
				 unknown);
			return ERR_CORRUPT;
		}
		if (there == 0) {
			err = new_table(st, o);
			continue;
		}
		row_init(&st->absent[o], o);
		for (unsigned int i = row->first; i <= row->last && !err; i++)
			err = one_column(st, i, there >> (i - row->first) & 1, why);
	}
	return err;
}

/* --- choices that have other numbers now --- */

#define CHOICES_MAX 256

static const char *choice_end(const char *name)
{
	return name + strcspn(name, "|");
}

/* The number that each old one has now; -1: its name is gone. How many there were. */
static int choices_now(const char *then, const char *now, int to[CHOICES_MAX])
{
	int n = 0;

	for (const char *a = then; n < CHOICES_MAX; a = choice_end(a) + 1) {
		size_t len = (size_t)(choice_end(a) - a);
		int at = 0;

		to[n] = -1;
		for (const char *b = now;; b = choice_end(b) + 1, at++) {
			if ((size_t)(choice_end(b) - b) == len && strncmp(a, b, len) == 0)
				to[n] = at;
			if (to[n] >= 0 || !*choice_end(b))
				break;
		}
		n++;
		if (!*choice_end(a))
			break;
	}
	return n;
}

/* False: it names a choice that there is no longer. */
static bool renumber(const struct column *c, const int to[CHOICES_MAX], int n, int64_t *num)
{
	int64_t now = 0;

	if (c->kind == K_ENUM) {
		if (*num < 0 || *num >= n || to[*num] < 0)
			return false;
		*num = to[*num];
		return true;
	}
	for (int i = 0; i < 32 && i < n; i++) {
		if (!(*num >> i & 1))
			continue;
		if (to[i] < 0)
			return false;
		now |= (int64_t)1 << to[i];
	}
	*num = now;
	return true;
}

/* A row that was tampered with stays so, and is not looked into. */
static enum err renumber_row(struct store *st, unsigned int column, const int to[CHOICES_MAX], int n,
			     struct row *old, char why[256])
{
	const struct column *c = &model_columns[column];
	unsigned int at = column - model_objects[c->object].first;
	struct row new = *old; /* its texts stay in old's room */
	struct say s = { "" };
	enum err err;

	if (old->tampered)
		return ERR_OK;
	if (!renumber(c, to, n, &new.cell[at].num)) {
		snprintf(why, 256, "records: %s %.*s: its %s is none that this version knows",
			 model_objects[c->object].name, (int)row_key(old).n,
			 (const char *)row_key(old).p, c->name);
		return ERR_CORRUPT;
	}
	if (new.cell[at].num == old->cell[at].num)
		return ERR_OK;
	err = store_update(st, old, &new, &s);
	return err ? err : store_change_add(st, old, &new);
}

static enum err renumber_rows(struct store *st, unsigned int column, const char *then, char why[256])
{
	const struct column *c = &model_columns[column];
	sqlite3_stmt *q = st->row[c->object][ST_AFTER];
	int to[CHOICES_MAX], n = choices_now(then, c->names, to), rc = SQLITE_ROW;
	enum err err = ERR_OK;
	struct row old;
	int64_t after = 0;

	while (!err && rc == SQLITE_ROW) {
		sqlite3_bind_int64(q, 1, after);
		rc = sqlite3_step(q);
		if (rc == SQLITE_ROW)
			store_take_row(st, q, c->object, &old);
		sqlite3_reset(q); /* before the table is written */
		if (rc != SQLITE_ROW)
			break;
		after = old.id;
		err = renumber_row(st, column, to, n, &old, why);
	}
	return err ? err : rc == SQLITE_DONE ? ERR_OK : ERR_IO;
}

/* Are the names only more than they were? */
static bool appended(const char *then, const char *now)
{
	size_t n = strlen(then);

	return strncmp(then, now, n) == 0 && (now[n] == 0 || now[n] == '|');
}

static enum err journal_it(struct store *st, uint64_t now_ms)
{
	struct entry e = { VIEW("keeper"), VIEW("migrate"), VIEW("records"), VIEW("layout"), { 0 }, now_ms };
	char detail[96];

	snprintf(detail, sizeof detail, "{\"format\":[%d,%d],\"columns\":%u,\"choices\":%u}", st->format,
		 STORE_FORMAT, st->migrated, st->renumbered);
	e.detail = view_of(detail);
	LOG(LOG_NOTE, "records.migrated", KV("from", (uint64_t)st->format), KV("to", (uint64_t)STORE_FORMAT),
	    KV("columns", (uint64_t)st->migrated), KV("choices", (uint64_t)st->renumbered));
	return store_journal_add(st, &e);
}

enum err store_layout_settle(struct store *st, uint64_t now_ms, char why[256])
{
	struct noted n;
	enum err err = ERR_OK;

	for (unsigned int i = 0; i < COL_N && !err; i++) {
		const struct column *c = &model_columns[i];

		if (c->kind != K_ENUM && c->kind != K_BITS)
			continue;
		err = noted(st, c, &n);
		if (err || strcmp(n.names, c->names) == 0)
			continue;
		if (!appended(n.names, c->names)) {
			err = renumber_rows(st, i, n.names, why);
			st->renumbered++;
		}
		if (!err)
			err = note(st, c, n.def, c->names);
	}
	if (err || st->format == 0 || (st->format == STORE_FORMAT && !st->migrated && !st->renumbered))
		return err;
	return journal_it(st, now_ms);
}
