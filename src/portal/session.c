#include "portal/session.h"

#include "base/base64.h"
#include "base/hash.h"

#include <sodium.h>
#include <stdlib.h>

#define WAYS 8u

struct sessions {
	struct session *session;
	size_t sets;
	uint8_t key[HASH_KEY];
};

struct sessions *sign_sessions_new(size_t max)
{
	struct sessions *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->sets = (max + WAYS - 1) / WAYS;
	s->session = secret_new(s->sets * WAYS * sizeof *s->session);
	if (s->session && random_bytes(s->key, sizeof s->key) == ERR_OK)
		return s;
	sign_sessions_free(s);
	return NULL;
}

void sign_sessions_free(struct sessions *s)
{
	if (!s)
		return;
	if (s->session)
		secret_free(s->session);
	free(s);
}

static struct session *set_of(struct sessions *s, struct view btid)
{
	return s->session + hash_view(s->key, btid) % s->sets * WAYS;
}

struct session *sessions_find(struct sessions *s, struct view btid, uint64_t now_s)
{
	struct session *set = set_of(s, btid);

	for (size_t i = 0; i < WAYS && btid.n > 0; i++) {
		if (!view_eq(view_of(set[i].btid), btid))
			continue;
		if (now_s < set[i].k.expires_s)
			return &set[i];
		sessions_drop(&set[i]);
	}
	return NULL;
}

struct session *sessions_put(struct sessions *s, struct view btid, const struct naf_key *k,
			     uint64_t now_s)
{
	struct session *set = set_of(s, btid), *to = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].used_s < to->used_s)
			to = &set[i];
	}
	if (to->btid[0] && now_s < to->used_s + NONCE_S)
		return NULL; /* what it remembers of nonces is still needed */
	sessions_drop(to);
	if (!view_text(btid, to->btid, sizeof to->btid))
		return NULL;
	to->k = *k;
	to->used_s = now_s;
	return to;
}

void sessions_drop(struct session *s)
{
	secret_wipe(s, sizeof *s);
}

bool session_count(struct session *s, uint64_t nonce_us, uint32_t nc, uint64_t now_s)
{
	if (nonce_us < s->nonce_us || (nonce_us == s->nonce_us && nc <= s->nc))
		return false;
	s->nonce_us = nonce_us;
	s->nc = nc;
	s->used_s = now_s;
	return true;
}

#define NONCE_N (8 + 16)

static void mac_of(const struct secret32 *key, uint64_t at_us, uint8_t out[NONCE_N])
{
	uint8_t mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state h;

	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(at_us >> (56 - 8 * i));
	crypto_auth_hmacsha256_init(&h, key->b, sizeof key->b);
	crypto_auth_hmacsha256_update(&h, (const uint8_t *)"nonce", 5);
	crypto_auth_hmacsha256_update(&h, out, 8);
	crypto_auth_hmacsha256_final(&h, mac);
	memcpy(out + 8, mac, NONCE_N - 8);
}

void nonce_put(const struct secret32 *key, uint64_t now_us, char to[NONCE_TEXT])
{
	struct wr w = {.p = (uint8_t *)to, .cap = NONCE_TEXT - 1};
	uint8_t b[NONCE_N];

	mac_of(key, now_us, b);
	base64url_put(&w, (struct view){b, sizeof b});
	to[w.n] = 0;
}

uint64_t nonce_get(const struct secret32 *key, struct view nonce, uint64_t now_us)
{
	uint8_t b[NONCE_N], want[NONCE_N];
	struct wr w = {.p = b, .cap = sizeof b};
	uint64_t at = 0;

	if (base64_get(nonce, true, &w) || w.n != NONCE_N)
		return 0;
	for (int i = 0; i < 8; i++)
		at = at << 8 | b[i];
	mac_of(key, at, want);
	if (!secret_eq(b, want, sizeof b) || at > now_us || now_us - at > NONCE_S * 1000000ull)
		return 0;
	return at;
}
