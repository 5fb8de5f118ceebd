/* The committer: everything that was queued while the last commit ran is the next one. */
#include "records/reg_db.h"

#include "base/log.h"
#include "base/metric.h"

#include <unistd.h>

/* Key 1 of `meta`; key 0 says whose file this is (reg.c). */
static int put_cursor(struct reg *r, MDB_txn *txn, uint64_t seq)
{
	uint64_t one = 1;
	MDB_val key = db_u64(&one), val = db_u64(&seq);

	return mdb_put(txn, r->meta, &key, &val, 0);
}

static int write_all(struct reg *r, MDB_txn *txn, struct reg_put *batch, uint64_t *cursor)
{
	int rc = 0;

	for (struct reg_put *p = batch; p && rc == 0; p = p->next) {
		MDB_val key = db_u64(&p->row.imsi), val = { sizeof p->row, &p->row };

		if (p->row.imsi != 0) {
			rc = mdb_put(txn, r->rows, &key, &val, 0);
		} else {
			rc = put_cursor(r, txn, p->seq);
			*cursor = p->seq;
		}
	}
	return rc;
}

/* One durable transaction. */
static int commit(struct reg *r, struct reg_put *batch, uint64_t *cursor)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(r->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = write_all(r, txn, batch, cursor);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static void overlay_remove(struct reg *r, struct reg_put *p)
{
	struct reg_put **at = reg_bucket(r, p->row.imsi);

	if (p->row.imsi == 0)
		return;
	while (*at != p)
		at = &(*at)->older;
	*at = p->older;
	r->overlay_n--;
}

/* Under the lock: take a batch out of the overlay. After a failure everything queued since goes
 * with it: a row that came later may have been made out of one that now never was, and a cursor may
 * not pass rows that are lost. So no order of puts can leave half of what they meant. */
static void settle(struct reg *r, struct reg_put *batch, int rc, uint64_t cursor)
{
	struct reg_put **end = &batch;

	while (*end)
		end = &(*end)->next;
	if (rc != 0) {
		*end = r->first;
		r->first = NULL;
		r->last = &r->first;
		r->fails++;
		r->cursor = r->cursor_durable;
	} else {
		r->cursor_durable = cursor;
	}
	for (struct reg_put *p = batch; p; p = p->next) {
		p->err = rc == 0 ? ERR_OK : ERR_IO;
		overlay_remove(r, p);
	}
}

/* Hand each put back to its worker, and wake each worker once. The put is the worker's own again as
 * soon as it is in the ring. */
static size_t hand_back(struct reg *r, struct reg_put *batch)
{
	size_t n = 0, worker_n;

	for (struct reg_put *p = batch, *next; p; p = next, n++) {
		struct reg_worker *w = p->worker;
		uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed);

		next = p->next;
		w->ring[head % REG_QUEUE] = p;
		atomic_store(&w->head, head + 1);
	}
	pthread_mutex_lock(&r->lock);
	worker_n = r->worker_n;
	pthread_mutex_unlock(&r->lock);
	for (size_t i = 0; i < worker_n; i++) {
		struct reg_worker *w = r->worker[i];
		uint64_t one = 1;

		if (atomic_load(&w->head) != atomic_load(&w->tail) &&
		    !atomic_exchange(&w->signalled, true) &&
		    write(w->fd, &one, sizeof one) != sizeof one)
			LOG(LOG_ERROR, "reg.wake_failed", KV("error", strerror(errno)));
	}
	return n;
}

static void commit_batch(struct reg *r, struct reg_put *batch)
{
	uint64_t cursor = r->cursor_durable; /* only this thread writes it */
	int rc = commit(r, batch, &cursor);
	size_t n;

	pthread_mutex_lock(&r->lock);
	settle(r, batch, rc, cursor);
	pthread_mutex_unlock(&r->lock);
	n = hand_back(r, batch);
	metric_add(M_REG_COMMITS, rc != 0, 1);
	metric_add(M_REG_ROWS, rc != 0, n);
	if (rc != 0)
		LOG(LOG_ERROR, "reg.commit_failed", KV("error", (const char *)mdb_strerror(rc)),
		    KV("rows", n));
}

void *reg_commit_run(void *arg)
{
	struct reg *r = arg;
	struct reg_put *batch;

	pthread_mutex_lock(&r->lock);
	while (r->first || !r->stop) {
		if (!r->first) {
			r->asleep = true;
			pthread_cond_wait(&r->wake, &r->lock);
			r->asleep = false;
			continue;
		}
		batch = r->first;
		r->first = NULL;
		r->last = &r->first;
		pthread_mutex_unlock(&r->lock);
		commit_batch(r, batch);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}
