/* The edge's M3UA links: who may connect, dialling, what the servers' states mean to the other side. */
#include "edge/ss7_inside.h"

#include "base/log.h"
#include "base/metric.h"

#include <stdio.h>
#include <stdlib.h>

#define ASSOCIATIONS 64
#define DIALOGUES    262144
#define JOINS        1024
#define HELD         4096
#define DIAL_MS      500 /* then twice that, up to 30 s */
#define DIAL_MAX_MS  30000
#define BEAT_MS      30000
#define LATE_MS      0 /* a restart forgives nothing: who was cut off in a dialogue begins anew */

static const char *const side_names[] = { "home", "outside" };

/* --- what the node asks for -------------------------------------------------------------------- */

static void on_send(void *ctx, uint32_t conn, struct view bytes, uint8_t stream)
{
	struct ss7 *s = ctx;
	struct conn *c = conn_find(s->w->loop, conn);

	if (c)
		conn_write_on(c, bytes, stream);
}

static void on_close(void *ctx, uint32_t conn, const char *why)
{
	struct ss7 *s = ctx;
	struct conn *c = conn_find(s->w->loop, conn);

	LOG(LOG_NOTE, "edge.m3ua_cut", kv_text("why", why));
	if (c)
		conn_close(c);
}

static void on_data(void *ctx, size_t server, uint32_t conn, const struct m3ua_data *d)
{
	(void)conn;
	ss7_msu(ctx, server, d);
}

/* Whoever stands on the other side learns whether what is behind this server can be reached. */
static void pass_on(struct ss7 *s, size_t server, uint32_t point, enum m3ua_reach reach)
{
	uint32_t others = s->side[!s->conf->link[server].outside];

	for (size_t i = 0; i < s->conf->link_n; i++) {
		if (others >> i & 1 && s->conf->link[i].role == M3UA_SGP)
			m3ua_node_tell(s->node, i, point, reach);
	}
}

static void on_state(void *ctx, size_t server, enum m3ua_state state)
{
	static const char *const names[] = { "down", "inactive", "active", "pending" };
	struct ss7 *s = ctx;
	const struct ss7_link *l = &s->conf->link[server];
	uint64_t active = 0;

	for (size_t i = 0; i < s->conf->link_n; i++)
		active += s->conf->link[i].outside == l->outside &&
			  m3ua_node_state(s->node, i) == M3UA_ACTIVE;
	metric_set(M_EDGE_SS7_ACTIVE, l->outside, active);
	LOG(LOG_NOTE, "edge.m3ua", kv_text("side", side_names[l->outside]), kv_text("state", names[state]),
	    kv_num("context", l->context));
	for (size_t i = 0; i < M3UA_POINTS && l->point[i] && state != M3UA_PENDING; i++)
		pass_on(s, server, l->point[i], state == M3UA_ACTIVE ? M3UA_REACHABLE : M3UA_UNREACHABLE);
}

static void on_reach(void *ctx, size_t server, uint32_t point, uint8_t mask, enum m3ua_reach reach)
{
	static const char *const names[] = { "available", "unavailable", "congested" };

	LOG(LOG_NOTE, "edge.point_code", kv_num("point", point), kv_num("mask", mask),
	    kv_text("is", names[reach]));
	if (mask == 0)
		pass_on(ctx, server, point, reach);
}

static enum m3ua_reach on_audit(void *ctx, size_t server, uint32_t point)
{
	const struct ss7 *s = ctx;
	uint32_t others = s->side[!s->conf->link[server].outside];
	size_t to;

	if (point == s->conf->point)
		return M3UA_REACHABLE;
	to = m3ua_node_route(s->node, point, others);
	return to < s->conf->link_n && m3ua_node_state(s->node, to) == M3UA_ACTIVE ? M3UA_REACHABLE :
										     M3UA_UNREACHABLE;
}

static void on_error(void *ctx, uint32_t conn, uint32_t code, bool sent)
{
	(void)ctx;
	(void)conn;
	LOG(LOG_NOTE, "edge.m3ua_error", kv_num("code", code), kv_text("by", sent ? "us" : "peer"));
}

static const struct m3ua_actions actions = { on_send, on_close, on_data, on_state, on_reach, on_audit,
					     on_error };

/* --- associations ------------------------------------------------------------------------------ */

static bool may_connect(const struct ss7_row *r, const struct conn *c)
{
	const struct ss7_link *l = &r->ss7->conf->link[r->index];

	return !l->from[0] || address_within(conn_info(c).address, view_of(l->from));
}

static void conn_up(void *ctx, struct conn *c)
{
	struct ss7_row *r = ctx;
	struct ss7 *s = r->ss7;
	bool outbound = conn_info(c).outbound;

	conn_set_ppid(c, PPID_M3UA);
	if (!outbound && !may_connect(r, c)) {
		metric_add(M_EDGE_DROPPED, 4, 1);
		LOG(LOG_NOTE, "edge.m3ua_refused", KV_CLAUSE("R-5.6.1.h"),
		    kv_view("address", conn_info(c).address),
		    kv_text("why", "its address may not connect here"));
		conn_close(c);
		return;
	}
	r->wait_ms = 0;
	if (m3ua_node_up(s->node, r->group, conn_id(c), outbound, loop_now(s->w->loop)) != ERR_OK) {
		LOG(LOG_NOTE, "edge.m3ua_refused", kv_view("address", conn_info(c).address),
		    kv_text("why", "too many associations"));
		conn_close(c);
	}
}

static void conn_message(void *ctx, struct conn *c, struct view frame)
{
	struct ss7 *s = ((struct ss7_row *)ctx)->ss7;
	uint32_t id = conn_id(c);

	m3ua_node_frame(s->node, id, frame, &s->w->mem, loop_now(s->w->loop));
	arena_reset(&s->w->mem);
	if (!conn_info(c).outbound && m3ua_node_is_active(s->node, id))
		conn_proven(c);
}

static void conn_down(void *ctx, struct conn *c, const char *why)
{
	struct ss7_row *r = ctx;
	struct ss7 *s = r->ss7;
	uint64_t now = loop_now(s->w->loop);

	m3ua_node_down(s->node, conn_id(c), now);
	if (conn_info(c).outbound) {
		r->conn = 0;
		r->wait_ms = r->wait_ms == 0 ? DIAL_MS :
			     r->wait_ms < DIAL_MAX_MS / 2 ? 2 * r->wait_ms : DIAL_MAX_MS;
		r->dial_ms = now + r->wait_ms;
	}
	LOG(LOG_NOTE, "edge.m3ua_closed", kv_text("side", side_names[s->conf->link[r->index].outside]),
	    kv_text("why", why));
}

static const struct conn_ops m3ua = { m3ua_frame, conn_up, conn_message, conn_down };

static void dial(struct ss7_row *r, uint64_t now)
{
	const struct ss7_link *l = &r->ss7->conf->link[r->index];
	struct conn *c;

	if (l->listens || r->conn || r->group != r->index || now < r->dial_ms)
		return;
	c = loop_connect(r->ss7->w->loop, &l->at, NULL, &m3ua, r, r);
	r->conn = c ? conn_id(c) : 0;
	r->dial_ms = now + DIAL_MAX_MS;
}

/* --- its life ---------------------------------------------------------------------------------- */

/* Servers that are reached by the same endpoint share its associations. */
static uint8_t group_of(const struct ss7_conf *c, size_t link)
{
	char own[ENDPOINT_TEXT], other[ENDPOINT_TEXT];

	endpoint_text(&c->link[link].at, own);
	for (size_t i = 0; i < link; i++) {
		endpoint_text(&c->link[i].at, other);
		if (strcmp(own, other) == 0 && c->link[i].listens == c->link[link].listens)
			return (uint8_t)i;
	}
	return (uint8_t)link;
}

static void fill(struct ss7 *s, struct m3ua_conf *m)
{
	*m = (struct m3ua_conf){ .link_max = ASSOCIATIONS, .beat_ms = BEAT_MS, .server_n = s->conf->link_n };
	for (size_t i = 0; i < s->conf->link_n; i++) {
		const struct ss7_link *l = &s->conf->link[i];
		struct m3ua_server *to = &m->server[i];

		s->row[i] = (struct ss7_row){ .ss7 = s, .index = (uint8_t)i, .group = group_of(s->conf, i) };
		s->side[l->outside] |= 1u << i;
		*to = (struct m3ua_server){ .role = l->role, .mode = l->mode, .group = s->row[i].group,
					    .has_context = l->has_context, .context = l->context };
		memcpy(to->point, l->point, sizeof to->point);
	}
}

enum err ss7_open(struct ss7 **out, struct edge_worker *w, const struct ss7_conf *conf, char why[256])
{
	struct map_conf map = conf->map;
	struct m3ua_conf m;
	struct ss7 *s;

	*out = NULL;
	if (conf->link_n == 0)
		return ERR_OK;
	s = *out = calloc(1, sizeof *s);
	if (s) {
		s->w = w;
		s->conf = conf;
		fill(s, &m);
		map.dialogue_n = DIALOGUES;
		map.join_n = JOINS;
		map.late_ms = LATE_MS;
		s->node = m3ua_node_new(&m, &actions, s);
		s->map = map_node_new(&map, w->book, w->edge->key);
		s->hold = hold_new(HELD);
		s->sms = conf->sms_router ? ss7_sms_new(conf->sms_router) : NULL;
	}
	if (s && s->node && s->map && s->hold && (s->sms || !conf->sms_router))
		return ERR_OK;
	snprintf(why, 256, "edge: out of memory for SS7");
	return ERR_FULL;
}

enum err ss7_listen(struct ss7 *s, char why[256])
{
	enum err err = ERR_OK;

	for (size_t i = 0; s && i < s->conf->link_n && !err; i++) {
		const struct ss7_link *l = &s->conf->link[i];

		if (s->row[i].group != i)
			continue;
		err = l->listens ? loop_listen(s->w->loop, &l->at, NULL, false, &m3ua, &s->row[i], why) :
				   loop_prepare(&l->at, why);
	}
	return err;
}

void ss7_tick(struct ss7 *s)
{
	uint64_t now;

	if (!s)
		return;
	now = loop_now(s->w->loop);
	hold_due(s->hold, now, ss7_send_held, s);
	if (s->stopped)
		return;
	m3ua_node_tick(s->node, now);
	for (size_t i = 0; i < s->conf->link_n; i++)
		dial(&s->row[i], now);
}

void ss7_second(struct ss7 *s)
{
	if (s)
		map_lost(s->map, loop_wall(s->w->loop), s->w->edge->conf->answer_ms, ss7_lost, s);
}

void ss7_stop(struct ss7 *s)
{
	if (!s || s->stopped)
		return;
	s->stopped = true;
	m3ua_node_stop(s->node, loop_now(s->w->loop));
}

void ss7_free(struct ss7 *s)
{
	if (!s)
		return;
	m3ua_node_free(s->node);
	map_node_free(s->map);
	hold_free(s->hold);
	free(s->sms);
	free(s);
}
