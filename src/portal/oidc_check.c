/* Who is who: devices by the tokens that we gave them, platforms by what they sign. The subscription's
 * state counts each time, from the serving copy: a token ends with it. */
#include "portal/portal_in.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/metric.h"
#include "judge/binding.h"
#include "wire/form.h"

#include <stdio.h>

#define ASSERTION_S 300 /* the longest that a platform's assertion may live */
#define SKEW_S 30	/* clocks differ */
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const char *oidc_may(struct portal *p, uint64_t imsi, const struct platform *at)
{
	const struct sub_row *sub;
	const struct profile_row *profile;

	if (!serving_valid(p->read, loop_now(p->loop)))
		return "the records cannot be read now";
	sub = imsi ? p->book->sub(p->book->ctx, imsi) : NULL;
	profile = sub ? p->book->profile(p->book->ctx, sub->profile) : NULL;
	if (!sub || !profile || (sub->life != LIFE_ACTIVE && sub->life != LIFE_TEST_READY))
		return "the subscription is not active";
	if (binding_grey(sub, portal_now_s(p)))
		return "the subscription is on the grey list";
	if (!(profile->services & SERVICE_GBA))
		return "the profile does not allow it";
	return sub->tenant == at->tenant ? NULL : "the platform is another tenant's";
}

enum err oidc_sign(struct portal *p, const char *typ, json_t *claims, char to[TOKEN_ROOM])
{
	char header[160], *text = claims ? json_dumps(claims, JSON_COMPACT) : NULL;
	struct wr w = {.p = (uint8_t *)to, .cap = TOKEN_ROOM - 1};
	enum err err = ERR_IO;

	snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":\"%s\",\"kid\":\"%s\"}", typ,
		 jws_key_id(p->keys.key[0]));
	if (text)
		err = jws_sign(p->keys.key[0], view_of(header), view_of(text), &w);
	to[err ? 0 : w.n] = 0;
	free(text);
	json_decref(claims);
	return err;
}

static bool is_now(const struct portal *p, const json_t *claims)
{
	int64_t now = (int64_t)portal_now_s(p), exp = jws_num(claims, "exp"),
		iat = jws_num(claims, "iat");

	return exp > now && iat <= now + SKEW_S;
}

static enum err check_bearer(struct portal *p, const struct platform *at, struct oidc_bearer *to)
{
	const json_t *c = to->jws.claims;
	const struct jws_key *k = oidc_keys_find(&p->keys, jws_text(to->jws.header, "kid"));

	if (!k || jws_verify(k, &to->jws) || !view_eq(jws_text(to->jws.header, "typ"), VIEW("at+jwt")) ||
	    !view_eq(jws_text(c, "iss"), view_of(p->issuer)))
		return ERR_KEY;
	to->at = platforms_find(p->platforms, jws_text(c, "aud"));
	if (!is_now(p, c) || !to->at || (at && at != to->at))
		return ERR_REFUSED;
	to->imsi = oidc_id_imsi(&p->keys, jws_text(c, "jti"));
	return oidc_may(p, to->imsi, to->at) ? ERR_REFUSED : ERR_OK;
}

enum err oidc_bearer(struct portal *p, struct view token, const struct platform *at,
		     struct oidc_bearer *to)
{
	enum err err;

	memset(to, 0, sizeof *to);
	err = jws_read(token, &to->jws);
	if (err)
		return err;
	err = check_bearer(p, at, to);
	if (err)
		jws_drop(&to->jws);
	return err;
}

/* Once: its name is remembered until it ends. Only a platform's own signature can take a place here. */
static bool unused(struct portal *p, const struct platform *at, struct view jti, int64_t until)
{
	uint8_t text[256];
	struct wr w = {.p = text, .cap = sizeof text};
	uint64_t hash, now = portal_now_s(p);

	wr_view(&w, view_of(at->name));
	wr_view(&w, VIEW(" "));
	wr_view(&w, jti);
	if (w.err || jti.n == 0)
		return false;
	hash = hash_view(p->used_key, wr_done(&w));
	for (size_t i = 0; i < USED_MAX; i++) {
		if (p->used[i].hash == hash && now < p->used[i].until_s)
			return false;
	}
	if (now < p->used[p->used_at].until_s)
		return false; /* more in five minutes than we can remember: none is taken twice */
	p->used[p->used_at] = (struct used){hash, (uint64_t)until + SKEW_S};
	p->used_at = (p->used_at + 1) % USED_MAX;
	return true;
}

static const struct platform *client_of(struct portal *p, const struct jws *j)
{
	struct view name = jws_text(j->claims, "iss");
	const struct platform *at = platforms_find(p->platforms, name);
	int64_t exp = jws_num(j->claims, "exp");

	if (!at || !at->key || jws_verify(at->key, j) || !view_eq(jws_text(j->claims, "sub"), name) ||
	    !view_eq(jws_text(j->claims, "aud"), view_of(p->issuer)) || !is_now(p, j->claims) ||
	    exp > (int64_t)portal_now_s(p) + ASSERTION_S)
		return NULL;
	return unused(p, at, jws_text(j->claims, "jti"), exp) ? at : NULL;
}

const struct platform *oidc_client(struct portal *p, struct view type, struct view assertion)
{
	const struct platform *at;
	struct jws j;

	if (!view_eq(type, VIEW(ASSERTION_TYPE)) || jws_read(assertion, &j) != ERR_OK)
		return NULL;
	at = client_of(p, &j);
	jws_drop(&j);
	return at;
}

enum { TOLD_ACTIVE, TOLD_INACTIVE, TOLD_UNAUTHORIZED };

/* RFC 7662. What is not active is said without a reason. */
void oidc_introspect(struct portal *p, struct web_call *call, const struct web_request *q)
{
	struct form_field f[] = {
	    {.name = "token"}, {.name = "client_assertion_type"}, {.name = "client_assertion"}};
	static uint8_t text[PORTAL_BODY];
	struct wr room = {.p = text, .cap = sizeof text};
	const struct platform *at;
	struct oidc_bearer b;

	if (!oidc_form(call, q, f, 3, &room))
		return;
	at = oidc_client(p, f[1].value, f[2].value);
	if (!at) {
		metric_add(M_PORTAL_INTROSPECTED, TOLD_UNAUTHORIZED, 1);
		LOG(LOG_NOTE, "portal.client_refused", KV("address", q->address), KV_CLAUSE("R-3.1.h"));
		oidc_refuse(call, 401, "invalid_client",
			    "a client_assertion signed with the platform's key, once");
		return;
	}
	if (oidc_bearer(p, f[0].value, at, &b) != ERR_OK) {
		metric_add(M_PORTAL_INTROSPECTED, TOLD_INACTIVE, 1);
		oidc_json(call, 200, json_pack("{s:b}", "active", 0));
		return;
	}
	metric_add(M_PORTAL_INTROSPECTED, TOLD_ACTIVE, 1);
	json_object_set_new(b.jws.claims, "active", json_true());
	json_object_set_new(b.jws.claims, "client_id", json_string(at->name));
	json_object_set_new(b.jws.claims, "token_type", json_string("Bearer"));
	oidc_json(call, 200, json_incref(b.jws.claims));
	jws_drop(&b.jws);
}
