/* Ub: HTTP Digest with AKA (TS 24.109 4, RFC 3310). Two requests: the device names its IMPI and is
 * challenged with RAND and AUTN; its answer is hashed with RES over the whole exchange (qop auth-int).
 */
#include "home/bsf_in.h"

#include "base/base64.h"
#include "base/log.h"
#include "base/metric.h"
#include "crypto/gba.h"
#include "wire/http_auth.h"

#include <stdio.h>
#include <time.h>

enum outcome {
	OUT_CHALLENGED,
	OUT_BOOTSTRAPPED,
	OUT_WRONG,
	OUT_RESYNC,
	OUT_REFUSED,
	OUT_LIMITED,
	OUT_MALFORMED
};

#define NONCE_TEXT 48 /* base64 of RAND and AUTN, NUL */
#define AUTN_N 16

struct ub {
	struct bsf *b;
	struct web_call *call;
	const struct web_request *q;
	struct http_auth auth;
	uint64_t imsi, now_ms, now_s;
};

static void clocks(struct ub *u)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	u->now_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	clock_gettime(CLOCK_REALTIME, &t);
	u->now_s = (uint64_t)t.tv_sec;
}

static void refuse(const struct ub *u, enum outcome o, unsigned int status, struct view text)
{
	metric_add(M_HOME_GBA, o, 1);
	web_answer(u->call,
		   &(struct web_answer){.status = status,
					.body = text,
					.header = {{status == 429 ? "Retry-After" : NULL, "60"}}});
}

static void nonce_of(const struct aka_vector *v, char to[NONCE_TEXT])
{
	struct wr w = {.p = (uint8_t *)to, .cap = NONCE_TEXT - 1};
	uint8_t both[32];

	memcpy(both, v->rand, 16);
	memcpy(both + 16, v->autn, AUTN_N);
	base64_put(&w, (struct view){both, sizeof both});
	to[w.n] = 0;
}

static void challenge(const struct ub *u, const struct aka_vector *v, enum outcome o)
{
	char nonce[NONCE_TEXT], header[512];

	nonce_of(v, nonce);
	snprintf(header, sizeof header,
		 "Digest realm=\"%s\", nonce=\"%s\", algorithm=AKAv1-MD5, qop=\"auth-int\"", u->b->name,
		 nonce);
	metric_add(M_HOME_GBA, o, 1);
	web_answer(u->call, &(struct web_answer){.status = 401,
						 .body = VIEW("prove your SIM (RFC 3310)\n"),
						 .header = {{"WWW-Authenticate", header}}});
}

/* Nobody learns which IMSIs there are: unknown and not permitted are one answer. */
static void refuse_subscriber(const struct ub *u, enum result r)
{
	LOG(LOG_NOTE, "home.gba_refused", kv_id("imsi", u->imsi), KV("result", result_rows[r].text),
	    KV("address", u->q->address), KV_CLAUSE("R-3.1.h"));
	if (r == RESULT_NO_VECTORS || r == RESULT_UNABLE)
		refuse(u, OUT_REFUSED, 503, VIEW("not now\n"));
	else
		refuse(u, OUT_REFUSED, 403, VIEW("this subscription may not bootstrap\n"));
}

/* One challenge stands until it is answered or is old: asking again costs no sequence number, and takes
 * from nobody the challenge that he is about to answer. */
static bool challenged_before(const struct ub *u, bool *limited)
{
	struct aka_vector v = {0};
	struct bsf_sub *s;
	bool stands;

	pthread_mutex_lock(&u->b->lock);
	s = bsf_table_sub(u->b->table, u->imsi, false);
	stands = s && bsf_table_stands(s, u->now_ms);
	if (stands)
		v = s->v;
	*limited = s && !stands && !bsf_table_allow(s, u->b->conf.a_minute, u->now_ms);
	pthread_mutex_unlock(&u->b->lock);
	if (stands)
		challenge(u, &v, OUT_CHALLENGED);
	secret_wipe(&v, sizeof v);
	return stands;
}

static void keep_challenge(const struct ub *u, const struct aka_vector *v)
{
	struct bsf_sub *s;

	pthread_mutex_lock(&u->b->lock);
	s = bsf_table_sub(u->b->table, u->imsi, true);
	if (s->refilled_ms == 0 && !bsf_table_allow(s, u->b->conf.a_minute, u->now_ms))
		s->tokens = 0; /* a new slot's first; a limit of none a minute is none */
	s->v = *v;
	s->asked_ms = u->now_ms;
	pthread_mutex_unlock(&u->b->lock);
}

static void ask_challenge(const struct ub *u, struct bsf_ask *a, enum outcome o)
{
	a->imsi = u->imsi;
	a->vector = true;
	if (!bsf_ask(u->b, a)) {
		refuse(u, OUT_REFUSED, 503, VIEW("stopping\n"));
	} else if (a->result) {
		refuse_subscriber(u, a->result);
	} else {
		keep_challenge(u, &a->v);
		challenge(u, &a->v, o);
	}
	secret_wipe(a, sizeof *a);
}

static void first(const struct ub *u)
{
	struct bsf_ask a = {0};
	bool limited = false;

	if (challenged_before(u, &limited))
		return;
	if (limited)
		refuse(u, OUT_LIMITED, 429, VIEW("too often\n"));
	else
		ask_challenge(u, &a, OUT_CHALLENGED);
}

/* What the device hashed, with this password. */
static bool response_fits(const struct ub *u, struct view password)
{
	const struct view *p = u->auth.param;
	struct http_digest d = {.username = p[AUTH_USERNAME],
				.realm = p[AUTH_REALM],
				.password = password,
				.method = u->q->method_name,
				.uri = p[AUTH_URI],
				.nonce = p[AUTH_NONCE],
				.nc = p[AUTH_NC],
				.cnonce = p[AUTH_CNONCE],
				.qop = p[AUTH_QOP],
				.body = u->q->body};
	char want[HTTP_DIGEST_TEXT];

	return http_digest(&d, want) == ERR_OK && p[AUTH_RESPONSE].n == strlen(want) &&
	       secret_eq(p[AUTH_RESPONSE].p, want, strlen(want));
}

static void btid_of(const struct ub *u, const uint8_t rand[16], char to[320])
{
	char text[32];
	struct wr w = {.p = (uint8_t *)text, .cap = sizeof text - 1};

	base64_put(&w, (struct view){rand, 16});
	text[w.n] = 0;
	snprintf(to, 320, "%s@%s", text, u->b->name);
}

/* The server's own proof: over its body, with the same RES (RFC 7616 3.5). */
static void answer_ok(const struct ub *u, const struct aka_vector *v)
{
	const struct view *p = u->auth.param;
	time_t expires = (time_t)(u->now_s + u->b->conf.lifetime_s);
	char btid[320], until[32], body[640], proof[HTTP_DIGEST_TEXT], header[512];
	struct http_digest d = {.username = p[AUTH_USERNAME],
				.realm = p[AUTH_REALM],
				.password = {v->xres, v->xres_n},
				.uri = p[AUTH_URI],
				.nonce = p[AUTH_NONCE],
				.nc = p[AUTH_NC],
				.cnonce = p[AUTH_CNONCE],
				.qop = p[AUTH_QOP]};
	struct tm t;

	btid_of(u, v->rand, btid);
	strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&expires, &t));
	snprintf(body, sizeof body,
		 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BootstrappingInfo xmlns=\"uri:3gpp-gba\">"
		 "<btid>%s</btid><lifetime>%s</lifetime></BootstrappingInfo>\n",
		 btid, until);
	d.body = view_of(body);
	if (http_digest(&d, proof) != ERR_OK) {
		refuse(u, OUT_REFUSED, 503, VIEW("not now\n"));
		return;
	}
	snprintf(header, sizeof header, "qop=auth-int, rspauth=\"%s\", cnonce=\"%.*s\", nc=%.8s", proof,
		 (int)p[AUTH_CNONCE].n, (const char *)p[AUTH_CNONCE].p, (const char *)p[AUTH_NC].p);
	metric_add(M_HOME_GBA, OUT_BOOTSTRAPPED, 1);
	LOG(LOG_NOTE, "home.gba_bootstrapped", kv_id("imsi", u->imsi), KV("address", u->q->address),
	    KV("lifetime_s", (uint64_t)u->b->conf.lifetime_s), KV_CLAUSE("R-3.1.h"));
	web_answer(u->call, &(struct web_answer){.status = 200,
						 .type = "application/vnd.3gpp.bsf+xml",
						 .body = view_of(body),
						 .header = {{"Authentication-Info", header}}});
}

/* The challenge that the nonce is of, if it stands; its vector is copied. */
static bool standing(const struct ub *u, struct aka_vector *v)
{
	char nonce[NONCE_TEXT];
	const struct bsf_sub *s;
	bool ours;

	pthread_mutex_lock(&u->b->lock);
	s = bsf_table_sub(u->b->table, u->imsi, false);
	ours = s && bsf_table_stands(s, u->now_ms);
	if (ours)
		*v = s->v;
	pthread_mutex_unlock(&u->b->lock);
	if (!ours)
		return false;
	nonce_of(v, nonce);
	return view_eq(u->auth.param[AUTH_NONCE], view_of(nonce));
}

/* Right: the challenge is used up in the moment that it becomes a session, so no answer counts twice. */
static void agree(const struct ub *u, const struct aka_vector *v)
{
	struct bsf_ask a = {.imsi = u->imsi};
	struct bsf_sub *s;
	bool agreed;

	if (!bsf_ask(u->b, &a) || a.result) {
		bsf_withdraw(u->b, u->imsi);
		refuse_subscriber(u, a.result ? a.result : RESULT_UNABLE);
		return;
	}
	pthread_mutex_lock(&u->b->lock);
	s = bsf_table_sub(u->b->table, u->imsi, false);
	agreed = s && s->asked_ms != 0 && memcmp(s->v.rand, v->rand, 16) == 0;
	if (agreed)
		bsf_table_agree(u->b->table, s, u->now_s, u->b->conf.lifetime_s);
	pthread_mutex_unlock(&u->b->lock);
	if (agreed)
		answer_ok(u, v);
	else
		first(u);
}

/* The card's sequence number is another (RFC 3310 3.4): hashed without a password, proven by MAC-S. */
static void resync(const struct ub *u, const struct aka_vector *v)
{
	struct bsf_ask a = {.resync = true};
	struct wr w = {.p = a.rand_auts, .cap = sizeof a.rand_auts};
	bool allowed;

	wr_view(&w, (struct view){v->rand, 16});
	if (base64_get(u->auth.param[AUTH_AUTS], false, &w) != ERR_OK || w.n != sizeof a.rand_auts ||
	    !response_fits(u, VIEW(""))) {
		refuse(u, OUT_MALFORMED, 400,
		       VIEW("auts: 14 octets in base64, hashed with an empty password\n"));
		return;
	}
	pthread_mutex_lock(&u->b->lock);
	allowed =
	    bsf_table_allow(bsf_table_sub(u->b->table, u->imsi, true), u->b->conf.a_minute, u->now_ms);
	pthread_mutex_unlock(&u->b->lock);
	if (allowed)
		ask_challenge(u, &a, OUT_RESYNC);
	else
		refuse(u, OUT_LIMITED, 429, VIEW("too often\n"));
}

static void second(const struct ub *u)
{
	struct aka_vector v = {0};

	if (!standing(u, &v)) {
		first(u); /* used, old, or never ours */
	} else if (u->auth.given[AUTH_AUTS]) {
		resync(u, &v);
	} else if (response_fits(u, (struct view){v.xres, v.xres_n})) {
		agree(u, &v);
	} else {
		LOG(LOG_NOTE, "home.gba_wrong", kv_id("imsi", u->imsi), KV("address", u->q->address),
		    KV_CLAUSE("R-3.1.h"));
		challenge(u, &v, OUT_WRONG);
	}
	secret_wipe(&v, sizeof v);
}

/* Everything that a second request must have, as we asked for it. A challenge is answered once: nc is 1.
 */
static bool answers(const struct ub *u)
{
	const struct view *p = u->auth.param;

	return view_eq_case(p[AUTH_ALGORITHM], VIEW("AKAv1-MD5")) &&
	       view_eq(p[AUTH_QOP], VIEW("auth-int")) && view_eq(p[AUTH_NC], VIEW("00000001")) &&
	       p[AUTH_CNONCE].n > 0 && p[AUTH_CNONCE].n <= 128 && view_eq(p[AUTH_URI], u->q->target);
}

void bsf_ub(void *ctx, struct web_call *call, const struct web_request *q)
{
	struct ub u = {.b = ctx, .call = call, .q = q};
	const struct view *p = u.auth.param;

	clocks(&u);
	if (!view_eq(q->path, VIEW("/"))) {
		refuse(&u, OUT_MALFORMED, 404, VIEW("the bootstrapping server is at /\n"));
		return;
	}
	if (q->method != WEB_GET) {
		refuse(&u, OUT_MALFORMED, 405, VIEW("GET only (TS 24.109 4.2)\n"));
		return;
	}
	if (http_auth_digest(q->authorization, &u.auth) || !u.auth.given[AUTH_USERNAME]) {
		refuse(&u, OUT_MALFORMED, 400,
		       VIEW("Authorization: Digest username=\"IMPI\" is needed (RFC 3310)\n"));
		return;
	}
	u.imsi = bsf_imsi(p[AUTH_USERNAME], u.b->own_plmn);
	if (!u.imsi || !view_eq_case(p[AUTH_REALM], view_of(u.b->name))) {
		refuse(&u, OUT_REFUSED, 403, VIEW("this subscription may not bootstrap\n"));
		return;
	}
	if (p[AUTH_NONCE].n == 0)
		first(&u);
	else if (answers(&u))
		second(&u);
	else
		refuse(&u, OUT_MALFORMED, 400, VIEW("not as the challenge asks (RFC 3310 3.3)\n"));
}
