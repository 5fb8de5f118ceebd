/* TLS 1.2 and 1.3 with certificates on both sides (RFC 6733 §13, TS 33.210 §6.2: AEAD and ECDHE
 * only, no renegotiation, no compression). Wraps OpenSSL. */
#pragma once
#include "base/bytes.h"

struct tls;

/* PEM files: our chain, its key, the CAs that peers' certificates must lead to, an optional CRL.
 * ERR_CONFIG with one clear line in `why` (what, which file, until when). */
struct tls_files {
	const char *chain, *key, *ca, *crl; /* crl may be NULL */
};
struct tls *tls_new(const struct tls_files *f, enum err *err, char why[256]);
void tls_free(struct tls *t);

/* Days until our own certificate ends; negative: it has. */
int tls_days_left(const struct tls *t);
