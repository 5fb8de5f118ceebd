#include "crypto/tuak.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

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

struct tuak {
	EVP_MD *shake;
	EVP_MD_CTX *digest;
	uint8_t in[IN_N]; /* zero between two calls */
	uint8_t out[RATE * UINT8_MAX];
};
static_assert(offsetof(struct tuak, out) == offsetof(struct tuak, in) + IN_N, "wiped in one go");

struct tuak *tuak_new(void)
{
	struct tuak *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->shake = EVP_MD_fetch(NULL, "SHAKE256", NULL);
	t->digest = EVP_MD_CTX_new();
	if (t->shake && t->digest)
		return t;
	tuak_free(t);
	return NULL;
}

void tuak_free(struct tuak *t)
{
	if (!t)
		return;
	EVP_MD_free(t->shake);
	EVP_MD_CTX_free(t->digest);
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

/* One call of Keccak. `rand`, `sqn`, `amf` NULL: zero (6.1, 6.3, 6.5). Leaves t->out's last block, at
 * the returned place; NULL when OpenSSL fails. */
static uint8_t *permute(struct tuak *t, const struct tuak_key *key, const uint8_t *top,
			unsigned int instance, const uint8_t *rand, const uint8_t *sqn,
			const uint8_t *amf)
{
	static const uint8_t name[] = "0.1KAUT"; /* "TUAK1.0", reversed */
	size_t n = (size_t)RATE * key->size.iterations;
	uint8_t *in = t->in;
	bool ok;

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
	ok = EVP_DigestInit_ex2(t->digest, t->shake, NULL) == 1 &&
	     EVP_DigestUpdate(t->digest, in, IN_N) == 1 &&
	     EVP_DigestFinalXOF(t->digest, t->out, n) == 1;
	return ok ? t->out + n - RATE : NULL;
}

static enum err finish(struct tuak *t, const struct tuak_key *key, bool ok)
{
	secret_wipe(t->in, IN_N + (size_t)RATE * key->size.iterations);
	return ok ? ERR_OK : ERR_IO;
}

enum err tuak_topc(struct tuak *t, const struct tuak_key *key, const uint8_t top[TUAK_TOP],
		   uint8_t topc[TUAK_TOP])
{
	const uint8_t *b = permute(t, key, top, F_TOPC, NULL, NULL, NULL);

	if (b)
		reverse(topc, b, TUAK_TOP);
	return finish(t, key, b);
}

enum err tuak_f1(struct tuak *t, const struct tuak_key *key, bool star, const uint8_t rand[16],
		 const uint8_t sqn[6], const uint8_t amf[2], uint8_t *mac)
{
	unsigned int instance = (star ? F_1_STAR : F_1) | size_code(key->size.mac);
	const uint8_t *b = permute(t, key, key->topc, instance, rand, sqn, amf);

	if (b)
		reverse(mac, b, key->size.mac);
	return finish(t, key, b);
}

enum err tuak_f2345(struct tuak *t, const struct tuak_key *key, const uint8_t rand[16],
		    struct tuak_f *f)
{
	unsigned int instance = F_2345 | size_code(key->size.res) | (key->size.ck == 32 ? 4u : 0) |
				(key->size.ik == 32 ? 2u : 0);
	const uint8_t *b = permute(t, key, key->topc, instance, rand, NULL, NULL);

	if (b) {
		reverse(f->res, b + AT_RES, key->size.res);
		reverse(f->ck, b + AT_CK, key->size.ck);
		reverse(f->ik, b + AT_IK, key->size.ik);
		reverse(f->ak, b + AT_AK, sizeof f->ak);
	}
	return finish(t, key, b);
}

enum err tuak_f5_star(struct tuak *t, const struct tuak_key *key, const uint8_t rand[16],
		      uint8_t ak[6])
{
	const uint8_t *b = permute(t, key, key->topc, F_5_STAR, rand, NULL, NULL);

	if (b)
		reverse(ak, b + AT_AK, 6);
	return finish(t, key, b);
}
