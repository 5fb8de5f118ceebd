/* Signed JSON (RFC 7515, 7518 3.4): compact form, ES256 and nothing else, so that no token chooses how
 * it is verified. Wraps OpenSSL and jansson. */
#pragma once
#include "crypto/crypto.h"

#include <jansson.h>

#define JWS_MAX 4096 /* octets of a token that is read */
#define JWS_KID 44   /* base64url of SHA-256, NUL */
#define JWS_PEM_MAX 512
#define JWS_COORD_MAX 44 /* base64url of 32 octets, NUL */

/* A key of P-256: a pair, or the public half alone. */
struct jws_key;
struct jws_key *jws_key_new(void);		 /* NULL: the library failed */
struct jws_key *jws_key_of_pem(struct view pem); /* a private key; NULL: it is none of ours */
/* base64url, as a JWK has them; NULL: no point of the curve. */
struct jws_key *jws_key_of_point(struct view x, struct view y);
void jws_key_free(struct jws_key *k); /* NULL is fine */
enum err MUST_USE jws_key_pem(const struct jws_key *k, struct wr *to);
const char *jws_key_id(const struct jws_key *k);	  /* its thumbprint (RFC 7638): kid */
void jws_key_jwk(const struct jws_key *k, struct wr *to); /* the public half, a JWK for signatures */

/* "header.payload.signature" of JSON texts. ERR_IO. */
enum err MUST_USE jws_sign(const struct jws_key *k, struct view header, struct view payload,
			   struct wr *to);

/* A token cut and read, not yet believed. Views borrow the token. */
struct jws {
	struct view signed_part;
	uint8_t signature[64];
	json_t *header, *claims; /* objects */
};
/* ERR_LENGTH, ERR_VALUE: not of that form, not ES256, JSON with a name twice, an extension that must be
 * understood. After OK: jws_drop. */
enum err MUST_USE jws_read(struct view token, struct jws *to);
void jws_drop(struct jws *j);
/* ERR_KEY: another key's signature, or something was changed. */
enum err MUST_USE jws_verify(const struct jws_key *k, const struct jws *j);

/* A claim that is a string, borrowed; empty: none. A number; 0: none. */
struct view jws_text(const json_t *o, const char *name);
int64_t jws_num(const json_t *o, const char *name);
