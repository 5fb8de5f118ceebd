#include "edge/inside.h"

#include "base/log.h"
#include "base/metric.h"

#define UNABLE_TO_DELIVER 3002
#define UNABLE_TO_COMPLY 5012
#define TRIES_MAX 2

enum outcome { ANSWER_OK, ANSWER_REFUSED, ANSWER_BUSY, ANSWER_LOST, ANSWER_MALFORMED };

static const struct origin *origin_of(const struct dia_pending *p)
{
	return (const struct origin *)(const void *)p->user;
}

/* What the judge learns from how it ended. Requests that another worker judged are learned from
 * here all the same: sightings and admission are shared. */
static void learn(struct edge_worker *w, const struct dia_pending *p, bool ok, bool busy)
{
	const struct origin *o = origin_of(p);
	struct facts f = {
	    .protocol = PROTO_DIAMETER,
	    .direction = o->direction,
	    .op = o->op,
	    .rat = o->rat,
	    .imsi = o->imsi,
	    .imei = o->imei,
	    .visited_plmn = o->visited_plmn,
	    .peer_plmn = o->peer_plmn,
	    .now_ms = o->at_ms,
	    .resync = o->flags & ORIGIN_RESYNC,
	    .initial = o->flags & ORIGIN_INITIAL,
	    .origin_host = {o->host, o->host_n},
	};

	if (o->flags & ORIGIN_JUDGED)
		judge_done(w->judge, &f, o->partition, ok, busy, loop_wall(w->loop));
}

void edge_ahead(void *ctx, const struct dia_pending *p)
{
	struct edge_worker *w = ctx;

	sightings_fetch(w->edge->sightings, origin_of(p)->imsi);
}

/* The asker's own identifiers, whatever worker forwarded it. */
static struct dia_header header_of(const struct dia_pending *p, uint8_t flags)
{
	const struct origin *o = origin_of(p);

	return (struct dia_header){flags, p->code, p->app, o->own_hop_by_hop, o->own_end_to_end};
}

void edge_fail(struct edge_worker *w, const struct dia_pending *p, uint32_t result)
{
	const struct origin *o = origin_of(p);
	bool protocol_error = result / 1000 == 3;
	struct dia_header h =
	    header_of(p, (uint8_t)(DIA_FLAG_PROXIABLE | (protocol_error ? DIA_FLAG_ERROR : 0)));
	struct wr out = {.p = w->out + DIA_FRAME_MAX, .cap = DIA_FRAME_MAX};
	size_t start = dia_begin(&out, &h);

	if (o->session_n > 0)
		dia_put(&out, AVP_SESSION_ID, (struct view){o->session, o->session_n});
	dia_put_u32(&out, AVP_RESULT_CODE, result);
	dia_put(&out, AVP_ORIGIN_HOST, w->edge->conf->host);
	dia_put(&out, AVP_ORIGIN_REALM, w->edge->conf->realm);
	dia_put_u32(&out, AVP_AUTH_SESSION_STATE, 1);
	dia_end(&out, start);
	metric_add(M_EDGE_ANSWERS, ANSWER_LOST, 1);
	learn(w, p, false, false);
	edge_send(w, o->worker, o->conn, wr_done(&out));
}

/* Towards a partner our home's name is the edge's; towards our home, its own Session-Id comes back.
 */
static void patch_answer(struct edge_worker *w, const struct dia_pending *p,
			 struct dia_patch *patch, struct overload *o)
{
	const struct origin *from = origin_of(p);
	const struct network_row *n;

	*patch = (struct dia_patch){.drmp = -1, .drop_doic = true, .drop_load = true};
	if (from->flags & ORIGIN_HIDDEN) {
		patch->session_id = (struct view){from->session, from->session_n};
		return;
	}
	if (from->direction != DIR_TO_HOME)
		return;
	n = w->book->network(w->book->ctx, from->peer_plmn);
	if (!n || n->hide) {
		patch->origin_host = w->edge->conf->host;
		patch->origin_realm = w->edge->conf->realm;
	}
	if (from->flags & ORIGIN_DOIC) {
		*o = edge_overload(w->edge, loop_wall(w->loop));
		patch->overload = o;
	}
}

static void pass_back(struct edge_worker *w, const struct dia_pending *p, const struct msg *m,
		      const struct dia_header *h, struct view raw)
{
	struct dia_header mine = *h;
	struct wr out = {.p = w->out + DIA_FRAME_MAX, .cap = DIA_FRAME_MAX};
	struct dia_patch patch;
	struct overload o;

	mine.hop_by_hop = origin_of(p)->own_hop_by_hop;
	patch_answer(w, p, &patch, &o);
	dia_patch(&out, m, &mine, raw, &patch);
	if (out.err)
		edge_fail(w, p, UNABLE_TO_COMPLY);
	else
		edge_send(w, origin_of(p)->worker, origin_of(p)->conn, wr_done(&out));
}

/* Our home's own overload report ends here: the edge does as it says (RFC 7683 §5.2). */
static void heed(struct edge_worker *w, const struct dia_pending *p, const struct msg *m)
{
	uint8_t partition = origin_of(p)->partition;
	struct admission *target =
	    partition < EDGE_PARTITION_MAX ? w->edge->target[partition] : NULL;
	struct overload o;

	if (!target || !tab_slot(m, AVP_OC_OLR))
		return;
	o = dia_overload(m);
	admission_heed(target, o.reduction, o.validity_s, loop_wall(w->loop));
}

void edge_answer(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
		 struct view raw, enum err err, struct dia_pending *p)
{
	struct edge_worker *w = ctx;
	struct dia_outcome end;

	keep_drop(w->keep, origin_of(p)->kept);
	if (err) {
		metric_add(M_EDGE_ANSWERS, ANSWER_MALFORMED, 1);
		LOG(LOG_NOTE, "edge.answer_malformed", kv_text("error", err_text(err)),
		    kv_num("command", h->code), kv_view("peer", dia_peer_info(from)->host));
		edge_fail(w, p, UNABLE_TO_COMPLY);
		return;
	}
	end = dia_outcome(m);
	metric_add(M_EDGE_ANSWERS, end.ok ? ANSWER_OK : end.busy ? ANSWER_BUSY : ANSWER_REFUSED, 1);
	learn(w, p, end.ok, end.busy);
	if (origin_of(p)->direction == DIR_TO_HOME)
		heed(w, p, m);
	pass_back(w, p, m, h, raw);
}

/* Another home of the same partition may do it (RFC 6733 §5.5.4): the T flag says it may be a
 * second time. */
static bool try_again(struct edge_worker *w, struct dia_pending *p)
{
	struct dia_pending again = *p;
	struct origin *o = (struct origin *)(void *)again.user;
	struct view kept = keep_get(w->keep, o->kept);
	struct wr out = {.p = w->out, .cap = sizeof w->out};
	struct dia_peer *to;
	bool sent = false;

	if (kept.n > 0 && ++o->tries < TRIES_MAX && o->direction == DIR_TO_HOME) {
		to = edge_route_home(w, o->partition, p->app, p->to);
		wr_view(&out, kept);
		out.p[4] |= DIA_FLAG_RETRANSMIT;
		sent =
		    to && dia_node_request(w->node, to, &out, &again, loop_now(w->loop)) == ERR_OK;
	}
	if (sent)
		metric_add(M_EDGE_FAILOVERS, 0, 1);
	else
		keep_drop(w->keep, origin_of(p)->kept);
	return sent;
}

void edge_lost(void *ctx, struct dia_pending *p, const char *why)
{
	struct edge_worker *w = ctx;

	if (try_again(w, p))
		return;
	LOG(LOG_DEBUG, "edge.no_answer", kv_text("why", why), kv_num("command", p->code));
	learn(w, p, false, true);
	((struct origin *)(void *)p->user)->flags &= (uint8_t)~ORIGIN_JUDGED;
	edge_fail(w, p, UNABLE_TO_DELIVER);
}
