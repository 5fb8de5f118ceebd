/* What a record may be, which steps its life may take, and which of them need a second person. */
#include "records/store_in.h"

#include "crypto/radio.h"

#include <ctype.h>
#include <stdio.h>

/* The forms of model.c, as they are stored. */
enum form { FORM_2FF, FORM_3FF, FORM_4FF, FORM_MFF2 };

#define SERVICE_SMS (SERVICE_SMS_MO | SERVICE_SMS_MT)

/* inventory -> test-ready -> active <-> suspended -> retired (design.md, 'Data model') */
static const struct { enum life from, to; } steps[] = {
	{ LIFE_INVENTORY, LIFE_TEST_READY }, { LIFE_TEST_READY, LIFE_ACTIVE },
	{ LIFE_ACTIVE, LIFE_SUSPENDED }, { LIFE_SUSPENDED, LIFE_ACTIVE },
	{ LIFE_SUSPENDED, LIFE_RETIRED },
};

static const char *const life_names[] = {
	"inventory", "test-ready", "active", "suspended", "retired",
};

static enum err life_step(int64_t from, int64_t to, struct say *s)
{
	if (from == to)
		return ERR_OK;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (steps[i].from == (enum life)from && steps[i].to == (enum life)to)
			return ERR_OK;
	}
	say(s, "life: no step from %s to %s", life_names[from], life_names[to]);
	return ERR_REFUSED;
}

/* Where tampering is a threat, a card that can be taken out is none (R-5.1.1.2.a): the form is its
 * batch's. An eUICC's EID alone does not say that it is soldered. */
static enum err stays_in(struct store *st, const struct row *sub, struct say *s)
{
	static const char sql[] = "SELECT form FROM batch WHERE iccid_from <= ?1 AND iccid_to >= ?1 "
				  "AND length(iccid_from) = length(?1) ORDER BY form LIMIT 1";
	sqlite3_stmt *q = store_prepare(st, sql);
	struct view iccid = row_at(sub, COL_SUB_ICCID)->text;
	int rc = SQLITE_ERROR;
	bool fixed = false;

	if (q) {
		sqlite3_bind_text(q, 1, iccid.n > 0 ? (const char *)iccid.p : "", (int)iccid.n,
				  SQLITE_STATIC);
		rc = sqlite3_step(q);
		fixed = rc == SQLITE_ROW && sqlite3_column_int(q, 0) == FORM_MFF2;
	}
	sqlite3_finalize(q);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return ERR_IO;
	if (fixed)
		return ERR_OK;
	say(s, "iccid: %s; the profile declares tampering a threat: mff2 alone (R-5.1.1.2.a)",
	    rc == SQLITE_ROW ? "of a batch of removable cards"
			     : "in no batch, so that its form is not known");
	return ERR_REFUSED;
}

static enum err subscription(struct store *st, const struct row *old, const struct row *new,
			     struct say *s)
{
	enum err err;

	if (old) {
		err = life_step(row_at(old, COL_SUB_LIFE)->num, row_at(new, COL_SUB_LIFE)->num, s);
		if (err)
			return err;
	} else if (row_at(new, COL_SUB_LIFE)->num == LIFE_RETIRED) {
		say(s, "life: a subscription does not begin retired");
		return ERR_REFUSED;
	}
	err = store_profile_of(st, row_at(new, COL_SUB_PROFILE)->text);
	if (err) {
		say(s, err == ERR_CORRUPT ? "profile: was changed behind Merlon's back (R-3.1.c)" :
					    "profile: there is none of that name");
		return err == ERR_NOT_FOUND ? ERR_REFUSED : err;
	}
	if (!view_eq(view_of(st->profile_tenant), row_at(new, COL_SUB_TENANT)->text)) {
		say(s, "profile: belongs to another tenant");
		return ERR_REFUSED;
	}
	if (row_at(new, COL_SUB_ALG)->num >= ALG_XOR && !row_at(new, COL_SUB_IS_TEST)->num) {
		say(s, "alg: XOR and COMP128-3 are only for a subscription marked test (R-5.2.1.b)");
		return ERR_REFUSED;
	}
	return st->profile_tamper ? stays_in(st, new, s) : ERR_OK;
}

/* One APN against the profile's class and services: voice has its own (ims, QCI 1 and 5),
 * mission-critical QCIs are for critical services (R-5.1.b, R-5.1.c). */
static enum err apn_fits(const struct row *new, struct view text, struct say *s)
{
	bool critical = row_at(new, COL_PROFILE_PRIO)->num == PRIO_CRITICAL;
	bool voice = row_at(new, COL_PROFILE_SERVE)->num & SERVICE_VOICE;
	struct model_apn a;

	if (model_apn(text, &a, s))
		return ERR_VALUE;
	if (a.qci >= 65 && a.qci <= 70 && !critical) {
		say(s, "apn: QCI %u is for critical profiles only (R-5.1.b)", a.qci);
		return ERR_REFUSED;
	}
	if (!voice && (a.qci == 1 || a.qci == 5 || view_eq_case(a.name, VIEW("ims")))) {
		say(s, "apn: the profile has no voice, so no ims and no QCI 1 or 5 (R-5.1.c)");
		return ERR_REFUSED;
	}
	return ERR_OK;
}

static bool has_apn(const struct row *profile, struct view name)
{
	struct model_apn a;
	struct say ignored;

	for (unsigned int c = COL_PROFILE_APN1; c <= COL_PROFILE_APN4; c++) {
		struct view text = row_at(profile, c)->text;

		if (text.n > 0 && !model_apn(text, &a, &ignored) && view_eq_case(a.name, name))
			return true;
	}
	return false;
}

/* A back-off on an APN silences all its users, so a critical profile shares its APNs with none of
 * another class (design.md, 'Storm control'). */
static enum err apn_alone(struct store *st, const struct row *new, struct say *s)
{
	bool critical = row_at(new, COL_PROFILE_PRIO)->num == PRIO_CRITICAL;
	sqlite3_stmt *q = st->row[OBJ_PROFILE][ST_AFTER];
	enum err err = ERR_OK;
	struct model_apn a;
	struct row other;

	sqlite3_bind_int64(q, 1, 0);
	while (!err && sqlite3_step(q) == SQLITE_ROW) {
		store_take_row(st, q, OBJ_PROFILE, &other);
		if (view_eq(row_key(&other), row_key(new)) ||
		    (row_at(&other, COL_PROFILE_PRIO)->num == PRIO_CRITICAL) == critical)
			continue;
		for (unsigned int c = COL_PROFILE_APN1; c <= COL_PROFILE_APN4 && !err; c++) {
			struct view text = row_at(new, c)->text;

			if (text.n == 0 || model_apn(text, &a, s) || !has_apn(&other, a.name))
				continue;
			say(s, "apn: %.*s is used by profile %.*s; critical and other profiles share "
			       "no APN", (int)a.name.n, (const char *)a.name.p,
			    (int)row_key(&other).n, (const char *)row_key(&other).p);
			err = ERR_REFUSED;
		}
	}
	sqlite3_reset(q);
	return err;
}

/* A quarantine needs an APN of its own. */
static enum err reactions_fit(const struct row *new, struct say *s)
{
	struct view text = row_at(new, COL_PROFILE_QUARANTINE)->text;
	struct model_apn a;

	if (text.n > 0 && !model_apn(text, &a, s) && has_apn(new, a.name)) {
		say(s, "quarantine: %.*s is one of the profile's own APNs", (int)a.name.n,
		    (const char *)a.name.p);
		return ERR_REFUSED;
	}
	if (text.n == 0 && (row_at(new, COL_PROFILE_BIND)->num == BINDING_QUARANTINE ||
			    row_at(new, COL_PROFILE_GREY)->num == GREY_QUARANTINE)) {
		say(s, "quarantine: binding or grey say quarantine, so it needs an APN");
		return ERR_MISSING;
	}
	return text.n > 0 ? apn_fits(new, text, s) : ERR_OK;
}

/* A policy may allow a short key where a network has nothing better; never what protects nothing, or what
 * anybody reads (R-5.2.1.a, R-5.2.4.d). */
static enum err radios_fit(const struct row *new, struct say *s)
{
	int64_t bits = row_at(new, COL_PROFILE_RADIOS)->num;

	for (unsigned int i = 0; i < RADIO_N; i++) {
		if (!(bits >> (i + 1) & 1) || radio_rows[i].strength > RADIO_BROKEN)
			continue;
		say(s, "algorithms: %s: %s (R-5.2.1.a)", radio_rows[i].name, radio_rows[i].why);
		return ERR_REFUSED;
	}
	return ERR_OK;
}

static enum err profile(struct store *st, const struct row *new, struct say *s)
{
	int64_t services = row_at(new, COL_PROFILE_SERVE)->num;
	enum err err = ERR_OK;

	if (!(services & SERVICE_SMS) && row_at(new, COL_PROFILE_SMS)->text.n > 0) {
		say(s, "sms_to: the profile is data-only and has no SMS (R-5.1.c)");
		return ERR_REFUSED;
	}
	if (row_at(new, COL_PROFILE_PRIO)->num == PRIO_CRITICAL &&
	    row_at(new, COL_PROFILE_BIND)->num != BINDING_ALERT) {
		say(s, "binding: a critical profile only alerts (R-5.1.g)");
		return ERR_REFUSED;
	}
	if ((services & SERVICE_WIFI_SIM) && !(row_at(new, COL_PROFILE_RATS)->num & RAT_GERAN)) {
		say(s, "services: EAP-SIM needs 2G vectors, which a profile without geran in rats does "
		       "not have; wifi-aka needs none (R-5.3.a)");
		return ERR_REFUSED;
	}
	err = reactions_fit(new, s);
	if (!err)
		err = radios_fit(new, s);
	for (unsigned int c = COL_PROFILE_APN1; c <= COL_PROFILE_APN4 && !err; c++) {
		if (row_at(new, c)->text.n > 0)
			err = apn_fits(new, row_at(new, c)->text, s);
	}
	return err ? err : apn_alone(st, new, s);
}

static enum err ordered(const struct row *new, enum column_of_all from, enum column_of_all to,
			struct say *s)
{
	struct view a = row_at(new, from)->text, b = row_at(new, to)->text;

	if (a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) <= 0))
		return ERR_OK;
	say(s, "%s, %s: not two numbers of one length in order", model_columns[from].name,
	    model_columns[to].name);
	return ERR_VALUE;
}

static enum err range(struct store *st, const struct row *old, const struct row *new, struct say *s)
{
	struct view from = row_at(new, COL_RANGE_FROM)->text, to = row_at(new, COL_RANGE_TO)->text;
	enum err err = ordered(new, COL_RANGE_FROM, COL_RANGE_TO, s);
	sqlite3_stmt *q;

	if (err)
		return err;
	q = store_prepare(st, "SELECT 1 FROM imsi_range WHERE \"from\" <= ? AND \"to\" >= ? AND id <> ?");
	if (!q)
		return ERR_IO;
	sqlite3_bind_text(q, 1, (const char *)to.p, (int)to.n, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, (const char *)from.p, (int)from.n, SQLITE_STATIC);
	sqlite3_bind_int64(q, 3, old ? old->id : 0);
	if (sqlite3_step(q) == SQLITE_ROW) {
		say(s, "from, to: overlaps another range");
		err = ERR_REFUSED;
	}
	sqlite3_finalize(q);
	return err;
}

static enum err network(const struct row *new, struct say *s)
{
	if (!row_at(new, COL_NET_CLEAR_OK)->num || row_at(new, COL_NET_ADDRESS)->text.n > 0)
		return ERR_OK;
	say(s, "clear_ok: without TLS a network needs its addresses");
	return ERR_REFUSED;
}

/* A subscription ends by its life cycle; only what is not, or no longer, in use is deleted. */
static enum err removal(const struct row *old, struct say *s)
{
	int64_t life;

	if (old->object != OBJ_SUBSCRIPTION || old->tampered)
		return ERR_OK;
	life = row_at(old, COL_SUB_LIFE)->num;
	if (life != LIFE_ACTIVE && life != LIFE_SUSPENDED)
		return ERR_OK;
	say(s, "life: %s; retire it before it is deleted", life_names[life]);
	return ERR_REFUSED;
}

/* Whose deliveries of keys are taken in: a slip of the pen is told here, not when a file is refused. */
static enum err supplier(const struct row *new, struct say *s)
{
	struct view v = row_at(new, COL_SUPPLIER_CERT)->text;
	size_t digits = 0, others = 0;

	for (size_t i = 0; i < v.n; i++) {
		digits += isxdigit(v.p[i]) != 0;
		others += !isxdigit(v.p[i]) && v.p[i] != ':';
	}
	if (v.n == 0 || (digits == 64 && others == 0))
		return ERR_OK;
	say(s, "certificate: must be its SHA-256, as openssl x509 -noout -fingerprint -sha256 prints it");
	return ERR_VALUE;
}

/* One that ends before it begins would never hold, and nobody would see why. */
static enum err agreement(const struct row *new, struct say *s)
{
	int64_t ends = row_at(new, COL_AGREE_ENDS)->num;

	if (row_at(new, COL_AGREE_PURPOSE)->num == 0) {
		say(s, "purposes: say at least one");
		return ERR_VALUE;
	}
	if (ends != 0 && ends <= row_at(new, COL_AGREE_SIGNED)->num) {
		say(s, "ends: must be after it was signed");
		return ERR_VALUE;
	}
	return ERR_OK;
}

enum err rule_judge(struct store *st, const struct row *old, const struct row *new, struct say *s)
{
	if (!new)
		return old->object == OBJ_USER ? user_judge(st, old, NULL, s) : removal(old, s);
	switch (new->object) {
	case OBJ_SUBSCRIPTION:
		return subscription(st, old, new, s);
	case OBJ_PROFILE:
		return profile(st, new, s);
	case OBJ_RULE:
		return ordered(new, COL_RULE_FROM, COL_RULE_TO, s);
	case OBJ_RANGE:
		return range(st, old, new, s);
	case OBJ_BATCH:
		return ordered(new, COL_BATCH_FROM, COL_BATCH_TO, s);
	case OBJ_NETWORK:
		return network(new, s);
	case OBJ_HOLD:
		return hold_judge(st, old, new, s);
	case OBJ_SUPPLIER:
		return supplier(new, s);
	case OBJ_AGREEMENT:
		return agreement(new, s);
	case OBJ_USER:
		return user_judge(st, old, new, s);
	case OBJ_APIKEY:
		return api_key_judge(st, new, s);
	case OBJ_TENANT:
	case OBJ_EQUIPMENT:
	case OBJ_PLATFORM:
	case OBJ_ALARM:
	case OBJ_CONSENT:
	case OBJ_JURISDICTION:
	case OBJ_OVERRIDE:
	case OBJ_ASSESSMENT:
	case OBJ_INCIDENT:
	case OBJ_WISH:
	case OBJ_NOMINATION:
	case OBJ_HOST:
	case OBJ_CREDENTIAL:
	case OBJ_N:
		break;
	}
	return ERR_OK;
}

unsigned int rule_prio(struct store *st, const struct row *sub)
{
	int64_t own = row_at(sub, COL_SUB_PRIO)->num;
	struct row r;

	if (own != PRIO_N)
		return (unsigned int)own;
	if (store_profile_of(st, row_at(sub, COL_SUB_PROFILE)->text) == ERR_OK)
		return st->profile_prio;
	/* Also of a profile that was tampered with: its class still asks for the second person. */
	if (store_find(st, OBJ_PROFILE, row_at(sub, COL_SUB_PROFILE)->text, &r))
		return PRIO_LOW;
	return (unsigned int)row_at(&r, COL_PROFILE_PRIO)->num;
}

static const char *sub_step(struct store *st, const struct row *old, const struct row *new,
			    uint64_t now_s)
{
	int64_t life;

	if (rule_prio(st, old) != PRIO_CRITICAL)
		return NULL;
	if (!new)
		return "deleting";
	life = row_at(new, COL_SUB_LIFE)->num;
	if (life != row_at(old, COL_SUB_LIFE)->num && life == LIFE_SUSPENDED)
		return "suspending";
	if (life != row_at(old, COL_SUB_LIFE)->num && life == LIFE_RETIRED)
		return "retiring";
	if (row_at(new, COL_SUB_GREY_UNTIL)->num > (int64_t)now_s &&
	    row_at(new, COL_SUB_GREY_UNTIL)->num != row_at(old, COL_SUB_GREY_UNTIL)->num)
		return "greylisting";
	if (rule_prio(st, new) != PRIO_CRITICAL)
		return "taking the class from";
	return NULL;
}

static bool exists(struct store *st, const char *sql, struct view key)
{
	sqlite3_stmt *q = store_prepare(st, sql);
	bool found;

	if (q)
		sqlite3_bind_text(q, 1, (const char *)key.p, (int)key.n, SQLITE_STATIC);
	found = !q || sqlite3_step(q) != SQLITE_DONE; /* a failure asks for the second person */
	sqlite3_finalize(q);
	return found;
}

/* Is a critical subscription bound to this device, or to one of this type? */
static bool critical_device(struct store *st, struct view imei)
{
	return exists(st, "SELECT 1 FROM subscription s JOIN profile p ON p.name = s.profile WHERE "
			  "((s.imei >= ?1 AND s.imei < ?1 || ':') OR s.imei = substr(?1, 1, 8)) AND "
			  "(s.priority = 0 OR (s.priority = 4 AND p.priority = 0)) LIMIT 1", imei);
}

static bool in_use(struct store *st, struct view profile_name)
{
	return exists(st, "SELECT 1 FROM subscription WHERE profile = ?1 LIMIT 1", profile_name);
}

bool rule_four_eyes(struct store *st, const struct row *old, const struct row *new, uint64_t now_ms,
		    struct say *s)
{
	const struct row *r = new ? new : old;
	const char *step = NULL, *clause = "R-5.1.f";
	int64_t colour;

	if (r->object == OBJ_SUBSCRIPTION && old) {
		step = sub_step(st, old, new, now_ms / 1000);
	} else if (r->object == OBJ_PROFILE && old) {
		if (row_at(old, COL_PROFILE_PRIO)->num == PRIO_CRITICAL && in_use(st, row_key(old)))
			step = "changing the profile of";
	} else if (r->object == OBJ_EQUIPMENT && new) {
		colour = row_at(new, COL_EQ_LIST)->num;
		clause = "R-5.1.g";
		if (colour != WHITE && (!old || row_at(old, COL_EQ_LIST)->num != colour) &&
		    critical_device(st, row_key(new)))
			step = colour == BLACK ? "blacklisting the device of" :
			       "greylisting the device of";
	}
	if (r->object == OBJ_HOLD && new && hold_four_eyes(st, old, new))
		step = "greylisting";
	if (step)
		say(s, "%s a critical subscription (%s)", step, clause);
	else if ((step = care_four_eyes(old, new)))
		say(s, "%s", step);
	return step != NULL;
}
