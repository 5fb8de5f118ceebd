/* The journal (hash-chained) and the change feed: written in the transaction of what they tell
 * of. */
#include "records/store_in.h"

#include <stdio.h>

#define ENTRY_ROOM (20 * 1024) /* DETAIL_MAX of store_edit.c, and the rest */

static void put_view(struct wr *w, struct view v)
{
	wr_be(w, v.n, 8);
	wr_view(w, v);
}

enum err store_journal_hash(struct store *st, const uint8_t before[HASH_BYTES], uint64_t seq,
			    const struct entry *e, uint8_t to[HASH_BYTES])
{
	static _Thread_local uint8_t room[ENTRY_ROOM];
	struct wr w = { .p = room, .cap = sizeof room };

	wr_view(&w, (struct view){ before, HASH_BYTES });
	wr_be(&w, seq, 8);
	wr_be(&w, e->at_ms, 8);
	put_view(&w, e->actor);
	put_view(&w, e->action);
	put_view(&w, e->object);
	put_view(&w, e->key);
	put_view(&w, e->detail);
	return w.err ? w.err : digest_of(st->chain, wr_done(&w), to);
}

static void bind(sqlite3_stmt *q, int at, struct view v)
{
	sqlite3_bind_text(q, at, v.n > 0 ? (const char *)v.p : "", (int)v.n, SQLITE_STATIC);
}

enum err store_journal_add(struct store *st, const struct entry *e)
{
	uint8_t head[HASH_BYTES];
	int rc;

	if (store_journal_hash(st, st->journal_head, st->journal_seq + 1, e, head))
		return ERR_IO;
	sqlite3_bind_int64(st->journal, 1, (int64_t)st->journal_seq + 1);
	sqlite3_bind_int64(st->journal, 2, (int64_t)e->at_ms);
	bind(st->journal, 3, e->actor);
	bind(st->journal, 4, e->action);
	bind(st->journal, 5, e->object);
	bind(st->journal, 6, e->key);
	bind(st->journal, 7, e->detail);
	sqlite3_bind_blob(st->journal, 8, head, HASH_BYTES, SQLITE_STATIC);
	rc = sqlite3_step(st->journal);
	sqlite3_reset(st->journal);
	sqlite3_clear_bindings(st->journal);
	if (rc != SQLITE_DONE)
		return ERR_IO;
	st->journal_seq++;
	memcpy(st->journal_head, head, HASH_BYTES);
	return ERR_OK;
}

enum err store_note(struct store *st, const struct who *who, struct view action, struct view object,
		    struct view key, struct view detail)
{
	struct entry e = { .actor = who->actor, .action = action, .object = object, .key = key,
			   .detail = detail.n > 0 ? detail : VIEW("{}"), .at_ms = who->now_ms };
	enum err err = store_begin(st);

	if (err)
		return err;
	err = store_journal_add(st, &e);
	if (!err)
		return store_commit(st);
	store_rollback(st);
	return err;
}

/* What a reader of the serving copy knows a record by; 0: it is not in the serving copy. */
static enum change_kind kind_of(enum object o)
{
	static const enum change_kind kinds[OBJ_N] = {
		[OBJ_SUBSCRIPTION] = CHANGE_SUB, [OBJ_PROFILE] = CHANGE_PROFILE,
		[OBJ_NETWORK] = CHANGE_NETWORK, [OBJ_RULE] = CHANGE_RULE,
		[OBJ_EQUIPMENT] = CHANGE_EQUIP, [OBJ_RANGE] = CHANGE_RANGE,
		[OBJ_HOST] = CHANGE_HOST, [OBJ_AGREEMENT] = CHANGE_AGREEMENT,
	};

	return kinds[o];
}

void store_fresh_drop(struct store *st)
{
	st->fresh_n = 0;
}

/* A full list begins anew: the feed itself has what was in it. */
static void fresh_add(struct store *st, const struct store_change *c, const struct row *new)
{
	struct sub_row *sub;

	if (st->fresh_n == FRESH_MAX || c->repack)
		store_fresh_drop(st);
	if (st->fresh_n == 0)
		st->fresh_first = c->change.seq;
	sub = &st->fresh_sub[st->fresh_n];
	if (c->change.kind != CHANGE_SUB || !new || store_pack_sub(st, new, sub))
		sub->imsi = 0;
	st->fresh[st->fresh_n++] = *c;
}

enum err store_change_add(struct store *st, const struct row *old, const struct row *new)
{
	const struct row *r = new ? new : old;
	enum change_kind kind = kind_of(r->object);
	bool by_id = kind == CHANGE_PROFILE || kind == CHANGE_RULE || kind == CHANGE_AGREEMENT;
	bool repack = false;
	uint64_t id = by_id ? (uint64_t)r->id : bcd_of(row_key(r));
	uint32_t was = kind == CHANGE_SUB && old ? (uint32_t)row_at(old, COL_SUB_LIFE)->num : 0;
	int rc;

	if (!kind)
		return ERR_OK;
	if (kind == CHANGE_RANGE)
		st->batches_known = false;
	if (kind == CHANGE_PROFILE) {
		st->profile_name[0] = 0;
		repack = old && new &&
			 row_at(old, COL_PROFILE_PRIO)->num != row_at(new, COL_PROFILE_PRIO)->num;
	}
	sqlite3_bind_int64(st->change, 1, (int64_t)st->feed + 1);
	sqlite3_bind_int64(st->change, 2, (int64_t)kind);
	sqlite3_bind_int64(st->change, 3, (int64_t)id);
	sqlite3_bind_int64(st->change, 4, was);
	sqlite3_bind_int64(st->change, 5, repack);
	rc = sqlite3_step(st->change);
	sqlite3_reset(st->change);
	if (rc != SQLITE_DONE)
		return ERR_IO;
	st->feed++;
	fresh_add(st, &(struct store_change){ .change = { st->feed, id, kind, was }, .repack = repack },
		  new);
	return ERR_OK;
}

static size_t fresh_changes(const struct store *st, uint64_t after, struct store_change *out, size_t max)
{
	size_t at = (size_t)(after + 1 - st->fresh_first), n = st->fresh_n - at;

	n = n < max ? n : max;
	memcpy(out, st->fresh + at, n * sizeof *out);
	return n;
}

enum err store_pack_change(struct store *st, const struct store_change *c, union packed *to)
{
	uint64_t at = c->change.seq - st->fresh_first;

	if (st->fresh_n == 0 || c->change.seq < st->fresh_first || at >= st->fresh_n ||
	    st->fresh_sub[at].imsi == 0)
		return store_pack(st, (enum change_kind)c->change.kind, c->change.id, to);
	to->sub = st->fresh_sub[at];
	return ERR_OK;
}

size_t store_changes(struct store *st, uint64_t after, struct store_change *out, size_t max, enum err *err)
{
	sqlite3_stmt *q;
	size_t n = 0;
	int rc = SQLITE_ERROR;

	if (st->fresh_n > 0 && after + 1 >= st->fresh_first && after < st->feed) {
		*err = ERR_OK;
		return fresh_changes(st, after, out, max);
	}
	q = store_prepare(st, "SELECT seq, kind, id, was, repack FROM change "
			      "WHERE seq > ? ORDER BY seq LIMIT ?");
	if (q) {
		sqlite3_bind_int64(q, 1, (int64_t)after);
		sqlite3_bind_int64(q, 2, (int64_t)max);
		while ((rc = sqlite3_step(q)) == SQLITE_ROW && n < max) {
			out[n++] = (struct store_change){
				.change = { .seq = (uint64_t)sqlite3_column_int64(q, 0),
					    .id = (uint64_t)sqlite3_column_int64(q, 2),
					    .kind = (uint32_t)sqlite3_column_int64(q, 1),
					    .was = (uint32_t)sqlite3_column_int64(q, 3) },
				.repack = sqlite3_column_int(q, 4) != 0,
			};
		}
	}
	sqlite3_finalize(q);
	*err = rc == SQLITE_DONE || rc == SQLITE_ROW ? ERR_OK : ERR_IO;
	return n;
}

void store_prune(struct store *st, uint64_t keep)
{
	char sql[96];

	if (st->feed <= keep)
		return;
	snprintf(sql, sizeof sql, "DELETE FROM change WHERE seq <= %llu",
		 (unsigned long long)(st->feed - keep));
	if (store_sql(st, sql))
		return; /* logged; the next tick tries again */
}
