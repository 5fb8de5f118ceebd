/* The wake-up: clock, events, frames in one batch, writes, the dead, timers. */
#include "loop/inside.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define EVENTS   256
#define SLOT_MAX 65536u
#define SWEEP_MS 100
#define BACKLOG  1024
#define GATHER_ROUNDS 4  /* looks for more input before what is ready is written */
#define GATHER_PER_MS 10 /* frames: from here on a pause before the next look saves more than it delays */
#define GATHER_US     100
#define GATHER_FRAMES 64 /* no further look beyond so many: they have waited long enough */
#define DESCRIPTORS 512 /* of a process beside those of connections */

static uint64_t clock_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void loop_clock(struct loop *l)
{
	l->now_ms = clock_ms(CLOCK_MONOTONIC);
	l->wall_ms = clock_ms(CLOCK_REALTIME);
}

uint64_t loop_now(const struct loop *l)
{
	return l->now_ms;
}

uint64_t loop_wall(const struct loop *l)
{
	return l->wall_ms;
}

enum err loop_source(struct loop *l, int fd, struct source *s, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = s };

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) ? ERR_IO : ERR_OK;
}

static void woken(struct source *s, uint32_t events)
{
	struct loop *l = (struct loop *)s;
	uint64_t n;

	(void)events;
	(void)!read(l->wake_fd, &n, sizeof n);
}

static bool room(struct loop *l)
{
	uint32_t want = l->limits.conn_max + DIAL_MAX + ACCEPT_MAX; /* the last: cut, not yet reaped */

	l->slot_max = want < SLOT_MAX ? want : SLOT_MAX;
	l->slots = calloc(l->slot_max, sizeof *l->slots);
	l->gens = calloc(l->slot_max, sizeof *l->gens);
	l->free_ring = calloc(l->slot_max, sizeof *l->free_ring);
	if (!l->slots || !l->gens || !l->free_ring)
		return false;
	for (uint32_t i = 0; i < l->slot_max; i++)
		l->free_ring[i] = i;
	l->free_n = l->slot_max;
	return true;
}

/* Descriptors for every connection of every loop, as far as the hard limit goes: beyond it they are
 * closed as they come. */
static void want_descriptors(uint32_t n)
{
	static _Atomic uint32_t all;
	rlim_t want = atomic_fetch_add(&all, n) + n;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur >= want)
		return;
	r.rlim_cur = want < r.rlim_max ? want : r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

struct loop *loop_new(const struct loop_limits *limits)
{
	struct loop *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes by write(2) */
	l->limits = *limits;
	l->lobby.epoll = -1;
	want_descriptors(limits->conn_max + DESCRIPTORS);
	l->wake.ready = woken;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->spare_fd = eventfd(0, EFD_CLOEXEC);
	if (l->epoll < 0 || l->wake_fd < 0 || l->spare_fd < 0 || !room(l) ||
	    !lobby_open(l) || !crowd_open(l) || loop_source(l, l->wake_fd, &l->wake, EPOLLIN)) {
		loop_free(l);
		return NULL;
	}
	loop_clock(l);
	return l;
}

static void unlisten(struct loop *l)
{
	struct listener *s;

	while ((s = l->listeners)) {
		l->listeners = s->next;
		if (s->session)
			sctp_usr_unlisten(s);
		if (s->fd >= 0)
			close(s->fd);
		free(s);
	}
}

static void close_all(struct loop *l, bool now)
{
	for (uint32_t i = 0; i < l->slot_max && l->conn_n > 0; i++)
		if (l->slots && l->slots[i]) {
			if (now)
				conn_fail(l->slots[i], "stopped");
			else
				conn_close(l->slots[i]);
		}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	l->stopping = true;
	close_all(l, true);
	conn_flush_all(l);
	conn_reap(l);
	unlisten(l);
	sctp_usr_free(l);
	crowd_close(l);
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	free(l->slots);
	free(l->gens);
	free(l->free_ring);
	free(l);
}

/* --- listening ------------------------------------------------------------------------------ */

/* Out of descriptors: epoll would tell of the waiting connection for ever. Take it with the spare
 * one, and close it. */
static void accept_spare(struct loop *l, int listen_fd)
{
	close(l->spare_fd);
	l->spare_fd = accept(listen_fd, NULL, NULL);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	l->spare_fd = eventfd(0, EFD_CLOEXEC);
	conn_count(CUT_LIMIT);
}

static bool accept_one(struct listener *s)
{
	struct sockaddr_storage peer = { 0 }, own = { 0 };
	socklen_t peer_n = sizeof peer, own_n = sizeof own;
	int fd = accept4(s->fd, (struct sockaddr *)&peer, &peer_n, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
	struct conn *c;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			accept_spare(s->loop, s->fd);
		return errno != EAGAIN;
	}
	c = crowd_new(s->loop, s->ops, s->ctx, (struct sockaddr *)&peer);
	if (!c) {
		close(fd);
		return true;
	}
	if (s->link != LINK_SCTP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	getsockname(fd, (struct sockaddr *)&own, &own_n);
	c->via = s->via;
	c->tls = s->tls;
	c->link = s->link;
	c->fd = fd;
	conn_names(c, (struct sockaddr *)&peer, (struct sockaddr *)&own);
	conn_start(c);
	return true;
}

static void acceptable(struct source *source, uint32_t events)
{
	struct listener *s = (struct listener *)source;

	(void)events;
	for (int i = 0; i < ACCEPT_MAX && lobby_time(s->loop) && accept_one(s); i++)
		;
}

enum err listen_fd(struct loop *l, int fd, const struct listener *like)
{
	struct listener *s = calloc(1, sizeof *s);
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };

	if (!s)
		return ERR_FULL;
	*s = *like;
	s->source.ready = acceptable;
	s->loop = l;
	s->fd = fd;
	if (epoll_ctl(l->lobby.epoll, EPOLL_CTL_ADD, fd, &e)) {
		free(s);
		return ERR_IO;
	}
	s->next = l->listeners;
	l->listeners = s;
	return ERR_OK;
}

int listen_tcp(const struct endpoint *e, bool reuse)
{
	struct sockaddr_storage at;
	socklen_t n = endpoint_sockaddr(e, &at);
	int on = 1, fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (reuse)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (at.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&at, n) || listen(fd, BACKLOG)) {
		on = errno;
		close(fd);
		errno = on;
		return -1;
	}
	return fd;
}

enum err loop_listen(struct loop *l, const struct endpoint *e, struct tls *tls, bool reuse,
		     const struct conn_ops *ops, void *ctx, char why[256])
{
	struct listener like = { .tls = tls, .ops = ops, .ctx = ctx, .link = e->link, .fd = -1,
				 .reuse = reuse,
				 .via = e->link == LINK_TLS ? &via_tls : &via_tcp };
	int fd;

	why[0] = 0;
	if (e->link == LINK_TLS && !tls)
		return loop_why(why, e, "no certificate is configured", 0);
	if (e->link == LINK_SCTP)
		return sctp_kernel_has() && !e->udp ? sctp_kernel_listen(l, e, &like, why) :
						      sctp_usr_listen(l, e, &like, why);
	fd = listen_tcp(e, reuse);
	if (fd < 0)
		return loop_why(why, e, "", errno);
	if (listen_fd(l, fd, &like)) {
		close(fd);
		return loop_why(why, e, "out of room", 0);
	}
	return ERR_OK;
}

/* --- what else a loop waits for ------------------------------------------------------------- */

void loop_every(struct loop *l, uint32_t every_ms, void (*fn)(void *ctx), void *ctx)
{
	assert(every_ms > 0 && l->timer_n < sizeof l->timers / sizeof *l->timers);
	loop_clock(l);
	l->timers[l->timer_n++] = (struct timer){ fn, ctx, l->now_ms + every_ms, every_ms };
}

void loop_batch(struct loop *l, void (*begin)(void *ctx), void (*end)(void *ctx), void *ctx)
{
	l->begin = begin;
	l->end = end;
	l->batch_ctx = ctx;
}

void loop_batch_begin(struct loop *l)
{
	if (l->in_batch)
		return;
	l->in_batch = true;
	if (l->begin)
		l->begin(l->batch_ctx);
}

static void batch_end(struct loop *l)
{
	if (!l->in_batch)
		return;
	if (l->end)
		l->end(l->batch_ctx);
	l->in_batch = false;
}

static void watched(struct source *s, uint32_t events)
{
	struct watch *w = (struct watch *)s;

	(void)events;
	if (w->readable) /* not unwatched since epoll told */
		w->readable(w->ctx, w->fd);
}

enum err loop_watch(struct loop *l, int fd, void (*readable)(void *ctx, int fd), void *ctx)
{
	struct watch *w = l->watches, *end = w + sizeof l->watches / sizeof *l->watches;

	while (w < end && w->readable)
		w++;
	if (w == end)
		return ERR_FULL;
	*w = (struct watch){ { watched }, readable, ctx, fd };
	if (loop_source(l, fd, &w->source, EPOLLIN)) {
		w->readable = NULL;
		return ERR_IO;
	}
	return ERR_OK;
}

void loop_unwatch(struct loop *l, int fd)
{
	for (size_t i = 0; i < sizeof l->watches / sizeof *l->watches; i++) {
		struct watch *w = &l->watches[i];

		if (!w->readable || w->fd != fd)
			continue;
		epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
		w->readable = NULL;
	}
}

enum err loop_prepare(const struct endpoint *e, char why[256])
{
	why[0] = 0;
	if (e->link != LINK_SCTP || (sctp_kernel_has() && !e->udp))
		return ERR_OK;
	return sctp_usr_prepare(e, why);
}

/* --- running -------------------------------------------------------------------------------- */

static int wait_ms(const struct loop *l)
{
	uint64_t until = l->conn_n > 0 ? l->sweep_ms : UINT64_MAX;

	if (l->again || l->dead || l->dirty)
		return 0;
	for (uint32_t i = 0; i < l->timer_n; i++)
		if (l->timers[i].next_ms < until)
			until = l->timers[i].next_ms;
	if (l->stopping && l->stop_ms < until)
		until = l->stop_ms;
	if (until == UINT64_MAX)
		return -1;
	return until > l->now_ms ? (int)(until - l->now_ms < 60000 ? until - l->now_ms : 60000) : 0;
}

static void run_timers(struct loop *l)
{
	for (uint32_t i = 0; i < l->timer_n; i++) {
		struct timer *t = &l->timers[i];

		if (l->now_ms < t->next_ms)
			continue;
		/* One call makes up for all that were missed: no burst after a pause. */
		t->next_ms = l->now_ms + t->every_ms - (l->now_ms - t->next_ms) % t->every_ms;
		t->fn(t->ctx);
	}
	if (l->now_ms >= l->sweep_ms) {
		l->sweep_ms = l->now_ms + SWEEP_MS;
		conn_sweep(l);
	}
}

/* `down` may write elsewhere, and what it writes may fail: a second round, and the rest next time,
 * so that a user who dials again at once cannot keep us here. */
static void settle(struct loop *l)
{
	for (int i = 0; i < 2; i++) {
		conn_flush_all(l);
		conn_reap(l);
	}
}

/* False: nothing was ready. */
static bool take_in(struct loop *l, int wait)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(l->epoll, events, EVENTS, wait);

	loop_clock(l);
	conn_again_all(l);
	for (int i = 0; i < n; i++) {
		struct source *s = events[i].data.ptr;

		s->ready(s, events[i].events);
	}
	return n > 0;
}

/* As a network card holds back its interrupts: at ten thousand messages a second and more, each wake-up
 * for one or two of them costs several times what they do. */
static void gather(struct loop *l)
{
	const struct timespec nap = { .tv_nsec = GATHER_US * 1000 };

	l->gathered += l->frames;
	if (l->now_ms != l->gather_ms) {
		l->busy = l->gathered / (l->now_ms - l->gather_ms) >= GATHER_PER_MS;
		l->gather_ms = l->now_ms;
		l->gathered = 0;
	}
	if (l->busy && l->frames > 0 && l->frames < GATHER_FRAMES && !l->again && !l->dead && !l->dirty)
		nanosleep(&nap, NULL);
}

/* A write costs more than all of a message's handling: what came in meanwhile goes with it. */
static void wake_up(struct loop *l)
{
	l->frames = 0;
	l->lobby.served = false;
	(void)take_in(l, wait_ms(l));
	for (int i = 1; i < GATHER_ROUNDS && l->frames > 0 && l->frames < GATHER_FRAMES; i++) {
		if (!take_in(l, 0))
			break;
	}
	run_timers(l);
	batch_end(l);
	settle(l);
	gather(l);
}

void loop_run(struct loop *l)
{
	loop_clock(l);
	for (;;) {
		if (atomic_load(&l->stop) && !l->stopping) {
			l->stopping = true;
			l->stop_ms = l->now_ms + STOP_MS;
			unlisten(l);
			close_all(l, false);
			settle(l);
		}
		if (l->stopping && (l->conn_n == 0 || l->now_ms >= l->stop_ms))
			break;
		wake_up(l);
	}
	close_all(l, true);
	settle(l);
}

void loop_stop(struct loop *l)
{
	uint64_t one = 1;
	int saved = errno; /* may be in a signal handler */

	atomic_store(&l->stop, true);
	(void)!write(l->wake_fd, &one, sizeof one);
	errno = saved;
}
