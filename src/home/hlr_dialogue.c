/* What comes from the links: SCCP, TCAP, versions of contexts (TS 29.002 5.3, 17.1; Q.774). */
#include "home/hlr_in.h"

#include "base/log.h"
#include "base/metric.h"

#define TID_MAX 4 /* octets; a longer identifier is none */

static void (*const handlers[])(struct hlr_asked *q) = {
#define HLR_SERVE(id, op, context, from, to, handler, label) handler,
#include "home/hlr_serve.tab"
#undef HLR_SERVE
};

static void abort_it(const struct hlr_asked *q, struct view dtid, enum tcap_cause cause)
{
	hlr_begin(q->w);
	hlr_abort_write(&q->w->out, dtid, cause);
	hlr_post(q->w, q->route);
}

static void request(struct hlr_asked *q, struct hlr_heard *h)
{
	const struct hlr_serve *row = hlr_serve_of(h->op, h->context);
	enum err err;

	q->row = row;
	metric_add(M_HLR_REQUESTS, row ? row->label : HLR_LABEL_OTHER, 1);
	hlr_begin(q->w);
	if (!row || h->version < row->from || h->version > row->to) {
		if (h->version == 1) { /* it has no words for another version */
			abort_it(q, q->head.dtid, TCAP_WRONG_PORTION);
			hlr_end(q);
			return;
		}
		hlr_reject_write(&q->w->out, &q->head, TCAP_UNKNOWN_OP);
		hlr_send(q);
		return;
	}
	err = hlr_hear_argument(h, q->mem);
	if (err && err != ERR_MISSING) {
		hlr_reject_write(&q->w->out, &q->head, TCAP_MISTYPED);
		hlr_send(q);
	} else if (err) {
		hlr_refuse(q, HLR_DATA_MISSING);
	} else if (!q->w->fresh) {
		hlr_refuse(q, HLR_SYSTEM_FAILURE);
	} else {
		handlers[row - hlr_serves](q);
	}
}

/* The request is to follow: a long one has no room beside its context. */
static void await_request(struct hlr_asked *q, const struct hlr_heard *h)
{
	struct hlr_talk *t = hlr_talk_add(q->w->hlr->talks, HLR_BEGUN, loop_now(q->w->loop));
	uint8_t room[4];

	if (!t) {
		hlr_drop(HLR_DROP_FULL);
		abort_it(q, h->otid, TCAP_NO_RESOURCES);
		return;
	}
	t->context = h->context;
	t->version = h->version;
	t->route = *q->route;
	t->tid_n = (uint8_t)h->otid.n;
	memcpy(t->tid, h->otid.p, h->otid.n);
	q->head.otid = hlr_talk_tid(t, room);
	hlr_begin(q->w);
	hlr_accept_write(&q->w->out, &q->head);
	hlr_post(q->w, q->route);
}

static void begun(struct hlr_asked *q, struct hlr_heard *h)
{
	q->head = (struct hlr_head){.dtid = h->otid,
				    .oid = h->oid,
				    .version = h->version,
				    .invoke = h->invoke,
				    .op = h->op};
	if ((h->pdu && h->pdu != TCAP_AARQ) || (h->component_n == 0 && !h->pdu) ||
	    h->component_n > 1 || (h->component_n == 1 && h->component != TCAP_INVOKE)) {
		abort_it(q, h->otid, TCAP_WRONG_PORTION);
	} else if (h->pdu && !hlr_context_served(h->context, h->version)) {
		uint8_t offer = hlr_offer(h->context, h->version);

		LOG(LOG_NOTE, "home.map_context", KV("context", (uint64_t)h->context),
		    KV("version", (uint64_t)h->version), KV("offered", (uint64_t)offer),
		    kv_id("peer", q->peer));
		hlr_begin(q->w);
		hlr_offer_write(&q->w->out, &q->head, h->context, offer);
		hlr_post(q->w, q->route);
	} else if (h->component_n == 0) {
		await_request(q, h);
	} else {
		request(q, h);
	}
}

static void follows(struct hlr_asked *q, struct hlr_talk *t, struct hlr_heard *h)
{
	q->talk = t;
	h->context = t->context;
	h->version = t->version;
	q->head = (struct hlr_head){
	    .dtid = {t->tid, t->tid_n}, .version = t->version, .invoke = h->invoke, .op = h->op};
	if (h->type != TCAP_CONTINUE)
		hlr_end(q);
	else if (h->component == TCAP_INVOKE && h->component_n == 1)
		request(q, h);
	else if (h->component) {
		abort_it(q, q->head.dtid, TCAP_WRONG_PORTION);
		hlr_end(q);
	}
}

/* Who began a dialogue goes on in it under the address that he began it with (Q.771 3.1.2.2.2). */
static bool same_peer(const struct hlr_talk *t, const struct hlr_route *r)
{
	return t->stage == HLR_SENT || view_eq((struct view){t->route.peer, t->route.peer_n},
					       (struct view){r->peer, r->peer_n});
}

/* Anything but the begin of a dialogue is of one that is open. */
static void goes_on(struct hlr_asked *q, struct hlr_heard *h)
{
	struct hlr_talk *t = hlr_talk_find(q->w->hlr->talks, h->dtid);

	if (t && !same_peer(t, q->route)) {
		LOG(LOG_NOTE, "home.map_foreign", kv_id("imsi", t->imsi), kv_id("peer", q->peer),
		    KV_CLAUSE("R-5.6.1.h"));
		hlr_drop(HLR_DROP_UNMATCHED);
		return;
	}
	if (!t) {
		hlr_drop(HLR_DROP_UNMATCHED);
		if (h->type == TCAP_CONTINUE)
			abort_it(q, h->otid, TCAP_UNKNOWN_ID);
		return;
	}
	if (h->type == TCAP_CONTINUE) {
		t->route = *q->route;
		t->tid_n = (uint8_t)h->otid.n;
		memcpy(t->tid, h->otid.p, h->otid.n);
	}
	if (t->stage == HLR_BEGUN)
		follows(q, t, h);
	else if (t->stage == HLR_UPDATES)
		hlr_update_goes_on(q->w, t, h);
	else
		hlr_sent_answered(q->w, t, h);
}

static void lost(struct home_worker *w, struct hlr_talk *t)
{
	if (t->stage == HLR_UPDATES)
		hlr_update_lost(w, t);
	else if (t->stage == HLR_SENT)
		hlr_sent_lost(w, t);
	else
		hlr_talk_drop(w->hlr->talks, t);
}

/* A message of ours that could not be delivered (UDTS). */
static void returned(struct home_worker *w, struct view data, struct arena *mem)
{
	struct hlr_heard h;
	struct hlr_talk *t;

	if (hlr_hear(&h, data, mem))
		return;
	t = hlr_talk_find(w->hlr->talks, h.otid);
	if (t)
		lost(w, t);
}

static bool addressed(struct hlr_asked *q, struct hlr_route *r, const struct msg *sccp)
{
	struct view called = tab_get(sccp, SCCP_CALLED), calling = tab_get(sccp, SCCP_CALLING);
	struct sccp_address a;

	if (calling.n < 2 || calling.n > HLR_ADDRESS || called.n > HLR_ADDRESS ||
	    sccp_address(&a, calling))
		return false;
	q->ssn = a.ssn;
	q->peer = bcd_of((struct view){a.digits, a.digit_n});
	r->wide |= sccp->shape->id != SCCP_UDT;
	r->own_n = (uint8_t)called.n;
	memcpy(r->own, called.p, called.n);
	r->peer_n = (uint8_t)calling.n;
	memcpy(r->peer, calling.p, calling.n);
	return true;
}

static void take_tcap(struct hlr_asked *q, struct hlr_heard *h, struct view data)
{
	enum err err = hlr_hear(h, data, q->mem);

	if (err) {
		hlr_drop(HLR_DROP_TCAP);
		if (h->type == TCAP_BEGIN && h->otid.n > 0 && h->otid.n <= TID_MAX)
			abort_it(q, h->otid, TCAP_BAD_FORMAT);
	} else if (h->type == TCAP_BEGIN) {
		begun(q, h);
	} else if (h->type != TCAP_UNIDIRECTIONAL) {
		goes_on(q, h);
	}
}

void hlr_take(struct home_worker *w, const struct hlr_route *by, struct view raw)
{
	struct arena mem = w->mem; /* of this message: thousands of these may come in a batch */
	struct hlr_route route = *by;
	struct hlr_heard h;
	struct hlr_asked q = {.w = w, .route = &route, .heard = &h, .mem = &mem};
	struct joined j;
	struct msg sccp;

	if (sccp_parse(&sccp, raw, &mem)) {
		hlr_drop(HLR_DROP_SCCP);
		return;
	}
	j = sccp_join_take(w->hlr->join, &sccp, loop_now(w->loop));
	if (j.state == JOIN_BROKEN)
		hlr_drop(HLR_DROP_SEGMENT);
	if (j.state != JOIN_WHOLE)
		return;
	if (!tab_slot(&sccp, SCCP_CLASS))
		returned(w, j.data, &mem);
	else if (!addressed(&q, &route, &sccp))
		hlr_drop(HLR_DROP_ADDRESS);
	else
		take_tcap(&q, &h, j.data);
}

void hlr_tick_dialogues(struct home_worker *w)
{
	struct hlr_talk *t;

	while ((t = hlr_talk_late(w->hlr->talks, loop_now(w->loop)))) {
		hlr_drop(HLR_DROP_LATE);
		lost(w, t);
	}
	metric_set(M_HLR_TALKS, 0, hlr_talks_used(w->hlr->talks));
}
