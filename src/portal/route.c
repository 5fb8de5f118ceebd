/* The table of endpoints, in full, and how a path finds its row. */
#include "portal/route.h"

#include "portal/resource.h"

#define A ROLE_BIT(ROLE_OPERATOR_ADMIN)
#define S ROLE_BIT(ROLE_SECURITY)
#define N ROLE_BIT(ROLE_NOC)
#define C ROLE_BIT(ROLE_COMPLIANCE)
#define TA ROLE_BIT(ROLE_TENANT_ADMIN)
#define TE ROLE_BIT(ROLE_TENANT_ENGINEER)
#define TV ROLE_BIT(ROLE_TENANT_VIEWER)
#define OPS (A | S | N | C)
#define TENANTS (TA | TE | TV)
#define ALL (OPS | TENANTS)
#define NOBODY 0

#define POST WEB_POST
#define GET WEB_GET
#define PUT WEB_PUT
#define PATCH WEB_PATCH
#define DELETE WEB_DELETE
#define HALF ROUTE_HALF
#define STEP ROUTE_STEP
#define ONCE ROUTE_ONCE
#define RAW ROUTE_RAW
#define LIVE ROUTE_LIVE

const struct route routes[] = {
#define ROUTE(id, method, path, who, scope, flags, object, body, handler, help)                         \
	{#id, method, path, who, false, scope, flags, object, body, "*", handler, help},
#define ROW(id, what, method, path, who, scope, flags, object, body, fields, handler, help)             \
	{#id "_" what, method, path, who, (who) == 0, scope, flags, object, body, fields, handler, help},
#define RESOURCE(id, path, object, read, make, change, drop, flags, fields)                             \
	ROW(id, "LIST", GET, path, read, KEY_READ, 0, object, "", "", resource_list, "a page of them")  \
	ROW(id, "MAKE", POST, path, make, KEY_WRITE, ONCE | (flags), object, "@object", fields,         \
	    resource_make, "make one")                                                                  \
	ROW(id, "SHOW", GET, path "/{id}", read, KEY_READ, 0, object, "", "", resource_show,            \
	    "one of them")                                                                              \
	ROW(id, "CHANGE", PATCH, path "/{id}", change, KEY_WRITE, flags, object, "@object", fields,     \
	    resource_change, "change fields of one; If-Match: only if it is as it was")                 \
	ROW(id, "DELETE", DELETE, path "/{id}", drop, KEY_WRITE, STEP, object, "", fields,              \
	    resource_delete, "delete one")                                                              \
	ROW(id, "HISTORY", GET, path "/{id}/history", read, KEY_READ, 0, object, "", "",                \
	    resource_history, "what was done to one since it was made, from the journal")
#include "portal/route.tab"
#undef ROUTE
#undef ROW
#undef RESOURCE
};
const size_t route_n = sizeof routes / sizeof *routes;

const char *route_method(enum web_method m)
{
	static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "?"};

	return names[m <= WEB_OTHER ? m : WEB_OTHER];
}

static int hex(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* A part of a path, decoded behind what the room has. What decodes to a slash, a dot alone, or a control
 * character is no part of ours. */
static bool decode(struct view part, struct wr *room, struct view *to)
{
	size_t at = room->n;

	for (size_t i = 0; i < part.n; i++) {
		int c = part.p[i];

		if (c == '%') {
			int high = i + 2 < part.n ? hex(part.p[i + 1]) : -1,
			    low = high < 0 ? -1 : hex(part.p[i + 2]);

			if (low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
			return false;
		wr_be(room, (uint64_t)c, 1);
	}
	*to = (struct view){room->p + at, room->n - at};
	return !room->err && to->n > 0 && !view_eq(*to, VIEW(".")) && !view_eq(*to, VIEW(".."));
}

static struct view part_of(struct view *left)
{
	const uint8_t *end = left->n > 0 ? memchr(left->p, '/', left->n) : NULL;
	size_t n = end ? (size_t)(end - left->p) : left->n;
	struct view part = view_first(*left, n);

	n += end != NULL;
	*left = (struct view){left->p + n, left->n - n};
	return part;
}

static bool is_at(const struct route *r, struct view path, struct visit *v)
{
	struct view want = view_of(r->path);
	struct wr room = {.p = (uint8_t *)v->path_room, .cap = sizeof v->path_room};
	size_t params = 0;

	if (path.n < 2 || path.p[path.n - 1] == '/' || path.p[1] != want.p[1]) /* most end here */
		return false;
	while (want.n > 0 && path.n > 0) {
		struct view a = part_of(&want), b = part_of(&path);

		if (a.n > 0 && a.p[0] == '{') {
			if (params == VISIT_PARAMS || !decode(b, &room, &v->param[params++]))
				return false;
		} else if (!view_eq(a, b)) {
			return false;
		}
	}
	return want.n == 0 && path.n == 0;
}

static bool has_method(const struct route *r, enum web_method method)
{
	return r->method == method || (method == WEB_HEAD && r->method == WEB_GET);
}

const struct route *route_find(enum web_method method, struct view path, struct visit *v,
			       unsigned int *others)
{
	*others = 0;
	for (const struct route *r = routes; r < routes + route_n; r++) {
		if (!r->closed && has_method(r, method) && is_at(r, path, v))
			return r;
	}
	for (const struct route *r = routes; r < routes + route_n; r++) {
		if (!r->closed && is_at(r, path, v))
			*others |= 1u << r->method;
	}
	return NULL;
}
