/* A tenant's share of critical subscriptions: tenant.critical_max (R-5.6.1.m). */
#include "records/store_in.h"

/* With a priority of their own, and by a profile's. */
#define OF_TENANT "SELECT count(*) FROM subscription s WHERE s.tenant = ?1 AND (s.priority = 0 OR " \
		  "(s.priority = 4 AND s.profile IN (SELECT name FROM profile WHERE priority = 0)))"
#define BY_PROFILE "SELECT count(*) FROM subscription s WHERE s.profile = ?1 AND s.priority = 4"

static enum err count(struct store *st, const char *sql, struct view of, uint64_t *n)
{
	sqlite3_stmt *q = store_prepare(st, sql);
	enum err err = ERR_IO;

	if (q) {
		sqlite3_bind_text(q, 1, (const char *)of.p, (int)of.n, SQLITE_STATIC);
		if (sqlite3_step(q) == SQLITE_ROW) {
			*n = (uint64_t)sqlite3_column_int64(q, 0);
			err = ERR_OK;
		}
	}
	sqlite3_finalize(q);
	return err;
}

/* Counted once a tenant: whoever adds a million does not count a million times. */
static enum err critical_of(struct store *st, struct view tenant, uint64_t *n)
{
	enum err err = ERR_OK;

	if (!st->quota_tenant[0] || !view_eq(tenant, view_of(st->quota_tenant))) {
		st->quota_tenant[0] = 0;
		err = count(st, OF_TENANT, tenant, &st->quota_n);
		if (!err && !view_text(tenant, st->quota_tenant, sizeof st->quota_tenant))
			err = ERR_LENGTH;
	}
	*n = st->quota_n;
	return err;
}

/* 0: no limit. */
static enum err max_of(struct store *st, struct view tenant, uint64_t *max, struct say *s)
{
	struct row r;
	enum err err = store_find(st, OBJ_TENANT, tenant, &r);

	*max = 0;
	if (err)
		return err == ERR_NOT_FOUND ? ERR_OK : err; /* told by the reference itself */
	if (r.tampered) {
		say(s, "tenant: was changed behind Merlon's back (R-3.1.c)");
		return ERR_CORRUPT;
	}
	*max = (uint64_t)row_at(&r, COL_TENANT_CRITICAL)->num;
	return ERR_OK;
}

static enum err fits(struct store *st, struct view tenant, uint64_t more, struct say *s)
{
	uint64_t max, n = 0;
	enum err err;

	if (more == 0)
		return ERR_OK;
	err = max_of(st, tenant, &max, s);
	if (!err && max > 0)
		err = critical_of(st, tenant, &n);
	if (err || max == 0 || n + more <= max)
		return err;
	say(s, "priority: tenant %.*s has %llu critical subscriptions of %llu, and this makes %llu more "
	       "(R-5.6.1.m)", (int)tenant.n, (const char *)tenant.p, (unsigned long long)n,
	    (unsigned long long)max, (unsigned long long)more);
	return ERR_REFUSED;
}

static bool critical(struct store *st, const struct row *sub, struct view tenant)
{
	return sub && view_eq(row_at(sub, COL_SUB_TENANT)->text, tenant) &&
	       rule_prio(st, sub) == PRIO_CRITICAL;
}

static enum err of_tenant(struct store *st, const struct row *new, struct say *s)
{
	uint64_t max = (uint64_t)row_at(new, COL_TENANT_CRITICAL)->num, n = 0;
	enum err err = max > 0 ? critical_of(st, row_key(new), &n) : ERR_OK;

	if (err || n <= max)
		return err;
	say(s, "critical_max: the tenant has %llu critical subscriptions already (R-5.6.1.m)",
	    (unsigned long long)n);
	return ERR_REFUSED;
}

enum err quota_judge(struct store *st, const struct row *old, const struct row *new, struct say *s)
{
	struct view tenant;
	uint64_t more = 0;
	enum err err = ERR_OK;

	if (new->object == OBJ_TENANT)
		return of_tenant(st, new, s);
	if (new->object == OBJ_SUBSCRIPTION) {
		tenant = row_at(new, COL_SUB_TENANT)->text;
		more = critical(st, new, tenant) && !critical(st, old, tenant);
		return fits(st, tenant, more, s);
	}
	if (new->object != OBJ_PROFILE || !old || row_at(new, COL_PROFILE_PRIO)->num != PRIO_CRITICAL ||
	    row_at(old, COL_PROFILE_PRIO)->num == PRIO_CRITICAL)
		return ERR_OK;
	err = count(st, BY_PROFILE, row_key(new), &more);
	return err ? err : fits(st, row_at(new, COL_PROFILE_TENANT)->text, more, s);
}

void quota_changed(struct store *st, const struct row *old, const struct row *new)
{
	struct view tenant = view_of(st->quota_tenant);
	const struct row *r = new ? new : old;

	if (!st->quota_tenant[0])
		return;
	if (r->object == OBJ_PROFILE) /* its class may be another */
		st->quota_tenant[0] = 0;
	if (r->object != OBJ_SUBSCRIPTION)
		return;
	st->quota_n += critical(st, new, tenant);
	st->quota_n -= critical(st, old, tenant);
}
