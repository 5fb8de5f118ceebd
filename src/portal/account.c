/* One's own account: factors, sessions, password. */
#include "portal/account.h"

#include "base/base64.h"
#include "base/log.h"
#include "portal/password.h"
#include "portal/route.h"
#include "portal/totp.h"

#include <sodium.h>
#include <stdio.h>

#define TRIES 5
#define CODES 10

static const char *const roles[] = {"operator-admin",	  "security-engineer", "noc-viewer",
				    "compliance-officer", "tenant-admin",      "tenant-engineer",
				    "tenant-viewer"};
static const char *const kinds[] = {"password", "totp", "passkey", "recovery", "invitation"};

#define SECOND (1u << CRED_TOTP | 1u << CRED_PASSKEY)

static json_t *factors_of(const struct login *s)
{
	json_t *list = json_array();

	for (unsigned int k = CRED_TOTP; k <= CRED_RECOVERY; k++) {
		if (s->factors >> k & 1)
			json_array_append_new(list, json_string(kinds[k]));
	}
	return list;
}

void account_say(struct visit *v, unsigned int status)
{
	const struct login *s = v->login;
	uint64_t now = api_now_s(v->portal->api), until;

	if (!s) {
		visit_json(v, status,
			   json_pack("{s:n,s:b,s:s}", "user", "set_up", v->portal->api->setup[0] == 0,
				     "next", v->portal->api->setup[0] ? "set-up" : "sign-in"));
		return;
	}
	until = s->stepped_s ? s->stepped_s + v->portal->conf.step_up_s : 0;
	visit_json(v, status,
		   json_pack("{s:s,s:s,s:s,s:s,s:o,s:s,s:i,s:s,s:s}", "user", s->who.user, "tenant",
			     s->who.tenant, "role", roles[s->who.role], "next",
			     s->who.whole	     ? ""
			     : (s->factors & SECOND) ? "second-factor"
						     : "enrol",
			     "factors", factors_of(s), "csrf", s->csrf, "stepped_up_s",
			     until > now ? (int)(until - now) : 0, "by", s->by, "address", s->address));
}

bool account_read(const struct keep *rep, enum user_role *role, char tenant[32])
{
	struct view b = rep->text[KEEP_BODY];
	json_t *o = rep->num[KEEP_STATUS] == ERR_OK ? json_loadb((const char *)b.p, b.n, 0, NULL) : NULL;
	const char *name = json_string_value(json_object_get(o, "role"));
	const char *state = json_string_value(json_object_get(o, "state"));
	const char *of = json_string_value(json_object_get(o, "tenant"));
	unsigned int r = 0;
	bool good;

	while (name && r < ROLE_N && strcmp(roles[r], name) != 0)
		r++;
	good = name && r < ROLE_N && state && strcmp(state, "disabled") != 0 &&
	       !json_is_true(json_object_get(o, "tampered"));
	*role = good ? r : ROLE_TENANT_VIEWER;
	snprintf(tenant, 32, "%s", of ? of : "");
	json_decref(o);
	return good;
}

bool account_begin(struct visit *v, const struct person *who)
{
	struct api *a = v->portal->api;
	char token[LOGIN_TOKEN];

	v->login = v->who.user[0] && !v->who.is_key ? login_of(a->logins, v->login_id) : NULL;
	if (v->login)
		login_end(v->login); /* nobody's earlier cookie lives on (fixation) */
	v->login = login_begin(a->logins, who, api_now_s(a), token);
	if (!v->login) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return false;
	}
	v->login->checked_ms = loop_now(v->portal->loop);
	snprintf(v->login->address, sizeof v->login->address, "%s", v->q->address);
	view_text(view_first(v->q->user_agent, sizeof v->login->agent - 1), v->login->agent,
		  sizeof v->login->agent);
	v->who = *who;
	memcpy(v->login_id, v->login->id, LOGIN_ID);
	visit_cookie(v, token);
	secret_wipe(token, sizeof token);
	return true;
}

/* --- a second factor --- */

static void activated(struct visit *v, const struct keep *rep)
{
	(void)rep; /* it was active, or is now */
	if (visit_login(v))
		account_say(v, 200);
}

void account_proven(struct visit *v, const char *by)
{
	struct keep req = {.op = KEEP_SET};
	struct api *a = v->portal->api;
	char token[LOGIN_TOKEN];

	if (!visit_login(v))
		return;
	v->login->who.whole = true;
	v->login->tries = 0;
	v->login->made_s = v->login->stepped_s = api_now_s(a);
	snprintf(v->login->by, sizeof v->login->by, "%s", by);
	secret_wipe(v->login->enrol, sizeof v->login->enrol);
	if (!login_turn(a->logins, &v->login, token)) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return;
	}
	visit_cookie(v, token);
	secret_wipe(token, sizeof token);
	v->who = v->login->who;
	visit_note(v, v->who.user, "second factor accepted", by);
	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_text(&req, KEEP_KEY, view_of(v->who.user));
	keep_put_text(&req, KEEP_MODE, VIEW("change"));
	req.pair[0] = VIEW("state=active");
	req.pair_n = 1;
	req.has |= (uint64_t)1 << KEEP_PAIR;
	visit_keep_own(v, LANE_WRITE, &req, v->who.user, activated);
}

void account_disproven(struct visit *v, const char *by)
{
	if (!visit_login(v))
		return;
	visit_note(v, v->who.user, "second factor refused", by);
	if (++v->login->tries >= TRIES) {
		login_end(v->login);
		v->login = NULL;
		visit_cookie(v, NULL);
		visit_problem(v, 401, "signed-out", "too many wrong codes: sign in again");
		return;
	}
	visit_problem(v, 403, "second-factor", "the code is wrong, or was used already");
}

static void code_counted(struct visit *v, const struct keep *rep)
{
	if (rep->num[KEEP_STATUS] == ERR_VERSION)
		account_disproven(v, "code used twice");
	else if (!visit_refused(v, rep))
		account_proven(v, "totp");
}

static void totp_known(struct visit *v, struct credentials *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct credential *c = &all->at[i];
		uint32_t step;

		if (c->kind != CRED_TOTP ||
		    !totp_fits(c->text, visit_field(v, "code"), api_now_s(v->portal->api), &step) ||
		    step <= c->counter)
			continue;
		c->counter = step; /* each code once (RFC 6238 5.2) */
		credential_put(v, v->who.user, c, code_counted);
		return;
	}
	account_disproven(v, "totp");
}

void login_totp(struct visit *v)
{
	credentials_get(v, v->who.user, totp_known);
}

static void recovery_gone(struct visit *v, const struct keep *rep)
{
	if (rep->num[KEEP_STATUS] == ERR_NOT_FOUND)
		account_disproven(v, "recovery code used twice");
	else if (!visit_refused(v, rep))
		account_proven(v, "recovery");
}

/* A recovery code has 100 random bits: a hash without stretching will do (ASVS 6.5.2). */
static void code_hash(const char *code, char to[65])
{
	char plain[64];
	uint8_t hash[32];
	size_t n = 0;

	for (; *code && n < sizeof plain - 1; code++) {
		if (*code != '-' && *code != ' ')
			plain[n++] = *code >= 'a' && *code <= 'z' ? (char)(*code - 32) : *code;
	}
	plain[n] = 0;
	crypto_hash_sha256(hash, (const uint8_t *)plain, n);
	sodium_bin2hex(to, 65, hash, sizeof hash);
	secret_wipe(plain, sizeof plain);
}

static void recovery_known(struct visit *v, struct credentials *all)
{
	char hash[65];

	code_hash(visit_field(v, "code"), hash);
	for (size_t i = 0; i < all->n; i++) {
		const struct credential *c = &all->at[i];

		if (c->kind == CRED_RECOVERY && secret_eq(c->text, hash, 64)) {
			credential_drop(v, v->who.user, c->name, recovery_gone);
			return;
		}
	}
	account_disproven(v, "recovery");
}

void login_recovery(struct visit *v)
{
	credentials_get(v, v->who.user, recovery_known);
}

/* --- enrolling --- */

bool account_may_enrol(struct visit *v)
{
	const uint64_t now = api_now_s(v->portal->api);

	if (!v->login && !visit_login(v))
		return false;
	if (!v->login->who.whole && !(v->login->factors & SECOND))
		return true;
	if (v->login->who.whole && v->login->stepped_s &&
	    now < v->login->stepped_s + v->portal->conf.step_up_s)
		return true;
	visit_problem(v, 403, v->login->who.whole ? "step-up" : "second-factor",
		      "prove the second factor that there is first");
	return false;
}

void account_totp(struct visit *v)
{
	char secret[TOTP_TEXT], uri[256];

	if (!account_may_enrol(v))
		return;
	if (!totp_new(secret)) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return;
	}
	snprintf(v->login->enrol, sizeof v->login->enrol, "%s %.63s", secret,
		 visit_field(v, "label")[0] ? visit_field(v, "label") : "authenticator");
	snprintf(uri, sizeof uri,
		 "otpauth://totp/Merlon:%s?secret=%s&issuer=Merlon&algorithm=SHA1&digits=6&period=30",
		 v->who.user, secret);
	visit_json(v, 200, json_pack("{s:s,s:s}", "secret", secret, "uri", uri));
	secret_wipe(secret, sizeof secret);
	secret_wipe(uri, sizeof uri);
}

static void totp_kept(struct visit *v, const struct keep *rep)
{
	if (visit_refused(v, rep) || !visit_login(v))
		return;
	v->login->factors |= 1u << CRED_TOTP;
	account_proven(v, "totp enrolled");
}

void account_totp_take(struct visit *v)
{
	struct credential c = {.kind = CRED_TOTP};
	const char *space;

	if (!account_may_enrol(v))
		return;
	space = strchr(v->login->enrol, ' ');
	if (!space) {
		visit_problem(v, 409, "enrol", "first POST /api/v1/me/totp");
		return;
	}
	snprintf(c.text, sizeof c.text, "%.*s", (int)(space - v->login->enrol), v->login->enrol);
	snprintf(c.label, sizeof c.label, "%s", space + 1);
	if (totp_fits(c.text, visit_field(v, "code"), api_now_s(v->portal->api), &c.counter))
		credential_put(v, v->who.user, &c, totp_kept);
	else
		account_disproven(v, "totp enrolment");
	secret_wipe(&c, sizeof c);
}

static void factors_known(struct visit *v, struct credentials *all)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->n; i++) {
		const struct credential *c = &all->at[i];

		json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "id", c->name, "kind",
						      kinds[c->kind], "label", c->label));
	}
	visit_json(v, 200, json_pack("{s:o}", "items", list));
}

void account_factors(struct visit *v)
{
	credentials_get(v, v->who.user, factors_known);
}

static void factor_gone(struct visit *v, const struct keep *rep)
{
	if (visit_refused(v, rep))
		return;
	visit_note(v, v->who.user, "factor given up", "");
	visit_answer(v, &(struct web_answer){.status = 204});
}

static void drop_known(struct visit *v, struct credentials *all)
{
	size_t second = 0;
	const struct credential *c = NULL;

	for (size_t i = 0; i < all->n; i++) {
		second += (SECOND >> all->at[i].kind & 1) != 0;
		if (view_eq(view_of(all->at[i].name), v->param[0]))
			c = &all->at[i];
	}
	if (!c || c->kind == CRED_PASSWORD)
		visit_problem(v, 404, "not-found", "no such factor of yours");
	else if ((SECOND >> c->kind & 1) && second < 2)
		visit_problem(v, 422, "refused", "one second factor stays: enrol another first");
	else
		credential_drop(v, v->who.user, c->name, factor_gone);
}

void account_factor_drop(struct visit *v)
{
	credentials_get(v, v->who.user, drop_known);
}

/* --- recovery codes: ten, made one after the other; older ones go first --- */

struct codes {
	char text[CODES][24];
	uint32_t made;
};

static void next_code(struct visit *v, const struct keep *rep)
{
	static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
	struct codes *c = (struct codes *)(void *)v->note;
	struct credential one = {.kind = CRED_RECOVERY, .label = "recovery code"};
	uint8_t b[20];

	if (rep && visit_refused(v, rep))
		return;
	if (c->made == CODES) {
		json_t *list = json_array();

		for (size_t i = 0; i < CODES; i++)
			json_array_append_new(list, json_string(c->text[i]));
		visit_note(v, v->who.user, "recovery codes made", "");
		visit_json(v, 200, json_pack("{s:o}", "codes", list));
		return;
	}
	if (random_bytes(b, sizeof b)) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return;
	}
	for (size_t i = 0, n = 0; i < sizeof b; i++) {
		if (i > 0 && i % 5 == 0)
			c->text[c->made][n++] = '-';
		c->text[c->made][n++] = letters[b[i] & 31];
		c->text[c->made][n] = 0;
	}
	code_hash(c->text[c->made++], one.text);
	credential_put(v, v->who.user, &one, next_code);
}

static void drop_old(struct visit *v, const struct keep *rep);

static void old_known(struct visit *v, struct credentials *all)
{
	const struct credential *c = credentials_find(all, CRED_RECOVERY);

	if (c) {
		credential_drop(v, v->who.user, c->name, drop_old);
		return;
	}
	memset(v->note, 0, sizeof(struct codes));
	next_code(v, NULL);
}

static void drop_old(struct visit *v, const struct keep *rep)
{
	if (!visit_refused(v, rep))
		credentials_get(v, v->who.user, old_known);
}

void account_recovery(struct visit *v)
{
	credentials_get(v, v->who.user, old_known);
}

/* --- sessions --- */

void account_sessions(struct visit *v)
{
	struct logins *l = v->portal->api->logins;
	json_t *list = json_array();

	for (struct login *s = login_next(l, v->who.user, NULL); s; s = login_next(l, v->who.user, s)) {
		char id[2 * LOGIN_ID + 1];

		sodium_bin2hex(id, sizeof id, s->id, LOGIN_ID);
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:I,s:I,s:b,s:b}", "id", id, "address",
						s->address, "agent", s->agent, "since",
						(json_int_t)s->made_s, "used", (json_int_t)s->used_s,
						"whole", s->who.whole, "this", s == v->login));
	}
	visit_json(v, 200, json_pack("{s:o}", "items", list));
}

void account_session_end(struct visit *v)
{
	struct logins *l = v->portal->api->logins;
	uint8_t id[LOGIN_ID];
	struct login *s;
	size_t n = 0;

	if (sodium_hex2bin(id, sizeof id, (const char *)v->param[0].p, v->param[0].n, NULL, &n, NULL) !=
		0 ||
	    n != sizeof id || !(s = login_of(l, id)) || strcmp(s->who.user, v->who.user) != 0) {
		visit_problem(v, 404, "not-found", "no such session of yours");
		return;
	}
	login_end(s);
	visit_note(v, v->who.user, "session ended", "");
	visit_answer(v, &(struct web_answer){.status = 204});
}
