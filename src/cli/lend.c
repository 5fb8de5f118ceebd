#include "cli/lend.h"

#include "loop/child.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Watch says nothing: what can be read is the end. */
static bool ended(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void lend(int *fd, const char *path, const struct lent *rows, size_t n)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	bool ok;

	if (*fd >= 0 && !ended(*fd))
		return;
	if (*fd >= 0)
		close(*fd);
	*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ok = *fd >= 0 && view_text(view_of(path), to.sun_path, sizeof to.sun_path) &&
	     connect(*fd, (const struct sockaddr *)&to, sizeof to) == 0;
	for (size_t i = 0; i < n && ok; i++) {
		int fds[2] = {rows[i].page_fd, rows[i].event_fd};

		ok = child_say(*fd, CHILD_READY, rows[i].role, fds, 2);
	}
	if (ok || *fd < 0)
		return;
	close(*fd);
	*fd = -1;
}
