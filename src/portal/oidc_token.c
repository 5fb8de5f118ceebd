/* The token end point (RFC 6749 4.4). A device authenticates with the key that it has bootstrapped for
 * us: HTTP Digest, the B-TID as user name, base64 of Ks_NAF as password (TS 33.222, TS 24.109 5.2). */
#include "portal/portal_in.h"

#include "base/base64.h"
#include "base/log.h"
#include "base/metric.h"
#include "crypto/gba.h"
#include "wire/form.h"
#include "wire/http_auth.h"

#include <stdio.h>
#include <time.h>

#define REALM "3GPP-bootstrapping@" /* TS 24.109 5.2.2: then the application's name */

enum outcome { OUT_ISSUED, OUT_CHALLENGED, OUT_WRONG, OUT_REFUSED, OUT_MALFORMED, OUT_NO_HOME };

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* SHA-256 first: a client takes the first that it knows (RFC 7616 3.7). */
static void challenge(struct portal *p, struct web_call *call, bool stale, enum outcome o)
{
	char nonce[NONCE_TEXT], sha[640], md5[640];
	const char *form =
	    "Digest realm=\"" REALM "%s\", nonce=\"%s\", algorithm=%s, qop=\"auth,auth-int\"%s";

	nonce_put(&p->nonce_key, now_us(), nonce);
	snprintf(sha, sizeof sha, form, p->naf_name, nonce, "SHA-256", stale ? ", stale=true" : "");
	snprintf(md5, sizeof md5, form, p->naf_name, nonce, "MD5", stale ? ", stale=true" : "");
	metric_add(M_PORTAL_TOKENS, o, 1);
	web_answer(call, &(struct web_answer){
			     .status = 401,
			     .body = VIEW("sign on with a bootstrapped key (TS 33.222)\n"),
			     .header = {{"WWW-Authenticate", sha}, {"WWW-Authenticate", md5}}});
}

static bool password_fits(const struct web_request *q, const struct http_auth *a,
			  const struct secret32 *key)
{
	const struct view *v = a->param;
	char text[48], want[HTTP_DIGEST_TEXT];
	struct wr w = {.p = (uint8_t *)text, .cap = sizeof text};
	struct http_digest d = {.username = v[AUTH_USERNAME],
				.realm = v[AUTH_REALM],
				.method = q->method_name,
				.uri = v[AUTH_URI],
				.nonce = v[AUTH_NONCE],
				.nc = v[AUTH_NC],
				.cnonce = v[AUTH_CNONCE],
				.qop = v[AUTH_QOP],
				.body = q->body};
	bool fits;

	d.hash = view_eq_case(v[AUTH_ALGORITHM], VIEW("SHA-256")) ? HTTP_SHA256 : HTTP_MD5;
	base64_put(&w, (struct view){key->b, sizeof key->b});
	d.password = wr_done(&w);
	fits = http_digest(&d, want) == ERR_OK && v[AUTH_RESPONSE].n == strlen(want) &&
	       secret_eq(v[AUTH_RESPONSE].p, want, strlen(want));
	secret_wipe(text, sizeof text);
	return fits;
}

static bool count_of(struct view nc, uint32_t *n)
{
	char text[9], *end;

	if (nc.n != 8 || !view_text(nc, text, sizeof text))
		return false;
	*n = (uint32_t)strtoul(text, &end, 16);
	return !*end && *n > 0 && text[0] != '-' && text[0] != '+' && text[0] != ' ';
}

/* Is it as we asked, but for the password? */
static bool whole(const struct portal *p, const struct web_request *q, const struct http_auth *a)
{
	const struct view *v = a->param;
	char realm[320];

	snprintf(realm, sizeof realm, REALM "%s", p->naf_name);
	return view_eq(v[AUTH_REALM], view_of(realm)) && view_eq(v[AUTH_URI], q->target) &&
	       v[AUTH_USERNAME].n > 0 && v[AUTH_USERNAME].n < SESSION_BTID && v[AUTH_CNONCE].n > 0 &&
	       (v[AUTH_ALGORITHM].n == 0 || view_eq_case(v[AUTH_ALGORITHM], VIEW("MD5")) ||
		view_eq_case(v[AUTH_ALGORITHM], VIEW("SHA-256")));
}

static json_t *claims_of(struct portal *p, const struct platform *at, uint64_t imsi, uint64_t now)
{
	char sub[OIDC_SUB];

	oidc_sub(&p->keys, view_of(at->sector), imsi, sub);
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:s}", "iss", p->issuer, "sub", sub, "aud", at->name,
			 "iat", (json_int_t)now, "exp", (json_int_t)(now + p->conf.token_s), "acr",
			 "sim");
}

/* Two tokens: one to show at the platform, one that tells it who signed on (OpenID Connect Core 2). */
static void issue(struct portal *p, struct web_call *call, const struct platform *at, uint64_t imsi,
		  struct view nonce)
{
	uint64_t now = portal_now_s(p);
	json_t *a = claims_of(p, at, imsi, now), *i = claims_of(p, at, imsi, now);
	char access[TOKEN_ROOM], id[TOKEN_ROOM], jti[OIDC_ID];
	bool ok = a && i && oidc_id(&p->keys, imsi, jti) == ERR_OK &&
		  json_object_set_new(a, "jti", json_string(jti)) == 0 &&
		  json_object_set_new(a, "client_id", json_string(at->name)) == 0;

	if (ok && nonce.n > 0)
		json_object_set_new(i, "nonce", json_stringn((const char *)nonce.p, nonce.n));
	ok = oidc_sign(p, "at+jwt", a, access) == ERR_OK && ok;
	ok = oidc_sign(p, "JWT", i, id) == ERR_OK && ok;
	if (!ok) {
		oidc_refuse(call, 503, "temporarily_unavailable", "no token can be made now");
		return;
	}
	metric_add(M_PORTAL_TOKENS, OUT_ISSUED, 1);
	LOG(LOG_NOTE, "portal.token_issued", kv_id("imsi", imsi), KV("platform", (const char *)at->name),
	    KV_CLAUSE("R-3.1.h"));
	oidc_json(call, 200,
		  json_pack("{s:s,s:s,s:s,s:I,s:s}", "access_token", access, "id_token", id,
			    "token_type", "Bearer", "expires_in", (json_int_t)p->conf.token_s, "scope",
			    "openid"));
	secret_wipe(access, sizeof access);
	secret_wipe(id, sizeof id);
}

/* Authenticated: what does it want? */
static void grant(struct portal *p, struct web_call *call, const struct web_request *q,
		  struct session *s)
{
	struct form_field f[] = {{.name = "grant_type"}, {.name = "audience"}, {.name = "nonce"}};
	uint8_t text[PORTAL_BODY];
	struct wr room = {.p = text, .cap = sizeof text};
	const struct platform *at;
	const char *why;

	if (!oidc_form(call, q, f, 3, &room))
		return;
	if (!view_eq(f[0].value, VIEW("client_credentials")) || f[2].value.n > 128) {
		oidc_refuse(call, 400, "unsupported_grant_type",
			    "grant_type=client_credentials&audience=PLATFORM");
		return;
	}
	at = platforms_find(p->platforms, f[1].value);
	why = at ? oidc_may(p, s->k.imsi, at) : "no such platform";
	if (!why) {
		issue(p, call, at, s->k.imsi, f[2].value);
		return;
	}
	metric_add(M_PORTAL_TOKENS, OUT_REFUSED, 1);
	LOG(LOG_NOTE, "portal.token_refused", kv_id("imsi", s->k.imsi), KV("platform", f[1].value),
	    KV("why", why), KV_CLAUSE("R-3.1.h"));
	oidc_refuse(call, 403, "access_denied", "not for this device and this platform");
}

/* The key is here. Hashed first, counted then: what anybody could send moves nothing. */
static void signed_on(struct portal *p, struct web_call *call, const struct web_request *q,
		      const struct http_auth *a, struct session *s)
{
	uint64_t at = nonce_get(&p->nonce_key, a->param[AUTH_NONCE], now_us());
	uint32_t nc;

	if (!count_of(a->param[AUTH_NC], &nc) || !password_fits(q, a, &s->k.key)) {
		LOG(LOG_NOTE, "portal.wrong_key", kv_id("imsi", s->k.imsi), KV("address", q->address),
		    KV_CLAUSE("R-3.1.h"));
		challenge(p, call, false, OUT_WRONG);
	} else if (!at || !session_count(s, at, nc, portal_now_s(p))) {
		challenge(p, call, true, OUT_CHALLENGED);
	} else {
		grant(p, call, q, s);
	}
}

void oidc_token(struct portal *p, struct web_call *call, const struct web_request *q)
{
	struct http_auth a;
	struct session *s;
	uint32_t serial;

	if (q->authorization.n == 0) {
		challenge(p, call, false, OUT_CHALLENGED);
		return;
	}
	if (http_auth_digest(q->authorization, &a) || !whole(p, q, &a)) {
		metric_add(M_PORTAL_TOKENS, OUT_MALFORMED, 1);
		oidc_refuse(call, 400, "invalid_request", "not as the challenge asks (RFC 7616)");
		return;
	}
	if (!nonce_get(&p->nonce_key, a.param[AUTH_NONCE], now_us())) {
		challenge(p, call, true, OUT_CHALLENGED);
		return;
	}
	s = sessions_find(p->sessions, a.param[AUTH_USERNAME], portal_now_s(p));
	if (s) {
		signed_on(p, call, q, &a, s);
		return;
	}
	serial = portal_wait(p, call, WAITS_KEY);
	if (naf_ask(p->naf, a.param[AUTH_USERNAME], web_place(call), serial))
		return;
	p->waiter[web_place(call)].for_what = WAITS_NOT;
	metric_add(M_PORTAL_TOKENS, OUT_NO_HOME, 1);
	oidc_refuse(call, 503, "temporarily_unavailable", "the bootstrapping server is not reached");
}

/* Home has answered. A B-TID that it does not know any more: bootstrap again (TS 24.109 5.2.5). */
void oidc_token_key(void *ctx, uint32_t place, uint32_t serial, uint32_t result,
		    const struct naf_key *key)
{
	struct portal *p = ctx;
	struct waiter *w = &p->waiter[place % PORTAL_CONN];
	const struct web_request *q;
	struct session *s;
	struct http_auth a;

	if (w->for_what != WAITS_KEY || w->serial != serial)
		return;
	w->for_what = WAITS_NOT;
	if (result == 3002) {
		metric_add(M_PORTAL_TOKENS, OUT_NO_HOME, 1);
		oidc_refuse(w->call, 503, "temporarily_unavailable",
			    "the bootstrapping server does not answer");
		return;
	}
	q = web_request_of(w->call);
	if (result != 2001 || http_auth_digest(q->authorization, &a)) {
		challenge(p, w->call, false, OUT_WRONG);
		return;
	}
	s = sessions_put(p->sessions, a.param[AUTH_USERNAME], key, portal_now_s(p));
	if (s)
		signed_on(p, w->call, q, &a, s);
	else
		oidc_refuse(w->call, 503, "temporarily_unavailable", "too many sign on at once");
}
