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
static uint8_t rat_of(uint32_t type)
{
	switch (type) {
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
static bool app_agreed(const struct msg *m, const struct slot *s, const struct dia_header *h)
{
	const struct slot *inside = s->field == AVP_AUTH_APPLICATION_ID
					    ? s
					    : tab_next(m, s, AVP_AUTH_APPLICATION_ID, NULL);

	return !inside || inside->value.n == 0 || dia_u32(inside->value) == h->app;
}

static uint64_t imei_of(const struct msg *m, const struct slot *terminal)
{
	const struct slot *imei = tab_next(m, terminal, AVP_IMEI, NULL);

	return imei && imei->value.n >= IMEI_DIGITS ?
		       bcd_of(view_first(imei->value, IMEI_DIGITS)) : 0;
}

static bool resyncs(const struct msg *m, const struct slot *wanted)
{
	const struct slot *s = tab_next(m, wanted, AVP_RE_SYNCHRONIZATION_INFO, NULL);

	return s && s->value.n > 0;
}

/* The first of its kind counts, as for whoever acts on the message behind us. */
static void first(struct view *to, struct view value)
{
	if (!to->p)
		*to = value;
}

static void take_flags(struct facts *f, uint32_t ulr_flags)
{
	f->initial = ulr_flags & ULR_INITIAL_ATTACH;
	f->single_registration = ulr_flags & ULR_SINGLE_REGISTRATION;
}

/* What one AVP of the message itself says: names, then numbers. */
static bool take_name(struct facts *f, const struct slot *s)
{
	switch (s->field) {
	case AVP_ORIGIN_HOST:
		first(&f->origin_host, s->value);
		return true;
	case AVP_ORIGIN_REALM:
		first(&f->origin_realm, s->value);
		return true;
	case AVP_DESTINATION_HOST:
		first(&f->dest_host, s->value);
		return true;
	case AVP_DESTINATION_REALM:
		first(&f->dest_realm, s->value);
		return true;
	case AVP_SESSION_ID:
		first(&f->session, s->value);
		return true;
	case AVP_ROUTE_RECORD:
		if (f->route_n < ROUTE_MAX)
			f->route[f->route_n++] = s->value;
		return true;
	default:
		return false;
	}
}

static void take_number(struct facts *f, const struct msg *m, const struct slot *s,
			const struct dia_header *h)
{
	switch (s->field) {
	case AVP_USER_NAME:
		f->imsi = f->imsi ? f->imsi : bcd_of(s->value);
		break;
	case AVP_VISITED_PLMN_ID:
		f->visited_plmn = f->visited_plmn ? f->visited_plmn : plmn_of_tbcd(s->value);
		break;
	case AVP_RAT_TYPE:
		f->rat = f->rat ? f->rat : rat_of(dia_u32(s->value));
		break;
	case AVP_ULR_FLAGS:
		take_flags(f, dia_u32(s->value));
		break;
	case AVP_DRMP:
		f->drmp = s->value.n == 4 ? (uint8_t)(dia_u32(s->value) & 15) : 255;
		break;
	case AVP_TERMINAL_INFORMATION:
		f->imei = f->imei ? f->imei : imei_of(m, s);
		break;
	case AVP_AUTH_APPLICATION_ID:
	case AVP_VENDOR_SPECIFIC_APPLICATION_ID:
		f->app_agreed &= app_agreed(m, s, h);
		break;
	case AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO:
	case AVP_REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO:
		f->resync |= resyncs(m, s);
		break;
	default:
		break;
	}
}

void dia_facts(struct facts *f, const struct dia_peer *from, const struct msg *m,
	       const struct dia_header *h, uint64_t wall_ms)
{
	const struct dia_peer_info *peer = dia_peer_info(from);
	const struct slot *in = m->slot + m->slot->first, *end = in + m->slot->n;

	*f = (struct facts){ .protocol = PROTO_DIAMETER, .op = op_of(m), .drmp = 255 };
	f->direction = direction_of(peer, f->op);
	f->clear = !peer->secure;
	f->app_agreed = h->app == DIA_APP_S6A || h->app == DIA_APP_S13;
	f->peer_host = peer->host;
	f->peer_realm = peer->realm;
	f->peer_plmn = peer->plmn;
	f->now_ms = wall_ms;
	for (; in < end; in++) {
		if (!take_name(f, in))
			take_number(f, m, in, h);
	}
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
