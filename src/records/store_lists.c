/* Which generation of the bulk equipment lists is in force: one row with a MAC of its own, written in
 * one transaction with the journal's entry of who imported what. */
#include "records/store_in.h"

static void mac_of(const struct store *st, const struct serving_lists *l, uint8_t mac[MAC_BYTES])
{
	static const uint8_t what[] = "equipment lists";
	crypto_auth_hmacsha256_state h;

	crypto_auth_hmacsha256_init(&h, st->key, sizeof st->key);
	crypto_auth_hmacsha256_update(&h, what, sizeof what);
	crypto_auth_hmacsha256_update(&h, (const uint8_t *)l, sizeof *l);
	crypto_auth_hmacsha256_final(&h, mac);
}

enum err store_lists_get(struct store *st, struct serving_lists *to)
{
	sqlite3_stmt *q = store_prepare(st, "SELECT row, mac FROM lists WHERE id = 1");
	int rc = q ? sqlite3_step(q) : SQLITE_ERROR;
	uint8_t mac[MAC_BYTES];
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : ERR_IO;

	*to = (struct serving_lists){ 0 };
	if (rc == SQLITE_ROW) {
		err = ERR_CORRUPT;
		if (sqlite3_column_bytes(q, 0) == sizeof *to && sqlite3_column_bytes(q, 1) == MAC_BYTES) {
			memcpy(to, sqlite3_column_blob(q, 0), sizeof *to);
			mac_of(st, to, mac);
			if (sodium_memcmp(mac, sqlite3_column_blob(q, 1), MAC_BYTES) == 0)
				err = ERR_OK;
		}
	}
	sqlite3_finalize(q);
	if (err)
		*to = (struct serving_lists){ 0 };
	return err;
}

static enum err put_row(struct store *st, const struct serving_lists *l)
{
	sqlite3_stmt *q = store_prepare(st, "INSERT OR REPLACE INTO lists VALUES (1, ?, ?)");
	uint8_t mac[MAC_BYTES];
	int rc = SQLITE_ERROR;

	mac_of(st, l, mac);
	if (q) {
		sqlite3_bind_blob(q, 1, l, sizeof *l, SQLITE_STATIC);
		sqlite3_bind_blob(q, 2, mac, sizeof mac, SQLITE_STATIC);
		rc = sqlite3_step(q);
	}
	sqlite3_finalize(q);
	return rc == SQLITE_DONE ? ERR_OK : ERR_IO;
}

enum err store_lists_put(struct store *st, const struct who *who, const struct serving_lists *l,
			 struct view source, struct view detail)
{
	struct entry e = { .actor = who->actor, .action = VIEW("import"), .object = VIEW("lists"),
			   .key = source, .detail = detail, .at_ms = who->now_ms };
	enum err err = store_begin(st);

	if (err)
		return err;
	err = put_row(st, l);
	if (!err)
		err = store_journal_add(st, &e);
	if (err) {
		store_rollback(st);
		return err;
	}
	return store_commit(st);
}
