/* The provider's pages: which there are, and the two that are the same for everybody (OpenID Connect
 * Discovery 3, RFC 7517). */
#include "portal/portal_in.h"

#include "wire/form.h"

#include <stdio.h>
#include <stdlib.h>

void oidc_json(struct web_call *call, unsigned int status, json_t *o)
{
	static char text[3 * RELAY_BODY]; /* the portal has one thread */
	size_t n = o ? json_dumpb(o, text, sizeof text, JSON_COMPACT) : 0;

	json_decref(o);
	if (n == 0 || n > sizeof text)
		web_answer(call, &(struct web_answer){.status = 503, .body = VIEW("out of memory\n")});
	else
		web_answer(call, &(struct web_answer){.status = status,
						      .type = "application/json",
						      .body = {(const uint8_t *)text, n},
						      .header = {{"Pragma", "no-cache"}}});
}

void oidc_refuse(struct web_call *call, unsigned int status, const char *error, const char *why)
{
	oidc_json(call, status, json_pack("{s:s,s:s}", "error", error, "error_description", why));
}

bool oidc_form(struct web_call *call, const struct web_request *q, struct form_field *f, size_t n,
	       struct wr *room)
{
	static const struct view type = VIEW_INIT("application/x-www-form-urlencoded");

	if (view_eq_case(view_first(q->type, type.n), type) && form_read(q->body, f, n, room) == ERR_OK)
		return true;
	oidc_refuse(call, 400, "invalid_request",
		    "a form (application/x-www-form-urlencoded), each field once");
	return false;
}

static void discovery(struct portal *p, struct web_call *call, const struct web_request *q)
{
	const char *is = p->issuer;

	(void)q;
	oidc_json(call, 200,
		  json_pack("{s:s,s:s+,s:s+,s:s+,s:[s],s:[s],s:[s],s:[s],s:[s],s:[s],s:[s,s,s,s,s,s]}",
			    "issuer", is, "jwks_uri", is, "/jwks", "token_endpoint", is, "/token",
			    "introspection_endpoint", is, "/introspect", "response_types_supported",
			    "token", "grant_types_supported", "client_credentials",
			    "subject_types_supported", "pairwise",
			    "id_token_signing_alg_values_supported", "ES256", "scopes_supported",
			    "openid", "introspection_endpoint_auth_methods_supported", "private_key_jwt",
			    "claims_supported", "iss", "sub", "aud", "exp", "iat", "acr"));
}

static void jwks(struct portal *p, struct web_call *call, const struct web_request *q)
{
	uint8_t room[OIDC_KEYS * 400 + 32];
	struct wr w = {.p = room, .cap = sizeof room};

	(void)q;
	wr_view(&w, VIEW("{\"keys\":["));
	for (size_t i = 0; i < p->keys.n; i++) {
		wr_view(&w, i > 0 ? VIEW(",") : VIEW(""));
		jws_key_jwk(p->keys.key[i], &w);
	}
	wr_view(&w, VIEW("]}"));
	web_answer(call, &(struct web_answer){
			     .status = 200, .type = "application/jwk-set+json", .body = wr_done(&w)});
}

static const struct page {
	enum web_method method;
	const char *path; /* ending in / : all below it */
	void (*answer)(struct portal *p, struct web_call *call, const struct web_request *q);
} pages[] = {
    {WEB_GET, "/.well-known/openid-configuration", discovery},
    {WEB_GET, "/jwks", jwks},
    {WEB_POST, "/token", oidc_token},
    {WEB_POST, "/introspect", oidc_introspect},
    {WEB_POST, "/relay/take", oidc_relay_take},
    {WEB_POST, "/relay/acknowledge", oidc_relay_ack},
    {WEB_POST, "/relay/to/", oidc_relay_send},
    {WEB_GET, "/relay/receipt/", oidc_relay_status},
};

static bool is_at(const struct page *g, struct view path)
{
	size_t n = strlen(g->path);

	if (g->path[n - 1] == '/')
		return path.n > n && memcmp(path.p, g->path, n) == 0;
	return view_eq(path, view_of(g->path));
}

bool oidc_is_at(struct view path)
{
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
		if (is_at(&pages[i], path))
			return true;
	}
	return false;
}

void oidc_request(void *ctx, struct web_call *call, const struct web_request *q)
{
	struct portal *p = ctx;
	bool known = false;

	if (q->body.n > OIDC_BODY) {
		web_answer(call, &(struct web_answer){.status = 413, .body = VIEW("body too long\n")});
		return;
	}
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
		/* Without devices that sign on, our keys are still what annexes are verified with. */
		if (!is_at(&pages[i], q->path) || (!p->naf && pages[i].answer != jwks))
			continue;
		known = true;
		if (pages[i].method != q->method)
			continue;
		if (serving_renew(p->read, loop_now(p->loop)) == ERR_CORRUPT)
			p->leaving = true; /* another file than before: begin anew */
		pages[i].answer(p, call, q);
		return;
	}
	web_answer(
	    call, &(struct web_answer){.status = known ? 405 : 404,
				       .body = known ? VIEW("method not allowed\n")
						     : VIEW("see /.well-known/openid-configuration\n")});
}
