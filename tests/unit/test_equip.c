/* The bulk equipment lists: made, written, read; against CRoaring and against a plain table. */
#include "records/equip_make.h"
#include "unit/temp.h"

#include <sys/stat.h>

static char dir[TEMP_PATH];

static const struct equip_guard loose = { EQUIP_SERIALS, 100 };

static uint64_t id(const char *text)
{
	return bcd_of(view_of(text));
}

/* TAC and serial as 14 digits. */
static uint64_t imei_of(uint64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%014llu", (unsigned long long)number);
	return id(text);
}

static enum err add(struct equip_make *m, uint64_t first, uint32_t n, enum colour list, bool off)
{
	struct equip_entry e = { first, n, (uint8_t)list, off };
	uint8_t room[EQUIP_ENTRY_BYTES];
	struct wr w = { .p = room, .cap = sizeof room };

	equip_entry_put(&w, &e);
	return equip_make_add(m, wr_done(&w));
}

static void put(struct equip_make *m, uint64_t first, uint32_t n, enum colour list)
{
	check_eq(add(m, first, n, list, false), ERR_OK);
}

static void path_of(char path[256], uint64_t generation)
{
	snprintf(path, 256, "%s/" EQUIP_DIR "/" EQUIP_NAME, dir, (unsigned long long)generation);
}

static struct equip_head written(struct equip_make *m, const struct equip_set *base, uint64_t generation)
{
	struct equip_head head;
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/" EQUIP_DIR, dir);
	mkdir(path, 0700);
	path_of(path, generation);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd >= 0);
	check_eq(equip_make_write(m, base, fd, generation, &head), ERR_OK);
	close(fd);
	equip_make_free(m);
	return head;
}

static struct equip_set *opened(uint64_t generation)
{
	struct equip_set *s;
	char why[256];

	check_eq(equip_open_at(&s, dir, generation, why), ERR_OK);
	return s;
}

static struct equip_make *maker(unsigned int full)
{
	struct equip_make *m = equip_make_new(full);

	check(m != NULL);
	return m;
}

TEST(a_device_is_found_on_its_list_and_its_neighbours_are_not)
{
	struct equip_make *m = maker(0);
	struct equip_set *s;

	put(m, 35316609000001, 1, BLACK);
	put(m, 35316609000005, 10, GREY);
	put(m, 35316609999999, 1, WHITE);
	put(m, 123, 1, BLACK); /* leading zeros count */
	written(m, NULL, 1);
	s = opened(1);
	check_eq(equip_find(s, id("35316609000001")).one, BLACK);
	check_eq(equip_find(s, id("353166090000018")).one, BLACK); /* a check digit is no part of it */
	check_eq(equip_find(s, id("3531660900000199")).one, BLACK); /* nor a software version */
	check_eq(equip_find(s, id("35316609000005")).one, GREY);
	check_eq(equip_find(s, id("35316609000014")).one, GREY);
	check_eq(equip_find(s, id("35316609999999")).one, WHITE);
	check_eq(equip_find(s, id("00000000000123")).one, BLACK);
	equip_fetch(s, id("35316609000001")); /* asks for memory, and answers nothing */
	equip_fetch(s, id("99999999000001"));
	equip_fetch(s, 0xabcdefabcdefabcd);
	check(equip_find(s, id("35316609000002")).one < 0 && equip_find(s, id("35316609000015")).one < 0);
	check(equip_find(s, id("35316608000001")).one < 0 && equip_find(s, id("99999999999999")).one < 0);
	check(equip_find(s, id("35316609")).one < 0 && equip_find(s, 0).one < 0);
	check(equip_find(s, id("35316609000001")).tac < 0);
	equip_close(s);
}

TEST(black_counts_before_grey_before_white_and_a_device_before_its_tac)
{
	struct equip_make *m = maker(0);
	struct equip_set *s;

	put(m, 1017000000, 5, WHITE);
	put(m, 1017000000, 3, GREY);
	put(m, 1017000000, 1, BLACK);
	put(m, 1018000000, EQUIP_SERIALS, GREY);
	put(m, 1018000007, 1, WHITE);
	put(m, 1018000000, EQUIP_SERIALS, WHITE);
	written(m, NULL, 1);
	s = opened(1);
	check_eq(equip_find(s, imei_of(1017000000)).one, BLACK);
	check_eq(equip_find(s, imei_of(1017000001)).one, GREY);
	check_eq(equip_find(s, imei_of(1017000004)).one, WHITE);
	check_eq(equip_find(s, imei_of(1018000007)).tac, GREY);
	check(equip_find(s, imei_of(1018000007)).one < 0); /* the whole TAC is on that list */
	check_eq(equip_head(s)->whole[GREY], 1);
	check_eq(equip_head(s)->single[WHITE], 5);
	equip_close(s);
}

/* Every density CRoaring has a container for: sparse, dense, runs, whole, and mixed in one TAC. */
TEST(what_is_found_is_what_a_plain_table_says)
{
	enum { TACS = 8 };
	static uint8_t table[TACS][EQUIP_SERIALS];
	static const uint32_t every[TACS] = { 5000, 97, 11, 3, 2, 1, 40, 7 };
	struct equip_make *m = maker(0);
	struct equip_set *s;
	uint32_t seed = 1;

	for (uint32_t t = 0; t < TACS; t++) {
		for (uint32_t i = 0; i < EQUIP_SERIALS; i++) {
			seed = seed * 1664525 + 1013904223;
			table[t][i] = t == 5 ? i / 1000 % 2 == 0 : (seed >> 8) % every[t] == 0;
			if (t >= 6 && i < 200000)
				table[t][i] = t == 6 ? i % 70000 < 40000 : 1;
			if (table[t][i])
				put(m, (uint64_t)(35000000 + t * 77) * EQUIP_SERIALS + i, 1, BLACK);
		}
	}
	written(m, NULL, 1);
	s = opened(1);
	for (uint32_t t = 0; t < TACS; t++) {
		uint64_t first = (uint64_t)(35000000 + t * 77) * EQUIP_SERIALS;

		for (uint32_t i = 0; i < EQUIP_SERIALS; i += 1 + (i & 7) * 3)
			check_eq(equip_find(s, imei_of(first + i)).one == BLACK, table[t][i]);
	}
	equip_close(s);
}

TEST(a_delta_changes_what_it_names_and_leaves_the_rest)
{
	struct equip_make *m = maker(0);
	struct equip_plan plan;
	struct equip_set *old, *s;

	put(m, 35000000000010, 5, BLACK);
	put(m, 35000001000000, EQUIP_SERIALS, BLACK);
	put(m, 35000002000000, 2, WHITE);
	written(m, NULL, 1);
	old = opened(1);
	m = maker(0);
	check_eq(add(m, 35000000000012, 1, BLACK, true), ERR_OK);
	check_eq(add(m, 35000000000099, 1, BLACK, true), ERR_OK); /* never was there */
	check_eq(add(m, 35000001000007, 1, BLACK, true), ERR_OK); /* out of a whole TAC */
	put(m, 35000003000000, 1, GREY);
	check_eq(equip_make_plan(m, old, &loose, &plan), ERR_OK);
	check_eq(plan.base, 1);
	check_eq(plan.not_there, 1);
	check_eq(plan.list[BLACK].before, 5);
	check_eq(plan.list[BLACK].after, 4 + EQUIP_SERIALS - 1);
	check_eq(plan.list[BLACK].removed, 2);
	check_eq(plan.list[BLACK].whole_before, 1);
	check_eq(plan.list[BLACK].whole_after, 0);
	check_eq(plan.list[GREY].added, 1);
	check_eq(plan.list[WHITE].after, 2);
	written(m, old, 2);
	s = opened(2);
	check(equip_find(s, imei_of(35000000000012)).one < 0);
	check_eq(equip_find(s, imei_of(35000000000013)).one, BLACK);
	check(equip_find(s, imei_of(35000001000007)).one < 0);
	check(equip_find(s, imei_of(35000001000007)).tac < 0);
	check_eq(equip_find(s, imei_of(35000001000008)).one, BLACK);
	check_eq(equip_find(s, imei_of(35000002000001)).one, WHITE);
	check_eq(equip_find(s, imei_of(35000003000000)).one, GREY);
	check_eq(equip_head(s)->single[BLACK], plan.list[BLACK].after);
	equip_close(old);
	equip_close(s);
}

TEST(a_full_file_replaces_its_list_and_no_other)
{
	struct equip_make *m = maker(0);
	struct equip_plan plan;
	struct equip_set *old, *s;

	put(m, 35000000000010, 5, BLACK);
	put(m, 35000007000010, 5, BLACK);
	put(m, 35000000000010, 5, WHITE);
	written(m, NULL, 1);
	old = opened(1);
	m = maker(1u << BLACK);
	put(m, 35000000000012, 4, BLACK);
	check_eq(add(m, 35000000000012, 1, BLACK, true), ERR_NOT_ALLOWED);
	check_eq(add(m, 35000000000012, 1, WHITE, false), ERR_NOT_ALLOWED);
	check_eq(equip_make_plan(m, old, &loose, &plan), ERR_OK);
	check_eq(plan.list[BLACK].before, 10);
	check_eq(plan.list[BLACK].after, 4);
	check_eq(plan.list[BLACK].added, 1);
	check_eq(plan.list[BLACK].removed, 7);
	check_eq(plan.list[BLACK].tacs, 2);
	check_eq(plan.list[WHITE].added + plan.list[WHITE].removed, 0);
	written(m, old, 2);
	s = opened(2);
	check_eq(equip_find(s, imei_of(35000000000011)).one, WHITE);
	check_eq(equip_find(s, imei_of(35000000000015)).one, BLACK);
	check(equip_find(s, imei_of(35000007000010)).one < 0);
	equip_close(old);
	equip_close(s);
}

TEST(the_guard_finds_a_whole_tac_a_crowded_one_and_a_list_that_jumps)
{
	static const struct equip_guard guard = { 100, 50 };
	struct equip_make *m = maker(0);
	struct equip_plan plan, again;
	struct equip_set *old;

	put(m, 35000000000000, 9000, BLACK);
	put(m, 35000009000000, EQUIP_SERIALS, BLACK);
	check_eq(equip_make_plan(m, NULL, &guard, &plan), ERR_OK);
	check_eq(plan.finding_all, 2); /* nothing to compare the list's size with */
	written(m, NULL, 1);
	old = opened(1);
	m = maker(0);
	put(m, 35000000000000, 9100, BLACK); /* 100 more: just allowed */
	put(m, 35000001000000, 101, BLACK);
	put(m, 35000002000000, EQUIP_SERIALS, BLACK);
	put(m, 35000003000000, EQUIP_SERIALS, WHITE); /* what a white list is for */
	put(m, 35000009000000, EQUIP_SERIALS, BLACK); /* is on it already */
	check_eq(equip_make_plan(m, old, &guard, &plan), ERR_OK);
	check_eq(plan.finding_n, 2);
	check_eq(plan.finding[0].rule, EQUIP_TAC_MOST);
	check_eq(plan.finding[0].tac, 35000001);
	check_eq(plan.finding[0].added, 101);
	check_eq(plan.finding[1].rule, EQUIP_WHOLE_TAC);
	check_eq(plan.finding[1].tac, 35000002);
	check_eq(plan.finding[1].added, EQUIP_SERIALS);
	check_eq(plan.top_n, 4);
	check_eq(plan.top[0].added, EQUIP_SERIALS);
	check_eq(equip_make_plan(m, old, &guard, &again), ERR_OK);
	check_eq(again.code, plan.code);
	put(m, 35000004000000, 1, BLACK);
	check_eq(equip_make_plan(m, old, &guard, &again), ERR_OK);
	check(again.code != plan.code); /* what was confirmed is that, and nothing else */
	equip_make_free(m);
	m = maker(1u << BLACK);
	put(m, 35000000000000, 100, BLACK);
	check_eq(equip_make_plan(m, old, &guard, &plan), ERR_OK);
	check_eq(plan.finding_n, 1);
	check_eq(plan.finding[0].rule, EQUIP_SHRINKS);
	check_eq(plan.finding[0].before, 9000);
	check_eq(plan.finding[0].after, 100);
	equip_make_free(m);
	equip_close(old);
}

TEST(entries_that_cannot_be_are_refused)
{
	static const struct equip_entry bad[] = {
		{ 35000000000000, 0, BLACK, false },
		{ 35000000000001, EQUIP_SERIALS, BLACK, false }, /* into the next TAC */
		{ 35000000000000, EQUIP_SERIALS + 1, BLACK, false },
		{ 35000000000000, 1, 3, false },
		{ (uint64_t)100000000 * EQUIP_SERIALS, 1, BLACK, false },
	};
	struct equip_make *m = maker(0);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_eq(add(m, bad[i].first, bad[i].n, (enum colour)bad[i].list, false), ERR_VALUE);
	check_eq(equip_make_add(m, VIEW("short")), ERR_VALUE);
	equip_make_free(m);
}

TEST(a_torn_or_tampered_file_is_refused)
{
	struct equip_make *m = maker(0);
	struct equip_set *s;
	struct stat st;
	char path[256], why[256];
	int fd;

	for (uint32_t i = 0; i < 3000; i++)
		put(m, (uint64_t)(35000000 + i % 30) * EQUIP_SERIALS + i * 17, 1, BLACK);
	written(m, NULL, 3);
	path_of(path, 3);
	fd = open(path, O_RDWR | O_CLOEXEC);
	check(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = 0; at < st.st_size; at += 1 + st.st_size / 211) {
		uint8_t was, is;

		check_eq(pread(fd, &was, 1, at), 1);
		is = was ^ 0x40;
		check_eq(pwrite(fd, &is, 1, at), 1);
		check(equip_open(&s, fd, why) != ERR_OK && s == NULL && why[0]);
		check_eq(pwrite(fd, &was, 1, at), 1);
	}
	check_eq(equip_open(&s, fd, why), ERR_OK);
	equip_close(s);
	for (off_t n = st.st_size - 1; n > 0; n -= 1 + st.st_size / 97) {
		check_eq(ftruncate(fd, n), 0);
		check_eq(equip_open(&s, fd, why), ERR_CORRUPT);
	}
	close(fd);
	check_eq(equip_open_at(&s, dir, 4, why), ERR_NOT_FOUND);
}

TEST(a_file_under_another_generations_name_is_refused)
{
	struct equip_make *m = maker(0);
	struct equip_set *s;
	char from[256], to[256], why[256];

	put(m, 35000000000000, 1, BLACK);
	written(m, NULL, 5);
	path_of(from, 5);
	path_of(to, 6);
	check_eq(rename(from, to), 0);
	check_eq(equip_open_at(&s, dir, 6, why), ERR_CORRUPT);
}

TEST(no_entries_at_all_make_a_file_too)
{
	struct equip_set *s;

	written(maker(7), NULL, 1);
	s = opened(1);
	check(equip_find(s, id("35316609000001")).one < 0 && equip_find(s, id("35316609000001")).tac < 0);
	equip_close(s);
}

TEST(a_folder)
{
	temp_dir(dir);
}

TEST(its_end)
{
	temp_gone(dir);
}

TESTS(T(a_folder), T(a_device_is_found_on_its_list_and_its_neighbours_are_not),
      T(black_counts_before_grey_before_white_and_a_device_before_its_tac),
      T(what_is_found_is_what_a_plain_table_says),
      T(a_delta_changes_what_it_names_and_leaves_the_rest),
      T(a_full_file_replaces_its_list_and_no_other),
      T(the_guard_finds_a_whole_tac_a_crowded_one_and_a_list_that_jumps),
      T(entries_that_cannot_be_are_refused), T(a_torn_or_tampered_file_is_refused),
      T(a_file_under_another_generations_name_is_refused), T(no_entries_at_all_make_a_file_too),
      T(its_end))
