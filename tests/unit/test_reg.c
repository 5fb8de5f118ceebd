/* Registrations: acknowledged is durable, queued is seen at once, failed never was. */
#include "unit/test.h"

#include "records/reg_db.h"
#include "unit/temp.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define IMSI(n) (0x001010000000000fu | (uint64_t)(n) << 4)

static char why[256];
static int rounds = 50;

static struct reg *open_reg(const char *dir, size_t map_bytes)
{
	struct reg *r;

	if (reg_open_sized(&r, dir, map_bytes, why) != ERR_OK) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	return r;
}

static struct reg_row row(uint32_t n, uint32_t version)
{
	struct reg_row r = { .imsi = IMSI(n), .profile_version = version, .flags = REG_MME };

	snprintf(r.mme.host, sizeof r.mme.host, "mme%u.example", version);
	return r;
}

static enum err put(struct reg_worker *w, uint32_t n, uint32_t version, uint64_t token)
{
	struct reg_row r = row(n, version);

	return reg_put(w, &r, token);
}

static uint64_t get(struct reg_worker *w, uint32_t n)
{
	struct reg_row r;
	enum err e = reg_get(w, IMSI(n), &r);

	if (e == ERR_NOT_FOUND)
		return 0;
	check_eq(e, ERR_OK);
	check_eq(r.imsi, IMSI(n));
	return r.profile_version;
}

/* The next completion, waited for as a loop would. */
static enum err next(struct reg_worker *w, uint64_t *token)
{
	enum err e;

	while (!reg_done(w, token, &e)) {
		struct pollfd p = { .fd = reg_done_fd(w), .events = POLLIN };

		check_eq(poll(&p, 1, 10000), 1);
	}
	return e;
}

static void done(struct reg_worker *w, uint64_t want, enum err err)
{
	uint64_t token;

	check_eq(next(w, &token), err);
	check_eq(token, want);
}

TEST(a_row_is_seen_at_once_and_durable_when_it_is_acknowledged)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), records_room);
	struct reg_worker *a = reg_worker(r), *b = reg_worker(r);

	check_eq(get(a, 1), 0);
	check_eq(put(a, 1, 5, 77), ERR_OK);
	check_eq(get(a, 1), 5);
	check_eq(get(b, 1), 5);
	done(a, 77, ERR_OK);
	check_eq(get(b, 1), 5);
	check_eq(put(b, 1, 6, 1), ERR_OK);
	check_eq(put(b, 1, 7, 2), ERR_OK);
	check_eq(get(a, 1), 7);
	check_eq(reg_put_cursor(b, 40, 3), ERR_OK);
	check_eq(reg_cursor(a), 40);
	done(b, 1, ERR_OK);
	done(b, 2, ERR_OK);
	done(b, 3, ERR_OK);
	reg_close(r);
	r = open_reg(dir, records_room);
	a = reg_worker(r);
	check_eq(get(a, 1), 7);
	check_eq(reg_cursor(a), 40);
	reg_close(r);
	temp_gone(dir);
}

TEST(closing_commits_what_is_queued)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), records_room);
	struct reg_worker *w = reg_worker(r);

	for (uint32_t i = 1; i <= 500; i++)
		check_eq(put(w, i, i, i), ERR_OK);
	reg_close(r);
	r = open_reg(dir, records_room);
	w = reg_worker(r);
	for (uint32_t i = 1; i <= 500; i++)
		check_eq(get(w, i), i);
	reg_close(r);
	temp_gone(dir);
}

TEST(a_full_queue_is_said_and_empties)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), records_room);
	struct reg_worker *w = reg_worker(r);
	uint64_t token;

	for (uint32_t i = 1; i <= REG_QUEUE; i++)
		check_eq(put(w, i, i, i), ERR_OK);
	check_eq(put(w, 1, 1, 1), ERR_FULL);
	for (uint64_t i = 1; i <= REG_QUEUE; i++) {
		check_eq(next(w, &token), ERR_OK);
		check_eq(token, i);
	}
	check_eq(put(w, 1, 9, 1), ERR_OK);
	done(w, 1, ERR_OK);
	reg_close(r);
	temp_gone(dir);
}

TEST(the_descriptor_is_quiet_when_nothing_waits)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), records_room);
	struct reg_worker *w = reg_worker(r);
	struct pollfd p = { .fd = reg_done_fd(w), .events = POLLIN };
	uint64_t token;
	enum err e;

	for (int i = 0; i < 20; i++) {
		check_eq(put(w, 1, 1, 1), ERR_OK);
		done(w, 1, ERR_OK);
		poll(&p, 1, 5); /* the wake-up may come after what it announces */
		check(!reg_done(w, &token, &e));
		check_eq(poll(&p, 1, 0), 0);
	}
	reg_close(r);
	temp_gone(dir);
}

TEST(a_scan_meets_queued_and_durable_rows_in_order)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), records_room);
	struct reg_worker *w = reg_worker(r);
	struct reg_row out[7], gone = row(50, 1);
	uint64_t after = 0, token;
	size_t n, all = 0;

	for (uint32_t i = 100; i > 0; i--)
		check_eq(put(w, i, i, i), ERR_OK);
	for (int i = 0; i < 60; i++)
		check_eq(next(w, &token), ERR_OK);
	gone.flags = REG_PURGED_MME;
	check_eq(reg_put(w, &gone, 0), ERR_OK);
	while ((n = reg_scan(w, after, out, 7)) > 0) {
		for (size_t i = 0; i < n; i++) {
			all += all == 49 ? 2 : 1; /* the purged one is passed over */
			check_eq(out[i].imsi, IMSI(all));
		}
		after = out[n - 1].imsi;
	}
	check_eq(all, 100);
	reg_close(r);
	temp_gone(dir);
}

/* Fill a small map until a commit fails; returns the first IMSI that failed. */
static uint32_t fill(struct reg_worker *w)
{
	uint64_t token;

	for (uint32_t i = 1; i < 100000; i++) {
		check_eq(put(w, i, 1, i), ERR_OK);
		if (next(w, &token) == ERR_OK)
			continue;
		check_eq(token, i);
		return i;
	}
	abort();
}

TEST(a_failed_commit_leaves_the_row_as_if_never_put)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), 256 << 10);
	struct reg_worker *w = reg_worker(r);
	uint32_t n = fill(w);
	uint64_t token;

	check(n > 10);
	check_eq(get(w, n), 0);
	check_eq(get(w, n - 1), 1);
	/* A cursor and a second row of the IMSI, queued behind: never there without the first. */
	for (uint32_t i = n; i < n + 400; i++)
		check_eq(put(w, i, 2, 1), ERR_OK);
	check_eq(put(w, n, 3, 2), ERR_OK);
	check_eq(reg_put_cursor(w, 99, 3), ERR_OK);
	for (int i = 0; i < 402; i++)
		check_eq(next(w, &token) == ERR_OK && (token == 3 || token == 2), 0);
	check_eq(get(w, n), 0);
	check_eq(reg_cursor(w), 0);
	reg_close(r);
	/* Room again: it goes on from what was acknowledged. */
	r = open_reg(dir, 64 << 20);
	w = reg_worker(r);
	check_eq(get(w, n), 0);
	check_eq(get(w, n - 1), 1);
	check_eq(put(w, n, 4, 4), ERR_OK);
	done(w, 4, ERR_OK);
	check_eq(get(w, n), 4);
	reg_close(r);
	temp_gone(dir);
}

static void size_limit(rlim_t bytes)
{
	struct rlimit l;

	check_eq(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes;
	check_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
}

TEST(registrations_go_on_when_the_disk_has_room_again)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), records_room);
	struct reg_worker *w = reg_worker(r);
	uint32_t n;

	signal(SIGXFSZ, SIG_IGN);
	size_limit(256 << 10);
	n = fill(w);
	check_eq(get(w, n), 0);
	check_eq(put(w, n, 2, 9), ERR_OK);
	done(w, 9, ERR_IO);
	size_limit(RLIM_INFINITY);
	check_eq(put(w, n, 3, 10), ERR_OK);
	done(w, 10, ERR_OK);
	check_eq(get(w, n), 3);
	check_eq(get(w, n - 1), 1);
	reg_close(r);
	temp_gone(dir);
}

TEST(a_row_made_out_of_one_that_failed_is_refused)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), 256 << 10);
	struct reg_worker *w = reg_worker(r);
	uint32_t n = fill(w);

	/* Held while the row is read, so that it is still queued then. */
	for (int tries = 0; tries < 1000; tries++) {
		check_eq(put(w, n, 7, 1), ERR_OK);
		if (get(w, n) == 7) {
			done(w, 1, ERR_IO);
			check_eq(put(w, n, 8, 2), ERR_IO);
			check_eq(get(w, n), 0);
			reg_close(r);
			temp_gone(dir);
			return;
		}
		done(w, 1, ERR_IO);
	}
	abort();
}

/* Puts rows 1..40 with a growing version, and says through the pipe which are acknowledged. */
static void acknowledge_until_killed(const char *dir, int to, uint32_t version)
{
	struct reg *r = open_reg(dir, records_room);
	struct reg_worker *w = reg_worker(r);

	for (;; version++) {
		for (uint32_t n = 1; n <= 40; n++)
			check_eq(put(w, n, version, (uint64_t)version << 32 | n), ERR_OK);
		check_eq(reg_put_cursor(w, version, UINT64_MAX), ERR_OK);
		for (int i = 0; i < 41; i++) {
			uint64_t token;

			check_eq(next(w, &token), ERR_OK);
			check_eq(write(to, &token, sizeof token), sizeof token);
		}
	}
}

static uint32_t killed_round(const char *dir, uint32_t version)
{
	uint64_t token, acked[41] = { 0 }, highest = version;
	struct timespec t = { .tv_nsec = 1000000 + (long)(random() % 40) * 1000000 };
	struct reg_worker *w;
	struct reg *r;
	int fd[2];
	pid_t pid;

	check_eq(pipe(fd), 0);
	pid = fork();
	if (pid == 0)
		acknowledge_until_killed(dir, fd[1], version);
	close(fd[1]);
	nanosleep(&t, NULL);
	kill(pid, SIGKILL);
	while (read(fd[0], &token, sizeof token) == sizeof token)
		if (token != UINT64_MAX)
			acked[token & 63] = token >> 32;
	close(fd[0]);
	waitpid(pid, NULL, 0);
	r = open_reg(dir, records_room);
	w = reg_worker(r);
	for (uint32_t n = 1; n <= 40; n++) {
		uint64_t got = get(w, n);

		check(got >= acked[n]);
		/* The cursor is never ahead of the rows before it. */
		check(reg_cursor(w) <= got);
		highest = got > highest ? got : highest;
	}
	reg_close(r);
	return (uint32_t)highest + 1;
}

TEST(what_was_acknowledged_survives_a_kill_at_any_moment)
{
	char dir[TEMP_PATH];
	uint32_t version = 1;

	temp_dir(dir);
	srandom(1);
	for (int i = 0; i < rounds; i++)
		version = killed_round(dir, version);
	check(version > (uint32_t)rounds / 2); /* it did get somewhere before it was killed */
	temp_gone(dir);
}

TEST(a_second_home_and_a_foreign_file_are_refused)
{
	char dir[TEMP_PATH], path[TEMP_PATH + 32];
	struct reg *r = open_reg(temp_dir(dir), records_room), *s;

	check_eq(reg_open(&s, dir, why), ERR_IO);
	check(strstr(why, "another home") != NULL);
	reg_close(r);
	snprintf(path, sizeof path, "%s/registrations/data.mdb", dir);
	temp_write(path, 0, "this is no database", 4096 * 2);
	check_eq(reg_open(&s, dir, why), ERR_CORRUPT);
	temp_gone(dir);
}

/* Make of a file what the first version wrote: rows without a VLR, and its head. */
static void age(const char *dir)
{
	uint64_t zero = 0, head[2] = { REG_MAGIC, REG_ROW_OLD };
	struct reg_row first = row(1, 7);
	MDB_val key = db_u64(&first.imsi), old = { REG_ROW_OLD, &first }, id = db_u64(&zero),
		meta = { sizeof head, head };
	char path[TEMP_PATH + 32];
	MDB_dbi dbi[2];
	MDB_env *env;
	MDB_txn *txn;

	snprintf(path, sizeof path, "%s/registrations", dir);
	check_eq(mdb_env_create(&env), 0);
	check_eq(mdb_env_set_maxdbs(env, 2), 0);
	check_eq(mdb_env_open(env, path, 0, 0600), 0);
	check_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	check_eq(mdb_dbi_open(txn, "rows", MDB_INTEGERKEY, &dbi[0]), 0);
	check_eq(mdb_dbi_open(txn, "meta", MDB_INTEGERKEY, &dbi[1]), 0);
	check_eq(mdb_put(txn, dbi[0], &key, &old, 0), 0);
	check_eq(mdb_put(txn, dbi[1], &id, &meta, 0), 0);
	check_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

TEST(registrations_of_the_first_version_are_kept)
{
	char dir[TEMP_PATH];
	struct reg *r = open_reg(temp_dir(dir), records_room);
	struct reg_worker *w = reg_worker(r);
	struct reg_row out[3], had;

	check_eq(put(w, 2, 9, 1), ERR_OK);
	done(w, 1, ERR_OK);
	reg_close(r);
	age(dir);
	for (int i = 0; i < 2; i++) { /* the second time it is no longer old */
		r = open_reg(dir, records_room);
		w = reg_worker(r);
		check_eq(reg_scan(w, 0, out, 3), 2);
		check_eq(reg_get(w, IMSI(1), &had), ERR_OK);
		check_eq(had.profile_version, 7);
		check(strcmp(had.mme.host, "mme7.example") == 0 && had.vlr.host[0] == 0);
		had.flags |= REG_VLR;
		check_eq(reg_put(w, &had, 2), ERR_OK);
		done(w, 2, ERR_OK);
		reg_close(r);
	}
	temp_gone(dir);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = (int)strtol(argv[1], NULL, 10);
	return test_run((const struct test[]){
		T(a_row_is_seen_at_once_and_durable_when_it_is_acknowledged),
		T(closing_commits_what_is_queued), T(a_full_queue_is_said_and_empties),
		T(the_descriptor_is_quiet_when_nothing_waits),
		T(a_scan_meets_queued_and_durable_rows_in_order),
		T(a_failed_commit_leaves_the_row_as_if_never_put),
		T(registrations_go_on_when_the_disk_has_room_again),
		T(a_row_made_out_of_one_that_failed_is_refused),
		T(what_was_acknowledged_survives_a_kill_at_any_moment),
		T(a_second_home_and_a_foreign_file_are_refused),
		T(registrations_of_the_first_version_are_kept), { NULL, NULL } });
}
