/* Is the other end alive: the watchdog of RFC 3539 §3.4.1. OKAY is DIA_OPEN, SUSPECT and REOPEN are
 * DIA_SUSPECT (REOPEN while `dwa_due`), DOWN is DIA_CLOSED.
 *
 * One deviation: in REOPEN the three watchdogs are sent one upon the other's answer, not Tw apart. They
 * prove the same, and a home network with a single HSS would otherwise be deaf for a minute. */
#include "node/inside.h"

#include "base/metric.h"

#define JITTER_MS 2000

void dia_watch_start(struct dia_node *n, struct dia_conn *c)
{
	c->mark = n->now;
	c->tw_ms = n->conf.watchdog_ms - JITTER_MS + dia_random(n, 2 * JITTER_MS + 1);
}

void dia_watch_probe(struct dia_node *n, struct dia_conn *c)
{
	if (c->dwr_out)
		return;
	c->dwr_out = true;
	dia_watch_start(n, c);
	dia_base_send_dwr(n, c);
}

void dia_peer_open(struct dia_node *n, struct dia_peer *p)
{
	struct dia_peer **list = n->open[p->info.kind];

	p->info.state = p->conn->state = DIA_OPEN;
	p->info.since_ms = n->now;
	p->open_at = n->open_n[p->info.kind]++;
	list[p->open_at] = p;
	p->reopen = false;
	metric_set(M_DIA_PEERS, 0, n->open_n[0] + n->open_n[1] + n->open_n[2]);
	n->act.peer_up(n->ctx, p);
}

void dia_watch_heard(struct dia_node *n, struct dia_conn *c, bool dwa)
{
	struct dia_peer *p = c->peer;

	c->mark = n->now;
	if (dwa)
		c->dwr_out = false;
	if (c->state != DIA_SUSPECT)
		return;
	if (p->dwa_due == 0) { /* SUSPECT: any sign of life will do */
		c->dwr_out = false;
		dia_peer_open(n, p);
	} else if (dwa && --p->dwa_due == 0) {
		dia_peer_open(n, p);
	} else if (dwa) {
		dia_watch_probe(n, c);
	}
}

void dia_watch_tick(struct dia_node *n, struct dia_conn *c)
{
	if (n->now - c->mark < c->tw_ms)
		return;
	if (c->state == DIA_SUSPECT) {
		c->peer->reopen = true;
		metric_add(M_DIA_WATCHDOG, 1, 1);
		dia_conn_drop(n, c, "watchdog unanswered");
	} else if (c->dwr_out) {
		dia_watch_start(n, c);
		c->peer->dwa_due = 0;
		metric_add(M_DIA_WATCHDOG, 0, 1);
		dia_peer_down(n, c->peer, DIA_SUSPECT, "watchdog unanswered");
	} else {
		dia_watch_probe(n, c);
	}
}
