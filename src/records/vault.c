#include "records/vault.h"

#include "records/room.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER   "vault-auc"
#define READERS  126
#define WHY      256
#define ROW_MAX  (AKA_KEY_MAX + SEAL_EXTRA) /* the length of a row says how to read it (aka.h) */

/* The data key lives in memory that no core dump shows. Only `put`, `delete` and the change of the master key
 * write, one at a time by LMDB's own lock. */
struct vault {
	MDB_env *env;
	MDB_dbi rows, meta;
	struct secret32 *data;
	struct seal_key *ready; /* of `data`, for vault_get */
};

struct vault_read {
	struct vault *v;
	MDB_txn *txn;
	bool live; /* the transaction is begun */
};

static const struct view wrap_aad = VIEW_INIT("merlon vault auc, data key");

/* The data key, wrapped: by the present master key, and by the one that is to follow. */
static char now_name[] = "data-key", next_name[] = "data-key-next";

static MDB_val key_of(char *name)
{
	return (MDB_val){ strlen(name), name };
}

static enum err of_mdb(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_MAP_FULL:
	case ENOMEM:
		return ERR_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return ERR_CORRUPT;
	default:
		return ERR_IO;
	}
}

/* Most significant octet first: rows stand in IMSI order. */
static void imsi_put(uint8_t to[8], uint64_t imsi)
{
	struct wr w = { .p = to, .cap = 8 };

	wr_be(&w, imsi, 8);
}

static enum err wrap_get(const struct vault *v, MDB_txn *txn, char *name, struct vault_wrap *w)
{
	MDB_val key = key_of(name), val;
	int rc = mdb_get(txn, v->meta, &key, &val);

	w->n = 0;
	if (rc)
		return rc == MDB_NOTFOUND ? ERR_OK : of_mdb(rc);
	if (val.mv_size < MASTER_WRAP_FILE || val.mv_size > sizeof(w->b))
		return ERR_CORRUPT;
	memcpy(w->b, val.mv_data, val.mv_size);
	w->n = val.mv_size;
	return ERR_OK;
}

static int wrap_put(const struct vault *v, MDB_txn *txn, char *name, struct vault_wrap *w, unsigned int flags)
{
	MDB_val key = key_of(name), val = { w->n, w->b };

	return mdb_put(txn, v->meta, &key, &val, flags);
}

static enum err finish(MDB_txn *txn, enum err err)
{
	if (!err)
		return of_mdb(mdb_txn_commit(txn)); /* synchronous: durable when it returns */
	mdb_txn_abort(txn);
	return err;
}

/* Both wraps, and whether there are rows. Never under the lock while a token is asked: that may take long. */
static enum err wraps_read(struct vault *v, struct vault_wrap *now, struct vault_wrap *next, bool *rows)
{
	MDB_txn *txn;
	MDB_stat st = { 0 };
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);
	enum err err;

	if (rc)
		return of_mdb(rc);
	rc = mdb_dbi_open(txn, "rows", MDB_CREATE, &v->rows);
	rc = rc ? rc : mdb_dbi_open(txn, "meta", MDB_CREATE, &v->meta);
	rc = rc ? rc : mdb_stat(txn, v->rows, &st);
	err = of_mdb(rc);
	err = err ? err : wrap_get(v, txn, now_name, now);
	err = err ? err : wrap_get(v, txn, next_name, next);
	*rows = st.ms_entries > 0;
	return finish(txn, err);
}

enum err vault_wraps(struct vault *v, struct vault_wrap *now, struct vault_wrap *next)
{
	bool rows;

	return wraps_read(v, now, next, &rows);
}

static struct view view_of_wrap(const struct vault_wrap *w)
{
	return (struct view){ w->b, w->n };
}

/* A data key for a new vault. ERR_EXISTS: another process was faster. */
static enum err data_key_make(struct vault *v, const struct master *master, char why[WHY])
{
	struct vault_wrap w;
	MDB_txn *txn;
	enum err err = random_bytes(v->data->b, sizeof(v->data->b));
	int rc;

	err = err ? err : master_wrap(master, TOKEN_NAMED, wrap_aad, v->data, w.b, &w.n, why);
	if (err)
		return err;
	rc = mdb_txn_begin(v->env, NULL, 0, &txn);
	if (rc)
		return of_mdb(rc);
	rc = wrap_put(v, txn, now_name, &w, MDB_NOOVERWRITE);
	return finish(txn, rc == MDB_KEYEXIST ? ERR_EXISTS : of_mdb(rc));
}

enum err vault_master_settle(struct vault *v)
{
	MDB_val key = key_of(next_name);
	struct vault_wrap w;
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);
	enum err err = of_mdb(rc);

	if (err)
		return err;
	err = wrap_get(v, txn, next_name, &w);
	if (!err && w.n > 0) {
		rc = wrap_put(v, txn, now_name, &w, 0);
		err = of_mdb(rc ? rc : mdb_del(txn, v->meta, &key, NULL));
	}
	return finish(txn, err);
}

/* Under the present master key, or the one that follows: that ends the change. */
static enum err data_key(struct vault *v, const struct master *master, char why[WHY])
{
	struct vault_wrap now, next;
	bool rows;
	enum err err = wraps_read(v, &now, &next, &rows);

	if (!err && now.n == 0) {
		err = rows ? ERR_CORRUPT : data_key_make(v, master, why);
		if (err != ERR_EXISTS)
			return err;
		err = wraps_read(v, &now, &next, &rows);
	}
	if (err)
		return err;
	err = master_unwrap(master, wrap_aad, view_of_wrap(&now), v->data, why);
	if (err != ERR_KEY || next.n == 0)
		return err;
	err = master_unwrap(master, wrap_aad, view_of_wrap(&next), v->data, why);
	return err ? err : vault_master_settle(v);
}

static int env_open(struct vault *v, const char *path)
{
	int rc = mdb_env_create(&v->env);

	rc = rc ? rc : mdb_env_set_mapsize(v->env, records_room);
	rc = rc ? rc : mdb_env_set_maxdbs(v->env, 2);
	rc = rc ? rc : mdb_env_set_maxreaders(v->env, READERS);
	return rc ? rc : mdb_env_open(v->env, path, MDB_NOTLS, 0600);
}

static const char *fault_text(enum err err)
{
	if (err == ERR_KEY)
		return "the master key is not the one this vault was made with";
	if (err == ERR_CORRUPT)
		return "is damaged: restore it from a backup";
	return err_text(err);
}

static enum err refuse(enum err err, const char *path, const char *text, char why[WHY])
{
	snprintf(why, WHY, "vault %.150s: %s", path, text);
	return err;
}

static enum err fill(struct vault *v, const char *path, const struct master *master,
		     char why[WHY])
{
	enum err err;
	int rc;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return refuse(ERR_IO, path, strerror(errno), why);
	v->data = secret_new(sizeof(*v->data));
	if (!v->data)
		return refuse(ERR_FULL, path, err_text(ERR_FULL), why);
	rc = env_open(v, path);
	if (rc)
		return refuse(of_mdb(rc), path, mdb_strerror(rc), why);
	(void)mdb_reader_check(v->env, &(int){ 0 }); /* places of readers that were killed */
	err = data_key(v, master, why);
	if (!err && !(v->ready = seal_key_new(v->data)))
		return refuse(ERR_FULL, path, err_text(ERR_FULL), why);
	if (err && !why[0])
		return refuse(err, path, fault_text(err), why);
	return err;
}

enum err vault_open(struct vault **out, const char *dir, const struct master *master,
		    char why[WHY])
{
	char path[1024];
	struct vault *v;
	enum err err;

	*out = NULL;
	why[0] = 0;
	if (snprintf(path, sizeof(path), "%s/" FOLDER, dir) >= (int)sizeof(path))
		return refuse(ERR_LENGTH, dir, "the name is too long", why);
	v = calloc(1, sizeof(*v));
	if (!v)
		return refuse(ERR_FULL, path, err_text(ERR_FULL), why);
	err = fill(v, path, master, why);
	if (err)
		vault_close(v);
	else
		*out = v;
	return err;
}

void vault_close(struct vault *v)
{
	if (!v)
		return;
	if (v->env)
		mdb_env_close(v->env);
	if (v->data)
		secret_free(v->data);
	if (v->ready)
		seal_key_free(v->ready);
	free(v);
}

struct vault_read *vault_reader(struct vault *v)
{
	struct vault_read *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->v = v;
	if (mdb_txn_begin(v->env, NULL, MDB_RDONLY, &r->txn) != 0) {
		free(r);
		return NULL;
	}
	r->live = true;
	return r;
}

void vault_read_free(struct vault_read *r)
{
	if (!r)
		return;
	mdb_txn_abort(r->txn);
	free(r);
}

void vault_read_renew(struct vault_read *r)
{
	mdb_txn_reset(r->txn);
	r->live = mdb_txn_renew(r->txn) == 0;
}

enum err vault_get(struct vault_read *r, uint64_t imsi, struct aka_key *key)
{
	uint8_t id[8], plain[AKA_KEY_MAX];
	MDB_val k = { sizeof(id), id }, val;
	enum err err;

	if (!r->live)
		return ERR_IO;
	imsi_put(id, imsi);
	err = of_mdb(mdb_get(r->txn, r->v->rows, &k, &val));
	if (!err && (val.mv_size > ROW_MAX || val.mv_size < SEAL_EXTRA))
		err = ERR_KEY;
	/* The IMSI is sealed in: another subscriber's row copied to this place does not open. */
	if (!err)
		err = unseal_with(r->v->ready, (struct view){ id, sizeof(id) },
				  (struct view){ val.mv_data, val.mv_size }, plain);
	if (!err && aka_key_get((struct view){ plain, val.mv_size - SEAL_EXTRA }, key))
		err = ERR_KEY;
	secret_wipe(plain, sizeof(plain));
	return err;
}

size_t vault_scan(struct vault_read *r, uint64_t after, uint64_t *imsi, size_t max)
{
	uint8_t id[8];
	MDB_val k = { sizeof(id), id }, val;
	MDB_cursor *c;
	size_t n = 0;
	int rc;

	if (!r->live || after == UINT64_MAX || mdb_cursor_open(r->txn, r->v->rows, &c) != 0)
		return 0;
	imsi_put(id, after + 1);
	for (rc = mdb_cursor_get(c, &k, &val, MDB_SET_RANGE); rc == 0 && n < max;
	     rc = mdb_cursor_get(c, &k, &val, MDB_NEXT)) {
		struct rd rd = { .left = { k.mv_data, k.mv_size } };

		imsi[n++] = rd_be64(&rd, 8);
	}
	mdb_cursor_close(c);
	return n;
}

/* The last row's IMSI; 0: there is none. */
static uint64_t last_imsi(struct vault *v, MDB_txn *txn)
{
	MDB_val k, val;
	MDB_cursor *c;
	uint64_t imsi = 0;

	if (mdb_cursor_open(txn, v->rows, &c) != 0)
		return UINT64_MAX;
	if (mdb_cursor_get(c, &k, &val, MDB_LAST) == 0) {
		struct rd rd = { .left = { k.mv_data, k.mv_size } };

		imsi = rd_be64(&rd, 8);
	}
	mdb_cursor_close(c);
	return imsi;
}

/* A row beyond `*last` is appended: its page is filled, not split. */
static enum err row_put(struct vault *v, MDB_txn *txn, const struct vault_row *row, uint64_t *last)
{
	uint8_t id[8], plain[AKA_KEY_MAX], sealed[ROW_MAX];
	size_t n = aka_key_put(&row->key, plain);
	MDB_val k = { sizeof(id), id }, val = { n + SEAL_EXTRA, sealed };
	enum err err;

	imsi_put(id, row->imsi);
	err = seal(v->data, (struct view){ id, sizeof(id) }, (struct view){ plain, n }, sealed);
	secret_wipe(plain, sizeof(plain));
	if (err)
		return err;
	if (row->imsi <= *last)
		return of_mdb(mdb_put(txn, v->rows, &k, &val, 0));
	*last = row->imsi;
	return of_mdb(mdb_put(txn, v->rows, &k, &val, MDB_APPEND));
}

enum err vault_put(struct vault *v, const struct vault_row *rows, size_t n)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);
	enum err err = of_mdb(rc);
	uint64_t last;

	if (err)
		return err;
	last = last_imsi(v, txn);
	for (size_t i = 0; i < n && !err; i++)
		err = row_put(v, txn, &rows[i], &last);
	return finish(txn, err);
}

enum err vault_delete(struct vault *v, uint64_t imsi)
{
	uint8_t id[8];
	MDB_val k = { sizeof(id), id };
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);

	if (rc)
		return of_mdb(rc);
	imsi_put(id, imsi);
	return finish(txn, of_mdb(mdb_del(txn, v->rows, &k, NULL)));
}

void vault_pair(const struct vault *v, uint8_t pub[SEALBOX_PUBLIC], struct secret32 *priv)
{
	sealbox_pair(v->data, pub, priv);
}

enum err vault_master_next(struct vault *v, const struct master *to, enum token_which which, char why[WHY])
{
	struct vault_wrap w;
	MDB_txn *txn;
	enum err err = master_wrap(to, which, wrap_aad, v->data, w.b, &w.n, why);

	if (err)
		return err;
	err = of_mdb(mdb_txn_begin(v->env, NULL, 0, &txn));
	return err ? err : finish(txn, of_mdb(wrap_put(v, txn, next_name, &w, 0)));
}

int vault_lock(const char *dir)
{
	char path[1024];
	int fd;

	if (snprintf(path, sizeof(path), "%s/" FOLDER, dir) >= (int)sizeof(path))
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}
