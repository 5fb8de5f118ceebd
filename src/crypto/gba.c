#include "crypto/gba.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define FC_NAF 0x01
#define HASH_MAX 32

const uint8_t gba_ua_digest[5] = {0x01, 0x00, 0x00, 0x00, 0x02};

static void put(struct wr *w, struct view v)
{
	wr_view(w, v);
	wr_be(w, v.n, 2);
}

enum err gba_naf_key(const struct secret32 *ks, const uint8_t rand[16], struct view impi,
		     struct view naf_id, struct secret32 *out)
{
	uint8_t s[1 + 6 + 16 + GBA_NAME_MAX + GBA_NAME_MAX + 5 + 4 * 2];
	struct wr w = {.p = s, .cap = sizeof s};

	if (impi.n > GBA_NAME_MAX || naf_id.n > GBA_NAME_MAX + 5)
		return ERR_LENGTH;
	wr_be(&w, FC_NAF, 1);
	put(&w, VIEW("gba-me"));
	put(&w, (struct view){rand, 16});
	put(&w, impi);
	put(&w, naf_id);
	return !w.err && HMAC(EVP_sha256(), ks->b, 32, s, w.n, out->b, NULL) ? ERR_OK : ERR_IO;
}

/* The hash of the parts with colons between, in hexadecimal. */
static enum err hash(const struct http_digest *d, const struct view *part, size_t n,
		     char to[HTTP_DIGEST_TEXT])
{
	const EVP_MD *md = d->hash == HTTP_SHA256 ? EVP_sha256() : EVP_md5();
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c && EVP_DigestInit_ex2(c, md, NULL) == 1;
	uint8_t out[HASH_MAX];
	unsigned int out_n = 0;

	for (size_t i = 0; i < n && ok; i++)
		ok = (i == 0 || EVP_DigestUpdate(c, ":", 1) == 1) &&
		     EVP_DigestUpdate(c, part[i].p, part[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(c, out, &out_n) == 1;
	EVP_MD_CTX_free(c);
	to[0] = 0;
	for (size_t i = 0; i < out_n && ok; i++) {
		to[2 * i] = "0123456789abcdef"[out[i] >> 4];
		to[2 * i + 1] = "0123456789abcdef"[out[i] & 15];
		to[2 * i + 2] = 0;
	}
	secret_wipe(out, sizeof out);
	return ok ? ERR_OK : ERR_IO;
}

enum err http_digest(const struct http_digest *d, char to[HTTP_DIGEST_TEXT])
{
	bool whole = view_eq(d->qop, VIEW("auth-int"));
	char a1[HTTP_DIGEST_TEXT], a2[HTTP_DIGEST_TEXT], body[HTTP_DIGEST_TEXT];
	const struct view who[] = {d->username, d->realm, d->password};
	enum err err;

	to[0] = 0;
	if (!whole && !view_eq(d->qop, VIEW("auth")))
		return ERR_VALUE;
	err = hash(d, who, 3, a1);
	if (!err)
		err = hash(d, &d->body, 1, body);
	if (!err)
		err = hash(d, (struct view[]){d->method, d->uri, view_of(body)}, whole ? 3 : 2, a2);
	if (!err)
		err = hash(d,
			   (struct view[]){view_of(a1), d->nonce, d->nc, d->cnonce, d->qop, view_of(a2)},
			   6, to);
	secret_wipe(a1, sizeof a1);
	return err;
}
