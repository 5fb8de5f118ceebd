/* The vault `auc`: K, OPc of each subscription, wrapped by a data key (crypto/seal.h) that the master key
 * wraps (crypto/master.h), in an LMDB file of its own. Home has it open; `merlon prepare` and `merlon
 * vault` open it for a moment beside it. One writer at a time. Readers are lock-free inside the process
 * (one read transaction a batch, MDB_NOTLS). */
#pragma once
#include "crypto/aka.h"
#include "crypto/master.h"

struct vault;

/* ERR_KEY: the master key is not the one this vault was made with; else as master_unwrap. Creates an
 * empty vault when there is none. Of a vault whose master key is being changed, either key opens it; the
 * new one makes the old one useless. `why`: one clear line. A token is asked (crypto/token.h): before
 * there are threads, before the sandbox. */
enum err MUST_USE vault_open(struct vault **v, const char *dir, const struct master *master,
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

/* The vault's import key pair: of the data key, so that it stays when the master key is changed. */
void vault_pair(const struct vault *v, uint8_t pub[SEALBOX_PUBLIC], struct secret32 *priv);

/* Change the master key, in two steps, each durable, on a vault that others serve from meanwhile: their
 * data key stays the same, and a process killed between or within them leaves a vault that opens. After
 * `next` it opens under the present master key and under `to`; after `settle` under `to` alone. */
enum err MUST_USE vault_master_next(struct vault *v, const struct master *to, enum token_which which,
				    char why[256]);
enum err MUST_USE vault_master_settle(struct vault *v);

/* What wraps the data key: of the present master key, and of the next one (n 0: none is on its way). */
struct vault_wrap {
	uint8_t b[MASTER_WRAP_MAX];
	size_t n;
};
enum err MUST_USE vault_wraps(struct vault *v, struct vault_wrap *now, struct vault_wrap *next);

/* One changer at a time, of all processes: a lock that the descriptor holds. -1: another one has it. */
int vault_lock(const char *dir);
