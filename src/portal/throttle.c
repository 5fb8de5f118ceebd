#include "portal/throttle.h"

#include "base/hash.h"
#include "crypto/crypto.h"

#include <stdlib.h>

#define BUCKETS 16384
#define FREE_TRIES 5
#define WAIT_MAX_MS 60000
#define FAILS_MAX 100 /* in a row, NIST SP 800-63B */

struct bucket {
	uint64_t id, at_ms;
	uint32_t milli; /* thousandths of what may pass */
	uint32_t fails;
	bool known; /* the user has signed in from there */
};

struct throttle {
	uint8_t key[HASH_KEY];
	struct bucket bucket[BUCKETS];
};

struct throttle *throttle_new(void)
{
	struct throttle *t = calloc(1, sizeof *t);

	if (t && random_bytes(t->key, sizeof t->key) == ERR_OK)
		return t;
	free(t);
	return NULL;
}

void throttle_free(struct throttle *t)
{
	free(t);
}

/* Its bucket, made if need be: in place of the least recent of four. */
static struct bucket *bucket_of(struct throttle *t, const char *kind, const char *a, const char *b)
{
	uint64_t id =
	    hash_u64(t->key, hash_view(t->key, view_of(kind)),
		     hash_u64(t->key, hash_view(t->key, view_of(a)), hash_view(t->key, view_of(b)))) |
	    1;
	struct bucket *set = &t->bucket[id % (BUCKETS / 4) * 4], *to = set;

	for (size_t i = 0; i < 4; i++) {
		if (set[i].id == id)
			return &set[i];
		if (set[i].at_ms < to->at_ms)
			to = &set[i];
	}
	*to = (struct bucket){.id = id, .milli = UINT32_MAX};
	return to;
}

bool throttle_pass(struct throttle *t, const char *kind, const char *who, uint32_t rate, uint64_t now_ms)
{
	struct bucket *b = bucket_of(t, kind, who, "");
	uint64_t most = (uint64_t)rate * 2000, have = b->milli;

	if (have == UINT32_MAX)
		have = most;
	else
		have += (now_ms - b->at_ms) * rate;
	have = have < most ? have : most;
	b->at_ms = now_ms;
	if (have < 1000) {
		b->milli = (uint32_t)have;
		return false;
	}
	b->milli = (uint32_t)(have - 1000);
	return true;
}

uint64_t throttle_wait_ms(struct throttle *t, const char *user, const char *address, uint64_t now_ms)
{
	const struct bucket *b = bucket_of(t, "fail", user, address),
			    *all = bucket_of(t, "fails", user, "");
	uint64_t wait = WAIT_MAX_MS;

	if (!b->known && all->fails >= FAILS_MAX)
		return WAIT_MAX_MS;
	if (b->fails < FREE_TRIES)
		return 0;
	if (b->fails - FREE_TRIES < 6)
		wait = 1000ull << (b->fails - FREE_TRIES);
	return now_ms >= b->at_ms + wait ? 0 : b->at_ms + wait - now_ms;
}

void throttle_failed(struct throttle *t, const char *user, const char *address, uint64_t now_ms)
{
	struct bucket *b = bucket_of(t, "fail", user, address), *all;

	b->fails++;
	b->at_ms = now_ms;
	if (b->known)
		return;
	all = bucket_of(t, "fails", user, "");
	all->fails++;
	all->at_ms = now_ms;
}

void throttle_passed(struct throttle *t, const char *user, const char *address, uint64_t now_ms)
{
	struct bucket *b = bucket_of(t, "fail", user, address);

	b->fails = 0;
	b->known = true;
	b->at_ms = now_ms;
	bucket_of(t, "fails", user, "")->fails = 0;
}
