/* One connection: what it is asked to write, and what is asked about it. */
#include "loop/inside.h"

#include "base/metric.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MIN     4096u
#define PREFIX_SIZE sizeof(uint32_t) /* before each message waiting for a message transport: stream, length */
#define LENGTH      0xffffffu

void conn_arm(struct conn *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = &c->source };
	int set = c->stranger ? c->loop->lobby.epoll : c->loop->epoll;

	if (c->fd < 0 || c->armed == events)
		return;
	if (epoll_ctl(set, c->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e))
		conn_fail(c, "out of room for events");
	c->armed = events;
}

/* Room for `n` more bytes behind what waits, by moving it to the front or by growing to `max`. */
bool buf_room(struct buf *b, size_t n, size_t max)
{
	size_t cap = b->cap ? b->cap : BUF_MIN;
	uint8_t *p;

	if (b->cap - b->n >= n)
		return true;
	if (b->head > 0) {
		memmove(b->p, b->p + b->head, b->n - b->head);
		b->n -= b->head;
		b->head = 0;
	}
	while (cap - b->n < n && cap < max)
		cap = cap * 2 < max ? cap * 2 : max;
	if (cap < b->n || cap - b->n < n)
		return false;
	p = cap > b->cap ? realloc(b->p, cap) : b->p;
	if (!p)
		return false;
	b->p = p;
	b->cap = cap;
	return true;
}

enum err conn_errno(struct conn *c, int error)
{
	if (error == EAGAIN || error == EINTR || error == EINPROGRESS)
		return ERR_AGAIN;
	c->why = error_text(error);
	return ERR_IO;
}

uint16_t conn_stream(const struct conn *c)
{
	if (c->stream == 0 || c->streams < 2)
		return 0;
	return (uint16_t)(1 + c->stream % (c->streams - 1));
}

void conn_dirty(struct conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = c->loop->dirty;
	c->loop->dirty = c;
}

bool conn_write(struct conn *c, struct view bytes)
{
	return conn_write_on(c, bytes, 0);
}

bool conn_write_on(struct conn *c, struct view bytes, uint8_t stream)
{
	size_t prefix = c->via->messages ? PREFIX_SIZE : 0, max = c->loop->limits.out_max;
	uint32_t n = (uint32_t)stream << 24 | (uint32_t)bytes.n;
	struct buf *b = &c->out;

	if (c->state != CONN_UP && c->state != CONN_HANDSHAKE)
		return false;
	if (bytes.n > max || (prefix > 0 && bytes.n > LENGTH) || b->n - b->head + prefix > max - bytes.n ||
	    !buf_room(b, prefix + bytes.n, max)) {
		conn_cut(c, CUT_OUTPUT, "too much output waits");
		return false;
	}
	if (prefix > 0)
		memcpy(b->p + b->n, &n, prefix);
	if (bytes.n > 0)
		memcpy(b->p + b->n + prefix, bytes.p, bytes.n);
	b->n += prefix + bytes.n;
	conn_dirty(c);
	return true;
}

void conn_close(struct conn *c)
{
	if (c->state == CONN_HANDSHAKE)
		conn_fail(c, "closed");
	if (c->state != CONN_UP)
		return;
	c->state = CONN_CLOSING;
	c->deadline_ms = c->loop->now_ms + CLOSE_MS;
	if (!c->why)
		c->why = c->eof ? "closed by the peer" : "closed";
	conn_dirty(c);
}

/* The next bytes to write: all that wait, or one message. */
static struct view next(struct conn *c)
{
	const struct buf *b = &c->out;
	uint32_t n;

	if (!c->via->messages)
		return (struct view){ b->p + b->head, b->n - b->head };
	memcpy(&n, b->p + b->head, sizeof n);
	c->stream = (uint8_t)(n >> 24);
	return (struct view){ b->p + b->head + PREFIX_SIZE, n & LENGTH };
}

/* What waits for a peer that takes no more is counted, and bounded for all of them together; one
 * that waits for nothing gives a big buffer back. */
void conn_unread(struct conn *c, bool moved)
{
	struct loop *l = c->loop;
	size_t n = c->out.n - c->out.head;

	l->out_n += n - c->unread_n;
	c->unread_n = n;
	if (n == 0)
		c->unread_ms = 0;
	else if (moved || c->unread_ms == 0)
		c->unread_ms = l->now_ms;
	if (n > OUT_FAIR && l->limits.out_total_max > 0 && l->out_n > l->limits.out_total_max)
		conn_cut(c, CUT_OUTPUT, "too much output waits in all");
	if (n > 0 || c->out.cap <= OUT_KEEP)
		return;
	free(c->out.p);
	c->out = (struct buf){ 0 };
}

static void written(struct conn *c)
{
	c->out.head = c->out.n = 0;
	if (c->unread_ms || c->out.cap > OUT_KEEP)
		conn_unread(c, true);
	if (c->paused)
		conn_again(c); /* what has come meanwhile */
	c->paused = false;
	if (c->state == CONN_UP) {
		conn_arm(c, EPOLLIN);
	} else if (c->eof) {
		conn_fail(c, "closed by the peer");
	} else {
		c->state = CONN_SHUT;
		conn_arm(c, EPOLLIN);
		c->via->shut(c);
	}
}

static void flush(struct conn *c)
{
	struct buf *b = &c->out;
	size_t began = b->head;

	while (b->head < b->n) {
		struct view v = next(c);
		size_t done = 0;
		enum err err = v.n > 0 ? c->via->write(c, v, &done) : ERR_OK;

		if (err == ERR_AGAIN) {
			c->paused |= c->inbound && b->n - b->head > OUT_PAUSE;
			conn_arm(c, c->eof || c->paused ? EPOLLOUT : EPOLLIN | EPOLLOUT);
			conn_unread(c, b->head > began);
			return;
		}
		if (err) {
			conn_fail(c, "write failed");
			return;
		}
		b->head += done + (c->via->messages ? PREFIX_SIZE : 0);
	}
	written(c);
}

void conn_flush_all(struct loop *l)
{
	struct conn *c, *list = l->dirty;

	l->dirty = NULL;
	while ((c = list)) {
		list = c->next_dirty;
		c->dirty = false;
		if (c->state == CONN_UP || c->state == CONN_CLOSING)
			flush(c);
	}
}

/* --- who is at the other end ---------------------------------------------------------------- */

static uint16_t name_of(const struct sockaddr *a, char text[48])
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	text[0] = 0;
	if (a->sa_family == AF_INET) {
		memcpy(&v4, a, sizeof v4);
		inet_ntop(AF_INET, &v4.sin_addr, text, 48);
		return ntohs(v4.sin_port);
	}
	if (a->sa_family == AF_INET6) {
		memcpy(&v6, a, sizeof v6);
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
			inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, 48);
			return ntohs(v6.sin6_port);
		}
		inet_ntop(AF_INET6, &v6.sin6_addr, text, 48);
		return ntohs(v6.sin6_port);
	}
	return 0;
}

void conn_names(struct conn *c, const struct sockaddr *peer, const struct sockaddr *own)
{
	if (peer)
		c->port = name_of(peer, c->address);
	if (own)
		name_of(own, c->local);
}

struct conn_info conn_info(const struct conn *c)
{
	return (struct conn_info){
		.link = c->link,
		.outbound = !c->inbound,
		.address = view_of(c->address),
		.port = c->port,
		.local = view_of(c->local),
		.cert_names = c->cert_names,
		.cert_name_n = c->cert_name_n,
	};
}

void conn_set_user(struct conn *c, void *user)
{
	c->user = user;
}

void conn_set_ppid(struct conn *c, uint32_t ppid)
{
	c->ppid = ppid;
}

void *conn_user(const struct conn *c)
{
	return c->user;
}

uint32_t conn_id(const struct conn *c)
{
	return c->id;
}
