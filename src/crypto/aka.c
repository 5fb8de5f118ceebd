#include "crypto/aka.h"

#include "crypto/aka_test.h"
#include "crypto/milenage.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define BLOCK 16
#define SQN_N 6
#define KDF_KASME 0x10 /* FC (TS 33.401 A.2) */
#define SHA_BLOCK 64
#define RAND_POOL 64 /* challenges drawn at once: they are sent in clear, so they may wait here */

struct aka {
	uint8_t pool[RAND_POOL][BLOCK];
	size_t pool_n; /* challenges left */
	EVP_MD *sha256; /* OpenSSL's uses the SHA instructions */
	EVP_MD_CTX *digest;
	struct tuak *tuak;
};

struct aka *aka_new(void)
{
	struct aka *a = milenage_able() ? calloc(1, sizeof(*a)) : NULL;

	if (!a)
		return NULL;
	a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	a->digest = EVP_MD_CTX_new();
	a->tuak = tuak_new();
	if (!a->sha256 || !a->digest || !a->tuak) {
		aka_free(a);
		return NULL;
	}
	return a;
}

void aka_free(struct aka *a)
{
	if (!a)
		return;
	EVP_MD_free(a->sha256);
	EVP_MD_CTX_free(a->digest);
	tuak_free(a->tuak);
	secret_wipe(a, sizeof(*a));
	free(a);
}

enum err aka_rand(struct aka *a, uint8_t rand[16])
{
	if (a->pool_n == 0) {
		enum err err = random_bytes(a->pool, sizeof(a->pool));

		if (err)
			return err;
		a->pool_n = RAND_POOL;
	}
	memcpy(rand, a->pool[--a->pool_n], BLOCK);
	return ERR_OK;
}

static void xor(uint8_t *to, const uint8_t *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= with[i];
}

static void sqn_put(uint8_t to[SQN_N], uint64_t sqn)
{
	for (unsigned int i = 0; i < SQN_N; i++)
		to[i] = (uint8_t)(sqn >> 8 * (SQN_N - 1 - i));
}

static uint64_t sqn_get(const uint8_t from[SQN_N])
{
	uint64_t sqn = 0;

	for (unsigned int i = 0; i < SQN_N; i++)
		sqn = sqn << 8 | from[i];
	return sqn;
}

enum err aka_milenage(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
		  struct aka_f *f)
{
	(void)a;
	milenage_all(key, rand, sqn, f);
	return ERR_OK;
}

static struct tuak_key tuak_of(const struct aka_key *key)
{
	return (struct tuak_key){key->k.b, key->opc.b, key->size};
}

bool aka_key_ok(const struct aka_key *key)
{
	if (key->alg != AKA_TUAK)
		return key->alg < AKA_ALG_N;
	return tuak_size_ok(&key->size) && key->size.mac == 8 && key->size.res <= AKA_RES_MAX &&
	       key->size.ck == BLOCK && key->size.ik == BLOCK;
}

bool aka_key_gsm(const struct aka_key *key)
{
	return key->alg == AKA_COMP128_3;
}

enum err aka_opc(struct aka *a, const uint8_t *op, struct aka_key *key)
{
	struct tuak_key tuak = tuak_of(key);

	if (!aka_key_ok(key) || key->alg >= AKA_XOR)
		return ERR_VALUE;
	if (key->alg == AKA_TUAK)
		return tuak_topc(a->tuak, &tuak, op, key->opc.b);
	milenage_opc(key->k.b, op, key->opc.b);
	return ERR_OK;
}

/* AUTN = SQN xor AK | AMF | MAC (TS 33.102 §6.3.2). */
static void autn_put(uint8_t autn[16], uint64_t sqn, const uint8_t ak[SQN_N], const uint8_t amf[2],
		     const uint8_t mac[8])
{
	sqn_put(autn, sqn);
	xor(autn, ak, SQN_N);
	memcpy(autn + SQN_N, amf, 2);
	memcpy(autn + 8, mac, 8);
}

static enum err tuak_vector(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			    uint64_t sqn, struct aka_vector *out)
{
	struct tuak_key tuak = tuak_of(key);
	uint8_t mac[8], text[SQN_N];
	struct tuak_f f;
	enum err err;

	sqn_put(text, sqn);
	err = tuak_f1(a->tuak, &tuak, false, rand, text, key->amf, mac);
	err = err ? err : tuak_f2345(a->tuak, &tuak, rand, &f);
	if (err)
		return err;
	autn_put(out->autn, sqn, f.ak, key->amf, mac);
	out->xres_n = key->size.res;
	memcpy(out->xres, f.res, out->xres_n);
	memcpy(out->ck.b, f.ck, BLOCK);
	memcpy(out->ik.b, f.ik, BLOCK);
	secret_wipe(&f, sizeof(f));
	return ERR_OK;
}

static enum err milenage_vector(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
				uint64_t sqn, struct aka_vector *out)
{
	struct aka_f f;
	enum err err = aka_milenage(a, key, rand, sqn, &f);

	if (err)
		return err;
	autn_put(out->autn, sqn, f.ak, key->amf, f.mac_a);
	out->xres_n = sizeof(f.res);
	memcpy(out->xres, f.res, sizeof(f.res));
	out->ck = f.ck;
	out->ik = f.ik;
	secret_wipe(&f, sizeof(f));
	return ERR_OK;
}

/* f5* opens SQN_MS, then f1* over it is what MAC-S must be; AMF is zero. */
static enum err milenage_mac_s(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			       uint8_t sqn[SQN_N], uint8_t mac_s[8])
{
	struct aka_key plain = *key;
	struct aka_f f;
	enum err err;

	memset(plain.amf, 0, sizeof(plain.amf));
	err = aka_milenage(a, &plain, rand, 0, &f); /* f5* needs no SQN */
	if (!err) {
		xor(sqn, f.ak_s, SQN_N);
		err = aka_milenage(a, &plain, rand, sqn_get(sqn), &f);
	}
	if (!err)
		memcpy(mac_s, f.mac_s, sizeof(f.mac_s));
	secret_wipe(&plain, sizeof(plain));
	secret_wipe(&f, sizeof(f));
	return err;
}

static enum err tuak_mac_s(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			   uint8_t sqn[SQN_N], uint8_t mac_s[8])
{
	static const uint8_t amf[2];
	struct tuak_key tuak = tuak_of(key);
	uint8_t ak[SQN_N];
	enum err err = tuak_f5_star(a->tuak, &tuak, rand, ak);

	if (err)
		return err;
	xor(sqn, ak, SQN_N);
	return tuak_f1(a->tuak, &tuak, true, rand, sqn, amf, mac_s);
}

static enum err xor_vector(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
			   struct aka_vector *out)
{
	struct aka_f f;

	(void)a;
	xor_all(key, rand, sqn, out->xres, &f);
	autn_put(out->autn, sqn, f.ak, key->amf, f.mac_a);
	out->xres_n = BLOCK;
	out->ck = f.ck;
	out->ik = f.ik;
	secret_wipe(&f, sizeof(f));
	return ERR_OK;
}

/* f1* and f5* are f1 and f5 here, AMF zero (TS 34.108 8.1.2.2). */
static enum err xor_mac_s(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			  uint8_t sqn[SQN_N], uint8_t mac_s[8])
{
	struct aka_key plain = *key;
	uint8_t res[BLOCK];
	struct aka_f f;

	(void)a;
	memset(plain.amf, 0, sizeof(plain.amf));
	xor_all(&plain, rand, 0, res, &f);
	xor(sqn, f.ak, SQN_N);
	xor_all(&plain, rand, sqn_get(sqn), res, &f);
	memcpy(mac_s, f.mac_a, sizeof(f.mac_a));
	secret_wipe(&plain, sizeof(plain));
	secret_wipe(&f, sizeof(f));
	return ERR_OK;
}

static enum err comp128_vector(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
			       struct aka_vector *out)
{
	(void)a, (void)sqn;
	out->xres_n = 4;
	return comp128_triplet(key->k.b, rand, out->xres, out->ck.b);
}

static enum err no_mac_s(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint8_t sqn[SQN_N],
			 uint8_t mac_s[8])
{
	(void)a, (void)key, (void)rand, (void)sqn, (void)mac_s;
	return ERR_KEY;
}

static const struct {
	enum err (*vector)(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
			   struct aka_vector *out);
	/* Opens SQN_MS and makes MAC-S over it. */
	enum err (*mac_s)(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			  uint8_t sqn[SQN_N], uint8_t mac_s[8]);
} algs[AKA_ALG_N] = {
	[AKA_MILENAGE] = { milenage_vector, milenage_mac_s },
	[AKA_TUAK] = { tuak_vector, tuak_mac_s },
	[AKA_XOR] = { xor_vector, xor_mac_s },
	[AKA_COMP128_3] = { comp128_vector, no_mac_s },
};

enum err aka_vector(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
		    struct aka_vector *out)
{
	if (!aka_key_ok(key))
		return ERR_VALUE;
	memset(out, 0, sizeof(*out));
	memcpy(out->rand, rand, BLOCK);
	return algs[key->alg].vector(a, key, rand, sqn, out);
}

enum err aka_resync(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
		    const uint8_t auts[14], uint64_t *sqn_ms)
{
	uint8_t sqn[SQN_N], mac_s[8];
	enum err err;

	memcpy(sqn, auts, SQN_N);
	err = aka_key_ok(key) ? algs[key->alg].mac_s(a, key, rand, sqn, mac_s) : ERR_VALUE;
	if (!err && !secret_eq(mac_s, auts + SQN_N, sizeof(mac_s)))
		err = ERR_KEY;
	if (!err)
		*sqn_ms = sqn_get(sqn);
	secret_wipe(mac_s, sizeof(mac_s));
	return err;
}

size_t aka_key_put(const struct aka_key *key, uint8_t to[AKA_KEY_MAX])
{
	const struct tuak_size *z = &key->size;
	const uint8_t head[] = {key->alg, z->k, z->mac, z->res, z->ck, z->ik, z->iterations, 0};
	size_t n = key->alg == AKA_MILENAGE ? BLOCK : sizeof(key->k.b);
	struct wr w = { .p = to, .cap = AKA_KEY_MAX };

	if (key->alg != AKA_MILENAGE)
		wr_view(&w, (struct view){ head, sizeof(head) });
	wr_view(&w, (struct view){ key->k.b, n });
	wr_view(&w, (struct view){ key->opc.b, n });
	wr_view(&w, (struct view){ key->amf, 2 });
	return w.n;
}

enum err aka_key_get(struct view from, struct aka_key *key)
{
	struct rd r = { .left = from };
	size_t n = from.n == AKA_KEY_SHORT ? BLOCK : sizeof(key->k.b);

	memset(key, 0, sizeof(*key));
	if (from.n != AKA_KEY_SHORT && from.n != AKA_KEY_MAX)
		return ERR_VALUE;
	if (from.n == AKA_KEY_MAX) {
		struct view head = rd_take(&r, 8);

		key->alg = head.p[0];
		key->size = (struct tuak_size){ head.p[1], head.p[2], head.p[3],
						head.p[4], head.p[5], head.p[6] };
		if (key->alg == AKA_MILENAGE || !aka_key_ok(key))
			return ERR_VALUE;
	}
	memcpy(key->k.b, rd_take(&r, n).p, n);
	memcpy(key->opc.b, rd_take(&r, n).p, n);
	memcpy(key->amf, rd_take(&r, 2).p, 2);
	return ERR_OK;
}

static enum err sha256(struct aka *a, const uint8_t *in, size_t n, uint8_t hash[32])
{
	return EVP_DigestInit_ex2(a->digest, a->sha256, NULL) == 1 &&
	       EVP_DigestUpdate(a->digest, in, n) == 1 &&
	       EVP_DigestFinal_ex(a->digest, hash, NULL) == 1 ? ERR_OK : ERR_IO;
}

/* HMAC (RFC 2104) with SHA-256, for a key and a text of less than a block each. */
static enum err hmac(struct aka *a, const uint8_t *key, size_t key_n, struct view text,
		     uint8_t mac[32])
{
	uint8_t in[2 * SHA_BLOCK] = { 0 }, out[SHA_BLOCK + 32] = { 0 };
	enum err err;

	memcpy(in, key, key_n);
	memcpy(out, key, key_n);
	for (unsigned int i = 0; i < SHA_BLOCK; i++) {
		in[i] ^= 0x36;
		out[i] ^= 0x5c;
	}
	memcpy(in + SHA_BLOCK, text.p, text.n);
	err = sha256(a, in, SHA_BLOCK + text.n, out + SHA_BLOCK);
	err = err ? err : sha256(a, out, sizeof(out), mac);
	secret_wipe(in, sizeof(in));
	secret_wipe(out, sizeof(out));
	return err;
}

enum err aka_kasme(struct aka *a, const struct aka_vector *v, const uint8_t plmn[3], uint8_t kasme[32])
{
	uint8_t s[14] = { KDF_KASME, plmn[0], plmn[1], plmn[2], 0, 3 };
	uint8_t key[2 * BLOCK];
	enum err err;

	memcpy(s + 6, v->autn, SQN_N); /* SQN xor AK, as AUTN begins */
	s[13] = SQN_N;
	memcpy(key, v->ck.b, BLOCK);
	memcpy(key + BLOCK, v->ik.b, BLOCK);
	err = hmac(a, key, sizeof(key), (struct view){ s, sizeof(s) }, kasme);
	secret_wipe(key, sizeof(key));
	return err;
}

void aka_geran(const struct aka_vector *v, uint8_t sres[4], uint8_t kc[8])
{
	for (unsigned int i = 0; i < 4; i++) /* a short XRES ends in zeros */
		sres[i] = v->xres[i] ^ v->xres[i + 4] ^ v->xres[i + 8] ^ v->xres[i + 12];
	for (unsigned int i = 0; i < 8; i++)
		kc[i] = v->ck.b[i] ^ v->ck.b[i + 8] ^ v->ik.b[i] ^ v->ik.b[i + 8];
}
