/* A Diameter message as facts, and an answer as an outcome. */
#include "node/dia_adapt.h"

#define IMEI_DIGITS 14 /* the check digit, or what came in its place, says nothing */

/* ULR-Flags (TS 29.272 §7.3.7) */
#define ULR_SINGLE_REGISTRATION 0x01
#define ULR_INITIAL_ATTACH      0x20

static uint8_t op_of(const struct msg *m)
{
	static const uint8_t ops[] = {
		[S6A_AIR] = OP_AUTH_INFO, [S6A_ULR] = OP_UPDATE_LOCATION, [S6A_PUR] = OP_PURGE,
		[S6A_NOR] = OP_NOTIFY, [S6A_CLR] = OP_CANCEL_LOCATION, [S6A_IDR] = OP_INSERT_DATA,
		[S6A_DSR] = OP_DELETE_DATA, [S6A_RSR] = OP_RESET, [S13_ECR] = OP_CHECK_EQUIPMENT,
	};
	uint16_t id = m->shape ? m->shape->id : DIA_MSG_NONE;

	return id < sizeof ops / sizeof *ops ? ops[id] : OP_OTHER;
}

/* RAT-Type (TS 29.212 §5.3.31) */
static uint8_t rat_of(const struct msg *m)
{
	switch (dia_u32(tab_get(m, AVP_RAT_TYPE))) {
	case 1000:
		return RAT_IS_UTRAN;
	case 1001:
		return RAT_IS_GERAN;
	case 1004:
		return RAT_IS_WB_EUTRAN;
	case 1005:
		return RAT_IS_NB_IOT;
	case 1006:
		return RAT_IS_NR;
	case 1007:
		return RAT_IS_LTE_M;
	default:
		return RAT_UNKNOWN;
	}
}

static uint8_t direction_of(const struct dia_peer_info *from, uint8_t op)
{
	bool category_2 = op == OP_CANCEL_LOCATION || op == OP_INSERT_DATA || op == OP_DELETE_DATA ||
			  op == OP_RESET;

	if (from->kind == DIA_HOME)
		return DIR_OUT_TO_VISITED;
	if (from->kind == DIA_OWN)
		return DIR_OUT_TO_HOME;
	return category_2 ? DIR_TO_VISITED : DIR_TO_HOME;
}

/* An unknown command of an application that we know is the command's fault, not the application's. The
 * application that the message names inside must be that of its header: a filter that reads only one
 * of the two could be passed with the other. */
static bool app_agreed(const struct msg *m, const struct dia_header *h)
{
	struct view inside = tab_get(m, AVP_VENDOR_SPECIFIC_APPLICATION_ID,
				     AVP_AUTH_APPLICATION_ID);
	struct view plain = tab_get(m, AVP_AUTH_APPLICATION_ID);

	return (h->app == DIA_APP_S6A || h->app == DIA_APP_S13) &&
	       (inside.n == 0 || dia_u32(inside) == h->app) &&
	       (plain.n == 0 || dia_u32(plain) == h->app);
}

static void take_routes(struct facts *f, const struct msg *m)
{
	const struct slot *in = m->slot + m->slot->first;

	for (size_t i = 0; i < m->slot->n && f->route_n < ROUTE_MAX; i++) {
		if (in[i].field == AVP_ROUTE_RECORD)
			f->route[f->route_n++] = in[i].value;
	}
}

static uint64_t imei_of(const struct msg *m)
{
	struct view imei = tab_get(m, AVP_TERMINAL_INFORMATION, AVP_IMEI);

	return imei.n >= IMEI_DIGITS ? bcd_of(view_first(imei, IMEI_DIGITS)) : 0;
}

void dia_facts(struct facts *f, const struct dia_peer *from, const struct msg *m,
	       const struct dia_header *h, uint64_t wall_ms)
{
	const struct dia_peer_info *peer = dia_peer_info(from);
	uint32_t flags = dia_u32(tab_get(m, AVP_ULR_FLAGS));
	struct view drmp = tab_get(m, AVP_DRMP);

	*f = (struct facts){ .protocol = PROTO_DIAMETER, .op = op_of(m), .rat = rat_of(m) };
	f->direction = direction_of(peer, f->op);
	f->clear = !peer->secure;
	f->app_agreed = app_agreed(m, h);
	f->resync = tab_get(m, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO,
			    AVP_RE_SYNCHRONIZATION_INFO).n > 0 ||
		    tab_get(m, AVP_REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO,
			    AVP_RE_SYNCHRONIZATION_INFO).n > 0;
	f->initial = flags & ULR_INITIAL_ATTACH;
	f->single_registration = flags & ULR_SINGLE_REGISTRATION;
	f->drmp = drmp.n == 4 ? (uint8_t)(dia_u32(drmp) & 15) : 255;
	f->peer_host = peer->host;
	f->peer_realm = peer->realm;
	f->peer_plmn = peer->plmn;
	f->origin_host = tab_get(m, AVP_ORIGIN_HOST);
	f->origin_realm = tab_get(m, AVP_ORIGIN_REALM);
	f->dest_host = tab_get(m, AVP_DESTINATION_HOST);
	f->dest_realm = tab_get(m, AVP_DESTINATION_REALM);
	f->session = tab_get(m, AVP_SESSION_ID);
	f->imsi = bcd_of(tab_get(m, AVP_USER_NAME));
	f->imei = imei_of(m);
	f->visited_plmn = plmn_of_tbcd(tab_get(m, AVP_VISITED_PLMN_ID));
	f->now_ms = wall_ms;
	take_routes(f, m);
}

struct dia_outcome dia_outcome(const struct msg *m)
{
	struct dia_outcome o = { 0 };

	o.result = dia_u32(tab_get(m, AVP_RESULT_CODE));
	o.experimental = dia_u32(tab_get(m, AVP_EXPERIMENTAL_RESULT, AVP_EXPERIMENTAL_RESULT_CODE));
	o.ok = o.experimental == 0 && (o.result == 2001 || o.result == 2002);
	o.busy = o.result == 3004 || o.result == 5012 || o.experimental == 4181;
	return o;
}

struct overload dia_overload(const struct msg *m)
{
	struct overload o = { .validity_s = 30 }; /* RFC 7683 §7.5: the default */
	struct view validity = tab_get(m, AVP_OC_OLR, AVP_OC_VALIDITY_DURATION);

	o.reduction = dia_u32(tab_get(m, AVP_OC_OLR, AVP_OC_REDUCTION_PERCENTAGE));
	o.sequence = dia_u64(tab_get(m, AVP_OC_OLR, AVP_OC_SEQUENCE_NUMBER));
	if (validity.n == 4)
		o.validity_s = dia_u32(validity);
	if (o.validity_s == 0)
		o.reduction = 0; /* it ends now */
	return o;
}
