#include "portal/resource.h"

#include "portal/api_in.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_ROWS 50
#define PAGE_MAX 500
#define PAIRS_ROOM 16384

static uint64_t version_in(struct view body)
{
	static const char mark[] = "\"version\":";
	const char *at =
	    body.n > 0 ? memmem(body.p, body.n < 80 ? body.n : 80, mark, sizeof mark - 1) : NULL;

	return at ? strtoull(at + sizeof mark - 1, NULL, 10) : 0;
}

/* --- reading --- */

static void shown(struct visit *v, const struct keep *rep)
{
	uint64_t version;
	char etag[32];

	if (visit_refused(v, rep))
		return;
	version = version_in(rep->text[KEEP_BODY]);
	snprintf(etag, sizeof etag, "\"%llu\"", (unsigned long long)version);
	if (view_eq(web_header(v->call, "If-None-Match"), view_of(etag)))
		visit_answer(v, &(struct web_answer){.status = 304});
	else
		visit_text(v, 200, rep->text[KEEP_BODY], version);
}

static void put_key(struct visit *v, struct keep *req)
{
	keep_put_text(req, KEEP_OBJECT, view_of(model_objects[v->route->object].name));
	keep_put_text(req, KEEP_KEY, v->param[0]);
}

static bool key_fits(struct visit *v)
{
	if (v->param[0].n <= 64)
		return true;
	visit_problem(v, 404, "not-found", "there is none of that key");
	return false;
}

void resource_show(struct visit *v)
{
	struct keep req = {.op = KEEP_GET};

	if (!key_fits(v))
		return;
	put_key(v, &req);
	visit_keep(v, LANE_READ, &req, shown);
}

static void listed(struct visit *v, const struct keep *rep)
{
	static uint8_t page[KEEP_BODY_MAX + 256];
	struct wr w = {.p = page, .cap = sizeof page};

	if (visit_refused(v, rep))
		return;
	wr_view(&w, VIEW("{\"items\":"));
	wr_view(&w, rep->text[KEEP_BODY]);
	wr_view(&w, VIEW(",\"next\":"));
	if (rep->text[KEEP_NEXT].n > 0)
		json_text(&w, rep->text[KEEP_NEXT]);
	else
		wr_view(&w, VIEW("null"));
	wr_view(&w, VIEW("}"));
	visit_text(v, 200, wr_done(&w), 0);
}

/* The query's parameters that are fields of the object are filters: "life=suspended", "imsi=99970*". */
static size_t filters(struct visit *v, struct keep *req, char room[PAIRS_ROOM])
{
	const struct object_row *o = &model_objects[v->route->object];
	size_t at = 0, n = 0;

	for (unsigned int i = o->first; i <= o->last && n < 8; i++) {
		const struct column *c = &model_columns[i];
		char value[256];
		int len;

		if (c->flags & F_HIDE || !visit_query(v, c->name, value, sizeof value))
			continue;
		len = snprintf(room + at, PAIRS_ROOM - at, "%s=%s", c->name, value);
		if (len < 0 || (size_t)len >= PAIRS_ROOM - at)
			break;
		req->pair[req->pair_n++] = (struct view){(uint8_t *)room + at, (size_t)len};
		req->has |= (uint64_t)1 << KEEP_PAIR;
		at += (size_t)len;
		n++;
	}
	return n;
}

/* A page's number of rows; 0: none that is given. */
static uint64_t page_rows(struct visit *v)
{
	char text[16];
	unsigned long long n;

	if (!visit_query(v, "limit", text, sizeof text))
		return PAGE_ROWS;
	n = strtoull(text, NULL, 10);
	return n >= 1 && n <= PAGE_MAX ? n : 0;
}

void resource_list(struct visit *v)
{
	struct keep req = {.op = KEEP_LIST};
	char room[PAIRS_ROOM], after[65], sort[33], find[65];
	uint64_t most = page_rows(v);

	if (most == 0) {
		visit_problem(v, 400, "value", "limit: 1 to 500");
		return;
	}
	keep_put_text(&req, KEEP_OBJECT, view_of(model_objects[v->route->object].name));
	keep_put_num(&req, KEEP_MOST, most);
	filters(v, &req, room);
	if (visit_query(v, "after", after, sizeof after))
		keep_put_text(&req, KEEP_AFTER, view_of(after));
	if (visit_query(v, "sort", sort, sizeof sort))
		keep_put_text(&req, KEEP_SORT, view_of(sort));
	if (visit_query(v, "q", find, sizeof find))
		keep_put_text(&req, KEEP_FIND, view_of(find));
	visit_keep(v, LANE_LIST, &req, listed);
}

static void story(struct visit *v, const struct keep *rep)
{
	listed(v, rep);
}

void resource_history(struct visit *v)
{
	struct keep req = {.op = KEEP_JOURNAL};
	char after[32];

	if (!key_fits(v))
		return;
	put_key(v, &req);
	keep_put_num(&req, KEEP_MOST, PAGE_MAX);
	if (visit_query(v, "after", after, sizeof after))
		keep_put_text(&req, KEEP_AFTER, view_of(after));
	visit_keep(v, LANE_LIST, &req, story);
}

/* --- writing --- */

/* The sessions and keys of the user that was changed are looked at anew (ASVS 8.3.2). */
static void look_again(struct visit *v)
{
	struct api *a = v->portal->api;
	char user[NAME_ROOM];

	if (!view_text(v->param[0], user, sizeof user))
		return;
	for (struct login *l = login_next(a->logins, user, NULL); l; l = login_next(a->logins, user, l))
		l->checked_ms = 0;
	for (size_t i = 0; i < KEYS_SEEN; i++) {
		if (strcmp(a->key[i].who.user, user) == 0)
			a->key[i] = (struct key_seen){0};
	}
}

static void written(struct visit *v, const struct keep *rep)
{
	struct keep req = {.op = KEEP_GET};

	if (visit_refused(v, rep))
		return;
	if (v->route->object == OBJ_USER) /* another role, or none: at the next request of theirs */
		look_again(v);
	put_key(v, &req);
	visit_keep(v, LANE_READ, &req, shown);
}

static void made(struct visit *v, const struct keep *rep)
{
	if (!visit_refused(v, rep))
		visit_text(v, 201, rep->text[KEEP_BODY], version_in(rep->text[KEEP_BODY]));
}

static void make_done(struct visit *v, const struct keep *rep)
{
	struct keep req = {.op = KEEP_GET};

	if (visit_refused(v, rep))
		return;
	put_key(v, &req);
	visit_keep(v, LANE_READ, &req, made);
}

static void deleted(struct visit *v, const struct keep *rep)
{
	if (!visit_refused(v, rep))
		visit_answer(v, &(struct web_answer){.status = 204});
}

/* "a b c": is the name among them? */
static bool among(const char *names, const char *name)
{
	struct view left = view_of(names), w;

	if (names[0] == '*')
		return true;
	while ((w = model_word(&left)).n > 0) {
		if (view_eq(w, view_of(name)))
			return true;
	}
	return false;
}

/* May this person write that field (ASVS 8.2.3)? The key and the tenant say whose it is, and stay. */
static bool may_write(const struct visit *v, const char *name)
{
	return !v->who.tenant[0] || among(v->route->fields, name) ||
	       (v->route->method == WEB_POST && strcmp(name, "tenant") == 0);
}

static int value_text(const json_t *value, char *to, size_t cap)
{
	if (json_is_string(value))
		return strlen(json_string_value(value)) == json_string_length(value)
			   ? snprintf(to, cap, "%s", json_string_value(value))
			   : -1;
	if (json_is_integer(value))
		return snprintf(to, cap, "%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return snprintf(to, cap, "%s", json_is_true(value) ? "yes" : "no");
	return json_is_null(value) ? snprintf(to, cap, "%s", "") : -1;
}

/* The body's fields as "name=value". False: the visit was answered. */
static bool pairs(struct visit *v, struct keep *req, char room[PAIRS_ROOM])
{
	enum object o = v->route->object;
	const char *name;
	json_t *value;
	size_t at = 0;

	json_object_foreach(v->body, name, value)
	{
		int c = model_column(o, view_of(name)), n, head;
		char why[160];

		if (v->route->method != WEB_POST &&
		    (strcmp(name, "id") == 0 || strcmp(name, "version") == 0))
			continue; /* as they were shown */
		if (c == 0 && v->route->method == WEB_POST)
			continue;
		if (c < 0 || model_columns[model_objects[o].first + (unsigned int)c].flags & F_HIDE ||
		    !may_write(v, name) || req->pair_n == KEEP_PAIRS_MAX) {
			snprintf(why, sizeof why, "%.60s: %s", name,
				 c < 0 ? "no such field" : "not yours to write");
			visit_problem(v, c < 0 ? 400 : 403, c < 0 ? "value" : "field", why);
			return false;
		}
		head = snprintf(room + at, PAIRS_ROOM - at, "%s=", name);
		n = value_text(value, room + at + head, PAIRS_ROOM - at - (size_t)head);
		if (n < 0 || (size_t)(n + head) > 1024 || at + (size_t)(head + n) + 1 > PAIRS_ROOM) {
			snprintf(why, sizeof why, "%.60s: not a text, a number or a truth that fits",
				 name);
			visit_problem(v, 400, "value", why);
			return false;
		}
		req->pair[req->pair_n++] = (struct view){(uint8_t *)room + at, (size_t)(head + n)};
		req->has |= (uint64_t)1 << KEEP_PAIR;
		at += (size_t)(head + n);
	}
	return true;
}

/* If-Match: "12" or *. False: the visit was answered. */
bool resource_condition(struct visit *v, struct keep *req)
{
	struct view m = web_header(v->call, "If-Match");
	char text[24];

	if (m.n == 0 || view_eq(m, VIEW("*")))
		return true;
	if (m.n < 3 || m.p[0] != '"' || m.p[m.n - 1] != '"' ||
	    !view_text((struct view){m.p + 1, m.n - 2}, text, sizeof text) ||
	    strspn(text, "0123456789") != strlen(text) || strtoull(text, NULL, 10) == 0) {
		visit_problem(v, 412, "changed", "If-Match: no ETag of ours");
		return false;
	}
	keep_put_num(req, KEEP_VERSION, strtoull(text, NULL, 10));
	return true;
}

void resource_change(struct visit *v)
{
	struct keep req = {.op = KEEP_SET};
	char room[PAIRS_ROOM];

	if (!key_fits(v) || !pairs(v, &req, room) || !resource_condition(v, &req))
		return;
	put_key(v, &req);
	keep_put_text(&req, KEEP_MODE, VIEW("change"));
	visit_keep(v, LANE_WRITE, &req, written);
}

void resource_make(struct visit *v)
{
	resource_make_then(v, make_done);
}

void resource_make_then(struct visit *v, void (*then)(struct visit *v, const struct keep *rep))
{
	struct keep req = {.op = KEEP_SET};
	const char *key_name = model_columns[model_objects[v->route->object].first].name;
	const char *key = visit_field(v, key_name);
	char room[PAIRS_ROOM];
	struct view tenant = VIEW("tenant");

	if (!key[0] || !view_text(view_of(key), v->key, sizeof v->key)) {
		snprintf(room, sizeof room, "%s: missing, or too long", key_name);
		visit_problem(v, 400, "missing", room);
		return;
	}
	if (!pairs(v, &req, room))
		return;
	v->param[0] = view_of(v->key);
	if (v->who.tenant[0] && model_column(v->route->object, tenant) >= 0 &&
	    !visit_field(v, "tenant")[0] && req.pair_n < KEEP_PAIRS_MAX) {
		snprintf(v->note, sizeof v->note, "tenant=%s", v->who.tenant);
		req.pair[req.pair_n++] = view_of(v->note);
		req.has |= (uint64_t)1 << KEEP_PAIR;
	}
	put_key(v, &req);
	keep_put_text(&req, KEEP_MODE, VIEW("create"));
	visit_keep(v, LANE_WRITE, &req, then);
}

void resource_delete(struct visit *v)
{
	struct keep req = {.op = KEEP_DELETE};

	if (!key_fits(v) || !resource_condition(v, &req))
		return;
	put_key(v, &req);
	visit_keep(v, LANE_WRITE, &req, deleted);
}
