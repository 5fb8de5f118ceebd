/* Credentials as records: their text sealed (XChaCha20-Poly1305) under a key of the portal's own and
 * bound to user, kind and number, so that whoever reads or moves rows of the records has nothing. */
#include "portal/api_in.h"

#include "base/base64.h"
#include "crypto/crypto.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES

static const char *const kinds[] = {"password", "totp", "passkey", "recovery", "invitation"};

static size_t bound_to(const char *user, const char *name, enum cred_kind kind, char to[160])
{
	return (size_t)snprintf(to, 160, "%s\n%s\n%s", user, kinds[kind], name);
}

static bool seal(const struct api *a, const char *user, const struct credential *c, char to[1001])
{
	uint8_t box[NONCE + CRED_TEXT + TAG];
	struct wr w = {.p = (uint8_t *)to, .cap = 1000};
	unsigned long long n = 0;
	char ad[160];
	size_t ad_n = bound_to(user, c->name, c->kind, ad);

	if (random_bytes(box, NONCE))
		return false;
	crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, &n, (const uint8_t *)c->text,
						   strlen(c->text), (const uint8_t *)ad, ad_n, NULL, box,
						   a->seal.b);
	base64url_put(&w, (struct view){box, NONCE + (size_t)n});
	to[w.n] = 0;
	return w.err == ERR_OK;
}

static bool unseal(const struct api *a, const char *user, struct view data, struct credential *c)
{
	uint8_t box[NONCE + CRED_TEXT + TAG];
	struct wr w = {.p = box, .cap = sizeof box};
	unsigned long long n = 0;
	char ad[160];
	size_t ad_n = bound_to(user, c->name, c->kind, ad);

	if (base64_get(data, true, &w) || w.n < NONCE + TAG ||
	    crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)c->text, &n, NULL, box + NONCE,
						       w.n - NONCE, (const uint8_t *)ad, ad_n, box,
						       a->seal.b) != 0)
		return false;
	c->text[n] = 0;
	return true;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *t = json_string_value(json_object_get(o, name));

	return t ? t : "";
}

static bool read_one(const struct api *a, const char *user, const json_t *o, struct credential *c)
{
	unsigned int kind = 0;
	struct row r;
	struct say s;

	*c = (struct credential){0};
	while (kind <= CRED_INVITE && strcmp(kinds[kind], text_of(o, "kind")) != 0)
		kind++;
	if (kind > CRED_INVITE || strcmp(text_of(o, "user"), user) != 0 ||
	    json_is_true(json_object_get(o, "tampered")))
		return false;
	c->kind = kind;
	snprintf(c->name, sizeof c->name, "%s", text_of(o, "name"));
	snprintf(c->label, sizeof c->label, "%s", text_of(o, "label"));
	c->counter = (uint32_t)json_integer_value(json_object_get(o, "counter"));
	c->version = (uint64_t)json_integer_value(json_object_get(o, "version"));
	row_init(&r, OBJ_CREDENTIAL);
	if (row_set(&r, COL_CRED_UNTIL - COL_CRED_NAME, view_of(text_of(o, "until")), &s) == ERR_OK)
		c->until_s = (uint64_t)row_at(&r, COL_CRED_UNTIL)->num;
	if (c->until_s && api_now_s(a) >= c->until_s)
		return false;
	return unseal(a, user, view_of(text_of(o, "data")), c);
}

static void got(struct visit *v, const struct keep *rep)
{
	static struct credentials all; /* the portal has one thread */
	struct view b = rep->text[KEEP_BODY];
	void (*then)(struct visit * v, struct credentials * all);
	json_t *list, *o;
	size_t i;

	memcpy(&then, v->note + sizeof v->note - sizeof then, sizeof then);
	if (visit_refused(v, rep))
		return;
	list = json_loadb((const char *)b.p, b.n, 0, NULL);
	all.n = 0;
	json_array_foreach(list, i, o)
	{
		if (all.n < CREDS_MAX && read_one(v->portal->api, v->key, o, &all.at[all.n]))
			all.n++;
	}
	json_decref(list);
	then(v, &all);
	secret_wipe(&all, sizeof all);
}

void credentials_get(struct visit *v, const char *user,
		     void (*then)(struct visit *v, struct credentials *all))
{
	struct keep req = {.op = KEEP_LIST};
	char pair[64];

	snprintf(v->key, sizeof v->key, "%s", user);
	snprintf(pair, sizeof pair, "user=%s", user);
	memcpy(v->note + sizeof v->note - sizeof then, &then, sizeof then);
	keep_put_text(&req, KEEP_OBJECT, VIEW("credential"));
	keep_put_text(&req, KEEP_MODE, VIEW("secret"));
	keep_put_num(&req, KEEP_MOST, CREDS_MAX);
	req.pair[0] = view_of(pair);
	req.pair_n = 1;
	req.has |= (uint64_t)1 << KEEP_PAIR;
	visit_keep_own(v, LANE_READ, &req, user, got);
}

const struct credential *credentials_find(const struct credentials *all, enum cred_kind kind)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->at[i].kind == kind)
			return &all->at[i];
	}
	return NULL;
}

uint32_t credentials_kinds(const struct credentials *all)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < all->n; i++)
		bits |= 1u << all->at[i].kind;
	return bits;
}

static void name_new(char to[NAME_ROOM])
{
	uint8_t b[12] = {0};

	if (random_bytes(b, sizeof b) == ERR_OK)
		sodium_bin2hex(to, NAME_ROOM, b, sizeof b);
}

static void put(struct visit *v, const char *user, struct credential *c, bool fresh,
		void (*then)(struct visit *v, const struct keep *rep))
{
	struct keep req = {.op = KEEP_SET};
	char pair[7][1100], data[1001];

	if (!c->name[0] || !seal(v->portal->api, user, c, data)) {
		visit_problem(v, 503, "unavailable", "no random numbers");
		return;
	}
	snprintf(pair[0], sizeof pair[0], "user=%s", user);
	snprintf(pair[1], sizeof pair[1], "kind=%s", kinds[c->kind]);
	snprintf(pair[2], sizeof pair[2], "label=%s", c->label);
	snprintf(pair[3], sizeof pair[3], "data=%s", data);
	snprintf(pair[4], sizeof pair[4], "counter=%u", c->counter);
	snprintf(pair[5], sizeof pair[5], "until=%llu", (unsigned long long)c->until_s);
	snprintf(pair[6], sizeof pair[6], "made=%llu", (unsigned long long)api_now_s(v->portal->api));
	req.pair_n = fresh ? 7 : 6;
	for (size_t i = 0; i < req.pair_n; i++)
		req.pair[i] = view_of(pair[i]);
	req.has |= (uint64_t)1 << KEEP_PAIR;
	keep_put_text(&req, KEEP_OBJECT, VIEW("credential"));
	keep_put_text(&req, KEEP_KEY, view_of(c->name));
	keep_put_text(&req, KEEP_MODE, fresh ? VIEW("create") : VIEW("change"));
	if (!fresh && c->version) /* used once, even by two at a time */
		keep_put_num(&req, KEEP_VERSION, c->version);
	visit_keep_own(v, LANE_WRITE, &req, user, then);
	secret_wipe(data, sizeof data);
	secret_wipe(pair[3], sizeof pair[3]);
}

void credential_put(struct visit *v, const char *user, struct credential *c,
		    void (*then)(struct visit *v, const struct keep *rep))
{
	bool fresh = !c->name[0];

	if (fresh)
		name_new(c->name);
	put(v, user, c, fresh, then);
}

void credential_make(struct visit *v, const char *user, struct credential *c,
		     void (*then)(struct visit *v, const struct keep *rep))
{
	put(v, user, c, true, then);
}

bool credential_read(struct visit *v, const struct keep *rep, struct credential *c)
{
	struct view b = rep->text[KEEP_BODY];
	json_t *o = json_loadb((const char *)b.p, b.n, 0, NULL);
	bool good;

	snprintf(v->key, sizeof v->key, "%.47s", text_of(o, "user"));
	good = o && read_one(v->portal->api, v->key, o, c);
	json_decref(o);
	return good;
}

void credential_drop(struct visit *v, const char *user, const char *name,
		     void (*then)(struct visit *v, const struct keep *rep))
{
	struct keep req = {.op = KEEP_DELETE};

	keep_put_text(&req, KEEP_OBJECT, VIEW("credential"));
	keep_put_text(&req, KEEP_KEY, view_of(name));
	visit_keep_own(v, LANE_WRITE, &req, user, then);
}
