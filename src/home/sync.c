/* The decision table of the change feed. */
#include "home/feed.h"

#include "home/device.h"
#include "home/subscription_data.h"
#include "home/told.h"

uint8_t feed_nodes(const struct reg_row *reg)
{
	uint8_t nodes = 0;

	for (size_t i = 0; i < sizeof reg_kinds; i++) {
		if ((reg->flags & reg_kinds[i]) && !(reg->flags & reg_purged(reg_kinds[i])))
			nodes |= reg_kinds[i];
	}
	return nodes;
}

/* Served no longer at all, no longer in that network, or what the node cannot see to itself. */
static bool withdrawn(const struct home_rows *rows, const struct reg_node *n, uint8_t kind,
		      uint64_t own_plmn, uint64_t wall_ms)
{
	return subscriber_check(rows, n->plmn, own_plmn, wall_ms) != RESULT_OK || device_refused(rows) ||
	       node_fits(rows->profile, kind, n->features, node_by_gsup(n) || node_by_map(n)) != RESULT_OK;
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
	struct sync_plan plan = {.nodes = feed_nodes(rows->reg)};
	uint64_t features = UINT64_MAX;
	uint8_t out = 0;

	for (size_t i = 0; i < sizeof reg_kinds; i++) {
		const struct reg_node *n = reg_node_of(rows->reg, reg_kinds[i]);

		if (!(plan.nodes & reg_kinds[i]))
			continue;
		features &= n->features;
		if (withdrawn(rows, n, reg_kinds[i], own_plmn, wall_ms))
			out |= reg_kinds[i];
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
