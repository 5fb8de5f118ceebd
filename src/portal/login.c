#include "portal/login.h"

#include "base/base64.h"
#include "crypto/crypto.h"

#include <sodium.h>
#include <stdlib.h>

#define SETS 1024
#define WAYS 8

struct logins {
	struct login *login; /* SETS * WAYS */
	uint32_t idle_s, life_s;
};

struct logins *logins_new(void)
{
	struct logins *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->login = secret_new(SETS * WAYS * sizeof *l->login);
	if (!l->login) {
		free(l);
		return NULL;
	}
	l->idle_s = 1800;
	l->life_s = 12 * 3600;
	return l;
}

void logins_free(struct logins *l)
{
	if (!l)
		return;
	secret_free(l->login);
	free(l);
}

void logins_limits(struct logins *l, uint32_t idle_s, uint32_t life_s)
{
	l->idle_s = idle_s;
	l->life_s = life_s;
}

static bool is_free(const struct login *s)
{
	static const uint8_t none[32];

	return memcmp(s->hash, none, sizeof none) == 0;
}

static bool over(const struct logins *l, const struct login *s, uint64_t now_s)
{
	uint32_t idle = s->who.whole ? l->idle_s : LOGIN_HALF_S,
		 life = s->who.whole ? l->life_s : LOGIN_HALF_S;

	return now_s >= s->used_s + idle || now_s >= s->made_s + life;
}

static struct login *set_of(struct logins *l, const uint8_t hash[32])
{
	return l->login + (size_t)((hash[0] << 8 | hash[1]) % SETS) * WAYS;
}

/* Room in the set of that hash: a free one, else the one used least lately. */
static struct login *room(struct logins *l, const uint8_t hash[32])
{
	struct login *set = set_of(l, hash), *to = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (is_free(&set[i]))
			return &set[i];
		if (set[i].used_s < to->used_s)
			to = &set[i];
	}
	return to;
}

static bool token_new(char token[LOGIN_TOKEN], uint8_t hash[32])
{
	uint8_t b[32];
	struct wr w = {.p = (uint8_t *)token, .cap = LOGIN_TOKEN - 1};

	if (random_bytes(b, sizeof b))
		return false;
	base64url_put(&w, (struct view){b, sizeof b});
	token[w.n] = 0;
	secret_wipe(b, sizeof b);
	if (hash)
		crypto_hash_sha256(hash, (const uint8_t *)token, w.n);
	return true;
}

struct login *login_begin(struct logins *l, const struct person *who, uint64_t now_s,
			  char token[LOGIN_TOKEN])
{
	struct login s = {.who = *who, .made_s = now_s, .used_s = now_s}, *to;

	if (!token_new(token, s.hash) || !token_new(s.csrf, NULL) || random_bytes(s.id, sizeof s.id))
		return NULL;
	to = room(l, s.hash);
	*to = s;
	return to;
}

bool login_turn(struct logins *l, struct login **at, char token[LOGIN_TOKEN])
{
	struct login s = **at, *to;

	login_end(*at);
	if (!token_new(token, s.hash) || !token_new(s.csrf, NULL))
		return false;
	to = room(l, s.hash);
	*to = s;
	*at = to;
	secret_wipe(&s, sizeof s);
	return true;
}

struct login *login_find(struct logins *l, struct view token, uint64_t now_s)
{
	uint8_t hash[32];
	struct login *set;

	if (token.n != LOGIN_TOKEN - 1)
		return NULL;
	crypto_hash_sha256(hash, token.p, token.n);
	set = set_of(l, hash);
	for (size_t i = 0; i < WAYS; i++) {
		if (is_free(&set[i]) || !secret_eq(set[i].hash, hash, sizeof hash))
			continue;
		if (!over(l, &set[i], now_s))
			return &set[i];
		login_end(&set[i]);
	}
	return NULL;
}

struct login *login_of(struct logins *l, const uint8_t id[LOGIN_ID])
{
	for (size_t i = 0; i < SETS * WAYS; i++) {
		if (!is_free(&l->login[i]) && secret_eq(l->login[i].id, id, LOGIN_ID))
			return &l->login[i];
	}
	return NULL;
}

void login_end(struct login *s)
{
	secret_wipe(s, sizeof *s);
}

struct login *login_next(struct logins *l, const char *user, struct login *at)
{
	for (at = at ? at + 1 : l->login; at < l->login + SETS * WAYS; at++) {
		if (!is_free(at) && strcmp(at->who.user, user) == 0)
			return at;
	}
	return NULL;
}

size_t login_end_all(struct logins *l, const char *user, const struct login *keep)
{
	size_t n = 0;

	for (struct login *s = login_next(l, user, NULL); s; s = login_next(l, user, s)) {
		if (s == keep)
			continue;
		login_end(s);
		n++;
	}
	return n;
}
