#include "crypto/kdf.h"

#include "crypto/mb.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define FC_PRIME 0x20
#define HASH	 32
#define STEP	 20 /* octets of SHA-1 */
#define BLOCK	 64

static enum err hmac(const uint8_t key[32], struct view text, uint8_t out[HASH])
{
	return HMAC(EVP_sha256(), key, 32, text.p, text.n, out, NULL) ? ERR_OK : ERR_IO;
}

enum err kdf_prime(const struct secret16 *ck, const struct secret16 *ik, struct view network,
		   const uint8_t autn[6], struct secret16 *ck_prime, struct secret16 *ik_prime)
{
	uint8_t key[32], s[1 + KDF_NAME_MAX + 2 + 6 + 2], out[HASH];
	struct wr w = {.p = s, .cap = sizeof s};
	enum err err;

	if (network.n > KDF_NAME_MAX)
		return ERR_LENGTH;
	wr_be(&w, FC_PRIME, 1);
	wr_view(&w, network);
	wr_be(&w, network.n, 2);
	wr_view(&w, (struct view){autn, 6});
	wr_be(&w, 6, 2);
	memcpy(key, ck->b, 16);
	memcpy(key + 16, ik->b, 16);
	err = hmac(key, wr_done(&w), out);
	memcpy(ck_prime->b, out, 16);
	memcpy(ik_prime->b, out + 16, 16);
	secret_wipe(key, sizeof key);
	secret_wipe(out, sizeof out);
	return err;
}

/* PRF' (RFC 9048 3.4.1): T1 = HMAC(K, S | 1), T2 = HMAC(K, T1 | S | 2), ... */
static enum err prf_prime(const uint8_t key[32], struct view s, uint8_t *out, size_t n)
{
	uint8_t text[HASH + 8 + KDF_NAME_MAX + 1], t[HASH];
	enum err err = ERR_OK;

	for (uint32_t i = 1; n > 0 && !err; i++) {
		struct wr w = {.p = text, .cap = sizeof text};
		size_t part = n < HASH ? n : HASH;

		if (i > 1)
			wr_view(&w, (struct view){t, HASH});
		wr_view(&w, s);
		wr_be(&w, i, 1);
		err = hmac(key, wr_done(&w), t);
		memcpy(out, t, part);
		out += part;
		n -= part;
	}
	secret_wipe(t, sizeof t);
	secret_wipe(text, sizeof text);
	return err;
}

enum err kdf_eap_prime(const struct secret16 *ck_prime, const struct secret16 *ik_prime,
		       struct view identity, struct kdf_eap *out)
{
	uint8_t key[32], s[8 + KDF_NAME_MAX], mk[16 + 32 + 32 + 64 + 64];
	struct wr w = {.p = s, .cap = sizeof s};
	enum err err;

	if (identity.n > KDF_NAME_MAX)
		return ERR_LENGTH;
	wr_view(&w, VIEW("EAP-AKA'"));
	wr_view(&w, identity);
	memcpy(key, ik_prime->b, 16);
	memcpy(key + 16, ck_prime->b, 16);
	err = prf_prime(key, wr_done(&w), mk, sizeof mk);
	memcpy(out->k_encr, mk, 16);
	memcpy(out->k_aut, mk + 16, 32);
	memcpy(out->k_re, mk + 48, 32);
	memcpy(out->msk, mk + 80, 64);
	memcpy(out->emsk, mk + 144, 64);
	secret_wipe(key, sizeof key);
	secret_wipe(mk, sizeof mk);
	return err;
}

enum err kdf_mk(const struct view *part, size_t n, uint8_t mk[KDF_MK])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c && EVP_DigestInit_ex2(c, EVP_sha1(), NULL) == 1;

	for (size_t i = 0; i < n && ok; i++)
		ok = EVP_DigestUpdate(c, part[i].p, part[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(c, mk, NULL) == 1;
	EVP_MD_CTX_free(c);
	return ok ? ERR_OK : ERR_IO;
}

/* a := a + b + carry, of 160 bits. */
static void add(uint8_t a[STEP], const uint8_t b[STEP], unsigned int carry)
{
	for (size_t i = STEP; i-- > 0;) {
		carry += (unsigned int)a[i] + b[i];
		a[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

/* The generator's G is one round of SHA-1 without padding, which EVP cannot do; intel-ipsec-mb gives the
 * five words in the order of this machine. */
static void g(IMB_MGR *mb, const uint8_t xval[STEP], uint8_t w[STEP])
{
	uint8_t block[BLOCK] = {0};
	uint32_t word[5];

	memcpy(block, xval, STEP);
	IMB_SHA1_ONE_BLOCK(mb, block, word);
	for (size_t i = 0; i < 5; i++) {
		word[i] = __builtin_bswap32(word[i]);
		memcpy(w + 4 * i, &word[i], 4);
	}
	secret_wipe(block, sizeof block);
	secret_wipe(word, sizeof word);
}

/* FIPS 186-2, change notice 1: XKEY := 1 + XKEY + G(XKEY), again and again. */
static enum err generate(const uint8_t mk[KDF_MK], uint8_t *out, size_t n)
{
	IMB_MGR *mb = mb_new();
	uint8_t xkey[STEP], w[STEP];
	enum err err = mb ? ERR_OK : ERR_IO;

	memcpy(xkey, mk, STEP);
	for (size_t at = 0; at < n && !err; at += STEP) {
		g(mb, xkey, w);
		memcpy(out + at, w, n - at < STEP ? n - at : STEP);
		add(xkey, w, 1);
	}
	if (mb)
		free_mb_mgr(mb);
	secret_wipe(xkey, sizeof xkey);
	secret_wipe(w, sizeof w);
	return err;
}

enum err kdf_eap_mk(const uint8_t mk[KDF_MK], struct kdf_eap *out)
{
	uint8_t b[16 + 16 + 64 + 64];
	enum err err = generate(mk, b, sizeof b);

	memset(out, 0, sizeof *out);
	memcpy(out->k_encr, b, 16);
	memcpy(out->k_aut, b + 16, 16);
	memcpy(out->msk, b + 32, 64);
	memcpy(out->emsk, b + 96, 64);
	secret_wipe(b, sizeof b);
	return err;
}

enum err kdf_eap_again(const uint8_t xkey[KDF_MK], struct kdf_eap *out)
{
	uint8_t b[64 + 64];
	enum err err = generate(xkey, b, sizeof b);

	memcpy(out->msk, b, 64);
	memcpy(out->emsk, b + 64, 64);
	secret_wipe(b, sizeof b);
	return err;
}
