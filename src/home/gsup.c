/* GSUP connections: who may have one, the identity handshake (CCM), and what happens to silence, floods and
 * garbage. The protocol authenticates nobody: a name must be known, and come from where it may. */
#include "home/gsup_in.h"

#include "base/log.h"
#include "base/metric.h"

#include <stdio.h>
#include <stdlib.h>

#define CLAUSE "R-5.6.1.h"

void gsup_drop(enum gsup_drop why)
{
	metric_add(M_GSUP_DROPPED, why, 1);
}

static struct gsup_node *node_of_conn(struct gsup *g, uint32_t conn)
{
	for (size_t i = 0; i < GSUP_NODES; i++) {
		if (g->node[i].conn == conn)
			return &g->node[i];
	}
	return NULL;
}

struct gsup_node *gsup_node_of(struct gsup *g, const char *host)
{
	for (size_t i = 0; i < GSUP_NODES; i++) {
		if (g->node[i].conn && !g->node[i].closing && strcmp(g->node[i].host, host) == 0)
			return &g->node[i];
	}
	return NULL;
}

void gsup_write(struct home_worker *w, uint32_t conn)
{
	struct conn *c = conn_find(w->loop, conn);

	if (w->out.err)
		LOG(LOG_ERROR, "home.gsup_too_long", KV("error", err_text(w->out.err)));
	else if (c)
		conn_write(c, wr_done(&w->out));
	secret_wipe(w->out.p, w->out.n);
	w->out.n = 0;
	w->out.err = ERR_OK;
}

static void begin(struct home_worker *w)
{
	w->out.n = 0;
	w->out.err = ERR_OK;
}

static void send_ccm(struct home_worker *w, uint32_t conn, uint8_t kind)
{
	begin(w);
	ipa_end(&w->out, ipa_begin(&w->out, IPA_CCM, kind));
	gsup_write(w, conn);
}

/* Nothing more is heard of it, or sent. `n` may be NULL: it never had a place. */
static void cut(struct gsup_node *n, struct conn *c, enum gsup_drop why, const char *text, struct view name)
{
	gsup_drop(why);
	LOG(LOG_NOTE, "home.gsup_refused", KV("why", text), KV("name", name),
	    KV("address", conn_info(c).address), KV_CLAUSE(CLAUSE));
	conn_close(c);
	if (n)
		n->closing = true;
}

/* --- coming and going --- */

static void on_up(void *ctx, struct conn *c)
{
	struct home_worker *w = ctx;
	struct gsup *g = w->gsup;
	struct gsup_node *n = node_of_conn(g, 0);

	if (!gsup_known_from(g->conf, (struct view){0}, conn_info(c).address)) {
		cut(NULL, c, DROP_SOURCE, "no node of ours is there", (struct view){0});
		return;
	}
	if (!n) {
		cut(NULL, c, DROP_FULL, "too many nodes", (struct view){0});
		return;
	}
	*n = (struct gsup_node){.conn = conn_id(c)};
	n->up_ms = n->heard_ms = n->window_ms = loop_now(w->loop);
	begin(w);
	ipa_put_id_get(&w->out);
	gsup_write(w, n->conn);
}

static void on_down(void *ctx, struct conn *c, const char *why)
{
	struct home_worker *w = ctx;
	struct gsup_node *n = node_of_conn(w->gsup, conn_id(c));
	struct gsup_wait *wait;

	if (!n)
		return;
	if (n->host[0])
		LOG(LOG_NOTE, "home.gsup_down", KV("host", (const char *)n->host), KV("why", why));
	*n = (struct gsup_node){0}; /* first: nobody answers it any more */
	while ((wait = gsup_wait_of(w->gsup->waits, conn_id(c))))
		gsup_settle(w, wait, END_LOST);
}

/* A node that comes again under its name has lost its old connection. */
static void identify(struct home_worker *w, struct gsup_node *n, struct conn *c, struct view name)
{
	struct gsup_node *old;
	char host[REG_HOST];

	if (name.n == 0 || !gsup_known_from(w->gsup->conf, name, conn_info(c).address)) {
		cut(n, c, DROP_NAME, "not a name that may come from there", name);
		return;
	}
	snprintf(host, sizeof host, NODE_GSUP "%.*s", (int)name.n, (const char *)name.p);
	old = gsup_node_of(w->gsup, host);
	if (old && old != n) {
		struct conn *gone = conn_find(w->loop, old->conn);

		on_down(w, gone, "connected anew");
		conn_close(gone);
	}
	memcpy(n->host, host, sizeof host);
	conn_proven(c);
	send_ccm(w, n->conn, IPA_ID_ACK);
	LOG(LOG_NOTE, "home.gsup_up", KV("host", (const char *)n->host), KV("address", conn_info(c).address));
}

/* --- what comes --- */

static void take_ccm(struct home_worker *w, struct gsup_node *n, struct conn *c, const struct ipa *i)
{
	switch (i->kind) {
	case IPA_PING:
		send_ccm(w, n->conn, IPA_PONG);
		break;
	case IPA_ID_RESP:
		if (!n->host[0])
			identify(w, n, c, ipa_name(i->body));
		break;
	default:
		break; /* PONG; ID_ACK, which is not answered: two of us would never end */
	}
}

static void on_message(void *ctx, struct conn *c, struct view frame)
{
	struct home_worker *w = ctx;
	struct gsup_node *n = node_of_conn(w->gsup, conn_id(c));
	struct ipa i;

	if (!n || n->closing || ipa_parse(frame, &i))
		return;
	if (i.stream == IPA_CCM) {
		n->heard_ms = loop_now(w->loop);
		n->pinged = false;
		take_ccm(w, n, c, &i);
	} else if (!n->host[0]) {
		cut(n, c, DROP_EARLY, "asks before it has said who it is", (struct view){0});
	} else if (i.kind == IPA_OSMO_GSUP) {
		n->heard_ms = loop_now(w->loop);
		n->pinged = false;
		gsup_take(w, n, i.body);
	} else {
		gsup_drop(DROP_MALFORMED);
	}
}

static size_t frame(struct view in)
{
	size_t n = ipa_frame(in);

	if (n == SIZE_MAX)
		gsup_drop(ipa_oversize(in) ? DROP_OVERSIZE : DROP_FRAME);
	return n;
}

static const struct conn_ops ops = {frame, on_up, on_message, on_down};

/* --- time --- */

static void look_at(struct home_worker *w, struct gsup_node *n, uint64_t now)
{
	uint64_t idle = w->gsup->conf->idle_ms;
	struct conn *c = conn_find(w->loop, n->conn);

	if (!c || n->closing)
		return;
	if (!n->host[0]) {
		if (now - n->up_ms > GSUP_IDENTIFY_MS)
			cut(n, c, DROP_IDLE, "does not say who it is", (struct view){0});
	} else if (now - n->heard_ms > idle) {
		cut(n, c, DROP_IDLE, "silent", view_of(n->host));
	} else if (!n->pinged && now - n->heard_ms > idle / 2) {
		n->pinged = true;
		send_ccm(w, n->conn, IPA_PING);
	}
}

void gsup_tick(struct home_worker *w)
{
	uint64_t now = loop_now(w->loop);
	struct gsup_wait *wait;
	uint64_t up = 0;

	if (!w->gsup)
		return;
	for (size_t i = 0; i < GSUP_NODES; i++) {
		struct gsup_node *n = &w->gsup->node[i];

		if (n->conn)
			look_at(w, n, now);
		up += n->conn && n->host[0];
	}
	while ((wait = gsup_wait_late(w->gsup->waits, now)))
		gsup_settle(w, wait, END_LOST);
	metric_set(M_GSUP_NODES, 0, up);
}

enum err gsup_start(struct home_worker *w, const struct gsup_conf *conf, char why[256])
{
	struct gsup *g = calloc(1, sizeof *g);
	enum err err = ERR_OK;

	w->gsup = g;
	if (g)
		g->waits = gsup_waits_new();
	if (!g || !g->waits) {
		snprintf(why, 256, "home: out of memory for GSUP");
		return ERR_FULL;
	}
	g->conf = conf;
	for (size_t i = 0; i < conf->listen_n && !err; i++)
		err = loop_listen(w->loop, &conf->listen[i], NULL, false, &ops, w, why);
	return err;
}

void gsup_stop(struct gsup *g)
{
	if (g)
		gsup_waits_free(g->waits);
	free(g);
}
