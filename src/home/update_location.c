/* Update Location (TS 29.272 5.2.1.1.3): who serves the SIM from now on, and who no longer does. */
#include "home/procedure.h"
#include "home/subscription_data.h"
#include "home/told.h"

static enum result may_attach(const struct home_self *self, const struct home_rows *rows,
			      const struct update_request *q, uint64_t wall_ms)
{
	enum result r = subscriber_check(rows, q->plmn, self->own_plmn, wall_ms);
	uint16_t rats = rats_of_type(q->rat_type);

	if (r)
		return r;
	if (!(rats & rows->profile->rats))
		return RESULT_RAT;
	/* A bar that the node cannot carry out is not weakened: it is not served (5.2.1.1.3). */
	if (!subscription_data_fits(rows->profile, q->features))
		return RESULT_BARRED;
	return RESULT_OK;
}

static void cancel_add(struct update_result *out, const struct reg_node *node,
		       enum cancellation type, bool mme)
{
	struct cancel *c = &out->cancel[out->cancel_n++];

	c->node = *node;
	c->type = (uint8_t)type;
	c->mme = mme;
}

/* Who held this subscription before. The node of the same kind gets 'update procedure'; the other
 * kind is cancelled when the device is now registered singly, or has begun anew. */
static void cancel_old(const struct reg_row *old, const struct update_request *q,
		       struct update_result *out)
{
	bool mme = q->flags & ULR_S6A;
	bool single = q->flags & ULR_SINGLE_REGISTRATION, initial = q->flags & ULR_INITIAL_ATTACH;
	const struct reg_node *same = mme ? &old->mme : &old->sgsn;
	const struct reg_node *other = mme ? &old->sgsn : &old->mme;
	uint8_t same_bit = mme ? REG_MME : REG_SGSN, other_bit = mme ? REG_SGSN : REG_MME;

	if ((old->flags & same_bit) && !node_is(same, q->host))
		cancel_add(out, same, mme ? CANCEL_MME_UPDATE : CANCEL_SGSN_UPDATE, mme);
	if (!(old->flags & other_bit) || !(single || initial))
		return;
	/* A combined node keeps what it has; only our note of the other registration goes. */
	if (!node_is(other, q->host))
		cancel_add(out, other,
			   !single ? CANCEL_INITIAL_ATTACH
			   : mme   ? CANCEL_SGSN_UPDATE
				   : CANCEL_MME_UPDATE,
			   !mme);
	out->reg.flags &= (uint8_t)~other_bit;
}

static bool node_fill(struct reg_node *n, const struct update_request *q, uint64_t wall_ms)
{
	memset(n, 0, sizeof *n);
	if (!view_text(q->host, n->host, sizeof n->host) ||
	    !view_text(q->realm, n->realm, sizeof n->realm))
		return false;
	n->plmn = q->plmn;
	n->at_ms = wall_ms;
	n->features = q->features;
	return true;
}

/* The node says it has the data (Skip-Subscriber-Data): believed only if it is the node we told,
 * and what we told is what holds now. */
static bool has_data(const struct home_rows *rows, const struct update_request *q)
{
	const struct reg_row *reg = rows->reg;
	bool mme = q->flags & ULR_S6A;

	return (q->flags & ULR_SKIP_DATA) && (reg->flags & (mme ? REG_MME : REG_SGSN)) &&
	       node_is(mme ? &reg->mme : &reg->sgsn, q->host) &&
	       reg->told == told_digest(rows->sub, rows->profile);
}

void update_location(const struct home_self *self, const struct home_rows *rows,
		     const struct update_request *q, uint64_t wall_ms, struct update_result *out)
{
	bool mme = q->flags & ULR_S6A;

	memset(out, 0, sizeof *out);
	out->reg = *rows->reg;
	out->result = may_attach(self, rows, q, wall_ms);
	if (out->result)
		return;
	cancel_old(rows->reg, q, out);
	if (!node_fill(mme ? &out->reg.mme : &out->reg.sgsn, q, wall_ms)) {
		out->result = RESULT_UNABLE; /* a name longer than any that TS 23.003 makes */
		out->cancel_n = 0;
		return;
	}
	out->data = !has_data(rows, q);
	out->reg.imsi = q->imsi;
	out->reg.flags |= mme ? REG_MME : REG_SGSN;
	out->reg.flags &= (uint8_t) ~(mme ? REG_PURGED_MME : REG_PURGED_SGSN);
	if (q->imei != 0)
		out->reg.imei = q->imei;
	out->reg.rat = (uint8_t)(q->rat_type - 999); /* 1 is UTRAN, 5 is E-UTRAN */
	told_set(&out->reg, rows->sub, rows->profile);
}
