/* Sealing for the vaults (design.md, Vaults): a master key wraps a data key, the data key
 * wraps each K (AES-256-GCM, the IMSI as associated data). And a public key, to which import
 * seals key rows, so that only the vault's owner can open them (libsodium sealed box). */
#pragma once
#include "crypto/crypto.h"

#define SEAL_EXTRA    28 /* nonce 12 and tag 16 */
#define SEALBOX_EXTRA 48
#define SEALBOX_PUBLIC 32

/* The master key: a root-only file of 32 bytes in hex. ERR_KEY with the reason in `why` when it is
 * missing, not 0600 or 0400, or malformed. seal_master_make creates one (O_EXCL). */
enum err MUST_USE seal_master_load(const char *path, struct secret32 *master, char why[256]);
enum err MUST_USE seal_master_make(const char *path, char why[256]);

/* Seal and open one piece; `out` has in.n + SEAL_EXTRA (seal) or in.n - SEAL_EXTRA (open) bytes.
 * ERR_KEY when it does not open: wrong key, wrong associated data, or changed. */
enum err MUST_USE seal(const struct secret32 *key, struct view aad, struct view in, uint8_t *out);
enum err MUST_USE unseal(const struct secret32 *key, struct view aad, struct view in, uint8_t *out);

/* A key made ready for many openings (its key schedule and hash tables): unseal without what a cipher
 * context costs. In memory like secret_new's. NULL: out of memory. `unseal_with` may be called by any
 * number of threads. */
struct seal_key;
struct seal_key *seal_key_new(const struct secret32 *key);
void seal_key_free(struct seal_key *k); /* wipes */
enum err MUST_USE unseal_with(const struct seal_key *k, struct view aad, struct view in, uint8_t *out);

/* The vault's import key pair, derived from a key that only the vault's owner has. */
void sealbox_pair(const struct secret32 *from, uint8_t pub[SEALBOX_PUBLIC],
		  struct secret32 *priv);
enum err MUST_USE sealbox_put(const uint8_t pub[SEALBOX_PUBLIC], struct view in, uint8_t *out);
enum err MUST_USE sealbox_get(const uint8_t pub[SEALBOX_PUBLIC], const struct secret32 *priv,
			      struct view in, uint8_t *out);
