/* Which endpoint a path is, and the description of all of them. */
#pragma once
#include "portal/api.h"

/* What handlers there are is what the rows name. */
#define ROUTE(id, method, path, who, scope, flags, object, body, handler, help)                        \
	void handler(struct visit *v);
#define RESOURCE(...)
#include "portal/route.tab"
#undef ROUTE
#undef RESOURCE

/* The row of that method and path (below /api/v1); its {parts} into v. NULL: none; `*others`: bits of the
 * methods that the path has. */
const struct route *route_find(enum web_method method, struct view path, struct visit *v,
			       unsigned int *others);
const char *route_method(enum web_method m);
/* OpenAPI 3.1, of the rows and of records/model.tab. The caller's. */
json_t *route_describe(const char *server);
