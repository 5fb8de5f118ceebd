/* Files by their names, and whatever descriptors and shared maps edge was left with. */
#include "compromise/compromise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char path[512], gained[128];
static uint8_t room[4096];

static const char *in_data(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", target.data_dir, name);
	return path;
}

static const char *of_proc(int pid, const char *what)
{
	snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
	return path;
}

#define CALLS \
	ROW("open records.db", SYS_openat, AT_FDCWD, in_data("records.db"), O_RDONLY) \
	ROW("open records.db to write", SYS_open, in_data("records.db"), O_RDWR) \
	ROW("open the vault", SYS_openat, AT_FDCWD, in_data("vault-auc/data.mdb"), O_RDONLY) \
	ROW("open master.key", SYS_openat, AT_FDCWD, in_data("master.key"), O_RDONLY) \
	ROW("open serving.mdb to write", SYS_openat, AT_FDCWD, in_data("serving.mdb"), O_RDWR) \
	ROW("open serving.mdb-lock", SYS_openat, AT_FDCWD, in_data("serving.mdb-lock"), O_RDWR) \
	ROW("open its own sightings", SYS_openat, AT_FDCWD, in_data("sightings.0"), O_RDONLY) \
	ROW("open /etc/passwd", SYS_open, "/etc/passwd", O_RDONLY) \
	ROW("open a directory", SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY) \
	ROW("openat2", SYS_openat2, AT_FDCWD, "/etc/passwd", room, 24) \
	ROW("open_by_handle_at", SYS_open_by_handle_at, AT_FDCWD, room, O_RDONLY) \
	ROW("create a file", SYS_openat, AT_FDCWD, "/tmp/merlon-attack", O_RDWR | O_CREAT, 0600) \
	ROW("creat", SYS_creat, "/tmp/merlon-attack", 0600) \
	ROW("a file without a name", SYS_openat, AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600) \
	ROW("open own memory", SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR) \
	ROW("open home's memory", SYS_openat, AT_FDCWD, of_proc(target.home, "mem"), O_RDONLY) \
	ROW("open signer's memory", SYS_open, of_proc(target.signer, "mem"), O_RDWR) \
	ROW("open keeper's environ", SYS_open, of_proc(target.keeper, "environ"), O_RDONLY) \
	ROW("open own descriptor again", SYS_open, "/proc/self/fd/3", O_RDWR) \
	ROW("open a device", SYS_open, "/dev/mem", O_RDWR) \
	ROW("stat master.key", SYS_newfstatat, AT_FDCWD, in_data("master.key"), room, 0) \
	ROW("statx /etc/shadow", SYS_statx, AT_FDCWD, "/etc/shadow", 0, 0xfff, room) \
	ROW("stat", SYS_stat, "/etc/shadow", room) \
	ROW("access", SYS_access, "/etc/shadow", 0) \
	ROW("readlink", SYS_readlink, "/proc/self/exe", room, 100) \
	ROW("unlink serving.mdb", SYS_unlink, in_data("serving.mdb")) \
	ROW("unlinkat keeper.sock", SYS_unlinkat, AT_FDCWD, in_data("keeper.sock"), 0) \
	ROW("rename records.db", SYS_rename, in_data("records.db"), "/tmp/merlon-attack") \
	ROW("renameat2", SYS_renameat2, AT_FDCWD, in_data("sqn"), AT_FDCWD, "/tmp/x", 0) \
	ROW("link", SYS_link, in_data("sqn"), "/tmp/merlon-attack") \
	ROW("symlink", SYS_symlink, "/etc/passwd", "/tmp/merlon-attack") \
	ROW("mkdir", SYS_mkdir, "/tmp/merlon-attack", 0700) \
	ROW("rmdir", SYS_rmdir, in_data("spool")) \
	ROW("mknod", SYS_mknod, "/tmp/merlon-attack", S_IFCHR | 0600, 0x101) \
	ROW("truncate", SYS_truncate, in_data("records.db"), 0) \
	ROW("chmod", SYS_chmod, in_data("master.key"), 0666) \
	ROW("chown", SYS_chown, in_data("master.key"), 61187, 61187) \
	ROW("utimensat", SYS_utimensat, AT_FDCWD, in_data("sqn"), 0, 0) \
	ROW("setxattr", SYS_setxattr, in_data("sqn"), "user.x", "x", 1, 0) \
	ROW("inotify_init1", SYS_inotify_init1, 0) \
	ROW("fanotify_init", SYS_fanotify_init, 0, 0) \
	ROW("chdir", SYS_chdir, "/") \
	ROW("getcwd", SYS_getcwd, room, 100)

#include "compromise/calls.inc"

/* --- descriptors -------------------------------------------------------------------------------- */

static const char *say(const char *what, int fd)
{
	snprintf(gained, sizeof gained, "%s descriptor %d", what, fd);
	return gained;
}

static bool mine(const struct stat *st)
{
	return st->st_ino == target.own[0] || st->st_ino == target.own[1];
}

/* A regular file, or one in memory, that is not its own: nothing about it may change, nor be held up. */
static const char *on_file(int fd, const struct stat *st)
{
	static const struct flock lock = { .l_type = F_WRLCK };
	void *map;

	if (TRY(SYS_pwrite64, fd, room, 0, 0) >= 0)
		return say("could write to", fd);
	if (TRY(SYS_ftruncate, fd, st->st_size) == 0)
		return say("could cut", fd);
	if (TRY(SYS_fallocate, fd, 3, 0, 4096) == 0)
		return say("could punch a hole into", fd);
	if (TRY(SYS_fchmod, fd, 0666) == 0 || TRY(SYS_fchown, fd, getuid(), getgid()) == 0)
		return say("could take over", fd);
	if (TRY(SYS_flock, fd, LOCK_EX | LOCK_NB) == 0 || TRY(SYS_fcntl, fd, F_SETLK, &lock) == 0 ||
	    TRY(SYS_fcntl, fd, F_OFD_SETLK, &lock) == 0 || TRY(SYS_fcntl, fd, F_SETLEASE, F_RDLCK) == 0)
		return say("could lock", fd);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return map != MAP_FAILED ? say("could map for writing", fd) : NULL;
}

static const char *every_descriptor(void)
{
	const char *hole = NULL;
	struct stat st;
	int files = 0, n = 0;

	for (int fd = 0; fd < 65536 && !hole; fd++) {
		if (TRY(SYS_fstat, fd, &st) != 0)
			continue;
		n++;
		if (S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
			return say("holds a directory or a disk as", fd);
		if (!S_ISREG(st.st_mode) || mine(&st))
			continue;
		files++;
		hole = on_file(fd, &st);
	}
	if (!hole && (n < 8 || files == 0))
		return "the search found no descriptors";
	errno = EBADF;
	return hole;
}

static const char *grow_its_own_file(void)
{
	struct stat st;
	int found = 0;

	for (int fd = 3; fd < 1024; fd++) {
		if (TRY(SYS_fstat, fd, &st) != 0 || !S_ISREG(st.st_mode) || !mine(&st))
			continue;
		found++;
		if (TRY(SYS_ftruncate, fd, 1l << 40) == 0 || TRY(SYS_pwrite64, fd, room, 1, 1l << 40) > 0)
			return say("could fill the disk with", fd);
	}
	return found ? NULL : "it has no file of its own";
}

/* The serving copy, read through a map: found where memory is readable but not writable. */
static const char *write_the_serving_copy(void)
{
	struct stat st;
	void *map;
	int tried = 0;

	for (int fd = 3; fd < 1024; fd++) {
		if (TRY(SYS_fstat, fd, &st) != 0 || !S_ISREG(st.st_mode) || mine(&st))
			continue;
		map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			continue;
		tried++;
		if (TRY(SYS_mprotect, map, 8192, PROT_READ | PROT_WRITE) == 0)
			return say("could make writable what maps", fd);
		if (TRY(SYS_madvise, map, 8192, 9 /* MADV_REMOVE */) == 0)
			return say("could remove pages of", fd);
		munmap(map, 8192);
	}
	errno = EACCES;
	return tried ? NULL : "it holds no map of the serving copy";
}

const struct attack attacks_on_files[] = {
#define ROW(name, ...) { name, in_turn },
	CALLS
#undef ROW
	{ "every descriptor it has", every_descriptor },
	{ "fill the disk through its own file", grow_its_own_file },
	{ "scribble over the serving copy", write_the_serving_copy },
	{ NULL, NULL },
};
