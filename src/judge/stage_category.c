/* Stage category: the FS.19 classes as facts/protocols.md 2.6 gives them (R-5.6.1.g, R-5.6.1.k). */
#include "judge/stage.h"

#define BIT(op) (1u << (op))
#define OPS_TO_HOME \
	(BIT(OP_AUTH_INFO) | BIT(OP_UPDATE_LOCATION) | BIT(OP_PURGE) | BIT(OP_NOTIFY) | \
	 BIT(OP_CHECK_EQUIPMENT))
#define OPS_TO_VISITED \
	(BIT(OP_CANCEL_LOCATION) | BIT(OP_INSERT_DATA) | BIT(OP_DELETE_DATA) | BIT(OP_RESET))

static uint32_t app_of(uint8_t op)
{
	return op == OP_CHECK_EQUIPMENT ? APP_BIT_S13 : APP_BIT_S6A;
}

enum finding find_CAT1_APPLICATION(struct ask *a)
{
	uint32_t agreed;

	if (a->f->op == OP_OTHER)
		return a->f->app_agreed ? FIND_NOTHING : FIND_BAD;
	if (!a->peer || ask_own_peer(a))
		return FIND_NOTHING; /* our own MMEs may use all that we speak */
	agreed = a->peer->apps ? a->peer->apps : APP_BIT_S6A;
	return agreed & app_of(a->f->op) ? FIND_NOTHING : FIND_BAD;
}

enum finding find_CAT1_COMMAND(struct ask *a)
{
	uint32_t fits = a->f->direction == DIR_TO_HOME ? OPS_TO_HOME : OPS_TO_VISITED;

	if (a->f->op >= OP_N || !(fits & BIT(a->f->op)))
		return FIND_BAD;
	return a->f->app_agreed ? FIND_NOTHING : FIND_BAD;
}

static bool is_category_2(const struct ask *a)
{
	return a->f->direction == DIR_TO_VISITED && !ask_own_peer(a);
}

/* RSR names no subscriber (TS 29.272 §7.2.15): it speaks of its own network's, whose realm was checked. */
static bool names_nobody(const struct ask *a)
{
	return a->f->imsi == 0 && a->f->op == OP_RESET;
}

static bool our_imsi(struct ask *a)
{
	const struct network_row *home;

	if (a->f->imsi == 0)
		return false;
	if (ask_range(a))
		return true;
	home = book_home(a->j->book, a->f->imsi);
	return home && home->trust == TRUST_OWN;
}

enum finding find_CAT2_HOME(struct ask *a)
{
	const struct network_row *home;

	if (!is_category_2(a) || names_nobody(a) || !a->peer || our_imsi(a))
		return FIND_NOTHING;
	home = book_home(a->j->book, a->f->imsi);
	return home && home->plmn == a->peer->plmn ? FIND_NOTHING : FIND_BAD;
}

enum finding find_CAT2_OWN_SUB(struct ask *a)
{
	return is_category_2(a) && our_imsi(a) ? FIND_BAD : FIND_NOTHING;
}

enum finding find_CAT2_ROAMER(struct ask *a)
{
	const struct sighting *seen;

	if (!is_category_2(a) || names_nobody(a) || !a->j->seen)
		return FIND_NOTHING;
	seen = ask_seen(a);
	return seen && seen->flags & SEEN_ROAMER ? FIND_NOTHING : FIND_BAD;
}

enum finding find_CAT3_FOREIGN(struct ask *a)
{
	if (a->f->direction != DIR_TO_HOME || a->f->op == OP_CHECK_EQUIPMENT)
		return FIND_NOTHING; /* the EIR judges devices, whoever's SIM is in them */
	return ask_range(a) ? FIND_NOTHING : FIND_BAD;
}
