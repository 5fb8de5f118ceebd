/* Purge and notification (TS 29.272 5.2.1.3.3, 5.2.5.1.3): both come from the node that serves, or
 * change nothing. */
#include "home/procedure.h"

/* Which registrations of this subscription are the node's own. */
static uint32_t serves(const struct reg_row *reg, struct view host)
{
	uint32_t kinds = 0;

	if ((reg->flags & REG_MME) && node_is(&reg->mme, host))
		kinds |= PURGED_MME;
	if ((reg->flags & REG_SGSN) && node_is(&reg->sgsn, host))
		kinds |= PURGED_SGSN;
	if ((reg->flags & REG_VLR) && node_is(&reg->vlr, host))
		kinds |= PURGED_VLR;
	return kinds;
}

/* A node that no longer serves hears success, but nothing is frozen: its M-TMSI is not ours to
 * keep. */
void purge(const struct home_rows *rows, struct view host, uint32_t pur_flags,
	   struct purge_result *out)
{
	uint32_t kinds = serves(rows->reg, host);

	memset(out, 0, sizeof *out);
	out->reg = *rows->reg;
	if (!rows->sub) {
		out->result = RESULT_USER_UNKNOWN;
		return;
	}
	if (pur_flags & (PURGED_MME | PURGED_SGSN | PURGED_VLR))
		kinds &= pur_flags;
	if (kinds & PURGED_MME)
		out->reg.flags |= REG_PURGED_MME;
	if (kinds & PURGED_SGSN)
		out->reg.flags |= REG_PURGED_SGSN;
	if (kinds & PURGED_VLR)
		out->reg.flags |= REG_PURGED_VLR;
	out->freeze = kinds;
	out->store = out->reg.flags != rows->reg->flags;
}

void notify(const struct home_rows *rows, struct view host, uint64_t imei,
	    struct notify_result *out)
{
	memset(out, 0, sizeof *out);
	out->reg = *rows->reg;
	if (!rows->sub) {
		out->result = RESULT_USER_UNKNOWN;
		return;
	}
	if (!serves(rows->reg, host)) {
		out->result = RESULT_NOT_SERVING;
		return;
	}
	if (imei != 0 && imei != out->reg.imei) {
		out->reg.imei = imei;
		out->store = true;
	}
}
