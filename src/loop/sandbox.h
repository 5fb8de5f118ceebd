/* What a role may do once it serves: its own uid, no new privileges, no files (landlock), few system
 * calls (seccomp). Called after everything is open; there is no way back. */
#pragma once
#include "base/bytes.h"

struct sandbox {
	const char *user;        /* changed to when root; NULL = stay */
	const char *write_dir;   /* may open files below it, read and write; NULL = none */
	const char *read_dir;    /* may open files below it, read only; NULL = none */
	bool network;            /* may make sockets and connect; an accepted connection needs none of it */
	bool threads;            /* may make threads */
};

/* ERR_REFUSED with the reason in `why` when the kernel lacks something that was asked for;
 * `degraded` is set when a lesser kernel forced less (landlock missing, not root), and says what. */
enum err MUST_USE sandbox_enter(const struct sandbox *s, char degraded[128], char why[256]);
