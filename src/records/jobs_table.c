/* Jobs in SQLite: one row each, its parts, and the rows of it that were refused. */
#include "records/jobs_in.h"

#include "base/log.h"

#include <stdio.h>

static const char tables[] =
    "CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY AUTOINCREMENT, made INTEGER, state "
    "INTEGER, pace INTEGER, "
    "total INTEGER, tried INTEGER, change INTEGER, same INTEGER, bad INTEGER, second INTEGER, at "
    "INTEGER, "
    "done INTEGER, refused INTEGER, started INTEGER, ended INTEGER, guard INTEGER, after INTEGER, "
    "actor TEXT, "
    "tenant TEXT, object TEXT, pairs TEXT, filter TEXT, header TEXT, note TEXT, effects TEXT, "
    "starter TEXT, "
    "approver TEXT, why TEXT, mac BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS job_state ON job(state) WHERE state IN (0, 1, 4);"
    "CREATE TABLE IF NOT EXISTS job_part (job INTEGER NOT NULL, first INTEGER NOT NULL, n INTEGER "
    "NOT NULL, "
    "lines BLOB NOT NULL, mac BLOB NOT NULL, PRIMARY KEY (job, first)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS job_bad (job INTEGER NOT NULL, line INTEGER NOT NULL, reason TEXT "
    "NOT NULL, "
    "PRIMARY KEY (job, line)) WITHOUT ROWID";

#define COLUMNS (1 + JOB_NUMBERS + JOB_TEXTS + 1)

enum err jobs_tables(struct store *st)
{
	return store_sql(st, tables);
}

static void mac_of(const struct store *st, const struct job *b, uint8_t mac[MAC_BYTES])
{
	crypto_auth_hmacsha256_state h;
	uint8_t n[8];
	struct wr w = {.p = n, .cap = sizeof n};

	crypto_auth_hmacsha256_init(&h, st->key, sizeof st->key);
	crypto_auth_hmacsha256_update(&h, (const uint8_t *)"job", 4);
	wr_be(&w, b->id, 8);
	crypto_auth_hmacsha256_update(&h, n, sizeof n);
	for (int i = 0; i < JOB_NUMBERS; i++) {
		w.n = 0;
		wr_be(&w, (uint64_t)b->num[i], 8);
		crypto_auth_hmacsha256_update(&h, n, sizeof n);
	}
	for (int i = 0; i < JOB_TEXTS; i++)
		crypto_auth_hmacsha256_update(&h, (const uint8_t *)b->text[i],
					      strlen(b->text[i]) + 1);
	crypto_auth_hmacsha256_final(&h, mac);
}

static void part_mac(const struct store *st, const uint64_t what[3], struct view lines,
		     uint8_t mac[MAC_BYTES])
{
	crypto_auth_hmacsha256_state h;
	uint8_t head[24];
	struct wr w = {.p = head, .cap = sizeof head};

	for (int i = 0; i < 3; i++)
		wr_be(&w, what[i], 8);
	crypto_auth_hmacsha256_init(&h, st->key, sizeof st->key);
	crypto_auth_hmacsha256_update(&h, (const uint8_t *)"job part", 9);
	crypto_auth_hmacsha256_update(&h, head, sizeof head);
	crypto_auth_hmacsha256_update(&h, lines.p, lines.n);
	crypto_auth_hmacsha256_final(&h, mac);
}

static enum err take(const struct store *st, sqlite3_stmt *q, struct job *to)
{
	uint8_t mac[MAC_BYTES];

	to->id = (uint64_t)sqlite3_column_int64(q, 0);
	for (int i = 0; i < JOB_NUMBERS; i++)
		to->num[i] = sqlite3_column_int64(q, 1 + i);
	for (int i = 0; i < JOB_TEXTS; i++) {
		const char *t = (const char *)sqlite3_column_text(q, 1 + JOB_NUMBERS + i);

		snprintf(to->text[i], sizeof to->text[i], "%s", t ? t : "");
	}
	mac_of(st, to, mac);
	if (sqlite3_column_bytes(q, COLUMNS - 1) == MAC_BYTES &&
	    sodium_memcmp(mac, sqlite3_column_blob(q, COLUMNS - 1), MAC_BYTES) == 0)
		return ERR_OK;
	LOG(LOG_ERROR, "records.tampered", KV("object", "job"), KV("id", to->id),
	    KV_CLAUSE("R-3.1.c"));
	return ERR_CORRUPT;
}

enum err jobs_load(struct jobs *j, uint64_t id, struct job *to)
{
	sqlite3_stmt *q = store_prepare(j->st, "SELECT * FROM job WHERE id = ?");
	enum err err = q ? ERR_NOT_FOUND : ERR_IO;

	if (q)
		sqlite3_bind_int64(q, 1, id < INT64_MAX ? (int64_t)id : 0);
	if (q && sqlite3_step(q) == SQLITE_ROW)
		err = take(j->st, q, to);
	sqlite3_finalize(q);
	return err;
}

static enum err new_id(struct jobs *j, uint64_t *id)
{
	static const uint8_t none[1];
	sqlite3_stmt *q = store_prepare(j->st, "INSERT INTO job (mac) VALUES (?)");
	enum err err = ERR_IO;

	if (q) {
		sqlite3_bind_blob(q, 1, none, sizeof none, SQLITE_STATIC);
		err = sqlite3_step(q) == SQLITE_DONE ? ERR_OK : ERR_IO;
		*id = (uint64_t)sqlite3_last_insert_rowid(j->st->db);
	}
	sqlite3_finalize(q);
	return err;
}

enum err jobs_save(struct jobs *j, const struct job *b)
{
	struct job *to = (struct job *)(uintptr_t)b; /* its number alone is set */
	enum err err = b->id ? ERR_OK : new_id(j, &to->id);
	char sql[256] = "INSERT OR REPLACE INTO job VALUES (?";
	uint8_t mac[MAC_BYTES];
	sqlite3_stmt *q;

	for (int i = 1; i < COLUMNS; i++)
		memcpy(sql + strlen(sql), ", ?", 4);
	memcpy(sql + strlen(sql), ")", 2);
	q = err ? NULL : store_prepare(j->st, sql);
	if (!q)
		return ERR_IO;
	mac_of(j->st, b, mac);
	sqlite3_bind_int64(q, 1, (int64_t)b->id);
	for (int i = 0; i < JOB_NUMBERS; i++)
		sqlite3_bind_int64(q, 2 + i, b->num[i]);
	for (int i = 0; i < JOB_TEXTS; i++)
		sqlite3_bind_text(q, 2 + JOB_NUMBERS + i, b->text[i], -1, SQLITE_STATIC);
	sqlite3_bind_blob(q, COLUMNS, mac, MAC_BYTES, SQLITE_STATIC);
	err = sqlite3_step(q) == SQLITE_DONE ? ERR_OK : ERR_IO;
	sqlite3_finalize(q);
	return err;
}

enum err jobs_part_put(struct jobs *j, uint64_t id, uint64_t first, size_t n, struct view lines)
{
	sqlite3_stmt *q = store_prepare(j->st, "INSERT INTO job_part VALUES (?, ?, ?, ?, ?)");
	const uint64_t what[3] = {id, first, n};
	uint8_t mac[MAC_BYTES];
	enum err err;

	if (!q)
		return ERR_IO;
	part_mac(j->st, what, lines, mac);
	for (int i = 0; i < 3; i++)
		sqlite3_bind_int64(q, 1 + i, (int64_t)what[i]);
	sqlite3_bind_blob(q, 4, lines.p, (int)lines.n, SQLITE_STATIC);
	sqlite3_bind_blob(q, 5, mac, MAC_BYTES, SQLITE_STATIC);
	err = sqlite3_step(q) == SQLITE_DONE ? ERR_OK : ERR_IO;
	sqlite3_finalize(q);
	return err;
}

enum err jobs_part_get(struct jobs *j, uint64_t id, uint64_t first, size_t *n, struct view *lines)
{
	sqlite3_stmt *q =
	    store_prepare(j->st, "SELECT n, lines, mac FROM job_part WHERE job = ? AND first = ?");
	uint64_t what[3] = {id, first, 0};
	uint8_t mac[MAC_BYTES];
	enum err err = q ? ERR_CORRUPT : ERR_IO;

	if (!q)
		return err;
	sqlite3_bind_int64(q, 1, (int64_t)id);
	sqlite3_bind_int64(q, 2, (int64_t)first);
	if (sqlite3_step(q) == SQLITE_ROW && (size_t)sqlite3_column_bytes(q, 1) <= JOB_PART_BYTES &&
	    sqlite3_column_bytes(q, 1) > 0 && sqlite3_column_bytes(q, 2) == MAC_BYTES) {
		*n = (size_t)sqlite3_column_int64(q, 0);
		what[2] = *n;
		memcpy(j->part, sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1));
		*lines = (struct view){j->part, (size_t)sqlite3_column_bytes(q, 1)};
		part_mac(j->st, what, *lines, mac);
		if (sodium_memcmp(mac, sqlite3_column_blob(q, 2), MAC_BYTES) == 0)
			err = ERR_OK;
	}
	sqlite3_finalize(q);
	return err;
}

enum err jobs_bad_put(struct jobs *j, uint64_t id, uint64_t line, const char *reason)
{
	sqlite3_stmt *q = store_prepare(j->st, "INSERT OR REPLACE INTO job_bad VALUES (?, ?, ?)");
	enum err err;

	if (!q)
		return ERR_IO;
	sqlite3_bind_int64(q, 1, (int64_t)id);
	sqlite3_bind_int64(q, 2, (int64_t)line);
	sqlite3_bind_text(q, 3, reason, -1, SQLITE_STATIC);
	err = sqlite3_step(q) == SQLITE_DONE ? ERR_OK : ERR_IO;
	sqlite3_finalize(q);
	return err;
}

enum err jobs_drop(struct jobs *j, const char *table, uint64_t id)
{
	char sql[96];

	snprintf(sql, sizeof sql, "DELETE FROM %s WHERE job = %llu", table, (unsigned long long)id);
	return store_sql(j->st, sql);
}
