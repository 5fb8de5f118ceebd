/* merlon backup and restore: everything that cannot be made again, copied whole while it runs. */
#include "cli/cli.h"
#include "cli/reach.h"
#include "records/equip_set.h"
#include "records/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What each home keeps, as LMDB environments and a small file; and files of the whole. The serving
 * copy is made anew from the records; a master key is kept apart from what it protects. */
static const char *const stores[] = {"vault-auc", "registrations"};
static const char *const files[] = {"records.db", "keeper.key", "journal.head", "site.key"};

#define HOME_MAX 16 /* the common home, and those of partitions (R-5.1.i) */

#define N(a) (sizeof(a) / sizeof *(a))

static int complain(const char *what, const char *path, const char *why)
{
	fprintf(stderr, "merlon: %s %s: %s\n", what, path, why);
	return EXIT_FAILED;
}

/* LMDB copies a state that was committed whole, whatever its writer does meanwhile. */
static int copy_store(const char *from, const char *to)
{
	MDB_env *env = NULL;
	int rc = mdb_env_create(&env);

	if (rc == 0)
		rc = mdb_env_set_maxdbs(env, 16);
	if (rc == 0)
		rc = mdb_env_open(env, from, MDB_RDONLY, 0600);
	if (rc == 0 && mkdir(to, 0700) != 0 && errno != EEXIST)
		rc = errno;
	if (rc == 0)
		rc = mdb_env_copy2(env, to, MDB_CP_COMPACT);
	if (env)
		mdb_env_close(env);
	return rc ? complain("cannot copy", from, mdb_strerror(rc)) : EXIT_DONE;
}

static int copy_bytes(int in, int out)
{
	char block[65536];
	ssize_t n;

	while ((n = read(in, block, sizeof block)) > 0) {
		if (write(out, block, (size_t)n) != n)
			return -1;
	}
	return n < 0 ? -1 : fsync(out);
}

static int copy_file(const char *from, const char *to, bool must)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out, rc;

	if (in < 0)
		return must ? complain("cannot read", from, strerror(errno)) : EXIT_DONE;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = out < 0 ? -1 : copy_bytes(in, out);
	close(in);
	if (out >= 0 && close(out) != 0)
		rc = -1;
	return rc == 0 ? EXIT_DONE : complain("cannot write", to, strerror(errno));
}

static void join(char path[1024], const char *dir, const char *name)
{
	snprintf(path, 1024, "%.700s/%.100s", dir, name);
}

/* The keeper writes its own copy into data_dir/backup/NAME; it is moved out from there. */
static int copy_records(struct reach *r, const char *to)
{
	static const char *const mine[] = {"records.db", "keeper.key", "journal.head"};
	char name[64], dir[1024], a[1024], b[1024];
	struct keep req = {.op = KEEP_BACKUP}, rep;
	int code;

	snprintf(name, sizeof name, "b%lld.%d", (long long)time(NULL), getpid());
	keep_put_text(&req, KEEP_NAME, view_of(name));
	code = reach_call(r, "backup", &req, &rep);
	snprintf(dir, sizeof dir, "%s/backup/%s", r->conf.data_dir, name);
	for (size_t i = 0; i < N(mine) && code == EXIT_DONE; i++) {
		join(a, dir, mine[i]);
		join(b, to, mine[i]);
		code = copy_file(a, b, i < 2);
		unlink(a);
	}
	rmdir(dir);
	return code;
}

/* Where a home's stores lie below a data directory, or a backup. */
static void home_dir(char path[1024], const char *dir, unsigned int partition)
{
	char name[32];

	snprintf(name, sizeof name, partition ? "partition-%u" : ".", partition);
	join(path, dir, name);
}

static int backup_home(const char *from, const char *to)
{
	char a[1024], b[1024];
	int code = EXIT_DONE;

	if (mkdir(to, 0700) != 0 && errno != EEXIST)
		return complain("cannot make", to, strerror(errno));
	for (size_t i = 0; i < N(stores) && code == EXIT_DONE; i++) {
		join(a, from, stores[i]);
		join(b, to, stores[i]);
		code = access(a, F_OK) == 0 ? copy_store(a, b) : EXIT_DONE;
	}
	join(a, from, "sqn");
	join(b, to, "sqn");
	return code == EXIT_DONE ? copy_file(a, b, false) : code;
}

static int clear_lists(const char *dir)
{
	char path[1024];
	const struct dirent *e;
	int code = EXIT_DONE;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		join(path, dir, e->d_name);
		if (e->d_name[0] != '.' && unlink(path) != 0)
			code = complain("cannot remove", path, strerror(errno));
	}
	if (d)
		closedir(d);
	return code;
}

/* The generations of bulk equipment lists from one data directory to another, in place of those that are
 * there: the records say which of them counts. */
static int copy_lists(const char *from, const char *to)
{
	char a[1024], b[1024], path[1024];
	const struct dirent *e;
	int code;
	DIR *d;

	join(b, to, EQUIP_DIR);
	code = clear_lists(b);
	join(a, from, EQUIP_DIR);
	d = code == EXIT_DONE ? opendir(a) : NULL;
	while (d && code == EXIT_DONE && (e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (n < 6 || strcmp(e->d_name + n - 6, ".lists") != 0)
			continue;
		join(path, a, e->d_name);
		join(b, to, EQUIP_DIR);
		if (mkdir(b, 0750) != 0 && errno != EEXIST) {
			code = complain("cannot make", b, strerror(errno));
			break;
		}
		snprintf(b + strlen(b), sizeof b - strlen(b), "/%.100s", e->d_name);
		code = copy_file(path, b, false); /* the oldest may just have been removed */
		if (code == EXIT_DONE && chmod(b, 0640) != 0 && errno != ENOENT)
			code = complain("cannot write", b, strerror(errno));
	}
	if (d)
		closedir(d);
	return code;
}

static int backup_to(struct reach *r, const char *to)
{
	char a[1024], b[1024];
	int code;

	if (mkdir(to, 0700) != 0)
		return complain("cannot make", to, strerror(errno));
	code = copy_records(r, to);
	if (code == EXIT_DONE)
		code = copy_lists(r->conf.data_dir, to);
	for (unsigned int p = 0; p < HOME_MAX && code == EXIT_DONE; p++) {
		home_dir(a, r->conf.data_dir, p);
		home_dir(b, to, p);
		code = access(a, F_OK) == 0 ? backup_home(a, b) : EXIT_DONE;
	}
	for (size_t i = 3; i < N(files) && code == EXIT_DONE; i++) {
		join(a, r->conf.data_dir, files[i]);
		join(b, to, files[i]);
		code = copy_file(a, b, false);
	}
	return code;
}

int cmd_backup(int argc, char **argv)
{
	static const struct command me = {"backup", "backup DIRECTORY",
					  "Copy records, vault and registrations into a new "
					  "directory, consistent, while everything runs.\n"
					  "The vault's master key is not part of it: keep a copy "
					  "of that file elsewhere, under lock and key.",
					  cmd_backup};
	struct reach r = {0};
	const struct arg row[] = {REACH_ARGS(r)};
	int code, n = args_read(&me, row, N(row), argc, argv, &code);

	if (n < 0)
		return code;
	if (n != 1) {
		fprintf(stderr, "merlon backup: name a new directory; see merlon backup --help\n");
		return EXIT_USAGE;
	}
	code = reach_open(&r, me.name, true);
	if (code == EXIT_DONE)
		code = backup_to(&r, argv[0]);
	reach_close(&r);
	if (code == EXIT_DONE)
		printf(r.json ? "{\"path\":\"%s\"}\n"
			      : "backup is in %s (without the master key)\n",
		       argv[0]);
	return code;
}

static bool runs(const struct reach *r)
{
	char path[1024], why[256];
	struct client *c = NULL;

	join(path, r->conf.data_dir, "keeper.sock");
	if (client_open(&c, path, why) != ERR_OK)
		return false;
	client_close(c);
	return true;
}

static int restore_home(const char *from, const char *to)
{
	char a[1024], b[1024];
	int code;

	if (mkdir(to, 0755) != 0 && errno != EEXIST)
		return complain("cannot make", to, strerror(errno));
	join(a, from, "sqn");
	join(b, to, "sqn");
	code = copy_file(a, b, false);
	for (size_t i = 0; i < N(stores) && code == EXIT_DONE; i++) {
		join(a, from, stores[i]);
		join(b, to, stores[i]);
		if (access(a, F_OK) != 0)
			continue;
		if (mkdir(b, 0700) != 0 && errno != EEXIST)
			return complain("cannot make", b, strerror(errno));
		snprintf(a, sizeof a, "%.700s/%s/data.mdb", from, stores[i]);
		snprintf(b, sizeof b, "%.700s/%s/data.mdb", to, stores[i]);
		code = copy_file(a, b, true);
	}
	return code;
}

static int restore_from(const struct reach *r, const char *from)
{
	static const char *const derived[] = {"serving.mdb", "serving.mdb-lock", "serving.page",
					      "records.db-wal", "records.db-shm"};
	char a[1024], b[1024], why[256];
	int code = EXIT_DONE;

	if (mkdir(r->conf.data_dir, 0755) != 0 && errno != EEXIST)
		return complain("cannot make", r->conf.data_dir, strerror(errno));
	for (size_t i = 0; i < N(derived); i++) {
		join(a, r->conf.data_dir, derived[i]);
		if (unlink(a) != 0 && errno != ENOENT)
			return complain("cannot remove", a, strerror(errno));
	}
	for (size_t i = 0; i < N(files) && code == EXIT_DONE; i++) {
		join(a, from, files[i]);
		join(b, r->conf.data_dir, files[i]);
		code = copy_file(a, b, i == 0);
	}
	if (code == EXIT_DONE)
		code = copy_lists(from, r->conf.data_dir);
	for (unsigned int p = 0; p < HOME_MAX && code == EXIT_DONE; p++) {
		home_dir(a, from, p);
		home_dir(b, r->conf.data_dir, p);
		if (access(a, F_OK) != 0)
			continue;
		code = restore_home(a, b);
		/* Registrations made since the backup are lost: home asks for them again, by RSR
		 * (TS 29.272 §5.2.4.1). */
		if (code == EXIT_DONE && spool_reset(b, why) != ERR_OK)
			code = complain("cannot restore", b, why);
	}
	return code;
}

int cmd_restore(int argc, char **argv)
{
	static const struct command me = {
	    "restore", "restore DIRECTORY [--yes]",
	    "Put a backup back in place of the data directory's records, vault and registrations. "
	    "Merlon must not\n"
	    "run. The master key must be the one that the backup's vault was made with.",
	    cmd_restore};
	struct reach r = {0};
	bool yes = false;
	const struct arg row[] = {
	    REACH_ARGS(r), {"--yes", ARG_FLAG, &yes, "", "overwrite records that are there", 0, 0}};
	char path[1024];
	int code, n = args_read(&me, row, N(row), argc, argv, &code);

	if (n < 0)
		return code;
	if (n != 1) {
		fprintf(stderr, "merlon restore: name a backup; see merlon restore --help\n");
		return EXIT_USAGE;
	}
	code = reach_open(&r, me.name, false);
	if (code != EXIT_DONE)
		return code;
	join(path, r.conf.data_dir, "records.db");
	if (runs(&r))
		return complain("cannot restore", r.conf.data_dir,
				"merlon is running; stop it first");
	if (access(path, F_OK) == 0 && !yes)
		return complain("will not overwrite", path, "say --yes");
	code = restore_from(&r, argv[0]);
	if (code == EXIT_DONE)
		printf("restored from %s\n", argv[0]);
	return code;
}
