/* No SQN twice: across restarts, crashes, a clock set back, domains, nodes and threads
 * (R-3.1.c). */
#include "crypto/sqn.h"
#include "unit/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define T0       (SQN_EPOCH_MS + 30ull * 86400 * 1000)
#define HOUR_MS  3600000u
#define VECTORS  100000u
#define SUB_N    4u
#define IND_N    4u
#define TICK(ms) (((ms) - SQN_EPOCH_MS) / SQN_TICK_MS)

static int file_new(void)
{
	int fd = memfd_create("sqn", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	check(fd >= 0);
	return fd;
}

static struct sqn *must_open(int fd, uint64_t wall_ms)
{
	struct sqn *s;

	check_eq(sqn_open(&s, fd, wall_ms), ERR_OK);
	return s;
}

static uint64_t must_issue(struct sqn *s, uint64_t imsi, uint64_t wall_ms, unsigned int n)
{
	uint64_t seq = 0;

	check_eq(sqn_issue(s, imsi, wall_ms, 0, n, &seq), ERR_OK);
	return seq;
}

/* The array check of TS 33.102 Annex C.2.2. */
struct usim {
	uint64_t ms[32], max;
};

static bool usim_accepts(struct usim *u, uint64_t sqn)
{
	uint64_t seq = sqn >> 5, *ms = &u->ms[sqn & 31];

	if (seq <= *ms || (seq > u->max && seq - u->max > SQN_DELTA))
		return false;
	*ms = seq;
	u->max = seq > u->max ? seq : u->max;
	return true;
}

/* --- the long run --- */

struct node {
	struct sqn *s;
	struct sqn *left[64]; /* what a crash leaves: kept only to be freed at the end */
	unsigned int left_n;
	uint64_t wall_ms, reserve_ms;
	int fd;
};

struct run {
	struct node node[2];
	struct usim usim[SUB_N];
	uint64_t pair[VECTORS + 8]; /* subscriber << 48 | SQN */
	unsigned int n, again;
	uint64_t dice;
};

static unsigned int roll(struct run *r, unsigned int sides)
{
	r->dice = r->dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(r->dice >> 33) % sides;
}

static void node_pass(struct node *d, uint64_t ms)
{
	d->wall_ms += ms;
	d->reserve_ms += ms;
	if (d->reserve_ms < 1000)
		return;
	d->reserve_ms = 0;
	check_eq(sqn_reserve(d->s, d->wall_ms), ERR_OK);
}

/* Damage the slot written last, as a write does that was cut off: its reservation was not in
 * force. */
static void tear(int fd)
{
	uint8_t b[4096] = { 0 };
	struct rd a = { .left = { b + 8, 8 } }, c = { .left = { b + 2048 + 8, 8 } };
	uint64_t at;

	check(pread(fd, b, sizeof(b), 0) > 0);
	at = rd_be64(&a, 8) < rd_be64(&c, 8) ? 0 : 2048; /* the one that comes next */
	check(pwrite(fd, "\x4d\x72half", 6, (off_t)at + 14) == 6);
}

static void node_mishap(struct run *r, struct node *d)
{
	switch (roll(r, 5)) {
	case 0: /* stopped and started */
		sqn_close(d->s);
		d->s = must_open(d->fd, d->wall_ms);
		return;
	case 1: /* set back while it runs */
		d->wall_ms -= HOUR_MS;
		return;
	case 2: /* a crash, and the clock comes back an hour early */
		d->wall_ms -= HOUR_MS;
		break;
	case 3: /* a crash in the middle of a reservation */
		tear(d->fd);
		break;
	default: /* a crash, at once up again */
		break;
	}
	check(d->left_n < 64);
	d->left[d->left_n++] = d->s;
	d->s = must_open(d->fd, d->wall_ms);
}

static void one_answer(struct run *r, struct node *d, unsigned int ind_base)
{
	static const int64_t dif[SUB_N] = { 0, 123456, -1000, 7 };
	unsigned int sub = roll(r, SUB_N), n = 1 + roll(r, 5);
	uint64_t seq, ind = ind_base + roll(r, 2); /* the two serving domains of a node */
	enum err err = sqn_issue(d->s, 0x999700000000000f + sub, d->wall_ms, dif[sub], n, &seq);

	if (err == ERR_AGAIN) {
		r->again++;
		return;
	}
	check_eq(err, ERR_OK);
	for (unsigned int i = 0; i < n && r->n < VECTORS; i++) {
		uint64_t sqn = (seq + i) << 5 | ind;

		check(usim_accepts(&r->usim[sub], sqn));
		r->pair[r->n++] = (uint64_t)sub << 48 | sqn;
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void no_value_twice(uint64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	for (size_t i = 1; i < n; i++)
		check(v[i] != v[i - 1]);
}

/* 100,000 vectors for four subscribers by two nodes (one with a clock an hour late) of two serving
 * domains each, with a mishap every 2000 vectors; each card takes each vector. */
TEST(no_sqn_is_issued_twice_and_the_card_accepts_all)
{
	static struct run r = { .dice = 20261125 };
	unsigned int next = 2000;

	for (unsigned int i = 0; i < 2; i++) {
		r.node[i].fd = file_new();
		r.node[i].wall_ms = T0 - i * HOUR_MS;
		r.node[i].s = must_open(r.node[i].fd, r.node[i].wall_ms);
	}
	while (r.n < VECTORS) {
		unsigned int which = roll(&r, 2);

		node_pass(&r.node[0], roll(&r, 300));
		node_pass(&r.node[1], roll(&r, 300));
		one_answer(&r, &r.node[which], which * 2);
		if (r.n >= next) {
			node_mishap(&r, &r.node[roll(&r, 2)]);
			next += 2000;
		}
	}
	printf("  %u vectors, %u times 'not now'\n", r.n, r.again);
	check(r.again < VECTORS / 100);
	no_value_twice(r.pair, r.n);
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < r.node[i].left_n; k++)
			sqn_close(r.node[i].left[k]);
		sqn_close(r.node[i].s);
		close(r.node[i].fd);
	}
}

/* --- one thing at a time --- */

TEST(a_restart_begins_at_the_reservation_whatever_the_clock_says)
{
	int fd = file_new();
	struct sqn *s = must_open(fd, T0), *t;
	uint64_t last = must_issue(s, 1, T0, SQN_BURST) + SQN_BURST - 1;

	for (unsigned int round = 0; round < 5; round++) {
		uint64_t seq;

		t = must_open(fd, T0 - round * HOUR_MS);
		seq = must_issue(t, 1, T0 - round * HOUR_MS, SQN_BURST);
		check(seq > last);
		last = seq + SQN_BURST - 1;
		sqn_close(t);
	}
	sqn_close(s);
	close(fd);
}

TEST(the_clock_after_restarts_comes_back_to_the_walls)
{
	int fd = file_new();
	uint64_t wall = T0;
	struct sqn *s = must_open(fd, wall);

	for (unsigned int i = 0; i < 20; i++) {
		sqn_close(s);
		s = must_open(fd, wall);
	}
	check(must_issue(s, 1, wall, 1) > TICK(wall) + 20 * SQN_BURST);
	for (unsigned int i = 0; i < 3600; i++)
		check_eq(sqn_reserve(s, wall += 1000), ERR_OK);
	check_eq(must_issue(s, 1, wall, 1), TICK(wall));
	sqn_close(s);
	close(fd);
}

TEST(one_subscriber_runs_ahead_by_the_burst_and_stops_nobody_else)
{
	int fd = file_new();
	struct sqn *s = must_open(fd, T0);
	uint64_t seq;

	for (unsigned int i = 0; i < SQN_BURST; i++)
		check_eq(must_issue(s, 1, T0, 1), TICK(T0) + i);
	check_eq(sqn_issue(s, 1, T0, 0, 1, &seq), ERR_AGAIN);
	check_eq(must_issue(s, 2, T0, 5), TICK(T0));
	check_eq(must_issue(s, 1, T0 + 1000, 10), TICK(T0) + SQN_BURST);
	check_eq(sqn_issue(s, 1, T0 + 1000, 0, 1, &seq), ERR_AGAIN);
	sqn_close(s);
	close(fd);
}

/* A counter common to all would be 200,000 ticks ahead after 10 s of this. */
TEST(twenty_thousand_vectors_a_second_leave_seq_at_the_clock)
{
	int fd = file_new();
	struct sqn *s = must_open(fd, T0);
	uint64_t wall = T0, lead = 0, n = 0;

	for (unsigned int sec = 0; sec < 10; sec++, wall += 1000) {
		check_eq(sqn_reserve(s, wall), ERR_OK);
		for (unsigned int i = 0; i < 20000; i++, n++)
			lead += must_issue(s, 1 + n % 150000, wall, 1) - TICK(wall);
	}
	printf("  %llu ticks ahead on average * 1000\n", (unsigned long long)(lead * 1000 / n));
	check(lead < n / 2);
	sqn_close(s);
	close(fd);
}

TEST(a_leap_forward_counts_only_when_it_is_reserved)
{
	int fd = file_new();
	struct sqn *s = must_open(fd, T0);
	uint64_t year = 365ull * 86400 * 1000;

	check_eq(must_issue(s, 1, T0 + year, 1), TICK(T0));
	check_eq(sqn_reserve(s, T0 + year), ERR_OK);
	check_eq(must_issue(s, 1, T0 + year, 1), TICK(T0 + year));
	check_eq(sqn_reserve(s, T0), ERR_OK); /* it was a mistake */
	check_eq(must_issue(s, 1, T0, 1), TICK(T0 + year) + 1);
	check_eq(sqn_reserve(s, UINT64_MAX), ERR_OK);
	sqn_close(s);
	s = must_open(fd, T0);
	check(must_issue(s, 1, T0, 1) > TICK(T0 + year));
	sqn_close(s);
	close(fd);
}

TEST(a_full_disk_lets_the_reserved_be_issued_and_no_more)
{
	int fd = file_new(), copy = file_new();
	struct sqn *s = must_open(fd, T0);
	uint64_t wall = T0, last = 0, seq;
	uint8_t b[4096] = { 0 };
	enum err err = ERR_OK;

	check(pread(fd, b, sizeof(b), 0) > 0);
	check(pwrite(copy, b, sizeof(b), 0) == sizeof(b));
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW) == 0);
	check_eq(sqn_reserve(s, wall + 5000), ERR_OK); /* nothing due yet */
	for (unsigned int i = 0; i < 60; i++)
		err = sqn_reserve(s, wall += 1000);
	check_eq(err, ERR_IO);
	while ((err = sqn_issue(s, 1, wall, 0, 1, &seq)) == ERR_OK)
		last = seq;
	check_eq(err, ERR_AGAIN);
	check(last > TICK(T0) + SQN_BURST);
	sqn_close(s);
	s = must_open(copy, T0);
	check(must_issue(s, 1, T0, 1) > last);
	sqn_close(s);
	close(fd);
	close(copy);
}

TEST(a_torn_slot_leaves_the_other_and_two_damaged_ones_are_refused)
{
	int fd = file_new();
	struct sqn *s = must_open(fd, T0);
	uint64_t first, second;

	check_eq(sqn_reserve(s, T0 + 20000), ERR_OK); /* both slots are written now */
	first = must_issue(s, 1, T0 + 20000, SQN_BURST);
	sqn_close(s);
	tear(fd);
	s = must_open(fd, T0);
	second = must_issue(s, 1, T0, 1);
	check(second >= first + SQN_BURST);
	sqn_close(s);
	check(pwrite(fd, "xxxxxxxxxxxx", 12, 12) == 12 && pwrite(fd, "yyyy", 4, 2048 + 20) == 4);
	check_eq(sqn_open(&s, fd, T0), ERR_CORRUPT);
	close(fd);

	fd = file_new(); /* the slot in force goes bad: still above what it covered */
	s = must_open(fd, T0);
	check_eq(sqn_reserve(s, T0 + 20000), ERR_OK);
	first = must_issue(s, 1, T0 + 29000, SQN_BURST);
	sqn_close(s);
	check(pwrite(fd, "z", 1, 2048 + 16) == 1);
	s = must_open(fd, T0);
	check(must_issue(s, 1, T0, 1) >= first + SQN_BURST);
	sqn_close(s);
	close(fd);
}

TEST(a_file_that_is_no_reservation_is_refused_and_a_torn_first_write_is_not)
{
	int fd = file_new();
	struct sqn *s;

	check(pwrite(fd, "something else", 14, 0) == 14);
	check_eq(sqn_open(&s, fd, T0), ERR_CORRUPT);
	check(ftruncate(fd, 0) == 0);
	s = must_open(fd, T0);
	sqn_close(s);
	check(pwrite(fd, "\0\0\0\0", 4, 28) == 4);
	s = must_open(fd, T0);
	sqn_close(s);
	close(fd);
	check_eq(sqn_open(&s, fd, T0), ERR_IO);
}

TEST(a_second_process_on_the_file_is_refused)
{
	char path[] = "/tmp/merlon-sqn-XXXXXX";
	int fd = mkstemp(path), other = open(path, O_RDWR | O_CLOEXEC);
	struct sqn *s = must_open(fd, T0), *t;

	check_eq(sqn_open(&t, other, T0), ERR_EXISTS);
	sqn_close(s);
	t = must_open(other, T0);
	sqn_close(t);
	close(fd);
	close(other);
	unlink(path);
}

TEST(auts_changes_dif_only_when_the_next_seq_would_be_refused)
{
	int fd = file_new();
	struct sqn *s = must_open(fd, T0);
	uint64_t now = TICK(T0), far = now + 1000000, seq;
	int64_t dif;

	check_eq(sqn_dif(s, T0, 0, (now - 1) << 5 | 31), 0); /* would be accepted: a replay */
	dif = sqn_dif(s, T0, 0, far << 5 | 3);
	check_eq(dif, 1000001);
	check_eq(sqn_issue(s, 1, T0, dif, 1, &seq), ERR_OK);
	check_eq(seq, far + 1);
	check_eq(sqn_dif(s, T0, dif, far << 5 | 3), dif); /* the same AUTS again */

	/* a card that lay in a drawer for a year */
	check_eq(sqn_reserve(s, T0 + 400ull * 86400 * 1000), ERR_OK);
	dif = sqn_dif(s, T0 + 400ull * 86400 * 1000, 0, 5 << 5);
	check(dif < 0);
	check_eq(sqn_issue(s, 2, T0 + 400ull * 86400 * 1000, dif, 2, &seq), ERR_OK);
	check_eq(seq, 6);
	sqn_close(s);
	close(fd);
}

TEST(a_difference_that_leads_out_of_43_bits_is_an_error)
{
	static const int64_t bad[] = { INT64_MIN, -(1ll << 40), 1ll << 43, INT64_MAX };
	int fd = file_new();
	struct sqn *s = must_open(fd, T0);
	uint64_t seq;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		check_eq(sqn_issue(s, 1, T0, bad[i], 1, &seq), ERR_VALUE);
		check_eq(sqn_dif(s, T0, bad[i], 7 << 5), 8 - (int64_t)TICK(T0));
	}
	check_eq(sqn_issue(s, 1, T0, 0, 0, &seq), ERR_VALUE);
	check_eq(sqn_issue(s, 1, T0, 0, SQN_BURST + 1, &seq), ERR_VALUE);
	check_eq(must_issue(s, 1, T0, 1), TICK(T0)); /* a refused one takes no number */
	sqn_close(s);
	close(fd);
}

/* --- threads --- */

#define THREAD_N 4
#define EACH     20000

struct issuer {
	struct sqn *s;
	uint64_t got[EACH];
	_Atomic uint64_t *wall_ms;
	pthread_t id;
};

static void *issue_many(void *arg)
{
	struct issuer *t = arg;

	for (unsigned int i = 0; i < EACH;) {
		uint64_t imsi = 1 + i % 3, seq;

		if (sqn_issue(t->s, imsi, *t->wall_ms, 0, 1, &seq) == ERR_OK)
			t->got[i++] = imsi << 48 | seq;
		else
			*t->wall_ms += SQN_TICK_MS; /* time passes while one waits */
	}
	return NULL;
}

TEST(threads_never_share_a_number)
{
	static struct issuer t[THREAD_N];
	static uint64_t all[THREAD_N * EACH];
	static _Atomic uint64_t wall_ms = T0;
	int fd = file_new();
	struct sqn *s = must_open(fd, T0);

	for (unsigned int i = 0; i < THREAD_N; i++) {
		t[i].s = s;
		t[i].wall_ms = &wall_ms;
		check(pthread_create(&t[i].id, NULL, issue_many, &t[i]) == 0);
	}
	for (unsigned int i = 0; i < THREAD_N; i++) {
		while (pthread_tryjoin_np(t[i].id, NULL) != 0)
			check_eq(sqn_reserve(s, wall_ms), ERR_OK);
		memcpy(all + i * EACH, t[i].got, sizeof(t[i].got));
	}
	no_value_twice(all, THREAD_N * EACH);
	sqn_close(s);
	close(fd);
}

TESTS(T(no_sqn_is_issued_twice_and_the_card_accepts_all),
      T(a_restart_begins_at_the_reservation_whatever_the_clock_says),
      T(the_clock_after_restarts_comes_back_to_the_walls),
      T(one_subscriber_runs_ahead_by_the_burst_and_stops_nobody_else),
      T(twenty_thousand_vectors_a_second_leave_seq_at_the_clock),
      T(a_leap_forward_counts_only_when_it_is_reserved),
      T(a_full_disk_lets_the_reserved_be_issued_and_no_more),
      T(a_torn_slot_leaves_the_other_and_two_damaged_ones_are_refused),
      T(a_file_that_is_no_reservation_is_refused_and_a_torn_first_write_is_not),
      T(a_second_process_on_the_file_is_refused),
      T(auts_changes_dif_only_when_the_next_seq_would_be_refused),
      T(a_difference_that_leads_out_of_43_bits_is_an_error), T(threads_never_share_a_number))
