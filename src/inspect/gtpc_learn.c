/* What requests that were passed, and their answers, teach: sessions, their tunnels, what gateways carry. */
#include "inspect/gtpc_in.h"

static struct view address_of(const struct end *e)
{
	return (struct view){ e->address, e->n };
}

static void keep_end(struct end *e, const struct gtp_tunnel *t)
{
	*e = (struct end){ .n = 0 };
	if (!t->there || t->address.n > sizeof e->address)
		return;
	e->n = (uint8_t)t->address.n;
	memcpy(e->address, t->address.p, t->address.n);
	e->teid = t->teid;
	e->ebi = t->ebi;
	e->qci = t->qci;
	e->gateway = t->gateway;
}

/* --- a request --------------------------------------------------------------------------------------- */

static void take_subscription(struct gtpc *g, struct session *is)
{
	const struct book *b = g->book;
	const struct sub_row *sub = b->range(b->ctx, is->imsi) ? b->sub(b->ctx, is->imsi) : NULL;

	is->prio = PRIO_NORMAL;
	if (!sub)
		return;
	is->tenant = sub->tenant;
	is->profile = sub->profile;
	is->prio = sub->prio;
}

static void take_session(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
			 struct waiting *w)
{
	const struct gtp_said *said = &r->said;
	struct session *is = &w->is;

	*is = (struct session){ .imsi = said->imsi, .msisdn = said->msisdn, .imei = said->imei,
				.visited = r->facts.visited_plmn, .rat = said->rat, .ebi = said->ebi,
				.pdn_type = said->pdn_type, .version = r->head.version };
	is->target = r->facts.target;
	is->qci = said->user_n > 0 ? said->user[0].qci : 0;
	is->home = !r->inside || g->book->range(g->book->ctx, said->imsi) != NULL;
	take_subscription(g, is);
	is->near = sessions_node(g->sessions, p->from, gtpc_s(p->now_ms));
	is->far = sessions_node(g->sessions, p->to, gtpc_s(p->now_ms));
	(void)view_text(view_first(said->apn, SESSION_APN - 1), w->apn, sizeof w->apn);
}

/* GTPv1 does not mark whose end is whose: it is the sender's. */
static bool from_gateway(const struct gtpc_result *r, const struct waiting *w, bool answer)
{
	bool asks = w->op == OP_BEARER || (w->known && r->head.version == 1 && w->op != OP_SESSION_CREATE &&
					   w->is.home == w->inside);

	return asks != answer;
}

void gtpc_remember(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		   struct waiting *w)
{
	const struct gtp_said *said = &r->said;

	w->state = WAITING_ANSWER;
	w->type = r->head.type;
	w->version = r->head.version;
	w->op = r->row->op;
	w->target = r->facts.target;
	w->inside = r->inside;
	w->secondary = said->secondary;
	w->teardown = said->teardown;
	w->peer_plmn = r->facts.peer_plmn;
	if (w->op == OP_SESSION_CREATE && !said->secondary)
		take_session(g, p, r, w);
	if (!w->known && w->op != OP_SESSION_CREATE)
		w->is.imsi = r->facts.imsi;
	keep_end(&w->control, &said->control);
	for (size_t i = 0; i < said->user_n && i < ENDS_MAX; i++) {
		keep_end(&w->user[i], &said->user[i]);
		if (w->version == 1)
			w->user[i].gateway = from_gateway(r, w, false);
		w->user_n++;
	}
	w->gone_n = (uint8_t)said->gone_n;
	memcpy(w->gone, said->gone, said->gone_n);
	if (w->op == OP_BEARER && said->gone_n == 0 && said->user_n == 0 && said->ebi)
		w->teardown = said->ebi == w->is.ebi; /* Delete Bearer of the default one */
	if (w->op == OP_SESSION_END && w->version == 1 && w->known && !said->teardown &&
	    said->ebi != w->is.ebi) {
		w->gone[0] = said->ebi; /* a further context of the session, alone */
		w->gone_n = 1;
	}
	if (said->has_recovery && sessions_restart(g->sessions,
						   sessions_node(g->sessions, p->from, gtpc_s(p->now_ms)),
						   said->recovery))
		g->counts.restarts++;
}

/* --- an answer --------------------------------------------------------------------------------------- */

static void put_end(struct gtpc *g, uint32_t id, enum session_plane plane, const struct end *e)
{
	struct session_end at = { .plane = plane, .address = address_of(e), .teid = e->teid,
				  .up = e->gateway, .ebi = plane == PLANE_USER ? e->ebi : 0, .qci = e->qci };

	if (e->n > 0)
		sessions_end_at(g->sessions, id, &at);
}

/* The ends that the request and its answer named. */
static void put_ends(struct gtpc *g, const struct gtpc_result *r, const struct waiting *w, uint32_t id)
{
	struct end e = w->control;

	e.gateway = w->version == 1 ? from_gateway(r, w, false) : e.gateway;
	put_end(g, id, PLANE_CONTROL, &e);
	keep_end(&e, &r->said.control);
	e.gateway = w->version == 1 ? from_gateway(r, w, true) : e.gateway;
	put_end(g, id, PLANE_CONTROL, &e);
	for (size_t i = 0; i < w->user_n; i++)
		put_end(g, id, PLANE_USER, &w->user[i]);
	for (size_t i = 0; i < r->said.user_n; i++) {
		keep_end(&e, &r->said.user[i]);
		if (w->version == 1) {
			e.gateway = from_gateway(r, w, true);
			e.ebi = w->user_n > 0 ? w->user[0].ebi : w->is.ebi;
		}
		if (e.qci == 0 && w->user_n > 0)
			e.qci = w->user[0].qci;
		put_end(g, id, PLANE_USER, &e);
	}
}

/* The same SIM's session with the same bearer is this one's predecessor (29.274 7.2.1). */
static void close_former(struct gtpc *g, const struct session *is)
{
	uint32_t id[16];
	size_t n = sessions_of_sim(g->sessions, is->imsi, id, 16);
	struct session other;

	for (size_t i = 0; i < n && i < 16; i++) {
		if (sessions_peek(g->sessions, id[i], &other) && other.ebi == is->ebi &&
		    other.version == is->version) {
			sessions_close(g->sessions, id[i]);
			g->counts.closed++;
		}
	}
}

static void take_device(struct session *is, const struct gtp_said *said)
{
	is->pdn_type = said->pdn_type ? said->pdn_type : is->pdn_type;
	if (said->ue4.n == 4) {
		is->has4 = 1;
		memcpy(is->ue4, said->ue4.p, 4);
	}
	if (said->ue6.n == 16) {
		is->has6 = 1;
		memcpy(is->ue6, said->ue6.p, 16);
	}
}

static void learn_gateway(struct gtpc *g, const struct gtpc_packet *p)
{
	struct gateway *x = &g->gateway[g->gateway_n];

	if (gtpc_target(g, p->from) != 0 || g->gateway_n == g->conf.gateways_max || p->from.n > 16)
		return;
	memcpy(x->address, p->from.p, p->from.n);
	x->used = true;
	g->gateway_n++;
}

static void created(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		    struct waiting *w)
{
	struct session is = w->is;

	if (w->secondary) {
		if (w->known)
			put_ends(g, r, w, w->session);
		return;
	}
	if (!w->inside)
		learn_gateway(g, p);
	take_device(&is, &r->said);
	close_former(g, &is);
	if (sessions_open(g->sessions, &is, view_of(w->apn), gtpc_s(p->now_ms)) != ERR_OK) {
		g->counts.full++;
		return;
	}
	g->counts.opened++;
	put_ends(g, r, w, is.id);
}

/* Moved, perhaps: the visited node says where it is now. */
static void changed(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		    struct waiting *w)
{
	struct session is;

	if (!w->known || !sessions_get(g->sessions, w->session, w->life, &is))
		return;
	if (w->control.n > 0 && !w->control.gateway && !from_gateway(r, w, false)) {
		is.near = sessions_node(g->sessions, address_of(&w->control), gtpc_s(p->now_ms));
		is.visited = w->peer_plmn;
		is.rat = w->is.rat ? w->is.rat : is.rat;
		sessions_change(g->sessions, &is);
	}
	put_ends(g, r, w, w->session);
}

static void ended(struct gtpc *g, struct waiting *w, bool all)
{
	struct session is;

	if (!w->known || !sessions_get(g->sessions, w->session, w->life, &is))
		return;
	if (all) {
		sessions_close(g->sessions, w->session);
		g->counts.closed++;
		return;
	}
	for (size_t i = 0; i < w->gone_n; i++)
		sessions_close_bearer(g->sessions, w->session, w->gone[i]);
}

static void heed(struct gtpc *g, const struct gtpc_packet *p, const struct gtp_said *said)
{
	uint8_t target = gtpc_target(g, p->from);
	struct gateway *x = &g->gateway[target > 0 ? target - 1 : 0];

	if (!said->has_overload || target == 0)
		return;
	if (x->overload_seq != 0 && (int32_t)(said->overload_seq - x->overload_seq) <= 0)
		return;
	x->overload_seq = said->overload_seq;
	admission_heed(g->target[target - 1], said->overload_percent, said->overload_s, p->now_ms);
}

void gtpc_learn(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		struct waiting *w)
{
	const struct gtp_said *said = &r->said;
	bool ok = gtp_accepted(&r->head, said->cause);

	if (said->has_recovery && sessions_restart(g->sessions,
						   sessions_node(g->sessions, p->from, gtpc_s(p->now_ms)),
						   said->recovery))
		g->counts.restarts++;
	if (!w->inside)
		heed(g, p, said);
	if (ok && w->op == OP_SESSION_CREATE)
		created(g, p, r, w);
	else if (ok && w->op == OP_SESSION_CHANGE)
		changed(g, p, r, w);
	else if (ok && w->op == OP_SESSION_END)
		ended(g, w, w->gone_n == 0);
	else if (ok && w->op == OP_BEARER && (w->teardown || w->gone_n > 0))
		ended(g, w, w->teardown);
	else if (ok && w->op == OP_BEARER)
		changed(g, p, r, w);
	if (w->op != OP_PATH)
		gtpc_done(g, w, ok, gtp_busy(&r->head, said->cause), p->now_ms);
	w->state = WAITING_ANSWERED;
}
