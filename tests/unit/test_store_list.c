/* Lists of a table that is larger than a window: page after page they are what SQL says without any of
 * it. */
#include "records/store_in.h"
#include "unit/records_room.h"

#define ROWS 24000
#define FIRST 999700000000000ull

static struct store *st;
static uint64_t seed = 88172645463325252ull;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void set(struct row *r, enum column_of_all c, const char *format, unsigned long long n)
{
	char text[64];
	struct say s;

	snprintf(text, sizeof text, format, n);
	check_eq(row_set(r, (unsigned int)c - COL_SUB_IMSI, view_of(text), &s), ERR_OK);
}

/* Few types of device, so that a window ends among rows that are alike; half the rows have no number. */
static void make(struct row *r, uint64_t i)
{
	static const char *const tenants[] = {"meters", "meters", "meters", "cars"};

	row_init(r, OBJ_SUBSCRIPTION);
	set(r, COL_SUB_IMSI, "%llu", FIRST + i * 3);
	set(r, COL_SUB_ICCID, "%llu", 8999972000000000000ull + (i * 7919) % 1000003);
	if (i % 2)
		set(r, COL_SUB_MSISDN, "%llu", 447000000000ull + (i * 104729) % 1000003);
	set(r, COL_SUB_IMEI, i % 3 ? "3539000%llu" : "35390009", next() % 3);
	set(r, COL_SUB_TENANT, i % 1000 == 7 ? "small" : tenants[next() % 4], 0);
	set(r, COL_SUB_PROFILE, "one", 0);
	set(r, COL_SUB_LIFE, i % 50 == 3 ? "suspended" : "active", 0);
}

static void fill(void)
{
	static const char *const tenants[] = {"meters", "cars", "small"};
	struct row r;
	struct say s;

	for (size_t i = 0; i < 3; i++)
		check_eq(room_edit_by(st, "anna", 0, OBJ_TENANT, EDIT_CREATE, tenants[i], "").err,
			 ERR_OK);
	check_eq(room_edit_by(st, "anna", 0, OBJ_PROFILE, EDIT_CREATE, "one",
			      "tenant=meters\napn1=a.b:ipv4:9:8:1:1")
		     .err,
		 ERR_OK);
	check_eq(store_begin(st), ERR_OK);
	for (uint64_t i = 0; i < ROWS; i++) {
		make(&r, i);
		check_eq(store_insert(st, &r, &s), ERR_OK);
	}
	check_eq(store_commit(st), ERR_OK);
}

/* The keys of a page, "imsi":"999..." of its JSON, held against the next rows of `want`. */
static size_t compare(struct view json, sqlite3_stmt *want)
{
	static const char mark[] = "\"imsi\":\"";
	const char *at = (const char *)json.p, *end = at + json.n;
	size_t n = 0;

	while ((at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1))) {
		at += sizeof mark - 1;
		check_eq(sqlite3_step(want), SQLITE_ROW);
		check(strncmp(at, (const char *)sqlite3_column_text(want, 0), 15) == 0);
		n++;
	}
	return n;
}

static void read_all(const char *where, const char *order, const struct page *asked, size_t least)
{
	static uint8_t room[1 << 20];
	static struct page p;
	char sql[512], after[ROW_ROOM] = "";
	size_t n = 0;
	sqlite3_stmt *want;
	struct say s = {""};

	snprintf(sql, sizeof sql, "SELECT imsi FROM subscription NOT INDEXED WHERE %s ORDER BY %s",
		 where, order);
	check_eq(sqlite3_prepare_v2(st->db, sql, -1, &want, NULL), SQLITE_OK);
	do {
		struct wr w = {.p = room, .cap = sizeof room};

		p = *asked;
		p.object = OBJ_SUBSCRIPTION;
		p.max = 500 + next() % 1500;
		p.after = view_of(after);
		check_eq(store_list(st, &p, &w, &s), ERR_OK);
		check_eq(compare(wr_done(&w), want), p.n);
		n += p.n;
		snprintf(after, sizeof after, "%s", p.next);
	} while (after[0]);
	check_eq(sqlite3_step(want), SQLITE_DONE);
	sqlite3_finalize(want);
	check(n >= least);
}

TEST(pages_follow_each_other_in_every_order_and_by_every_filter)
{
	static const struct view tenant[] = {VIEW_INIT("tenant=cars")},
				 small[] = {VIEW_INIT("tenant=small")};
	static const struct view life[] = {VIEW_INIT("life=suspended")};
	static const struct view both[] = {VIEW_INIT("tenant=cars"), VIEW_INIT("life=suspended")};
	static const struct view begins[] = {VIEW_INIT("imsi=99970000001*"), VIEW_INIT("tenant=meters")};
	static const struct {
		const char *where, *order, *sort;
		const struct view *filter;
		size_t n, least;
	} rows[] = {
	    {"1", "imsi", "", NULL, 0, ROWS},
	    {"1", "imsi DESC", "-imsi", NULL, 0, ROWS},
	    {"1", "iccid", "iccid", NULL, 0, ROWS},
	    {"msisdn IS NOT NULL", "msisdn DESC, imsi DESC", "-msisdn", NULL, 0, ROWS / 2},
	    {"1", "imei, imsi", "imei", NULL, 0, ROWS},
	    {"1", "imei DESC, imsi DESC", "-imei", NULL, 0, ROWS},
	    {"tenant='cars'", "imsi", "", tenant, 1, ROWS / 5},
	    {"tenant='cars'", "imei, imsi", "imei", tenant, 1, ROWS / 5},
	    {"tenant='cars'", "imei DESC, imsi DESC", "-imei", tenant, 1, ROWS / 5},
	    {"tenant='small'", "iccid DESC", "-iccid", small, 1, 20},
	    {"life=3", "imsi DESC", "-imsi", life, 1, ROWS / 60},
	    {"life=3", "imei, imsi", "imei", life, 1, ROWS / 60},
	    {"tenant='cars' AND life=3", "imsi", "", both, 2, 60},
	    {"tenant='cars' AND life=3", "imei, imsi", "imei", both, 2, 60},
	    {"imsi LIKE '99970000001%' AND tenant='meters'", "imsi", "", begins, 2, 1000},
	};

	room_make();
	st = room_open();
	fill();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		read_all(rows[i].where, rows[i].order,
			 &(struct page){.sort = view_of(rows[i].sort),
					.filter = rows[i].filter,
					.filter_n = rows[i].n},
			 rows[i].least);
	/* .a: whatever is asked for, what is another tenant's is not there. */
	read_all("tenant='cars'", "imsi", &(struct page){.tenant = VIEW("cars")}, ROWS / 5);
	read_all("0", "imsi", &(struct page){.tenant = VIEW("cars"), .filter = small, .filter_n = 1}, 0);
	read_all("tenant='cars' AND imei LIKE '353900%'", "imei, imsi",
		 &(struct page){.tenant = VIEW("cars"), .find = VIEW("353900")}, ROWS / 5);
	store_close(st);
	room_remove();
}

TEST(what_is_no_order_and_no_filter_is_said)
{
	static const struct view hidden[] = {VIEW_INIT("data=x")}, none[] = {VIEW_INIT("nonsense=1")};
	uint8_t room[4096];
	struct wr w = {.p = room, .cap = sizeof room};
	struct say s = {""};

	room_make();
	st = room_open();
	check_eq(store_list(st,
			    &(struct page){.object = OBJ_SUBSCRIPTION, .max = 1, .sort = VIEW("life")},
			    &w, &s),
		 ERR_VALUE);
	check_eq(store_list(
		     st,
		     &(struct page){.object = OBJ_SUBSCRIPTION, .max = 1, .filter = none, .filter_n = 1},
		     &w, &s),
		 ERR_VALUE);
	check_eq(store_list(
		     st,
		     &(struct page){.object = OBJ_CREDENTIAL, .max = 1, .filter = hidden, .filter_n = 1},
		     &w, &s),
		 ERR_VALUE);
	check_eq(store_list(st, &(struct page){.object = OBJ_NETWORK, .max = 1, .tenant = VIEW("cars")},
			    &w, &s),
		 ERR_NOT_FOUND);
	store_close(st);
	room_remove();
}

TESTS(T(pages_follow_each_other_in_every_order_and_by_every_filter),
      T(what_is_no_order_and_no_filter_is_said))
