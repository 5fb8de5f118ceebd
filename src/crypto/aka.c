#include "crypto/aka.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define BLOCK 16
#define SQN_N 6
#define KDF_KASME 0x10 /* FC (TS 33.401 A.2) */

/* Contexts live as long as their thread: a new one for each vector would cost three times as
 * much. */
struct aka {
	EVP_CIPHER *ecb;
	EVP_CIPHER_CTX *aes;
	EVP_MAC_CTX *hmac;
};

static EVP_MAC_CTX *hmac_new(void)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac); /* the context holds its own reference */
	if (ctx && EVP_MAC_CTX_set_params(ctx, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

struct aka *aka_new(void)
{
	struct aka *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	a->aes = EVP_CIPHER_CTX_new();
	a->hmac = hmac_new();
	if (!a->ecb || !a->aes || !a->hmac ||
	    EVP_EncryptInit_ex2(a->aes, a->ecb, NULL, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(a->aes, 0) != 1) {
		aka_free(a);
		return NULL;
	}
	return a;
}

void aka_free(struct aka *a)
{
	if (!a)
		return;
	EVP_CIPHER_CTX_free(a->aes); /* wipes the key schedule */
	EVP_CIPHER_free(a->ecb);
	EVP_MAC_CTX_free(a->hmac);
	free(a);
}

static enum err rekey(struct aka *a, const struct secret16 *k)
{
	return EVP_EncryptInit_ex2(a->aes, NULL, k->b, NULL, NULL) == 1 ? ERR_OK : ERR_IO;
}

static enum err encrypt(struct aka *a, const uint8_t *in, uint8_t *out, size_t n)
{
	int done = 0;

	if (EVP_EncryptUpdate(a->aes, out, &done, in, (int)n) != 1 || (size_t)done != n)
		return ERR_IO;
	return ERR_OK;
}

static void xor(uint8_t *to, const uint8_t *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= with[i];
}

/* The rotations of TS 35.206 §4.1 are whole octets. */
static void rotate(uint8_t to[BLOCK], const uint8_t from[BLOCK], unsigned int octets)
{
	memcpy(to, from + octets, BLOCK - octets);
	memcpy(to + BLOCK - octets, from, octets);
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

/* The five input blocks after TEMP = E(RAND xor OPc), with r1..r5 = 64, 0, 32, 64, 96 bits and
 * c1..c5 = 0, 1, 2, 4, 8 (TS 35.206 §4.1). */
static void blocks(uint8_t in[5 * BLOCK], const uint8_t temp[BLOCK], const struct aka_key *key,
		   uint64_t sqn)
{
	static const uint8_t r[4] = { 0, 4, 8, 12 }, c[4] = { 1, 2, 4, 8 };
	uint8_t x[BLOCK];

	sqn_put(x, sqn);
	memcpy(x + SQN_N, key->amf, 2);
	memcpy(x + 8, x, 8);
	xor(x, key->opc.b, BLOCK);
	rotate(in, x, 8);
	xor(in, temp, BLOCK);

	memcpy(x, temp, BLOCK);
	xor(x, key->opc.b, BLOCK);
	for (unsigned int i = 0; i < 4; i++) {
		uint8_t *to = in + (i + 1) * BLOCK;

		rotate(to, x, r[i]);
		to[BLOCK - 1] ^= c[i];
	}
	secret_wipe(x, sizeof(x));
}

static void outputs(struct aka_f *f, const uint8_t out[5 * BLOCK])
{
	memcpy(f->mac_a, out, 8);
	memcpy(f->mac_s, out + 8, 8);
	memcpy(f->ak, out + BLOCK, SQN_N);
	memcpy(f->res, out + BLOCK + 8, 8);
	memcpy(f->ck.b, out + 2 * BLOCK, BLOCK);
	memcpy(f->ik.b, out + 3 * BLOCK, BLOCK);
	memcpy(f->ak_s, out + 4 * BLOCK, SQN_N);
}

enum err aka_milenage(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
		      uint64_t sqn, struct aka_f *f)
{
	uint8_t temp[BLOCK], b[5 * BLOCK];
	enum err err = rekey(a, &key->k);

	memcpy(temp, rand, BLOCK);
	xor(temp, key->opc.b, BLOCK);
	err = err ? err : encrypt(a, temp, temp, BLOCK);
	if (!err) {
		blocks(b, temp, key, sqn);
		err = encrypt(a, b, b, sizeof(b));
	}
	if (!err) {
		for (unsigned int i = 0; i < 5; i++)
			xor(b + i * BLOCK, key->opc.b, BLOCK);
		outputs(f, b);
	}
	secret_wipe(temp, sizeof(temp));
	secret_wipe(b, sizeof(b));
	return err;
}

enum err aka_opc(struct aka *a, const uint8_t op[16], const struct secret16 *k,
		 struct secret16 *opc)
{
	enum err err = rekey(a, k);

	err = err ? err : encrypt(a, op, opc->b, BLOCK);
	if (!err)
		xor(opc->b, op, BLOCK);
	return err;
}

enum err aka_vector(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
		    struct aka_vector *out)
{
	struct aka_f f;
	enum err err = aka_milenage(a, key, rand, sqn, &f);

	if (err)
		return err;
	memcpy(out->rand, rand, BLOCK);
	sqn_put(out->autn, sqn); /* AUTN = SQN xor AK | AMF | MAC (TS 33.102 §6.3.2) */
	xor(out->autn, f.ak, SQN_N);
	memcpy(out->autn + SQN_N, key->amf, 2);
	memcpy(out->autn + 8, f.mac_a, 8);
	memcpy(out->xres, f.res, 8);
	out->ck = f.ck;
	out->ik = f.ik;
	secret_wipe(&f, sizeof(f));
	return ERR_OK;
}

enum err aka_resync(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
		    const uint8_t auts[14], uint64_t *sqn_ms)
{
	struct aka_key plain = *key;
	struct aka_f f;
	uint8_t sqn[SQN_N];
	enum err err;

	memset(plain.amf, 0, sizeof(plain.amf));
	err = aka_milenage(a, &plain, rand, 0, &f); /* f5* needs no SQN; f1* needs what f5* opens */
	if (!err) {
		memcpy(sqn, auts, SQN_N);
		xor(sqn, f.ak_s, SQN_N);
		err = aka_milenage(a, &plain, rand, sqn_get(sqn), &f);
	}
	if (!err && !secret_eq(f.mac_s, auts + SQN_N, 8))
		err = ERR_KEY;
	if (!err)
		*sqn_ms = sqn_get(sqn);
	secret_wipe(&plain, sizeof(plain));
	secret_wipe(&f, sizeof(f));
	return err;
}

enum err aka_kasme(struct aka *a, const struct aka_vector *v, const uint8_t plmn[3],
		   uint8_t kasme[32])
{
	uint8_t s[14] = { KDF_KASME, plmn[0], plmn[1], plmn[2], 0, 3 };
	uint8_t key[2 * BLOCK];
	size_t n = 0;
	bool ok;

	memcpy(s + 6, v->autn, SQN_N); /* SQN xor AK, as AUTN begins */
	s[13] = SQN_N;
	memcpy(key, v->ck.b, BLOCK);
	memcpy(key + BLOCK, v->ik.b, BLOCK);
	ok = EVP_MAC_init(a->hmac, key, sizeof(key), NULL) == 1 &&
	     EVP_MAC_update(a->hmac, s, sizeof(s)) == 1 &&
	     EVP_MAC_final(a->hmac, kasme, &n, 32) == 1 && n == 32;
	secret_wipe(key, sizeof(key));
	return ok ? ERR_OK : ERR_IO;
}

void aka_geran(const struct aka_vector *v, uint8_t sres[4], uint8_t kc[8])
{
	for (unsigned int i = 0; i < 4; i++)
		sres[i] = v->xres[i] ^ v->xres[i + 4];
	for (unsigned int i = 0; i < 8; i++)
		kc[i] = v->ck.b[i] ^ v->ck.b[i + 8] ^ v->ik.b[i] ^ v->ik.b[i + 8];
}
