/* Following the feed of the records: every change once, many at a steady pace, all when the ring
 * was lost. */
#include "home/feed.h"
#include "unit/home_fixture.h"
#include <ftw.h>
#include <poll.h>

#define SUBS 300

static char dir[64];
static struct serving_writer *writer;
static struct serving *serving;
static struct reg *reg;
static struct feed_means means;
static struct feed feed;
static uint64_t seq, now, looked[2 * SUBS];
static size_t looked_n, room;

static bool look(void *ctx, uint64_t imsi)
{
	(void)ctx;
	if (looked_n == room)
		return false;
	looked[looked_n++] = imsi;
	return true;
}

static uint64_t imsi_of(uint64_t i)
{
	char text[BCD_TEXT];

	snprintf(text, sizeof text, "99970%010llu", (unsigned long long)i);
	return bcd_of(view_of(text));
}

static void change(enum change_kind kind, uint64_t id)
{
	struct change c = {.seq = ++seq, .id = id, .kind = kind};

	check_eq(serving_begin(writer), ERR_OK);
	check_eq(serving_change(writer, &c), ERR_OK);
	check_eq(serving_commit(writer), ERR_OK);
}

static void step(size_t max)
{
	check_eq(serving_renew(means.read, ++now), ERR_OK);
	feed_step(&feed, &means, max);
}

/* Registrations 1..SUBS, every third of profile 2, every fifth without any node. */
static void registrations(void)
{
	struct pollfd p = {.events = POLLIN};
	uint64_t token;
	size_t done = 0;
	enum err err;

	p.fd = reg_done_fd(means.reg);
	for (uint64_t i = 1; i <= SUBS; i++) {
		struct reg_row r = {.profile = i % 3 == 0 ? 2 : 1,
				    .flags = i % 5 == 0 ? 0 : REG_MME};

		r.imsi = imsi_of(i);
		check_eq(reg_put(means.reg, &r, i), ERR_OK);
	}
	while (done < SUBS) {
		check(poll(&p, 1, 5000) == 1);
		while (reg_done(means.reg, &token, &err)) {
			check_eq(err, ERR_OK);
			done++;
		}
	}
}

static void begin(void)
{
	char why[256] = "";

	snprintf(dir, sizeof dir, "/tmp/merlon-feed-XXXXXX");
	check(mkdtemp(dir));
	check_eq(serving_create(&writer, dir, why), ERR_OK);
	seq = now = looked_n = 0;
	room = 2 * SUBS;
	check_eq(serving_open(&serving, dir, why), ERR_OK);
	check_eq(reg_open(&reg, dir, why), ERR_OK);
	means = (struct feed_means){
	    .look = look, .read = serving_reader(serving), .reg = reg_worker(reg)};
	check(means.read && means.reg);
	registrations();
	feed_init(&feed, 0);
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void end(void)
{
	serving_read_free(means.read);
	serving_close(serving);
	serving_finish(writer);
	reg_close(reg);
	check_eq(nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
}

TEST(a_copy_without_records_cancels_nobody)
{
	begin();
	check_eq(serving_begin(writer), ERR_OK);
	check_eq(serving_commit(writer), ERR_OK);
	step(1000);
	check_eq(looked_n, 0);
	end();
}

TEST(a_start_compares_every_registered_subscriber_at_the_pace_given)
{
	size_t steps = 0;

	begin();
	change(CHANGE_NETWORK, 5);
	do {
		size_t before = looked_n;

		step(64);
		check(looked_n - before <= 64);
		steps++;
	} while (feed.scanning);
	check_eq(looked_n, SUBS - SUBS / 5);
	check(steps >= SUBS / 64);
	check_eq(feed.cursor, 1);
	step(64);
	check_eq(looked_n, SUBS - SUBS / 5); /* and then no more */
	end();
}

TEST(a_change_is_looked_at_once_and_a_profile_concerns_its_own)
{
	begin();
	change(CHANGE_NETWORK, 5);
	step(1000);
	looked_n = 0;
	change(CHANGE_SUB, imsi_of(7));
	change(CHANGE_RULE, 1);
	step(1000);
	step(1000);
	check_eq(looked_n, 1);
	check_eq(looked[0], imsi_of(7));
	looked_n = 0;
	change(CHANGE_PROFILE, 2);
	step(1000);
	check_eq(looked_n, SUBS / 3 - SUBS / 15);
	end();
}

TEST(what_finds_no_room_is_come_back_to)
{
	begin();
	change(CHANGE_NETWORK, 5);
	step(1000);
	looked_n = room = 0;
	change(CHANGE_SUB, imsi_of(7));
	change(CHANGE_SUB, imsi_of(8));
	step(1000);
	check_eq(feed.cursor, 1); /* not moved past what was not queued */
	room = 1;
	step(1000);
	check_eq(feed.cursor, 2);
	room = 2;
	step(1000);
	check_eq(feed.cursor, 3);
	check_eq(looked[0], imsi_of(7));
	check_eq(looked[1], imsi_of(8));

	change(CHANGE_PROFILE, 1);
	room = 50; /* in the midst of a pass, too */
	step(1000);
	check_eq(looked_n, 50);
	room = 2 * SUBS;
	step(1000);
	check_eq(looked_n, 2 + SUBS * 2 / 3 - (SUBS / 5 - SUBS / 15));
	end();
}

TEST(a_lost_ring_or_other_records_mean_comparing_all)
{
	begin();
	change(CHANGE_NETWORK, 5);
	step(1000);
	looked_n = 0;
	seq += 10; /* the keeper built the copy anew, and the changes between are not in the ring */
	change(CHANGE_NETWORK, 5);
	step(1000);
	check_eq(looked_n, SUBS - SUBS / 5);
	check_eq(feed.cursor, seq);
	looked_n = 0;
	feed.cursor =
	    seq + 100; /* our cursor is of later records than these: a backup was restored */
	step(1000);
	check_eq(looked_n, SUBS - SUBS / 5);
	check_eq(feed.cursor, seq);
	end();
}

TESTS(T(a_copy_without_records_cancels_nobody),
      T(a_start_compares_every_registered_subscriber_at_the_pace_given),
      T(a_change_is_looked_at_once_and_a_profile_concerns_its_own),
      T(what_finds_no_room_is_come_back_to), T(a_lost_ring_or_other_records_mean_comparing_all))
