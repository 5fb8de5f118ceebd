/* Stage subscriber: what the records say about this subscription (R-5.1.b, R-5.1.1.2.b, R-5.7.3). A
 * critical subscription is not cut off by suspicion: there these checks only alert (R-5.1.g, R-5.7.3.c). */
#include "judge/binding.h"
#include "judge/stage.h"

static enum finding unless_critical(struct ask *a)
{
	return ask_prio(a) == PRIO_CRITICAL ? FIND_ALERT : FIND_BAD;
}

/* S13 has no word for an unknown subscriber, and the EIR needs none. */
enum finding find_UNKNOWN_SUB(struct ask *a)
{
	if (a->f->direction != DIR_TO_HOME || a->f->op == OP_CHECK_EQUIPMENT || !ask_range(a))
		return FIND_NOTHING;
	return ask_sub(a) ? FIND_NOTHING : FIND_BAD;
}

enum finding find_NOT_ACTIVE(struct ask *a)
{
	const struct sub_row *sub = ask_comes_in(a) ? ask_sub(a) : NULL;

	if (!sub || sub->life == LIFE_ACTIVE || sub->life == LIFE_TEST_READY)
		return FIND_NOTHING;
	return FIND_BAD;
}

enum finding find_GREYLISTED(struct ask *a)
{
	const struct sub_row *sub = ask_comes_in(a) ? ask_sub(a) : NULL;
	const struct profile_row *p;

	if (!sub || !(sub->flags & SUB_GREY))
		return FIND_NOTHING;
	if (sub->grey_until != 0 && sub->grey_until <= a->f->now_ms / 1000)
		return FIND_NOTHING;
	p = ask_profile(a);
	return p && p->grey != GREY_CANCEL ? FIND_ALERT : unless_critical(a); /* else home serves less */
}

/* A country entry is a whole MCC or a whole PLMN: "310410" does not lie under "31041". */
static bool country_fits(uint64_t entry, uint64_t plmn)
{
	return bcd_n(entry) == 3 ? bcd_begins(plmn, entry) : entry == plmn;
}

enum finding find_PLMN(struct ask *a)
{
	const struct book *b = a->j->book;
	const struct profile_row *p;
	const struct network_row *visited;

	if (!ask_comes_in(a) || a->f->visited_plmn == 0)
		return FIND_NOTHING;
	p = ask_profile(a);
	if (!p || p->country_n == 0)
		return FIND_NOTHING;
	for (uint8_t i = 0; i < p->country_n && i < COUNTRY_MAX; i++) {
		if (country_fits(p->country[i], a->f->visited_plmn))
			return FIND_NOTHING;
	}
	visited = a->peer && a->peer->plmn == a->f->visited_plmn
		? a->peer : b->network(b->ctx, a->f->visited_plmn);
	return visited && visited->trust == TRUST_OWN ? FIND_NOTHING : FIND_BAD;
}

enum finding find_RAT(struct ask *a)
{
	static const uint8_t bits[] = {
		[RAT_IS_UTRAN] = RAT_UTRAN, [RAT_IS_GERAN] = RAT_GERAN,
		[RAT_IS_WB_EUTRAN] = RAT_WB_EUTRAN, [RAT_IS_NB_IOT] = RAT_NB_IOT,
		[RAT_IS_LTE_M] = RAT_LTE_M, [RAT_IS_NR] = RAT_NR, [RAT_IS_2G_OR_3G] = RAT_UTRAN | RAT_GERAN,
	};
	const struct profile_row *p;

	if (!ask_comes_in(a) || a->f->rat == RAT_UNKNOWN || a->f->rat >= sizeof bits)
		return FIND_NOTHING;
	p = ask_profile(a);
	return !p || p->rats & bits[a->f->rat] ? FIND_NOTHING : FIND_BAD;
}

enum finding find_BINDING(struct ask *a)
{
	const struct book *b = a->j->book;
	const struct sub_row *sub;
	enum reaction r;

	if (!ask_comes_in(a) || a->f->imei == 0)
		return FIND_NOTHING;
	sub = ask_sub(a);
	if (!sub)
		return FIND_NOTHING;
	r = binding_reaction(sub, ask_profile(a),
			     binding_look(sub, a->f->imei, sub->host ? book_host(b, a->f->imei) : NULL));
	if (r == REACT_REFUSE)
		return unless_critical(a);
	return r == REACT_NONE ? FIND_NOTHING : FIND_ALERT; /* the others are home's to carry out */
}

enum finding find_EQUIPMENT(struct ask *a)
{
	const struct book *b = a->j->book;
	const struct equip_row *e;

	if (!ask_comes_in(a) || a->f->imei == 0)
		return FIND_NOTHING;
	e = b->equip(b->ctx, a->f->imei, a->f->now_ms / 1000);
	if (!e || e->colour != BLACK)
		return FIND_NOTHING;
	return unless_critical(a);
}
