/* Handing the pages and event sockets of roles to a watch under another supervisor (watch/door.h). */
#pragma once
#include <stddef.h>

struct lent {
	const char *role;
	int page_fd, event_fd; /* borrowed */
};

/* Keep `*fd` a connection to the socket at `path` over which all of `rows` were handed in. `*fd` is
 * -1 at first; call it about once a second: a watch that was started anew gets them again. Blocks
 * for nothing. */
void lend(int *fd, const char *path, const struct lent *rows, size_t n);
