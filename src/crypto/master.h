/* The master key of a vault: a file that root alone can read, or a key that a PKCS#11 token never gives out
 * (crypto/token.h). It wraps the vault's data key, and nothing else. */
#pragma once
#include "crypto/seal.h"
#include "crypto/token.h"

#define MASTER_WRAP_MAX TOKEN_WRAP_MAX
/* What a file's key made of a data key has this length; a token's is longer. */
#define MASTER_WRAP_FILE (32 + SEAL_EXTRA)

struct master {
	bool token;
	struct secret32 key;   /* of a file */
	struct token_key at;   /* of a token */
};

/* `where` (a path, or a pkcs11: URI) names a token? */
bool master_is_token(const char *where);

/* Take the key from its file, or note where the token's is; no token is asked yet. `pin`: the file of its
 * PIN, NULL: as the URI says. `dir`: where a refused PIN is noted (`pin-refused`), NULL: nowhere.
 * ERR_KEY, ERR_CONFIG with one clear line. Wipe it soon. */
enum err MUST_USE master_open(struct master *m, const char *where, const char *pin, const char *dir,
			      char why[256]);
void master_wipe(struct master *m);

/* Wrap a data key; the `n` octets of `out` open with the same master alone. Of a token, TOKEN_NEW makes
 * another key of the same name for it. Errors as token_wrap; see there what it may block for. */
enum err MUST_USE master_wrap(const struct master *m, enum token_which which, struct view aad,
			      const struct secret32 *in, uint8_t out[MASTER_WRAP_MAX], size_t *n,
			      char why[256]);
/* ERR_KEY: not what this master wrapped. */
enum err MUST_USE master_unwrap(const struct master *m, struct view aad, struct view wrapped,
				struct secret32 *out, char why[256]);
