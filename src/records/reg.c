#include "records/reg_db.h"

#include "records/hold.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whose file this is: key 0 of `meta`. */
struct reg_head {
	uint64_t magic, row_bytes;
};

static enum err fail(char why[256], enum err e, const char *dir, const char *text)
{
	snprintf(why, 256, "%s/registrations: %s", dir, text);
	return e;
}

/* The overlay is one process's: a second home on the same folder would not see it. */
static enum err lock_dir(struct reg *r, const char *path, const char *dir, char why[256])
{
	char file[512];
	enum err e;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fail(why, ERR_IO, dir, strerror(errno));
	if (!db_path(file, path, "home.lock"))
		return fail(why, ERR_CONFIG, dir, "path too long");
	e = hold_file(file, &r->lock_fd);
	if (e)
		return fail(why, ERR_IO, dir,
			    e == ERR_EXISTS ? "another home uses it" : strerror(errno));
	return ERR_OK;
}

/* The head, written when the file is new or of the first version, and the cursor. */
static int read_meta(struct reg *r, MDB_txn *txn, bool *ours)
{
	struct reg_head head = { REG_MAGIC, sizeof(struct reg_row) }, old = { REG_MAGIC, REG_ROW_OLD };
	uint64_t id = 0;
	MDB_val key = db_u64(&id), val;
	int rc = mdb_get(txn, r->meta, &key, &val);

	if (rc == MDB_NOTFOUND || (rc == 0 && val.mv_size == sizeof old &&
				   memcmp(val.mv_data, &old, sizeof old) == 0)) {
		val = (MDB_val){ sizeof head, &head };
		rc = mdb_put(txn, r->meta, &key, &val, 0);
	}
	if (rc != 0)
		return rc;
	*ours = val.mv_size == sizeof head && memcmp(val.mv_data, &head, sizeof head) == 0;
	id = 1;
	rc = mdb_get(txn, r->meta, &key, &val);
	if (rc == 0 && val.mv_size == sizeof r->cursor)
		memcpy(&r->cursor, val.mv_data, sizeof r->cursor);
	r->cursor_durable = r->cursor;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int open_tables(struct reg *r, bool *ours)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(r->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, "rows", MDB_INTEGERKEY | MDB_CREATE, &r->rows);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "meta", MDB_INTEGERKEY | MDB_CREATE, &r->meta);
	if (rc == 0)
		rc = read_meta(r, txn, ours);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static enum err open_env(struct reg *r, const char *dir, size_t map_bytes, char why[256])
{
	bool ours = false;
	char path[512];
	enum err e;
	int rc;

	if (!db_path(path, dir, "registrations"))
		return fail(why, ERR_CONFIG, dir, "path too long");
	e = lock_dir(r, path, dir, why);
	if (e)
		return e;
	rc = mdb_env_create(&r->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(r->env, 2);
	if (rc == 0)
		rc = mdb_env_set_mapsize(r->env, map_bytes);
	if (rc == 0) /* no flag that weakens a commit: it is what an answer waits for */
		rc = mdb_env_open(r->env, path, MDB_NOTLS, 0600);
	if (rc == 0)
		rc = open_tables(r, &ours);
	if (rc != 0)
		return fail(why, db_err(rc), dir, mdb_strerror(rc));
	return ours ? ERR_OK : fail(why, ERR_CORRUPT, dir, "made by another version");
}

enum err reg_open_sized(struct reg **out, const char *dir, size_t map_bytes, char why[256])
{
	struct reg *r = calloc(1, sizeof *r);
	enum err e;

	*out = NULL;
	why[0] = 0;
	if (!r)
		return fail(why, ERR_FULL, dir, "out of memory");
	r->lock_fd = -1;
	r->last = &r->first;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	e = open_env(r, dir, map_bytes, why);
	if (!e && pthread_create(&r->committer, NULL, reg_commit_run, r) != 0)
		e = fail(why, ERR_FULL, dir, "cannot make a thread");
	r->running = !e;
	if (e) {
		reg_close(r);
		return e;
	}
	*out = r;
	return ERR_OK;
}

enum err reg_open(struct reg **r, const char *dir, char why[256])
{
	return reg_open_sized(r, dir, records_room, why);
}

static void worker_free(struct reg_worker *w)
{
	if (w->txn)
		mdb_txn_abort(w->txn);
	if (w->fd >= 0)
		close(w->fd);
	free(w->slots);
	free(w->ring);
	free(w);
}

void reg_close(struct reg *r)
{
	if (!r)
		return;
	if (r->running) {
		pthread_mutex_lock(&r->lock);
		r->stop = true;
		pthread_cond_signal(&r->wake);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->committer, NULL);
	}
	for (size_t i = 0; i < r->worker_n; i++)
		worker_free(r->worker[i]);
	if (r->env)
		mdb_env_close(r->env);
	if (r->lock_fd >= 0)
		close(r->lock_fd);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

struct reg_worker *reg_worker(struct reg *r)
{
	struct reg_worker *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->reg = r;
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->slots = calloc(REG_QUEUE, sizeof *w->slots);
	w->ring = calloc(REG_QUEUE, sizeof *w->ring);
	if (w->fd < 0 || !w->slots || !w->ring ||
	    mdb_txn_begin(r->env, NULL, MDB_RDONLY, &w->txn) != 0) {
		worker_free(w);
		return NULL;
	}
	mdb_txn_reset(w->txn);
	for (size_t i = 0; i < REG_QUEUE; i++) {
		w->slots[i].worker = w;
		w->slots[i].next = w->free;
		w->free = &w->slots[i];
	}
	pthread_mutex_lock(&r->lock);
	if (r->worker_n < REG_WORKERS)
		r->worker[r->worker_n++] = w;
	else
		w->reg = NULL;
	pthread_mutex_unlock(&r->lock);
	if (w->reg)
		return w;
	worker_free(w);
	return NULL;
}

int reg_done_fd(const struct reg_worker *w)
{
	return w->fd;
}

/* Under the lock. */
static const struct reg_put *overlay_find(struct reg *r, uint64_t imsi)
{
	const struct reg_put *p = *reg_bucket(r, imsi);

	while (p && p->row.imsi != imsi)
		p = p->older;
	return p;
}

static enum err read_durable(struct reg_worker *w, uint64_t imsi, struct reg_row *row)
{
	MDB_val key = db_u64(&imsi), val;
	int rc = mdb_txn_renew(w->txn);

	if (rc != 0)
		return ERR_IO;
	rc = mdb_get(w->txn, w->reg->rows, &key, &val);
	if (rc == 0 && !reg_unpack(val, row))
		rc = MDB_CORRUPTED;
	mdb_txn_reset(w->txn);
	return db_err(rc);
}

enum err reg_get(struct reg_worker *w, uint64_t imsi, struct reg_row *row)
{
	struct reg *r = w->reg;
	const struct reg_put *p;

	/* The overlay first: a row leaves it only when the file has it. */
	pthread_mutex_lock(&r->lock);
	p = overlay_find(r, imsi);
	if (p)
		*row = p->row;
	w->read_imsi = p ? imsi : 0;
	w->read_fails = r->fails;
	pthread_mutex_unlock(&r->lock);
	return p ? ERR_OK : read_durable(w, imsi, row);
}

/* Under the lock: to the end of the queue. */
static void queue(struct reg *r, struct reg_put *p)
{
	p->next = NULL;
	*r->last = p;
	r->last = &p->next;
	if (r->asleep)
		pthread_cond_signal(&r->wake);
}

static struct reg_put *take_slot(struct reg_worker *w, uint64_t token)
{
	struct reg_put *p = w->free;

	if (!p)
		return NULL;
	w->free = p->next;
	p->token = token;
	p->err = ERR_OK;
	return p;
}

enum err reg_put(struct reg_worker *w, const struct reg_row *row, uint64_t token)
{
	struct reg *r = w->reg;
	struct reg_put *p = take_slot(w, token), **bucket;
	bool stale;

	assert(row->imsi != 0);
	if (!p)
		return ERR_FULL;
	p->row = *row;
	bucket = reg_bucket(r, row->imsi);
	pthread_mutex_lock(&r->lock);
	/* Made out of a queued row whose commit has failed since: it would bring that row back. */
	stale = w->read_imsi == row->imsi && w->read_fails != r->fails;
	if (!stale) {
		p->older = *bucket;
		*bucket = p;
		r->overlay_n++;
		queue(r, p);
	}
	pthread_mutex_unlock(&r->lock);
	if (!stale)
		return ERR_OK;
	p->next = w->free;
	w->free = p;
	return ERR_IO;
}

bool reg_done(struct reg_worker *w, uint64_t *token, enum err *err)
{
	uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
	struct reg_put *p;
	uint64_t count;

	if (tail == atomic_load(&w->head)) {
		/* Empty: let the descriptor go quiet, then look once more. Signalled, but nothing
		 * to read: the committer is about to write, and that wake-up will do. */
		if (atomic_load(&w->signalled) && read(w->fd, &count, sizeof count) == sizeof count)
			atomic_store(&w->signalled, false);
		if (tail == atomic_load(&w->head))
			return false;
	}
	p = w->ring[tail % REG_QUEUE];
	atomic_store(&w->tail, tail + 1);
	*token = p->token;
	*err = p->err;
	p->next = w->free;
	w->free = p;
	return true;
}

uint64_t reg_cursor(struct reg_worker *w)
{
	uint64_t seq;

	pthread_mutex_lock(&w->reg->lock);
	seq = w->reg->cursor;
	pthread_mutex_unlock(&w->reg->lock);
	return seq;
}

enum err reg_put_cursor(struct reg_worker *w, uint64_t seq, uint64_t token)
{
	struct reg_put *p = take_slot(w, token);

	if (!p)
		return ERR_FULL;
	p->row.imsi = 0;
	p->seq = seq;
	pthread_mutex_lock(&w->reg->lock);
	w->reg->cursor = seq;
	queue(w->reg, p);
	pthread_mutex_unlock(&w->reg->lock);
	return ERR_OK;
}
