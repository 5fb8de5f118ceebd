#include "portal/desk.h"

#include "records/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS 6
#define ASKS 512
#define OUT_MAX ((size_t)1 << 20)

struct ask_made {
	void (*done)(void *ctx, uint64_t tag, const struct keep *rep);
	void *ctx;
	uint64_t tag;
	uint32_t id;
};

struct desk_conn {
	struct desk *desk;
	struct client *client;
	int fd;
	enum lane lane;
	uint8_t *in, *out;
	size_t in_n, out_n;
	struct ask_made ask[ASKS];
	uint32_t first, next;
};

struct desk {
	struct loop *loop;
	struct desk_conn conn[CONNS];
	void (*after)(void *ctx);
	void *ctx;
	uint32_t id;
	bool lost;
};

static const enum lane lanes[CONNS] = {LANE_READ, LANE_WRITE, LANE_LIST,
				       LANE_LIST, LANE_LIST,  LANE_READ};

static void lose(struct desk_conn *c)
{
	c->desk->lost = true;
	while (c->first != c->next) {
		struct ask_made *a = &c->ask[c->first++ % ASKS];

		a->done(a->ctx, a->tag, NULL);
	}
}

static void flush(struct desk_conn *c)
{
	size_t at = 0;

	while (at < c->out_n && !c->desk->lost) {
		ssize_t n = send(c->fd, c->out + at, c->out_n - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			lose(c);
			return;
		}
		at += (size_t)n;
	}
	memmove(c->out, c->out + at, c->out_n - at);
	c->out_n -= at;
}

void desk_flush(struct desk *d)
{
	for (size_t i = 0; i < CONNS; i++) {
		if (d->conn[i].out_n > 0)
			flush(&d->conn[i]);
	}
}

/* False: it is no answer to what was asked. */
static bool answered(struct desk_conn *c, struct view frame)
{
	struct ask_made a = c->ask[c->first % ASKS];
	struct keep rep;

	if (c->first == c->next || keep_parse(&rep, frame) || !rep.reply || rep.id != a.id ||
	    !keep_has(&rep, KEEP_STATUS))
		return false;
	c->first++;
	a.done(a.ctx, a.tag, &rep);
	return true;
}

static void take(struct desk_conn *c)
{
	size_t at = 0;

	for (;;) {
		struct view left = {c->in + at, c->in_n - at};
		size_t n = keep_frame(left);

		if (n == 0 || (n != SIZE_MAX && n > left.n))
			break;
		if (n == SIZE_MAX || !answered(c, view_first(left, n))) {
			lose(c);
			return;
		}
		at += n;
	}
	memmove(c->in, c->in + at, c->in_n - at);
	c->in_n -= at;
}

static void readable(void *ctx, int fd)
{
	struct desk_conn *c = ctx;
	ssize_t n;

	if (c->desk->lost)
		return;
	n = recv(fd, c->in + c->in_n, KEEP_FRAME_MAX - c->in_n, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_unwatch(c->desk->loop, fd);
		lose(c);
	} else {
		c->in_n += (size_t)n;
		take(c);
	}
	desk_flush(c->desk);
	if (c->desk->after)
		c->desk->after(c->desk->ctx);
}

static enum err narrow(struct client *c, char why[256])
{
	struct keep req = {.op = KEEP_NARROW}, rep;
	enum err err;

	keep_put_text(&req, KEEP_MODE, VIEW("api"));
	err = client_call(c, &req, &rep, why);
	return err ? err : client_status(&rep);
}

static enum err open_one(struct desk *d, size_t i, const char *socket, char why[256])
{
	struct desk_conn *c = &d->conn[i];
	enum err err = client_open(&c->client, socket, why);

	c->desk = d;
	c->lane = lanes[i];
	if (!err)
		err = narrow(c->client, why);
	if (err)
		return err;
	c->fd = client_fd(c->client);
	c->in = malloc(KEEP_FRAME_MAX);
	c->out = malloc(OUT_MAX);
	return c->in && c->out ? loop_watch(d->loop, c->fd, readable, c) : ERR_FULL;
}

enum err desk_open(struct desk **out, const char *socket, struct loop *loop, char why[256])
{
	struct desk *d = calloc(1, sizeof *d);
	enum err err = d ? ERR_OK : ERR_FULL;

	*out = NULL;
	snprintf(why, 256, "out of memory");
	if (d)
		d->loop = loop;
	for (size_t i = 0; i < CONNS && !err; i++)
		err = open_one(d, i, socket, why);
	if (err)
		desk_close(d);
	else
		*out = d;
	return err;
}

void desk_close(struct desk *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < CONNS; i++) {
		client_close(d->conn[i].client);
		free(d->conn[i].in);
		free(d->conn[i].out);
	}
	free(d);
}

/* Of a lane's connections the one with the fewest requests. */
static struct desk_conn *pick(struct desk *d, enum lane lane)
{
	struct desk_conn *best = NULL;

	for (size_t i = 0; i < CONNS; i++) {
		struct desk_conn *c = &d->conn[i];

		if (c->lane == lane && (!best || c->next - c->first < best->next - best->first))
			best = c;
	}
	return best;
}

bool desk_ask(struct desk *d, enum lane lane, struct keep *req,
	      void (*done)(void *ctx, uint64_t tag, const struct keep *rep), void *ctx, uint64_t tag)
{
	struct desk_conn *c = pick(d, lane);
	struct wr w = {.p = c->out + c->out_n, .cap = OUT_MAX - c->out_n};

	if (d->lost || c->next - c->first == ASKS)
		return false;
	req->id = ++d->id;
	keep_emit(&w, req);
	if (w.err)
		return false;
	c->out_n += w.n;
	c->ask[c->next++ % ASKS] = (struct ask_made){done, ctx, tag, req->id};
	return true;
}

void desk_after(struct desk *d, void (*fn)(void *ctx), void *ctx)
{
	d->after = fn;
	d->ctx = ctx;
}

bool desk_lost(const struct desk *d)
{
	return d->lost;
}
