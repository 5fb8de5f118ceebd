/* Stage category: the FS.11 and FS.19 classes as facts/protocols.md 2.6 gives them (R-5.6.1.g, R-5.6.1.k). */
#include "judge/stage.h"

#define BIT(op) (1u << (op))
#define OPS_TO_HOME \
	(BIT(OP_AUTH_INFO) | BIT(OP_UPDATE_LOCATION) | BIT(OP_PURGE) | BIT(OP_NOTIFY) | \
	 BIT(OP_CHECK_EQUIPMENT) | BIT(OP_RESTORE) | BIT(OP_AUTH_FAILURE) | BIT(OP_SERVICE) | \
	 BIT(OP_PRESENT) | BIT(OP_EVENT) | BIT(OP_SMS_MO) | BIT(OP_SMS_ROUTE) | BIT(OP_SMS_STATUS) | \
	 BIT(OP_SMS_ALERT) | BIT(OP_SESSION_CREATE) | BIT(OP_SESSION_CHANGE) | BIT(OP_SESSION_END) | \
	 BIT(OP_PATH))
#define OPS_TO_VISITED \
	(BIT(OP_CANCEL_LOCATION) | BIT(OP_INSERT_DATA) | BIT(OP_DELETE_DATA) | BIT(OP_RESET) | \
	 BIT(OP_SMS_MT) | BIT(OP_ROAMING_NUMBER) | BIT(OP_SUBSCRIBER_INFO) | BIT(OP_LOCATE) | \
	 BIT(OP_TRACE) | BIT(OP_HOME_SERVICE) | BIT(OP_BEARER) | BIT(OP_PATH))

/* Operations that need not say whom they are about: all, or someone by his number or by his dialogue. */
#define OPS_NAMELESS                                                                                     \
	(BIT(OP_CHECK_EQUIPMENT) | BIT(OP_SERVICE) | BIT(OP_EVENT) | BIT(OP_SMS_MO) |                    \
	 BIT(OP_SMS_ROUTE) | BIT(OP_SMS_STATUS) | BIT(OP_SMS_ALERT) |             \
	 BIT(OP_RESET) | BIT(OP_INTERNAL) | BIT(OP_SMS_MT) | BIT(OP_SESSION_CHANGE) |                    \
	 BIT(OP_SESSION_END) | BIT(OP_BEARER) | BIT(OP_PATH))

_Static_assert(OP_N <= 32, "sets of operations are 32 bits");

static uint32_t app_of(const struct facts *f)
{
	if (f->op == OP_CHECK_EQUIPMENT)
		return APP_BIT_S13;
	if (f->protocol == PROTO_GTPC)
		return APP_BIT_GTP;
	return f->protocol == PROTO_MAP ? APP_BIT_MAP : APP_BIT_S6A;
}

enum finding find_CAT1_APPLICATION(struct ask *a)
{
	uint32_t agreed;

	if (a->f->op == OP_OTHER)
		return a->f->app_agreed ? FIND_NOTHING : FIND_BAD;
	if (!a->peer || ask_own_peer(a))
		return FIND_NOTHING; /* our own MMEs may use all that we speak */
	agreed = a->peer->apps ? a->peer->apps : APP_BIT_S6A | APP_BIT_MAP | APP_BIT_GTP;
	return agreed & app_of(a->f) ? FIND_NOTHING : FIND_BAD;
}

enum finding find_CAT1_COMMAND(struct ask *a)
{
	uint32_t fits = a->f->direction == DIR_TO_HOME ? OPS_TO_HOME : OPS_TO_VISITED;

	if (a->f->op >= OP_N || a->f->category == CATEGORY_INTERNAL)
		return FIND_BAD;
	if (a->f->category == CATEGORY_OF_OP && !(fits & BIT(a->f->op)))
		return FIND_BAD;
	return a->f->app_agreed ? FIND_NOTHING : FIND_BAD;
}

static bool is_category_2(const struct ask *a)
{
	return a->f->direction == DIR_TO_VISITED && !ask_own_peer(a) && a->f->category != CATEGORY_SMS &&
	       !a->f->answer;
}

/* RSR and reset name no subscriber (TS 29.272 §7.2.15): they speak of their own network's. */
static bool names_nobody(const struct ask *a)
{
	return a->f->imsi == 0 && a->f->op < OP_N && OPS_NAMELESS & BIT(a->f->op);
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

	if (!is_category_2(a) || names_nobody(a) || !a->j->seen || a->f->continues)
		return FIND_NOTHING;
	seen = ask_seen(a);
	return seen && seen->flags & SEEN_ROAMER ? FIND_NOTHING : FIND_BAD;
}

enum finding find_CAT3_FOREIGN(struct ask *a)
{
	if (a->f->direction != DIR_TO_HOME || a->f->op == OP_CHECK_EQUIPMENT || a->f->answer)
		return FIND_NOTHING; /* the EIR judges devices, whoever's SIM is in them */
	return names_nobody(a) || ask_range(a) ? FIND_NOTHING : FIND_BAD;
}

/* What a codec saw of a message's form, and the adapter told as facts. */
#define FORM_CHECK(name) \
	enum finding find_##name(struct ask *a) { return a->f->form & name ? FIND_BAD : FIND_NOTHING; }

FORM_CHECK(FORM_CODE)
FORM_CHECK(FORM_CONTEXT)
FORM_CHECK(FORM_VERSION)
FORM_CHECK(FORM_SEVERAL)
FORM_CHECK(FORM_LATE)
FORM_CHECK(FORM_LAYERS)
FORM_CHECK(FORM_SPLIT)
FORM_CHECK(FORM_LENGTHS)
FORM_CHECK(FORM_NAMES)
FORM_CHECK(FORM_UNASKED)
FORM_CHECK(FORM_TUNNEL)
FORM_CHECK(FORM_REUSED)
FORM_CHECK(FORM_SEQUENCE)
