#include "watch/door.h"

#include "base/log.h"
#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define GUEST_MAX 8
#define ROLE_NAME 16
#define LOCAL	  -1 /* a row of our own supervisor's: nobody else may have it */
#define NOBODY	  -2

struct door {
	struct door_conf conf;
	int fd, guest[GUEST_MAX]; /* connections; -1: none */
	uid_t uid[GUEST_MAX];
	int of[WATCH_ROLE_MAX]; /* which guest's a row is */
	char name[WATCH_ROLE_MAX][ROLE_NAME];
};

/* Rows are read by the thread that makes the pages: taken away before they are unmapped. */
static void empty(struct door *d, size_t i)
{
	struct watch_role *r = &d->conf.roles->role[i];
	void *page = (void *)(uintptr_t)r->page;
	int fd = r->events_fd;

	d->conf.events(d->conf.ctx, fd); /* what it said last */
	loop_unwatch(d->conf.loop, fd);
	pthread_mutex_lock(d->conf.lock);
	r->page = NULL;
	r->events_fd = -1;
	pthread_mutex_unlock(d->conf.lock);
	munmap(page, sizeof *r->page);
	close(fd);
	d->of[i] = NOBODY;
}

static void leave(struct door *d, int guest)
{
	for (size_t i = 0; i < d->conf.roles->role_n; i++) {
		if (d->of[i] == guest)
			empty(d, i);
	}
	loop_unwatch(d->conf.loop, d->guest[guest]);
	close(d->guest[guest]);
	d->guest[guest] = -1;
}

/* A page that could be cut short would be a bus error later. */
static const struct role_page *map_page(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) != 0 ||
	    st.st_size != (off_t)sizeof(struct role_page))
		return NULL;
	p = mmap(NULL, sizeof(struct role_page), PROT_READ, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static bool is_datagram(int fd)
{
	int type = 0;
	socklen_t n = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_DGRAM;
}

/* The row of that name, or a new one; -1: it is another's, the name is none, or there is no room. */
static int row_for(struct door *d, int guest, const char *name)
{
	struct watch_conf *c = d->conf.roles;
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = 0; i < c->role_n; i++) {
		if (strcmp(c->role[i].name, name) != 0)
			continue;
		if (d->of[i] >= 0 && d->uid[d->of[i]] == d->uid[guest])
			empty(d, i); /* started anew before its old connection was seen to end */
		return d->of[i] == NOBODY ? (int)i : -1;
	}
	if (n == 0 || name[n] || n >= ROLE_NAME || c->role_n == WATCH_ROLE_MAX)
		return -1;
	snprintf(d->name[c->role_n], ROLE_NAME, "%.15s", name);
	pthread_mutex_lock(d->conf.lock);
	c->role[c->role_n] = (struct watch_role){d->name[c->role_n], NULL, -1};
	d->of[c->role_n] = NOBODY;
	c->role_n++;
	pthread_mutex_unlock(d->conf.lock);
	return (int)c->role_n - 1;
}

static bool take(struct door *d, int guest, const struct child_message *m)
{
	const struct role_page *page;
	struct watch_role *r;
	int i;

	if (m->word != CHILD_READY || m->fd_n != 2 || !is_datagram(m->fds[1]))
		return false;
	page = map_page(m->fds[0]);
	i = page ? row_for(d, guest, m->text) : -1;
	if (i < 0 || loop_watch(d->conf.loop, m->fds[1], d->conf.events, d->conf.ctx) != ERR_OK) {
		if (page)
			munmap((void *)(uintptr_t)page, sizeof *page);
		return false;
	}
	r = &d->conf.roles->role[i];
	pthread_mutex_lock(d->conf.lock);
	r->page = page;
	r->events_fd = m->fds[1];
	pthread_mutex_unlock(d->conf.lock);
	d->of[i] = guest;
	close(m->fds[0]);
	return true;
}

static void hear(void *ctx, int fd)
{
	struct door *d = ctx;
	struct child_message m;
	int guest = 0;

	while (guest < GUEST_MAX && d->guest[guest] != fd)
		guest++;
	if (guest == GUEST_MAX || child_hear(fd, &m, 0) != ERR_OK || take(d, guest, &m))
		return;
	if (m.word != CHILD_GONE)
		LOG(LOG_ERROR, "watch.role_refused", kv_text("name", m.text),
		    kv_num("uid", d->uid[guest]));
	for (size_t i = 0; i < m.fd_n; i++)
		close(m.fds[i]);
	leave(d, guest);
}

static bool welcome(const struct door *d, uid_t uid)
{
	bool known = uid == 0 || uid == geteuid();

	for (size_t i = 0; i < d->conf.uid_n; i++)
		known |= d->conf.uid[i] == uid;
	return known;
}

static void enter(void *ctx, int listening)
{
	struct door *d = ctx;
	struct ucred who = {0};
	socklen_t n = sizeof who;
	int guest = 0, fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	while (guest < GUEST_MAX && d->guest[guest] >= 0)
		guest++;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || !welcome(d, who.uid) ||
	    guest == GUEST_MAX || loop_watch(d->conf.loop, fd, hear, d) != ERR_OK) {
		close(fd);
		return;
	}
	d->guest[guest] = fd;
	d->uid[guest] = who.uid;
}

static enum err listen_at(struct door *d, char why[256])
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (!view_text(view_of(d->conf.path), to.sun_path, sizeof to.sun_path)) {
		snprintf(why, 256, "watch.socket: %.180s: too long for a socket", d->conf.path);
		return ERR_CONFIG;
	}
	d->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unlink(to.sun_path);
	/* Who comes in is told by the kernel (welcome), so the file may be open to all. */
	if (d->fd < 0 || bind(d->fd, (struct sockaddr *)&to, sizeof to) != 0 ||
	    chmod(to.sun_path, 0666) != 0 || listen(d->fd, 16) != 0) {
		snprintf(why, 256, "watch.socket: %.180s: %s", to.sun_path, strerror(errno));
		return ERR_IO;
	}
	return loop_watch(d->conf.loop, d->fd, enter, d);
}

enum err door_open(struct door **out, const struct door_conf *conf, char why[256])
{
	struct door *d = calloc(1, sizeof *d);
	enum err err;

	*out = NULL;
	if (!d) {
		snprintf(why, 256, "watch: out of memory");
		return ERR_FULL;
	}
	d->conf = *conf;
	d->fd = -1;
	for (size_t i = 0; i < GUEST_MAX; i++)
		d->guest[i] = -1;
	for (size_t i = 0; i < WATCH_ROLE_MAX; i++)
		d->of[i] = i < conf->roles->role_n && conf->roles->role[i].page ? LOCAL : NOBODY;
	err = listen_at(d, why);
	if (err) {
		door_close(d);
		return err;
	}
	*out = d;
	return ERR_OK;
}

void door_close(struct door *d)
{
	if (!d)
		return;
	for (int i = 0; i < GUEST_MAX; i++) {
		if (d->guest[i] >= 0)
			leave(d, i);
	}
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}
