/* Bulk equipment lists in a running role: named by the serving copy, offered as a descriptor, taken
 * over between batches; a file that is not whole changes nothing. .a */
#include "records/equip_make.h"
#include "records/serving.h"
#include "unit/temp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#define TAC 35000000u
#define PER_TAC 400u

static char why[256];

static uint64_t imei(uint64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%014llu", (unsigned long long)number);
	return bcd_of(view_of(text));
}

static int file_of(const char *dir, uint64_t generation, int flags)
{
	char path[256];

	snprintf(path, sizeof path, "%s/" EQUIP_DIR, dir);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/" EQUIP_DIR "/" EQUIP_NAME, dir,
		 (unsigned long long)generation);
	return open(path, flags | O_CLOEXEC, 0600);
}

/* A generation that has PER_TAC devices of each of `tacs` types on one list, odd or even ones. */
static struct equip_head make(const char *dir, uint64_t generation, enum colour list, uint32_t tacs)
{
	struct equip_make *m = equip_make_new(0);
	struct equip_head head;
	int fd = file_of(dir, generation, O_RDWR | O_CREAT | O_TRUNC);

	check(m && fd >= 0);
	for (uint32_t i = 0; i < tacs * PER_TAC; i++) {
		uint64_t first = (uint64_t)(TAC + i / PER_TAC) * EQUIP_SERIALS + i % PER_TAC * 1000;
		struct equip_entry e = { first, 1, (uint8_t)list, false };
		uint8_t room[EQUIP_ENTRY_BYTES];
		struct wr w = { .p = room, .cap = sizeof room };

		equip_entry_put(&w, &e);
		check_eq(equip_make_add(m, wr_done(&w)), ERR_OK);
	}
	check_eq(equip_make_write(m, NULL, fd, generation, &head), ERR_OK);
	close(fd);
	equip_make_free(m);
	return head;
}

static void name(struct serving_writer *w, const struct equip_head *h)
{
	struct serving_lists l = { .generation = h->generation,
				   .old_generation = serving_lists(w)->generation };

	memcpy(l.digest, h->digest, sizeof l.digest);
	memcpy(l.old_digest, serving_lists(w)->digest, sizeof l.old_digest);
	check_eq(serving_begin(w), ERR_OK);
	check_eq(serving_put_lists(w, &l), ERR_OK);
	check_eq(serving_commit(w), ERR_OK);
}

static enum err offer(struct serving *s, const char *dir, uint64_t generation)
{
	int fd = file_of(dir, generation, O_RDONLY);
	enum err e;

	check(fd >= 0);
	e = serving_offer_lists(s, fd, why);
	close(fd);
	return e;
}

struct rig {
	char dir[TEMP_PATH];
	struct serving_writer *w;
	struct serving *s;
	struct serving_read *r;
	const struct book *b;
	uint64_t now;
};

static void open_reader(struct rig *x)
{
	check_eq(serving_open(&x->s, x->dir, why), ERR_OK);
	x->r = serving_reader(x->s);
	x->b = serving_book(x->r);
	check_eq(serving_renew(x->r, 1000), ERR_OK);
}

static void close_reader(struct rig *x)
{
	serving_read_free(x->r);
	serving_close(x->s);
}

static void begin(struct rig *x)
{
	temp_dir(x->dir);
	check_eq(serving_create(&x->w, x->dir, why), ERR_OK);
}

static void end(struct rig *x)
{
	close_reader(x);
	serving_finish(x->w);
	temp_gone(x->dir);
}

static int colour(const struct rig *x, uint64_t number)
{
	const struct equip_row *e = x->b->equip(x->b->ctx, imei(number), 5000);

	return e ? e->colour : -1;
}

#define FIRST ((uint64_t)TAC * EQUIP_SERIALS)

TEST(a_new_generation_counts_from_the_batch_after_it_was_named_and_offered)
{
	struct equip_head one, two;
	struct rig x;

	begin(&x);
	one = make(x.dir, 1, BLACK, 2);
	name(x.w, &one);
	open_reader(&x);
	check_eq(serving_lists_now(x.r), 1);
	check_eq(colour(&x, FIRST), BLACK);
	check_eq(colour(&x, FIRST + 1), -1);
	two = make(x.dir, 2, GREY, 2);
	check_eq(offer(x.s, x.dir, 2), ERR_OK); /* before it is named */
	check_eq(serving_renew(x.r, 1001), ERR_OK);
	check_eq(serving_lists_now(x.r), 1);
	name(x.w, &two);
	check_eq(colour(&x, FIRST), BLACK); /* the batch goes on as it began */
	check_eq(serving_renew(x.r, 1002), ERR_OK);
	check_eq(serving_lists_now(x.r), 2);
	check_eq(colour(&x, FIRST), GREY);
	one = make(x.dir, 3, WHITE, 2);
	name(x.w, &one); /* the other way round */
	check_eq(serving_renew(x.r, 1003), ERR_OK);
	check_eq(serving_lists_now(x.r), 2);
	check_eq(offer(x.s, x.dir, 3), ERR_OK);
	check_eq(serving_renew(x.r, 1003), ERR_OK);
	check_eq(colour(&x, FIRST), WHITE);
	end(&x);
}

TEST(what_is_torn_or_of_another_digest_changes_nothing)
{
	struct equip_head one, two, other;
	struct rig x;
	int fd;

	begin(&x);
	one = make(x.dir, 1, BLACK, 2);
	name(x.w, &one);
	open_reader(&x);
	two = make(x.dir, 2, GREY, 2);
	name(x.w, &two);
	fd = file_of(x.dir, 2, O_RDWR);
	check(fd >= 0 && pwrite(fd, "x", 1, 400500) == 1);
	close(fd);
	check_eq(offer(x.s, x.dir, 2), ERR_CORRUPT);
	check(strstr(why, "digest") != NULL);
	check_eq(serving_renew(x.r, 1001), ERR_OK);
	check_eq(colour(&x, FIRST), BLACK);
	other = make(x.dir, 2, WHITE, 2); /* whole, but not what the keeper wrote */
	check(memcmp(other.digest, two.digest, EQUIP_DIGEST) != 0);
	check_eq(offer(x.s, x.dir, 2), ERR_OK);
	check_eq(serving_renew(x.r, 1002), ERR_OK);
	check_eq(colour(&x, FIRST), BLACK);
	check_eq(serving_lists_now(x.r), 1);
	close_reader(&x);
	open_reader(&x); /* a start falls back on the generation before */
	check_eq(serving_lists_now(x.r), 1);
	check_eq(colour(&x, FIRST), BLACK);
	end(&x);
}

TEST(a_record_made_by_hand_counts_before_a_list_and_a_device_before_its_type)
{
	struct equip_row exempt = { .imei = imei(FIRST), .colour = WHITE };
	struct equip_row past = { .imei = imei(FIRST + 1000), .colour = WHITE, .until = 4000 };
	struct equip_row type = { .imei = bcd_first(imei(FIRST), 8), .colour = GREY };
	struct equip_head one;
	struct rig x;

	begin(&x);
	one = make(x.dir, 1, BLACK, 1);
	name(x.w, &one);
	check_eq(serving_begin(x.w), ERR_OK);
	check_eq(serving_put_equip(x.w, &exempt), ERR_OK);
	check_eq(serving_put_equip(x.w, &past), ERR_OK);
	check_eq(serving_put_equip(x.w, &type), ERR_OK);
	check_eq(serving_commit(x.w), ERR_OK);
	open_reader(&x);
	check_eq(colour(&x, FIRST), WHITE);
	check_eq(colour(&x, FIRST + 1000), BLACK);
	check_eq(colour(&x, FIRST + 2000), BLACK);
	check_eq(colour(&x, FIRST + 2001), GREY);
	end(&x);
}

/* --- swap under readers ----------------------------------------------------------------------- */

struct reader {
	struct rig *x;
	_Atomic bool stop;
	_Atomic uint64_t batches, swaps;
};

/* Within a batch every answer is of one generation: black in odd ones, grey in even ones. */
static void *read_on(void *ctx)
{
	struct reader *me = ctx;
	struct serving_read *r = serving_reader(me->x->s);
	const struct book *b = serving_book(r);
	uint64_t last = 0;

	while (!atomic_load(&me->stop)) {
		uint64_t gen;

		if (serving_renew(r, 1000) != ERR_OK)
			continue;
		gen = serving_lists_now(r);
		me->swaps += gen != last;
		last = gen;
		for (uint32_t i = 0; i < 200; i++) {
			const struct equip_row *e = b->equip(b->ctx, imei(FIRST + i * 1000), 5000);

			check(e && e->colour == (gen % 2 ? BLACK : GREY));
		}
		me->batches++;
	}
	serving_read_free(r);
	return NULL;
}

TEST(swaps_under_readers_never_mix_and_never_unmap_what_is_read)
{
	struct reader reader[2] = { 0 };
	pthread_t thread[2];
	struct equip_head h;
	struct rig x;

	begin(&x);
	h = make(x.dir, 1, BLACK, 1);
	name(x.w, &h);
	open_reader(&x);
	serving_read_free(x.r); /* a reader that does not go on is waited for */
	x.r = NULL;
	for (int i = 0; i < 2; i++) {
		reader[i].x = &x;
		check_eq(pthread_create(&thread[i], NULL, read_on, &reader[i]), 0);
	}
	for (uint64_t gen = 2; gen < 40; gen++) {
		h = make(x.dir, gen, gen % 2 ? BLACK : GREY, 1);
		name(x.w, &h);
		check_eq(offer(x.s, x.dir, gen), ERR_OK);
	}
	for (int i = 0; i < 2; i++) {
		atomic_store(&reader[i].stop, true);
		pthread_join(thread[i], NULL);
		check(reader[i].batches > 10 && reader[i].swaps > 5);
	}
	end(&x);
}

TESTS(T(a_new_generation_counts_from_the_batch_after_it_was_named_and_offered),
      T(what_is_torn_or_of_another_digest_changes_nothing),
      T(a_record_made_by_hand_counts_before_a_list_and_a_device_before_its_type),
      T(swaps_under_readers_never_mix_and_never_unmap_what_is_read))
