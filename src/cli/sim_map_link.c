/* The association of merlon simulate --map: an application server that dials (RFC 4666). */
#include "cli/sim_map.h"

#include <stdio.h>

static void on_send(void *ctx, uint32_t conn, struct view bytes, uint8_t stream)
{
	struct sim_map *s = ctx;
	struct conn *c = conn_find(s->loop, conn);

	if (c)
		conn_write_on(c, bytes, stream);
}

static void on_close(void *ctx, uint32_t conn, const char *why)
{
	struct sim_map *s = ctx;
	struct conn *c = conn_find(s->loop, conn);

	fprintf(stderr, "merlon simulate: M3UA: %s\n", why);
	if (c)
		conn_close(c);
}

static void on_state(void *ctx, size_t server, enum m3ua_state state)
{
	struct sim_map *s = ctx;

	(void)server;
	s->up = state == M3UA_ACTIVE;
}

static void on_data(void *ctx, size_t server, uint32_t conn, const struct m3ua_data *d)
{
	struct sim_map *s = ctx;
	struct sccp_address own, peer;
	struct arena mem = s->mem;
	struct hlr_heard h;
	struct msg sccp;

	(void)server;
	(void)conn;
	if (d->si != M3UA_SCCP || sccp_parse(&sccp, d->user, &mem) ||
	    !tab_slot(&sccp, SCCP_CLASS) || sccp_address(&own, tab_get(&sccp, SCCP_CALLED)) ||
	    sccp_address(&peer, tab_get(&sccp, SCCP_CALLING)) ||
	    hlr_hear(&h, tab_get(&sccp, SCCP_DATA), &mem))
		return;
	sim_map_heard(s, own.ssn, peer.ssn, &h);
}

static void conn_up(void *ctx, struct conn *c)
{
	struct sim_map *s = ctx;

	conn_set_ppid(c, PPID_M3UA);
	if (m3ua_node_up(s->node, 0, conn_id(c), true, loop_now(s->loop)))
		conn_close(c);
}

static void conn_message(void *ctx, struct conn *c, struct view frame)
{
	struct sim_map *s = ctx;

	m3ua_node_frame(s->node, conn_id(c), frame, &s->mem, loop_now(s->loop));
	arena_reset(&s->mem);
}

static void conn_down(void *ctx, struct conn *c, const char *why)
{
	struct sim_map *s = ctx;

	m3ua_node_down(s->node, conn_id(c), loop_now(s->loop));
	if (s->leaving)
		return;
	fprintf(stderr, "merlon simulate: no association: %s\n", why);
	s->failed = true;
	loop_stop(s->loop);
}

bool sim_map_open(struct sim_map *s)
{
	static const struct m3ua_actions actions = {
	    .send = on_send, .close = on_close, .data = on_data, .state = on_state};
	struct m3ua_conf m = {.server_n = 1, .link_max = 1};

	m.server[0] = (struct m3ua_server){.role = M3UA_ASP,
					   .has_context = s->conf.has_context,
					   .context = (uint32_t)s->conf.context};
	s->node = m3ua_node_new(&m, &actions, s);
	return s->node != NULL;
}

void sim_map_dial(struct sim_map *s)
{
	static const struct conn_ops ops = {m3ua_frame, conn_up, conn_message, conn_down};

	s->conn = loop_connect(s->loop, &s->conf.to, NULL, &ops, s, s);
	if (!s->conn)
		s->failed = true;
}

uint64_t sim_map_number(const struct sim_map *s, uint8_t ssn)
{
	char text[24];

	snprintf(text, sizeof text, "%s%u", s->conf.prefix,
		 ssn == SSN_VLR	   ? 100u
		 : ssn == SSN_MSC  ? 200u
		 : ssn == SSN_SGSN ? 300u
				   : 900u);
	return bcd_of(view_of(text));
}

void sim_map_send(struct sim_map *s, uint8_t ssn, uint8_t ssn_to, const struct wr *w)
{
	uint8_t called[32], calling[32];
	struct wr a = {.p = called, .cap = sizeof called},
		  b = {.p = calling, .cap = sizeof calling};
	struct wr out = {.p = s->sccp, .cap = sizeof s->sccp};
	struct m3ua_data d = {.opc = (uint32_t)s->conf.point,
			      .dpc = (uint32_t)s->conf.hlr_point,
			      .si = M3UA_SCCP,
			      .ni = 2};
	char text[BCD_TEXT];

	bcd_text(s->conf.hlr, text);
	sccp_put_title(&a, ssn_to, view_of(text));
	bcd_text(sim_map_number(s, ssn), text);
	sccp_put_title(&b, ssn, view_of(text));
	sccp_put_udt(&out, wr_done(&a), wr_done(&b), wr_done(w));
	d.user = wr_done(&out);
	if (w->err || out.err || m3ua_node_send(s->node, 0, &d, loop_now(s->loop)))
		return; /* silence, then */
}
