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
	bool dials_only;         /* of network: TCP, to `port`s where landlock can say so; no listening */
	bool sctp;               /* of dials_only: SCTP too, the kernel's */
	const uint16_t *port;
	size_t port_n;
	uint64_t file_max;       /* bytes a file may grow to; 0 = any */
	uint64_t data_max;       /* bytes of memory of its own; 0 = any */
	uint32_t thread_max;     /* threads of its user, where that was changed; 0 = any */
	bool first_to_go;        /* when memory runs out, the system ends it before others */
};

/* ERR_REFUSED with the reason in `why` when the kernel lacks something that was asked for;
 * `degraded` is set when a lesser kernel forced less (landlock missing, not root), and says what. */
enum err MUST_USE sandbox_enter(const struct sandbox *s, char degraded[128], char why[256]);
