/* What is a tenant's: the one place where one tenant's records are kept from another's (R-5.8.4.a). */
#include "records/store_in.h"

static const struct scope {
	enum object object;
	enum column_of_all column;
	enum object by; /* whose key the column holds, and whose tenant it is; OBJ_N: it names it */
} scopes[] = {
	{ OBJ_TENANT, COL_TENANT_NAME, OBJ_N },
	{ OBJ_PROFILE, COL_PROFILE_TENANT, OBJ_N },
	{ OBJ_SUBSCRIPTION, COL_SUB_TENANT, OBJ_N },
	{ OBJ_PLATFORM, COL_PLAT_TENANT, OBJ_N },
	{ OBJ_AGREEMENT, COL_AGREE_TENANT, OBJ_N },
	{ OBJ_USER, COL_USER_TENANT, OBJ_N },
	{ OBJ_APIKEY, COL_KEY_TENANT, OBJ_N },
	{ OBJ_CREDENTIAL, COL_CRED_USER, OBJ_USER },
	{ OBJ_HOLD, COL_HOLD_IMSI, OBJ_SUBSCRIPTION },
	{ OBJ_HOST, COL_HOST_IMSI, OBJ_SUBSCRIPTION },
	{ OBJ_CONSENT, COL_CONSENT_TENANT, OBJ_N },
	{ OBJ_INCIDENT, COL_INC_TENANT, OBJ_N },
	{ OBJ_NOMINATION, COL_NOM_TENANT, OBJ_N },
	{ OBJ_ASSESSMENT, COL_ASSESS_OF, OBJ_PROFILE },
	{ OBJ_WISH, COL_WISH_IMSI, OBJ_SUBSCRIPTION },
};

static const struct scope *scope_of(enum object o)
{
	for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
		if (scopes[i].object == o)
			return &scopes[i];
	}
	return NULL;
}

enum column_of_all scope_column(enum object o)
{
	const struct scope *s = scope_of(o);

	return s && s->by == OBJ_N ? s->column : COL_N;
}

bool scope_has(struct store *st, struct view tenant, const struct row *r)
{
	const struct scope *s = scope_of(r->object);
	struct row of;

	if (tenant.n == 0)
		return true;
	if (!s)
		return false;
	if (s->by == OBJ_N)
		return view_eq(row_at(r, s->column)->text, tenant);
	return !store_find(st, s->by, row_at(r, s->column)->text, &of) && scope_has(st, tenant, &of);
}

enum err scope_before(struct store *st, const struct who *who, const struct edit *e, const struct row *old,
		      struct say *s)
{
	if (old && !scope_has(st, who->tenant, old)) {
		/* Nobody learns here what others have. */
		say(s, "%s: there is none of that key", model_objects[e->object].name);
		return ERR_NOT_FOUND;
	}
	if (old && e->version && old->version != e->version) {
		say(s, "version: has changed meanwhile and is %u", old->version);
		return ERR_VERSION;
	}
	return ERR_OK;
}
