/* The vault `auc`: K, OPc of each subscription, wrapped (crypto/seal.h), in an LMDB file of
 * its own that only home opens. One writer. Readers are lock-free inside the process (one read
 * transaction a batch, MDB_NOTLS). */
#pragma once
#include "crypto/aka.h"
#include "crypto/seal.h"

struct vault;

/* ERR_KEY: the master key is not the one this vault was made with. Creates an empty vault when
 * there is none. `why`: one clear line. */
enum err MUST_USE vault_open(struct vault **v, const char *dir, const struct secret32 *master,
			     char why[256]);
void vault_close(struct vault *v);

/* The keys of a subscription, opened. ERR_NOT_FOUND, ERR_KEY (changed behind our back). */
struct vault_read;
struct vault_read *vault_reader(struct vault *v); /* one a thread; NULL when out of memory */
void vault_read_renew(struct vault_read *r);      /* see what was written since */
enum err MUST_USE vault_get(struct vault_read *r, uint64_t imsi, struct aka_key *key);
void vault_read_free(struct vault_read *r);       /* before vault_close */

/* IMSIs that have keys, in order, from the first above `after`: to sweep orphans. */
size_t vault_scan(struct vault_read *r, uint64_t after, uint64_t *imsi, size_t max);

/* Write a batch durably (one commit). `key` already OPc or TOPc, never OP or TOP; it must be
 * aka_key_ok, or it does not open again. */
struct vault_row {
	uint64_t imsi;
	struct aka_key key;
};
enum err MUST_USE vault_put(struct vault *v, const struct vault_row *rows, size_t n);
enum err MUST_USE vault_delete(struct vault *v, uint64_t imsi);

/* Wrap the data key under another master key, on the running vault (crash-safe: old or new,
 * never none). */
enum err MUST_USE vault_rewrap(struct vault *v, const struct secret32 *to);
