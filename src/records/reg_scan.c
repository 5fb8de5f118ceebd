#include "records/reg_db.h"

struct scan {
	struct reg_row *out;
	size_t n, max;
	uint64_t after;
};

/* Into its place among the rows so far; the last one goes when there are too many. */
static void insert(struct scan *s, const struct reg_row *row)
{
	size_t at = s->n;

	if (row->imsi <= s->after || (row->flags & (REG_SERVED | REG_AAA | REG_HOLD_WANTED)) == 0)
		return;
	while (at > 0 && s->out[at - 1].imsi > row->imsi)
		at--;
	if (at == s->max || (at > 0 && s->out[at - 1].imsi == row->imsi))
		return;
	if (s->n == s->max)
		s->n--;
	memmove(s->out + at + 1, s->out + at, (s->n - at) * sizeof *row);
	s->out[at] = *row;
	s->n++;
}

static bool queued(struct reg *r, uint64_t imsi)
{
	for (const struct reg_put *p = *reg_bucket(r, imsi); p; p = p->older)
		if (p->row.imsi == imsi)
			return true;
	return false;
}

/* The newest put of each IMSI. */
static void add_queued(struct scan *s, struct reg *r)
{
	for (size_t i = 0; i < REG_BUCKETS && r->overlay_n > 0; i++)
		for (const struct reg_put *p = r->bucket[i], *q; p; p = p->older) {
			for (q = r->bucket[i]; q->row.imsi != p->row.imsi;)
				q = q->older;
			if (q == p)
				insert(s, &p->row);
		}
}

static void add_durable(struct scan *s, struct reg *r, MDB_txn *txn)
{
	uint64_t from = s->after + 1;
	MDB_val key = db_u64(&from), val;
	struct reg_row row;
	MDB_cursor *c;
	int rc;

	if (mdb_cursor_open(txn, r->rows, &c) != 0)
		return;
	for (rc = mdb_cursor_get(c, &key, &val, MDB_SET_RANGE); rc == 0;
	     rc = mdb_cursor_get(c, &key, &val, MDB_NEXT)) {
		if (!reg_unpack(val, &row))
			break;
		if (s->n == s->max && row.imsi > s->out[s->n - 1].imsi)
			break;
		if (!queued(r, row.imsi))
			insert(s, &row);
	}
	mdb_cursor_close(c);
}

/* All under the lock: a put that becomes durable meanwhile is in the overlay or in the file. */
size_t reg_scan(struct reg_worker *w, uint64_t after, struct reg_row *out, size_t max)
{
	struct scan s = { .out = out, .max = max, .after = after };
	struct reg *r = w->reg;

	if (max == 0 || after == UINT64_MAX)
		return 0;
	pthread_mutex_lock(&r->lock);
	if (mdb_txn_renew(w->txn) == 0) {
		add_queued(&s, r);
		add_durable(&s, r, w->txn);
		mdb_txn_reset(w->txn);
	}
	pthread_mutex_unlock(&r->lock);
	return s.n;
}
