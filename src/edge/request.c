#include "edge/inside.h"

#include "base/log.h"
#include "base/metric.h"

#define LOOP_DETECTED 3005
#define UNABLE_TO_DELIVER 3002

/* DRMP by class: what the network behind us may go by (RFC 7944; facts/protocols.md 2.2). */
static const int drmp_of[PRIO_N] = {
    [PRIO_CRITICAL] = 1,
    [PRIO_HIGH] = 5,
    [PRIO_NORMAL] = 10,
    [PRIO_LOW] = 15,
};

static bool loops(const struct edge_worker *w, const struct facts *f)
{
	for (size_t i = 0; i < f->route_n; i++) {
		if (view_eq_case(f->route[i], w->edge->conf->host))
			return true;
	}
	return false;
}

static void refuse(struct edge_worker *w, const struct dia_peer *from, const struct msg *m,
		   const struct dia_header *h, struct view raw, enum err err, uint32_t result)
{
	struct wr out = {.p = w->out, .cap = sizeof w->out};

	dia_refuse(&out, &w->partner_face, m, h, raw, err, result);
	edge_send(w, w->index, dia_peer_info(from)->conn, wr_done(&out));
}

/* A request that is wrong by itself: its sender hears so, and we count it (R-5.6.1.g). */
static void malformed(struct edge_worker *w, const struct dia_peer *from, const struct msg *m,
		      const struct dia_header *h, struct view raw, enum err err)
{
	metric_add(M_EDGE_DROPPED, 3, 1);
	LOG(LOG_NOTE, "edge.malformed", KV_CLAUSE("R-5.6.1.g"), kv_text("error", err_text(err)),
	    kv_num("command", h->code), kv_view("peer", dia_peer_info(from)->host));
	refuse(w, from, m, h, raw, err, 0);
}

static void count_appointment(uint32_t ms)
{
	metric_add(M_EDGE_BACKOFF, ms <= 60000 ? 0 : ms <= 600000 ? 1 : ms <= 3600000 ? 2 : 3, 1);
}

static bool compat_of(const struct edge_worker *w, const struct facts *f)
{
	const struct network_row *n = w->book->network(w->book->ctx, f->peer_plmn);

	return n && n->compat_ula;
}

static void reject(struct edge_worker *w, const struct dia_peer *from, const struct msg *m,
		   const struct dia_header *h, const struct facts *f, const struct verdict *v)
{
	struct overload o = edge_overload(w->edge, f->now_ms);
	struct dia_reply reply = {.overload = o.reduction > 0 ? &o : NULL,
				  .compat = compat_of(w, f)};
	struct wr out = {.p = w->out, .cap = sizeof w->out};
	uint32_t conn = dia_peer_info(from)->conn;

	refusals_add(&w->refusals, f, v->check, v->prio, false);
	edge_live_add(w, f->peer_plmn, LIVE_REFUSED);
	if (v->backoff_ms > 0) {
		count_appointment(v->backoff_ms);
		edge_live_add(w, f->peer_plmn, LIVE_APPOINTED);
	}
	if (v->act == ACT_DROP) {
		metric_add(M_EDGE_DROPPED, 0, 1);
		return;
	}
	dia_reject(&out, &w->partner_face, m, h, v, &reply);
	if (v->delay_ms > 0 &&
	    hold_put(w->hold, conn, wr_done(&out), loop_now(w->loop) + v->delay_ms)) {
		metric_add(M_EDGE_HELD, 0, 1);
		return;
	}
	edge_send(w, w->index, conn, wr_done(&out));
}

static void note_observed(struct edge_worker *w, const struct facts *f, const struct verdict *v)
{
	for (unsigned int c = 1; v->observed >> c; c++) {
		if (v->observed >> c & 1)
			refusals_add(&w->refusals, f, (enum check)c, v->prio, true);
	}
}

static uint8_t keep_text(uint8_t *to, size_t cap, struct view v)
{
	size_t n = v.n < cap ? v.n : 0; /* what does not fit whole is of no use */

	if (n > 0)
		memcpy(to, v.p, n);
	return (uint8_t)n;
}

/* Field by field, into the pending request itself: nearly all of it is room for texts. */
static void fill_origin(struct edge_worker *w, struct origin *o, const struct dia_peer *from,
			const struct msg *m, const struct dia_header *h, const struct facts *f,
			const struct verdict *v)
{
	const struct dia_peer_info *i = dia_peer_info(from);

	o->conn = i->conn;
	o->kept = KEEP_NONE;
	o->own_hop_by_hop = h->hop_by_hop;
	o->own_end_to_end = h->end_to_end;
	o->worker = w->index;
	o->kind = (uint8_t)i->kind;
	o->direction = f->direction;
	o->op = f->op;
	o->rat = f->rat;
	o->prio = v->prio;
	o->tries = 0;
	o->partition = v->partition;
	o->imsi = f->imsi;
	o->imei = f->imei;
	o->visited_plmn = f->visited_plmn;
	o->peer_plmn = f->peer_plmn;
	o->at_ms = f->now_ms;
	o->flags = (uint8_t)(ORIGIN_JUDGED | (f->resync ? ORIGIN_RESYNC : 0) |
			     (f->initial ? ORIGIN_INITIAL : 0));
	if (tab_slot(m, AVP_OC_SUPPORTED_FEATURES))
		o->flags |= ORIGIN_DOIC;
	o->host_n = keep_text(o->host, sizeof o->host, f->origin_host);
	o->session_n = keep_text(o->session, sizeof o->session, f->session);
}

/* Our home's name in a Session-Id becomes the edge's, and back (answer.c): a prefix, so no state.
 */
static struct view hide_session(struct edge_worker *w, struct view session, struct view home,
				uint8_t *room, size_t cap)
{
	struct wr s = {.p = room, .cap = cap};

	if (session.n <= home.n || !view_eq_case(view_first(session, home.n), home) ||
	    session.p[home.n] != ';')
		return (struct view){0};
	wr_view(&s, w->edge->conf->host);
	wr_view(&s, (struct view){session.p + home.n, session.n - home.n});
	return wr_done(&s);
}

/* Our nodes' names are hidden unless the network's record says otherwise. */
static bool hides_from_realm(const struct edge_worker *w, struct view realm)
{
	const struct network_row *n = w->book->network_of_realm(w->book->ctx, realm);

	return !n || n->hide;
}

static void patch_for(struct edge_worker *w, const struct dia_peer *from, const struct facts *f,
		      const struct verdict *v, struct dia_patch *p, struct origin *o, uint8_t *room,
		      size_t cap)
{
	*p = (struct dia_patch){.drmp = drmp_of[v->prio], .drop_doic = true, .drop_load = true};
	if (f->direction == DIR_TO_HOME) {
		p->drop_dest_host = true; /* partners know only the edge */
		p->offer_doic = true;
		p->route_record = dia_peer_info(from)->host;
	} else if (f->direction == DIR_OUT_TO_VISITED && hides_from_realm(w, f->dest_realm)) {
		p->origin_host =
		    w->edge->conf->host; /* hide our HSS: no Route-Record of it either */
		p->origin_realm = w->edge->conf->realm;
		p->session_id = hide_session(w, f->session, dia_peer_info(from)->host, room, cap);
		p->drop_routes = true;
		p->drmp = -1;
		o->flags |= ORIGIN_HIDDEN;
	} else if (f->direction == DIR_OUT_TO_VISITED) {
		p->route_record = dia_peer_info(from)->host;
		p->drmp = -1;
	} else {
		p->route_record = dia_peer_info(from)->host;
	}
}

static void send_on(struct edge_worker *w, struct dia_peer *from, const struct msg *m,
		    const struct dia_header *h, struct view raw, const struct facts *f,
		    const struct verdict *v)
{
	struct dia_pending p;
	struct origin *o = (struct origin *)(void *)p.user;
	struct wr out = {.p = w->out, .cap = sizeof w->out};
	struct dia_patch patch;
	uint8_t room[512];
	struct seat seat;

	p.hop_by_hop = h->hop_by_hop;
	p.end_to_end = h->end_to_end;
	p.app = h->app;
	p.code = h->code;
	fill_origin(w, o, from, m, h, f, v);
	patch_for(w, from, f, v, &patch, o, room, sizeof room);
	dia_patch(&out, m, h, raw, &patch);
	metric_add(M_EDGE_PASSED, v->prio, 1);
	edge_live_add(w, f->peer_plmn, LIVE_PASSED);
	if (out.err) {
		edge_fail(w, &p, dia_result(out.err));
		return;
	}
	if (f->direction == DIR_TO_HOME) {
		edge_count_card(w, f->imsi, v->partition);
		edge_forward(w, edge_route_home(w, v->partition, h->app, NULL), &out, &p);
	} else if (!edge_route_request(w, f, &seat)) {
		metric_add(M_EDGE_DROPPED, 2, 1);
		edge_fail(w, &p, UNABLE_TO_DELIVER);
	} else if (seat.worker != w->index) {
		edge_post_request(w, seat, wr_done(&out), &p);
	} else {
		edge_forward(w, dia_node_peer_of_conn(w->node, seat.conn), &out, &p);
	}
}

void edge_forward(struct edge_worker *w, struct dia_peer *to, struct wr *msg,
		  struct dia_pending *p)
{
	struct origin *o = (struct origin *)(void *)p->user;

	if (!to) {
		edge_fail(w, p, UNABLE_TO_DELIVER);
		return;
	}
	o->kept = keep_put(w->keep, wr_done(msg));
	if (dia_node_request(w->node, to, msg, p, loop_now(w->loop)) != ERR_OK) {
		keep_drop(w->keep, o->kept);
		edge_fail(w, p, UNABLE_TO_DELIVER);
	}
}

static uint8_t direction_of(const struct edge_worker *w, const struct dia_peer *from,
			    const struct facts *f)
{
	enum dia_peer_kind kind = dia_peer_info(from)->kind;

	if (kind == DIA_HOME)
		return DIR_OUT_TO_VISITED;
	if (kind == DIA_OWN)
		return view_eq_case(f->dest_realm, w->edge->conf->realm) ? DIR_TO_HOME
									 : DIR_OUT_TO_HOME;
	return f->direction;
}

static uint64_t own_plmn(const struct edge_worker *w)
{
	const struct network_row *n =
	    w->book->network_of_realm(w->book->ctx, w->edge->conf->realm);

	return n ? n->plmn : 0;
}

void edge_request(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
		  struct view raw, enum err err)
{
	struct edge_worker *w = ctx;
	struct facts f;
	struct verdict v;
	uint64_t print;

	metric_add(M_EDGE_BY_NETWORK, dia_peer_info(from)->kind, 1);
	if (err) {
		malformed(w, from, m, h, raw, err);
		return;
	}
	dia_facts(&f, from, m, h, loop_wall(w->loop));
	print = dia_node_print(w->node, f.origin_host, h);
	f.direction = direction_of(w, from, &f);
	if (dia_peer_info(from)->kind == DIA_OWN) /* the judge knows our own network by its record */
		f.peer_plmn = own_plmn(w);
	edge_live_add(w, f.peer_plmn, LIVE_ARRIVED);
	if (f.direction == DIR_TO_HOME && raw.n > w->edge->conf->request_max) {
		malformed(w, from, m, h, raw, ERR_FULL); /* nobody says so much */
		return;
	}
	if (loops(w, &f)) {
		refuse(w, from, m, h, raw, ERR_OK, LOOP_DETECTED);
		return;
	}
	v = judge_request(w->judge, &f);
	if (dia_node_duplicate(w->node, print, h, loop_now(w->loop)))
		metric_add(M_EDGE_DUPLICATES, 0, 1);
	if (v.observed)
		note_observed(w, &f, &v);
	if (v.act != ACT_PASS)
		reject(w, from, m, h, &f, &v);
	else
		send_on(w, from, m, h, raw, &f, &v);
}
