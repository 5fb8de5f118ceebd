/* Connections of nobody known yet: how many there may be, of one address and in all, and how much of a
 * wake-up they get. .c: a flood is contained, and others do not feel it. */
#include "loop/inside.h"

#include "base/log.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_PER_S 10

/* --- the lobby ------------------------------------------------------------------------------ */

static uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

bool lobby_time(const struct loop *l)
{
	return clock_us() < l->lobby.until_us;
}

/* At least one, so that all come to their turn: epoll tells first of who waits longest. */
static void ready(struct source *s, uint32_t events)
{
	struct lobby *b = (struct lobby *)s;
	struct epoll_event e[LOBBY_EVENTS];
	int n = b->served ? 0 : epoll_wait(b->epoll, e, LOBBY_EVENTS, 0);

	(void)events;
	b->served = true;
	b->until_us = clock_us() + LOBBY_US;
	for (int i = 0; i < n && (i == 0 || lobby_time(b->loop)); i++) {
		struct source *one = e[i].data.ptr;

		one->ready(one, e[i].events);
	}
}

bool lobby_open(struct loop *l)
{
	l->lobby.source.ready = ready;
	l->lobby.loop = l;
	l->lobby.epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->lobby.epoll >= 0 && !loop_source(l, l->lobby.epoll, &l->lobby.source, EPOLLIN);
}

/* --- addresses ------------------------------------------------------------------------------ */

bool crowd_open(struct loop *l)
{
	struct crowd *w = &l->crowd;
	uint32_t n = l->limits.conn_max, size = 16;

	while (size < n)
		size *= 2;
	w->pool = calloc(n + 1, sizeof *w->pool);
	w->of = calloc(size, sizeof *w->of);
	w->mask = size - 1;
	for (uint32_t i = 0; w->pool && i < n; i++) {
		w->pool[i].next = w->free;
		w->free = &w->pool[i];
	}
	return w->pool && w->of;
}

void crowd_close(struct loop *l)
{
	if (l->lobby.epoll >= 0)
		close(l->lobby.epoll);
	free(l->crowd.pool);
	free(l->crowd.of);
}

/* Whoever has one address of IPv6 has the 2^64 of its network. */
static uint64_t key_of(const struct sockaddr *a)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	uint64_t key = 0;
	uint32_t word;

	if (a->sa_family == AF_INET) {
		memcpy(&v4, a, sizeof v4);
		return 0xffff00000000u | v4.sin_addr.s_addr;
	}
	if (a->sa_family != AF_INET6)
		return 0;
	memcpy(&v6, a, sizeof v6);
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
		memcpy(&word, &v6.sin6_addr.s6_addr[12], sizeof word);
		return 0xffff00000000u | word;
	}
	memcpy(&key, &v6.sin6_addr, sizeof key);
	return key;
}

static struct from **bucket(struct crowd *w, uint64_t key)
{
	return &w->of[(key * 0x9e3779b97f4a7c15u) >> 32 & w->mask];
}

static struct from *find(struct crowd *w, uint64_t key)
{
	struct from *f = *bucket(w, key);

	while (f && f->key != key)
		f = f->next;
	return f;
}

static struct from *make(struct crowd *w, uint64_t key)
{
	struct from *f = w->free, **at = bucket(w, key);

	if (!f)
		return NULL;
	w->free = f->next;
	*f = (struct from){ .key = key, .next = *at };
	*at = f;
	return f;
}

static void drop(struct crowd *w, struct from *f)
{
	struct from **at = bucket(w, f->key);

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->next = w->free;
	w->free = f;
}

/* --- strangers ------------------------------------------------------------------------------ */

static void come(struct loop *l, struct conn *c, struct from *f)
{
	struct crowd *w = &l->crowd;

	c->stranger = true;
	c->from = f;
	f->conn_n++;
	f->stranger_n++;
	w->stranger_n++;
	c->older = w->newest;
	c->from_older = f->newest;
	*(c->older ? &c->older->newer : &w->oldest) = c;
	*(c->from_older ? &c->from_older->from_newer : &f->oldest) = c;
	w->newest = f->newest = c;
}

static void known(struct conn *c)
{
	struct crowd *w = &c->loop->crowd;
	struct from *f = c->from;

	*(c->older ? &c->older->newer : &w->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &w->newest) = c->older;
	*(c->from_older ? &c->from_older->from_newer : &f->oldest) = c->from_newer;
	*(c->from_newer ? &c->from_newer->from_older : &f->newest) = c->from_older;
	c->older = c->newer = c->from_older = c->from_newer = NULL;
	c->stranger = false;
	f->stranger_n--;
	w->stranger_n--;
}

void crowd_leave(struct conn *c)
{
	struct crowd *w = &c->loop->crowd;
	struct from *f = c->from;

	if (!f)
		return;
	if (c->stranger)
		known(c);
	c->from = NULL;
	if (--f->conn_n == 0)
		drop(w, f);
}

void conn_proven(struct conn *c)
{
	uint32_t events = c->armed;

	if (!c->stranger)
		return;
	if (events)
		epoll_ctl(c->loop->lobby.epoll, EPOLL_CTL_DEL, c->fd, NULL);
	known(c);
	c->armed = 0;
	if (events)
		conn_arm(c, events);
}

/* Few lines a second whatever comes; all are counted (M_LOOP_CLOSED). */
static void tell(struct loop *l, const struct conn *c, const char *why)
{
	struct crowd *w = &l->crowd;

	if (l->now_ms / 1000 != w->log_second) {
		w->log_second = l->now_ms / 1000;
		w->log_n = 0;
	}
	if (++w->log_n <= LOG_PER_S)
		LOG(LOG_NOTE, "connection.limit", KV("address", c->address), KV("why", why),
		    KV("strangers", w->stranger_n), KV_CLAUSE("R-5.6.1.c"));
}

static void push_out(struct conn *c, const char *why)
{
	tell(c->loop, c, why);
	conn_cut(c, CUT_LIMIT, why);
}

/* Make room by these limits, at the cost of those who have waited longest. */
static bool make_room(struct loop *l, const struct from *f)
{
	const struct loop_limits *max = &l->limits;

	if (f && f->oldest &&
	    ((max->stranger_address_max && f->stranger_n >= max->stranger_address_max) ||
	     (max->address_max && f->conn_n >= max->address_max)))
		push_out(f->oldest, "too many strangers of one address");
	else if (f && max->address_max && f->conn_n >= max->address_max)
		return false;
	if (l->crowd.oldest && max->stranger_max &&
	    (l->crowd.stranger_n >= max->stranger_max || l->inbound_n >= max->conn_max))
		push_out(l->crowd.oldest, "too many strangers");
	return l->inbound_n < max->conn_max;
}

struct conn *crowd_new(struct loop *l, const struct conn_ops *ops, void *ctx, const struct sockaddr *peer)
{
	uint64_t key = key_of(peer);
	struct conn refused = { .loop = l }, *c = NULL;
	struct from *f = NULL;

	if (make_room(l, find(&l->crowd, key))) { /* which may end the last of this address */
		f = find(&l->crowd, key);
		f = f ? f : make(&l->crowd, key);
		c = f ? conn_new(l, ops, ctx, true) : NULL;
	}
	if (!c) {
		if (f && f->conn_n == 0)
			drop(&l->crowd, f);
		conn_names(&refused, peer, NULL);
		tell(l, &refused, "too many connections");
		conn_count(CUT_LIMIT);
		return NULL;
	}
	come(l, c, f);
	conn_names(c, peer, NULL);
	return c;
}
