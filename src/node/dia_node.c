/* The node: connections and time come in, and go to where they belong. The state machine of RFC 6733
 * §5.6 is: WAIT_CER (inbound), WAIT_CEA (outbound), OPEN and SUSPECT (watchdog), CLOSING (a DPR was
 * sent or received). dia_peer.c has the transitions between connections, dia_watch.c those in time. */
#include "node/inside.h"

#include "base/big.h"

#include <stdlib.h>

uint32_t dia_random(struct dia_node *n, uint32_t below)
{
	uint64_t z = n->random += 0x9e3779b97f4a7c15u; /* splitmix64: jitter, no secrets */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return below > 0 ? (uint32_t)((z ^ z >> 31) % below) : 0;
}

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t x = 1;

	while (x < at_least)
		x *= 2;
	return x;
}

static bool allocate(struct dia_node *n)
{
	n->peer_n = n->conf.peer_max;
	n->conn_n = 2 * n->peer_n + 64; /* room for those that have not said yet who they are */
	n->conn_mask = power_of_two(2 * n->conn_n) - 1;
	n->host_mask = power_of_two(2 * n->peer_n) - 1;
	n->peers = calloc(n->peer_n, sizeof *n->peers);
	n->host_of = calloc((size_t)n->host_mask + 1, sizeof(struct dia_peer *));
	n->conns = calloc(n->conn_n, sizeof *n->conns);
	n->conn_of = calloc((size_t)n->conn_mask + 1, sizeof(struct dia_conn *));
	for (size_t i = 0; i < 3; i++) {
		n->open[i] = calloc(n->peer_n, sizeof(struct dia_peer *));
		if (!n->open[i])
			return false;
	}
	if (!n->peers || !n->host_of || !n->conns || !n->conn_of || !dia_pending_init(n) || !dia_dup_init(n))
		return false;
	for (uint32_t i = n->conn_n; i-- > 0;) {
		n->conns[i].next = n->conn_free;
		n->conn_free = &n->conns[i];
	}
	return true;
}

static uint32_t within(uint32_t x, uint32_t min, uint32_t max)
{
	return x < min ? min : x > max ? max : x;
}

struct dia_node *dia_node_new(const struct dia_node_conf *conf, const struct dia_actions *act, void *ctx)
{
	static const uint8_t zero[HASH_KEY];
	struct dia_node *n = calloc(1, sizeof *n);
	uint64_t seed;

	if (!n)
		return NULL;
	n->conf = *conf;
	n->act = *act;
	dia_idle(&n->act);
	n->ctx = ctx;
	n->conf.watchdog_ms = within(conf->watchdog_ms, 6000, 3600000); /* RFC 3539 §3.4.1 */
	n->conf.peer_max = within(conf->peer_max, 1, 1 << 16);
	n->conf.pending_max = within(conf->pending_max, 1, 1 << 22);
	n->conf.app_n = within(conf->app_n, 0, DIA_APP_MAX);

	seed = hash_view(zero, conf->host) ^ conf->state_id;
	memcpy(n->key, &seed, sizeof seed);
	n->random = hash_u64(zero, seed, conf->state_id);
	n->hop = dia_random(n, UINT32_MAX);
	n->end = conf->state_id << 20 | dia_random(n, 1 << 20); /* RFC 6733 §3 */
	if (!allocate(n)) {
		dia_node_free(n);
		return NULL;
	}
	return n;
}

void dia_node_free(struct dia_node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < 3; i++)
		free(n->open[i]);
	free(n->peers);
	free(n->host_of);
	free(n->conns);
	free(n->conn_of);
	big_free(n->pending, n->conf.pending_max * sizeof *n->pending);
	big_free(n->seen, ((size_t)n->seen_mask + 1) * sizeof *n->seen);
	free(n);
}

void dia_node_strict(struct dia_node *n, enum dia_strict strict)
{
	n->strict = strict;
}

uint32_t dia_node_end_to_end(struct dia_node *n)
{
	return n->end++;
}

uint32_t dia_node_in_flight(const struct dia_node *n)
{
	return n->pending_n;
}

/* --- connections ---------------------------------------------------------------------------- */

struct dia_conn *dia_conn_of_id(struct dia_node *n, uint32_t id)
{
	struct dia_conn *c = n->conn_of[id & n->conn_mask];

	while (c && c->link.conn != id)
		c = c->next;
	return c;
}

static struct dia_conn *conn_new(struct dia_node *n, const struct dia_link *link)
{
	struct dia_conn *c = n->conn_free, **at = &n->conn_of[link->conn & n->conn_mask];

	if (!c || n->stopping || dia_conn_of_id(n, link->conn))
		return NULL;
	n->conn_free = c->next;
	n->conn_high = (uint32_t)(c - n->conns) < n->conn_high ? n->conn_high : (uint32_t)(c - n->conns) + 1;
	*c = (struct dia_conn){ .link = *link, .next = *at, .used = true };
	c->until = n->now + CE_WAIT_MS;
	*at = c;
	return c;
}

void dia_conn_send(struct dia_node *n, struct dia_conn *c, struct wr *w)
{
	if (!w->err)
		n->act.send(n->ctx, c->link.conn, wr_done(w));
}

void dia_conn_forget(struct dia_node *n, struct dia_conn *c, const char *why)
{
	struct dia_conn **at = &n->conn_of[c->link.conn & n->conn_mask];
	struct dia_peer *p = c->peer;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->used = false;
	c->next = n->conn_free;
	n->conn_free = c;
	if (p && p->held == c)
		p->held = NULL;
	else if (p && p->conn == c)
		dia_peer_lost(n, p, why);
}

/* Closed before it is forgotten: what follows (failover, the next connection) comes after. */
void dia_conn_drop(struct dia_node *n, struct dia_conn *c, const char *why)
{
	n->act.close(n->ctx, c->link.conn);
	dia_conn_forget(n, c, why);
}

void dia_conn_bye(struct dia_node *n, struct dia_conn *c, uint32_t cause)
{
	if (c->state == DIA_CLOSING)
		return;
	if (c->state != DIA_OPEN && c->state != DIA_SUSPECT) {
		dia_conn_drop(n, c, "going away");
		return;
	}
	c->dpr_out = true;
	c->until = n->now + DPA_WAIT_MS;
	dia_base_send_dpr(n, c, cause);
	dia_peer_down(n, c->peer, DIA_CLOSING, "we disconnect");
}

struct dia_peer *dia_node_peer_of_conn(struct dia_node *n, uint32_t conn)
{
	struct dia_conn *c = dia_conn_of_id(n, conn);

	return c && c->peer && c->peer->conn == c ? c->peer : NULL;
}

void dia_node_send(struct dia_node *n, struct dia_peer *to, struct view bytes)
{
	if (to && to->used && to->conn && bytes.n > 0 &&
	    (to->info.state == DIA_OPEN || to->info.state == DIA_SUSPECT))
		n->act.send(n->ctx, to->conn->link.conn, bytes);
}

/* --- events --------------------------------------------------------------------------------- */

static void dialled_up(struct dia_node *n, const struct dia_link *link, struct dia_peer *p)
{
	struct dia_conn *c = NULL;

	p->dialling = false;
	if (!p->removed && !p->conn)
		c = conn_new(n, link);
	if (!c) {
		n->act.close(n->ctx, link->conn);
		if (!p->conn)
			dia_peer_lost(n, p, "no room for the connection");
		return;
	}
	c->peer = p;
	p->conn = c;
	p->info.conn = link->conn;
	c->state = p->info.state = DIA_WAIT_CEA;
	dia_base_send_cer(n, c);
}

void dia_node_up(struct dia_node *n, const struct dia_link *link, struct dia_peer *dialled, uint64_t now)
{
	struct dia_conn *c;

	n->now = now;
	if (dialled) {
		dialled_up(n, link, dialled);
		return;
	}
	c = conn_new(n, link);
	if (c)
		c->state = DIA_WAIT_CER;
	else
		n->act.close(n->ctx, link->conn);
}

void dia_node_down(struct dia_node *n, uint32_t conn, const char *why, uint64_t now)
{
	struct dia_conn *c = dia_conn_of_id(n, conn);

	n->now = now;
	if (c)
		dia_conn_forget(n, c, why);
}

static void tick(struct dia_node *n, struct dia_conn *c)
{
	bool over = n->now >= c->until;

	switch (c->state) {
	case DIA_WAIT_CER:
		if (over && c->held && c->peer->conn)
			dia_conn_drop(n, c->peer->conn, "dead: replaced by a newer connection");
		else if (over)
			dia_conn_drop(n, c, "no CER in time");
		break;
	case DIA_WAIT_CEA:
		if (over)
			dia_conn_drop(n, c, "no CEA in time");
		break;
	case DIA_OPEN:
	case DIA_SUSPECT:
		dia_watch_tick(n, c);
		break;
	case DIA_CLOSING:
		if (over)
			dia_conn_drop(n, c, "disconnected");
		break;
	case DIA_CLOSED:
	case DIA_WAIT_CONN:
		break;
	}
}

void dia_node_tick(struct dia_node *n, uint64_t now)
{
	n->now = now;
	for (struct dia_conn *c = n->conns; c < n->conns + n->conn_high; c++) {
		if (c->used)
			tick(n, c);
	}
	for (struct dia_peer *p = n->peers; p < n->peers + n->peer_high; p++)
		dia_peer_tick(n, p);
	dia_pending_tick(n);
}

bool dia_node_stop(struct dia_node *n, uint32_t disconnect_cause, uint64_t now)
{
	bool closed = true;

	n->now = now;
	n->stopping = true;
	for (struct dia_conn *c = n->conns; c < n->conns + n->conn_high; c++) {
		if (c->used)
			dia_conn_bye(n, c, disconnect_cause);
	}
	for (struct dia_conn *c = n->conns; c < n->conns + n->conn_high; c++) {
		if (c->used)
			tick(n, c);
		closed = closed && !c->used;
	}
	return closed;
}
