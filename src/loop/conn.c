/* One connection: its buffers, its frames, its end. */
#include "loop/inside.h"

#include "base/metric.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct conn *conn_new(struct loop *l, const struct conn_ops *ops, void *ctx, bool inbound)
{
	struct conn *c;
	uint32_t slot;

	if (l->stopping || l->free_n == 0 || (inbound && l->inbound_n >= l->limits.conn_max) ||
	    (!inbound && l->dial_n >= DIAL_MAX))
		return NULL;
	c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	slot = l->free_ring[l->free_head];
	l->free_head = (l->free_head + 1) % l->slot_max;
	l->free_n--;
	if (++l->gens[slot] == 0)
		l->gens[slot] = 1;
	l->slots[slot] = c;
	l->conn_n++;
	l->inbound_n += inbound;
	l->dial_n += !inbound;
	*c = (struct conn){ .loop = l, .ops = ops, .ctx = ctx, .inbound = inbound, .fd = -1,
			    .ppid = SCTP_PPID_DIAMETER,
			    .id = (uint32_t)l->gens[slot] << 16 | slot };
	c->deadline_ms = l->now_ms + l->limits.handshake_ms;
	return c;
}

static void conn_free(struct conn *c)
{
	struct loop *l = c->loop;
	uint32_t slot = c->id & 0xffff;

	l->slots[slot] = NULL;
	l->free_ring[(l->free_head + l->free_n) % l->slot_max] = slot;
	l->free_n++;
	l->conn_n--;
	l->dial_n -= !c->inbound;
	free(c->in.p);
	free(c->out.p);
	free(c->cert_text);
	free(c);
}

struct conn *conn_find(struct loop *l, uint32_t id)
{
	uint32_t slot = id & 0xffff;
	struct conn *c = slot < l->slot_max ? l->slots[slot] : NULL;

	return c && c->id == id && c->state != CONN_DEAD ? c : NULL;
}

/* --- how it ends ---------------------------------------------------------------------------- */

void conn_fail(struct conn *c, const char *why)
{
	struct loop *l = c->loop;

	if (c->state == CONN_DEAD)
		return;
	if (!c->why)
		c->why = why;
	c->state = CONN_DEAD;
	l->inbound_n -= c->inbound; /* a newcomer need not wait until it is reaped */
	l->out_n -= c->unread_n;
	c->unread_n = 0;
	crowd_leave(c);
	c->next_dead = l->dead;
	l->dead = c;
}

void conn_count(enum conn_cut cut)
{
	metric_add(M_LOOP_CLOSED, cut, 1);
}

void conn_cut(struct conn *c, enum conn_cut cut, const char *why)
{
	if (c->state != CONN_DEAD)
		conn_count(cut);
	conn_fail(c, why);
}

void conn_again(struct conn *c)
{
	if (c->again)
		return;
	c->again = true;
	c->next_again = c->loop->again;
	c->loop->again = c;
}

static void forget_again(struct conn *c)
{
	struct conn **at = &c->loop->again;

	if (!c->again)
		return;
	while (*at != c)
		at = &(*at)->next_again;
	*at = c->next_again;
	c->again = false;
}

void conn_reap(struct loop *l)
{
	struct conn *c, *list = l->dead;

	l->dead = NULL;
	while ((c = list)) {
		list = c->next_dead;
		assert(!c->dirty);
		forget_again(c);
		if (c->via)
			c->via->close(c);
		if (c->fd >= 0)
			close(c->fd);
		if (c->announced || !c->inbound)
			c->ops->down(c->ctx, c, c->why);
		conn_free(c);
	}
}

void conn_sweep(struct loop *l)
{
	uint32_t left = l->conn_n, unread_ms = UNREAD_TIMES * l->limits.handshake_ms;

	for (uint32_t i = 0; i < l->slot_max && left > 0; i++) {
		struct conn *c = l->slots[i];

		left -= c != NULL;
		if (c && c->state == CONN_UP && c->unread_ms && l->now_ms - c->unread_ms >= unread_ms)
			conn_cut(c, CUT_OUTPUT, "reads nothing");
		if (!c || (c->paused && c->state == CONN_UP) || c->deadline_ms == 0 ||
		    l->now_ms < c->deadline_ms)
			continue;
		if (c->state == CONN_HANDSHAKE)
			conn_cut(c, CUT_TIME, c->inbound ? "no handshake in time" : "connection timed out");
		else if (c->state == CONN_UP)
			conn_cut(c, CUT_TIME, "no message in time");
		else
			conn_fail(c, "closed");
	}
}

/* --- events --------------------------------------------------------------------------------- */

static void hand_over(struct conn *c, struct view frame)
{
	if (!c->heard) {
		c->heard = true;
		c->deadline_ms = 0;
		if (c->stranger && c->loop->limits.stranger_max == 0)
			conn_proven(c);
	}
	loop_batch_begin(c->loop);
	c->loop->frames++;
	c->ops->message(c->ctx, c, frame);
}

/* Hand over every whole frame; then move the rest to the front. */
static void frames(struct conn *c)
{
	struct buf *b = &c->in;

	while (c->state == CONN_UP && b->head < b->n) {
		struct view v = { b->p + b->head, b->n - b->head };
		size_t n = c->ops->frame(v), max = c->loop->limits.frame_max;

		if (n == SIZE_MAX)
			conn_cut(c, CUT_FRAME, "not a message");
		else if (n > max || (n == 0 && v.n >= max))
			conn_cut(c, CUT_FRAME, "message too long");
		if (c->state != CONN_UP || n == 0 || n > v.n)
			break;
		b->head += n;
		hand_over(c, view_first(v, n));
	}
	if (b->head == b->n)
		b->head = b->n = 0;
}

static void one_message(struct conn *c)
{
	struct buf *b = &c->in;

	if (b->n > c->loop->limits.frame_max) {
		conn_cut(c, CUT_FRAME, "message too long");
	} else if (c->whole) {
		hand_over(c, (struct view){ b->p, b->n });
		b->n = 0;
	}
}

/* The peer will send no more. What it still waits for is written first. */
static void ended(struct conn *c)
{
	c->eof = true;
	if (c->state == CONN_UP)
		conn_close(c);
	else
		conn_fail(c, "closed by the peer");
}

/* A message that has begun must end, whoever sends it. */
static void time_rest(struct conn *c, bool moved)
{
	if (c->state != CONN_UP || !c->heard)
		return;
	if (c->in.n == 0)
		c->deadline_ms = 0;
	else if (moved || c->deadline_ms == 0)
		c->deadline_ms = c->loop->now_ms + MESSAGE_TIMES * c->loop->limits.handshake_ms;
}

/* Returns what came in; 0: nothing more for now. */
static size_t read_some(struct conn *c, size_t budget)
{
	size_t max = c->loop->limits.frame_max, got = 0, want;
	struct buf *b = &c->in;
	enum err err;

	max = max + 1 > READ_MAX ? max + 1 : READ_MAX;
	if (!buf_room(b, 1, max)) {
		conn_fail(c, "out of memory");
		return 0;
	}
	want = b->cap - b->n < budget ? b->cap - b->n : budget;
	err = c->via->read(c, b->p + b->n, want, &got);
	if (err == ERR_AGAIN)
		return 0;
	if (err || got == 0) {
		if (c->why)
			conn_fail(c, c->why);
		else
			ended(c);
		return 0;
	}
	b->n += got;
	if (got == b->cap && b->cap < READ_MAX) /* a busy one: let it read more at once */
		(void)buf_room(b, b->cap, max);
	return got;
}

static void discard(struct conn *c)
{
	uint8_t waste[4096];
	size_t got = 0;
	enum err err = ERR_OK;

	for (int i = 0; i < 16 && !err; i++) {
		err = c->via->read(c, waste, sizeof waste, &got);
		if (err != ERR_AGAIN && (err || got == 0)) {
			conn_fail(c, "closed");
			return;
		}
	}
	if (!err && c->via->pending && c->via->pending(c))
		conn_again(c);
}

static void readable(struct conn *c)
{
	size_t budget = READ_MAX, got;

	if (c->state == CONN_CLOSING || c->state == CONN_SHUT) {
		if (!c->eof)
			discard(c);
		return;
	}
	while (c->state == CONN_UP && !c->paused && budget > 0 && (got = read_some(c, budget)) > 0) {
		budget -= got;
		if (c->via->messages)
			one_message(c);
		else
			frames(c);
		if (!c->via->pending && c->in.n < c->in.cap)
			break; /* a short read: there is no more */
	}
	if (c->in.head > 0) {
		memmove(c->in.p, c->in.p + c->in.head, c->in.n - c->in.head);
		c->in.n -= c->in.head;
		c->in.head = 0;
		time_rest(c, true);
	} else {
		time_rest(c, false);
	}
	if (c->state == CONN_UP && budget == 0 && c->via->pending && c->via->pending(c))
		conn_again(c);
}

static void shake(struct conn *c)
{
	enum err err;

	c->want_out = false;
	err = c->via->handshake(c);
	if (err == ERR_AGAIN) {
		conn_arm(c, c->want_out ? EPOLLOUT : EPOLLIN);
		return;
	}
	if (err) {
		conn_fail(c, c->why ? c->why : "handshake failed");
		return;
	}
	c->state = CONN_UP;
	c->announced = true;
	c->deadline_ms = c->inbound ? c->loop->now_ms + c->loop->limits.handshake_ms : 0;
	conn_arm(c, EPOLLIN);
	c->ops->up(c->ctx, c);
	if (c->via->pending && c->via->pending(c))
		conn_again(c);
	if (c->out.n > 0)
		conn_dirty(c);
}

static void ready(struct source *s, uint32_t events)
{
	conn_ready((struct conn *)s, events);
}

void conn_start(struct conn *c)
{
	c->source.ready = ready;
	if (c->inbound)
		shake(c);
	else if (c->fd >= 0)
		conn_arm(c, EPOLLOUT); /* `up` never comes before loop_connect has returned */
	else
		conn_again(c);
}

void conn_ready(struct conn *c, uint32_t events)
{
	if (c->state == CONN_HANDSHAKE) {
		shake(c);
		return;
	}
	if (events & (EPOLLERR | EPOLLHUP) && c->eof)
		conn_fail(c, "closed by the peer"); /* it will not take what it asked for */
	if (events & EPOLLOUT && c->state != CONN_DEAD)
		conn_dirty(c);
	if (events & ~(uint32_t)EPOLLOUT)
		readable(c);
}

void conn_again_all(struct loop *l)
{
	struct conn *c, *list = l->again;

	l->again = NULL;
	while ((c = list)) {
		list = c->next_again;
		c->again = false;
		conn_ready(c, EPOLLIN);
	}
}
