/* The door: where the supervisors of roles that watch's own did not start hand in the page and the
 * event socket of each (cli/lend.c). A whole message a role: CHILD_READY, its name, two descriptors.
 * What came over a connection is given back when it ends; the role is then not ready. */
#pragma once
#include "loop/loop.h"
#include "watch/watch.h"

#include <pthread.h>

struct door;

struct door_conf {
	const char *path;	 /* of the socket, SOCK_SEQPACKET; made anew */
	const uid_t *uid;	 /* whose processes may come in, besides root's and our own user's */
	size_t uid_n;
	struct watch_conf *roles; /* borrowed: rows are filled, added and emptied here */
	pthread_mutex_t *lock;	  /* held while a row changes: pages are read by another thread */
	struct loop *loop;
	void (*events)(void *ctx, int fd); /* an event socket has something to read */
	void *ctx;
};

/* ERR_IO with one clear line. Everything else happens on the loop's thread. */
enum err MUST_USE door_open(struct door **d, const struct door_conf *conf, char why[256]);
void door_close(struct door *d); /* NULL is fine */
