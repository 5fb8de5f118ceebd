/* Passwords, hashed on a thread of its own: Argon2id (libsodium; m = 19 MiB, t = 2), of an HMAC of the
 * password under a key that lies elsewhere than the hashes. Few at once: each takes memory and time, and
 * whoever asks for many waits. */
#pragma once
#include "crypto/crypto.h"

#define PASSWORD_MAX 256
#define HASH_ROOM 128 /* crypto_pwhash_STRBYTES */

struct hasher;
struct hasher *hasher_new(const struct secret32 *pepper); /* NULL: out of memory */
bool hasher_start(struct hasher *h);
void hasher_free(struct hasher *h); /* NULL is fine */
int hasher_fd(const struct hasher *h);
/* Hash `password`, or, with a hash, compare; a hash that is no hash takes as long, and never fits.
 * False: too many wait. */
bool hasher_ask(struct hasher *h, const char *password, const char *hash, uint64_t tag);
/* One that is done; false: none. `text`: the new hash. */
struct hasher_done {
	uint64_t tag;
	bool fits;
	char text[HASH_ROOM];
};
bool hasher_take(struct hasher *h, struct hasher_done *to);
