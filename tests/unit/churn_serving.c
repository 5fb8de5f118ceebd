/* The serving copy under churn: one writer that never rests, readers (some of them slow) that must
 * never see a row or a state that is not whole, and one that scribbles: over every byte of every
 * shared map and every descriptor that will take it, hundreds of times a second.
 *   churn_serving [seconds [readers]]      exit 0: no reader ever saw a torn state, none died */
#include "records/serving.h"
#include "unit/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define KEYS       20000u
#define PER_COMMIT 200u
#define READER_MAX 32u
#define IMSI(n)    (0x001010000000000fu | (uint64_t)(n) << 4)

struct tally {
	_Atomic uint64_t commits, begins, retries, reads, torn, stale, scribbles;
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

/* Every map of a file: made writable if it lets itself, and then filled with junk. */
static int scribble_maps(bool store)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512], mode[8];
	int n = 0;

	check(f != NULL);
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[3] != 's' ||
		    from == (unsigned long)(uintptr_t)tally)
			continue;
		if (mprotect((void *)from, to - from, PROT_READ | PROT_WRITE) == 0)
			memset((void *)from, 0xa5, to - from); /* and the readers will tell */
		else
			check_eq(errno, EACCES);
		check(madvise((void *)from, to - from, MADV_REMOVE) != 0);
		if (!strstr(line, "/serving."))
			continue;
		if (store)
			store_is_deadly((char *)from);
		n++;
	}
	fclose(f);
	return n;
}

static void scribble_fd(int fd)
{
	check(pwrite(fd, "x", 1, 0) < 0 && errno == EBADF);
	check(write(fd, "x", 1) < 0 && errno == EBADF);
	check(ftruncate(fd, 0) != 0 && (errno == EINVAL || errno == EBADF));
	check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);
	check(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}) != 0 && errno == EBADF);
	check(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	flock(fd, LOCK_EX | LOCK_NB); /* which a reader gets, and must not matter to the writer */
}

/* Every descriptor there is, by number. */
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
		scribble_fd(fd);
		n++;
	}
	return n;
}

/* What a compromised role can do with what it holds: nothing. */
static void scribble_until(const char *dir, uint64_t end)
{
	struct timespec t = { .tv_nsec = 2000000 };
	struct serving *s;
	char why[256];

	check_eq(serving_open(&s, dir, why), ERR_OK);
	do {
		check(scribble_maps(atomic_load(&tally->scribbles) % 64 == 0) >= 2);
		check(scribble_files() >= 1);
		atomic_fetch_add(&tally->scribbles, 1);
		nanosleep(&t, NULL);
	} while (now_ms() < end);
	serving_close(s);
}

static void child(uint32_t which, uint32_t readers, const char *dir, uint64_t end)
{
	static const uint64_t stay_ms[] = { 0, 1, 1500 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (which < readers)
		read_until(dir, end, stay_ms[which % 3]);
	else
		scribble_until(dir, end);
	_exit(0);
}

static void report(const char *what)
{
	printf("%s: commits %llu begins %llu retries %llu stale %llu reads %llu scribbles %llu torn %llu\n",
	       what, (unsigned long long)tally->commits, (unsigned long long)tally->begins,
	       (unsigned long long)tally->retries, (unsigned long long)tally->stale,
	       (unsigned long long)tally->reads, (unsigned long long)tally->scribbles,
	       (unsigned long long)tally->torn);
	fflush(stdout);
}

/* How many ended otherwise than well. A long run says every minute how it fares. */
static int wait_all(void)
{
	uint64_t said = now_ms();
	int st, died = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG)) >= 0) {
		if (pid > 0)
			died += !WIFEXITED(st) || WEXITSTATUS(st) != 0;
		else
			usleep(20000);
		if (now_ms() - said < 60000)
			continue;
		said = now_ms();
		report("so far");
	}
	return died;
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 3, end, seed = 1;
	uint32_t readers = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 3;
	struct serving_writer *w;
	char dir[TEMP_PATH], why[256];
	int died;

	readers = readers < 1 ? 1 : readers > READER_MAX ? READER_MAX : readers;
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
	for (uint32_t i = 0; i <= readers; i++)
		if (fork() == 0)
			child(i, readers, dir, end);
	died = wait_all();
	report("serving copy");
	printf("goal: none of %llu reads torn in %llu s, nobody died: %s (died: %d)\n",
	       (unsigned long long)tally->reads, (unsigned long long)seconds,
	       died || tally->torn ? "missed" : "met", died);
	temp_gone(dir);
	return died || tally->torn || tally->commits < 10 || tally->begins < 10 ||
	       tally->scribbles < 1;
}
