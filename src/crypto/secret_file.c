#include "crypto/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *mode_fault(const struct stat *st)
{
	mode_t mode = st->st_mode & 07777;

	if (!S_ISREG(st->st_mode))
		return "is not a plain file";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "belongs to another user";
	if (mode != 0600 && mode != 0400)
		return "must be readable by its owner alone (chmod 0400)";
	return NULL;
}

const char *secret_file_open(const char *path, int *fd)
{
	struct stat st;
	const char *fault;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*fd < 0)
		return strerror(errno);
	fault = fstat(*fd, &st) ? strerror(errno) : mode_fault(&st);
	if (!fault)
		return NULL;
	close(*fd);
	*fd = -1;
	return fault;
}

bool secret_file_settle(const char *path)
{
	char copy[PATH_MAX];
	int fd;
	bool ok;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return false;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

enum err secret_file_make(const char *path, struct view text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400), was;
	bool ok;

	if (fd < 0)
		return errno == EEXIST ? ERR_EXISTS : ERR_IO;
	ok = fchmod(fd, 0400) == 0 && write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0 &&
	     secret_file_settle(path);
	was = errno;
	close(fd);
	if (ok)
		return ERR_OK;
	unlink(path);
	errno = was;
	return ERR_IO;
}
