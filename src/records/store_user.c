/* Which people there may be, and what may act in their names (R-5.8.4). */
#include "records/store_in.h"

static bool plain_name(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (i == 0 || !strchr("._-@", c)))
			return false;
	}
	return v.n > 0;
}

static bool rules_all(const struct row *r)
{
	return row_at(r, COL_USER_ROLE)->num == ROLE_OPERATOR_ADMIN &&
	       row_at(r, COL_USER_STATE)->num == USER_ACTIVE;
}

/* Somebody can always let others in. */
static enum err somebody_stays(struct store *st, const struct row *old, const struct row *new, struct say *s)
{
	sqlite3_stmt *q;
	int rc = SQLITE_ERROR;

	if (!old || !rules_all(old) || (new && rules_all(new)))
		return ERR_OK;
	q = store_prepare(st, "SELECT 1 FROM user WHERE role = ?1 AND state = ?2 AND id <> ?3 LIMIT 1");
	if (q) {
		sqlite3_bind_int(q, 1, ROLE_OPERATOR_ADMIN);
		sqlite3_bind_int(q, 2, USER_ACTIVE);
		sqlite3_bind_int64(q, 3, old->id);
		rc = sqlite3_step(q);
	}
	sqlite3_finalize(q);
	if (rc == SQLITE_ROW)
		return ERR_OK;
	say(s, "role: the last operator-admin who is active stays so");
	return rc == SQLITE_DONE ? ERR_REFUSED : ERR_IO;
}

enum err user_judge(struct store *st, const struct row *old, const struct row *new, struct say *s)
{
	bool of_tenant;

	if (new && !plain_name(row_key(new))) {
		say(s, "name: small letters, digits, dot, dash, underscore and @ alone");
		return ERR_VALUE;
	}
	of_tenant = new && row_at(new, COL_USER_TENANT)->text.n > 0;
	if (new && of_tenant != (row_at(new, COL_USER_ROLE)->num >= ROLE_TENANT_ADMIN)) {
		say(s, "role: a tenant's people have tenant roles, and nobody else has");
		return ERR_REFUSED;
	}
	if (old && new && !view_eq(row_at(old, COL_USER_TENANT)->text, row_at(new, COL_USER_TENANT)->text)) {
		say(s, "tenant: a person does not change sides; make another user");
		return ERR_REFUSED;
	}
	return somebody_stays(st, old, new, s);
}

enum err api_key_judge(struct store *st, const struct row *new, struct say *s)
{
	struct row user;
	enum err err = store_find(st, OBJ_USER, row_at(new, COL_KEY_USER)->text, &user);

	if (err == ERR_NOT_FOUND || (!err && user.tampered)) {
		say(s, "user: there is none of that name");
		return ERR_REFUSED;
	}
	if (!err && !view_eq(row_at(&user, COL_USER_TENANT)->text, row_at(new, COL_KEY_TENANT)->text)) {
		say(s, "tenant: is not that user's");
		return ERR_REFUSED;
	}
	return err;
}
