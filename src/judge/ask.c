/* The look-ups of one request, each made at most once and only when a check needs it. */
#include "judge/stage.h"

const struct range_row *ask_range(struct ask *a)
{
	const struct book *b = a->j->book;

	if (!a->range_known && a->f->imsi != 0)
		a->range_row = b->range(b->ctx, a->f->imsi);
	a->range_known = true;
	return a->range_row;
}

const struct sub_row *ask_sub(struct ask *a)
{
	const struct book *b = a->j->book;

	if (!a->sub_known && ask_range(a))
		a->sub_row = b->sub(b->ctx, a->f->imsi);
	a->sub_known = true;
	return a->sub_row;
}

const struct profile_row *ask_profile(struct ask *a)
{
	const struct book *b = a->j->book;

	if (!a->profile_known && ask_sub(a))
		a->profile_row = b->profile(b->ctx, a->sub_row->profile);
	a->profile_known = true;
	return a->profile_row;
}

const struct sighting *ask_seen(struct ask *a)
{
	if (!a->seen_known && a->j->seen)
		a->seen = sightings_find(a->j->seen, a->f->imsi, &a->seen_row);
	a->seen_known = true;
	return a->seen ? &a->seen_row : NULL;
}

enum prio ask_prio(struct ask *a)
{
	const struct sub_row *sub = NULL;

	/* Inbound roamers are other networks' subscribers: all of one class. */
	if (a->f->direction == DIR_TO_HOME || a->f->direction == DIR_OUT_TO_VISITED)
		sub = ask_sub(a);
	if (!sub)
		return PRIO_NORMAL;
	/* What a message says of itself can only take it back, and nobody critical. */
	if (sub->prio == PRIO_NORMAL && a->f->low_priority)
		return PRIO_LOW;
	return sub->prio < PRIO_N ? (enum prio)sub->prio : PRIO_LOW;
}

struct admission *ask_target(struct ask *a)
{
	const struct sub_row *sub;
	size_t partition;

	if (a->j->target_n == 0 || a->f->direction != DIR_TO_HOME)
		return NULL;
	if (a->f->protocol == PROTO_GTPC)
		return judge_gateway(a->j, a->f);
	sub = ask_sub(a);
	partition = sub && sub->partition < a->j->target_n ? sub->partition : 0;
	return a->j->targets[partition];
}

const struct network_row *ask_number(const struct ask *a, uint64_t number)
{
	const struct book *b = a->j->book;

	return number && b->network_of_number ? b->network_of_number(b->ctx, number) : NULL;
}

bool ask_is_ours(const struct ask *a, struct view name)
{
	const struct book *b = a->j->book;
	const struct network_row *row;

	if (ask_under(name, ask_own_realm(a)))
		return true;
	/* The peer's own realm is the common case, and needs no look-up. */
	if (a->peer && a->peer->trust != TRUST_OWN && ask_under(name, a->peer_realm))
		return false;
	row = b->network_of_realm(b->ctx, name);
	return row && row->trust == TRUST_OWN;
}
