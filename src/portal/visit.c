/* A request on its way: how it is answered, and how the keeper is asked for it. */
#include "portal/api_in.h"

#include "base/log.h"
#include "portal/route.h"
#include "wire/form.h"

#include <stdio.h>
#include <stdlib.h>

#define JSON_ROOM ((size_t)512 << 10)

static const char hsts[] = "max-age=63072000; includeSubDomains";
static const char no_content[] = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

uint64_t api_now_s(const struct api *a)
{
	return loop_wall(a->portal->loop) / 1000;
}

struct visit *visit_begin(struct api *a, struct web_call *call, const struct web_request *q)
{
	struct visit *v = &a->visit[web_place(call)];

	*v = (struct visit){
	    .portal = a->portal, .call = call, .q = q, .serial = ++a->serial, .taken = true};
	return v;
}

void visit_end(struct visit *v)
{
	json_decref(v->body);
	secret_wipe(v->note, sizeof v->note);
	v->body = NULL;
	v->ended = true;
	v->taken = false;
}

uint64_t visit_tag(const struct visit *v)
{
	return (uint64_t)(v - v->portal->api->visit) << 32 | v->serial;
}

struct visit *visit_of(struct api *a, uint64_t tag)
{
	struct visit *v = &a->visit[tag >> 32];

	return v->taken && !v->ended && v->serial == (uint32_t)tag ? v : NULL;
}

struct login *visit_login(struct visit *v)
{
	v->login = login_of(v->portal->api->logins, v->login_id);
	if (!v->login)
		visit_problem(v, 401, "signed-out", "the session has ended");
	return v->login;
}

static void add(struct web_answer *a, const char *name, const char *value)
{
	size_t i = 0;

	while (i < WEB_HEADERS && a->header[i].name)
		i++;
	if (i < WEB_HEADERS) {
		a->header[i].name = name;
		a->header[i].value = value;
	}
}

void visit_answer(struct visit *v, struct web_answer *a)
{
	if (v->ended)
		return;
	v->ended = true;
	add(a, "Strict-Transport-Security", hsts);
	add(a, "Content-Security-Policy", no_content);
	add(a, "Referrer-Policy", "no-referrer");
	add(a, "Cross-Origin-Resource-Policy", "same-origin");
	if (v->set_cookie[0])
		add(a, "Set-Cookie", v->set_cookie);
	web_answer(v->call, a);
	secret_wipe(v->set_cookie, sizeof v->set_cookie);
}

void visit_cookie(struct visit *v, const char *token)
{
	snprintf(v->set_cookie, sizeof v->set_cookie,
		 LOGIN_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s", token ? token : "",
		 token ? "" : "; Max-Age=0");
}

static struct once *once_of(struct api *a, uint64_t id)
{
	return &a->once[id % ONCES];
}

static void remember(struct visit *v, unsigned int status, struct view body, uint64_t version)
{
	struct once *o = once_of(v->portal->api, v->once);

	if (!v->once || o->id != v->once)
		return;
	if (status >= 500 || body.n > ONCE_ROOM) {
		o->id = 0;
		return;
	}
	o->busy = false;
	o->status = status;
	o->version = version;
	o->n = (uint32_t)body.n;
	if (body.n > 0)
		memcpy(o->body, body.p, body.n);
}

void visit_text(struct visit *v, unsigned int status, struct view json, uint64_t version)
{
	struct web_answer a = {.status = status, .type = "application/json", .body = json};
	char etag[32];

	if (v->ended)
		return;
	remember(v, status, json, version);
	snprintf(etag, sizeof etag, "\"%llu\"", (unsigned long long)version);
	if (version)
		add(&a, "ETag", etag);
	visit_answer(v, &a);
}

static char room[JSON_ROOM]; /* the portal has one thread */

void visit_json(struct visit *v, unsigned int status, json_t *o)
{
	size_t n = o ? json_dumpb(o, room, sizeof room, JSON_COMPACT) : 0;

	json_decref(o);
	if (n == 0 || n > sizeof room)
		visit_problem(v, 503, "unavailable", "out of memory");
	else
		visit_text(v, status, (struct view){(const uint8_t *)room, n}, 0);
	secret_wipe(room, n < sizeof room ? n : 0);
}

static const char *title_of(unsigned int status)
{
	static const struct {
		unsigned int status;
		const char *title;
	} titles[] = {
	    {400, "Bad request"},
	    {401, "Sign in first"},
	    {403, "Not allowed"},
	    {404, "Not found"},
	    {405, "No such method here"},
	    {409, "Conflict"},
	    {412, "Has changed meanwhile"},
	    {415, "Another type is wanted"},
	    {413, "Too long"},
	    {421, "Not this name"},
	    {422, "Refused by a rule"},
	    {428, "A condition is wanted"},
	    {429, "Too many requests"},
	    {503, "Not now"},
	    {202, "Waits for a second person"},
	};

	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
		if (titles[i].status == status)
			return titles[i].title;
	}
	return "Problem";
}

void visit_problem(struct visit *v, unsigned int status, const char *type, const char *detail)
{
	struct web_answer a = {.status = status, .type = "application/problem+json"};
	char urn[80];
	json_t *o;
	size_t n;

	if (v->ended)
		return;
	snprintf(urn, sizeof urn, "urn:merlon:problem:%s", type);
	o = json_pack("{s:s,s:s,s:i,s:s*}", "type", urn, "title", title_of(status), "status",
		      (int)status, "detail", detail);
	n = o ? json_dumpb(o, room, sizeof room, JSON_COMPACT) : 0;
	json_decref(o);
	a.body = (struct view){(const uint8_t *)room, n <= sizeof room ? n : 0};
	if (status == 429 || status == 503)
		add(&a, "Retry-After", "1");
	if (status == 401)
		add(&a, "WWW-Authenticate", "Bearer realm=\"merlon\"");
	remember(v, status, a.body, 0);
	visit_answer(v, &a);
}

/* --- the keeper --- */

static void replied(void *ctx, uint64_t tag, const struct keep *rep)
{
	struct visit *v = visit_of(ctx, tag);

	if (!v)
		return;
	if (!rep)
		visit_problem(v, 503, "unavailable", "the records cannot be reached");
	else
		v->then(v, rep);
}

static void ask(struct visit *v, enum lane lane, struct keep *req,
		void (*then)(struct visit *v, const struct keep *rep))
{
	struct api *a = v->portal->api;

	v->then = then;
	if (!desk_ask(a->desk, lane, req, replied, a, visit_tag(v)))
		visit_problem(v, 503, "unavailable", "too many requests wait for the records");
}

void visit_keep(struct visit *v, enum lane lane, struct keep *req,
		void (*then)(struct visit *v, const struct keep *rep))
{
	keep_put_text(req, KEEP_ACTOR, view_of(v->who.user));
	keep_put_text(req, KEEP_TENANT, view_of(v->who.tenant));
	ask(v, lane, req, then);
}

void visit_keep_own(struct visit *v, enum lane lane, struct keep *req, const char *user,
		    void (*then)(struct visit *v, const struct keep *rep))
{
	keep_put_text(req, KEEP_ACTOR, view_of(user));
	ask(v, lane, req, then);
}

bool visit_refused(struct visit *v, const struct keep *rep)
{
	static const struct {
		enum err err;
		unsigned int status;
		const char *type;
	} rows[] = {
	    {ERR_VALUE, 400, "value"},	       {ERR_MISSING, 400, "missing"},
	    {ERR_LENGTH, 400, "length"},       {ERR_FULL, 400, "too-much"},
	    {ERR_NOT_FOUND, 404, "not-found"}, {ERR_EXISTS, 409, "exists"},
	    {ERR_REFUSED, 422, "refused"},     {ERR_VERSION, 412, "changed"},
	    {ERR_CORRUPT, 409, "tampered"},    {ERR_NOT_ALLOWED, 400, "value"},
	    {ERR_AGAIN, 503, "unavailable"},
	};
	enum err err = rep->num[KEEP_STATUS] < ERR_COUNT ? (enum err)rep->num[KEEP_STATUS] : ERR_IO;
	char why[256];

	if (err == ERR_OK)
		return false;
	view_text(rep->text[KEEP_REASON], why, sizeof why);
	if (err == ERR_APPROVAL) {
		LOG(LOG_NOTE, "portal.approval_asked", KV("user", (const char *)v->who.user),
		    KV("approval", rep->num[KEEP_APPROVAL]), KV_CLAUSE("R-5.1.f"));
		visit_json(v, 202,
			   json_pack("{s:I,s:s}", "approval", (json_int_t)rep->num[KEEP_APPROVAL],
				     "detail", why));
		return true;
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].err == err) {
			visit_problem(v, rows[i].status, rows[i].type, why);
			return true;
		}
	}
	visit_problem(v, 503, "unavailable", err_text(err));
	return true;
}

static void noted(void *ctx, uint64_t tag, const struct keep *rep)
{
	(void)ctx;
	(void)tag;
	(void)rep;
}

void visit_note(struct visit *v, const char *user, const char *event, const char *text)
{
	struct keep req = {.op = KEEP_NOTE};
	char line[256];

	snprintf(line, sizeof line, "%s%s%s from %s", event, text[0] ? ": " : "", text, v->q->address);
	LOG(LOG_NOTE, "portal.sign_in", KV("user", user), KV("what", event), KV("text", text),
	    KV("address", v->q->address), KV_CLAUSE("R-5.8.4.c"));
	keep_put_text(&req, KEEP_MODE, VIEW("sign-in"));
	keep_put_text(&req, KEEP_KEY, view_of(user));
	keep_put_text(&req, KEEP_HEADER, view_of(line));
	keep_put_text(&req, KEEP_ACTOR, view_of(user));
	if (!desk_ask(v->portal->api->desk, LANE_WRITE, &req, noted, NULL, 0))
		LOG(LOG_ERROR, "portal.not_noted", KV("user", user), KV("what", event));
}

/* --- reading --- */

bool visit_query(const struct visit *v, const char *name, char *to, size_t cap)
{
	uint8_t bytes[WEB_TARGET_MAX];
	struct wr w = {.p = bytes, .cap = sizeof bytes};
	struct form_field f = {.name = name};

	return form_read(v->q->query, &f, 1, &w) == ERR_OK && f.given && view_text(f.value, to, cap) &&
	       f.value.n > 0;
}

const char *visit_field(const struct visit *v, const char *name)
{
	const char *text = json_string_value(json_object_get(v->body, name));

	return text ? text : "";
}

/* --- once --- */

bool visit_once_begin(struct visit *v)
{
	struct api *a = v->portal->api;
	struct view key = web_header(v->call, "Idempotency-Key");
	uint64_t who = hash_view(a->hash_key, view_of(v->who.user)), asked;
	struct once *o;

	if (!(v->route->flags & ROUTE_ONCE) || key.n == 0)
		return true;
	v->once = hash_u64(a->hash_key, who, hash_view(a->hash_key, key)) | 1;
	asked = hash_u64(a->hash_key, hash_view(a->hash_key, v->q->path),
			 hash_view(a->hash_key, v->q->body));
	o = once_of(a, v->once);
	if (o->id != v->once || api_now_s(a) >= o->until_s) {
		*o = (struct once){
		    .id = v->once, .asked = asked, .until_s = api_now_s(a) + 24 * 3600, .busy = true};
		return true;
	}
	v->once = 0; /* what is answered now is not what was */
	if (o->asked != asked)
		visit_problem(v, 422, "idempotency", "this Idempotency-Key was another request's");
	else if (o->busy)
		visit_problem(v, 409, "idempotency", "the same request is under way");
	else if (o->status >= 400)
		visit_answer(v, &(struct web_answer){.status = o->status,
						     .type = "application/problem+json",
						     .body = {o->body, o->n}});
	else
		visit_text(v, o->status, (struct view){o->body, o->n}, o->version);
	return false;
}
