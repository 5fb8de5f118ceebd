/* Requests in flight. The Hop-by-Hop Identifier that we write is the slot's number and how often the
 * slot was used, so an answer finds its request without a search, and a late or invented answer
 * finds none (RFC 6733 §3, §6.2.1). */
#include "node/inside.h"

#include "base/big.h"
#include "base/metric.h"

#define BITS_MAX 22

bool dia_pending_init(struct dia_node *n)
{
	uint32_t bits = 1;

	while (bits < BITS_MAX && (1u << bits) < n->conf.pending_max)
		bits++;
	n->pending_bits = bits;
	n->pending = big_new(n->conf.pending_max * sizeof *n->pending);
	if (!n->pending)
		return false;
	n->oldest = n->newest = n->pending_free = NO_PENDING;
	for (uint32_t i = n->conf.pending_max; i-- > 0;) {
		struct pending_slot *s = &n->pending[i];

		s->hop = i | dia_random(n, UINT32_MAX) << bits; /* not guessable from outside */
		s->age_next = n->pending_free;
		n->pending_free = i;
	}
	return true;
}

static uint32_t number(const struct dia_node *n, const struct pending_slot *s)
{
	return (uint32_t)(s - n->pending);
}

static void link_in(struct dia_node *n, struct pending_slot *s)
{
	struct dia_peer *to = s->p.to;
	uint32_t i = number(n, s);

	s->age_prev = n->newest;
	s->age_next = NO_PENDING;
	if (n->newest != NO_PENDING)
		n->pending[n->newest].age_next = i;
	else
		n->oldest = i;
	n->newest = i;

	s->peer_prev = NO_PENDING;
	s->peer_next = to->pending_first;
	if (to->pending_first != NO_PENDING)
		n->pending[to->pending_first].peer_prev = i;
	to->pending_first = i;
	to->info.in_flight++;
	n->pending_n++;
	s->used = true;
}

static void link_out(struct dia_node *n, struct pending_slot *s)
{
	struct dia_peer *to = s->p.to;

	if (s->age_prev != NO_PENDING)
		n->pending[s->age_prev].age_next = s->age_next;
	else
		n->oldest = s->age_next;
	if (s->age_next != NO_PENDING)
		n->pending[s->age_next].age_prev = s->age_prev;
	else
		n->newest = s->age_prev;

	if (s->peer_prev != NO_PENDING)
		n->pending[s->peer_prev].peer_next = s->peer_next;
	else
		to->pending_first = s->peer_next;
	if (s->peer_next != NO_PENDING)
		n->pending[s->peer_next].peer_prev = s->peer_prev;
	to->info.in_flight--;
	n->pending_n--;
	s->used = false;
}

void dia_pending_release(struct dia_node *n, struct pending_slot *s)
{
	s->hop += 1u << n->pending_bits;
	s->age_next = n->pending_free;
	n->pending_free = number(n, s);
}

/* The slot of a Hop-by-Hop Identifier, or NULL. */
static struct pending_slot *slot_of(struct dia_node *n, uint32_t hop)
{
	uint32_t i = hop & ((1u << n->pending_bits) - 1);
	struct pending_slot *s = i < n->conf.pending_max ? &n->pending[i] : NULL;

	return s && s->used && s->hop == hop ? s : NULL;
}

void dia_pending_ahead(struct dia_node *n, struct view raw)
{
	struct rd r = { .left = { raw.p + 12, 4 } };
	const struct pending_slot *s = raw.p[4] & DIA_FLAG_REQUEST ? NULL : slot_of(n, rd_be(&r, 4));

	if (s)
		n->act.ahead(n->ctx, &s->p);
}

struct pending_slot *dia_pending_take(struct dia_node *n, const struct dia_peer *from,
				  const struct dia_header *h)
{
	struct pending_slot *s = slot_of(n, h->hop_by_hop);

	if (!s || s->p.to != from || s->p.code != h->code)
		return NULL;
	link_out(n, s);
	return s;
}

static void lose(struct dia_node *n, struct pending_slot *s, const char *why)
{
	link_out(n, s);
	n->act.lost(n->ctx, &s->p, why);
	dia_pending_release(n, s);
}

/* The first is taken anew each time: `lost` may send requests, though none to this peer. */
void dia_pending_fail(struct dia_node *n, struct dia_peer *p, const char *why)
{
	while (p->pending_first != NO_PENDING)
		lose(n, &n->pending[p->pending_first], why);
}

void dia_pending_tick(struct dia_node *n)
{
	while (n->oldest != NO_PENDING &&
	       n->now - n->pending[n->oldest].p.sent_ms >= n->conf.pending_ms)
		lose(n, &n->pending[n->oldest], "no answer in time");
}

enum err dia_node_request(struct dia_node *n, struct dia_peer *to, struct wr *w,
			  const struct dia_pending *p, uint64_t now)
{
	struct rd r = { .left = wr_done(w) };
	struct pending_slot *s;

	n->now = now;
	if (w->err)
		return w->err;
	if (!to || !to->used || !to->conn || to->info.state != DIA_OPEN)
		return ERR_NOT_FOUND;
	if (n->pending_free == NO_PENDING)
		return ERR_FULL;
	s = &n->pending[n->pending_free];
	n->pending_free = s->age_next;

	s->p = *p;
	s->p.to = to;
	s->p.sent_ms = now;
	rd_take(&r, 5);
	s->p.code = rd_be(&r, 3);
	s->p.app = rd_be(&r, 4);
	link_in(n, s);
	dia_set_hop_by_hop(w->p, s->hop);
	n->act.send(n->ctx, to->conn->link.conn, wr_done(w));
	return ERR_OK;
}
