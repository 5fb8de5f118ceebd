/* The one place where it is decided who may what: every request passes here, is given its row of
 * route.tab, and reaches its handler only if the row lets that person in (R-5.8.4.a). What of it is
 * their tenant's, the keeper decides, who is told the tenant with each request. */
#include "portal/api_in.h"

#include "base/log.h"
#include "crypto/crypto.h"
#include "portal/files.h"
#include "portal/route.h"
#include "wire/http_auth.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const struct view root = VIEW_INIT("/api/v1");

static void refuse(struct visit *v, unsigned int status, const char *type, const char *detail)
{
	LOG(LOG_NOTE, "portal.refused", KV("user", (const char *)v->who.user), KV("route", v->route->id),
	    KV("why", type), KV("address", v->q->address), KV_CLAUSE("R-5.8.4.a"));
	visit_problem(v, status, type, detail);
}

/* --- from another site? (CSRF) --- */

static bool is_safe(const struct visit *v)
{
	return v->q->method == WEB_GET || v->q->method == WEB_HEAD;
}

/* What a browser says of where the request comes from; programs say nothing. */
static bool same_origin(const struct visit *v)
{
	struct view site = web_header(v->call, "Sec-Fetch-Site"), origin = web_header(v->call, "Origin");
	struct view host = web_header(v->call, "Host");

	if (site.n > 0 && !view_eq(site, VIEW("same-origin")) && !view_eq(site, VIEW("none")))
		return false;
	return origin.n == 0 || (origin.n == host.n + 8 && memcmp(origin.p, "https://", 8) == 0 &&
				 view_eq_case((struct view){origin.p + 8, host.n}, host));
}

static bool csrf_ok(const struct visit *v)
{
	struct view token = web_header(v->call, "X-CSRF-Token");

	return token.n == LOGIN_TOKEN - 1 && secret_eq(token.p, v->login->csrf, token.n);
}

/* --- what the row says --- */

static bool admitted(struct visit *v)
{
	const struct route *r = v->route;

	if (!is_safe(v) && !same_origin(v)) {
		refuse(v, 403, "origin", "another site's page may not do this");
		return false;
	}
	if (r->roles == 0)
		return true;
	if (!v->who.user[0]) {
		refuse(v, 401, "signed-out", "sign in, or give an API key");
		return false;
	}
	if (!v->who.is_key && !is_safe(v) && !csrf_ok(v)) {
		refuse(v, 403, "csrf", "X-CSRF-Token: the session's is missing");
		return false;
	}
	if (!v->who.is_key && !v->who.whole && !(r->flags & ROUTE_HALF)) {
		refuse(v, 403, "second-factor", "the second factor is missing");
		return false;
	}
	if (!(r->roles >> v->who.role & 1)) {
		refuse(v, 403, "role", "your role may not do this");
		return false;
	}
	if (v->who.is_key &&
	    (r->scope == KEY_NONE || !(v->who.scopes >> r->scope & 1) || r->flags & ROUTE_STEP)) {
		refuse(v, 403, "scope",
		       r->scope == KEY_NONE || r->flags & ROUTE_STEP ? "for people alone"
								     : "the key's scopes lack it");
		return false;
	}
	return true;
}

static bool stepped_up(struct visit *v)
{
	const uint64_t now = api_now_s(v->portal->api);

	if (!(v->route->flags & ROUTE_STEP) ||
	    (v->login && v->login->stepped_s && now < v->login->stepped_s + v->portal->conf.step_up_s))
		return true;
	refuse(v, 403, "step-up",
	       "prove your second factor once more: POST /api/v1/session/totp or passkey");
	return false;
}

static bool rate_ok(struct visit *v)
{
	const char *who = v->who.user[0] ? v->who.user : v->q->address;
	uint32_t rate = v->portal->conf.rate;

	if (throttle_pass(v->portal->api->throttle, v->who.user[0] ? "user" : "address", who,
			  v->who.user[0] ? rate : rate / 4 + 1, loop_now(v->portal->loop)))
		return true;
	visit_problem(v, 429, "rate", "too many requests; wait a second");
	return false;
}

/* --- the body --- */

/* "name name?": is it one of them? */
static bool is_field(const char *spec, const char *name)
{
	struct view left = view_of(spec), w;

	while ((w = model_word(&left)).n > 0) {
		w.n -= w.p[w.n - 1] == '?';
		if (view_eq(w, view_of(name)))
			return true;
	}
	return false;
}

static bool fields_ok(struct visit *v, char why[128])
{
	struct view left = view_of(v->route->body), w;
	const char *name;
	json_t *value;

	if (v->route->body[0] == '@')
		return true; /* the model knows */
	json_object_foreach(v->body, name, value)
	{
		snprintf(why, 128, "%.60s: %s", name,
			 is_field(v->route->body, name) ? "must be a text" : "no such field");
		if (!is_field(v->route->body, name) || !json_is_string(value) ||
		    strlen(json_string_value(value)) != json_string_length(value))
			return false;
	}
	while ((w = model_word(&left)).n > 0) {
		char text[64];

		if (w.p[w.n - 1] == '?' || !view_text(w, text, sizeof text) ||
		    json_object_get(v->body, text))
			continue;
		snprintf(why, 128, "%.60s: missing", text);
		return false;
	}
	return true;
}

static bool read_body(struct visit *v)
{
	static const struct view type = VIEW_INIT("application/json"),
				 merge = VIEW_INIT("application/merge-patch+json");
	const struct web_request *q = v->q;
	char why[128] = "";

	if (is_safe(v) || v->route->flags & ROUTE_RAW || (!v->route->body[0] && q->body.n == 0))
		return true;
	if (q->body.n > API_JSON) {
		visit_problem(v, 413, "length", "at most 64 KiB of JSON");
		return false;
	}
	if (!view_eq_case(view_first(q->type, type.n), type) &&
	    !view_eq_case(view_first(q->type, merge.n), merge)) {
		visit_problem(v, 415, "type", "application/json");
		return false;
	}
	v->body = json_loadb((const char *)q->body.p, q->body.n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(v->body)) {
		visit_problem(v, 400, "value", "not a JSON object, or a name twice");
		return false;
	}
	if (fields_ok(v, why))
		return true;
	visit_problem(v, 400, "value", why);
	return false;
}

static void enter(struct visit *v)
{
	if (admitted(v) && rate_ok(v) && stepped_up(v) && read_body(v) && visit_once_begin(v))
		v->route->answer(v);
}

/* --- who is it --- */

static void user_of(const json_t *o, struct person *who, bool *active)
{
	const char *tenant = json_string_value(json_object_get(o, "tenant"));
	const char *role = json_string_value(json_object_get(o, "role"));
	const char *state = json_string_value(json_object_get(o, "state"));
	struct row r;
	struct say s;

	row_init(&r, OBJ_USER);
	*active = role && state && strcmp(state, "disabled") != 0 &&
		  row_set(&r, COL_USER_ROLE - COL_USER_NAME, view_of(role), &s) == ERR_OK;
	who->role = (enum user_role)row_at(&r, COL_USER_ROLE)->num;
	snprintf(who->tenant, sizeof who->tenant, "%s", tenant ? tenant : "");
}

static json_t *record_of(const struct keep *rep)
{
	struct view b = rep->text[KEEP_BODY];

	return rep->num[KEEP_STATUS] == ERR_OK ? json_loadb((const char *)b.p, b.n, 0, NULL) : NULL;
}

/* The session's user, as the record is now: whoever was disabled is out, another role counts at once. */
static void user_checked(struct visit *v, const struct keep *rep)
{
	json_t *o = record_of(rep);
	bool active = false;

	v->login = login_of(v->portal->api->logins, v->login_id);
	if (o)
		user_of(o, &v->who, &active);
	if (v->login && (!active || json_is_true(json_object_get(o, "tampered")))) {
		login_end(v->login);
		v->login = NULL;
	}
	json_decref(o);
	if (!v->login) {
		v->who = (struct person){0};
		enter(v);
		return;
	}
	v->login->who.role = v->who.role;
	memcpy(v->login->who.tenant, v->who.tenant, sizeof v->who.tenant);
	v->login->checked_ms = loop_now(v->portal->loop);
	enter(v);
}

static void by_session(struct visit *v, struct view token)
{
	struct keep req = {.op = KEEP_GET};
	struct api *a = v->portal->api;

	v->login = login_find(a->logins, token, api_now_s(a));
	if (!v->login) {
		enter(v);
		return;
	}
	v->who = v->login->who;
	memcpy(v->login_id, v->login->id, LOGIN_ID);
	v->login->used_s = api_now_s(a);
	if (loop_now(v->portal->loop) < v->login->checked_ms + FRESH_MS) {
		enter(v);
		return;
	}
	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_text(&req, KEEP_KEY, view_of(v->who.user));
	visit_keep_own(v, LANE_READ, &req, v->who.user, user_checked);
}

/* The value of our cookie; one that comes twice is none (a sibling host may have planted it). */
static struct view cookie_of(const struct visit *v)
{
	static const struct view name = VIEW_INIT(LOGIN_COOKIE "=");
	struct view left = web_header(v->call, "Cookie"), found = {0};

	while (left.n > 0) {
		const uint8_t *end = memchr(left.p, ';', left.n);
		struct view one = view_first(left, end ? (size_t)(end - left.p) : left.n);

		left = (struct view){left.p + one.n + (end != NULL), left.n - one.n - (end != NULL)};
		while (one.n > 0 && one.p[0] == ' ')
			one = (struct view){one.p + 1, one.n - 1};
		if (one.n < name.n || memcmp(one.p, name.p, name.n) != 0)
			continue;
		if (found.p)
			return (struct view){0};
		found = (struct view){one.p + name.n, one.n - name.n};
	}
	return found;
}

/* --- API keys: "mk_ID_SECRET" --- */

static struct key_seen *key_place(struct api *a, const char *id)
{
	return &a->key[hash_view(a->hash_key, view_of(id)) % KEYS_SEEN];
}

static bool within(const char *prefixes, const char *address)
{
	struct view left = view_of(prefixes), w;
	bool any = false;

	while ((w = model_word(&left)).n > 0) {
		any = true;
		if (address_within(view_of(address), w))
			return true;
	}
	return !any;
}

static void by_known_key(struct visit *v, const struct key_seen *k)
{
	struct api *a = v->portal->api;
	uint8_t hash[32];

	crypto_hash_sha256(hash, (const uint8_t *)v->note, strlen(v->note));
	if (k->who.user[0] && secret_eq(hash, k->hash, sizeof hash) && api_now_s(a) < k->expires_s &&
	    within(k->addresses, v->q->address)) {
		v->who = k->who;
		enter(v);
		return;
	}
	LOG(LOG_NOTE, "portal.key_refused", KV("key", (const char *)v->key),
	    KV("address", v->q->address), KV_CLAUSE("R-5.8.4.c"));
	visit_problem(v, 401, "key", "no API key, or not from here, or it has expired");
}

static void key_user(struct visit *v, const struct keep *rep)
{
	struct key_seen *k = key_place(v->portal->api, v->key);
	json_t *o = record_of(rep);
	bool active = false;

	if (o && strcmp(k->id, v->key) == 0)
		user_of(o, &k->who, &active);
	json_decref(o);
	if (!active)
		k->who = (struct person){0};
	by_known_key(v, k);
}

static void key_found(struct visit *v, const struct keep *rep)
{
	struct key_seen *k = key_place(v->portal->api, v->key);
	struct keep req = {.op = KEEP_GET};
	json_t *o = record_of(rep);
	const char *hash = json_string_value(json_object_get(o, "hash")),
		   *user = json_string_value(json_object_get(o, "user")),
		   *nets = json_string_value(json_object_get(o, "addresses")),
		   *until = json_string_value(json_object_get(o, "expires")),
		   *scopes = json_string_value(json_object_get(o, "scopes"));
	struct row r;
	struct say s;
	size_t n = 0;

	*k = (struct key_seen){.checked_ms = loop_now(v->portal->loop)};
	snprintf(k->id, sizeof k->id, "%.47s", v->key);
	row_init(&r, OBJ_APIKEY);
	if (!hash || !user || !until || !scopes || json_is_true(json_object_get(o, "tampered")) ||
	    sodium_hex2bin(k->hash, 32, hash, strlen(hash), NULL, &n, NULL) != 0 || n != 32 ||
	    row_set(&r, COL_KEY_EXPIRES - COL_KEY_NAME, view_of(until), &s) ||
	    row_set(&r, COL_KEY_SCOPES - COL_KEY_NAME, view_of(scopes), &s)) {
		json_decref(o);
		by_known_key(v, k);
		return;
	}
	k->expires_s = (uint64_t)row_at(&r, COL_KEY_EXPIRES)->num;
	k->who = (struct person){
	    .is_key = true, .whole = true, .scopes = (uint32_t)row_at(&r, COL_KEY_SCOPES)->num};
	snprintf(k->who.user, sizeof k->who.user, "%s", user);
	snprintf(k->addresses, sizeof k->addresses, "%s", nets ? nets : "");
	json_decref(o);
	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_text(&req, KEEP_KEY, view_of(k->who.user));
	visit_keep_own(v, LANE_READ, &req, k->who.user, key_user);
}

static void by_key(struct visit *v, struct view token)
{
	struct keep req = {.op = KEEP_GET};
	const uint8_t *mid = token.n > 3 ? memchr(token.p + 3, '_', token.n - 3) : NULL;
	struct key_seen *k;

	if (!mid || memcmp(token.p, "mk_", 3) != 0 ||
	    !view_text((struct view){token.p + 3, (size_t)(mid - token.p) - 3}, v->key, NAME_ROOM) ||
	    !v->key[0] ||
	    !view_text((struct view){mid + 1, token.n - (size_t)(mid + 1 - token.p)}, v->note, 128)) {
		visit_problem(v, 401, "key", "no API key of ours");
		return;
	}
	k = key_place(v->portal->api, v->key);
	if (strcmp(k->id, v->key) == 0 && loop_now(v->portal->loop) < k->checked_ms + FRESH_MS) {
		by_known_key(v, k);
		return;
	}
	keep_put_text(&req, KEEP_OBJECT, VIEW("api-key"));
	keep_put_text(&req, KEEP_KEY, view_of(v->key));
	keep_put_text(&req, KEEP_MODE, VIEW("secret"));
	visit_keep_own(v, LANE_READ, &req, v->key, key_found);
}

/* --- */

static void no_such(struct visit *v, unsigned int others)
{
	struct web_answer a = {.status = 405, .type = "application/problem+json"};
	char allow[64] = "";

	if (!others) {
		visit_problem(v, 404, "not-found", "see /api/v1/openapi.json");
		return;
	}
	for (unsigned int m = 0; m < WEB_OTHER; m++) {
		if (others >> m & 1)
			snprintf(allow + strlen(allow), sizeof allow - strlen(allow), "%s%s",
				 allow[0] ? ", " : "", route_method((enum web_method)m));
	}
	a.body = VIEW("{\"type\":\"urn:merlon:problem:method\",\"status\":405}");
	a.header[0].name = "Allow";
	a.header[0].value = allow;
	visit_answer(v, &a);
}

void gate_request(struct portal *p, struct web_call *call, const struct web_request *q)
{
	struct visit *v = visit_begin(p->api, call, q);
	struct view token = {0}, path = {q->path.p + root.n, q->path.n - root.n};
	unsigned int others = 0;

	if (!api_host_ok(p, web_header(call, "Host")) || web_header_n(call, "Host") != 1) {
		visit_problem(v, 421, "host", "this server has another name: portal.hosts");
		return;
	}
	v->route = route_find(q->method, path, v, &others);
	if (!v->route) {
		no_such(v, others);
		return;
	}
	if (q->authorization.n > 0) {
		token = http_auth_bearer(q->authorization);
		by_key(v, token);
		return;
	}
	token = cookie_of(v);
	if (token.n > 0)
		by_session(v, token);
	else
		enter(v);
}

void gate_gone(struct portal *p, struct web_call *call)
{
	struct visit *v = &p->api->visit[web_place(call)];

	if (v->taken)
		visit_end(v);
}
