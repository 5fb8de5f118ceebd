#include "records/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 20

enum err hold_file(const char *path, int *fd)
{
	const struct timespec nap = { .tv_nsec = LOOK_MS * 1000000 };

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return ERR_IO;
	for (int waited = 0; flock(*fd, LOCK_EX | LOCK_NB) != 0; waited += LOOK_MS) {
		if (errno == EWOULDBLOCK && waited < HOLD_MS) {
			nanosleep(&nap, NULL);
			continue;
		}
		close(*fd);
		*fd = -1;
		return errno == EWOULDBLOCK ? ERR_EXISTS : ERR_IO;
	}
	return ERR_OK;
}
