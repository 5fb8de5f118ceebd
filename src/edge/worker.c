#include "edge/worker.h"

#include "base/log.h"
#include "base/metric.h"
#include "edge/admit.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES (4 * 1024 * 1024)
#define MAILBOX_BYTES (4 * 1024 * 1024)
#define HOLD_MAX 16384
#define KEEP_MAX 16384
#define REBOOTING 0 /* Disconnect-Cause */

static void on_send(void *ctx, uint32_t conn, struct view bytes)
{
	struct edge_worker *w = ctx;
	struct conn *c = conn_find(w->loop, conn);

	if (c)
		conn_write(c, bytes);
}

static void on_close(void *ctx, uint32_t conn)
{
	struct edge_worker *w = ctx;
	struct conn *c = conn_find(w->loop, conn);

	if (c)
		conn_close(c);
}

static struct dia_link link_of(const struct conn *c)
{
	struct conn_info i = conn_info(c);

	return (struct dia_link){conn_id(c), i.outbound,   i.link == LINK_TLS, i.address,
				 i.local,    i.cert_names, i.cert_name_n};
}

static void conn_up(void *ctx, struct conn *c)
{
	struct edge_worker *w = ctx;
	struct dia_link l = link_of(c);

	dia_node_up(w->node, &l, l.outbound ? conn_user(c) : NULL, loop_now(w->loop));
}

static void conn_message(void *ctx, struct conn *c, struct view frame)
{
	struct edge_worker *w = ctx;

	dia_node_frame(w->node, conn_id(c), frame, &w->mem, loop_now(w->loop));
	arena_reset(&w->mem);
}

static void conn_down(void *ctx, struct conn *c, const char *why)
{
	struct edge_worker *w = ctx;
	struct dia_peer *dialled = conn_user(c);

	if (dialled && !dia_node_peer_of_conn(w->node, conn_id(c)))
		dia_node_dial_failed(w->node, dialled, why, loop_now(w->loop));
	else
		dia_node_down(w->node, conn_id(c), why, loop_now(w->loop));
}

static const struct conn_ops diameter = {dia_frame, conn_up, conn_message, conn_down};

static void on_dial(void *ctx, struct dia_peer *peer)
{
	struct edge_worker *w = ctx;
	const struct endpoint *to = dia_peer_info(peer)->user;

	if (!loop_connect(w->loop, to, to->link == LINK_TLS ? w->edge->conf->tls : NULL, &diameter,
			  w, peer))
		dia_node_dial_failed(w->node, peer, "out of connections", loop_now(w->loop));
}

static struct dia_admit on_admit(void *ctx, const struct dia_link *link, const struct msg *ce)
{
	struct edge_worker *w = ctx;
	struct view host = tab_get(ce, AVP_ORIGIN_HOST);
	const char *why = "";
	struct dia_admit a =
	    admit_peer(w->edge->conf, atomic_load(&w->edge->clear), w->book, link, ce, &why);

	if (a.result != 2001) {
		metric_add(M_EDGE_DROPPED, 4, 1);
		LOG(LOG_NOTE, "edge.peer_refused", KV_CLAUSE("R-5.6.1.h"),
		    kv_view("origin_host", host), kv_view("address", link->address),
		    kv_text("why", why), kv_num("result", a.result));
	}
	return a;
}

static struct seat seat_of(const struct edge_worker *w, const struct dia_peer_info *i)
{
	return (struct seat){w->index, (uint8_t)i->kind, i->relay, i->conn};
}

static void on_peer_up(void *ctx, struct dia_peer *peer)
{
	struct edge_worker *w = ctx;
	const struct dia_peer_info *i = dia_peer_info(peer);
	struct conn *c = conn_find(w->loop, i->conn);

	if (c)
		conn_proven(c);
	metric_add(M_EDGE_PEERS, i->kind, 1);
	LOG(LOG_NOTE, "edge.peer_up", kv_view("peer", i->host),
	    kv_text("secure", i->secure ? "yes" : "no"));
	if (i->kind != DIA_HOME &&
	    !directory_put(w->edge->directory, i->host, i->plmn, seat_of(w, i)))
		LOG(LOG_NOTE, "edge.peer_twice", kv_view("peer", i->host));
}

static void on_peer_down(void *ctx, struct dia_peer *peer, const char *why)
{
	struct edge_worker *w = ctx;
	const struct dia_peer_info *i = dia_peer_info(peer);

	metric_add(M_EDGE_PEERS, i->kind, UINT64_MAX); /* one less */
	LOG(LOG_NOTE, "edge.peer_down", kv_view("peer", i->host), kv_text("why", why));
	if (i->kind != DIA_HOME)
		directory_remove(w->edge->directory, i->host, seat_of(w, i));
}

static void batch_begin(void *ctx)
{
	struct edge_worker *w = ctx;

	if (serving_renew(w->read, loop_now(w->loop)) != ERR_OK)
		metric_add(M_SERVING_STALE, 0, 1);
}

static void batch_end(void *ctx)
{
	(void)ctx; /* the loop writes what was queued */
}

static void send_held(void *ctx, uint32_t conn, struct view answer)
{
	struct edge_worker *w = ctx;

	edge_send(w, w->index, conn, answer);
}

static void every_16_ms(void *ctx)
{
	struct edge_worker *w = ctx;

	hold_due(w->hold, loop_now(w->loop), send_held, w);
	ss7_tick(w->ss7);
}

static void every_100_ms(void *ctx)
{
	struct edge_worker *w = ctx;

	dia_node_tick(w->node, loop_now(w->loop));
	if (atomic_load(&w->edge->stop) && !w->stopped) {
		ss7_stop(w->ss7);
		w->stopped = dia_node_stop(w->node, REBOOTING, loop_now(w->loop));
		if (w->stopped)
			loop_stop(w->loop);
	}
}

static void every_second(void *ctx)
{
	struct edge_worker *w = ctx;

	ss7_second(w->ss7);
	refusals_flush(&w->refusals);
	metric_set(M_LOG_LOST, 0, log_lost());
	if (w->index == 0)
		edge_live_state(w->edge, loop_wall(w->loop));
}

static const struct dia_actions actions = {
    .send = on_send,
    .close = on_close,
    .dial = on_dial,
    .admit = on_admit,
    .peer_up = on_peer_up,
    .peer_down = on_peer_down,
    .request = edge_request,
    .ahead = edge_ahead,
    .answer = edge_answer,
    .lost = edge_lost,
};

static void name_faces(struct edge_worker *w)
{
	const struct edge_conf *c = w->edge->conf;
	struct dia_node_conf *n = &w->conf;
	const uint8_t *label;

	*n = (struct dia_node_conf){
	    .host = c->host,
	    .realm = c->realm,
	    .product = VIEW("Merlon"),
	    .vendor_id = VENDOR_3GPP,
	    .apps = {DIA_APP_S6A, DIA_APP_S13, DIA_APP_RELAY},
	    .app_n = 3,
	    .state_id = (uint32_t)(loop_wall(w->loop) / 1000),
	    .watchdog_ms = c->watchdog_ms,
	    .peer_max = c->conn_max + 2 * EDGE_LIST_MAX,
	    .pending_max = c->in_flight,
	    .pending_ms = c->answer_ms,
	};
	w->partner_face = *n;
	/* Towards home each worker is a node of its own, and so is another edge's (edge.host). */
	label = memchr(c->host.p, '.', c->host.n);
	snprintf(w->host_text, sizeof w->host_text, "%.*s-%u.%.*s",
		 label ? (int)(label - c->host.p) : (int)c->host.n, c->host.p, w->index,
		 (int)c->realm.n, c->realm.p);
	w->host = view_of(w->host_text);
	n->dial_host = w->host;
}

static enum err open_parts(struct edge_worker *w)
{
	struct edge *e = w->edge;

	w->read = serving_reader(e->serving);
	w->hold = hold_new(HOLD_MAX);
	w->keep = keep_new(KEEP_MAX);
	w->mem = (struct arena){malloc(ARENA_BYTES), 0, ARENA_BYTES};
	w->node = dia_node_new(&w->conf, &actions, w);
	if (!w->read || !w->hold || !w->keep || !w->mem.base || !w->node)
		return ERR_FULL;
	dia_node_strict(w->node, DIA_RELAY);
	w->book = serving_book(w->read);
	w->judge = judge_new(w->book, e->sightings, e->target, EDGE_PARTITION_MAX, e->key);
	if (!w->judge)
		return ERR_FULL;
	judge_identity(w->judge, e->conf->host, e->conf->realm);
	return ERR_OK;
}

enum err worker_open(struct edge *e, size_t index, char why[256])
{
	struct edge_worker *w = &e->worker[index];
	struct loop_limits limits = {.conn_max = e->conf->conn_max,
				     .frame_max = DIA_FRAME_MAX,
				     .out_max = 8 * 1024 * 1024,
				     .handshake_ms = 5000,
				     .stranger_max = e->conf->stranger_max,
				     .stranger_address_max = e->conf->stranger_address_max,
				     .address_max = e->conf->address_max,
				     .out_total_max = e->conf->unread_max};

	w->edge = e;
	w->index = (uint8_t)index;
	w->loop = loop_new(&limits);
	if (w->loop)
		name_faces(w);
	if (!w->loop || open_parts(w) != ERR_OK) {
		snprintf(why, 256, "edge: out of memory for worker %zu", index);
		return ERR_FULL;
	}
	/* SCTP: one stack, one worker. */
	if (index == 0 && ss7_open(&w->ss7, w, &e->conf->ss7, why) != ERR_OK)
		return ERR_FULL;
	loop_batch(w->loop, batch_begin, batch_end, w);
	loop_every(w->loop, 16, every_16_ms, w);
	loop_every(w->loop, 100, every_100_ms, w);
	loop_every(w->loop, 1000, every_second, w);
	return ERR_OK;
}

enum err worker_listen(struct edge_worker *w, char why[256])
{
	const struct edge_conf *c = w->edge->conf;
	enum err err = ERR_OK;

	for (size_t i = 0; i < c->listen_n && !err; i++) {
		if (c->listen[i].link == LINK_SCTP && w->index > 0)
			continue; /* one stack, one worker */
		err =
		    loop_listen(w->loop, &c->listen[i], c->tls, c->workers > 1, &diameter, w, why);
	}
	for (size_t i = 0; i < c->home_n && !err; i++)
		err = loop_prepare(&c->home[i], why);
	for (size_t i = 0; i < c->partition_n && !err; i++)
		err = loop_prepare(&c->partition[i].at, why);
	return err ? err : ss7_listen(w->ss7, why);
}

void worker_free(struct edge_worker *w)
{
	ss7_free(w->ss7);
	judge_free(w->judge);
	dia_node_free(w->node);
	serving_read_free(w->read);
	hold_free(w->hold);
	keep_free(w->keep);
	free(w->mem.base);
	for (size_t i = 0; i < WORKER_MAX; i++) {
		if (w->to[i])
			mailbox_free(w->to[i]);
	}
	loop_free(w->loop);
}
