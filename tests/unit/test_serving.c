/* The serving copy: what the writer commits is what a reader's book says; whole, or not at all. */
#include "unit/test.h"

#include "records/serving.h"
#include "unit/temp.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define IMSI(n) (0x001010000000000fu | (uint64_t)(n) << 4)

static char why[256];

static uint64_t id(const char *digits)
{
	return bcd_of(view_of(digits));
}

static struct serving_writer *writer(const char *dir)
{
	struct serving_writer *w;

	if (serving_create(&w, dir, why) != ERR_OK) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	return w;
}

static void put_sub(struct serving_writer *w, uint64_t imsi, uint32_t profile)
{
	struct sub_row r = { .imsi = imsi, .profile = profile };

	check_eq(serving_put_sub(w, &r), ERR_OK);
}

static void change(struct serving_writer *w, uint64_t seq)
{
	struct change c = { .seq = seq, .id = 7, .kind = CHANGE_SUB };

	check_eq(serving_change(w, &c), ERR_OK);
}

static void commit_one(struct serving_writer *w, uint64_t imsi, uint32_t profile)
{
	check_eq(serving_begin(w), ERR_OK);
	put_sub(w, imsi, profile);
	check_eq(serving_commit(w), ERR_OK);
}

struct reading {
	struct serving *s;
	struct serving_read *r;
	const struct book *b;
};

static struct reading reading(const char *dir)
{
	struct reading x;

	check_eq(serving_open(&x.s, dir, why), ERR_OK);
	x.r = serving_reader(x.s);
	x.b = serving_book(x.r);
	check_eq(serving_renew(x.r, 1000), ERR_OK);
	return x;
}

static void done(struct reading x)
{
	serving_read_free(x.r);
	serving_close(x.s);
}

TEST(a_reader_finds_none_before_the_keeper_made_one)
{
	char dir[TEMP_PATH];
	struct serving *s;

	temp_dir(dir);
	check_eq(serving_open(&s, dir, why), ERR_NOT_FOUND);
	check(s == NULL && why[0] != 0);
	temp_gone(dir);
}

static void put_tables(struct serving_writer *w)
{
	struct profile_row p = { .id = 3, .name = "meter", .apn_n = 1 };
	struct network_row n = { .plmn = id("00101"), .trust = TRUST_TRUSTED,
				 .realm = "epc.mnc001.mcc001.3gppnetwork.org" };
	struct rule_row u = { .id = 9, .check = 2, .mode = MODE_ENFORCE };
	struct equip_row tac = { .imei = id("35316609"), .colour = GREY };
	struct equip_row dev = { .imei = id("35316609000001"), .colour = BLACK };
	struct range_row a = { .from = id("999700000000000"), .to = id("999700000000999") };
	struct range_row b = { .from = id("999700000002000"), .to = id("999700000002999"),
			       .partition = 1 };
	struct agreement_row g = { .id = 4, .tenant = 2, .purposes = PURPOSE_INSPECTION, .signed_s = 100,
				   .ends_s = 200 };

	check_eq(serving_put_agreement(w, &g), ERR_OK);
	check_eq(serving_put_profile(w, &p), ERR_OK);
	check_eq(serving_put_network(w, &n), ERR_OK);
	n.plmn = id("00102");
	memcpy(n.realm, "EPC.mnc002.mcc001.3gppnetwork.org", 33);
	check_eq(serving_put_network(w, &n), ERR_OK);
	check_eq(serving_put_rule(w, &u), ERR_OK);
	check_eq(serving_put_equip(w, &tac), ERR_OK);
	check_eq(serving_put_equip(w, &dev), ERR_OK);
	check_eq(serving_put_range(w, &a), ERR_OK);
	check_eq(serving_put_range(w, &b), ERR_OK);
}

static void look_up_all(const struct book *b)
{
	struct view realm = VIEW("epc.MNC001.mcc001.3gppnetwork.org");
	size_t n;

	check_eq(b->sub(b->ctx, IMSI(5))->profile, 3);
	check(book_agreed(b, 2, PURPOSE_INSPECTION, 100) && book_agreed(b, 2, PURPOSE_INSPECTION, 199));
	check(!book_agreed(b, 2, PURPOSE_INSPECTION, 99) && !book_agreed(b, 2, PURPOSE_INSPECTION, 200));
	check(!book_agreed(b, 2, PURPOSE_SHARING, 150) && !book_agreed(b, 3, PURPOSE_INSPECTION, 150));
	check(b->sub(b->ctx, IMSI(6)) == NULL && b->sub(b->ctx, 0) == NULL);
	check(strcmp(b->profile(b->ctx, 3)->name, "meter") == 0);
	check(b->profile(b->ctx, 2) == NULL && b->profile(b->ctx, 4) == NULL);
	check_eq(b->network(b->ctx, id("00102"))->plmn, id("00102"));
	check(b->network(b->ctx, id("00103")) == NULL);
	check_eq(b->network_of_realm(b->ctx, realm)->plmn, id("00101"));
	realm = VIEW("epc.mnc002.mcc001.3gppnetwork.org");
	check_eq(b->network_of_realm(b->ctx, realm)->plmn, id("00102"));
	check(b->network_of_realm(b->ctx, VIEW("epc.mnc003.mcc001.3gppnetwork.org")) == NULL);
	check(b->network_of_realm(b->ctx, VIEW("")) == NULL);
	check_eq(b->equip(b->ctx, id("353166090000012"), 1000)->colour, BLACK);
	check_eq(b->equip(b->ctx, id("35316609000002"), 1000)->colour, GREY);
	check(b->equip(b->ctx, id("35316600000002"), 1000) == NULL && b->equip(b->ctx, 0, 1000) == NULL);
	check(b->range(b->ctx, id("999699999999999")) == NULL);
	check_eq(b->range(b->ctx, id("999700000000000"))->partition, 0);
	check_eq(b->range(b->ctx, id("999700000000999"))->partition, 0);
	check(b->range(b->ctx, id("999700000001000")) == NULL);
	check_eq(b->range(b->ctx, id("999700000002500"))->partition, 1);
	check(b->range(b->ctx, id("999700000003000")) == NULL);
	check_eq(b->rules(b->ctx, &n)->id, 9);
	check_eq(n, 1);
}

TEST(every_row_committed_is_found_and_no_other)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir));
	struct reading x;

	check_eq(serving_begin(w), ERR_OK);
	put_sub(w, IMSI(5), 3);
	put_tables(w);
	check_eq(serving_commit(w), ERR_OK);
	x = reading(dir);
	look_up_all(x.b);
	serving_finish(w);
	look_up_all(x.b); /* needs no keeper */
	done(x);
	temp_gone(dir);
}

static uint64_t numbered(const struct reading *x, const char *msisdn)
{
	const struct sub_row *s = x->b->sub_of_number(x->b->ctx, id(msisdn));

	return s ? s->imsi : 0;
}

static void number(struct serving_writer *w, uint64_t imsi, const char *msisdn)
{
	struct sub_row r = { .imsi = imsi, .msisdn = id(msisdn), .profile = 1 };

	check_eq(serving_put_sub(w, &r), ERR_OK);
}

TEST(a_number_leads_to_who_has_it_now)
{
	char dir[TEMP_PATH];
	struct serving_writer *w;
	struct reading x;

	temp_dir(dir);
	w = writer(dir);
	check_eq(serving_begin(w), ERR_OK);
	number(w, IMSI(1), "99970101");
	number(w, IMSI(2), "99970102");
	number(w, IMSI(3), "");
	check_eq(serving_commit(w), ERR_OK);
	x = reading(dir);
	check_eq(numbered(&x, "99970101"), IMSI(1));
	check_eq(numbered(&x, "99970102"), IMSI(2));
	check_eq(numbered(&x, "99970103"), 0);
	check(!x.b->sub_of_number(x.b->ctx, 0));
	check_eq(serving_begin(w), ERR_OK);
	number(w, IMSI(2), "99970101"); /* 2 gets the number of 1, and 1 another, in this order */
	number(w, IMSI(1), "99970103");
	check_eq(serving_commit(w), ERR_OK);
	check_eq(serving_renew(x.r, 1001), ERR_OK);
	check_eq(numbered(&x, "99970101"), IMSI(2));
	check_eq(numbered(&x, "99970102"), 0);
	check_eq(numbered(&x, "99970103"), IMSI(1));
	check_eq(serving_begin(w), ERR_OK);
	check_eq(serving_delete(w, CHANGE_SUB, IMSI(2)), ERR_OK);
	number(w, IMSI(1), "");
	check_eq(serving_commit(w), ERR_OK);
	check_eq(serving_renew(x.r, 1002), ERR_OK);
	check_eq(numbered(&x, "99970101") + numbered(&x, "99970103"), 0);
	done(x);
	serving_finish(w);
	temp_gone(dir);
}

TEST(a_batch_sees_one_state_and_the_next_the_newest)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir));
	const struct sub_row *old;
	struct reading x;

	commit_one(w, IMSI(1), 10);
	x = reading(dir);
	old = x.b->sub(x.b->ctx, IMSI(1));
	check_eq(serving_begin(w), ERR_OK);
	put_sub(w, IMSI(1), 11);
	put_sub(w, IMSI(2), 11);
	check(x.b->sub(x.b->ctx, IMSI(2)) == NULL);
	check_eq(serving_commit(w), ERR_OK);
	check(x.b->sub(x.b->ctx, IMSI(2)) == NULL);
	check_eq(old->profile, 10);
	check_eq(serving_renew(x.r, 1001), ERR_OK);
	check_eq(x.b->sub(x.b->ctx, IMSI(1))->profile, 11);
	check_eq(x.b->sub(x.b->ctx, IMSI(2))->profile, 11);
	check_eq(serving_begin(w), ERR_OK);
	check_eq(serving_delete(w, CHANGE_SUB, IMSI(2)), ERR_OK);
	check_eq(serving_delete(w, CHANGE_SUB, IMSI(3)), ERR_OK);
	check_eq(serving_commit(w), ERR_OK);
	check_eq(serving_renew(x.r, 1002), ERR_OK);
	check(x.b->sub(x.b->ctx, IMSI(2)) == NULL);
	done(x);
	serving_finish(w);
	temp_gone(dir);
}

TEST(a_batch_that_is_begun_anew_drops_what_was_put)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir));
	struct reading x;

	check_eq(serving_begin(w), ERR_OK);
	put_sub(w, IMSI(1), 10);
	commit_one(w, IMSI(2), 10);
	x = reading(dir);
	check(x.b->sub(x.b->ctx, IMSI(1)) == NULL && x.b->sub(x.b->ctx, IMSI(2)) != NULL);
	done(x);
	serving_finish(w);
	temp_gone(dir);
}

TEST(a_state_of_two_seconds_is_no_longer_valid)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir));
	struct timespec two = { .tv_sec = 2, .tv_nsec = 10000000 };
	struct reading x;

	commit_one(w, IMSI(1), 1);
	x = reading(dir);
	check(serving_valid(x.r, 1000) && serving_valid(x.r, 2999));
	check(!serving_valid(x.r, 3000)); /* by the caller's clock */
	nanosleep(&two, NULL);
	check(!serving_valid(x.r, 1000)); /* by our own, whatever the caller says */
	check_eq(serving_renew(x.r, 1000), ERR_OK);
	check(serving_valid(x.r, 1000));
	check(serving_age_ms(x.s) >= 2000);
	serving_tick(w, 1);
	check(serving_age_ms(x.s) < 2000);
	done(x);
	serving_finish(w);
	temp_gone(dir);
}

TEST(rules_change_version_only_when_they_change)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir));
	struct reading x = reading(dir);
	uint64_t v = x.b->rule_version(x.b->ctx);
	size_t n;

	x.b->rules(x.b->ctx, &n);
	check_eq(n, 0);
	commit_one(w, IMSI(1), 1);
	check_eq(serving_renew(x.r, 1001), ERR_OK);
	check_eq(x.b->rule_version(x.b->ctx), v);
	check_eq(serving_begin(w), ERR_OK);
	check_eq(serving_put_rule(w, &(struct rule_row){ .id = 1 }), ERR_OK);
	check_eq(serving_put_rule(w, &(struct rule_row){ .id = 2 }), ERR_OK);
	check_eq(serving_commit(w), ERR_OK);
	check_eq(serving_renew(x.r, 1002), ERR_OK);
	check(x.b->rule_version(x.b->ctx) != v);
	x.b->rules(x.b->ctx, &n);
	check_eq(n, 2);
	done(x);
	serving_finish(w);
	temp_gone(dir);
}

TEST(the_feed_gives_each_change_once_and_says_when_it_lost_some)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir));
	struct change c[8];
	struct reading x;
	bool lost;

	check_eq(serving_begin(w), ERR_OK);
	for (uint64_t i = 1; i <= 5; i++)
		change(w, i);
	check_eq(serving_change(w, &(struct change){ .seq = 5 }), ERR_EXISTS);
	check_eq(serving_commit(w), ERR_EXISTS); /* all or nothing */
	check_eq(serving_feed(w), 0);
	check_eq(serving_begin(w), ERR_OK);
	for (uint64_t i = 1; i <= 5; i++)
		change(w, i);
	check_eq(serving_commit(w), ERR_OK);
	check_eq(serving_feed(w), 5);
	x = reading(dir);
	check_eq(serving_last(x.r), 5);
	check_eq(serving_changes(x.r, 0, c, 3, &lost), 3);
	check(!lost && c[0].seq == 1 && c[2].seq == 3);
	check_eq(serving_changes(x.r, 3, c, 8, &lost), 2);
	check(!lost && c[0].seq == 4 && c[1].id == 7);
	check_eq(serving_changes(x.r, 5, c, 8, &lost), 0);
	check(!lost);
	check_eq(serving_changes(x.r, 6, c, 8, &lost), 0);
	check(lost); /* records put back from a backup */
	check_eq(serving_begin(w), ERR_OK);
	change(w, 9); /* a gap: rebuilt */
	check_eq(serving_commit(w), ERR_OK);
	check_eq(serving_renew(x.r, 1001), ERR_OK);
	check_eq(serving_changes(x.r, 5, c, 8, &lost), 0);
	check(lost);
	check_eq(serving_changes(x.r, 8, c, 8, &lost), 1);
	check(!lost && c[0].seq == 9);
	done(x);
	serving_finish(w);
	temp_gone(dir);
}

TEST(the_ring_forgets_the_oldest_change_only)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir));
	const uint64_t ring = (uint64_t)1 << 20;
	struct change c[2];
	struct reading x;
	bool lost;

	check_eq(serving_begin(w), ERR_OK);
	for (uint64_t i = 1; i <= ring + 10; i++)
		change(w, i);
	check_eq(serving_commit(w), ERR_OK);
	x = reading(dir);
	check_eq(serving_changes(x.r, 9, c, 2, &lost), 0);
	check(lost);
	check_eq(serving_changes(x.r, 10, c, 2, &lost), 2);
	check(!lost && c[0].seq == 11);
	done(x);
	serving_finish(w);
	temp_gone(dir);
}

TEST(a_scan_meets_every_subscription_in_order)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir));
	struct sub_row rows[7];
	uint64_t after = 0;
	size_t n, all = 0;
	struct reading x;

	check_eq(serving_begin(w), ERR_OK);
	for (uint32_t i = 100; i > 0; i--)
		put_sub(w, IMSI(i), i);
	check_eq(serving_commit(w), ERR_OK);
	x = reading(dir);
	while ((n = serving_scan(x.r, after, rows, 7)) > 0) {
		for (size_t i = 0; i < n; i++)
			check_eq(rows[i].profile, ++all);
		after = rows[n - 1].imsi;
	}
	check_eq(all, 100);
	done(x);
	serving_finish(w);
	temp_gone(dir);
}

TEST(a_second_writer_is_refused)
{
	char dir[TEMP_PATH];
	struct serving_writer *w = writer(temp_dir(dir)), *x;

	check_eq(serving_create(&x, dir, why), ERR_IO);
	check(strstr(why, "another keeper") != NULL);
	check_eq(serving_remove(dir), ERR_IO);
	serving_finish(w);
	serving_finish(writer(dir));
	temp_gone(dir);
}

TEST(damage_is_said_and_removal_is_told_to_readers)
{
	char dir[TEMP_PATH], path[TEMP_PATH + 32];
	struct serving_writer *w = writer(temp_dir(dir));
	struct reading x;

	commit_one(w, IMSI(1), 1);
	serving_finish(w);
	x = reading(dir);
	check_eq(serving_remove(dir), ERR_OK);
	check_eq(serving_renew(x.r, 1001), ERR_CORRUPT);
	check(x.b->sub(x.b->ctx, IMSI(1)) == NULL);
	done(x);
	/* What replaces it is not there until it is filled: an empty copy knows no subscriber. */
	check_eq(serving_open(&x.s, dir, why), ERR_NOT_FOUND);
	serving_finish(writer(dir)); /* nor when the keeper dies before */
	w = writer(dir);
	check_eq(serving_open(&x.s, dir, why), ERR_NOT_FOUND);
	commit_one(w, IMSI(1), 2);
	x = reading(dir);
	check_eq(x.b->sub(x.b->ctx, IMSI(1))->profile, 2);
	done(x);
	serving_finish(w);
	check_eq(serving_remove(dir), ERR_OK);
	w = writer(dir);
	serving_tick(w, 1); /* nothing to fill it with */
	done(reading(dir));
	serving_finish(w);
	snprintf(path, sizeof path, "%s/serving.mdb", dir);
	for (int cut = 0; cut < 2; cut++) {
		w = writer(dir);
		check_eq(serving_begin(w), ERR_OK);
		for (uint32_t i = 1; i < 1000; i++)
			put_sub(w, IMSI(i), i);
		check_eq(serving_commit(w), ERR_OK);
		serving_finish(w);
		if (cut)
			check_eq(truncate(path, 20000), 0);
		else
			temp_write(path, 0, "this is no database", 4096 * 2);
		check_eq(serving_create(&w, dir, why), ERR_CORRUPT);
		check_eq(serving_remove(dir), ERR_OK);
	}
	temp_gone(dir);
}

/* Commits whole batches (a number in the first and in the last row) and says each in the page
 * shared with the parent, until it is killed. */
static void commit_until_killed(const char *dir, _Atomic uint32_t *said)
{
	struct serving_writer *w = writer(dir);

	for (uint32_t n = *said + 1;; n++) {
		check_eq(serving_begin(w), ERR_OK);
		for (uint32_t i = 1; i <= 200; i++)
			put_sub(w, IMSI(i), n);
		check_eq(serving_commit(w), ERR_OK);
		*said = n;
	}
}

TEST(a_killed_writer_leaves_its_last_commit_whole)
{
	_Atomic uint32_t *said =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char dir[TEMP_PATH];

	temp_dir(dir);
	for (int round = 0; round < 3; round++) {
		struct timespec t = { .tv_nsec = 1000000 };
		uint32_t before = *said, n;
		pid_t pid = fork();
		struct reading x;

		if (pid == 0)
			commit_until_killed(dir, said);
		while (*said < before + 5) {
			check_eq(waitpid(pid, NULL, WNOHANG), 0);
			nanosleep(&t, NULL);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		serving_finish(writer(dir));
		x = reading(dir);
		n = x.b->sub(x.b->ctx, IMSI(1))->profile;
		check(n == *said || n == *said + 1); /* committed, and killed before it said so */
		for (uint32_t i = 1; i <= 200; i++)
			check_eq(x.b->sub(x.b->ctx, IMSI(i))->profile, n);
		*said = n;
		done(x);
	}
	munmap(said, 4096);
	temp_gone(dir);
}

TESTS(T(a_reader_finds_none_before_the_keeper_made_one),
      T(every_row_committed_is_found_and_no_other),
      T(a_number_leads_to_who_has_it_now), T(a_batch_sees_one_state_and_the_next_the_newest),
      T(a_batch_that_is_begun_anew_drops_what_was_put),
      T(a_state_of_two_seconds_is_no_longer_valid),
      T(rules_change_version_only_when_they_change),
      T(the_feed_gives_each_change_once_and_says_when_it_lost_some),
      T(the_ring_forgets_the_oldest_change_only), T(a_scan_meets_every_subscription_in_order),
      T(a_second_writer_is_refused), T(damage_is_said_and_removal_is_told_to_readers),
      T(a_killed_writer_leaves_its_last_commit_whole))
