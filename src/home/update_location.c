/* Update Location (TS 29.272 5.2.1.1.3): who serves the SIM from now on, and who no longer does. */
#include "home/device.h"
#include "home/told.h"

static bool is_old(const struct update_request *q)
{
	return view_eq(view_first(q->host, sizeof NODE_GSUP - 1), VIEW(NODE_GSUP)) ||
	       view_eq(view_first(q->host, sizeof NODE_MAP - 1), VIEW(NODE_MAP));
}

static enum result may_attach(const struct home_self *self, const struct home_rows *rows,
			      const struct update_request *q, uint64_t wall_ms)
{
	enum result r = subscriber_check(rows, q->plmn, self->own_plmn, wall_ms);
	uint16_t rats = q->rats ? q->rats : rats_of_type(q->rat_type);

	if (r)
		return r;
	if (device_refused(rows))
		return RESULT_DEVICE;
	if (rows->sub->prio != PRIO_CRITICAL &&
	    binding_assurance(true, rows->bound, false) < (enum assurance)rows->profile->assurance)
		return RESULT_ASSURANCE;
	if (!(rats & rows->profile->rats))
		return RESULT_RAT;
	return node_fits(rows->profile, q->node, q->features, is_old(q));
}

static void cancel_add(struct update_result *out, uint8_t kind, enum cancellation type)
{
	struct cancel *c = &out->cancel[out->cancel_n++];

	c->node = *reg_node(&out->reg, kind);
	c->type = (uint8_t)type;
	c->kind = kind;
}

/* Who held this subscription before; `out->reg` is still as it was. The node of the same kind gets 'update
 * procedure'; of MME and SGSN the other is cancelled when the device is now registered singly, or has begun
 * anew. A VLR stands beside both. */
static void cancel_old(const struct update_request *q, struct update_result *out)
{
	bool mme = q->node == REG_MME;
	bool single = q->flags & ULR_SINGLE_REGISTRATION, initial = q->flags & ULR_INITIAL_ATTACH;
	uint8_t other = mme ? REG_SGSN : REG_MME;

	if ((out->reg.flags & q->node) && !node_is(reg_node(&out->reg, q->node), q->host))
		cancel_add(out, q->node, mme ? CANCEL_MME_UPDATE : CANCEL_SGSN_UPDATE);
	if (q->node == REG_VLR || !(out->reg.flags & other) || !(single || initial))
		return;
	/* A combined node keeps what it has; only our note of the other registration goes. */
	if (!node_is(reg_node(&out->reg, other), q->host))
		cancel_add(out, other,
			   !single ? CANCEL_INITIAL_ATTACH
			   : mme   ? CANCEL_SGSN_UPDATE
				   : CANCEL_MME_UPDATE);
	out->reg.flags &= (uint8_t)~other;
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

	return (q->flags & ULR_SKIP_DATA) && (reg->flags & q->node) &&
	       node_is(reg_node_of(reg, q->node), q->host) &&
	       reg->told == told_digest(rows->sub, rows->profile);
}

/* What is noted as told holds for all nodes of the subscription: while another one has yet to hear of a
 * change, this one hears it again. */
static void note_told(const struct home_rows *rows, const struct update_request *q, struct reg_row *reg)
{
	bool others = reg->flags & REG_SERVED & ~q->node;

	if (!others || reg->told == told_digest(rows->sub, rows->profile))
		told_set(reg, rows->sub, rows->profile);
}

void update_location(const struct home_self *self, const struct home_rows *rows,
		     const struct update_request *q, uint64_t wall_ms, struct update_result *out)
{
	memset(out, 0, sizeof *out);
	out->reg = *rows->reg;
	out->result = may_attach(self, rows, q, wall_ms);
	if (out->result) {
		/* So that it is withdrawn where it is registered, and greylisted. */
		out->store = (out->result == RESULT_DEVICE || out->result == RESULT_BARRED) &&
			     (rows->reaction == REACT_DETACH || rows->reaction == REACT_GREYLIST);
		out->reg.imsi = q->imsi;
		return;
	}
	cancel_old(q, out);
	if (!node_fill(reg_node(&out->reg, q->node), q, wall_ms)) {
		out->result = RESULT_UNABLE; /* a name longer than any that TS 23.003 makes */
		out->cancel_n = 0;
		return;
	}
	out->data = !has_data(rows, q);
	out->reg.imsi = q->imsi;
	out->reg.flags |= q->node;
	out->reg.flags &= (uint8_t)~reg_purged(q->node);
	if (q->imei != 0)
		out->reg.imei = q->imei;
	if (q->rat_type != 0)
		out->reg.rat = (uint8_t)(q->rat_type - 999); /* 1 is UTRAN, 5 is E-UTRAN */
	note_told(rows, q, &out->reg);
}
