/* M3UA links of the HLR: who may connect, dialling, messages in and out (RFC 4666). */
#include "home/hlr_in.h"
#include "node/m3ua_node.h"

#include "base/log.h"
#include "base/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define ASSOCIATIONS 16
#define JOINS 256
#define BEAT_MS 30000
#define REDIAL_MS 2000
#define CLAUSE "R-5.6.1.h"

static void on_send(void *ctx, uint32_t conn, struct view bytes, uint8_t stream)
{
	struct home_worker *w = ctx;
	struct conn *c = conn_find(w->loop, conn);

	if (c)
		conn_write_on(c, bytes, stream);
}

static void on_close(void *ctx, uint32_t conn, const char *why)
{
	struct home_worker *w = ctx;
	struct conn *c = conn_find(w->loop, conn);

	LOG(LOG_NOTE, "home.m3ua_cut", KV("why", why));
	if (c)
		conn_close(c);
}

static void on_data(void *ctx, size_t server, uint32_t conn, const struct m3ua_data *d)
{
	const struct hlr_route by = {
	    .server = (uint32_t)server, .opc = d->dpc, .dpc = d->opc, .ni = d->ni, .sls = d->sls};

	(void)conn;
	if (d->si == M3UA_SCCP)
		hlr_take(ctx, &by, d->user);
}

static void on_state(void *ctx, size_t server, enum m3ua_state state)
{
	static const char *const names[] = {"down", "inactive", "active", "pending"};
	struct home_worker *w = ctx;

	LOG(LOG_NOTE, "home.m3ua", KV("state", names[state]),
	    KV("context", (uint64_t)w->hlr->conf->link[server].context));
}

static enum m3ua_reach on_audit(void *ctx, size_t server, uint32_t point)
{
	const struct home_worker *w = ctx;

	(void)server;
	return point == w->hlr->conf->point ? M3UA_REACHABLE : M3UA_UNREACHABLE;
}

static const struct m3ua_actions actions = {
    .send = on_send, .close = on_close, .data = on_data, .state = on_state, .audit = on_audit};

/* What we begin goes by whichever server is active; an answer by the one that the question came by.
 */
static void send_sccp(struct home_worker *w, const struct hlr_route *to, struct view sccp)
{
	struct m3ua_node *n = w->hlr->m3ua;
	const struct m3ua_data d = {.opc = to->opc,
				    .dpc = to->dpc,
				    .si = M3UA_SCCP,
				    .ni = to->ni,
				    .sls = to->sls,
				    .user = sccp};
	size_t server = to->server;

	if (server >= w->hlr->conf->link_n || m3ua_node_state(n, server) != M3UA_ACTIVE)
		server = m3ua_node_route(n, to->dpc, UINT32_MAX);
	if (server >= w->hlr->conf->link_n || m3ua_node_send(n, server, &d, loop_now(w->loop)))
		hlr_drop(HLR_DROP_UNSENT);
}

/* --- associations --- */

static bool may_connect(const struct hlr_link *l, struct view address)
{
	if (l->from[0])
		return address_within(address, view_of(l->from));
	return address_within(address, VIEW("127.0.0.0/8")) || address_within(address, VIEW("::1"));
}

static void conn_up(void *ctx, struct conn *c)
{
	struct hlr_end *e = ctx;
	struct home_worker *w = e->w;
	struct conn_info i = conn_info(c);
	const char *why = NULL;

	conn_set_ppid(c, PPID_M3UA);
	if (!i.outbound && !may_connect(&w->hlr->conf->link[e->index], i.address))
		why = "its address may not connect here";
	else if (m3ua_node_up(w->hlr->m3ua, e->index, conn_id(c), i.outbound, loop_now(w->loop)))
		why = "too many associations";
	if (!why)
		return;
	LOG(LOG_NOTE, "home.m3ua_refused", KV("address", i.address), KV("why", why),
	    KV_CLAUSE(CLAUSE));
	conn_close(c);
}

static void conn_message(void *ctx, struct conn *c, struct view frame)
{
	struct hlr_end *e = ctx;
	struct home_worker *w = e->w;
	struct arena before = w->mem; /* what is in it ends here: thousands of these may come in a batch */

	m3ua_node_frame(w->hlr->m3ua, conn_id(c), frame, &w->mem, loop_now(w->loop));
	w->mem = before;
	if (m3ua_node_is_active(w->hlr->m3ua, conn_id(c)))
		conn_proven(c);
}

static void conn_down(void *ctx, struct conn *c, const char *why)
{
	struct hlr_end *e = ctx;
	struct home_worker *w = e->w;

	m3ua_node_down(w->hlr->m3ua, conn_id(c), loop_now(w->loop));
	if (conn_info(c).outbound) {
		e->conn = 0;
		e->dial_ms = loop_now(w->loop) + REDIAL_MS;
	}
	LOG(LOG_NOTE, "home.m3ua_closed", KV("why", why));
}

static const struct conn_ops ops = {m3ua_frame, conn_up, conn_message, conn_down};

static void dial(struct home_worker *w, struct hlr_end *e)
{
	const struct hlr_link *l = &w->hlr->conf->link[e->index];
	struct conn *c;

	if (l->listens || e->conn || loop_now(w->loop) < e->dial_ms)
		return;
	c = loop_connect(w->loop, &l->at, NULL, &ops, e, e);
	e->conn = c ? conn_id(c) : 0;
	e->dial_ms = loop_now(w->loop) + REDIAL_MS;
}

/* --- its life --- */

static struct m3ua_node *make_node(struct home_worker *w, const struct hlr_conf *conf)
{
	struct m3ua_conf m = {
	    .link_max = ASSOCIATIONS, .beat_ms = BEAT_MS, .server_n = conf->link_n};

	for (size_t i = 0; i < conf->link_n; i++) {
		const struct hlr_link *l = &conf->link[i];

		m.server[i] = (struct m3ua_server){.role = l->role,
						   .mode = l->mode,
						   .group = (uint8_t)i,
						   .has_context = l->has_context,
						   .context = l->context};
		w->hlr->end[i] = (struct hlr_end){.w = w, .index = (uint8_t)i};
	}
	return m3ua_node_new(&m, &actions, w);
}

enum err hlr_start(struct home_worker *w, const struct hlr_conf *conf, char why[256])
{
	struct hlr *h = calloc(1, sizeof *h);
	uint8_t key[HASH_KEY];
	enum err err = ERR_OK;

	w->hlr = h;
	if (h && getrandom(key, sizeof key, 0) == sizeof key) {
		h->conf = conf;
		h->send = send_sccp;
		h->talks = hlr_talks_new(key);
		h->join = sccp_join_new(JOINS, key);
		h->m3ua = make_node(w, conf);
	}
	if (!h || !h->talks || !h->join || !h->m3ua) {
		snprintf(why, 256, "home: out of memory for MAP");
		return ERR_FULL;
	}
	for (size_t i = 0; i < conf->link_n && !err; i++) {
		const struct hlr_link *l = &conf->link[i];

		err = l->listens ? loop_listen(w->loop, &l->at, NULL, false, &ops, &h->end[i], why)
				 : loop_prepare(&l->at, why);
	}
	return err;
}

void hlr_tick(struct home_worker *w)
{
	struct hlr *h = w->hlr;

	if (!h || h->leaving)
		return;
	m3ua_node_tick(h->m3ua, loop_now(w->loop));
	for (size_t i = 0; i < h->conf->link_n; i++)
		dial(w, &h->end[i]);
	hlr_tick_dialogues(w);
}

void hlr_leave(struct home_worker *w)
{
	if (w->hlr && !w->hlr->leaving)
		m3ua_node_stop(w->hlr->m3ua, loop_now(w->loop));
	if (w->hlr)
		w->hlr->leaving = true;
}

void hlr_stop(struct hlr *h)
{
	if (!h)
		return;
	m3ua_node_free(h->m3ua);
	hlr_talks_free(h->talks);
	sccp_join_free(h->join);
	free(h);
}
