/* A key that a PKCS#11 token (an HSM) holds and never gives out: it seals and opens the 32 octets of a
 * data key, AES-256-GCM inside the token.
 *
 * The module is the vendor's code: it is loaded into a child process that does one thing and ends, so
 * that none of it, and no session, is left in the process that asked; a module that hangs or crashes is a
 * line of text. So it must be asked before a sandbox is entered, and while the caller has one thread.
 * Blocks, for 20 s at most.
 *
 * A PIN that a token has refused is noted (as an Argon2 hash) and not tried again: a role that is started
 * over and over must not lock the token. */
#pragma once
#include "crypto/crypto.h"

#define TOKEN_WHERE 256

/* `uri` (RFC 7512) names the key, object= and perhaps id=; the token, token=, serial=; its library,
 * module-path=; and the file of its PIN, pin-source=. */
struct token_key {
	char uri[TOKEN_WHERE];
	char pin[TOKEN_WHERE];     /* the file of the PIN instead; "": the URI's */
	char refused[TOKEN_WHERE]; /* where a refused PIN is noted; "": nowhere */
};

/* What the token made of a data key: 'T', 1, the length of the key's CKA_ID, that, nonce, 32 octets, tag. */
#define TOKEN_ID_MAX   32
#define TOKEN_WRAP_MAX (3 + TOKEN_ID_MAX + 12 + 32 + 16)

/* Which key of the token: the only one that the URI names, made when there is none of that name yet; or
 * another one, made now under the same name. */
enum token_which { TOKEN_NAMED, TOKEN_NEW };

/* Is it a URI of a key, with all it needs? ERR_CONFIG and one clear line. Asks no token. */
enum err MUST_USE token_check(const char *uri, char why[256]);

/* ERR_REFUSED: the PIN is wrong, was wrong before, or is about to be locked. ERR_KEY: no such key, or not
 * what it sealed. ERR_IO: the module or the token does not work. One clear line in `why`. */
enum err MUST_USE token_wrap(const struct token_key *t, enum token_which which, struct view aad,
			     const struct secret32 *in, uint8_t out[TOKEN_WRAP_MAX], size_t *n,
			     char why[256]);
enum err MUST_USE token_unwrap(const struct token_key *t, struct view aad, struct view wrapped,
			       struct secret32 *out, char why[256]);

/* Destroy the key that sealed this, for good. */
enum err MUST_USE token_destroy(const struct token_key *t, struct view wrapped, char why[256]);
