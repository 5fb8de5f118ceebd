/* Which peer: by kind, application, host and load (RFC 6733 §6.1.6; RFC 8583 for the load). */
#include "node/inside.h"

static bool speaks(const struct dia_peer *p, uint32_t app)
{
	if (p->info.relay)
		return true;
	for (uint32_t i = 0; i < p->info.app_n; i++) {
		if (p->info.apps[i] == app)
			return true;
	}
	return false;
}

/* The cost of one request more: what is in flight, weighed by the room its Load leaves. As with the
 * weight of an SRV record, 65535 is an idle node and 0 a full one (RFC 8583 §7.3). */
static uint64_t cost(const struct dia_peer *p)
{
	uint64_t room = p->info.load <= 65535 ? p->info.load : 65535;

	return (((uint64_t)p->info.in_flight + 1) << 16) / (room + 1);
}

struct dia_peer *dia_node_route(struct dia_node *n, enum dia_peer_kind kind, uint32_t app,
				struct view dest_host, const struct dia_peer *not_this)
{
	struct dia_peer *named = dest_host.n > 0 ? dia_node_peer_of_host(n, dest_host) : NULL;

	if (named && named != not_this && named->info.kind == kind && speaks(named, app))
		return named;
	return dia_node_choose(n, n->open[kind], n->open_n[kind], app, not_this);
}

struct dia_peer *dia_node_choose(struct dia_node *n, struct dia_peer *const *among, size_t count,
				 uint32_t app, const struct dia_peer *not_this)
{
	struct dia_peer *best = NULL;

	n->turn++; /* equals share */
	for (size_t i = 0; i < count; i++) {
		struct dia_peer *p = among[(i + n->turn) % count];

		if (p != not_this && p->info.state == DIA_OPEN && speaks(p, app) &&
		    (!best || cost(p) < cost(best)))
			best = p;
	}
	return best;
}

struct dia_peer *dia_node_peer_of_host(struct dia_node *n, struct view host)
{
	struct dia_peer *p = dia_peer_find(n, host);

	return p && p->info.state == DIA_OPEN ? p : NULL;
}

struct dia_peer *dia_node_peer_next(struct dia_node *n, struct dia_peer *after)
{
	struct dia_peer *p = after ? after + 1 : n->peers;

	while (p < n->peers + n->peer_high && (!p->used || p->removed))
		p++;
	return p < n->peers + n->peer_high ? p : NULL;
}

const struct dia_peer_info *dia_peer_info(const struct dia_peer *p)
{
	return &p->info;
}

bool dia_looped(const struct dia_node_conf *me, const struct msg *m)
{
	const struct slot *in = m->slot + m->slot->first;

	for (size_t i = 0; i < m->slot->n; i++) {
		if (in[i].field == AVP_ROUTE_RECORD && view_eq_case(in[i].value, me->host))
			return true;
	}
	return false;
}
