#include "crypto/jws.h"

#include "base/base64.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#define HALF 32 /* octets of a coordinate, of r and of s */

struct jws_key {
	EVP_PKEY *pkey;
	char kid[JWS_KID], x[JWS_COORD_MAX], y[JWS_COORD_MAX];
};

static bool coordinate(const EVP_PKEY *p, const char *name, char to[JWS_COORD_MAX])
{
	struct wr w = {.p = (uint8_t *)to, .cap = JWS_COORD_MAX - 1};
	BIGNUM *n = NULL;
	uint8_t b[HALF];
	bool ok = EVP_PKEY_get_bn_param(p, name, &n) == 1 && BN_bn2binpad(n, b, HALF) == HALF;

	BN_free(n);
	if (ok)
		base64url_put(&w, (struct view){b, HALF});
	to[w.n] = 0;
	return ok;
}

/* RFC 7638 3: the required members, in the order of their names. */
static bool thumbprint(struct jws_key *k)
{
	struct wr w = {.p = (uint8_t *)k->kid, .cap = sizeof k->kid - 1};
	char text[256];
	uint8_t hash[HALF];
	int n = snprintf(text, sizeof text,
			 "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", k->x, k->y);

	if (EVP_Digest(text, (size_t)n, hash, NULL, EVP_sha256(), NULL) != 1)
		return false;
	base64url_put(&w, (struct view){hash, sizeof hash});
	k->kid[w.n] = 0;
	return true;
}

/* Takes `p`. */
static struct jws_key *of_pkey(EVP_PKEY *p)
{
	struct jws_key *k = p ? calloc(1, sizeof *k) : NULL;
	char group[32];
	size_t n;

	if (k && EVP_PKEY_get_group_name(p, group, sizeof group, &n) == 1 &&
	    strcmp(group, "prime256v1") == 0 && coordinate(p, OSSL_PKEY_PARAM_EC_PUB_X, k->x) &&
	    coordinate(p, OSSL_PKEY_PARAM_EC_PUB_Y, k->y) && thumbprint(k)) {
		k->pkey = p;
		return k;
	}
	EVP_PKEY_free(p);
	free(k);
	return NULL;
}

struct jws_key *jws_key_new(void)
{
	return of_pkey(EVP_EC_gen("P-256"));
}

struct jws_key *jws_key_of_pem(struct view pem)
{
	BIO *b = pem.n <= JWS_PEM_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	EVP_PKEY *p = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;

	BIO_free(b);
	return of_pkey(p);
}

static EVP_PKEY *of_octets(const uint8_t point[1 + 2 * HALF])
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *p = NULL;

	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * HALF) == 1)
		params = OSSL_PARAM_BLD_to_param(b);
	if (!params || !c || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &p, EVP_PKEY_PUBLIC_KEY, params) != 1)
		p = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(c);
	return p;
}

struct jws_key *jws_key_of_point(struct view x, struct view y)
{
	uint8_t point[1 + 2 * HALF] = {4};
	struct wr w = {.p = point, .n = 1, .cap = sizeof point};

	if (base64_get(x, true, &w) || w.n != 1 + HALF || base64_get(y, true, &w) || w.n != sizeof point)
		return NULL;
	return of_pkey(of_octets(point)); /* which refuses what is not on the curve */
}

void jws_key_free(struct jws_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

enum err jws_key_pem(const struct jws_key *k, struct wr *to)
{
	BIO *b = BIO_new(BIO_s_secmem());
	char *p = NULL;
	long n = 0;

	if (b && PEM_write_bio_PrivateKey(b, k->pkey, NULL, NULL, 0, NULL, NULL) == 1)
		n = BIO_get_mem_data(b, &p);
	if (n > 0)
		wr_view(to, (struct view){(const uint8_t *)p, (size_t)n});
	BIO_free(b);
	return n > 0 ? to->err : ERR_IO;
}

const char *jws_key_id(const struct jws_key *k)
{
	return k->kid;
}

void jws_key_jwk(const struct jws_key *k, struct wr *to)
{
	char text[384];

	snprintf(
	    text, sizeof text,
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\",\"kid\":\"%s\",\"use\":\"sig\","
	    "\"alg\":\"ES256\"}",
	    k->x, k->y, k->kid);
	wr_view(to, view_of(text));
}

/* The library's DER to r and s (RFC 7518 3.4), and back. */
static bool raw_of(const uint8_t *der, size_t n, uint8_t raw[2 * HALF])
{
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
	bool ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, HALF) == HALF &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + HALF, HALF) == HALF;

	ECDSA_SIG_free(s);
	return ok;
}

static int der_of(const uint8_t raw[2 * HALF], uint8_t **der)
{
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, HALF, NULL), *t = BN_bin2bn(raw + HALF, HALF, NULL);
	int n = 0;

	if (s && r && t && ECDSA_SIG_set0(s, r, t) == 1) {
		r = t = NULL; /* taken */
		n = i2d_ECDSA_SIG(s, der);
	}
	BN_free(r);
	BN_free(t);
	ECDSA_SIG_free(s);
	return n;
}

enum err jws_sign(const struct jws_key *k, struct view header, struct view payload, struct wr *to)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t at = to->n, n = 128;
	uint8_t der[128], raw[2 * HALF];
	bool ok;

	base64url_put(to, header);
	wr_view(to, VIEW("."));
	base64url_put(to, payload);
	ok = !to->err && c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
	     EVP_DigestSign(c, der, &n, to->p + at, to->n - at) == 1 && raw_of(der, n, raw);
	EVP_MD_CTX_free(c);
	wr_view(to, VIEW("."));
	if (ok)
		base64url_put(to, (struct view){raw, sizeof raw});
	return ok ? to->err : ERR_IO;
}

static struct view part(struct view *left)
{
	const uint8_t *dot = left->n > 0 ? memchr(left->p, '.', left->n) : NULL;
	struct view v = *left;

	if (!dot)
		*left = (struct view){0};
	else
		*left = (struct view){dot + 1, left->n - (size_t)(dot - left->p) - 1};
	return dot ? view_first(v, (size_t)(dot - v.p)) : v;
}

static json_t *object_of(struct view text)
{
	uint8_t room[JWS_MAX];
	struct wr w = {.p = room, .cap = sizeof room};
	json_t *o = NULL;

	if (base64_get(text, true, &w) == ERR_OK && w.n > 0)
		o = json_loadb((const char *)room, w.n, JSON_REJECT_DUPLICATES, NULL);
	if (o && !json_is_object(o)) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

enum err jws_read(struct view token, struct jws *to)
{
	struct wr signature = {.p = to->signature, .cap = sizeof to->signature};
	struct view left = token, header, claims, tail;

	memset(to, 0, sizeof *to);
	if (token.n > JWS_MAX)
		return ERR_LENGTH;
	header = part(&left);
	claims = part(&left);
	tail = left;
	if (memchr(token.p ? (const char *)token.p : "", 0, token.n) || tail.n == 0 ||
	    memchr(tail.p, '.', tail.n) || base64_get(tail, true, &signature) ||
	    signature.n != sizeof to->signature)
		return ERR_VALUE;
	to->signed_part = (struct view){token.p, header.n + 1 + claims.n};
	to->header = object_of(header);
	to->claims = object_of(claims);
	if (to->header && to->claims && view_eq(jws_text(to->header, "alg"), VIEW("ES256")) &&
	    !json_object_get(to->header, "crit"))
		return ERR_OK;
	jws_drop(to);
	return ERR_VALUE;
}

void jws_drop(struct jws *j)
{
	json_decref(j->header);
	json_decref(j->claims);
	j->header = j->claims = NULL;
}

enum err jws_verify(const struct jws_key *k, const struct jws *j)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	int n = der_of(j->signature, &der);
	bool ok = n > 0 && c && EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
		  EVP_DigestVerify(c, der, (size_t)n, j->signed_part.p, j->signed_part.n) == 1;

	EVP_MD_CTX_free(c);
	OPENSSL_free(der);
	return ok ? ERR_OK : ERR_KEY;
}

struct view jws_text(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return json_is_string(v)
		   ? (struct view){(const uint8_t *)json_string_value(v), json_string_length(v)}
		   : (struct view){0};
}

int64_t jws_num(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}
