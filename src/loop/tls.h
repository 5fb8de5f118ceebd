/* TLS 1.2 and 1.3 with certificates on both sides (RFC 6733 §13, TS 33.210 §6.2: AEAD and ECDHE
 * only, no renegotiation, no compression). Wraps OpenSSL. */
#pragma once
#include "base/bytes.h"

struct tls;
struct sign_line; /* loop/sign.h */

#define TLS_PEM_MAX (16 << 20) /* bytes of a file: a CRL may be long */

/* PEM files: our chain, its key, the CAs that peers' certificates must lead to, an optional CRL. With a
 * `signer`, which must outlive what is made from it, the key is not read: it asks there for signatures. */
struct tls_files {
	const char *chain, *key, *ca, *crl; /* crl may be NULL; key, when there is a signer */
	struct sign_line *signer;
};
/* ERR_CONFIG with one clear line in `why` (what, which file, until when). */
struct tls *tls_new(const struct tls_files *f, enum err *err, char why[256]);
void tls_free(struct tls *t);

/* The same, already read; `path` is for what is said about it. Borrowed for the call. */
struct tls_pem {
	const char *path;
	struct view text;
};
struct tls_pems {
	struct tls_pem chain, key, ca, crl; /* crl.text.n may be 0; key's, when there is a signer */
};
/* From now on connections begin with these; those that are open stay as they are, and so does everything
 * if these are refused: ERR_CONFIG with one clear line. Any thread. */
enum err MUST_USE tls_renew(struct tls *t, const struct tls_pems *p, char why[256]);

/* Days until our own certificate ends; negative: it has. */
int tls_days_left(struct tls *t);

/* For a signer: the private key, which fits the first certificate of the chain, and that is valid today;
 * `id` as sign_key_id (loop/sign.h). EVP_PKEY_free. NULL, with one clear line. */
struct evp_pkey_st *tls_private_key(const struct tls_pem *chain, const struct tls_pem *key, uint8_t id[8],
				    char why[256]);
/* A file of `what` ("chain", "key") as a whole, by its path or as an open descriptor (borrowed); tls_forget
 * wipes and frees. ERR_CONFIG with one clear line. */
enum err MUST_USE tls_read_file(const char *what, const char *path, struct tls_pem *to, char why[256]);
enum err MUST_USE tls_read_fd(const char *what, const char *path, int fd, struct tls_pem *to, char why[256]);
void tls_forget(struct tls_pem *p);
