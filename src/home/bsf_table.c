#include "home/bsf_table.h"

#include "base/hash.h"

#include <stdlib.h>

#define WAYS 8u

/* From a RAND to its subscriber's slot. Stale once that one's session is another. */
struct pointer {
	uint64_t rand;
	uint32_t slot;
	uint32_t spare;
};

struct bsf_table {
	struct bsf_sub *sub;
	struct pointer *pointer;
	uint32_t sets; /* of WAYS; of pointers there are twice as many */
	uint8_t key[HASH_KEY];
};

struct bsf_table *bsf_table_new(uint32_t subscribers)
{
	struct bsf_table *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->sets = (subscribers + WAYS - 1) / WAYS;
	t->sub = secret_new((size_t)t->sets * WAYS * sizeof *t->sub);
	t->pointer = calloc((size_t)t->sets * WAYS * 2, sizeof *t->pointer);
	if (t->sub && t->pointer && random_bytes(t->key, sizeof t->key) == ERR_OK)
		return t;
	bsf_table_free(t);
	return NULL;
}

void bsf_table_free(struct bsf_table *t)
{
	if (!t)
		return;
	if (t->sub)
		secret_free(t->sub);
	free(t->pointer);
	free(t);
}

/* Free before used; without a session before with one; then the session that ends first. */
static uint64_t worth(const struct bsf_sub *s)
{
	if (s->imsi == 0)
		return 0;
	return 1 + s->expires_s;
}

struct bsf_sub *bsf_table_sub(struct bsf_table *t, uint64_t imsi, bool make)
{
	struct bsf_sub *set = t->sub + (size_t)(hash_u64(t->key, imsi, 0) % t->sets) * WAYS, *s = set;

	for (uint32_t i = 0; i < WAYS; i++) {
		if (set[i].imsi == imsi)
			return &set[i];
		if (worth(&set[i]) < worth(s))
			s = &set[i];
	}
	if (!make)
		return NULL;
	secret_wipe(s, sizeof *s);
	s->imsi = imsi;
	s->tokens = UINT32_MAX; /* full, whatever the limit is */
	return s;
}

bool bsf_table_allow(struct bsf_sub *s, uint32_t a_minute, uint64_t now_ms)
{
	uint64_t max = (uint64_t)a_minute * 1000;
	uint64_t tokens = s->tokens + (now_ms - s->refilled_ms) * a_minute / 60;

	tokens = tokens < max ? tokens : max;
	s->refilled_ms = now_ms;
	s->tokens = (uint32_t)(tokens < 1000 ? tokens : tokens - 1000);
	return tokens >= 1000;
}

bool bsf_table_stands(const struct bsf_sub *s, uint64_t now_ms)
{
	return s->asked_ms != 0 && now_ms - s->asked_ms < BSF_CHALLENGE_MS;
}

static uint64_t rand_key(const uint8_t rand[16])
{
	uint64_t key;

	memcpy(&key, rand, sizeof key);
	return key;
}

static struct pointer *pointers_of(struct bsf_table *t, const uint8_t rand[16])
{
	return t->pointer + (size_t)(rand_key(rand) % (t->sets * 2)) * WAYS;
}

static bool stale(const struct bsf_table *t, const struct pointer *p)
{
	const struct bsf_sub *s = &t->sub[p->slot];

	return p->rand == 0 || s->expires_s == 0 || rand_key(s->rand) != p->rand;
}

/* A set without room gives up the session that ends first: its device bootstraps anew. */
static void point(struct bsf_table *t, const struct bsf_sub *s)
{
	struct pointer *set = pointers_of(t, s->rand), *p = set;

	for (uint32_t i = 0; i < WAYS; i++) {
		if (stale(t, &set[i])) {
			p = &set[i];
			break;
		}
		if (t->sub[set[i].slot].expires_s < t->sub[p->slot].expires_s)
			p = &set[i];
	}
	*p = (struct pointer){.rand = rand_key(s->rand), .slot = (uint32_t)(s - t->sub)};
}

void bsf_table_agree(struct bsf_table *t, struct bsf_sub *s, uint64_t now_s, uint32_t lifetime_s)
{
	memcpy(s->rand, s->v.rand, sizeof s->rand);
	memcpy(s->ks.b, s->v.ck.b, 16); /* Ks = CK || IK (TS 33.220 4.5.2) */
	memcpy(s->ks.b + 16, s->v.ik.b, 16);
	secret_wipe(&s->v, sizeof s->v);
	s->asked_ms = 0;
	s->made_s = now_s;
	s->expires_s = now_s + lifetime_s;
	point(t, s);
}

void bsf_table_withdraw(struct bsf_sub *s)
{
	secret_wipe(&s->v, sizeof s->v);
	secret_wipe(&s->ks, sizeof s->ks);
	s->asked_ms = s->expires_s = 0;
}

struct bsf_sub *bsf_table_session(struct bsf_table *t, const uint8_t rand[16], uint64_t now_s)
{
	const struct pointer *set = pointers_of(t, rand);

	for (uint32_t i = 0; i < WAYS; i++) {
		struct bsf_sub *s = &t->sub[set[i].slot];

		if (!stale(t, &set[i]) && secret_eq(s->rand, rand, 16) && now_s < s->expires_s)
			return s;
	}
	return NULL;
}
