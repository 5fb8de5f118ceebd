#include "cli/cap_in.h"

#include "wire/dia.h"
#include "wire/m3ua.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define KEPT_MAX (2 * (size_t)DIA_FRAME_MAX) /* bytes of one direction, in order or not */
#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define SCTP_DATA 0
#define SCTP_LAST 1 /* flags of DATA: the message ends, begins here */
#define SCTP_BEGIN 2
#define TSN_WINDOW 64
#define SCTP_INIT 1
#define SCTP_PPID_DIAMETER 46
#define SCTP_PPID_M3UA 3
#define SCTP_OVER_UDP 9899 /* RFC 6951 */

struct cap *cap_new(const struct cap_ops *ops, void *ctx)
{
	struct cap *c = calloc(1, sizeof *c);

	if (c) {
		c->ops = *ops;
		c->ctx = ctx;
	}
	return c;
}

const struct cap_counts *cap_counts(const struct cap *c)
{
	return &c->counts;
}

static void forget(struct cap *c, struct flow *f)
{
	if (!f->used)
		return;
	c->ops.gone(c->ctx, &f->is);
	free(f->in);
	for (size_t i = 0; i < f->pend_n; i++)
		free(f->pend[i].p);
	memset(f, 0, sizeof *f);
}

void cap_free(struct cap *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < SETS * WAYS; i++)
		forget(c, &c->flow[i / WAYS][i % WAYS]);
	free(c);
}

static void end_text(const struct end *e, char text[64])
{
	char address[INET6_ADDRSTRLEN] = "";

	inet_ntop(e->family == 6 ? AF_INET6 : AF_INET, e->address, address, sizeof address);
	snprintf(text, 64, e->family == 6 ? "[%s]:%u" : "%s:%u", address, e->port);
}

static uint64_t end_hash(const struct cap *c, const struct end *e)
{
	return hash_view(c->key, (struct view){(const uint8_t *)e, sizeof *e});
}

/* The flow from one end to the other; the one of its set that was silent longest makes room. */
static struct flow *flow_of(struct cap *c, const struct end *from, const struct end *to)
{
	uint64_t a = end_hash(c, from), b = end_hash(c, to);
	struct flow *set = c->flow[(a * 3 + b) % SETS], *f = set;

	for (size_t i = 0; i < WAYS; i++) {
		struct flow *x = &set[i];

		if (x->used && memcmp(&x->from, from, sizeof *from) == 0 &&
		    memcmp(&x->to, to, sizeof *to) == 0) {
			x->touched = c->counts.packets;
			return x;
		}
		if (!x->used || (f->used && x->touched < f->touched))
			f = x;
	}
	forget(c, f);
	f->used = true;
	f->lost = true;
	f->touched = c->counts.packets;
	f->from = *from;
	f->to = *to;
	f->is.pair = a ^ b;
	end_text(from, f->is.from);
	end_text(to, f->is.to);
	return f;
}

/* Could a message begin here? Flags have four bits that are always zero (RFC 6733 §3). */
static bool looks_right(struct view v)
{
	size_t n = dia_frame(v);

	return n != SIZE_MAX && v.n >= DIA_HEADER && (v.p[4] & 0x0f) == 0;
}

static void message(struct cap *c, struct flow *f, struct view v)
{
	c->counts.messages++;
	c->ops.message(c->ctx, &f->is, v, c->at_ms);
}

/* Hand over what is whole. */
static void cut(struct cap *c, struct flow *f)
{
	size_t done = 0;

	while (done < f->in_n) {
		struct view left = {f->in + done, f->in_n - done};
		size_t n = dia_frame(left);

		if (n == SIZE_MAX) {
			c->counts.noise++;
			f->lost = true;
			done = f->in_n;
		} else if (n == 0 || n > left.n) {
			break;
		} else {
			message(c, f, view_first(left, n));
			done += n;
		}
	}
	memmove(f->in, f->in + done, f->in_n - done);
	f->in_n -= done;
}

static void in_order(struct cap *c, struct flow *f, struct view v)
{
	f->next += (uint32_t)v.n;
	if (f->lost && !looks_right(v))
		return;
	f->lost = false;
	if (!f->in)
		f->in = malloc(KEPT_MAX);
	if (!f->in || v.n > KEPT_MAX - f->in_n) {
		f->in_n = 0;
		f->lost = true;
		return;
	}
	memcpy(f->in + f->in_n, v.p, v.n);
	f->in_n += v.n;
	cut(c, f);
}

/* The part of a segment that is new. */
static struct view news(const struct flow *f, uint32_t seq, struct view v)
{
	uint32_t old = f->next - seq;

	if (old == 0 || old > UINT32_MAX / 2)
		return v;
	return old >= v.n ? (struct view){0} : (struct view){v.p + old, v.n - old};
}

/* The waiting piece that comes first. */
static size_t first_piece(const struct flow *f)
{
	size_t best = 0;

	for (size_t i = 1; i < f->pend_n; i++) {
		if ((int32_t)(f->pend[i].seq - f->pend[best].seq) < 0)
			best = i;
	}
	return best;
}

static void take_piece(struct cap *c, struct flow *f, size_t i)
{
	struct piece p = f->pend[i];

	f->pend[i] = f->pend[--f->pend_n];
	f->pend_bytes -= p.n;
	in_order(c, f, news(f, p.seq, (struct view){p.p, p.n}));
	free(p.p);
}

/* What waits and now fits. With `force` the rest too: what lies between is lost. */
static void drain(struct cap *c, struct flow *f, bool force)
{
	while (f->pend_n > 0) {
		size_t i = first_piece(f);

		if ((int32_t)(f->pend[i].seq - f->next) > 0) {
			if (!force)
				return;
			c->counts.gaps++;
			f->next = f->pend[i].seq;
			f->in_n = 0;
			f->lost = true;
		}
		take_piece(c, f, i);
	}
}

static void too_early(struct cap *c, struct flow *f, uint32_t seq, struct view v)
{
	struct piece p = {seq, v.n, NULL};

	if (f->pend_n == PEND_MAX || f->pend_bytes + v.n > KEPT_MAX)
		drain(c, f, true);
	if (v.n > KEPT_MAX || (p.p = malloc(v.n)) == NULL)
		return;
	memcpy(p.p, v.p, v.n);
	f->pend[f->pend_n++] = p;
	f->pend_bytes += v.n;
}

static void tcp(struct cap *c, struct end *from, struct end *to, struct rd *r)
{
	struct flow *f;
	uint32_t seq;
	uint8_t offset, flags;

	from->port = (uint16_t)rd_be(r, 2);
	to->port = (uint16_t)rd_be(r, 2);
	seq = rd_be(r, 4);
	rd_take(r, 4);
	offset = (uint8_t)(rd_be(r, 1) >> 4);
	flags = (uint8_t)rd_be(r, 1);
	rd_take(r, 6);
	rd_take(r, offset < 5 ? SIZE_MAX : (size_t)(offset - 5) * 4);
	if (r->err)
		return;
	f = flow_of(c, from, to);
	if (flags & TCP_SYN) {
		forget(c, f);
		f = flow_of(c, from, to);
		f->next = seq + 1;
		f->known = true;
		f->lost = false;
		return;
	}
	if (!f->known) {
		f->next = seq;
		f->known = true;
	}
	if (r->left.n > 0 && (int32_t)(seq - f->next) > 0) {
		too_early(c, f, seq, r->left);
	} else if (r->left.n > 0) {
		struct view v = news(f, seq, r->left);

		if (v.n > 0)
			in_order(c, f, v);
		drain(c, f, false);
	}
	if (flags & (TCP_FIN | TCP_RST)) {
		drain(c, f, true);
		forget(c, f);
	}
}

/* Was this chunk not seen before? Streams may overtake each other, so the last 64 numbers are
 * remembered.
 * `*in_order`: it follows the highest. */
static bool tsn_new(struct cap *c, struct flow *f, uint32_t tsn, bool *in_order)
{
	uint32_t ahead = tsn - f->next, back;

	*in_order = !f->known || ahead == 0;
	if (!f->known || ahead <= UINT32_MAX / 2) {
		uint32_t missing = f->known && ahead < TSN_WINDOW ? ahead : 0;

		f->seen = f->known && ahead + 1 < TSN_WINDOW ? f->seen << (ahead + 1) | 1 : 1;
		c->counts.gaps += missing;
		f->known = true;
		f->next = tsn + 1;
		return true;
	}
	back = f->next - 1 - tsn;
	if (back >= TSN_WINDOW || f->seen >> back & 1)
		return false;
	f->seen |= 1ull << back;
	c->counts.gaps -= c->counts.gaps > 0;
	return true;
}

/* A message that came whole. */
static void sctp_message(struct cap *c, struct flow *f, uint32_t ppid, struct view v)
{
	if (ppid == SCTP_PPID_M3UA && v.n > 0 && m3ua_frame(v) == v.n) {
		c->counts.messages++;
		c->ops.m3ua(c->ctx, &f->is, v, c->at_ms);
	} else if (ppid != SCTP_PPID_M3UA && v.n > 0 && dia_frame(v) == v.n) {
		message(c, f, v);
	} else {
		c->counts.noise++;
	}
}

/* A part of a message; the parts count only when they come one after the other. */
static void sctp_part(struct cap *c, struct flow *f, uint8_t flags, bool in_order, uint32_t ppid,
		      struct view v)
{
	if (flags & SCTP_BEGIN || !in_order)
		f->in_n = 0;
	if (!f->in)
		f->in = malloc(KEPT_MAX);
	if (!f->in || v.n > KEPT_MAX - f->in_n || (!(flags & SCTP_BEGIN) && f->in_n == 0))
		return;
	if (v.n > 0)
		memcpy(f->in + f->in_n, v.p, v.n);
	f->in_n += v.n;
	if (!(flags & SCTP_LAST))
		return;
	sctp_message(c, f, ppid, (struct view){f->in, f->in_n});
	f->in_n = 0;
}

/* A DATA chunk (RFC 9260 §3.3.1): a message, or a part of one. */
static void sctp_data(struct cap *c, struct flow *f, uint8_t flags, struct rd *r)
{
	uint32_t tsn = rd_be(r, 4), ppid;
	bool in_order;

	rd_take(r, 4);
	ppid = rd_be(r, 4);
	if (r->err || !tsn_new(c, f, tsn, &in_order))
		return;
	if (ppid != 0 && ppid != SCTP_PPID_DIAMETER && (ppid != SCTP_PPID_M3UA || !c->ops.m3ua))
		return;
	if ((flags & (SCTP_BEGIN | SCTP_LAST)) != (SCTP_BEGIN | SCTP_LAST))
		sctp_part(c, f, flags, in_order, ppid, r->left);
	else
		sctp_message(c, f, ppid, r->left);
}

static void sctp(struct cap *c, struct end *from, struct end *to, struct rd *r)
{
	struct flow *f;

	from->port = (uint16_t)rd_be(r, 2);
	to->port = (uint16_t)rd_be(r, 2);
	rd_take(r, 8);
	if (r->err)
		return;
	f = flow_of(c, from, to);
	while (r->left.n >= 4) {
		uint8_t type = (uint8_t)rd_be(r, 1), flags = (uint8_t)rd_be(r, 1);
		size_t n = rd_be(r, 2), whole = (n + 3) & ~(size_t)3;
		struct rd chunk = {.left = rd_take(r, n < 4 ? SIZE_MAX : n - 4)};

		if (r->err)
			return;
		rd_take(r, whole - n < r->left.n ? whole - n : r->left.n);
		if (type == SCTP_INIT) {
			forget(c, f);
			f = flow_of(c, from, to);
		} else if (type == SCTP_DATA) {
			sctp_data(c, f, flags, &chunk);
		}
	}
}

/* SCTP inside UDP is told by its port. */
static bool udp_sctp(struct rd *r)
{
	uint32_t from = rd_be(r, 2), to = rd_be(r, 2);

	rd_take(r, 4);
	return !r->err && (from == SCTP_OVER_UDP || to == SCTP_OVER_UDP);
}

void cap_transport(struct cap *c, struct end *from, struct end *to, uint8_t protocol, struct rd *r)
{
	from->protocol = to->protocol = protocol;
	if (protocol == IPPROTO_TCP)
		tcp(c, from, to, r);
	else if (protocol == IPPROTO_SCTP || (protocol == IPPROTO_UDP && udp_sctp(r)))
		sctp(c, from, to, r);
	else
		c->counts.foreign++;
}

void cap_end(struct cap *c, uint64_t at_ms)
{
	c->at_ms = at_ms;
	for (size_t i = 0; i < SETS * WAYS; i++) {
		if (c->flow[i / WAYS][i % WAYS].used)
			drain(c, &c->flow[i / WAYS][i % WAYS], true);
	}
}
