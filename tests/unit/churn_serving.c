/* The serving copy under churn: one writer that never rests, three readers (one of them slow) that
 * must never see a row or a state that is not whole, and one that tries to write what it may only
 * read.   churn_serving [seconds]      exit 0: no reader ever saw a torn state, none died */
#include "records/serving.h"
#include "unit/temp.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define KEYS       20000u
#define PER_COMMIT 200u
#define READERS    3
#define IMSI(n)    (0x001010000000000fu | (uint64_t)(n) << 4)

struct tally {
	_Atomic uint64_t commits, begins, retries, reads, torn, stale;
};
static struct tally *tally;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 33;
}

/* A row whose every byte follows from its key and version. */
static struct sub_row row_of(uint64_t imsi, uint32_t version)
{
	struct sub_row r = { .imsi = imsi, .version = version, .msisdn = mix(imsi + version) };

	for (size_t i = 0; i < sizeof r.spare; i++)
		r.spare[i] = (uint8_t)(mix(r.msisdn + i) & 255);
	return r;
}

static bool whole(const struct sub_row *got, uint64_t imsi)
{
	struct sub_row want;

	if (!got)
		return false;
	want = row_of(imsi, got->version);
	return memcmp(&want, got, sizeof want) == 0;
}

/* Commit `version`: rows at random, and in the first and last row, in the profile and in the feed
 * the version itself, so that a state mixed of two is seen. */
static void commit(struct serving_writer *w, uint32_t version, bool all, uint64_t *seed)
{
	struct profile_row p = { .id = 1, .version = version };

	check_eq(serving_begin(w), ERR_OK);
	for (uint32_t i = 1; i <= (all ? KEYS : PER_COMMIT); i++) {
		uint64_t n = all ? i : 2 + (*seed = mix(*seed + i)) % (KEYS - 2);
		struct sub_row r = row_of(IMSI(n), version);

		check_eq(serving_put_sub(w, &r), ERR_OK);
	}
	for (uint32_t n = 1; n <= KEYS; n += KEYS - 1) {
		struct sub_row r = row_of(IMSI(n), version);

		check_eq(serving_put_sub(w, &r), ERR_OK);
	}
	check_eq(serving_put_profile(w, &p), ERR_OK);
	check_eq(serving_change(w, &(struct change){ .seq = version, .kind = CHANGE_SUB }), ERR_OK);
	check_eq(serving_commit(w), ERR_OK);
	atomic_fetch_add(&tally->commits, 1);
}

static void write_until(struct serving_writer *w, uint64_t end)
{
	uint64_t seed = 1, ticked = 0;

	for (uint32_t version = 2; now_ms() < end; version++) {
		commit(w, version, false, &seed);
		if (now_ms() - ticked >= 1000) {
			ticked = now_ms();
			serving_tick(w, ticked);
		}
	}
}

/* One batch: `stay_ms` of look-ups in one state. Returns how many were not whole. */
static uint64_t read_batch(struct serving_read *r, uint64_t stay_ms, uint64_t *seed)
{
	const struct book *b = serving_book(r);
	uint64_t began = now_ms(), torn = 0, version = serving_last(r);
	const struct sub_row *first, *last;

	do {
		for (int i = 0; i < 64; i++) {
			uint64_t imsi = IMSI(1 + (*seed = mix(*seed + 1)) % KEYS);

			torn += !whole(b->sub(b->ctx, imsi), imsi);
		}
		first = b->sub(b->ctx, IMSI(1));
		last = b->sub(b->ctx, IMSI(KEYS));
		torn += !first || !last || first->version != version || last->version != version;
		torn += b->profile(b->ctx, 1)->version != version;
		atomic_fetch_add(&tally->reads, 66);
	} while (now_ms() - began < stay_ms);
	return torn;
}

static void read_until(const char *dir, uint64_t end, uint64_t stay_ms)
{
	struct serving *s;
	struct serving_read *r;
	uint64_t seed = stay_ms, torn;
	char why[256];

	check_eq(serving_open(&s, dir, why), ERR_OK);
	r = serving_reader(s);
	while (now_ms() < end) {
		enum err e = serving_renew(r, now_ms());

		check(e == ERR_OK || e == ERR_AGAIN);
		if (e) {
			atomic_fetch_add(&tally->retries, 1);
			continue;
		}
		torn = read_batch(r, stay_ms, &seed);
		atomic_fetch_add(&tally->begins, 1);
		if (serving_valid(r, now_ms()))
			atomic_fetch_add(&tally->torn, torn);
		else
			atomic_fetch_add(&tally->stale, 1); /* a caller would do this batch again */
	}
	serving_read_free(r);
	serving_close(s);
}

/* A store into the map must end the process that tries it, by a signal. */
static void store_is_deadly(char *at)
{
	int st;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* not a sanitizer's */
		*(volatile char *)at = 1;
		_exit(0);
	}
	check(waitpid(pid, &st, 0) == pid);
	check(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV);
}

static int scribble_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	check(f != NULL);
	while (fgets(line, sizeof line, f)) {
		char *at = (char *)(uintptr_t)strtoull(line, NULL, 16);

		if (!strstr(line, "/serving."))
			continue;
		check(mprotect(at, 4096, PROT_READ | PROT_WRITE) != 0 && errno == EACCES);
		store_is_deadly(at);
		n++;
	}
	fclose(f);
	return n;
}

static int scribble_files(void)
{
	int n = 0;

	for (int fd = 3; fd < 64; fd++) {
		char path[64], target[256];
		ssize_t len;

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof target - 1);
		if (len < 0)
			continue;
		target[len] = 0;
		if (!strstr(target, "/serving."))
			continue;
		check(pwrite(fd, "x", 1, 0) < 0 && errno == EBADF);
		check(ftruncate(fd, 0) != 0 && (errno == EINVAL || errno == EBADF));
		check(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
		check_eq(errno, EACCES);
		n++;
	}
	return n;
}

/* What a compromised role can do with what it holds: nothing. */
static void scribble_until(const char *dir, uint64_t end)
{
	struct timespec t = { .tv_nsec = 100000000 };
	struct serving *s;
	char why[256];

	check_eq(serving_open(&s, dir, why), ERR_OK);
	do {
		check_eq(scribble_maps(), 2);
		check(scribble_files() >= 1);
		nanosleep(&t, NULL);
	} while (now_ms() < end);
	serving_close(s);
}

static void child(int which, const char *dir, uint64_t end)
{
	static const uint64_t stay_ms[READERS] = { 0, 1, 1500 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (which < READERS)
		read_until(dir, end, stay_ms[which]);
	else
		scribble_until(dir, end);
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 3, end, seed = 1;
	struct serving_writer *w;
	char dir[TEMP_PATH], why[256];
	int st, died = 0;

	tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	temp_dir(dir);
	end = now_ms() + seconds * 1000;
	if (fork() == 0) { /* the writer is a process of its own: readers inherit nothing of it */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check_eq(serving_create(&w, dir, why), ERR_OK);
		commit(w, 1, true, &seed);
		write_until(w, end);
		serving_finish(w);
		_exit(0);
	}
	while (atomic_load(&tally->commits) == 0 && now_ms() < end)
		usleep(1000);
	for (int i = 0; i <= READERS; i++)
		if (fork() == 0)
			child(i, dir, end);
	while (wait(&st) > 0)
		died += !WIFEXITED(st) || WEXITSTATUS(st) != 0;
	printf("commits %llu begins %llu retries %llu stale %llu reads %llu torn %llu died %d\n",
	       (unsigned long long)tally->commits, (unsigned long long)tally->begins,
	       (unsigned long long)tally->retries, (unsigned long long)tally->stale,
	       (unsigned long long)tally->reads, (unsigned long long)tally->torn, died);
	temp_gone(dir);
	return died || tally->torn || tally->commits < 10 || tally->begins < 10;
}
