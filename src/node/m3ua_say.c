/* M3UA messages of our own (RFC 4666 3). */
#include "node/m3ua_inside.h"

struct wr m3ua_writer(struct m3ua_node *n)
{
	return (struct wr){ .p = n->out, .cap = sizeof n->out };
}

void m3ua_say(struct m3ua_node *n, const struct m3ua_link *l, enum m3ua_msg id)
{
	struct wr w = m3ua_writer(n);
	size_t start = m3ua_begin(&w, id);

	if (id == M3UA_ASPUP && n->conf.asp_id)
		m3ua_put_u32(&w, M3UA_ASP_ID, n->conf.asp_id);
	m3ua_end(&w, start);
	m3ua_push(n, l, &w, 0);
}

/* The routing contexts of servers, in one parameter; none where they have none. */
static void put_contexts(struct m3ua_node *n, struct wr *w, uint32_t servers)
{
	uint8_t bytes[4 * M3UA_SERVER_MAX];
	struct wr list = { .p = bytes, .cap = sizeof bytes };

	for (size_t i = 0; i < n->conf.server_n; i++) {
		if (servers >> i & 1 && n->conf.server[i].has_context)
			wr_be(&list, n->conf.server[i].context, 4);
	}
	if (list.n > 0)
		m3ua_put(w, M3UA_ROUTING_CONTEXT, wr_done(&list));
}

void m3ua_say_servers(struct m3ua_node *n, const struct m3ua_link *l, enum m3ua_msg id, uint32_t servers)
{
	struct wr w = m3ua_writer(n);
	size_t start = m3ua_begin(&w, id);
	uint8_t mode = 0;

	for (size_t i = 0; i < n->conf.server_n; i++)
		mode = servers >> i & 1 ? n->conf.server[i].mode : mode;
	if (mode && (id == M3UA_ASPAC || id == M3UA_ASPAC_ACK))
		m3ua_put_u32(&w, M3UA_TRAFFIC_MODE, mode);
	put_contexts(n, &w, servers);
	m3ua_end(&w, start);
	m3ua_push(n, l, &w, 0);
}

void m3ua_say_error(struct m3ua_node *n, const struct m3ua_link *l, uint32_t code, const struct msg *m)
{
	struct wr w = m3ua_writer(n);
	size_t start = m3ua_begin(&w, M3UA_ERR);
	struct view context = m && m->shape ? tab_get(m, M3UA_ROUTING_CONTEXT) : (struct view){ 0 };
	struct view appearance = m && m->shape ? tab_get(m, M3UA_APPEARANCE) : (struct view){ 0 };

	m3ua_put_u32(&w, M3UA_ERROR_CODE, code);
	if (code == M3UA_E_CONTEXT && context.n > 0)
		m3ua_put(&w, M3UA_ROUTING_CONTEXT, context);
	if (code == M3UA_E_APPEARANCE && appearance.n > 0)
		m3ua_put(&w, M3UA_APPEARANCE, appearance);
	if (m && m->raw.n > 0) /* the first octets of what was wrong (RFC 4666 3.8.1) */
		m3ua_put(&w, M3UA_DIAGNOSTIC, view_first(m->raw, 40));
	m3ua_end(&w, start);
	m3ua_push(n, l, &w, 0);
	if (n->act.error)
		n->act.error(n->ctx, l->conn, code, true);
}

void m3ua_say_status(struct m3ua_node *n, const struct m3ua_link *l, size_t server, uint32_t status)
{
	struct wr w = m3ua_writer(n);
	size_t start = m3ua_begin(&w, M3UA_NTFY);

	m3ua_put_u32(&w, M3UA_STATUS, status);
	put_contexts(n, &w, 1u << server);
	m3ua_end(&w, start);
	m3ua_push(n, l, &w, 0);
}

void m3ua_say_point(struct m3ua_node *n, const struct m3ua_link *l, size_t server, enum m3ua_msg id,
		    uint32_t point, uint8_t mask)
{
	struct wr w = m3ua_writer(n);
	size_t start = m3ua_begin(&w, id);

	if (n->conf.server[server].has_appearance)
		m3ua_put_u32(&w, M3UA_APPEARANCE, n->conf.server[server].appearance);
	put_contexts(n, &w, 1u << server);
	m3ua_put_u32(&w, M3UA_AFFECTED, (uint32_t)mask << 24 | (point & 0xffffff));
	if (id == M3UA_SCON)
		m3ua_put_u32(&w, M3UA_CONGESTION, 1);
	m3ua_end(&w, start);
	m3ua_push(n, l, &w, 1);
}

/* Who joins a broadcast late must be able to tell what it has seen (RFC 4666 3.3.1: Correlation Id). */
void m3ua_say_data(struct m3ua_node *n, const struct m3ua_link *l, size_t server, const struct m3ua_data *d)
{
	const struct m3ua_server *s = &n->conf.server[server];
	struct wr w = m3ua_writer(n);
	size_t start = m3ua_begin(&w, M3UA_TRANSFER);

	if (s->has_appearance)
		m3ua_put_u32(&w, M3UA_APPEARANCE, s->appearance);
	if (s->has_context)
		m3ua_put_u32(&w, M3UA_ROUTING_CONTEXT, s->context);
	m3ua_put_data(&w, d);
	if (s->mode == M3UA_BROADCAST)
		m3ua_put_u32(&w, M3UA_CORRELATION, n->correlation);
	m3ua_end(&w, start);
	m3ua_push(n, l, &w, (uint8_t)(1 + d->sls));
}
