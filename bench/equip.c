/* The bulk equipment lists at scale: memory, load time, look-ups a second on one core, and the slowest look-up
 * while a full list is swapped, by the code that edge and home look up with. bench_equip DIR [ENTRIES] [TACS] */
#include "base/big.h"
#include "records/equip_make.h"
#include "records/serving.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOKS (4u << 20)
#define ROUNDS 5
#define BATCH 100
#define SLOW_NS 1000000u
#define SWAPS 6

static uint64_t entries = 100000000, tacs = 50000;
static const char *dir;
static unsigned int missed;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static uint64_t now_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double seconds(uint64_t since)
{
	return (double)(now_ns(CLOCK_MONOTONIC) - since) / 1e9;
}

static void goal(const char *what, double is, double want, bool most)
{
	bool met = most ? is <= want : is >= want;

	missed += !met;
	printf("goal  %-44s %10.3g  (%s %g)  %s\n", what, is, most ? "at most" : "at least", want,
	       met ? "met" : "missed");
}

/* --- made-up lists: a tenth of the types have half of the devices ------------------------------- */

static uint32_t tac_of(uint64_t t)
{
	return (uint32_t)(1000000 + t * (98000000 / tacs) + t * 2654435761u % (98000000 / tacs));
}

static uint64_t count_of(uint64_t t)
{
	return t % 10 == 0 ? entries / tacs * 5 : entries / tacs * 5 / 9;
}

/* The k-th serial number of a type: all different, in no order. */
static uint32_t serial_of(uint64_t t, uint32_t k, uint32_t seed)
{
	uint32_t x = k;

	do {
		x ^= (uint32_t)(t * 7919 + seed * 777767u) & 0xfffff;
		x = x * 0x9e3b5 & 0xfffff;
		x ^= x >> 9;
		x = x * 0xd1b27 & 0xfffff;
		x ^= x >> 11;
	} while (x >= EQUIP_SERIALS);
	return x;
}

static uint64_t imei_of(uint32_t tac, uint32_t serial)
{
	char text[32];

	snprintf(text, sizeof text, "%08u%06u", tac, serial);
	return bcd_of(view_of(text));
}

static void fill(struct equip_make *m, uint32_t seed)
{
	static uint8_t room[65536 * EQUIP_ENTRY_BYTES];
	struct wr w = { .p = room, .cap = sizeof room };

	for (uint64_t t = 0; t < tacs; t++) {
		for (uint32_t k = 0; k < count_of(t); k++) {
			struct equip_entry e = { (uint64_t)tac_of(t) * EQUIP_SERIALS + serial_of(t, k, seed), 1,
						 BLACK, false };

			equip_entry_put(&w, &e);
			if (w.n == w.cap) {
				must(equip_make_add(m, wr_done(&w)) == ERR_OK, "add");
				w.n = 0;
			}
		}
	}
	must(equip_make_add(m, wr_done(&w)) == ERR_OK, "add");
}

static void path_of(char path[512], uint64_t generation)
{
	snprintf(path, 512, "%s/" EQUIP_DIR "/" EQUIP_NAME, dir, (unsigned long long)generation);
}

static int make_one(uint64_t generation)
{
	struct equip_make *m = equip_make_new(1u << BLACK);
	struct equip_head head;
	uint64_t began = now_ns(CLOCK_MONOTONIC);
	char path[512];
	int fd;

	fill(m, (uint32_t)generation * 31);
	printf("      entries taken in: %.1f s; ", seconds(began));
	began = now_ns(CLOCK_MONOTONIC);
	path_of(path, generation);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0 && equip_make_write(m, NULL, fd, generation, &head) == ERR_OK, "write");
	printf("written, durable: %.1f s; %llu devices, %u types\n", seconds(began),
	       (unsigned long long)head.single[BLACK], head.tac_n);
	fflush(stdout);
	return 0;
}

/* In a process of its own, as the keeper is one. */
static void make(uint64_t generation)
{
	struct rusage use;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(make_one(generation));
	must(wait4(pid, &status, 0, &use) == pid && status == 0, "make");
	printf("      generation %llu made, peak memory of the maker %ld MB\n",
	       (unsigned long long)generation, use.ru_maxrss / 1024);
}

/* --- look-ups --------------------------------------------------------------------------------- */

static long memory_kb(const char *what)
{
	char line[256];
	long kb = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f)) {
		if (strncmp(line, what, strlen(what)) == 0)
			kb = strtol(line + strlen(what), NULL, 10);
	}
	if (f)
		fclose(f);
	return kb;
}

static uint32_t random_of(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 32);
}

enum asks { ASK_HITS, ASK_OTHER_SERIALS, ASK_OTHER_TYPES };

static void prepare(uint64_t *imei, enum asks asks)
{
	uint64_t state = 42 + asks;

	for (uint32_t i = 0; i < LOOKS; i++) {
		/* A device is as likely as another, so a type by its devices. */
		uint64_t t = random_of(&state) % (tacs / 10) * 10;
		uint32_t k;

		if (random_of(&state) % 2)
			t += 1 + random_of(&state) % 9;
		t = t < tacs ? t : tacs - 1;
		k = random_of(&state) % (uint32_t)count_of(t);
		k += asks == ASK_OTHER_SERIALS ? (uint32_t)count_of(t) : 0;
		imei[i] = imei_of(asks == ASK_OTHER_TYPES ? 99100000 + k % 800000 : tac_of(t),
				  serial_of(t, k, 31));
	}
}

static double look(const struct equip_set *s, const uint64_t *imei, bool on)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t began = now_ns(CLOCK_THREAD_CPUTIME_ID), took;
		uint32_t found = 0;

		for (uint32_t i = 0; i < LOOKS; i++)
			found += equip_find(s, imei[i]).one >= 0;
		took = now_ns(CLOCK_THREAD_CPUTIME_ID) - began;
		must(found == (on ? LOOKS : 0), "an answer is wrong");
		best = took < best ? took : best;
	}
	return (double)LOOKS * 1e3 / (double)best; /* millions a second */
}

/* What the machine gives: a walk through as much memory, in no order, each step known from the one before. */
static double chase(size_t bytes)
{
	size_t n = bytes / sizeof(uint64_t);
	uint64_t *next = big_new(n * sizeof *next), state = 7, at = 0, began;

	must(next != NULL, "memory");
	for (size_t i = 0; i < n; i++)
		next[i] = i;
	for (size_t i = n - 1; i > 0; i--) { /* one circle */
		size_t j = random_of(&state) % i;
		uint64_t t = next[i];

		next[i] = next[j];
		next[j] = t;
	}
	began = now_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint32_t i = 0; i < LOOKS; i++)
		at = next[at];
	began = now_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	must(at < n, "chase");
	big_free(next, n * sizeof *next);
	return (double)began / LOOKS;
}

static void look_all(void)
{
	static const char *const names[] = { "devices on the list", "others of the same types",
					     "types of which none is" };
	uint64_t *imei = malloc(LOOKS * sizeof *imei), began;
	struct equip_set *s;
	char why[256], what[64];
	long before = memory_kb("VmRSS:"), after;

	must(imei != NULL, "memory");
	began = now_ns(CLOCK_MONOTONIC);
	must(equip_open_at(&s, dir, 1, why) == ERR_OK, why);
	printf("load  %.3f s (read into memory, digest checked)\n", seconds(began));
	after = memory_kb("VmRSS:");
	printf("      a load that waits for the one before it: %.0f ns here, in as much memory; the goal of 5 million\n"
	       "      look-ups/s is 200 ns each\n", chase(equip_head(s)->bytes));
	goal("memory, MB (resident after loading)", (double)(after - before) / 1024, 400, true);
	printf("      file %.1f MB, %.2f bytes a device; edge and home hold a copy each\n",
	       (double)equip_head(s)->bytes / 1048576,
	       (double)equip_head(s)->bytes / (double)equip_head(s)->single[BLACK]);
	for (int a = 0; a < 3; a++) {
		prepare(imei, (enum asks)a);
		snprintf(what, sizeof what, "million look-ups/s, %s", names[a]);
		goal(what, look(s, imei, a == ASK_HITS), 5, false);
	}
	equip_close(s);
	free(imei);
}

/* --- swap while serving ----------------------------------------------------------------------- */

struct serving_thread {
	struct serving *s;
	const uint64_t *imei;
	_Atomic bool stop;
	_Atomic uint64_t looks, worst_ns, slow, slow_preempted, swaps;
};

static long preempted(void)
{
	struct rusage use;

	getrusage(RUSAGE_THREAD, &use);
	return use.ru_nivcsw;
}

static void batch(struct serving_thread *t, struct serving_read *r, uint32_t at)
{
	const struct book *b = serving_book(r);
	long before = preempted();

	for (uint32_t i = 0; i < BATCH; i++) {
		uint64_t began = now_ns(CLOCK_MONOTONIC), took;
		const struct equip_row *e = b->equip(b->ctx, t->imei[(at + i) % LOOKS], 1000);

		took = now_ns(CLOCK_MONOTONIC) - began;
		t->looks++;
		if (took > t->worst_ns)
			t->worst_ns = took;
		if (took > SLOW_NS) {
			t->slow++;
			t->slow_preempted += preempted() != before;
		}
		if (e && e->colour != BLACK)
			exit(1);
	}
}

static void *serve(void *ctx)
{
	struct serving_thread *t = ctx;
	struct serving_read *r = serving_reader(t->s);
	uint64_t last = 0;

	for (uint32_t at = 0; !atomic_load(&t->stop); at += BATCH) {
		/* Also what the begin of a batch takes, where the swap is. */
		uint64_t began = now_ns(CLOCK_MONOTONIC), took, gen;
		long before = preempted();

		if (serving_renew(r, began / 1000000))
			continue;
		took = now_ns(CLOCK_MONOTONIC) - began;
		if (took > SLOW_NS) {
			t->slow++;
			t->slow_preempted += preempted() != before;
		}
		t->worst_ns = took > t->worst_ns ? took : t->worst_ns;
		gen = serving_lists_now(r);
		t->swaps += last && gen != last;
		last = gen;
		batch(t, r, at);
	}
	serving_read_free(r);
	return NULL;
}

static void name(struct serving_writer *w, uint64_t generation)
{
	struct serving_lists l = { .generation = generation };
	struct equip_head head;
	char path[512];
	int fd;

	path_of(path, generation);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && read(fd, &head, sizeof head) == sizeof head, path);
	close(fd);
	memcpy(l.digest, head.digest, sizeof l.digest);
	must(!serving_begin(w) && !serving_put_lists(w, &l) && !serving_commit(w), "publish");
}

static void swap(struct serving *s, struct serving_writer *w, uint64_t generation)
{
	char path[512], why[256];
	int fd;

	path_of(path, generation);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	name(w, generation);
	must(fd >= 0 && serving_offer_lists(s, fd, why) == ERR_OK, path);
	close(fd);
}

static void report(const char *what, struct serving_thread *t)
{
	printf("      %-18s %9llu look-ups, worst %.3f ms; slower than 1 ms: %llu, of which %llu while the "
	       "scheduler ran another thread\n", what, (unsigned long long)t->looks,
	       (double)t->worst_ns / 1e6, (unsigned long long)t->slow, (unsigned long long)t->slow_preempted);
}

static void run(struct serving *s, struct serving_writer *w, const uint64_t *imei, bool swaps)
{
	struct serving_thread t = { .s = s, .imei = imei };
	uint64_t began;
	pthread_t thread;

	must(pthread_create(&thread, NULL, serve, &t) == 0, "thread");
	usleep(500000); /* the serving copy counts its reader's pages */
	t.looks = t.worst_ns = t.slow = t.slow_preempted = 0;
	began = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; swaps && i < SWAPS; i++) {
		swap(s, w, i % 2 ? 1 : 2);
		serving_tick(w, now_ns(CLOCK_MONOTONIC) / 1000000);
	}
	while (!swaps && seconds(began) < 3)
		usleep(10000);
	report(swaps ? "during 6 swaps" : "without a swap", &t);
	if (swaps) {
		printf("      a swap takes %.2f s from descriptor to the old one unmapped; taken over %llu times\n",
		       seconds(began) / SWAPS, (unsigned long long)t.swaps);
		goal("look-ups slower than 1 ms, not preempted", (double)(t.slow - t.slow_preempted), 0, true);
	}
	atomic_store(&t.stop, true);
	pthread_join(thread, NULL);
}

static void swap_all(void)
{
	struct serving_writer *w;
	struct serving *s;
	uint64_t *imei = malloc(LOOKS * sizeof *imei);
	char why[256];

	must(imei != NULL && serving_create(&w, dir, why) == ERR_OK, why);
	name(w, 1);
	must(serving_open(&s, dir, why) == ERR_OK, why);
	prepare(imei, ASK_HITS);
	printf("swap  through the serving copy, as edge and home do; each look-up timed\n");
	run(s, w, imei, false);
	run(s, w, imei, true);
	serving_close(s);
	serving_finish(w);
	free(imei);
}

/* The same devices as a CSV file, for merlon import. */
static int print_csv(uint32_t seed)
{
	puts("imei");
	for (uint64_t t = 0; t < tacs; t++) {
		for (uint32_t k = 0; k < count_of(t); k++)
			printf("%08u%06u\n", tac_of(t), serial_of(t, k, seed));
	}
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	char path[512];

	must(argc > 1, "bench_equip DIR [ENTRIES] [TACS], or bench_equip csv:SEED ENTRIES TACS");
	dir = argv[1];
	if (argc > 2)
		entries = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		tacs = strtoull(argv[3], NULL, 10);
	if (strncmp(dir, "csv:", 4) == 0)
		return print_csv((uint32_t)atoi(dir + 4));
	snprintf(path, sizeof path, "%s/" EQUIP_DIR, dir);
	must(mkdir(path, 0700) == 0, path);
	printf("%llu million devices of %llu types\n", (unsigned long long)entries / 1000000,
	       (unsigned long long)tacs);
	make(1);
	make(2);
	look_all();
	swap_all();
	return missed > 0;
}
