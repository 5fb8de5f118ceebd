/* Roles as processes: a supervisor forks them, hands descriptors down, and hears how they fare. It
 * knows no role by name.
 *
 * Between the two is a socket pair of whole messages (SOCK_SEQPACKET): up go "ready", "failed" with
 * its one line; down go "go", "stop", "reload" with a memory file. A child dies with its parent. */
#pragma once
#include "base/bytes.h"

#include <sys/types.h>

#define CHILD_NAME 32
#define CHILD_TEXT 512
#define CHILD_FDS  8

struct child {
	char name[CHILD_NAME];
	pid_t pid;
	int control;  /* the supervisor's end; readable when the child speaks or is gone; -1: not running */
	int pidfd;    /* readable when it has ended */
	bool ready, stopping; /* for the supervisor to keep */
	char failed[CHILD_TEXT]; /* its last "failed" line, or empty: for the supervisor to keep */
};

enum child_word { CHILD_READY, CHILD_FAILED, CHILD_GO, CHILD_STOP, CHILD_RELOAD, CHILD_GONE };

struct child_message {
	enum child_word word;       /* CHILD_GONE: the other end has closed, or spoke nonsense */
	char text[CHILD_TEXT];      /* of CHILD_FAILED: one line; of CHILD_RELOAD: what for */
	int fds[CHILD_FDS];         /* given to the receiver, who closes them; all CLOEXEC */
	size_t fd_n;
};

/* Fork. The child keeps 0, 1, 2, its end of the control pair and `keep[0..keep_n)`, and closes every
 * other descriptor; ignores SIGINT, SIGQUIT, SIGHUP and SIGPIPE (a terminal's Ctrl-C is for the
 * supervisor), other signals by default, empty mask; dies when the parent's thread does.
 * `body` gets its control end and returns the exit status. ERR_IO with errno. */
enum err MUST_USE child_start(struct child *c, const char *name, const int *keep, size_t keep_n,
			      int (*body)(void *ctx, int control), void *ctx);

/* Send a word, with a text (may be NULL) and descriptors (borrowed). False: the other end is gone or does
 * not read. Never blocks. */
bool child_say(int control, enum child_word word, const char *text, const int *fds, size_t fd_n);

/* The next message, waiting `wait_ms` at most (-1: for ever). ERR_AGAIN: none. */
enum err MUST_USE child_hear(int control, struct child_message *m, int wait_ms);

/* Has it ended? Reaps it then: `end` says how ("exit status 3", "killed by SIGSYS: a system call its
 * sandbox refuses"), `status` is the exit status, or 128 + signal. Closes the child's descriptors. */
bool child_ended(struct child *c, int *status, char end[96]);

/* Wait for the end; after `wait_ms` kill, and wait. As child_ended. */
void child_end(struct child *c, int wait_ms, int *status, char end[96]);

/* A memory file with these bytes, sealed against change; the reader maps or reads it. -1: no room. */
int child_memfd(const char *name, struct view bytes);
/* The whole of a file handed over (malloc'd, NUL added); at most `max` bytes. NULL: too long, unreadable. */
char *child_read(int fd, size_t max, size_t *n);
