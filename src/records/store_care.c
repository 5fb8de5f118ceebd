/* What clause 4 asks for: who looks after alarms; consents, jurisdictions and overrides, and what
 * may be done with a tenant's data; incidents; requests of those whose data it is; classes that
 * tenants ask for. */
#include "records/store_in.h"

#include "base/bcd.h"
#include "base/log.h"

#include <ctype.h>
#include <stdio.h>

enum { WISH_ACCESS, WISH_ERASURE };
enum { ENDING_OPEN, ENDING_DONE, ENDING_REFUSED };
enum { DECIDED_PROPOSED, DECIDED_APPROVED, DECIDED_REFUSED };

static enum err refuse(struct say *s, const char *why)
{
	say(s, "%s", why);
	return ERR_REFUSED;
}

void care_sign(const struct who *who, const struct row *old, struct row *new)
{
	unsigned int first = model_objects[new->object].first;

	for (unsigned int c = 0; c < model_n(new->object); c++) {
		unsigned int flags = model_columns[first + c].flags;

		if (flags & F_LAST || (flags & F_BY && !old))
			new->cell[c].text = view_first(who->actor, 127);
		else if (flags & F_AT && !old)
			new->cell[c].num = (int64_t)(who->now_ms / 1000);
	}
}

/* --- what a record may be --- */

static enum err consent(const struct row *new, struct say *s)
{
	int64_t given = row_at(new, COL_CONSENT_GIVEN)->num,
		ended = row_at(new, COL_CONSENT_ENDED)->num;

	if (row_at(new, COL_CONSENT_WHAT)->num == 0)
		return refuse(s, "purposes: at least one");
	if (given == 0 && ended == 0)
		return refuse(s, "given, withdrawn: one of them is needed");
	return ended && ended < given
		   ? refuse(s, "withdrawn: before it was given; note a new consent instead")
		   : ERR_OK;
}

/* "field=value, field=value" of a profile. */
static enum err needs_ok(struct view needs, struct say *s)
{
	struct row r;

	row_init(&r, OBJ_PROFILE);
	while (needs.n > 0) {
		const uint8_t *end = memchr(needs.p, ',', needs.n), *is;
		struct view one = view_first(needs, end ? (size_t)(end - needs.p) : needs.n), name;
		size_t skip = one.n + (end != NULL);
		int c;

		needs = (struct view){needs.p + skip, needs.n - skip};
		while (one.n > 0 && one.p[0] == ' ')
			one = (struct view){one.p + 1, one.n - 1};
		is = one.n > 0 ? memchr(one.p, '=', one.n) : NULL;
		name = view_first(one, is ? (size_t)(is - one.p) : 0);
		c = is ? model_column(OBJ_PROFILE, name) : -1;
		if (c <= 0) {
			say(s, "needs: %.*s is no field of a profile", (int)name.n,
			    (const char *)name.p);
			return ERR_VALUE;
		}
		if (row_set(&r, (unsigned int)c, (struct view){is + 1, one.n - name.n - 1}, s))
			return ERR_VALUE;
	}
	return ERR_OK;
}

static enum err assessment(const struct row *new, struct say *s)
{
	struct view hash = row_at(new, COL_ASSESS_DOC)->text;
	size_t hex = 0;

	for (size_t i = 0; i < hash.n; i++)
		hex += isxdigit(hash.p[i]) != 0;
	if (hash.n > 0 && (hash.n != 64 || hex != 64)) {
		say(s, "document: must be its SHA-256, as sha256sum prints it");
		return ERR_VALUE;
	}
	return needs_ok(row_at(new, COL_ASSESS_NEEDS)->text, s);
}

static enum err incident(const struct who *who, const struct row *new, struct say *s)
{
	static const enum column_of_all steps[] = {COL_INC_EARLY, COL_INC_NOTIFIED, COL_INC_FINAL,
						   COL_INC_CLOSED};
	int64_t found = row_at(new, COL_INC_FOUND)->num;

	if (found > (int64_t)(who->now_ms / 1000) + 300)
		return refuse(s, "found: is yet to come");
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		int64_t at = row_at(new, steps[i])->num;

		if (at && at < found) {
			say(s, "%s: before it was found", model_columns[steps[i]].name);
			return ERR_REFUSED;
		}
	}
	return ERR_OK;
}

/* Erased is who no longer is a subscriber. */
static enum err wish(struct store *st, const struct row *old, const struct row *new, struct say *s)
{
	int64_t state = row_at(new, COL_WISH_STATE)->num;
	struct row sub;
	enum err err;

	if (old && row_at(old, COL_WISH_STATE)->num != ENDING_OPEN && state == ENDING_OPEN)
		return refuse(s, "state: it was answered; a new request is a new record");
	if (state == ENDING_REFUSED && row_at(new, COL_WISH_NOTE)->text.n == 0)
		return refuse(s, "note: say why it is refused");
	if (row_at(new, COL_WISH_KIND)->num != WISH_ERASURE || state != ENDING_DONE)
		return ERR_OK;
	err = store_find(st, OBJ_SUBSCRIPTION, row_at(new, COL_WISH_IMSI)->text, &sub);
	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (!err && row_at(&sub, COL_SUB_LIFE)->num != LIFE_RETIRED &&
	    row_at(&sub, COL_SUB_LIFE)->num != LIFE_INVENTORY)
		return refuse(s, "imsi: is a subscriber still; retire it first, or refuse with the "
				 "reason (R-4.a)");
	return err;
}

static void ignore(void *ctx, const struct trial *t)
{
	(void)ctx;
	(void)t;
}

/* The edit that an approved nomination stands for. */
static struct edit nominated(const struct row *new, struct view *pair)
{
	static const struct view pairs[] = {VIEW_INIT("priority=critical"),
					    VIEW_INIT("priority=high")};
	struct view imsi = row_at(new, COL_NOM_IMSI)->text;

	*pair = pairs[row_at(new, COL_NOM_CLASS)->num];
	return (struct edit){.object = imsi.n ? OBJ_SUBSCRIPTION : OBJ_PROFILE,
			     .mode = EDIT_CHANGE,
			     .key = imsi.n ? imsi : row_at(new, COL_NOM_PROFILE)->text,
			     .pair = pair,
			     .pair_n = 1};
}

static bool is_theirs(struct store *st, const struct row *new)
{
	struct view imsi = row_at(new, COL_NOM_IMSI)->text,
		    tenant = row_at(new, COL_NOM_TENANT)->text;
	struct row r;

	if (imsi.n > 0)
		return !store_find(st, OBJ_SUBSCRIPTION, imsi, &r) &&
		       view_eq(row_at(&r, COL_SUB_TENANT)->text, tenant);
	return !store_find(st, OBJ_PROFILE, row_at(new, COL_NOM_PROFILE)->text, &r) &&
	       view_eq(row_at(&r, COL_PROFILE_TENANT)->text, tenant);
}

static enum err nomination(struct store *st, const struct who *who, const struct row *old,
			   const struct row *new, struct say *s)
{
	int64_t was = old ? row_at(old, COL_NOM_STATE)->num : DECIDED_PROPOSED,
		is = row_at(new, COL_NOM_STATE)->num;
	struct view pair;
	struct edit e = nominated(new, &pair);

	if ((row_at(new, COL_NOM_IMSI)->text.n > 0) == (row_at(new, COL_NOM_PROFILE)->text.n > 0))
		return refuse(s, "profile, imsi: one of them");
	if (!is_theirs(st, new))
		return refuse(s, "profile, imsi: not this tenant's");
	if (was != DECIDED_PROPOSED &&
	    (row_at(old, COL_NOM_CLASS)->num != row_at(new, COL_NOM_CLASS)->num || was != is))
		return refuse(s, "state: it was decided; a new nomination is a new record");
	if (was == is)
		return ERR_OK;
	if (!old || view_eq_case(row_at(old, COL_NOM_BY)->text, who->actor))
		return refuse(s, "state: is decided by another person than who asks (R-5.6.1.m)");
	return is == DECIDED_APPROVED ? store_try(st, who, &e, ignore, NULL, s)
				      : ERR_OK; /* the quota, the APNs */
}

/* A tenant may take a class away; a higher one is asked for. */
static enum err class_raised(struct store *st, const struct who *who, const struct row *old,
			     const struct row *new, struct say *s)
{
	int64_t is, was;

	if (who->tenant.n == 0 || st->agreed)
		return ERR_OK;
	if (new->object == OBJ_SUBSCRIPTION) {
		is = row_at(new, COL_SUB_PRIO)->num;
		was = old ? (int64_t)rule_prio(st, old) : PRIO_NORMAL;
		if (is == PRIO_N) /* its profile's */
			return ERR_OK;
	} else {
		is = row_at(new, COL_PROFILE_PRIO)->num;
		was = old ? row_at(old, COL_PROFILE_PRIO)->num : PRIO_NORMAL;
	}
	return is < was ? refuse(s, "priority: a higher class is nominated, and the operator "
				    "decides (R-5.6.1.m)")
			: ERR_OK;
}

enum err care_judge(struct store *st, const struct who *who, const struct row *old,
		    const struct row *new, struct say *s)
{
	if (!new)
		return ERR_OK;
	switch ((int)new->object) {
	case OBJ_SUBSCRIPTION:
	case OBJ_PROFILE:
		return class_raised(st, who, old, new, s);
	case OBJ_CONSENT:
		return consent(new, s);
	case OBJ_ASSESSMENT:
		return assessment(new, s);
	case OBJ_INCIDENT:
		return incident(who, new, s);
	case OBJ_WISH:
		return wish(st, old, new, s);
	case OBJ_NOMINATION:
		return nomination(st, who, old, new, s);
	case OBJ_OVERRIDE:
		return row_at(new, COL_OVER_WHAT)->num ? ERR_OK
						       : refuse(s, "purposes: at least one");
	default:
		return ERR_OK;
	}
}

const char *care_four_eyes(const struct row *old, const struct row *new)
{
	if (new &&new->object == OBJ_OVERRIDE &&
	    (!old || row_at(new, COL_OVER_UNTIL)->num > row_at(old, COL_OVER_UNTIL)->num ||
	     row_at(new, COL_OVER_WHAT)->num & ~row_at(old, COL_OVER_WHAT)->num))
		return "setting a rule of law aside (R-1.3.c)";
	if (new &&new->object == OBJ_WISH &&
	    row_at(new, COL_WISH_KIND)->num == WISH_ERASURE &&row_at(new, COL_WISH_STATE)->num ==
		ENDING_DONE &&
	    (!old || row_at(old, COL_WISH_STATE)->num != ENDING_DONE))
		return "erasing somebody's data (R-4.a)";
	return NULL;
}

/* --- what follows --- */

static enum err edit(struct store *st, const struct who *who, const struct edit *e, struct say *s)
{
	uint64_t approval;
	enum err err;

	st->agreed = true;
	err = store_edit(st, who, e, &approval, s);
	st->agreed = false;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err erase(struct store *st, const struct who *who, const struct row *new, struct say *s)
{
	static const enum object of[] = {OBJ_HOLD, OBJ_SUBSCRIPTION};
	struct view imsi = row_at(new, COL_WISH_IMSI)->text;
	sqlite3_stmt *q =
	    store_prepare(st, "SELECT 'host', imei FROM host WHERE imsi = ?1 UNION ALL "
			      "SELECT 'consent', name FROM consent WHERE imsi = ?1 LIMIT 100");
	char key[100][64];
	enum object object[100];
	size_t n = 0;
	enum err err = q ? ERR_OK : ERR_IO;

	if (q)
		sqlite3_bind_text(q, 1, (const char *)imsi.p, (int)imsi.n, SQLITE_STATIC);
	while (q && n < 100 && sqlite3_step(q) == SQLITE_ROW) {
		object[n] = model_object(view_of((const char *)sqlite3_column_text(q, 0)));
		n += view_text(view_of((const char *)sqlite3_column_text(q, 1)), key[n],
			       sizeof key[n]);
	}
	sqlite3_finalize(q);
	for (size_t i = 0; i < n && !err; i++)
		err = edit(st, who,
			   &(struct edit){
			       .object = object[i], .mode = EDIT_DELETE, .key = view_of(key[i])},
			   s);
	for (size_t i = 0; i < sizeof of / sizeof *of && !err; i++)
		err = edit(st, who,
			   &(struct edit){.object = of[i], .mode = EDIT_DELETE, .key = imsi}, s);
	/* watch hears it, and drops what it has (watch/db.h). */
	LOG(LOG_NOTE, "records.erased", kv_id("imsi", bcd_of(imsi)), KV("request", row_key(new)),
	    KV_CLAUSE("R-4.a"));
	return err;
}

static enum err approve(struct store *st, const struct who *who, const struct row *new,
			struct say *s)
{
	struct view pair;
	struct edit e = nominated(new, &pair);

	LOG(LOG_NOTE, "records.class_approved", KV("nomination", row_key(new)), KV("key", e.key),
	    KV("actor", who->actor), KV_CLAUSE("R-5.6.1.m"));
	return edit(st, who, &e, s);
}

enum err care_apply(struct store *st, const struct who *who, const struct row *old,
		    const struct row *new, struct say *s)
{
	if (new &&new->object == OBJ_WISH &&
	    row_at(new, COL_WISH_KIND)->num == WISH_ERASURE &&row_at(new, COL_WISH_STATE)->num ==
		ENDING_DONE &&
	    (!old || row_at(old, COL_WISH_STATE)->num != ENDING_DONE))
		return erase(st, who, new, s);
	if (new &&new->object == OBJ_NOMINATION &&
	    row_at(new, COL_NOM_STATE)->num ==
		DECIDED_APPROVED &&old &&row_at(old, COL_NOM_STATE)->num == DECIDED_PROPOSED)
		return approve(st, who, new, s);
	return ERR_OK;
}

/* --- may it be done? --- */

struct asked {
	const struct use *u;
	int64_t bit;
	uint64_t now_s;
};

static bool any(struct store *st, const char *sql, const struct asked *a)
{
	sqlite3_stmt *q = store_prepare(st, sql);
	bool found = false;
	struct view text[] = {a->u->tenant, a->u->imsi, a->u->mcc};

	if (q) {
		for (int i = 0; i < 3; i++)
			sqlite3_bind_text(q, 1 + i, text[i].n ? (const char *)text[i].p : "",
					  (int)text[i].n, SQLITE_STATIC);
		sqlite3_bind_int64(q, 4, a->bit);
		sqlite3_bind_int64(q, 5, (int64_t)a->now_s);
		found = sqlite3_step(q) == SQLITE_ROW;
	}
	sqlite3_finalize(q);
	return found;
}

static enum err by_law(struct store *st, const struct who *who, const struct asked *a,
		       struct say *s)
{
	char detail[128];

	if (a->u->mcc.n == 0 ||
	    !any(st, "SELECT 1 FROM jurisdiction WHERE name = ?3 AND forbids & ?4", a))
		return ERR_OK;
	if (!any(st,
		 "SELECT 1 FROM override_of WHERE jurisdiction = ?3 AND purposes & ?4 AND "
		 "\"until\" > ?5",
		 a)) {
		say(s, "%.*s: forbidden in %.*s (R-1.3.c)", (int)a->u->purpose.n,
		    (const char *)a->u->purpose.p, (int)a->u->mcc.n, (const char *)a->u->mcc.p);
		return ERR_REFUSED;
	}
	LOG(LOG_NOTE, "records.overridden", KV("jurisdiction", a->u->mcc),
	    KV("purpose", a->u->purpose), KV("tenant", a->u->tenant), KV("actor", who->actor),
	    KV_CLAUSE("R-1.3.c"));
	snprintf(detail, sizeof detail, "{\"jurisdiction\":\"%.*s\"}",
		 (int)(a->u->mcc.n < 8 ? a->u->mcc.n : 8), (const char *)a->u->mcc.p);
	return store_note(st, who, VIEW("override"), VIEW("jurisdiction"), a->u->tenant,
			  view_of(detail));
}

static enum err weigh(struct store *st, const struct who *who, const struct asked *a, struct say *s)
{
	const struct use *u = a->u;

	if (!any(st,
		 "SELECT 1 FROM agreement WHERE tenant = ?1 AND purposes & ?4 AND signed <= ?5 AND "
		 "(ends = 0 OR "
		 "ends > ?5)",
		 a)) {
		say(s, "%.*s: there is no agreement with %.*s that allows it (R-4.b)",
		    (int)u->purpose.n, (const char *)u->purpose.p, (int)u->tenant.n,
		    (const char *)u->tenant.p);
		return ERR_REFUSED;
	}
	if (any(st,
		"SELECT 1 FROM consent WHERE tenant = ?1 AND purposes & ?4 AND withdrawn > 0 AND "
		"withdrawn <= ?5 AND "
		"(coalesce(imsi, '') = '' OR imsi = ?2)",
		a)) {
		say(s, "%.*s: consent was withdrawn (R-4.d)", (int)u->purpose.n,
		    (const char *)u->purpose.p);
		return ERR_REFUSED;
	}
	if (u->mcc.n > 0 &&
	    any(st, "SELECT 1 FROM jurisdiction WHERE name = ?3 AND consent & ?4", a) &&
	    !any(st,
		 "SELECT 1 FROM consent WHERE tenant = ?1 AND purposes & ?4 AND given > 0 AND "
		 "given <= ?5 AND "
		 "withdrawn = 0 AND (coalesce(imsi, '') = '' OR imsi = ?2)",
		 a)) {
		say(s, "%.*s: needs a consent in %.*s, and there is none (R-4.d)",
		    (int)u->purpose.n, (const char *)u->purpose.p, (int)u->mcc.n,
		    (const char *)u->mcc.p);
		return ERR_REFUSED;
	}
	return by_law(st, who, a, s);
}

enum err store_may(struct store *st, const struct who *who, const struct use *u, struct say *s)
{
	struct asked a = {.u = u, .now_s = who->now_ms / 1000};
	struct row r;
	enum err err;

	row_init(&r, OBJ_AGREEMENT);
	err = row_set(&r, COL_AGREE_PURPOSE - COL_AGREE_NAME, u->purpose, s);
	if (err)
		return err;
	a.bit = row_at(&r, COL_AGREE_PURPOSE)->num;
	if (a.bit == 0)
		return refuse(s, "purpose: which?");
	err = weigh(st, who, &a, s);
	if (err == ERR_REFUSED)
		LOG(LOG_NOTE, "records.use_refused", KV("tenant", u->tenant),
		    KV("purpose", u->purpose), KV("why", (const char *)s->text),
		    KV("actor", who->actor), KV_CLAUSE("R-4.b"));
	return err;
}
