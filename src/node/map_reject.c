/* A refusal in the words of MAP. */
#include "node/map_inside.h"

#define ABORT 0
#define RETURN_ON_ERROR 0x80 /* Q.713 3.6 */
#define ROAMING_NOT_ALLOWED 8

#define TAG_END        4  /* Q.773 table 2, of class APPLICATION; below too unless said */
#define TAG_ABORT      7
#define TAG_DTID       9
#define TAG_DIALOGUE   11
#define TAG_COMPONENTS 12
#define TAG_AARE       1
#define TAG_ABRT       4
#define TAG_ERROR      3  /* CONTEXT */

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

/* A constructed element around what has been written. */
static struct view wrap(struct wr *w, enum ber_class class, uint8_t tag, struct view inside)
{
	w->n = 0;
	ber_put_head(w, class, true, tag, inside.n);
	wr_view(w, inside);
	return wr_done(w);
}

/* The dialogue portion around an AARE or ABRT (Q.773 4.2.3.1). */
static void put_dialogue(struct wr *w, uint8_t tag, struct view pdu)
{
	static const uint8_t dialogue_as[] = { 0, 0x11, 0x86, 5, 1, 1, 1 };
	uint8_t one[128], two[128];
	struct wr a = { .p = one, .cap = sizeof one }, b = { .p = two, .cap = sizeof two };
	struct view in = wrap(&b, BER_CONTEXT, 0, wrap(&a, BER_APPLICATION, tag, pdu));

	a.n = 0;
	ber_put(&a, BER_UNIVERSAL, BER_OID, (struct view){ dialogue_as, sizeof dialogue_as });
	wr_view(&a, in);
	in = wrap(&b, BER_UNIVERSAL, BER_EXTERNAL, wr_done(&a));
	ber_put_head(w, BER_APPLICATION, true, TAG_DIALOGUE, in.n);
	wr_view(w, in);
	w->err = w->err ? w->err : a.err ? a.err : b.err;
}

static void put_abrt(struct wr *w)
{
	static const uint8_t by_user[] = { 0x80, 1, 0 };

	put_dialogue(w, TAG_ABRT, (struct view){ by_user, sizeof by_user });
}

/* Accepts the context that was asked for: the error is the operation's, not the dialogue's. */
static void put_aare(struct wr *w, const struct map_seen *seen)
{
	static const uint8_t accepted[] = { 0xa2, 3, 2, 1, 0, 0xa3, 5, 0xa1, 3, 2, 1, 0 };
	static const uint8_t version_1[] = { 0x80, 2, 7, 0x80 };
	struct view oid = tab_get(&seen->tcap, TCAP_DIALOGUE, TCAP_EXTERNAL, TCAP_SINGLE, TCAP_AARQ,
				  TCAP_CONTEXT, TCAP_CONTEXT_OID);
	uint8_t bytes[96];
	struct wr pdu = { .p = bytes, .cap = sizeof bytes };

	if (oid.n == 0)
		return;
	wr_view(&pdu, (struct view){ version_1, sizeof version_1 });
	ber_put_head(&pdu, BER_CONTEXT, true, 1, oid.n + 2);
	ber_put(&pdu, BER_UNIVERSAL, BER_OID, oid);
	wr_view(&pdu, (struct view){ accepted, sizeof accepted });
	put_dialogue(w, TAG_AARE, wr_done(&pdu));
	w->err = w->err ? w->err : pdu.err;
}

/* The one error here that does not stand alone (TS 29.002 17.6.6: plmnRoamingNotAllowed). */
static void put_error(struct wr *w, const struct map_seen *seen, const struct map_ask *ask, uint8_t code)
{
	static const uint8_t why[] = { 0x30, 3, 0x0a, 1, 0 };
	uint8_t bytes[32];
	struct wr in = { .p = bytes, .cap = sizeof bytes };

	ber_put(&in, BER_UNIVERSAL, BER_INTEGER, (struct view){ &ask->invoke, 1 });
	ber_put(&in, BER_UNIVERSAL, BER_INTEGER, (struct view){ &code, 1 });
	if (code == ROAMING_NOT_ALLOWED && seen->version >= 3)
		wr_view(&in, (struct view){ why, sizeof why });
	else if (code == ROAMING_NOT_ALLOWED)
		wr_view(&in, (struct view){ why + 2, sizeof why - 2 });
	ber_put_head(w, BER_APPLICATION, true, TAG_COMPONENTS, in.n + 2);
	ber_put_head(w, BER_CONTEXT, true, TAG_ERROR, in.n);
	wr_view(w, wr_done(&in));
}

void map_reject(struct wr *w, const struct map_seen *seen, const struct map_ask *ask, const struct verdict *v)
{
	struct view otid = tab_get(&seen->tcap, TCAP_OTID);
	uint8_t body[192], all[224], code = error_of(ask, v);
	struct wr in = { .p = body, .cap = sizeof body }, out = { .p = all, .cap = sizeof all };

	/* Who gives no address (an indicator alone) or no identifier cannot be answered. */
	if (v->act != ACT_REJECT || otid.n == 0 || tab_get(&seen->sccp, SCCP_CALLING).n < 2)
		return;
	ber_put(&in, BER_APPLICATION, TAG_DTID, otid);
	if (code == ABORT) {
		put_abrt(&in);
	} else {
		put_aare(&in, seen);
		put_error(&in, seen, ask, code);
	}
	ber_put_head(&out, BER_APPLICATION, true, code == ABORT ? TAG_ABORT : TAG_END, in.n);
	wr_view(&out, wr_done(&in));
	w->err = w->err ? w->err : in.err ? in.err : out.err;
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
