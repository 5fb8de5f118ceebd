/* The partition of a batch of cards: that of their IMSI range (R-5.1.h, R-5.1.i). */
#include "records/store_in.h"

/* Most networks have no partition: no subscription need be looked up among the ranges then. */
static bool has_batches(struct store *st)
{
	sqlite3_stmt *q;

	if (st->batches_known)
		return st->batches;
	q = store_prepare(st, "SELECT 1 FROM imsi_range WHERE partition <> 0 LIMIT 1");
	st->batches = !q || sqlite3_step(q) != SQLITE_DONE;
	st->batches_known = q != NULL;
	sqlite3_finalize(q);
	return st->batches;
}

/* A new subscription belongs to the partition of its range's batch, if the request says no other
 * (R-5.1.h, R-5.1.i). */
enum err batch_join(struct store *st, struct row *new, struct say *s)
{
	struct view imsi = row_key(new);
	struct row range;
	enum err err = ERR_OK;

	if (!has_batches(st))
		return ERR_OK;
	sqlite3_bind_text(st->batch_of, 1, (const char *)imsi.p, (int)imsi.n, SQLITE_STATIC);
	if (sqlite3_step(st->batch_of) == SQLITE_ROW) {
		err = store_find_id(st, OBJ_RANGE, sqlite3_column_int64(st->batch_of, 0), &range);
		if (!err && range.tampered) {
			store_tampered(&range);
			say(s, "range: was changed behind Merlon's back (R-3.1.c)");
			err = ERR_CORRUPT;
		}
		if (!err)
			row_cell(new, COL_SUB_PARTITION)->num = row_at(&range, COL_RANGE_PART)->num;
	}
	sqlite3_reset(st->batch_of);
	return err;
}
