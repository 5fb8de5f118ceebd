/* One frame: what it is, whether this connection may send it now, and who handles it. */
#include "node/inside.h"

#include "base/log.h"
#include "base/metric.h"

/* A frame on its way through the node. */
struct frame {
	struct view raw;
	struct msg m;
	struct dia_header h;
	enum err err;
};

static bool is_request(const struct frame *f)
{
	return f->h.flags & DIA_FLAG_REQUEST;
}

static bool is(const struct frame *f, uint32_t code, bool request)
{
	return f->h.app == DIA_APP_BASE && f->h.code == code && is_request(f) == request;
}

static bool is_base(const struct frame *f)
{
	return f->h.app == DIA_APP_BASE &&
	       (f->h.code == DIA_CODE_CE || f->h.code == DIA_CODE_DW || f->h.code == DIA_CODE_DP);
}

/* The base protocol's own messages end here, whatever the node does with the others. */
static void parse(struct dia_node *n, struct frame *f, struct arena *mem)
{
	struct rd r = { .left = f->raw };
	enum dia_strict strict = n->strict;

	rd_take(&r, 5);
	f->h.code = rd_be(&r, 3);
	f->h.app = rd_be(&r, 4);
	if (is_base(f))
		strict = DIA_END;
	f->err = dia_parse(&f->m, &f->h, f->raw, strict, mem);
	metric_add(M_DIA_FRAMES, f->err, 1);
}

static void refuse(struct dia_node *n, struct dia_conn *c, const struct frame *f)
{
	uint8_t bytes[4096];
	struct wr w = { .p = bytes, .cap = sizeof bytes };

	dia_refuse(&w, &n->conf, &f->m, &f->h, f->raw, f->err, 0);
	dia_conn_send(n, c, &w);
}

/* What we and the caller think of a CER or CEA: an address of ours is no peer. */
static void judge_ce(struct dia_node *n, struct dia_conn *c, const struct frame *f)
{
	bool common = dia_base_read_ce(n, &f->m, &c->ce);

	if (view_eq_case(c->ce.host_v, n->conf.host) || view_eq_case(c->ce.host_v, n->conf.dial_host))
		c->ce.admit.result = RESULT_UNKNOWN_PEER;
	else
		c->ce.admit = n->act.admit(n->ctx, &c->link, &f->m);
	if (c->ce.admit.result == RESULT_SUCCESS && !common)
		c->ce.admit.result = RESULT_NO_COMMON_APP;
}

static void wait_cer(struct dia_node *n, struct dia_conn *c, const struct frame *f)
{
	if (c->held || !is(f, DIA_CODE_CE, true)) {
		metric_add(M_DIA_DROPPED, DIA_DROPPED_BEFORE_CE, 1);
		dia_conn_drop(n, c, "anything but a CER first");
		return;
	}
	if (f->err) {
		refuse(n, c, f);
		dia_conn_drop(n, c, "malformed CER");
		return;
	}
	c->ce_hop = f->h.hop_by_hop;
	c->ce_end = f->h.end_to_end;
	judge_ce(n, c, f);
	dia_peer_on_cer(n, c);
}

static void wait_cea(struct dia_node *n, struct dia_conn *c, const struct frame *f)
{
	uint32_t result;

	if (!is(f, DIA_CODE_CE, false) || f->h.hop_by_hop != c->ce_hop) {
		metric_add(M_DIA_DROPPED, DIA_DROPPED_BEFORE_CE, 1);
		dia_conn_drop(n, c, "anything but the CEA first");
		return;
	}
	result = f->m.slot_n > 0 ? dia_u32(tab_get(&f->m, AVP_RESULT_CODE)) : 0;
	if (f->err || result != RESULT_SUCCESS) {
		LOG(LOG_NOTE, "dia.peer.refuses_us", KV("address", c->link.address),
		    KV("result", result), KV("error", err_text(f->err)));
		dia_conn_drop(n, c, "CEA refuses or is malformed");
		return;
	}
	judge_ce(n, c, f);
	dia_peer_on_cea(n, c);
}

/* Origin-State-Id (RFC 6733 §8.16): a higher one says that the peer lost what it knew. S6a keeps no
 * session, so only requests in flight are concerned, and they run into their time. */
static void note_state(struct dia_peer *p, const struct frame *f)
{
	uint32_t id = dia_u32(tab_get(&f->m, AVP_ORIGIN_STATE_ID));

	if (id > p->state_id) {
		LOG(LOG_NOTE, "dia.peer.restarted", KV("host", p->info.host), KV("state_id", id));
		p->state_id = id;
	}
}

static void on_dpr(struct dia_node *n, struct dia_conn *c, const struct frame *f)
{
	dia_base_send_dpa(n, c, &f->h);
	if (c->state == DIA_CLOSING)
		return; /* both at once: each waits for its DPA */
	c->until = n->now + DPA_WAIT_MS;
	dia_peer_down(n, c->peer, DIA_CLOSING, "peer disconnects");
	if (dia_u32(tab_get(&f->m, AVP_DISCONNECT_CAUSE)) != DIA_BYE_REBOOTING)
		c->peer->backoff_ms = BACKOFF_MAX_MS; /* §5.4: it does not want us back at once */
}

static void base(struct dia_node *n, struct dia_conn *c, const struct frame *f)
{
	if (f->err) {
		if (is_request(f))
			refuse(n, c, f);
		else
			metric_add(M_DIA_DROPPED, DIA_DROPPED_UNMATCHED, 1);
		return;
	}
	if (is(f, DIA_CODE_DW, true)) {
		note_state(c->peer, f);
		dia_base_send_dwa(n, c, &f->h);
	} else if (is(f, DIA_CODE_DP, true)) {
		on_dpr(n, c, f);
	} else if (is(f, DIA_CODE_DP, false) && c->dpr_out) {
		dia_conn_drop(n, c, "disconnected");
	} else if (!is_request(f)) {
		metric_add(M_DIA_DROPPED, DIA_DROPPED_UNMATCHED, 1);
	} else { /* a CER in between: the same as before, or it could not come here */
		c->ce_hop = f->h.hop_by_hop;
		c->ce_end = f->h.end_to_end;
		dia_base_send_cea(n, c, RESULT_SUCCESS);
	}
}

/* What any message of an open peer may say by the way. */
static void note(struct dia_peer *p, const struct frame *f)
{
	const struct slot *in = f->m.slot + f->m.slot->first, *load = NULL, *value, *source;

	for (const struct slot *s = in; s < in + f->m.slot->n; s++) {
		if (s->field == AVP_OC_SUPPORTED_FEATURES && s->value.n > 0)
			p->info.doic = true;
		if (s->field == AVP_LOAD && !load)
			load = s;
	}
	value = load ? tab_next(&f->m, load, AVP_LOAD_VALUE, NULL) : NULL;
	source = load ? tab_next(&f->m, load, AVP_SOURCEID, NULL) : NULL;
	if (value && value->value.n > 0 && source && view_eq_case(source->value, p->info.host))
		p->info.load = dia_u64(value->value);
}

static void application(struct dia_node *n, struct dia_conn *c, const struct frame *f)
{
	struct dia_peer *p = c->peer;
	struct pending_slot *s;

	if (!f->err)
		note(p, f);
	if (is_request(f)) {
		n->act.request(n->ctx, p, &f->m, &f->h, f->raw, f->err);
		return;
	}
	s = dia_pending_take(n, p, &f->h);
	if (!s) {
		metric_add(M_DIA_DROPPED, DIA_DROPPED_UNMATCHED, 1);
		return;
	}
	n->act.answer(n->ctx, p, &f->m, &f->h, f->raw, f->err, &s->p);
	dia_pending_release(n, s);
}

/* The old connection is alive after all: the newer one must go. */
static void proved(struct dia_node *n, struct dia_peer *p)
{
	if (!p->held)
		return;
	dia_base_send_cea(n, p->held, RESULT_ELECTION_LOST);
	dia_conn_drop(n, p->held, "the peer has an open connection already");
}

static void when_open(struct dia_node *n, struct dia_conn *c, const struct frame *f)
{
	bool dwa = is(f, DIA_CODE_DW, false) && c->dwr_out && f->h.hop_by_hop == c->dwr_hop;
	uint32_t id = c->link.conn;

	proved(n, c->peer);
	dia_watch_heard(n, c, dwa && !f->err);
	if (!c->used || c->link.conn != id || c->state == DIA_CLOSING)
		return; /* the caller, told that the peer is open, did something else */
	if (dwa && !f->err)
		note_state(c->peer, f);
	else if (is_base(f))
		base(n, c, f);
	else
		application(n, c, f);
}

void dia_node_frame(struct dia_node *n, uint32_t conn, struct view raw, struct arena *mem, uint64_t now)
{
	struct dia_conn *c = dia_conn_of_id(n, conn);
	struct frame f;

	n->now = now;
	if (!c)
		return;
	if (raw.n < DIA_HEADER) {
		dia_conn_drop(n, c, "no Diameter");
		return;
	}
	if (n->act.ahead)
		dia_pending_ahead(n, raw);
	f.raw = raw;
	parse(n, &f, mem);
	switch (c->state) {
	case DIA_WAIT_CER:
		wait_cer(n, c, &f);
		break;
	case DIA_WAIT_CEA:
		wait_cea(n, c, &f);
		break;
	case DIA_OPEN:
	case DIA_SUSPECT:
		when_open(n, c, &f);
		break;
	case DIA_CLOSING:
		if (is_base(&f))
			base(n, c, &f);
		else
			metric_add(M_DIA_DROPPED, DIA_DROPPED_CLOSING, 1);
		break;
	case DIA_CLOSED:
	case DIA_WAIT_CONN:
		break;
	}
}
