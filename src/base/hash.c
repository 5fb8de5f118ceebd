#include "base/hash.h"

#include <sodium.h>

_Static_assert(HASH_KEY == crypto_shorthash_KEYBYTES, "SipHash key");

uint64_t hash_view(const uint8_t key[HASH_KEY], struct view v)
{
	static const uint8_t none;
	uint64_t h;

	crypto_shorthash((unsigned char *)&h, v.n > 0 ? v.p : &none, v.n, key);
	return h;
}

uint64_t hash_u64(const uint8_t key[HASH_KEY], uint64_t a, uint64_t b)
{
	uint64_t in[2] = {a, b};

	return hash_view(key, (struct view){(const uint8_t *)in, sizeof in});
}
