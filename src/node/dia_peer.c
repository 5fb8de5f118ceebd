/* Peers: who may be one, the election between two connections of one peer, and what follows when a
 * connection is gone (RFC 6733 §5.6). */
#include "node/inside.h"

#include "base/log.h"
#include "base/metric.h"

static struct dia_peer **bucket(struct dia_node *n, struct view host)
{
	uint32_t h = 2166136261u; /* FNV-1a over lower case; only names that were admitted get here */

	for (size_t i = 0; i < host.n; i++) {
		uint8_t b = host.p[i];

		h = (h ^ (b >= 'A' && b <= 'Z' ? b + 32u : b)) * 16777619u;
	}
	return &n->host_of[h & n->host_mask];
}

struct dia_peer *dia_peer_find(struct dia_node *n, struct view host)
{
	struct dia_peer *p = *bucket(n, host);

	while (p && !view_eq_case(p->info.host, host))
		p = p->host_next;
	return p;
}

static void unname(struct dia_node *n, struct dia_peer *p)
{
	struct dia_peer **at = bucket(n, p->info.host);

	if (p->info.host.n == 0)
		return;
	while (*at != p)
		at = &(*at)->host_next;
	*at = p->host_next;
	p->info.host.n = 0;
}

static void name(struct dia_node *n, struct dia_peer *p, struct view host)
{
	struct dia_peer **at;

	if (p->info.host.n > 0 && view_eq_case(p->info.host, host))
		return;
	unname(n, p);
	view_text(host, p->host, sizeof p->host);
	p->info.host = (struct view){ (const uint8_t *)p->host, host.n };
	at = bucket(n, host);
	p->host_next = *at;
	*at = p;
}

/* A free peer, or the place of the one that was not configured and has been away longest. */
static struct dia_peer *peer_new(struct dia_node *n)
{
	struct dia_peer *best = NULL;

	for (struct dia_peer *p = n->peers; p < n->peers + n->peer_n; p++) {
		if (!p->used) {
			best = p;
			break;
		}
		if (!p->configured && !p->removed && !p->conn && !p->held && !p->dialling &&
		    (!best || p->info.since_ms < best->info.since_ms))
			best = p;
	}
	if (!best)
		return NULL;
	unname(n, best);
	if (n->peers + n->peer_high == best)
		n->peer_high++;
	*best = (struct dia_peer){ .used = true, .pending_first = NO_PENDING, .backoff_ms = BACKOFF_MIN_MS };
	best->info.load = UINT64_MAX;
	best->info.since_ms = n->now;
	return best;
}

void dia_peer_free(struct dia_node *n, struct dia_peer *p)
{
	unname(n, p);
	p->used = p->removed = p->configured = false;
}

/* It is no longer open: what waits for its answers goes elsewhere. */
void dia_peer_down(struct dia_node *n, struct dia_peer *p, enum dia_peer_state to, const char *why)
{
	struct dia_peer **list = n->open[p->info.kind];
	bool was_open = p->info.state == DIA_OPEN;

	p->info.state = to;
	if (p->conn)
		p->conn->state = to;
	if (!was_open)
		return;
	list[p->open_at] = list[--n->open_n[p->info.kind]];
	list[p->open_at]->open_at = p->open_at;
	if (n->now - p->info.since_ms >= SETTLED_MS)
		p->backoff_ms = BACKOFF_MIN_MS;
	p->info.since_ms = n->now;
	metric_set(M_DIA_PEERS, 0, n->open_n[0] + n->open_n[1] + n->open_n[2]);
	n->act.peer_down(n->ctx, p, why);
	dia_pending_fail(n, p, why);
}

void dia_peer_retry(struct dia_node *n, struct dia_peer *p)
{
	uint64_t wait = p->backoff_ms;
	uint64_t most = p->info.kind == DIA_HOME ? BACKOFF_HOME_MS : BACKOFF_MAX_MS;

	p->dial_at = n->now + wait / 2 + dia_random(n, (uint32_t)wait);
	p->backoff_ms = wait * 2 < most ? wait * 2 : most;
}

/* The capabilities are exchanged on `c`: it is the peer's connection. */
static void take_up(struct dia_node *n, struct dia_peer *p, struct dia_conn *c)
{
	const struct dia_ce *ce = &c->ce;

	name(n, p, ce->host_v);
	view_text(ce->realm_v, p->realm, sizeof p->realm);
	p->info.realm = (struct view){ (const uint8_t *)p->realm, ce->realm_v.n };
	if (!p->configured)
		p->info.kind = ce->admit.kind;
	p->info.plmn = ce->admit.plmn;
	p->info.relay = ce->relay;
	p->info.app_n = ce->app_n;
	memcpy(p->info.apps, ce->apps, sizeof p->info.apps);
	p->info.conn = c->link.conn;
	p->info.secure = c->link.secure;
	p->info.doic = false;
	p->info.load = UINT64_MAX;
	p->state_id = ce->state_id;
	p->conn = c;
	p->held = NULL;
	c->peer = p;
	c->held = c->dwr_out = false;
	c->state = p->info.state = DIA_SUSPECT;
	dia_watch_start(n, c);
	p->dwa_due = p->reopen ? REOPEN_DWA : 0;
	if (!p->reopen) {
		dia_peer_open(n, p);
		return;
	}
	dia_watch_probe(n, c);
}

static void accept(struct dia_node *n, struct dia_peer *p, struct dia_conn *c)
{
	dia_base_send_cea(n, c, RESULT_SUCCESS);
	take_up(n, p, c);
}

static void refuse(struct dia_node *n, struct dia_conn *c, uint32_t result, const char *why)
{
	LOG(LOG_NOTE, "dia.peer.refused", KV("host", c->ce.host_v), KV("address", c->link.address),
	    KV("result", result), KV("why", why), KV_CLAUSE("R-3.b"));
	dia_base_send_cea(n, c, result);
	dia_conn_drop(n, c, why);
}

void dia_peer_lost(struct dia_node *n, struct dia_peer *p, const char *why)
{
	struct dia_conn *next = p->held;

	p->conn = NULL;
	p->info.conn = 0;
	dia_peer_down(n, p, DIA_CLOSED, why);
	if (p->conn || !p->used)
		return; /* the caller has removed it, in peer_down or lost */
	if (p->removed && !p->dialling)
		dia_peer_free(n, p);
	else if (next && p->held == next)
		accept(n, p, next);
	else if (p->configured)
		dia_peer_retry(n, p);
}

/* RFC 6733 §5.6.4: of two connections the one lives that the host of the higher name accepted. */
static bool we_win(const struct dia_node *n, struct view theirs)
{
	struct view ours = n->conf.host;
	int d;

	if (n->conf.dial_host.n > 0)
		return true; /* to them we are two peers, and they hold no election */
	d = memcmp(ours.p, theirs.p, ours.n < theirs.n ? ours.n : theirs.n);
	return d > 0 || (d == 0 && ours.n > theirs.n);
}

static void hold(struct dia_node *n, struct dia_peer *p, struct dia_conn *c, uint64_t wait_ms)
{
	p->held = c;
	c->held = true;
	c->peer = p;
	c->until = n->now + wait_ms;
}

/* We dialled it by a name of our own, so to the peer that is another peer, and it will go on dialling
 * us until we take its connection. */
static bool by_another_name(const struct dia_node *n, const struct dia_conn *c)
{
	return c->link.outbound && n->conf.dial_host.n > 0;
}

/* A peer that has a connection comes with another. If it restarted (its Origin-State-Id grew), or the
 * one it has is failing already, the new one is right. Else the old one must prove that it is alive. */
static void second(struct dia_node *n, struct dia_peer *p, struct dia_conn *c)
{
	struct dia_conn *old = p->conn;

	if (p->held) {
		refuse(n, c, RESULT_ELECTION_LOST, "a connection waits already");
		return;
	}
	if (old->state == DIA_WAIT_CEA) {
		hold(n, p, c, CE_WAIT_MS);
		if (we_win(n, c->ce.host_v))
			dia_conn_drop(n, old, "election won by the other connection");
		return;
	}
	if (n->stopping) {
		refuse(n, c, RESULT_ELECTION_LOST, "going away");
		return;
	}
	hold(n, p, c, PROBE_MS);
	if (old->state == DIA_OPEN && by_another_name(n, old)) {
		dia_base_send_dpr(n, old, DIA_BYE_DO_NOT_WANT);
	} else if (old->state == DIA_OPEN && c->ce.state_id <= p->state_id) {
		dia_watch_probe(n, old);
		return;
	}
	dia_conn_drop(n, old, "replaced by a newer connection");
}

void dia_peer_on_cer(struct dia_node *n, struct dia_conn *c)
{
	struct dia_peer *p = dia_peer_find(n, c->ce.host_v);

	if (c->ce.admit.result != RESULT_SUCCESS) {
		refuse(n, c, c->ce.admit.result, "not admitted");
		return;
	}
	if (p && p->conn) {
		second(n, p, c);
		return;
	}
	p = p ? p : peer_new(n);
	if (!p)
		refuse(n, c, RESULT_NO_ROOM, "too many peers");
	else
		accept(n, p, c);
}

/* A peer dialled without a name turns out to be one that we know by name. False: `c` is gone. */
static bool merge(struct dia_node *n, struct dia_peer *p, struct dia_conn *c, struct dia_peer *other)
{
	struct dia_conn *theirs = other->conn;

	if (other->configured) {
		dia_conn_drop(n, c, "another configured peer has this Origin-Host");
		return false;
	}
	if (!theirs || !we_win(n, c->ce.host_v)) {
		if (theirs)
			dia_conn_drop(n, theirs, "election lost");
		unname(n, other);
		return true;
	}
	/* Its connection stays, and becomes that of the configured peer. */
	theirs->peer = NULL;
	other->conn = NULL;
	dia_peer_down(n, other, DIA_CLOSED, "known by configuration now");
	unname(n, other);
	c->peer = NULL;
	p->conn = NULL;
	dia_conn_drop(n, c, "election won by the other connection");
	take_up(n, p, theirs);
	return false;
}

void dia_peer_on_cea(struct dia_node *n, struct dia_conn *c)
{
	struct dia_peer *p = c->peer, *other = dia_peer_find(n, c->ce.host_v);

	if (c->ce.admit.result != RESULT_SUCCESS) {
		dia_conn_drop(n, c, "not admitted");
		return;
	}
	if (p->named && !view_eq_case(p->info.host, c->ce.host_v)) {
		dia_conn_drop(n, c, "Origin-Host is not the configured one");
		return;
	}
	if (other && other != p && !merge(n, p, c, other))
		return;
	if (p->held) {
		struct dia_conn *loser = p->held;

		p->held = NULL;
		loser->peer = NULL;
		dia_conn_drop(n, loser, "election lost");
	}
	take_up(n, p, c);
}

struct dia_peer *dia_node_peer(struct dia_node *n, enum dia_peer_kind kind, struct view host, void *user)
{
	struct dia_peer *p = host.n > 0 ? dia_peer_find(n, host) : NULL;

	if (host.n >= DIA_TEXT_MAX || (p && p->configured))
		return NULL;
	while (p && p->conn && p->info.kind != kind) /* and the one that waits, which takes over */
		dia_conn_drop(n, p->conn, "configured as another kind of peer");
	p = p ? p : peer_new(n);
	if (!p)
		return NULL;
	p->configured = true;
	p->named = host.n > 0;
	p->info.kind = kind;
	p->info.user = user;
	p->dial_at = n->now;
	if (p->named)
		name(n, p, host);
	return p;
}

void dia_node_peer_remove(struct dia_node *n, struct dia_peer *p)
{
	p->configured = false;
	p->removed = true;
	p->info.user = NULL;
	if (p->held)
		dia_conn_drop(n, p->held, "peer removed");
	if (p->conn)
		dia_conn_bye(n, p->conn, DIA_BYE_DO_NOT_WANT);
	else if (!p->dialling)
		dia_peer_free(n, p);
	unname(n, p); /* whoever comes by this name now is another peer */
}

void dia_node_dial_failed(struct dia_node *n, struct dia_peer *p, const char *why, uint64_t now)
{
	n->now = now;
	p->dialling = false;
	if (p->removed && !p->conn)
		dia_peer_free(n, p);
	else if (!p->conn)
		dia_peer_lost(n, p, why);
}

void dia_peer_tick(struct dia_node *n, struct dia_peer *p)
{
	if (!p->used || !p->configured || p->dialling || p->info.state != DIA_CLOSED ||
	    n->now < p->dial_at || n->stopping)
		return;
	p->dialling = true;
	p->info.state = DIA_WAIT_CONN;
	n->act.dial(n->ctx, p);
}
