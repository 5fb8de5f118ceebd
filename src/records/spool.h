/* The way of keys into the vault: files of sealed rows in data_dir/spool, written by whoever
 * imports, read and removed by home alone. Sealed to the vault's public key (data_dir/vault.pub, 64
 * hex digits), so that a file left behind tells nobody anything.
 *
 *   offset  bytes
 *        0      8  "MERLONK2": MILENAGE keys alone; "MERLONK3": some are of TUAK
 *        8      4  number of rows, big-endian
 *       12     80  a sealed box: the file's own key, 32 bytes
 *       92      .  that many pieces of equal length, sealed by that key with their number (8 bytes)
 *                  as associated data, each of: IMSI (bcd.h, big-endian) 8, and the key as
 *                  aka_key_put writes it; K3: its length 1, then the key, then zeros to the longest
 *
 * A file appears whole (written under another name, made durable, renamed) or not at all. */
#pragma once
#include "records/vault.h"

#define SPOOL_DIR "spool"
#define SPOOL_PUB "vault.pub"
#define SPOOL_SUFFIX ".keys"
#define SPOOL_HEAD (12 + 32 + SEALBOX_EXTRA)
#define SPOOL_SEALED (8 + AKA_KEY_SHORT + SEAL_EXTRA)     /* a piece of K2 */
#define SPOOL_SEALED_MAX (9 + AKA_KEY_MAX + SEAL_EXTRA) /* of K3 */
#define SPOOL_MAX 100000 /* rows in one file */

/* The vault's public key, where importers find it. ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO; `why`: one
 * clear line. */
enum err MUST_USE spool_pub_put(const char *data_dir, const uint8_t pub[SEALBOX_PUBLIC],
				char why[256]);
enum err MUST_USE spool_pub_get(const char *data_dir, uint8_t pub[SEALBOX_PUBLIC], char why[256]);

/* Seal up to SPOOL_MAX rows into a new file of the spool, durable when this returns; `name` is what
 * it is called there until home has taken it. Makes the directory. The caller wipes `rows`. */
#define SPOOL_NAME 32
enum err MUST_USE spool_write(const char *data_dir, const uint8_t pub[SEALBOX_PUBLIC],
			      const struct vault_row *rows, size_t n, char name[SPOOL_NAME],
			      char why[256]);

/* Open the file `name` of the directory `dir_fd`, hand its rows over in batches (valid during the
 * call, then wiped). ERR_CORRUPT: it is none of ours, or cut short; ERR_KEY: a row does not open.
 * Nothing is handed over from a file that is not whole; rows before a bad one may have been. */
enum err MUST_USE spool_read(int dir_fd, const char *name, const uint8_t pub[SEALBOX_PUBLIC],
			     const struct secret32 *priv,
			     enum err (*take)(void *ctx, const struct vault_row *rows, size_t n),
			     void *ctx);
/* The same of a file that is open (borrowed). */
enum err MUST_USE spool_take(int fd, const uint8_t pub[SEALBOX_PUBLIC], const struct secret32 *priv,
			     enum err (*take)(void *ctx, const struct vault_row *rows, size_t n),
			     void *ctx);

/* Ask home for a Reset to every serving node (TS 29.272 5.2.4.1), after registrations were lost or
 * an old state of them was restored. ERR_IO; `why`: one clear line. */
#define SPOOL_RESET "reset"
enum err MUST_USE spool_reset(const char *data_dir, char why[256]);
