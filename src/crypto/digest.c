#include "crypto/digest.h"

#include "crypto/crypto.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define BLOCK 64 /* of SHA-256 */

struct digest {
	EVP_MD *md;
	EVP_MD_CTX *inner, *outer, *work; /* inner, outer: NULL without a key */
};

/* A context that has taken in the key, each byte of its block xor `pad`. */
static EVP_MD_CTX *begun(const EVP_MD *md, const uint8_t block[BLOCK], uint8_t pad)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	uint8_t in[BLOCK];
	bool ok;

	for (size_t i = 0; i < BLOCK; i++)
		in[i] = block[i] ^ pad;
	ok = c && EVP_DigestInit_ex2(c, md, NULL) == 1 && EVP_DigestUpdate(c, in, BLOCK) == 1;
	secret_wipe(in, sizeof in);
	if (ok)
		return c;
	EVP_MD_CTX_free(c);
	return NULL;
}

struct digest *digest_new(struct view key)
{
	struct digest *d = calloc(1, sizeof *d);
	uint8_t block[BLOCK] = { 0 };

	if (!d || key.n > BLOCK) {
		free(d);
		return NULL;
	}
	d->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	d->work = EVP_MD_CTX_new();
	if (key.n > 0) {
		memcpy(block, key.p, key.n);
		d->inner = d->md ? begun(d->md, block, 0x36) : NULL;
		d->outer = d->md ? begun(d->md, block, 0x5c) : NULL;
		secret_wipe(block, sizeof block);
	}
	if (d->md && d->work && (key.n == 0 || (d->inner && d->outer)))
		return d;
	digest_free(d);
	return NULL;
}

void digest_free(struct digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->inner);
	EVP_MD_CTX_free(d->outer);
	EVP_MD_CTX_free(d->work);
	EVP_MD_free(d->md);
	free(d);
}

static bool step(struct digest *d, const EVP_MD_CTX *from, struct view in, uint8_t out[DIGEST_N])
{
	int begin = from ? EVP_MD_CTX_copy_ex(d->work, from) :
			   EVP_DigestInit_ex2(d->work, d->md, NULL);

	return begin == 1 && EVP_DigestUpdate(d->work, in.p, in.n) == 1 &&
	       EVP_DigestFinal_ex(d->work, out, NULL) == 1;
}

enum err digest_of(struct digest *d, struct view in, uint8_t out[DIGEST_N])
{
	if (!step(d, d->inner, in, out))
		return ERR_IO;
	if (d->outer && !step(d, d->outer, (struct view){ out, DIGEST_N }, out))
		return ERR_IO;
	return ERR_OK;
}
