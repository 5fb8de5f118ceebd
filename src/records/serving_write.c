#include "records/serving_db.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct serving_writer {
	MDB_env *env;
	MDB_dbi dbi[DB_N];
	MDB_txn *txn;            /* the open batch */
	MDB_txn *held[2];        /* older and newer sliding read transaction */
	uint64_t held_ms, tick_ms; /* when the newer began, by our clock and by the caller's */
	uint64_t wait_ms;        /* no commit before this (our clock) */
	bool rebuild;            /* made in the place of another, nothing committed yet */
	enum err err;            /* of the open batch, sticky */
	uint64_t last[DB_N];     /* the highest key, or a higher one; UINT64_MAX: not looked up */
	struct serving_meta meta, next;
	struct serving_lists lists, next_lists;
	struct serving_page *page;
	int page_fd;
};

static enum err fail(char why[256], enum err e, const char *what, const char *dir, const char *text)
{
	snprintf(why, 256, "%s/%s: %s: %s", dir, SERVING_FILE, what, text);
	return e;
}

/* The page, and the lock on it that keeps a second writer out for as long as this process lives. */
static enum err open_page(struct serving_writer *w, const char *dir, char why[256])
{
	char path[512];
	void *map;

	if (!db_path(path, dir, SERVING_PAGE))
		return fail(why, ERR_CONFIG, "path", dir, "too long");
	w->page_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (w->page_fd < 0)
		return fail(why, ERR_IO, "page", dir, strerror(errno));
	if (flock(w->page_fd, LOCK_EX | LOCK_NB) != 0)
		return fail(why, ERR_IO, "page", dir, "another keeper writes it");
	if (ftruncate(w->page_fd, sizeof *w->page) != 0)
		return fail(why, ERR_IO, "page", dir, strerror(errno));
	map = mmap(NULL, sizeof *w->page, PROT_READ | PROT_WRITE, MAP_SHARED, w->page_fd, 0);
	if (map == MAP_FAILED)
		return fail(why, ERR_IO, "page", dir, strerror(errno));
	w->page = map;
	return ERR_OK;
}

/* A file cut short would be read as a bus error, not as an error code. */
static bool whole(MDB_env *env, const char *path)
{
	MDB_envinfo info;
	MDB_stat st;
	struct stat file;

	if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &st) != 0 || stat(path, &file) != 0)
		return false;
	return info.me_last_txnid == 0 ||
	       (uint64_t)file.st_size >= ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
}

static enum err open_env(struct serving_writer *w, const char *dir, char why[256])
{
	char path[512];
	int rc;

	if (!db_path(path, dir, SERVING_FILE))
		return fail(why, ERR_CONFIG, "path", dir, "too long");
	rc = mdb_env_create(&w->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(w->env, DB_N);
	if (rc == 0)
		rc = mdb_env_set_mapsize(w->env, records_room);
	/* A power cut may undo the last commit, whole: the keeper goes on from serving_feed. */
	if (rc == 0)
		rc = mdb_env_open(w->env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOMETASYNC, 0640);
	if (rc != 0)
		return fail(why, db_err(rc), "open", dir, mdb_strerror(rc));
	if (!whole(w->env, path))
		return fail(why, ERR_CORRUPT, "open", dir, "shorter than its contents");
	return ERR_OK;
}

static int load_lists(struct serving_writer *w)
{
	uint64_t at = SERVING_LISTS_KEY;
	MDB_val key = db_u64(&at), val;
	int rc = mdb_get(w->txn, w->dbi[DB_META], &key, &val);

	if (rc == 0 && val.mv_size == sizeof w->lists)
		memcpy(&w->lists, val.mv_data, sizeof w->lists);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Databases and meta record; made when the file is new. */
static int open_tables(struct serving_writer *w, bool *fresh)
{
	uint64_t zero = 0;
	MDB_val key = db_u64(&zero), val;
	int rc = mdb_txn_begin(w->env, NULL, 0, &w->txn);

	for (int i = 0; rc == 0 && i < DB_N; i++)
		rc = mdb_dbi_open(w->txn, serving_db_names[i], MDB_INTEGERKEY | MDB_CREATE,
				  &w->dbi[i]);
	if (rc == 0)
		rc = mdb_get(w->txn, w->dbi[DB_META], &key, &val);
	if (rc == MDB_NOTFOUND) {
		*fresh = true;
		w->meta = (struct serving_meta){ .magic = SERVING_MAGIC, .version = BOOK_VERSION,
						 .row_bytes = SERVING_ROW_BYTES };
		val = (MDB_val){ sizeof w->meta, &w->meta };
		rc = mdb_put(w->txn, w->dbi[DB_META], &key, &val, 0);
	} else if (rc == 0) {
		if (val.mv_size == sizeof w->meta)
			memcpy(&w->meta, val.mv_data, sizeof w->meta);
		rc = load_lists(w);
	}
	if (rc == 0)
		rc = mdb_txn_commit(w->txn); /* also when nothing is new: keeps the handles */
	else if (w->txn)
		mdb_txn_abort(w->txn);
	w->txn = NULL;
	return rc;
}

/* The order is what readers rely on: a transaction's number is published after its commit and
 * before the next commit begins. */
static void publish(struct serving_writer *w)
{
	MDB_envinfo info;

	mdb_env_info(w->env, &info);
	atomic_store(&w->page->feed, w->meta.feed);
	atomic_store(&w->page->published_ms, serving_clock());
	atomic_store(&w->page->published, info.me_last_txnid);
	w->rebuild = false;
}

/* Adopt the page, or begin it. A writer that died may have left readers on a state older than
 * the one we can hold for them: they are gone, by their own clock, SERVING_LIFE_MS after the last
 * commit that they could not see. So the first commit waits for that.
 *
 * A file made in the place of another is not published before its first commit: a reader that
 * found it empty would tell every device that it is unknown. */
static enum err adopt(struct serving_writer *w, bool fresh)
{
	struct serving_page *p = w->page;
	MDB_envinfo info;
	uint64_t now = serving_clock(), last = atomic_load(&p->published_ms), epoch;

	mdb_env_info(w->env, &info);
	if (fresh || p->magic != SERVING_MAGIC) {
		if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
			return ERR_IO;
		atomic_store(&p->published, 0);
		atomic_store(&p->epoch, epoch | 1);
	} else if (atomic_load(&p->published) != info.me_last_txnid) {
		w->wait_ms = now + SERVING_LIFE_MS + 500;
	} else if (last <= now && now - last < SERVING_LIFE_MS + 500) {
		w->wait_ms = last + SERVING_LIFE_MS + 500;
	}
	w->held_ms = now;
	for (int i = 0; i < 2; i++)
		if (mdb_txn_begin(w->env, NULL, MDB_RDONLY, &w->held[i]) != 0)
			return ERR_IO;
	atomic_store(&p->alive_ms, now);
	w->rebuild = p->magic == SERVING_MAGIC && atomic_load(&p->published) == 0;
	if (!w->rebuild)
		publish(w);
	p->magic = SERVING_MAGIC;
	return ERR_OK;
}

static enum err create(struct serving_writer *w, const char *dir, char why[256])
{
	enum err e = open_page(w, dir, why);
	bool fresh = false;
	int rc;

	if (!e)
		e = open_env(w, dir, why);
	if (e)
		return e;
	rc = open_tables(w, &fresh);
	if (rc != 0)
		return fail(why, db_err(rc), "tables", dir, mdb_strerror(rc));
	if (w->meta.magic != SERVING_MAGIC || w->meta.version != BOOK_VERSION ||
	    w->meta.row_bytes != SERVING_ROW_BYTES)
		return fail(why, ERR_CORRUPT, "version", dir, "made by another version");
	e = adopt(w, fresh);
	return e ? fail(why, e, "begin", dir, "cannot hold a state") : ERR_OK;
}

enum err serving_create(struct serving_writer **out, const char *dir, char why[256])
{
	struct serving_writer *w = calloc(1, sizeof *w);
	enum err e;

	*out = NULL;
	why[0] = 0;
	if (!w)
		return fail(why, ERR_FULL, "open", dir, "out of memory");
	w->page_fd = -1;
	e = create(w, dir, why);
	if (e) {
		serving_finish(w);
		return e;
	}
	*out = w;
	return ERR_OK;
}

void serving_finish(struct serving_writer *w)
{
	if (!w)
		return;
	if (w->txn)
		mdb_txn_abort(w->txn);
	for (int i = 0; i < 2; i++)
		if (w->held[i])
			mdb_txn_abort(w->held[i]);
	if (w->env)
		mdb_env_close(w->env);
	if (w->page)
		munmap(w->page, sizeof *w->page);
	if (w->page_fd >= 0)
		close(w->page_fd);
	free(w);
}

enum err serving_remove(const char *dir)
{
	static const char *const names[] = { SERVING_FILE, SERVING_FILE "-lock" };
	struct serving_writer w = { .page_fd = -1 };
	char path[512], why[256];
	enum err e = open_page(&w, dir, why);

	if (!e) {
		atomic_store(&w.page->published, 0);
		atomic_store(&w.page->epoch, 0);
	}
	for (size_t i = 0; !e && i < 2; i++)
		if (!db_path(path, dir, names[i]) || (unlink(path) != 0 && errno != ENOENT))
			e = ERR_IO;
	if (w.page)
		munmap(w.page, sizeof *w.page);
	if (w.page_fd >= 0)
		close(w.page_fd);
	return e;
}

bool serving_waits(const struct serving_writer *w)
{
	return serving_clock() < w->wait_ms;
}

enum err serving_begin(struct serving_writer *w)
{
	uint64_t now = serving_clock();
	int rc;

	if (w->txn)
		mdb_txn_abort(w->txn);
	w->txn = NULL;
	if (now < w->wait_ms) {
		struct timespec t = { .tv_sec = (time_t)((w->wait_ms - now) / 1000),
				      .tv_nsec = (long)((w->wait_ms - now) % 1000 * 1000000) };

		while (nanosleep(&t, &t) != 0)
			;
	}
	rc = mdb_txn_begin(w->env, NULL, 0, &w->txn);
	memset(w->last, 0xff, sizeof w->last);
	w->next = w->meta;
	w->next_lists = w->lists;
	w->err = db_err(rc);
	return w->err;
}

/* Does the key come after all others? Then its page is filled, not split: a bulk load in order
 * makes a file of half the size. */
static bool at_end(struct serving_writer *w, enum serving_db db, uint64_t id)
{
	MDB_val key, val;
	MDB_cursor *c;
	bool end;

	if (w->last[db] == UINT64_MAX) {
		if (mdb_cursor_open(w->txn, w->dbi[db], &c) != 0)
			return false;
		w->last[db] = 0;
		if (mdb_cursor_get(c, &key, &val, MDB_LAST) == 0)
			memcpy(&w->last[db], key.mv_data, sizeof w->last[db]);
		mdb_cursor_close(c);
	}
	end = id > w->last[db];
	if (end)
		w->last[db] = id;
	return end;
}

/* One put; the first error stays until the batch is committed, which then is none. */
static enum err put(struct serving_writer *w, enum serving_db db, uint64_t id, const void *row,
		    size_t size)
{
	MDB_val key = db_u64(&id), val = { size, NULL };
	int rc;

	assert(w->txn);
	if (w->err)
		return w->err;
	rc = mdb_put(w->txn, w->dbi[db], &key, &val,
		     MDB_RESERVE | (at_end(w, db, id) ? MDB_APPEND : 0u));
	if (rc == 0)
		memcpy(val.mv_data, row, size);
	w->err = db_err(rc);
	return w->err;
}

/* The way from a number to its subscription, changed with the row; 0: no number any more. A number that has
 * passed to another subscription meanwhile stays there. */
static void renumber(struct serving_writer *w, uint64_t imsi, uint64_t msisdn)
{
	MDB_val key = db_u64(&imsi), val;
	struct sub_row old = { 0 };

	if (w->err)
		return;
	if (mdb_get(w->txn, w->dbi[DB_SUB], &key, &val) == 0 && val.mv_size == sizeof old)
		memcpy(&old, val.mv_data, sizeof old);
	key = db_u64(&old.msisdn);
	if (old.msisdn != 0 && old.msisdn != msisdn && mdb_get(w->txn, w->dbi[DB_NUMBER], &key, &val) == 0 &&
	    val.mv_size == sizeof imsi && memcmp(val.mv_data, &imsi, sizeof imsi) == 0)
		w->err = db_err(mdb_del(w->txn, w->dbi[DB_NUMBER], &key, NULL));
	if (msisdn != 0 && old.msisdn != msisdn)
		put(w, DB_NUMBER, msisdn, &imsi, sizeof imsi);
}

static const enum serving_db dbs[SERVING_KINDS] = {
	[CHANGE_SUB] = DB_SUB, [CHANGE_PROFILE] = DB_PROFILE, [CHANGE_NETWORK] = DB_NETWORK,
	[CHANGE_RULE] = DB_RULE, [CHANGE_EQUIP] = DB_EQUIP, [CHANGE_RANGE] = DB_RANGE,
	[CHANGE_HOST] = DB_HOST, [CHANGE_AGREEMENT] = DB_AGREEMENT,
};

static enum err put_kind(struct serving_writer *w, enum change_kind k, uint64_t id, const void *row, size_t n)
{
	w->next.gen[k]++;
	return put(w, dbs[k], id, row, n);
}

enum err serving_put_sub(struct serving_writer *w, const struct sub_row *r)
{
	renumber(w, r->imsi, r->msisdn);
	return put_kind(w, CHANGE_SUB, r->imsi, r, sizeof *r);
}

enum err serving_put_profile(struct serving_writer *w, const struct profile_row *r)
{
	return put_kind(w, CHANGE_PROFILE, r->id, r, sizeof *r);
}

enum err serving_put_network(struct serving_writer *w, const struct network_row *r)
{
	return put_kind(w, CHANGE_NETWORK, r->plmn, r, sizeof *r);
}

enum err serving_put_rule(struct serving_writer *w, const struct rule_row *r)
{
	return put_kind(w, CHANGE_RULE, r->id, r, sizeof *r);
}

enum err serving_put_equip(struct serving_writer *w, const struct equip_row *r)
{
	return put_kind(w, CHANGE_EQUIP, r->imei, r, sizeof *r);
}

enum err serving_put_range(struct serving_writer *w, const struct range_row *r)
{
	return put_kind(w, CHANGE_RANGE, r->from, r, sizeof *r);
}

enum err serving_put_host(struct serving_writer *w, const struct host_row *r)
{
	return put_kind(w, CHANGE_HOST, r->imei, r, sizeof *r);
}

enum err serving_put_agreement(struct serving_writer *w, const struct agreement_row *r)
{
	return put_kind(w, CHANGE_AGREEMENT, r->id, r, sizeof *r);
}

enum err serving_put_lists(struct serving_writer *w, const struct serving_lists *l)
{
	enum err e = put(w, DB_META, SERVING_LISTS_KEY, l, sizeof *l);

	if (!e)
		w->next_lists = *l;
	return e;
}

const struct serving_lists *serving_lists(const struct serving_writer *w)
{
	return &w->lists;
}

enum err serving_delete(struct serving_writer *w, enum change_kind kind, uint64_t id)
{
	MDB_val key = db_u64(&id);
	int rc;

	assert(w->txn && kind >= CHANGE_SUB && kind < SERVING_KINDS);
	if (w->err)
		return w->err;
	w->next.gen[kind]++;
	if (kind == CHANGE_SUB)
		renumber(w, id, 0);
	rc = mdb_del(w->txn, w->dbi[dbs[kind]], &key, NULL);
	w->err = rc == MDB_NOTFOUND ? ERR_OK : db_err(rc);
	return w->err;
}

/* Forget the ring: what it held does not join on to what comes. */
static enum err ring_empty(struct serving_writer *w)
{
	w->next.ring_first = 0;
	return w->err = db_err(mdb_drop(w->txn, w->dbi[DB_CHANGE], 0));
}

enum err serving_change(struct serving_writer *w, const struct change *c)
{
	struct serving_meta *m = &w->next;
	MDB_val key = db_u64(&m->ring_first);

	assert(w->txn);
	if (w->err)
		return w->err;
	if (c->seq <= m->feed)
		return w->err = ERR_EXISTS;
	if (c->seq != m->feed + 1 && ring_empty(w))
		return w->err;
	if (put(w, DB_CHANGE, c->seq, c, sizeof *c))
		return w->err;
	m->feed = c->seq;
	if (m->ring_first == 0)
		m->ring_first = c->seq;
	if (m->feed - m->ring_first >= SERVING_RING) {
		w->err = db_err(mdb_del(w->txn, w->dbi[DB_CHANGE], &key, NULL));
		m->ring_first++;
	}
	return w->err;
}

enum err serving_commit(struct serving_writer *w)
{
	assert(w->txn);
	put(w, DB_META, 0, &w->next, sizeof w->next); /* always: an empty commit has no number */
	if (w->err)
		mdb_txn_abort(w->txn);
	else
		w->err = db_err(mdb_txn_commit(w->txn));
	w->txn = NULL;
	if (w->err)
		return w->err;
	w->meta = w->next;
	w->lists = w->next_lists;
	publish(w);
	return ERR_OK;
}

uint64_t serving_feed(const struct serving_writer *w)
{
	return w->meta.feed;
}

void serving_tick(struct serving_writer *w, uint64_t now_ms)
{
	MDB_txn *fresh;
	uint64_t now = serving_clock();

	atomic_store(&w->page->alive_ms, now);
	if (w->rebuild)
		publish(w); /* the records are empty, then */
	if (now - w->held_ms < SERVING_HOLD_MS || now_ms - w->tick_ms < SERVING_HOLD_MS)
		return;
	/* The newer one is old enough to be the older. Without a fresh one, keep both. */
	if (mdb_txn_begin(w->env, NULL, MDB_RDONLY, &fresh) != 0)
		return;
	mdb_txn_abort(w->held[0]);
	w->held[0] = w->held[1];
	w->held[1] = fresh;
	w->held_ms = now;
	w->tick_ms = now_ms;
}
