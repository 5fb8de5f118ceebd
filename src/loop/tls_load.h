/* Certificates and keys into an OpenSSL context. For tls.c alone. */
#pragma once
#include "loop/tls.h"

#include <openssl/ssl.h>

/* Into a fresh context. False: one clear line in `why`. */
bool tls_load(SSL_CTX *ctx, const struct tls_pems *p, struct sign_line *signer, char why[256]);
