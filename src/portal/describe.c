/* The API in the words of OpenAPI 3.1: from the rows of route.tab and records/model.tab, so that it
 * cannot say otherwise than the portal does. */
#include "portal/route.h"

#include <stdio.h>

static json_t *type_of(const struct column *c)
{
	json_t *t = json_object();

	json_object_set_new(t, "description", json_string(c->help));
	switch (c->kind) {
	case K_NUM:
		json_object_set_new(t, "type", json_string("integer"));
		json_object_set_new(t, "minimum", json_integer(c->min));
		json_object_set_new(t, "maximum", json_integer(c->max));
		break;
	case K_FLAG:
		json_object_set_new(t, "type", json_string("boolean"));
		break;
	case K_TEXT:
	case K_DIG:
	case K_ENUM:
	case K_BITS:
	case K_TIME:
	case K_REF:
	case K_DIGS:
	case K_NETS:
	case K_HOST:
	case K_IMEI:
	case K_APN:
	case K_REACH:
		json_object_set_new(t, "type", json_string("string"));
		break;
	}
	if (c->kind == K_TEXT || c->kind == K_DIG)
		json_object_set_new(t, "maxLength", json_integer(c->max));
	if (c->kind == K_ENUM) {
		json_t *names = json_array();

		for (const char *p = c->names; *p;) {
			size_t n = strcspn(p, "|");

			if (n > 0)
				json_array_append_new(names, json_stringn(p, n));
			p += n + (p[n] == '|');
		}
		if (!(c->flags & F_NEED))
			json_array_append_new(names, json_string(""));
		json_object_set_new(t, "enum", names);
	}
	return t;
}

static json_t *schema_of(enum object o)
{
	const struct object_row *row = &model_objects[o];
	json_t *fields =
	    json_pack("{s:{s:s},s:{s:s}}", "id", "type", "integer", "version", "type", "integer");

	for (unsigned int i = row->first; i <= row->last; i++) {
		if (!(model_columns[i].flags & F_HIDE))
			json_object_set_new(fields, model_columns[i].name, type_of(&model_columns[i]));
	}
	return json_pack("{s:s,s:s,s:o}", "type", "object", "description", row->help, "properties",
			 fields);
}

static json_t *schema_ref(enum object o)
{
	char text[64];

	snprintf(text, sizeof text, "#/components/schemas/%s", model_objects[o].name);
	return json_pack("{s:s}", "$ref", text);
}

/* "name name? ..." */
static json_t *body_of(const struct route *r)
{
	json_t *fields = json_object(), *need = json_array();
	struct view left = view_of(r->body), w;

	if (r->body[0] == '@') {
		json_decref(fields);
		json_decref(need);
		return schema_ref(r->object);
	}
	while ((w = model_word(&left)).n > 0) {
		bool may = w.p[w.n - 1] == '?';
		json_t *name = json_stringn((const char *)w.p, w.n - may);

		json_object_set_new(fields, json_string_value(name),
				    json_pack("{s:s}", "type", "string"));
		if (may)
			json_decref(name);
		else
			json_array_append_new(need, name);
	}
	return json_pack("{s:s,s:o,s:o,s:b}", "type", "object", "properties", fields, "required", need,
			 "additionalProperties", 0);
}

static void add_parameters(const struct route *r, json_t *op)
{
	static const char *const of_list[] = {"limit", "after", "sort", "q"};
	json_t *list = json_array();
	bool is_list = r->method == WEB_GET && r->object != OBJ_N && !strchr(r->path, '{');

	if (strstr(r->path, "{id}"))
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:b,s:{s:s}}", "name", "id", "in", "path",
						"required", 1, "schema", "type", "string"));
	for (size_t i = 0; is_list && i < sizeof of_list / sizeof *of_list; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:{s:s}}", "name", of_list[i], "in",
						      "query", "schema", "type", "string"));
	if (r->flags & ROUTE_ONCE)
		json_array_append_new(list, json_pack("{s:s,s:s,s:{s:s}}", "name", "Idempotency-Key",
						      "in", "header", "schema", "type", "string"));
	if (r->method == WEB_PATCH || (r->method == WEB_DELETE && r->object != OBJ_N))
		json_array_append_new(list, json_pack("{s:s,s:s,s:{s:s}}", "name", "If-Match", "in",
						      "header", "schema", "type", "string"));
	json_object_set_new(op, "parameters", list);
}

/* What of the row OpenAPI has no words for: x-merlon, which the authorisation matrix of the tests reads.
 */
static json_t *limits_of(const struct route *r)
{
	static const char *const scopes[] = {"read", "write", "bulk", "events", "audit", ""};
	static const char *const roles =
	    "operator-admin|security-engineer|noc-viewer|compliance-officer|"
	    "tenant-admin|tenant-engineer|tenant-viewer|";
	json_t *who = json_array();
	const char *p = roles;

	for (unsigned int role = 0; role < ROLE_N; role++) {
		size_t n = strcspn(p, "|");

		if (r->roles >> role & 1)
			json_array_append_new(who, json_stringn(p, n));
		p += n + 1;
	}
	return json_pack("{s:o,s:b,s:s,s:b,s:b,s:s}", "roles", who, "open", r->roles == 0, "scope",
			 scopes[r->scope], "step_up", (r->flags & ROUTE_STEP) != 0, "half",
			 (r->flags & ROUTE_HALF) != 0, "tenant_writes", r->fields);
}

static json_t *operation(const struct route *r)
{
	json_t *op =
	    json_pack("{s:s,s:s,s:o,s:{s:{s:s},s:{s:s,s:{s:{s:{s:s}}}}}}", "operationId", r->id,
		      "summary", r->help, "x-merlon", limits_of(r), "responses", "2XX", "description",
		      "done", "default", "description", "a problem (RFC 9457)", "content",
		      "application/problem+json", "schema", "$ref", "#/components/schemas/problem");

	add_parameters(r, op);
	if (r->body[0])
		json_object_set_new(op, "requestBody",
				    json_pack("{s:b,s:{s:{s:o}}}", "required", 1, "content",
					      r->flags & ROUTE_RAW ? "text/csv" : "application/json",
					      "schema", body_of(r)));
	if (r->roles == 0)
		json_object_set_new(op, "security", json_array());
	return op;
}

static json_t *components(void)
{
	json_t *schemas = json_object();

	for (enum object o = 0; o < OBJ_N; o++)
		json_object_set_new(schemas, model_objects[o].name, schema_of(o));
	json_object_set_new(schemas, "problem",
			    json_pack("{s:s,s:{s:{s:s},s:{s:s},s:{s:s},s:{s:s}}}", "type", "object",
				      "properties", "type", "type", "string", "title", "type", "string",
				      "status", "type", "integer", "detail", "type", "string"));
	return json_pack("{s:o,s:{s:{s:s,s:s,s:s},s:{s:s,s:s}}}", "schemas", schemas, "securitySchemes",
			 "session", "type", "apiKey", "in", "cookie", "name", "__Host-merlon", "api-key",
			 "type", "http", "scheme", "bearer");
}

json_t *route_describe(const char *server)
{
	json_t *paths = json_object();

	for (const struct route *r = routes; r < routes + route_n; r++) {
		json_t *path = json_object_get(paths, r->path);
		char method[8] = "";

		if (r->closed)
			continue;
		if (!path) {
			path = json_object();
			json_object_set_new(paths, r->path, path);
		}
		for (size_t i = 0; i + 1 < sizeof method && route_method(r->method)[i]; i++)
			method[i] = (char)(route_method(r->method)[i] | 0x20);
		json_object_set_new(path, method, operation(r));
	}
	return json_pack(
	    "{s:s,s:{s:s,s:s,s:s},s:[{s:s}],s:[{s:[]},{s:[]}],s:o,s:o}", "openapi", "3.1.0", "info",
	    "title", "Merlon", "version", "1", "description",
	    "The portal's API. Generated from src/portal/route.tab and src/records/model.tab.",
	    "servers", "url", server, "security", "session", "api-key", "paths", paths, "components",
	    components());
}
