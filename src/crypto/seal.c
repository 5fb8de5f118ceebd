#include "crypto/seal.h"

#include "crypto/mb.h"
#include "crypto/secret_file.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#define NONCE 12
#define TAG   16
#define HEX   64 /* the master key's 32 bytes */
#define WHY   256

static enum err refuse(enum err err, const char *path, const char *text, char why[WHY])
{
	snprintf(why, WHY, "master key %.150s: %s", path, text);
	return err;
}

static const char *hex_read(int fd, struct secret32 *master)
{
	char text[HEX + 2];
	ssize_t n = read(fd, text, sizeof(text));
	size_t done = 0;
	const char *fault = NULL;

	if (n < 0)
		fault = "cannot be read";
	else if (n != HEX && !(n == HEX + 1 && text[HEX] == '\n'))
		fault = "must hold 64 hexadecimal digits and nothing else";
	else if (sodium_hex2bin(master->b, sizeof(master->b), text, HEX, NULL, &done, NULL) != 0 ||
		 done != sizeof(master->b))
		fault = "must hold 64 hexadecimal digits and nothing else";
	secret_wipe(text, sizeof(text));
	return fault;
}

enum err seal_master_load(const char *path, struct secret32 *master, char why[256])
{
	int fd;
	const char *fault = secret_file_open(path, &fd);

	why[0] = 0;
	if (!fault) {
		fault = hex_read(fd, master);
		close(fd);
	}
	if (!fault)
		return ERR_OK;
	secret_wipe(master, sizeof(*master));
	return refuse(ERR_KEY, path, fault, why);
}

/* A vault made with a key that a power cut then took away is lost: durable, name and all. */
enum err seal_master_make(const char *path, char why[256])
{
	struct secret32 master;
	char text[HEX + 1];
	enum err err;

	why[0] = 0;
	if (random_bytes(master.b, sizeof(master.b)))
		return refuse(ERR_IO, path, "no random numbers to be had", why);
	sodium_bin2hex(text, sizeof(text), master.b, sizeof(master.b));
	text[HEX] = '\n';
	err = secret_file_make(path, (struct view){ (const uint8_t *)text, sizeof(text) });
	secret_wipe(text, sizeof(text));
	secret_wipe(&master, sizeof(master));
	return err ? refuse(err, path, strerror(errno), why) : ERR_OK;
}

enum err seal(const struct secret32 *key, struct view aad, struct view in, uint8_t *out)
{
	EVP_CIPHER_CTX *c;
	int n = 0;
	bool ok;

	if (in.n > INT_MAX - SEAL_EXTRA || aad.n > INT_MAX)
		return ERR_LENGTH;
	if (random_bytes(out, NONCE))
		return ERR_IO;
	c = EVP_CIPHER_CTX_new();
	ok = c && EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), key->b, out, NULL) == 1 &&
	     EVP_EncryptUpdate(c, NULL, &n, aad.p, (int)aad.n) == 1 &&
	     EVP_EncryptUpdate(c, out + NONCE, &n, in.p, (int)in.n) == 1 &&
	     EVP_EncryptFinal_ex(c, out + NONCE + in.n, &n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, out + NONCE + in.n) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok ? ERR_OK : ERR_IO;
}

enum err unseal(const struct secret32 *key, struct view aad, struct view in, uint8_t *out)
{
	EVP_CIPHER_CTX *c;
	uint8_t tag[TAG];
	size_t text;
	int n = 0;
	bool ok;

	if (in.n < SEAL_EXTRA || in.n > INT_MAX || aad.n > INT_MAX)
		return ERR_KEY;
	text = in.n - SEAL_EXTRA;
	memcpy(tag, in.p + NONCE + text, TAG);
	c = EVP_CIPHER_CTX_new();
	ok = c && EVP_DecryptInit_ex2(c, EVP_aes_256_gcm(), key->b, in.p, NULL) == 1 &&
	     EVP_DecryptUpdate(c, NULL, &n, aad.p, (int)aad.n) == 1 &&
	     EVP_DecryptUpdate(c, out, &n, in.p + NONCE, (int)text) == 1 &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
	     EVP_DecryptFinal_ex(c, out + text, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	if (!ok)
		secret_wipe(out, text); /* nobody uses what did not prove itself */
	return ok ? ERR_OK : ERR_KEY;
}

struct seal_key {
	_Alignas(64) struct gcm_key_data key;
	IMB_MGR *mb;
};

struct seal_key *seal_key_new(const struct secret32 *key)
{
	/* secret_new places the end of what it gives at a page's end: a multiple of the alignment */
	struct seal_key *k = secret_new(sizeof(*k));

	if (!k)
		return NULL;
	k->mb = mb_new();
	if (!k->mb) {
		seal_key_free(k);
		return NULL;
	}
	IMB_AES256_GCM_PRE(k->mb, key->b, &k->key);
	return k;
}

void seal_key_free(struct seal_key *k)
{
	if (k && k->mb)
		free_mb_mgr(k->mb);
	secret_free(k);
}

enum err unseal_with(const struct seal_key *k, struct view aad, struct view in, uint8_t *out)
{
	struct gcm_context_data c;
	uint8_t tag[TAG];
	size_t text;
	bool ok;

	if (in.n < SEAL_EXTRA)
		return ERR_KEY;
	text = in.n - SEAL_EXTRA;
	IMB_AES256_GCM_DEC(k->mb, &k->key, &c, out, in.p + NONCE, text, in.p, aad.p, aad.n, tag, TAG);
	ok = secret_eq(tag, in.p + NONCE + text, TAG);
	secret_wipe(&c, sizeof(c));
	if (!ok)
		secret_wipe(out, text);
	return ok ? ERR_OK : ERR_KEY;
}

void sealbox_pair(const struct secret32 *from, uint8_t pub[SEALBOX_PUBLIC], struct secret32 *priv)
{
	uint8_t seed[crypto_box_SEEDBYTES];

	/* A key of its own for this use; fails only for lengths that are not ours. */
	crypto_kdf_derive_from_key(seed, sizeof(seed), 1, "import__", from->b);
	crypto_box_seed_keypair(pub, priv->b, seed);
	secret_wipe(seed, sizeof(seed));
}

enum err sealbox_put(const uint8_t pub[SEALBOX_PUBLIC], struct view in, uint8_t *out)
{
	return crypto_box_seal(out, in.p, in.n, pub) == 0 ? ERR_OK : ERR_KEY;
}

enum err sealbox_get(const uint8_t pub[SEALBOX_PUBLIC], const struct secret32 *priv, struct view in,
		     uint8_t *out)
{
	if (in.n < SEALBOX_EXTRA)
		return ERR_KEY;
	return crypto_box_seal_open(out, in.p, in.n, pub, priv->b) == 0 ? ERR_OK : ERR_KEY;
}
