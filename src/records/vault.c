#include "records/vault.h"

#include "records/room.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FOLDER   "vault-auc"
#define READERS  126
#define WHY      256
#define ROW_MAX  (AKA_KEY_MAX + SEAL_EXTRA) /* the length of a row says how to read it (aka.h) */
#define WRAP_N   (sizeof(struct secret32) + SEAL_EXTRA)

/* The data key lives in memory that no core dump shows. Only `put`, `delete` and `rewrap`
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

static MDB_val name_of_key(void)
{
	static char name[] = "data-key";

	return (MDB_val){ sizeof(name) - 1, name };
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

static enum err wrap_put(struct vault *v, MDB_txn *txn, const struct secret32 *master)
{
	uint8_t wrap[WRAP_N];
	MDB_val key = name_of_key(), val = { sizeof(wrap), wrap };
	struct view plain = { v->data->b, sizeof(v->data->b) };
	enum err err = seal(master, wrap_aad, plain, wrap);

	return err ? err : of_mdb(mdb_put(txn, v->meta, &key, &val, 0));
}

/* Open the data key, or make one: only for a vault without a row. */
static enum err data_key(struct vault *v, MDB_txn *txn, const struct secret32 *master)
{
	MDB_val key = name_of_key(), val;
	int rc = mdb_get(txn, v->meta, &key, &val);
	MDB_stat st;
	enum err err;

	if (rc == MDB_SUCCESS) {
		if (val.mv_size != WRAP_N)
			return ERR_CORRUPT;
		return unseal(master, wrap_aad, (struct view){ val.mv_data, val.mv_size },
			      v->data->b);
	}
	if (rc != MDB_NOTFOUND)
		return of_mdb(rc);
	rc = mdb_stat(txn, v->rows, &st);
	if (rc || st.ms_entries > 0)
		return rc ? of_mdb(rc) : ERR_CORRUPT;
	err = random_bytes(v->data->b, sizeof(v->data->b));
	return err ? err : wrap_put(v, txn, master);
}

static enum err tables_open(struct vault *v, const struct secret32 *master)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);
	enum err err;

	if (rc)
		return of_mdb(rc);
	rc = mdb_dbi_open(txn, "rows", MDB_CREATE, &v->rows);
	rc = rc ? rc : mdb_dbi_open(txn, "meta", MDB_CREATE, &v->meta);
	err = rc ? of_mdb(rc) : data_key(v, txn, master);
	if (!err)
		return of_mdb(mdb_txn_commit(txn));
	mdb_txn_abort(txn);
	return err;
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

static enum err fill(struct vault *v, const char *path, const struct secret32 *master,
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
	err = tables_open(v, master);
	if (!err && !(v->ready = seal_key_new(v->data)))
		return refuse(ERR_FULL, path, err_text(ERR_FULL), why);
	return err ? refuse(err, path, fault_text(err), why) : ERR_OK;
}

enum err vault_open(struct vault **out, const char *dir, const struct secret32 *master,
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

static enum err finish(MDB_txn *txn, enum err err)
{
	if (!err)
		return of_mdb(mdb_txn_commit(txn)); /* synchronous: durable when it returns */
	mdb_txn_abort(txn);
	return err;
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

enum err vault_rewrap(struct vault *v, const struct secret32 *to)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);

	if (rc)
		return of_mdb(rc);
	return finish(txn, wrap_put(v, txn, to));
}
