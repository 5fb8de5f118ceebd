/* Requests of ours: what the outbox holds becomes CLR, DSR, IDR and RSR, paced, and their answers
 * move the registrations on. */
#include "home/worker.h"

#include "base/log.h"
#include "base/metric.h"
#include "home/told.h"
#include "node/dia_adapt.h"

/* What is remembered with a request under way. */
struct ticket {
	uint32_t index, life;
};
_Static_assert(sizeof(struct ticket) <= DIA_USER, "a ticket must fit its request");

/* The way to a node: itself if it is connected, else who stands between us and the world: a relay,
 * or a node of our own realm (the edge). The least busy of those. */
static struct dia_peer *way_to(struct home_worker *w, const struct reg_node *to)
{
	struct dia_peer *p = dia_node_peer_of_host(w->node, view_of(to->host)), *best = p;

	if (best)
		return best;
	while ((p = dia_node_peer_next(w->node, p))) {
		const struct dia_peer_info *i = dia_peer_info(p);

		if (i->state != DIA_OPEN || !(i->relay || view_eq_case(i->realm, w->me.realm)))
			continue;
		if (!best || i->in_flight < dia_peer_info(best)->in_flight)
			best = p;
	}
	return best;
}

/* The id of a change, or the number of a row: of a subscriber, whose AAA server is then looked at too. */
bool send_look(void *worker, uint64_t id)
{
	struct home_worker *w = worker;
	uint64_t imsi = reg_imsi(id);
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, imsi, &reg);
	bool nothing = feed_plan(&rows, w->self.own_plmn, loop_wall(w->loop)).what == SYNC_NONE;

	if (w->swx && !aaa_look(w, imsi))
		return false;
	if ((reg.flags & REG_HOLD_WANTED) && !holds_want(w, imsi))
		LOG(LOG_NOTE, "home.hold_later", kv_id("imsi", imsi));
	return nothing || outbox_sync(w->outbox, imsi, loop_now(w->loop));
}

/* Write what a plan asks of one node. */
static enum sent_label write_sync(struct home_worker *w, const struct s6a_out *out,
				  const struct home_rows *rows, const struct sync_plan *plan,
				  uint8_t node)
{
	switch (plan->what) {
	case SYNC_CANCEL:
		s6a_clr_write(&w->out, out, CANCEL_WITHDRAWAL, node == REG_MME);
		return SENT_CLR;
	case SYNC_DELETE:
		s6a_dsr_write(&w->out, out, &plan->deletion);
		return SENT_DSR;
	case SYNC_NONE:
	case SYNC_INSERT:
		break;
	}
	s6a_idr_write(&w->out, out, rows, node == REG_SGSN);
	return SENT_IDR;
}

static void retry(struct home_worker *w, struct outbox_item *it, const struct reg_node *to)
{
	if (!outbox_retry(w->outbox, it, loop_now(w->loop)))
		LOG(LOG_ERROR, "home.gave_up", kv_id("imsi", reg_imsi(it->imsi)),
		    KV("host", (const char *)to->host));
}

/* By another protocol: it is on its way, or was not possible now. */
static void handed_over(struct home_worker *w, struct outbox_item *it, const struct reg_node *to, bool sent)
{
	if (sent)
		outbox_sent(w->outbox, it);
	else
		retry(w, it, to);
}

static void hand_over_gsup(struct home_worker *w, struct outbox_item *it, const struct reg_node *to,
			   uint8_t kind, uint8_t type)
{
	handed_over(w, it, to, gsup_hand_over(w, it, to, kind, type));
}

/* An AAA server is told directly: nothing of SWx goes by the edge. */
void send_hand_over(struct home_worker *w, struct outbox_item *it, uint32_t app, const struct reg_node *to,
		    enum sent_label label)
{
	struct dia_pending p = {.app = app};
	struct ticket t = {it->index, it->life};
	struct dia_peer *peer =
	    app == DIA_APP_SWX ? dia_node_peer_of_host(w->node, view_of(to->host)) : way_to(w, to);

	memcpy(p.user, &t, sizeof t);
	if (!peer || w->out.err ||
	    dia_node_request(w->node, peer, &w->out, &p, loop_now(w->loop))) {
		retry(w, it, to);
		return;
	}
	metric_add(M_HOME_SENT, label, 1);
	outbox_sent(w->outbox, it);
}

/* Two nodes may serve one subscriber: each is told in turn, and only then does the registration
 * change. */
static void send_sync(struct home_worker *w, struct outbox_item *it)
{
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, it->imsi, &reg);
	struct sync_plan plan = feed_plan(&rows, w->self.own_plmn, loop_wall(w->loop));
	uint32_t digest = rows.sub && rows.profile ? told_digest(rows.sub, rows.profile) : 0;
	struct s6a_out out = {&w->me, NULL, it->imsi, ++w->session};
	uint8_t left;

	if (plan.what == SYNC_NONE) {
		outbox_done(w->outbox, it);
		return;
	}
	if (it->what != plan.what || it->digest != digest)
		it->did = 0;
	it->what = (uint8_t)plan.what;
	it->digest = digest;
	left = plan.nodes & (uint8_t)~it->did;
	if (left == 0)
		left = plan.nodes;
	it->node = (uint8_t)(left & -left);
	it->after = reg;
	feed_done(&it->after, &rows, &plan, it->node);
	out.to = reg_node_of(&reg, it->node);
	if (node_by_map(out.to))
		handed_over(w, it, out.to, hlr_sync(w, it, &rows, &plan));
	else if (node_by_gsup(out.to))
		hand_over_gsup(w, it, out.to, it->node, gsup_sync_write(w, it->imsi, &rows, &plan, it->node));
	else
		send_hand_over(w, it, DIA_APP_S6A, out.to, write_sync(w, &out, &rows, &plan, it->node));
}

static void send_item(struct home_worker *w, struct outbox_item *it)
{
	struct s6a_out out = {&w->me, &it->cancel.node, it->imsi, ++w->session};

	w->out.n = 0;
	w->out.err = ERR_OK;
	switch ((enum outbox_kind)it->kind) {
	case OUTBOX_FREE:
		break;
	case OUTBOX_SYNC:
		(reg_is_aaa(it->imsi) ? aaa_send : send_sync)(w, it);
		break;
	case OUTBOX_CANCEL:
		if (node_by_map(out.to)) {
			handed_over(w, it, out.to, hlr_cancel(w, it));
			break;
		}
		if (node_by_gsup(out.to)) {
			hand_over_gsup(w, it, out.to, it->cancel.kind,
				       gsup_cancel_write(w, it->imsi, &it->cancel));
			break;
		}
		s6a_clr_write(&w->out, &out, it->cancel.type, it->cancel.kind == REG_MME);
		send_hand_over(w, it, DIA_APP_S6A, out.to, SENT_CLR);
		break;
	case OUTBOX_RESET:
		if (node_by_map(out.to)) { /* it is not answered */
			if (hlr_reset(w, out.to))
				outbox_done(w->outbox, it);
			else
				retry(w, it, out.to);
			break;
		}
		s6a_rsr_write(&w->out, &out);
		send_hand_over(w, it, DIA_APP_S6A, out.to, SENT_RSR);
		break;
	}
}

void send_due(struct home_worker *w)
{
	uint32_t room = w->pace > 10 ? w->pace / 10 : 1, from = 0; /* of a tick, 100 ms */
	struct outbox_item *it;

	for (; room > 0 && (it = outbox_due(w->outbox, loop_now(w->loop), &from)); room--)
		send_item(w, it);
}

/* The node has answered for good. Only the parts this exchange was about are taken over: anything
 * else may have changed meanwhile, and a node that has moved away was told everything by its ULA.
 */
static void settle_sync(struct home_worker *w, struct outbox_item *it, bool gone)
{
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, it->imsi, &reg);
	const struct reg_node *then = reg_node_of(&it->after, it->node), *now = reg_node_of(&reg, it->node);
	uint8_t all = feed_nodes(&reg);

	outbox_now(w->outbox, it, loop_now(w->loop));
	if (!rows.sub && it->what != SYNC_CANCEL && !gone)
		return;
	if (!node_is(now, view_of(then->host)) || now->at_ms != then->at_ms)
		return;
	it->did |= it->node;
	if (gone || it->what == SYNC_CANCEL) {
		reg.flags &= (uint8_t)~it->node;
	} else if (all & (uint8_t)~it->did) {
		return; /* the other node is yet to be told */
	} else {
		reg.told = it->after.told;
		reg.told_life = it->after.told_life;
		reg.sub_version = it->after.sub_version;
		reg.profile = it->after.profile;
		reg.profile_version = it->after.profile_version;
		memcpy(reg.spare, it->after.spare, sizeof reg.spare);
	}
	it->did = 0;
	if (reg_put(w->reg, &reg, 0)) /* the node is told once more, then */
		outbox_retry(w->outbox, it, loop_now(w->loop));
}

/* How an answer ends an exchange. A node that does not know the subscriber serves it no longer; one
 * that does not know the command never will; the rest is worth another try. */
static void settle(struct home_worker *w, struct outbox_item *it, const struct dia_outcome *o)
{
	bool gone = o->experimental == 5001;
	bool again = o->busy || o->result == 3002 || o->result == 3003 || o->result == 5012;

	if (!o->ok && !gone)
		LOG(LOG_NOTE, "home.node_refused", kv_id("imsi", reg_imsi(it->imsi)),
		    KV("result", (uint64_t)o->result),
		    KV("experimental", (uint64_t)o->experimental), KV("again", (uint64_t)again));
	if (again) {
		if (!outbox_retry(w->outbox, it, loop_now(w->loop)))
			LOG(LOG_ERROR, "home.gave_up", kv_id("imsi", reg_imsi(it->imsi)));
	} else if (it->kind == OUTBOX_SYNC) {
		(reg_is_aaa(it->imsi) ? aaa_settle : settle_sync)(w, it, gone);
	} else {
		outbox_done(w->outbox, it);
	}
}

static struct outbox_item *item_of(struct home_worker *w, const struct dia_pending *p)
{
	struct ticket t;

	memcpy(&t, p->user, sizeof t);
	return outbox_find(w->outbox, t.index, t.life);
}

void send_answered(struct home_worker *w, const struct msg *m, enum err err,
		   const struct dia_pending *p)
{
	struct outbox_item *it = item_of(w, p);
	struct dia_outcome o;

	if (!it)
		return;
	if (err) {
		outbox_retry(w->outbox, it, loop_now(w->loop));
		return;
	}
	o = dia_outcome(m);
	settle(w, it, &o);
}

void send_lost(struct home_worker *w, const struct dia_pending *p)
{
	struct outbox_item *it = item_of(w, p);

	if (it && !outbox_retry(w->outbox, it, loop_now(w->loop)))
		LOG(LOG_ERROR, "home.gave_up", kv_id("imsi", reg_imsi(it->imsi)));
}

void send_settled(struct home_worker *w, uint32_t index, uint32_t life, bool gone, bool lost)
{
	struct outbox_item *it = outbox_find(w->outbox, index, life);

	if (it && lost)
		retry(w, it, it->kind == OUTBOX_SYNC ? reg_node_of(&it->after, it->node) : &it->cancel.node);
	else if (it && it->kind == OUTBOX_SYNC)
		settle_sync(w, it, gone);
	else if (it)
		outbox_done(w->outbox, it);
}

/* Each node once: as far as it is remembered; a second RSR does no harm. False: no room, try again.
 */
static bool reset_node(struct home_worker *w, const struct reg_node *n)
{
	struct reset *r = &w->reset;

	for (size_t i = 0; i < r->seen_n; i++) {
		if (strcmp(r->seen[i], n->host) == 0)
			return true;
	}
	if (!outbox_reset(w->outbox, n, loop_now(w->loop)))
		return false;
	r->sent++;
	if (r->seen_n < RESET_NODES)
		memcpy(r->seen[r->seen_n++], n->host, REG_HOST);
	return true;
}

void send_resets(struct home_worker *w)
{
	struct reg_row rows[RESET_BATCH];
	struct reset *r = &w->reset;

	for (int round = 0; round < RESET_ROUNDS; round++) {
		size_t n = reg_scan(w->reg, r->after, rows, RESET_BATCH);

		for (size_t i = 0; i < n; i++) {
			if ((rows[i].flags & REG_MME) && !reset_node(w, &rows[i].mme))
				return;
			if ((rows[i].flags & REG_SGSN) && !node_by_gsup(&rows[i].sgsn) &&
			    !reset_node(w, &rows[i].sgsn))
				return;
			if ((rows[i].flags & REG_VLR) && node_by_map(&rows[i].vlr) &&
			    !reset_node(w, &rows[i].vlr))
				return;
			r->after = rows[i].imsi;
		}
		if (n < RESET_BATCH) {
			LOG(LOG_NOTE, "home.reset", KV("nodes", (uint64_t)r->sent));
			memset(r, 0, sizeof *r);
			return;
		}
	}
}
