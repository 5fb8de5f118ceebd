#include "edge/inside.h"

#include "base/metric.h"

/* What one worker asks of another: bytes to a connection, or a request by one. */
struct mail {
	uint32_t conn;
	bool request;
	struct dia_pending pending;
};

/* Requests that do not go to our home: to a partner's node, or to one of our own. To the host that is
 * named, or by an agent that may reach it; never to another host in its place, which would cancel or
 * change what it has itself. */
bool edge_route_request(struct edge_worker *w, const struct facts *f, struct seat *seat)
{
	const struct directory *d = w->edge->directory;
	const struct network_row *n;

	if (f->dest_host.n > 0 && directory_find(d, f->dest_host, seat))
		return f->direction == DIR_TO_VISITED ? seat->kind == DIA_OWN
						      : seat->kind == DIA_PARTNER;
	if (f->direction == DIR_TO_VISITED)
		return directory_of_network(d, 0, f->dest_host.n > 0, w->turn++, seat);
	n = w->book->network_of_realm(w->book->ctx, f->dest_realm);
	return n && directory_of_network(d, n->plmn, f->dest_host.n > 0, w->turn++, seat);
}

void edge_send(struct edge_worker *w, uint8_t worker, uint32_t conn, struct view bytes)
{
	struct mail head = {.conn = conn};
	struct dia_peer *peer;

	if (worker != w->index) {
		struct view h = {(const uint8_t *)&head, offsetof(struct mail, pending)};

		if (!mailbox_post(w->to[worker], h, bytes))
			metric_add(M_EDGE_DROPPED, 1, 1);
		return;
	}
	peer = dia_node_peer_of_conn(w->node, conn);
	if (peer)
		dia_node_send(w->node, peer, bytes);
	else
		metric_add(M_EDGE_DROPPED, 2, 1);
}

void edge_post_request(struct edge_worker *w, struct seat to, struct view bytes,
		       const struct dia_pending *p)
{
	struct mail head = {.conn = to.conn, .request = true, .pending = *p};

	if (mailbox_post(w->to[to.worker], (struct view){(const uint8_t *)&head, sizeof head},
			 bytes))
		return;
	metric_add(M_EDGE_DROPPED, 1, 1);
	edge_fail(w, p, 3002);
}

/* From another worker, inside this one's batch. */
void edge_mail(void *ctx, struct view message)
{
	struct edge_worker *w = ctx;
	size_t short_n = offsetof(struct mail, pending);
	struct wr out = {.p = w->out, .cap = sizeof w->out};
	struct mail head;

	memcpy(&head, message.p, short_n);
	if (!head.request) {
		edge_send(w, w->index, head.conn,
			  (struct view){message.p + short_n, message.n - short_n});
		return;
	}
	memcpy(&head, message.p, sizeof head);
	wr_view(&out, (struct view){message.p + sizeof head, message.n - sizeof head});
	edge_forward(w, dia_node_peer_of_conn(w->node, head.conn), &out, &head.pending);
}
