#include "wire/tcap_put.h"

#define TAG_OTID       8 /* Q.773 table 2 and on, of class APPLICATION */
#define TAG_DTID       9
#define TAG_CAUSE      10
#define TAG_DIALOGUE   11
#define TAG_COMPONENTS 12
#define TAG_AARQ       0
#define TAG_AARE       1
#define TAG_ABRT       4
#define TAG_INVOKE     1 /* of class CONTEXT */
#define TAG_RESULT     2
#define TAG_ERROR      3
#define TAG_REJECT     4

static const uint8_t tags[] = {
	[TCAP_UNIDIRECTIONAL] = 1, [TCAP_BEGIN] = 2, [TCAP_END] = 4, [TCAP_CONTINUE] = 5, [TCAP_ABORT] = 7,
};

void tcap_open(struct tcap_out *o, enum ber_class class, uint8_t tag)
{
	if (o->n == sizeof o->at / sizeof *o->at) {
		o->w->err = o->w->err ? o->w->err : ERR_FULL;
		return;
	}
	o->at[o->n++] = ber_open(o->w, class, tag);
}

void tcap_close(struct tcap_out *o)
{
	if (o->n > 0)
		ber_close(o->w, o->at[--o->n]);
}

void tcap_end(struct tcap_out *o)
{
	while (o->n > 0)
		tcap_close(o);
}

void tcap_start(struct tcap_out *o, struct wr *w, enum tcap_msg type, struct view otid, struct view dtid)
{
	*o = (struct tcap_out){ .w = w };
	tcap_open(o, BER_APPLICATION, tags[type]);
	if (otid.n > 0)
		ber_put(w, BER_APPLICATION, TAG_OTID, otid);
	if (dtid.n > 0)
		ber_put(w, BER_APPLICATION, TAG_DTID, dtid);
}

/* The dialogue portion as far as a PDU's own fields (Q.773 4.2.3.1). */
static void open_dialogue(struct tcap_out *o, uint8_t tag)
{
	static const uint8_t dialogue_as[] = { 0, 0x11, 0x86, 5, 1, 1, 1 };

	tcap_open(o, BER_APPLICATION, TAG_DIALOGUE);
	tcap_open(o, BER_UNIVERSAL, BER_EXTERNAL);
	ber_put(o->w, BER_UNIVERSAL, BER_OID, (struct view){ dialogue_as, sizeof dialogue_as });
	tcap_open(o, BER_CONTEXT, 0);
	tcap_open(o, BER_APPLICATION, tag);
}

static void close_dialogue(struct tcap_out *o)
{
	for (int i = 0; i < 4; i++)
		tcap_close(o);
}

static void put_context(struct tcap_out *o, struct view oid)
{
	static const uint8_t version_1[] = { 0x80, 2, 7, 0x80 };

	wr_view(o->w, (struct view){ version_1, sizeof version_1 });
	tcap_open(o, BER_CONTEXT, 1);
	ber_put(o->w, BER_UNIVERSAL, BER_OID, oid);
	tcap_close(o);
}

void tcap_put_aarq(struct tcap_out *o, struct view oid)
{
	open_dialogue(o, TAG_AARQ);
	put_context(o, oid);
	close_dialogue(o);
}

void tcap_put_aare(struct tcap_out *o, struct view oid, bool accept)
{
	static const uint8_t accepted[] = { 0xa2, 3, 2, 1, 0, 0xa3, 5, 0xa1, 3, 2, 1, 0 };
	static const uint8_t rejected[] = { 0xa2, 3, 2, 1, 1, 0xa3, 5, 0xa1, 3, 2, 1, 2 };

	open_dialogue(o, TAG_AARE);
	put_context(o, oid);
	wr_view(o->w, (struct view){ accept ? accepted : rejected, sizeof accepted });
	close_dialogue(o);
}

void tcap_put_abrt(struct tcap_out *o)
{
	static const uint8_t by_user[] = { 0x80, 1, 0 };

	open_dialogue(o, TAG_ABRT);
	wr_view(o->w, (struct view){ by_user, sizeof by_user });
	close_dialogue(o);
}

void tcap_put_cause(struct tcap_out *o, enum tcap_cause cause)
{
	ber_put_int(o->w, BER_APPLICATION, TAG_CAUSE, cause);
}

void tcap_open_components(struct tcap_out *o)
{
	tcap_open(o, BER_APPLICATION, TAG_COMPONENTS);
}

static void open_component(struct tcap_out *o, uint8_t tag, uint8_t id)
{
	tcap_open(o, BER_CONTEXT, tag);
	/* As it came: it may be negative. */
	ber_put(o->w, BER_UNIVERSAL, BER_INTEGER, (struct view){ &id, 1 });
}

void tcap_open_invoke(struct tcap_out *o, uint8_t id, uint8_t op)
{
	open_component(o, TAG_INVOKE, id);
	ber_put_int(o->w, BER_UNIVERSAL, BER_INTEGER, op);
}

void tcap_open_result(struct tcap_out *o, uint8_t id, uint8_t op)
{
	open_component(o, TAG_RESULT, id);
	tcap_open(o, BER_UNIVERSAL, BER_SEQUENCE);
	ber_put_int(o->w, BER_UNIVERSAL, BER_INTEGER, op);
}

void tcap_put_done(struct tcap_out *o, uint8_t id)
{
	open_component(o, TAG_RESULT, id);
	tcap_close(o);
}

void tcap_open_error(struct tcap_out *o, uint8_t id, uint8_t code)
{
	open_component(o, TAG_ERROR, id);
	ber_put_int(o->w, BER_UNIVERSAL, BER_INTEGER, code);
}

void tcap_put_reject(struct tcap_out *o, uint8_t id, enum tcap_problem_of of, uint8_t problem)
{
	open_component(o, TAG_REJECT, id);
	ber_put(o->w, BER_CONTEXT, (uint8_t)of, (struct view){ &problem, 1 });
	tcap_close(o);
}
