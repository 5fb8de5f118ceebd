/* A refusal in the words of MAP. */
#include "node/map_inside.h"
#include "wire/tcap_put.h"

#define ABORT 0
#define RETURN_ON_ERROR 0x80 /* Q.713 3.6 */
#define ROAMING_NOT_ALLOWED 8

static const uint8_t errors[CAUSE_N][3] = {
#define CAUSE(id, update, vectors, other) [CAUSE_##id] = { update, vectors, other },
#include "node/map_cause.tab"
#undef CAUSE
};

static uint8_t error_of(const struct map_ask *ask, const struct verdict *v)
{
	uint8_t op = ask->facts.op;

	return errors[v->cause < CAUSE_N ? v->cause : CAUSE_NONE]
		     [op == OP_UPDATE_LOCATION || op == OP_RESTORE ? 0 : op == OP_AUTH_INFO ? 1 : 2];
}

const char *map_answer_name(const struct map_ask *ask, const struct verdict *v)
{
	switch (error_of(ask, v)) {
	case 1:
		return "unknownSubscriber";
	case 7:
		return "unknownEquipment";
	case ROAMING_NOT_ALLOWED:
		return "roamingNotAllowed";
	case 34:
		return "systemFailure";
	default:
		return "abort";
	}
}

/* The one error here that does not stand alone (TS 29.002 17.6.6: plmnRoamingNotAllowed). */
static void put_error(struct tcap_out *o, const struct map_seen *seen, uint8_t invoke, uint8_t code)
{
	tcap_open_components(o);
	tcap_open_error(o, invoke, code);
	if (code != ROAMING_NOT_ALLOWED)
		return;
	if (seen->version >= 3)
		tcap_open(o, BER_UNIVERSAL, BER_SEQUENCE);
	ber_put_int(o->w, BER_UNIVERSAL, BER_ENUM, 0);
}

void map_reject(struct wr *w, const struct map_seen *seen, const struct map_ask *ask, const struct verdict *v)
{
	struct view otid = tab_get(&seen->tcap, TCAP_OTID);
	struct view oid = tab_get(&seen->tcap, TCAP_DIALOGUE, TCAP_EXTERNAL, TCAP_SINGLE, TCAP_AARQ,
				  TCAP_CONTEXT, TCAP_CONTEXT_OID);
	uint8_t all[224], code = error_of(ask, v);
	struct wr out = { .p = all, .cap = sizeof all };
	struct tcap_out o;

	/* Who gives no address (an indicator alone) or no identifier cannot be answered. */
	if (v->act != ACT_REJECT || otid.n == 0 || tab_get(&seen->sccp, SCCP_CALLING).n < 2)
		return;
	tcap_start(&o, &out, code == ABORT ? TCAP_ABORT : TCAP_END, (struct view){ 0 }, otid);
	if (code == ABORT) {
		tcap_put_abrt(&o);
	} else {
		if (oid.n > 0) /* accepted: the error is the operation's, not the dialogue's */
			tcap_put_aare(&o, oid, true);
		put_error(&o, seen, ask->invoke, code);
	}
	tcap_end(&o);
	w->err = w->err ? w->err : out.err;
	sccp_put_udt(w, tab_get(&seen->sccp, SCCP_CALLING), tab_get(&seen->sccp, SCCP_CALLED), wr_done(&out));
}

/* A hop in the other direction, with the data as it came (Q.714 4.2). */
void map_return(struct wr *w, const struct map_seen *seen, enum map_return cause)
{
	struct view class = tab_get(&seen->sccp, SCCP_CLASS), calling = tab_get(&seen->sccp, SCCP_CALLING);
	struct view data = tab_get(&seen->sccp, SCCP_DATA), called = tab_get(&seen->sccp, SCCP_CALLED);

	if (class.n == 0 || !(class.p[0] & RETURN_ON_ERROR) || calling.n < 2 || seen->split || data.n > 254)
		return;
	sccp_put_udts(w, (uint8_t)cause, calling, called, data);
}
