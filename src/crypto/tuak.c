#include "crypto/tuak.h"

#include <assert.h>
#include <nettle/sha3.h>
#include <stdlib.h>

#define STATE_N	 200
#define IN_N	 96
#define RATE	 136
#define K_MAX	 32
#define AT_RES	 0 /* places in what comes out (6.3, 6.5) */
#define AT_CK	 32
#define AT_IK	 64
#define AT_AK	 96

/* The first bits of INSTANCE (6.1 to 6.5). */
enum function {
	F_TOPC = 0x00,
	F_1 = 0x00,
	F_1_STAR = 0x80,
	F_2345 = 0x40,
	F_5_STAR = 0xc0
};

/* Keccak's state is ours to wipe: a hash library's context keeps the last block as it came, K and all,
 * and a state that can be run backwards. */
struct tuak {
	union {
		struct sha3_state keccak; /* of words, the least octet first */
		uint8_t b[STATE_N];
	};
};
static_assert(sizeof(struct sha3_state) == STATE_N && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "octets of the state lie in order");

struct tuak *tuak_new(void)
{
	return calloc(1, sizeof(struct tuak));
}

void tuak_free(struct tuak *t)
{
	if (t)
		secret_wipe(t, sizeof *t);
	free(t);
}

bool tuak_size_ok(const struct tuak_size *s)
{
	return (s->k == 16 || s->k == 32) && (s->mac == 8 || s->mac == 16 || s->mac == 32) &&
	       (s->res == 4 || s->res == 8 || s->res == 16 || s->res == 32) &&
	       (s->ck == 16 || s->ck == 32) && (s->ik == 16 || s->ik == 32) && s->iterations > 0;
}

/* Each field stands with its last octet first, going in and coming out. */
static inline void reverse(uint8_t *to, const uint8_t *from, size_t n)
{
	for (; n >= 8; n -= 8, to += 8) { /* in words: octet by octet cost a fifth of the hash */
		uint64_t x;

		memcpy(&x, from + n - 8, 8);
		x = __builtin_bswap64(x);
		memcpy(to, &x, 8);
	}
	for (size_t i = 0; i < n; i++)
		to[i] = from[n - 1 - i];
}

/* 64, 128, 256 bits; RES of 32 bits is 0. */
static unsigned int size_code(unsigned int octets)
{
	return octets < 8 ? 0 : octets;
}

/* All calls of Keccak. `rand`, `sqn`, `amf` NULL: zero (6.1, 6.3, 6.5). Leaves what comes out in the
 * state, at the returned place; finish() wipes it. */
static const uint8_t *permute(struct tuak *t, const struct tuak_key *key, const uint8_t *top,
			      unsigned int instance, const uint8_t *rand, const uint8_t *sqn,
			      const uint8_t *amf)
{
	static const uint8_t name[] = "0.1KAUT"; /* "TUAK1.0", reversed */
	uint8_t *in = t->b;

	reverse(in, top, TUAK_TOP);
	in[32] = (uint8_t)(instance | (key->size.k == K_MAX));
	memcpy(in + 33, name, 7);
	if (rand)
		reverse(in + 40, rand, 16);
	if (amf)
		reverse(in + 56, amf, 2);
	if (sqn)
		reverse(in + 58, sqn, 6);
	reverse(in + 64, key->k, key->size.k);
	in[IN_N] = 0x1f; /* the padding of 6.1, which is SHAKE256's */
	in[RATE - 1] = 0x80;
	for (unsigned int i = 0; i < key->size.iterations; i++)
		sha3_permute(&t->keccak);
	return in;
}

/* The state is zero between two calls. */
static enum err finish(struct tuak *t)
{
	secret_wipe(t, sizeof *t);
	return ERR_OK;
}

enum err tuak_topc(struct tuak *t, const struct tuak_key *key, const uint8_t top[TUAK_TOP],
		   uint8_t topc[TUAK_TOP])
{
	const uint8_t *b = permute(t, key, top, F_TOPC, NULL, NULL, NULL);

	reverse(topc, b, TUAK_TOP);
	return finish(t);
}

enum err tuak_f1(struct tuak *t, const struct tuak_key *key, bool star, const uint8_t rand[16],
		 const uint8_t sqn[6], const uint8_t amf[2], uint8_t *mac)
{
	unsigned int instance = (star ? F_1_STAR : F_1) | size_code(key->size.mac);
	const uint8_t *b = permute(t, key, key->topc, instance, rand, sqn, amf);

	reverse(mac, b, key->size.mac);
	return finish(t);
}

enum err tuak_f2345(struct tuak *t, const struct tuak_key *key, const uint8_t rand[16],
		    struct tuak_f *f)
{
	unsigned int instance = F_2345 | size_code(key->size.res) | (key->size.ck == 32 ? 4u : 0) |
				(key->size.ik == 32 ? 2u : 0);
	const uint8_t *b = permute(t, key, key->topc, instance, rand, NULL, NULL);

	reverse(f->res, b + AT_RES, key->size.res);
	reverse(f->ck, b + AT_CK, key->size.ck);
	reverse(f->ik, b + AT_IK, key->size.ik);
	reverse(f->ak, b + AT_AK, sizeof f->ak);
	return finish(t);
}

enum err tuak_f5_star(struct tuak *t, const struct tuak_key *key, const uint8_t rand[16],
		      uint8_t ak[6])
{
	const uint8_t *b = permute(t, key, key->topc, F_5_STAR, rand, NULL, NULL);

	reverse(ak, b + AT_AK, 6);
	return finish(t);
}
