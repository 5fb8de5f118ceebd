/* What the change feed and a move of a device make home tell a GSUP node. */
#include "home/gsup_in.h"

#include "base/metric.h"

/* GSUP withdraws contexts, and nothing else; a whole set of data says the rest. */
uint8_t gsup_sync_write(struct home_worker *w, uint64_t imsi, const struct home_rows *rows,
			const struct sync_plan *plan, uint8_t kind)
{
	if (plan->what == SYNC_CANCEL) {
		gsup_cl_write(&w->out, imsi, CANCEL_WITHDRAWAL, kind);
		return gsup_type(GSUP_CL_REQ);
	}
	if (plan->what == SYNC_DELETE && kind == REG_SGSN && plan->deletion.context_n > 0) {
		gsup_dsd_write(&w->out, imsi, &plan->deletion, kind);
		return gsup_type(GSUP_DSD_REQ);
	}
	gsup_isd_write(&w->out, imsi, rows, kind);
	return gsup_type(GSUP_ISD_REQ);
}

uint8_t gsup_cancel_write(struct home_worker *w, uint64_t imsi, const struct cancel *c)
{
	gsup_cl_write(&w->out, imsi, (enum cancellation)c->type, c->kind);
	return gsup_type(GSUP_CL_REQ);
}

bool gsup_hand_over(struct home_worker *w, const struct outbox_item *it, const struct reg_node *to,
		    uint8_t kind, uint8_t type)
{
	struct gsup_node *node = w->gsup ? gsup_node_of(w->gsup, to->host) : NULL;
	struct gsup_wait like = {
	    .imsi = it->imsi, .type = type, .kind = kind, .index = it->index, .life = it->life};

	if (!node || w->out.err)
		return false;
	like.conn = node->conn;
	if (gsup_wait_find(w->gsup->waits, like.conn, like.imsi, type, kind) ||
	    !gsup_wait_add(w->gsup->waits, &like, loop_now(w->loop)))
		return false; /* the answer would not tell which it is to */
	metric_add(M_GSUP_SENT,
		   type == gsup_type(GSUP_CL_REQ)    ? GSUP_SENT_CL
		   : type == gsup_type(GSUP_DSD_REQ) ? GSUP_SENT_DSD
						     : GSUP_SENT_ISD,
		   1);
	gsup_write(w, node->conn);
	return true;
}
