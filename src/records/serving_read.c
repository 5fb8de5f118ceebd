#include "records/serving_in.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RENEW_TRIES = 3, BEGIN_TRIES = 100 }; /* with a state to go on from, and without */

static enum err fail(char why[256], enum err e, const char *what, const char *dir, const char *text)
{
	snprintf(why, 256, "%s/%s: %s", dir, what, text);
	return e;
}

static enum err open_page(struct serving *s, const char *dir, char why[256])
{
	char path[512];
	struct stat st;
	void *map;
	int fd = db_path(path, dir, SERVING_PAGE) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return fail(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, SERVING_PAGE, dir,
			    strerror(errno));
	map = fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof *s->page ?
		      mmap(NULL, sizeof *s->page, PROT_READ, MAP_SHARED, fd, 0) :
		      MAP_FAILED;
	close(fd);
	if (map == MAP_FAILED)
		return fail(why, ERR_NOT_FOUND, SERVING_PAGE, dir, "not made yet");
	s->page = map;
	s->epoch = atomic_load(&s->page->epoch);
	if (s->page->magic != SERVING_MAGIC || atomic_load(&s->page->published) == 0)
		return fail(why, ERR_NOT_FOUND, SERVING_PAGE, dir, "not made yet");
	return ERR_OK;
}

static enum err open_env(struct serving *s, const char *dir, char why[256])
{
	char path[512];
	int rc = db_path(path, dir, SERVING_FILE) ? mdb_env_create(&s->env) : ENAMETOOLONG;

	if (rc == 0)
		rc = mdb_env_set_maxdbs(s->env, DB_N);
	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, records_room);
	if (rc == 0)
		rc = mdb_env_open(s->env, path,
				  MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0);
	if (rc != 0)
		return fail(why, rc == ENOENT ? ERR_NOT_FOUND : db_err(rc), SERVING_FILE, dir,
			    mdb_strerror(rc));
	return ERR_OK;
}

/* Is the transaction just begun the published one? The meta page is not read atomically: it is
 * whole only if its number was the published one before and after, for the page of number N is
 * written again by N + 2 alone, which begins after N + 1 was published. */
static enum err take(struct serving *s, MDB_txn **txn, uint64_t *id, int tries)
{
	for (int i = 0; i < tries; i++) {
		uint64_t before = atomic_load(&s->page->published);
		int rc = *txn ? mdb_txn_renew(*txn) :
				mdb_txn_begin(s->env, NULL, MDB_RDONLY, txn);

		if (rc == 0) {
			*id = mdb_txn_id(*txn);
			atomic_thread_fence(memory_order_acquire);
			if (*id == before && *id == atomic_load(&s->page->published))
				return ERR_OK;
			mdb_txn_reset(*txn);
		}
		if (tries > RENEW_TRIES) /* it costs a slice of time on a busy machine */
			sched_yield();
	}
	return ERR_AGAIN;
}

static enum err get_meta(struct serving *s, MDB_txn *txn, struct serving_meta *m)
{
	uint64_t zero = 0;
	MDB_val key = db_u64(&zero), val;
	int rc = mdb_get(txn, s->dbi[DB_META], &key, &val);

	if (rc != 0 || val.mv_size != sizeof *m)
		return rc != 0 ? db_err(rc) : ERR_CORRUPT;
	memcpy(m, val.mv_data, sizeof *m);
	return m->magic == SERVING_MAGIC && m->version == BOOK_VERSION &&
			       m->row_bytes == SERVING_ROW_BYTES ?
		       ERR_OK :
		       ERR_CORRUPT;
}

static enum err get_lists(struct serving *s, MDB_txn *txn, struct serving_lists *l)
{
	uint64_t at = SERVING_LISTS_KEY;
	MDB_val key = db_u64(&at), val;
	int rc = mdb_get(txn, s->dbi[DB_META], &key, &val);

	*l = (struct serving_lists){ 0 };
	if (rc != 0)
		return rc == MDB_NOTFOUND ? ERR_OK : db_err(rc);
	if (val.mv_size != sizeof *l)
		return ERR_CORRUPT;
	memcpy(l, val.mv_data, sizeof *l);
	return ERR_OK;
}

/* Database handles live in the environment once a transaction that opened them is committed. */
static enum err open_tables(struct serving *s, const char *dir, char why[256])
{
	struct serving_meta meta;
	struct serving_lists lists;
	MDB_txn *txn = NULL;
	uint64_t id;
	enum err e = take(s, &txn, &id, BEGIN_TRIES);

	for (int i = 0; !e && i < DB_N; i++)
		e = db_err(mdb_dbi_open(txn, serving_db_names[i], MDB_INTEGERKEY, &s->dbi[i]));
	if (!e)
		e = get_meta(s, txn, &meta);
	if (!e)
		e = get_lists(s, txn, &lists);
	if (!e)
		e = db_err(mdb_txn_commit(txn));
	else if (txn)
		mdb_txn_abort(txn);
	if (e)
		return fail(why, e, SERVING_FILE, dir, err_text(e));
	lists_first(&s->lists, dir, &lists);
	return ERR_OK;
}

enum err serving_open(struct serving **out, const char *dir, char why[256])
{
	struct serving *s = calloc(1, sizeof *s);
	enum err e;

	*out = NULL;
	why[0] = 0;
	if (!s)
		return fail(why, ERR_FULL, SERVING_FILE, dir, "out of memory");
	lists_init(&s->lists);
	e = open_page(s, dir, why);
	if (!e)
		e = open_env(s, dir, why);
	if (!e)
		e = open_tables(s, dir, why);
	if (e) {
		serving_close(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void serving_close(struct serving *s)
{
	if (!s)
		return;
	if (s->env)
		mdb_env_close(s->env);
	if (s->page)
		munmap((void *)(uintptr_t)s->page, sizeof *s->page);
	lists_end(&s->lists);
	free(s);
}

uint64_t serving_age_ms(const struct serving *s)
{
	uint64_t alive = atomic_load(&s->page->alive_ms), now = serving_clock();

	return now > alive ? now - alive : 0;
}

/* A row where it lies in the map. A transaction keeps its pages, and rows of one size in a database
 * of their own lie at multiples of 8; what does not is damage. */
_Static_assert(sizeof(struct sub_row) % 8 == 0 && sizeof(struct equip_row) % 8 == 0, "alignment");

static const void *row_in(struct serving_read *r, enum serving_db db, uint64_t id, size_t size)
{
	MDB_val key = db_u64(&id), val;

	if (!r->live || id == 0 || mdb_get(r->txn, r->s->dbi[db], &key, &val) != 0)
		return NULL;
	return val.mv_size == size && ((uintptr_t)val.mv_data & 7) == 0 ? val.mv_data : NULL;
}

static const struct sub_row *sub(void *ctx, uint64_t imsi)
{
	return row_in(ctx, DB_SUB, imsi, sizeof(struct sub_row));
}

static const struct sub_row *sub_of_number(void *ctx, uint64_t msisdn)
{
	const uint64_t *imsi = row_in(ctx, DB_NUMBER, msisdn, sizeof *imsi);
	const struct sub_row *s = imsi ? sub(ctx, *imsi) : NULL;

	return s && s->msisdn == msisdn ? s : NULL;
}

/* A record in force now; one that has run out is none. */
static const struct equip_row *equip_record(void *ctx, uint64_t id, uint64_t now_s)
{
	const struct equip_row *e = row_in(ctx, DB_EQUIP, id, sizeof(struct equip_row));

	return e && (e->until == 0 || now_s < e->until) ? e : NULL;
}

/* The device's own entry before its TAC's, one made by hand (an exemption) before a bulk list's. */
static const struct equip_row *equip(void *ctx, uint64_t imei, uint64_t now_s)
{
	static const struct equip_row listed[EQUIP_LISTS] = {
		[WHITE] = { .colour = WHITE, .reason = "on a bulk list" },
		[BLACK] = { .colour = BLACK, .reason = "on a bulk list" },
		[GREY] = { .colour = GREY, .reason = "on a bulk list" },
	};
	const struct serving_read *r = ctx;
	const struct equip_set *lists = r->lists.now;
	uint64_t device = bcd_first(imei, 14);
	struct equip_on on = { -1, -1 };
	const struct equip_row *e;

	if (lists && device)
		equip_fetch(lists, device);
	e = equip_record(ctx, device, now_s);
	if (!e && lists && device)
		on = equip_find(lists, device);
	if (e || on.one >= 0)
		return e ? e : &listed[on.one];
	e = equip_record(ctx, bcd_first(imei, 8), now_s);
	return !e && on.tac >= 0 ? &listed[on.tac] : e;
}

static const struct host_row *host(void *ctx, uint64_t imei)
{
	return row_in(ctx, DB_HOST, imei, sizeof(struct host_row));
}

static const struct profile_row *profile(void *ctx, uint32_t id)
{
	struct serving_read *r = ctx;
	const struct profile_row *p = serving_table_floor(&r->profiles, id, sizeof p->id);

	return p && p->id == id ? p : NULL;
}

static const struct range_row *range(void *ctx, uint64_t imsi)
{
	struct serving_read *r = ctx;
	const struct range_row *g = serving_table_floor(&r->ranges, imsi, sizeof g->from);

	return g && imsi <= g->to ? g : NULL;
}

static const struct rule_row *rules(void *ctx, size_t *n)
{
	*n = ((struct serving_read *)ctx)->rules.n;
	return (const void *)((struct serving_read *)ctx)->rules.rows;
}

static uint64_t rule_version(void *ctx)
{
	return ((struct serving_read *)ctx)->rules.gen;
}

struct serving_read *serving_reader(struct serving *s)
{
	struct serving_read *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->s = s;
	r->profiles.size = sizeof(struct profile_row);
	r->networks.size = sizeof(struct network_row);
	r->rules.size = sizeof(struct rule_row);
	r->ranges.size = sizeof(struct range_row);
	r->agreements.size = sizeof(struct agreement_row);
	r->book = (struct book){ .ctx = r, .sub = sub, .profile = profile, .equip = equip, .range = range,
				 .rules = rules, .rule_version = rule_version, .host = host,
				 .sub_of_number = sub_of_number, .agreements = serving_agreements };
	serving_book_networks(&r->book);
	if (getrandom(r->realms.key, sizeof r->realms.key, 0) != sizeof r->realms.key) {
		free(r);
		return NULL;
	}
	lists_join(&s->lists, &r->lists);
	return r;
}

enum err serving_offer_lists(struct serving *s, int fd, char why[256])
{
	return lists_offer(&s->lists, fd, why);
}

uint64_t serving_lists_now(const struct serving_read *r)
{
	return r->lists.now ? equip_head(r->lists.now)->generation : 0;
}

void serving_read_free(struct serving_read *r)
{
	if (!r)
		return;
	lists_leave(&r->s->lists, &r->lists);
	if (r->txn)
		mdb_txn_abort(r->txn);
	if (r->spare)
		mdb_txn_abort(r->spare);
	serving_table_free(&r->profiles);
	serving_table_free(&r->networks);
	serving_table_free(&r->rules);
	serving_table_free(&r->ranges);
	serving_table_free(&r->agreements);
	free(r->realms.slot);
	free(r->numbers.cell);
	free(r->addresses.cell);
	free(r);
}

static enum err reload(struct serving_read *r, struct serving_table *t, enum serving_db db,
		       enum change_kind kind, bool *loaded)
{
	enum err e;

	*loaded = !t->loaded || t->gen != r->meta.gen[kind];
	if (!*loaded)
		return ERR_OK;
	e = serving_table_load(t, r->txn, r->s->dbi[db]);
	t->gen = r->meta.gen[kind];
	return e;
}

static enum err reload_all(struct serving_read *r)
{
	bool loaded;
	enum err e = reload(r, &r->profiles, DB_PROFILE, CHANGE_PROFILE, &loaded);

	if (!e)
		e = reload(r, &r->rules, DB_RULE, CHANGE_RULE, &loaded);
	if (!e)
		e = reload(r, &r->ranges, DB_RANGE, CHANGE_RANGE, &loaded);
	if (!e)
		e = reload(r, &r->agreements, DB_AGREEMENT, CHANGE_AGREEMENT, &loaded);
	if (!e)
		e = reload(r, &r->networks, DB_NETWORK, CHANGE_NETWORK, &loaded);
	if (!e && loaded)
		e = serving_realms_index(&r->realms, &r->networks);
	if (!e && loaded)
		e = serving_numbers_index(&r->numbers, &r->networks);
	if (!e && loaded)
		e = serving_addresses_index(&r->addresses, &r->networks);
	return e;
}

bool serving_valid(const struct serving_read *r, uint64_t now_ms)
{
	/* The caller's time is that of its wake-up: it says nothing of how long the batch ran. */
	return r->live && serving_clock() - r->began_ms < SERVING_LIFE_MS &&
	       now_ms - r->began_now < SERVING_LIFE_MS;
}

static void drop(struct serving_read *r)
{
	if (r->live)
		mdb_txn_reset(r->txn);
	r->live = false;
}

/* A newer state into `r`. The old one stays if there is none to be had. */
static enum err begin(struct serving_read *r, uint64_t now_ms)
{
	uint64_t began = serving_clock(), id;
	MDB_txn *old = r->txn;
	int tries = serving_valid(r, now_ms) ? RENEW_TRIES : BEGIN_TRIES;
	enum err e = take(r->s, &r->spare, &id, tries);

	if (e)
		return e;
	drop(r);
	r->txn = r->spare;
	r->spare = old;
	r->live = true;
	r->id = id;
	r->began_ms = began;
	r->began_now = now_ms;
	e = get_meta(r->s, r->txn, &r->meta);
	if (!e)
		e = get_lists(r->s, r->txn, &r->named);
	if (!e)
		e = reload_all(r);
	if (!e && !serving_valid(r, now_ms))
		e = ERR_AGAIN;
	if (e)
		drop(r);
	return e;
}

static enum err renew(struct serving_read *r, uint64_t now_ms)
{
	const struct serving_page *p = r->s->page;

	if (atomic_load(&p->epoch) != r->s->epoch) { /* another file is, or will be, in its place */
		drop(r);
		return ERR_CORRUPT;
	}
	/* Half the life of a state is left for the batch that begins. */
	if (r->live && r->id == atomic_load(&p->published) &&
	    serving_clock() - r->began_ms < SERVING_LIFE_MS / 2 &&
	    now_ms - r->began_now < SERVING_LIFE_MS / 2)
		return ERR_OK;
	return begin(r, now_ms);
}

enum err serving_renew(struct serving_read *r, uint64_t now_ms)
{
	enum err e = renew(r, now_ms);

	if (!e)
		lists_take(&r->s->lists, &r->lists, &r->named);
	return e;
}

const struct book *serving_book(struct serving_read *r)
{
	return &r->book;
}

uint64_t serving_last(struct serving_read *r)
{
	return r->live ? r->meta.feed : 0;
}

size_t serving_changes(struct serving_read *r, uint64_t after, struct change *out, size_t max,
		       bool *lost)
{
	MDB_cursor *c;
	uint64_t from = after + 1;
	MDB_val key = db_u64(&from), val;
	size_t n = 0;
	int rc;

	/* A cursor beyond the feed means that the records were put back to an older state. */
	*lost = r->live && (after > r->meta.feed || (after < r->meta.feed &&
			    (r->meta.ring_first == 0 || from < r->meta.ring_first)));
	if (!r->live || *lost || after == r->meta.feed ||
	    mdb_cursor_open(r->txn, r->s->dbi[DB_CHANGE], &c) != 0)
		return 0;
	for (rc = mdb_cursor_get(c, &key, &val, MDB_SET_RANGE); rc == 0 && n < max;
	     rc = mdb_cursor_get(c, &key, &val, MDB_NEXT)) {
		if (val.mv_size != sizeof *out)
			break;
		memcpy(&out[n++], val.mv_data, sizeof *out);
	}
	mdb_cursor_close(c);
	return n;
}

size_t serving_scan(struct serving_read *r, uint64_t after, struct sub_row *out, size_t max)
{
	MDB_cursor *c;
	uint64_t from = after + 1;
	MDB_val key = db_u64(&from), val;
	size_t n = 0;
	int rc;

	if (!r->live || after == UINT64_MAX || mdb_cursor_open(r->txn, r->s->dbi[DB_SUB], &c) != 0)
		return 0;
	for (rc = mdb_cursor_get(c, &key, &val, MDB_SET_RANGE); rc == 0 && n < max;
	     rc = mdb_cursor_get(c, &key, &val, MDB_NEXT)) {
		if (val.mv_size != sizeof *out)
			break;
		memcpy(&out[n++], val.mv_data, sizeof *out);
	}
	mdb_cursor_close(c);
	return n;
}
