/* What the AAA server that serves a SIM over Wi-Fi is told without asking: RTR, PPR (SWx, TS 29.273
 * 8.1.2.3, 8.1.2.4). An item of the outbox under the number of the row that the registration is in. */
#include "home/swx.h"
#include "home/told.h"
#include "home/worker.h"

struct home_rows aaa_rows(struct home_worker *w, uint64_t imsi, struct reg_row *reg)
{
	struct home_rows rows = worker_rows(w, imsi, reg);

	if (reg_get(w->reg, reg_aaa(imsi), reg)) {
		memset(reg, 0, sizeof *reg);
		reg->imsi = reg_aaa(imsi);
	}
	return rows;
}

bool aaa_look(struct home_worker *w, uint64_t imsi)
{
	struct reg_row reg;
	struct home_rows rows = aaa_rows(w, imsi, &reg);

	return aaa_plan(&rows, loop_wall(w->loop)) == SYNC_NONE ||
	       outbox_sync(w->outbox, reg.imsi, loop_now(w->loop));
}

void aaa_send(struct home_worker *w, struct outbox_item *it)
{
	struct reg_row reg;
	struct home_rows rows = aaa_rows(w, reg_imsi(it->imsi), &reg);
	enum sync plan = aaa_plan(&rows, loop_wall(w->loop));
	struct s6a_out out = {&w->me, reg_aaa_node(&reg), reg_imsi(it->imsi), ++w->session};

	if (plan == SYNC_NONE) {
		outbox_done(w->outbox, it);
		return;
	}
	it->what = (uint8_t)plan;
	it->after = reg;
	if (plan == SYNC_CANCEL) {
		it->after.flags &= (uint8_t)~REG_AAA;
		swx_rtr_write(&w->out, &out);
	} else {
		told_aaa_set(&it->after, rows.sub, rows.profile);
		swx_ppr_write(&w->out, &out, &rows);
	}
	send_hand_over(w, it, DIA_APP_SWX, out.to, plan == SYNC_CANCEL ? SENT_RTR : SENT_PPR);
}

void aaa_settle(struct home_worker *w, struct outbox_item *it, bool gone)
{
	const struct reg_node *then = reg_aaa_node(&it->after);
	struct reg_row reg;

	outbox_now(w->outbox, it, loop_now(w->loop));
	aaa_rows(w, reg_imsi(it->imsi), &reg);
	if (!(reg.flags & REG_AAA) || !node_is(reg_aaa_node(&reg), view_of(then->host)) ||
	    reg_aaa_node(&reg)->at_ms != then->at_ms)
		return;
	reg = it->after;
	if (gone)
		reg.flags &= (uint8_t)~REG_AAA;
	if (reg_put(w->reg, &reg, 0)) /* it is told once more, then */
		outbox_retry(w->outbox, it, loop_now(w->loop));
}
