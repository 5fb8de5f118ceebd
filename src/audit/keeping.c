/* Canaries to the keeper: requests that its rules must refuse. */
#include "audit/audit.h"

#include <stdio.h>
#include <string.h>

enum err keeping_call(struct audit *a, struct keep *req, struct keep *rep, char why[256])
{
	enum err err = client_call(a->reach->client, req, rep, why);

	if (err)
		return err;
	err = client_status(rep);
	if (!view_text(rep->text[KEEP_REASON], why, 256) || !why[0])
		snprintf(why, 256, "%s", err_text(err));
	return err;
}

enum err keeping_set(struct audit *a, const char *object, const char *key, const char *mode,
		     const char *const *pairs, char why[256])
{
	struct keep req = {.op = KEEP_SET}, rep;

	keep_put_text(&req, KEEP_OBJECT, view_of(object));
	keep_put_text(&req, KEEP_KEY, view_of(key));
	keep_put_text(&req, KEEP_MODE, view_of(mode));
	for (size_t i = 0; pairs[i] && i < KEEP_PAIRS_MAX; i++)
		req.pair[req.pair_n++] = view_of(pairs[i]);
	if (req.pair_n > 0)
		req.has |= 1ull << KEEP_PAIR;
	return keeping_call(a, &req, &rep, why);
}

static void drop(struct audit *a, const char *object, const char *key)
{
	struct keep req = {.op = KEEP_DELETE}, rep;
	char why[256];

	keep_put_text(&req, KEEP_OBJECT, view_of(object));
	keep_put_text(&req, KEEP_KEY, view_of(key));
	if (keeping_call(a, &req, &rep, why) != ERR_OK)
		fprintf(stderr,
			"merlon audit: %s %s was made by a canary and could not be deleted: %s\n",
			object, key, why);
}

/* The keeper must refuse this, and leave nothing. */
static enum state must_refuse(struct audit *a, const char *object, const char *key,
			      const char *const *pairs, struct proof *p)
{
	char why[256];
	enum err err = keeping_set(a, object, key, "create", pairs, why);

	if (err == ERR_IO || err == ERR_HEADER)
		return proof(p, WITHOUT, "%.150s", why);
	if (err)
		return proof(p, SHOWN, "refused: %.150s", why);
	drop(a, object, key);
	return proof(p, NOT_SHOWN, "%s %s was taken", object, key);
}

enum state try_star_apn(struct audit *a, const struct attempt *t, struct proof *p)
{
	static const char *const pair[] = {"tenant=canary", "apn1=*:ipv4:9:15:1000:1000", NULL};

	(void)t;
	return must_refuse(a, "profile", "canary-star", pair, p);
}

enum state try_sms_list(struct audit *a, const struct attempt *t, struct proof *p)
{
	static const char *const without[] = {"tenant=canary", "sms_to=99970001",
					      "apn1=canary.iot:ipv4:9:15:1000:1000", NULL};
	static const char *const with[] = {"tenant=canary", "services=sms-mo", "sms_to=99970001",
					   "apn1=canary.iot:ipv4:9:15:1000:1000", NULL};
	char why[256];

	(void)t;
	if (must_refuse(a, "profile", "canary-sms", without, p) != SHOWN)
		return p->state;
	if (keeping_set(a, "profile", "canary-sms", "create", with, why) != ERR_OK)
		return proof(p, NOT_SHOWN, "a fixed dialling list is not taken: %.150s", why);
	drop(a, "profile", "canary-sms");
	return p->state;
}

static bool is_active(struct audit *a, const char *imsi)
{
	struct keep req = {.op = KEEP_GET}, rep;
	char why[256];
	json_t *row;
	bool active;

	keep_put_text(&req, KEEP_OBJECT, VIEW("subscription"));
	keep_put_text(&req, KEEP_KEY, view_of(imsi));
	if (keeping_call(a, &req, &rep, why) != ERR_OK)
		return false;
	row = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	active = row && json_is_string(json_object_get(row, "life")) &&
		 strcmp(json_string_value(json_object_get(row, "life")), "active") == 0;
	json_decref(row);
	return active;
}

enum state try_four_eyes(struct audit *a, const struct attempt *t, struct proof *p)
{
	static const char *const pair[] = {"life=suspended", NULL}, *const back[] = {"life=active",
										     NULL};
	char imsi[16], why[256];
	enum err err;

	(void)t;
	canary_imsi(a, WHO_CRITICAL, imsi);
	err = keeping_set(a, "subscription", imsi, "set", pair, why);
	if (err == ERR_APPROVAL && is_active(a, imsi))
		return proof(p, SHOWN, "%.150s", why);
	if (err == ERR_IO || err == ERR_HEADER)
		return proof(p, WITHOUT, "%.150s", why);
	if (!err && keeping_set(a, "subscription", imsi, "set", back, why) != ERR_OK)
		return proof(p, NOT_SHOWN,
			     "a critical SIM was suspended by one person, and stays so: %.80s",
			     why);
	return proof(p, NOT_SHOWN, "a critical SIM was suspended by one person");
}

enum state try_duplicate(struct audit *a, const struct attempt *t, struct proof *p)
{
	char imsi[16], other[16], iccid[32];
	const char *pair[] = {"tenant=canary", "profile=canary-plain", "life=inventory", iccid,
			      NULL};

	(void)t;
	canary_imsi(a, WHO_PLAIN, imsi);
	canary_imsi(a, WHO_UNKNOWN, other);
	snprintf(iccid, sizeof iccid, "iccid=8999%.15s", imsi);
	if (must_refuse(a, "subscription", other, pair, p) != SHOWN)
		return p->state;
	pair[3] = NULL;
	return must_refuse(a, "subscription", imsi, pair, p);
}

enum state try_comp128(struct audit *a, const struct attempt *t, struct proof *p)
{
	struct keep req = {.op = KEEP_IMPORT}, rep;
	char line[96], imsi[16], why[256];
	enum err err;

	(void)t;
	canary_imsi(a, WHO_UNKNOWN, imsi);
	snprintf(line, sizeof line, "%s,comp128-1,canary,canary-plain,inventory\n", imsi);
	keep_put_text(&req, KEEP_OBJECT, VIEW("subscription"));
	keep_put_text(&req, KEEP_HEADER, VIEW("imsi,alg,tenant,profile,life"));
	keep_put_text(&req, KEEP_LINES, view_of(line));
	err = keeping_call(a, &req, &rep, why);
	if (err)
		return proof(p, WITHOUT, "%.150s", why);
	if (rep.num[KEEP_REFUSED] == 1 && rep.num[KEEP_DONE] == 0)
		return proof(p, SHOWN, "refused: %.*s",
			     (int)(rep.text[KEEP_BAD].n > 1 ? rep.text[KEEP_BAD].n - 1 : 0),
			     (const char *)rep.text[KEEP_BAD].p);
	drop(a, "subscription", imsi);
	return proof(p, NOT_SHOWN, "a card with COMP128 was taken");
}

enum state try_tamper(struct audit *a, const struct attempt *t, struct proof *p)
{
	struct keep req = {.op = KEEP_VERIFY}, rep;
	char why[256];
	enum err err = keeping_call(a, &req, &rep, why);
	json_t *o;

	(void)t;
	if (err == ERR_CORRUPT)
		return proof(p, NOT_SHOWN, "%.180s", why);
	if (err)
		return proof(p, WITHOUT, "%.150s", why);
	o = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	proof(p, SHOWN, "%lld rows and %lld journal entries verified",
	      (long long)json_integer_value(json_object_get(o, "rows")),
	      (long long)json_integer_value(json_object_get(o, "journal")));
	json_decref(o);
	return p->state;
}

static json_int_t journal_seq(struct audit *a)
{
	struct keep req = {.op = KEEP_STATE}, rep;
	char why[256];
	json_t *state;
	json_int_t seq;

	if (keeping_call(a, &req, &rep, why) != ERR_OK)
		return -1;
	state = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	seq = json_integer_value(json_object_get(json_object_get(state, "journal"), "seq"));
	json_decref(state);
	return seq;
}

/* Every change is in the journal, with who made it: made here, and read back. */
enum state try_journal(struct audit *a, const struct attempt *t, struct proof *p)
{
	struct keep req = {.op = KEEP_JOURNAL}, rep;
	json_int_t before = journal_seq(a);
	char contact[64], after[24], why[256];
	const char *pair[] = {contact, NULL}, *actor, *key;
	json_t *entries, *e;

	(void)t;
	snprintf(contact, sizeof contact, "contact=merlon audit %llu",
		 (unsigned long long)audit_wall_ms());
	if (before < 0 || keeping_set(a, "tenant", "canary", "set", pair, why) != ERR_OK)
		return proof(p, WITHOUT, "the keeper does not take a change");
	snprintf(after, sizeof after, "%lld", (long long)before);
	keep_put_text(&req, KEEP_AFTER, view_of(after));
	if (keeping_call(a, &req, &rep, why) != ERR_OK)
		return proof(p, WITHOUT, "%.150s", why);
	entries = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	e = json_array_get(entries, 0);
	key = json_string_value(json_object_get(e, "key"));
	actor = json_string_value(json_object_get(e, "actor"));
	if (key && actor && actor[0] && strcmp(key, "canary") == 0 &&
	    json_string_length(json_object_get(e, "hash")) > 0)
		proof(p, SHOWN, "a change by %.60s is entry %lld, chained", actor,
		      (long long)before + 1);
	else
		proof(p, NOT_SHOWN, "a change of ours is not in the journal");
	json_decref(entries);
	return p->state;
}

/* An IMSI is an IoT or a handset one, never both: a range of the other kind over ours is refused.
 */
enum state try_ranges(struct audit *a, const struct attempt *t, struct proof *p)
{
	char from[16], to[32];
	const char *pair[] = {to, "handset=yes", "name=canary", NULL};

	(void)t;
	canary_imsi(a, WHO_CRITICAL, from);
	snprintf(to, sizeof to, "to=%.13s05", from);
	return must_refuse(a, "range", from, pair, p);
}
