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

enum finding find_MSISDN(struct ask *a)
{
	const struct sub_row *sub = ask_comes_in(a) && a->f->msisdn != 0 ? ask_sub(a) : NULL;

	if (!sub || sub->msisdn == 0 || sub->msisdn == a->f->msisdn)
		return FIND_NOTHING;
	return unless_critical(a);
}

static bool is_grey(const struct ask *a, const struct sub_row *sub)
{
	return sub->flags & SUB_GREY && (sub->grey_until == 0 || sub->grey_until > a->f->now_ms / 1000);
}

static bool names(const struct apn_row *row, struct view apn)
{
	return row->name[0] != 0 &&
	       view_eq_case((struct view){ (const uint8_t *)row->name, strnlen(row->name, sizeof row->name) },
			    apn);
}

/* The profile's row for the APN that is asked for, or NULL. Who is in quarantine has that one alone. */
static const struct apn_row *apn_of(struct ask *a, const struct profile_row *p)
{
	const struct sub_row *sub = ask_sub(a);

	if (names(&p->quarantine, a->f->apn))
		return &p->quarantine;
	if (sub && is_grey(a, sub) && p->grey == GREY_QUARANTINE)
		return NULL;
	for (uint8_t i = 0; i < p->apn_n && i < APN_MAX; i++) {
		if (names(&p->apn[i], a->f->apn))
			return &p->apn[i];
	}
	return NULL;
}

/* The profile of whoever asks for a session; NULL: nothing is known to hold it against. */
static const struct profile_row *wants_session(struct ask *a)
{
	const struct profile_row *p;

	if (a->f->op != OP_SESSION_CREATE || !ask_comes_in(a))
		return NULL;
	p = ask_profile(a);
	return p && p->apn_n > 0 ? p : NULL;
}

enum finding find_APN(struct ask *a)
{
	const struct profile_row *p = wants_session(a);

	return !p || apn_of(a, p) ? FIND_NOTHING : FIND_BAD;
}

/* TS 23.401 5.3.1.1: of a device that may have both the network may give one. */
enum finding find_PDN_TYPE(struct ask *a)
{
	static const uint8_t allowed[] = { [0] = 1 << 1 | 1 << 3, [1] = 1 << 2 | 1 << 3,
					   [2] = 1 << 1 | 1 << 2 | 1 << 3, [3] = 1 << 1 | 1 << 2 | 1 << 3,
					   [4] = 1 << 4 };
	const struct profile_row *p = wants_session(a);
	const struct apn_row *apn = p ? apn_of(a, p) : NULL;

	if (!apn || a->f->pdn_type == 0 || apn->pdn_type >= sizeof allowed)
		return FIND_NOTHING;
	return a->f->pdn_type < 8 && allowed[apn->pdn_type] >> a->f->pdn_type & 1 ? FIND_NOTHING : FIND_BAD;
}

/* One for each APN, and a second where IPv4 and IPv6 are given apart. */
enum finding find_SESSIONS(struct ask *a)
{
	const struct profile_row *p = wants_session(a);

	return p && a->f->session_n > 2 * p->apn_n ? FIND_BAD : FIND_NOTHING;
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
