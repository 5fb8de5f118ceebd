/* The decision table of the change feed. */
#include "home/feed.h"

#include "home/subscription_data.h"
#include "home/told.h"

enum dsr_flag {
	DSR_PDN_CONTEXTS = 0x8,
	DSR_SMS = 0x2000,
	DSR_TAU_TIMER = 0x4000,
	DSR_MSISDN = 0x800000
};

/* Registered nodes that still hold the subscriber. A purged one hears nothing (5.2.1.3.3). */
static uint8_t serving_nodes(const struct reg_row *reg)
{
	uint8_t nodes = 0;

	if ((reg->flags & REG_MME) && !(reg->flags & REG_PURGED_MME))
		nodes |= REG_MME;
	if ((reg->flags & REG_SGSN) && !(reg->flags & REG_PURGED_SGSN))
		nodes |= REG_SGSN;
	return nodes;
}

static const struct reg_node *node_of(const struct reg_row *reg, uint8_t node)
{
	return node == REG_MME ? &reg->mme : &reg->sgsn;
}

/* Served no longer at all, no longer in that network, or with bars that the node cannot carry out.
 */
static bool withdrawn(const struct home_rows *rows, const struct reg_node *n, uint64_t own_plmn,
		      uint64_t wall_ms)
{
	return subscriber_check(rows, n->plmn, own_plmn, wall_ms) != RESULT_OK ||
	       !subscription_data_fits(rows->profile, n->features);
}

static bool has_context(const struct profile_row *p, uint8_t context)
{
	for (size_t i = 0; i < p->apn_n && i < APN_MAX; i++) {
		if (p->apn[i].context == context)
			return true;
	}
	return false;
}

/* What the nodes hold that the rows no longer name. The default APN's context is not for a DSR to
 * take: the whole profile that follows replaces it. */
static struct s6a_deletion deletion(const struct home_rows *rows, uint64_t features)
{
	const struct reg_row *reg = rows->reg;
	unsigned int gone =
	    reg->spare[TOLD_PARTS] & (unsigned int)~told_parts(rows->sub, rows->profile);
	struct s6a_deletion d = {0};

	for (size_t i = 1; i < APN_MAX; i++) {
		uint8_t context = reg->spare[TOLD_CONTEXTS + i];

		if (context != 0 && !has_context(rows->profile, context))
			d.context[d.context_n++] = context;
	}
	if (d.context_n > 0)
		d.flags |= DSR_PDN_CONTEXTS;
	if (gone & TOLD_TAU)
		d.flags |= DSR_TAU_TIMER;
	if (gone & TOLD_SMS)
		d.flags |= DSR_SMS;
	if ((gone & TOLD_MSISDN) && (features & FEATURE_NO_MSISDN))
		d.flags |= DSR_MSISDN;
	return d;
}

struct sync_plan feed_plan(const struct home_rows *rows, uint64_t own_plmn, uint64_t wall_ms)
{
	struct sync_plan plan = {.nodes = serving_nodes(rows->reg)};
	uint64_t features = UINT64_MAX;
	uint8_t out = 0;

	for (uint8_t node = REG_MME; node <= REG_SGSN; node = (uint8_t)(node << 1)) {
		if (!(plan.nodes & node))
			continue;
		features &= node_of(rows->reg, node)->features;
		if (withdrawn(rows, node_of(rows->reg, node), own_plmn, wall_ms))
			out |= node;
	}
	if (plan.nodes == 0)
		return plan;
	if (out) {
		plan.what = SYNC_CANCEL;
		plan.nodes = out;
		return plan;
	}
	plan.deletion = deletion(rows, features);
	if (plan.deletion.flags)
		plan.what = SYNC_DELETE;
	else if (rows->reg->told != told_digest(rows->sub, rows->profile))
		plan.what = SYNC_INSERT;
	return plan;
}

void feed_done(struct reg_row *reg, const struct home_rows *rows, const struct sync_plan *plan,
	       uint8_t node)
{
	switch (plan->what) {
	case SYNC_NONE:
		break;
	case SYNC_CANCEL:
		reg->flags &= (uint8_t)~node;
		break;
	case SYNC_DELETE:
		reg->spare[TOLD_PARTS] &= told_parts(rows->sub, rows->profile);
		for (size_t i = 1; i < APN_MAX; i++) {
			if (!has_context(rows->profile, reg->spare[TOLD_CONTEXTS + i]))
				reg->spare[TOLD_CONTEXTS + i] = 0;
		}
		break;
	case SYNC_INSERT:
		told_set(reg, rows->sub, rows->profile);
		break;
	}
}
