/* What ties home's Diameter node to the loop: bytes in, bytes out, and who may connect. */
#include "home/worker.h"

#include "base/log.h"

/* --- loop to node --- */

static struct dia_link link_of(struct conn *c)
{
	struct conn_info i = conn_info(c);

	return (struct dia_link){
	    .conn = conn_id(c),
	    .outbound = i.outbound,
	    .secure = i.link == LINK_TLS,
	    .address = i.address,
	    .local = i.local,
	    .cert_names = i.cert_names,
	    .cert_name_n = i.cert_name_n,
	};
}

static void on_up(void *ctx, struct conn *c)
{
	struct home_worker *w = ctx;
	struct dia_link link = link_of(c);

	dia_node_up(w->node, &link, NULL, loop_now(w->loop));
}

static void on_message(void *ctx, struct conn *c, struct view frame)
{
	struct home_worker *w = ctx;

	dia_node_frame(w->node, conn_id(c), frame, &w->mem, loop_now(w->loop));
}

static void on_down(void *ctx, struct conn *c, const char *why)
{
	struct home_worker *w = ctx;

	dia_node_down(w->node, conn_id(c), why, loop_now(w->loop));
}

const struct conn_ops home_conn_ops = {dia_frame, on_up, on_message, on_down};

/* --- node to loop --- */

static void node_send(void *ctx, uint32_t conn, struct view bytes)
{
	struct home_worker *w = ctx;
	struct conn *c = conn_find(w->loop, conn);

	if (c)
		conn_write(c, bytes);
}

static void node_close(void *ctx, uint32_t conn)
{
	struct home_worker *w = ctx;
	struct conn *c = conn_find(w->loop, conn);

	if (c)
		conn_close(c);
}

/* Home waits to be called: the edge and our own nodes dial it. */
static void node_dial(void *ctx, struct dia_peer *peer)
{
	struct home_worker *w = ctx;

	dia_node_dial_failed(w->node, peer, "home does not dial", loop_now(w->loop));
}

static bool certified(const struct dia_link *link, struct view host)
{
	for (size_t i = 0; i < link->cert_name_n; i++) {
		if (view_under(host, link->cert_names[i]))
			return true;
	}
	return false;
}

/* Only nodes of our own realm speak to home: partners come by the edge. Over TLS the certificate
 * must bear the name (RFC 6733 13.1). */
static struct dia_admit node_admit(void *ctx, const struct dia_link *link, const struct msg *ce)
{
	struct home_worker *w = ctx;
	struct view host = tab_get(ce, AVP_ORIGIN_HOST), realm = tab_get(ce, AVP_ORIGIN_REALM);
	bool ours = view_eq_case(realm, w->me.realm) && view_under(host, w->me.realm);

	if (!ours || (link->secure && !certified(link, host))) {
		LOG(LOG_NOTE, "home.peer_refused", KV("host", host), KV("realm", realm),
		    KV("address", link->address), KV_CLAUSE("R-5.6.1.h"));
		return (struct dia_admit){.result = 3010, .kind = DIA_PARTNER};
	}
	return (struct dia_admit){.result = 2001, .kind = DIA_PARTNER, .plmn = w->self.own_plmn};
}

static void node_peer_up(void *ctx, struct dia_peer *peer)
{
	struct home_worker *w = ctx;
	struct conn *c = conn_find(w->loop, dia_peer_info(peer)->conn);

	if (c)
		conn_proven(c);
	LOG(LOG_NOTE, "home.peer_up", KV("host", dia_peer_info(peer)->host));
}

static void node_peer_down(void *ctx, struct dia_peer *peer, const char *why)
{
	(void)ctx;
	LOG(LOG_NOTE, "home.peer_down", KV("host", dia_peer_info(peer)->host), KV("why", why));
}

static void node_request(void *ctx, struct dia_peer *from, const struct msg *m,
			 const struct dia_header *h, struct view raw, enum err err)
{
	answer_request(ctx, from, m, h, raw, err);
}

static void node_answer(void *ctx, struct dia_peer *from, const struct msg *m,
			const struct dia_header *h, struct view raw, enum err err,
			struct dia_pending *p)
{
	(void)from;
	(void)h;
	(void)raw;
	send_answered(ctx, m, err, p);
}

static void node_lost(void *ctx, struct dia_pending *p, const char *why)
{
	(void)why;
	send_lost(ctx, p);
}

const struct dia_actions home_actions = {
    .send = node_send,
    .close = node_close,
    .dial = node_dial,
    .admit = node_admit,
    .peer_up = node_peer_up,
    .peer_down = node_peer_down,
    .request = node_request,
    .answer = node_answer,
    .lost = node_lost,
};
