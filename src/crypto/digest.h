/* SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) for what is hashed by the million: by OpenSSL, which
 * uses the processor's own instructions, with the key's part of the work done once. */
#pragma once
#include "base/bytes.h"

#define DIGEST_N 32

/* One a thread. `key`: of a HMAC; n 0: plain SHA-256. NULL: out of memory. */
struct digest;
struct digest *digest_new(struct view key);
void digest_free(struct digest *d);
/* Of all of `in`. ERR_IO: OpenSSL failed, which it does for want of memory alone. */
enum err MUST_USE digest_of(struct digest *d, struct view in, uint8_t out[DIGEST_N]);
