/* Update-Location (TS 29.002 8.1.2): the node is sent the subscriber's data first, and hears that it now
 * serves when it has taken them and the registration is durable. */
#include "home/gsup_in.h"

#include "base/log.h"
#include "base/metric.h"
#include "home/told.h"

#define TRIES 3 /* to send data that change meanwhile */

/* Ask the procedure, on the rows as they are now. An SGSN knows no registration beside an MME's (TS 23.401
 * 5.3.3.6). GSUP names no network: its nodes are our own. */
static void ask(const struct gsup_asked *q, uint16_t rats, struct home_rows *rows, struct reg_row *reg,
		struct update_result *r)
{
	struct home_worker *w = q->w;
	const struct update_request u = {
	    .imsi = q->imsi,
	    .plmn = w->self.own_plmn,
	    .host = view_of(q->from->host),
	    .node = q->kind,
	    .rats = rats,
	    .flags = q->kind == REG_SGSN ? ULR_SINGLE_REGISTRATION : 0,
	};

	*rows = worker_rows(w, q->imsi, reg);
	update_location(&w->self, rows, &u, loop_wall(w->loop), r);
}

/* An exchange of the change feed that is under way gives way: this one says the same, or more. */
static void make_way(struct home_worker *w, const struct gsup_wait *like)
{
	struct gsup_wait *old =
	    gsup_wait_find(w->gsup->waits, like->conn, like->imsi, like->type, like->kind);

	if (!old)
		return;
	if (old->update)
		gsup_wait_drop(w->gsup->waits, old); /* asked again: one answer will do */
	else
		gsup_settle(w, old, END_LOST);
}

static void send_data(const struct gsup_asked *q, uint16_t rats, const struct home_rows *rows, uint8_t tries)
{
	struct home_worker *w = q->w;
	const struct gsup_wait like = {
	    .imsi = q->imsi,
	    .conn = q->from->conn,
	    .type = gsup_type(GSUP_ISD_REQ),
	    .kind = q->kind,
	    .update = true,
	    .tries = (uint8_t)(tries + 1),
	    .rats = rats,
	    .digest = told_digest(rows->sub, rows->profile),
	};

	make_way(w, &like);
	if (tries >= TRIES || !gsup_wait_add(w->gsup->waits, &like, loop_now(w->loop))) {
		gsup_refuse(q, GSUP_CAUSE_CONGESTION);
		return;
	}
	w->out.n = 0;
	w->out.err = ERR_OK;
	gsup_isd_write(&w->out, q->imsi, rows, q->kind);
	metric_add(M_GSUP_SENT, GSUP_SENT_ISD, 1);
	gsup_write(w, q->from->conn);
}

void gsup_update(const struct gsup_asked *q, uint16_t rats)
{
	struct update_result r;
	struct reg_row reg;
	struct home_rows rows;

	ask(q, rats, &rows, &reg, &r);
	if (r.result == RESULT_OK)
		send_data(q, rats, &rows, 0); /* counted when it is done */
	else
		gsup_refused(q, r.result);
}

/* The rows are read anew: another node may have registered while this one took its data. */
void gsup_update_told(struct home_worker *w, const struct gsup_wait *wait, enum gsup_end end)
{
	struct gsup_asked q = {
	    .w = w, .imsi = wait->imsi, .type = gsup_type(GSUP_UL_REQ), .kind = wait->kind};
	struct update_result r;
	struct reg_row reg;
	struct home_rows rows;

	for (size_t i = 0; i < GSUP_NODES && !q.from; i++) {
		if (w->gsup->node[i].conn == wait->conn)
			q.from = &w->gsup->node[i];
	}
	if (!q.from)
		return;
	if (end != END_DONE || !w->fresh) {
		gsup_refuse(&q, GSUP_CAUSE_NETWORK);
		return;
	}
	ask(&q, wait->rats, &rows, &reg, &r);
	if (gsup_refused(&q, r.result))
		return;
	if (told_digest(rows.sub, rows.profile) != wait->digest) {
		send_data(&q, wait->rats, &rows, wait->tries);
		return;
	}
	w->out.n = 0;
	w->out.err = ERR_OK;
	gsup_end(&w->out, gsup_begin(&w->out, gsup_type(GSUP_UL_RES), q.imsi));
	gsup_keep(&q, &r.reg, r.cancel, r.cancel_n);
}
