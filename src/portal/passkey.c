/* Passkeys (WebAuthn level 2): what browsers and authenticators send is verified by libfido2. ES256
 * alone, the person verified each time; so that one passkey is both factors (R-5.8.6.a). */
#include "portal/account.h"
#include "portal/attestation.h"

#include "base/base64.h"
#include "base/log.h"
#include "portal/route.h"

#include <fido.h>
#include <fido/es256.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define CHALLENGE_S 120
#define CHALLENGE 32
#define ID_MAX 256
#define DATA_MAX 2048
#define PK_BYTES 64

/* --- challenges: a time, something random, and a MAC that binds them to a purpose and a session --- */

static void challenge_mac(const struct visit *v, const char *purpose, uint8_t b[CHALLENGE])
{
	static const uint8_t nobody[LOGIN_ID];
	const uint8_t *whose = v->login ? v->login->id : nobody;
	crypto_auth_hmacsha256_state s;
	uint8_t mac[crypto_auth_hmacsha256_BYTES];

	crypto_auth_hmacsha256_init(&s, v->portal->api->mac.b, 32);
	crypto_auth_hmacsha256_update(&s, b, 16);
	crypto_auth_hmacsha256_update(&s, whose, LOGIN_ID);
	crypto_auth_hmacsha256_update(&s, (const uint8_t *)purpose, strlen(purpose));
	crypto_auth_hmacsha256_final(&s, mac);
	memcpy(b + 16, mac, CHALLENGE - 16);
}

static bool challenge_new(const struct visit *v, const char *purpose, char to[64])
{
	uint8_t b[CHALLENGE];
	struct wr w = {.p = b, .cap = sizeof b};
	struct wr text = {.p = (uint8_t *)to, .cap = 63};

	wr_be(&w, api_now_s(v->portal->api), 8);
	if (random_bytes(b + 8, 8))
		return false;
	challenge_mac(v, purpose, b);
	base64url_put(&text, (struct view){b, sizeof b});
	to[text.n] = 0;
	return true;
}

/* Ours, of the last two minutes, and never seen before. */
static bool challenge_good(const struct visit *v, const char *purpose, const char *text)
{
	struct api *a = v->portal->api;
	uint8_t b[CHALLENGE], want[CHALLENGE];
	struct wr w = {.p = b, .cap = sizeof b};
	uint64_t at = 0, id, now = api_now_s(a);

	if (base64_get(view_of(text), true, &w) || w.n != CHALLENGE)
		return false;
	memcpy(want, b, sizeof want);
	challenge_mac(v, purpose, want);
	for (size_t i = 0; i < 8; i++)
		at = at << 8 | b[i];
	if (!secret_eq(b, want, sizeof b) || now < at || now - at > CHALLENGE_S)
		return false;
	id = hash_view(a->hash_key, (struct view){b, sizeof b});
	for (size_t i = 0; i < sizeof a->challenge_used / sizeof *a->challenge_used; i++) {
		if (a->challenge_used[i] == id)
			return false;
	}
	a->challenge_used[a->challenge_at++ % (sizeof a->challenge_used / sizeof *a->challenge_used)] =
	    id;
	return true;
}

/* --- the relying party is the host's name --- */

static bool rp_of(struct visit *v, char rp[128])
{
	struct view host = web_header(v->call, "Host");
	const uint8_t *colon = memchr(host.p, ':', host.n);
	char *dot;

	if (host.p[0] == '[' ||
	    !view_text(view_first(host, colon ? (size_t)(colon - host.p) : host.n), rp, 128) ||
	    ((dot = strrchr(rp, '.')) && dot[1] >= '0' && dot[1] <= '9')) {
		visit_problem(v, 422, "passkey",
			      "a passkey belongs to a name, not to an address: use localhost");
		return false;
	}
	return true;
}

/* What the browser signed: of this kind, for our challenge, from our page. */
static bool client_data_good(const struct visit *v, const char *type, const char *purpose,
			     struct view data)
{
	json_t *o = json_loadb((const char *)data.p, data.n, 0, NULL);
	const char *is = json_string_value(json_object_get(o, "type")),
		   *challenge = json_string_value(json_object_get(o, "challenge")),
		   *origin = json_string_value(json_object_get(o, "origin"));
	struct view host = web_header(v->call, "Host");
	bool good = is && challenge && origin && strcmp(is, type) == 0 &&
		    !json_is_true(json_object_get(o, "crossOrigin")) && strlen(origin) == host.n + 8 &&
		    strncmp(origin, "https://", 8) == 0 && view_eq_case(view_of(origin + 8), host) &&
		    challenge_good(v, purpose, challenge);

	json_decref(o);
	return good;
}

/* A field of base64url; false: it is none, or too long. */
static bool octets(const struct visit *v, const char *field, struct wr *w)
{
	return base64_get(view_of(visit_field(v, field)), true, w) == ERR_OK && w->n > 0;
}

static void name_of(struct view id, char name[NAME_ROOM])
{
	uint8_t hash[32];

	crypto_hash_sha256(hash, id.p, id.n);
	name[0] = 'p';
	sodium_bin2hex(name + 1, NAME_ROOM - 1, hash, 20);
}

/* --- enrolling --- */

static json_t *known_ids(const struct credentials *all)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->n; i++) {
		const char *id = all->at[i].kind == CRED_PASSKEY ? strchr(all->at[i].text, ' ') : NULL;

		if (id)
			json_array_append_new(list, json_pack("{s:s,s:s%}", "type", "public-key", "id",
							      id + 1, strcspn(id + 1, " ")));
	}
	return list;
}

static void enrol_known(struct visit *v, struct credentials *all)
{
	char rp[128], challenge[64], user[32];
	uint8_t handle[16];
	struct wr w = {.p = (uint8_t *)user, .cap = sizeof user - 1};

	if (!visit_login(v) || !rp_of(v, rp))
		return;
	crypto_generichash(handle, sizeof handle, (const uint8_t *)v->who.user, strlen(v->who.user),
			   v->portal->api->seal.b, 32);
	base64url_put(&w, (struct view){handle, sizeof handle});
	user[w.n] = 0;
	if (!challenge_new(v, "create", challenge)) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return;
	}
	snprintf(v->login->enrol, sizeof v->login->enrol, "passkey %.63s",
		 visit_field(v, "label")[0] ? visit_field(v, "label") : "passkey");
	visit_json(v, 200,
		   json_pack("{s:s,s:{s:s,s:s},s:{s:s,s:s,s:s},s:[{s:s,s:i}],s:i,s:o,s:{s:s,s:s},s:s}",
			     "challenge", challenge, "rp", "id", rp, "name", "Merlon", "user", "id",
			     user, "name", v->who.user, "displayName", v->who.user, "pubKeyCredParams",
			     "type", "public-key", "alg", COSE_ES256, "timeout", CHALLENGE_S * 1000,
			     "excludeCredentials", known_ids(all), "authenticatorSelection",
			     "residentKey", "preferred", "userVerification", "required", "attestation",
			     "none"));
}

void passkey_enrol(struct visit *v)
{
	if (account_may_enrol(v))
		credentials_get(v, v->who.user, enrol_known);
}

static void kept(struct visit *v, const struct keep *rep)
{
	if (visit_refused(v, rep) || !visit_login(v))
		return;
	v->login->factors |= 1u << CRED_PASSKEY;
	account_proven(v, "passkey enrolled");
}

/* Authenticator data: of our name, the person there and verified, with a key that libfido2 takes. */
static bool read_new(struct view data, const char *rp, struct credential *c)
{
	fido_cred_t *cred = fido_cred_new();
	uint8_t hash[32];
	struct wr w = {.p = (uint8_t *)c->text, .cap = CRED_TEXT - 1};
	bool good;

	crypto_hash_sha256(hash, (const uint8_t *)rp, strlen(rp));
	good = cred && data.n > 37 && memcmp(data.p, hash, 32) == 0 && (data.p[32] & 0x45) == 0x45 &&
	       fido_cred_set_type(cred, COSE_ES256) == FIDO_OK &&
	       fido_cred_set_rp(cred, rp, "Merlon") == FIDO_OK &&
	       fido_cred_set_authdata_raw(cred, data.p, data.n) == FIDO_OK &&
	       fido_cred_pubkey_len(cred) == PK_BYTES && fido_cred_id_len(cred) > 0 &&
	       fido_cred_id_len(cred) <= ID_MAX;
	if (good) {
		struct view id = {fido_cred_id_ptr(cred), fido_cred_id_len(cred)};

		wr_view(&w, view_of(rp));
		wr_view(&w, VIEW(" "));
		base64url_put(&w, id);
		wr_view(&w, VIEW(" "));
		base64url_put(&w, (struct view){fido_cred_pubkey_ptr(cred), PK_BYTES});
		c->text[w.err ? 0 : w.n] = 0;
		c->counter = fido_cred_sigcount(cred);
		name_of(id, c->name);
	}
	fido_cred_free(&cred);
	return good && !w.err;
}

void passkey_enrol_take(struct visit *v)
{
	uint8_t client[DATA_MAX], object[ATTESTATION_MAX], data[DATA_MAX];
	struct wr wc = {.p = client, .cap = sizeof client}, wo = {.p = object, .cap = sizeof object};
	struct wr wd = {.p = data, .cap = sizeof data};
	struct credential c = {.kind = CRED_PASSKEY};
	char rp[128];

	if (!account_may_enrol(v) || !rp_of(v, rp))
		return;
	if (strncmp(v->login->enrol, "passkey ", 8) != 0) {
		visit_problem(v, 409, "enrol", "first POST /api/v1/me/passkey");
		return;
	}
	snprintf(c.label, sizeof c.label, "%.63s", v->login->enrol + 8);
	if (!octets(v, "client_data", &wc) || !octets(v, "attestation", &wo) ||
	    !client_data_good(v, "webauthn.create", "create", wr_done(&wc)) ||
	    attestation_read(wr_done(&wo), &wd) || !read_new(wr_done(&wd), rp, &c)) {
		account_disproven(v, "passkey enrolment");
		return;
	}
	credential_make(v, v->who.user, &c, kept);
}

/* --- proving --- */

static void challenge_say(struct visit *v, struct credentials *all)
{
	char rp[128], challenge[64];
	json_t *o;

	if ((all && !visit_login(v)) || !rp_of(v, rp))
		return;
	if (!challenge_new(v, "get", challenge)) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return;
	}
	o = json_pack("{s:s,s:s,s:i,s:s}", "challenge", challenge, "rpId", rp, "timeout",
		      CHALLENGE_S * 1000, "userVerification", "required");
	if (o && all) /* to a stranger we name nobody's: a passkey knows whose it is */
		json_object_set_new(o, "allowCredentials", known_ids(all));
	visit_json(v, 200, o);
}

void passkey_ask(struct visit *v)
{
	if (v->login)
		credentials_get(v, v->who.user, challenge_say);
	else
		challenge_say(v, NULL);
}

/* The signature, by the key that was enrolled. */
static bool signature_good(const struct visit *v, const struct credential *c, struct view client,
			   const char *rp, uint32_t *count)
{
	uint8_t data[DATA_MAX], sig[256], pk[PK_BYTES], hash[32];
	struct wr wd = {.p = data, .cap = sizeof data}, ws = {.p = sig, .cap = sizeof sig};
	struct wr wp = {.p = pk, .cap = sizeof pk};
	const char *id = strchr(c->text, ' '), *key = id ? strchr(id + 1, ' ') : NULL;
	fido_assert_t *a = fido_assert_new();
	es256_pk_t *p = es256_pk_new();
	bool good;

	crypto_hash_sha256(hash, client.p, client.n);
	good = a && p && key && strncmp(c->text, rp, strlen(rp)) == 0 && c->text[strlen(rp)] == ' ' &&
	       base64_get(view_of(key + 1), true, &wp) == ERR_OK && wp.n == PK_BYTES &&
	       octets(v, "authenticator_data", &wd) && octets(v, "signature", &ws) &&
	       es256_pk_from_ptr(p, pk, PK_BYTES) == FIDO_OK && fido_assert_set_rp(a, rp) == FIDO_OK &&
	       fido_assert_set_clientdata_hash(a, hash, sizeof hash) == FIDO_OK &&
	       fido_assert_set_count(a, 1) == FIDO_OK &&
	       fido_assert_set_authdata_raw(a, 0, data, wd.n) == FIDO_OK &&
	       fido_assert_set_sig(a, 0, sig, ws.n) == FIDO_OK &&
	       fido_assert_set_up(a, FIDO_OPT_TRUE) == FIDO_OK &&
	       fido_assert_set_uv(a, FIDO_OPT_TRUE) == FIDO_OK &&
	       fido_assert_verify(a, 0, COSE_ES256, p) == FIDO_OK;
	*count = good ? fido_assert_sigcount(a, 0) : 0;
	es256_pk_free(&p);
	fido_assert_free(&a);
	return good;
}

static void refuse(struct visit *v, const char *why)
{
	if (v->login) {
		account_disproven(v, why);
		return;
	}
	LOG(LOG_NOTE, "portal.sign_in", KV("what", "passkey refused"), KV("text", why),
	    KV("address", v->q->address), KV_CLAUSE("R-5.8.6.a"));
	visit_problem(v, 401, "credentials",
		      "this passkey is not known here, or its answer does not fit");
}

static void counted(struct visit *v, const struct keep *rep)
{
	if (rep->num[KEEP_STATUS] == ERR_VERSION)
		refuse(v, "used twice");
	else if (!visit_refused(v, rep))
		account_proven(v, "passkey");
}

/* It is theirs, and a session is there: the counter moves, then it counts. */
static void count_it(struct visit *v)
{
	struct credential *c = (struct credential *)(void *)v->note;

	credential_put(v, v->key, c, counted);
}

static void user_known(struct visit *v, const struct keep *rep)
{
	struct person who = {0};

	if (!account_read(rep, &who.role, who.tenant)) {
		refuse(v, "the user may not in");
		return;
	}
	snprintf(who.user, sizeof who.user, "%.47s", v->key);
	if (account_begin(v, &who))
		count_it(v);
}

static void get_user(struct visit *v)
{
	struct keep req = {.op = KEEP_GET};

	keep_put_text(&req, KEEP_OBJECT, VIEW("user"));
	keep_put_text(&req, KEEP_KEY, view_of(v->key));
	visit_keep_own(v, LANE_READ, &req, v->key, user_known);
}

static void found(struct visit *v, const struct keep *rep)
{
	struct credential *c = (struct credential *)(void *)v->note;
	uint8_t client[DATA_MAX];
	struct wr w = {.p = client, .cap = sizeof client};
	char rp[128];
	uint32_t count;

	_Static_assert(sizeof *c <= sizeof v->note - 16, "a credential fits");
	v->login = v->who.user[0] ? login_of(v->portal->api->logins, v->login_id) : NULL;
	if (!rp_of(v, rp))
		return;
	if (rep->num[KEEP_STATUS] != ERR_OK || !credential_read(v, rep, c) || c->kind != CRED_PASSKEY ||
	    (v->login && strcmp(v->login->who.user, v->key) != 0) || !octets(v, "client_data", &w) ||
	    !client_data_good(v, "webauthn.get", "get", wr_done(&w)) ||
	    !signature_good(v, c, wr_done(&w), rp, &count)) {
		refuse(v, "passkey");
		return;
	}
	if ((count > 0 || c->counter > 0) && count <= c->counter) {
		LOG(LOG_ERROR, "portal.passkey_cloned", KV("user", (const char *)v->key),
		    KV("was", (uint64_t)c->counter), KV("is", (uint64_t)count),
		    KV("address", v->q->address), KV_CLAUSE("R-5.8.6.a"));
		refuse(v, "its counter went back: there may be two of it");
		return;
	}
	c->counter = count;
	if (v->login)
		count_it(v);
	else
		get_user(v);
}

void passkey_take(struct visit *v)
{
	struct keep req = {.op = KEEP_GET};
	uint8_t id[ID_MAX];
	struct wr w = {.p = id, .cap = sizeof id};
	char name[NAME_ROOM];

	if (!octets(v, "id", &w)) {
		refuse(v, "no id");
		return;
	}
	name_of(wr_done(&w), name);
	keep_put_text(&req, KEEP_OBJECT, VIEW("credential"));
	keep_put_text(&req, KEEP_KEY, view_of(name));
	keep_put_text(&req, KEEP_MODE, VIEW("secret"));
	visit_keep_own(v, LANE_READ, &req, name, found);
}
