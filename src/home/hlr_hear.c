/* One TCAP message, as far as an HLR reads it (Q.773, TS 29.002 17). */
#include "home/hlr_in.h"

static void hear_dialogue(struct hlr_heard *h)
{
	const struct slot *pdu = tcap_dialogue(&h->tcap), *name, *result;

	h->version = 1;
	h->pdu = pdu ? pdu->field : 0;
	if (!pdu || pdu->field == TCAP_ABRT)
		return;
	name = tab_next(&h->tcap, pdu, TCAP_CONTEXT, NULL);
	name = name ? tab_next(&h->tcap, name, TCAP_CONTEXT_OID, NULL) : NULL;
	h->version = 0;
	if (name)
		h->oid = name->value;
	if (!map_context(h->oid, &h->context, &h->version))
		h->context = h->version = 0;
	result = tab_next(&h->tcap, pdu, TCAP_RESULT_OF, NULL);
	result = result ? tab_next(&h->tcap, result, TCAP_RESULT_VALUE, NULL) : NULL;
	h->refused = result && ber_int(result->value) != 0;
}

static uint8_t small(const struct slot *s)
{
	int32_t x = s ? ber_int(s->value) : -1;

	return x >= 0 && x < HLR_NO_OP ? (uint8_t)x : HLR_NO_OP;
}

static void hear_component(struct hlr_heard *h)
{
	const struct slot *all = tab_slot(&h->tcap, TCAP_COMPONENTS);
	const struct slot *c = all ? tab_next(&h->tcap, all, NO_FIELD, NULL) : NULL, *id, *s;

	h->op = h->code = HLR_NO_OP;
	if (!c)
		return;
	h->component = c->field;
	h->component_n = all->n;
	id = tab_next(&h->tcap, c, TCAP_INVOKE_ID, NULL);
	h->invoke = id ? id->value.p[0] : 0;
	if (c->field == TCAP_RESULT || c->field == TCAP_RESULT_MORE)
		c = tab_next(&h->tcap, c, TCAP_RETURN, NULL);
	if (!c || c->field == TCAP_REJECT)
		return;
	s = tab_next(&h->tcap, c, TCAP_LOCAL, NULL);
	*(h->component == TCAP_ERROR ? &h->code : &h->op) = small(s);
	s = tab_next(&h->tcap, c, TCAP_PARAMETER, NULL);
	if (s)
		h->parameter = s->whole;
}

enum err hlr_hear(struct hlr_heard *h, struct view tcap, struct arena *mem)
{
	struct view rest;
	enum err err;

	memset(h, 0, sizeof *h);
	h->op = h->code = HLR_NO_OP;
	err = tcap_parse(&h->tcap, tcap, &rest, mem);
	if (h->tcap.shape) {
		h->type = h->tcap.shape->id;
		h->otid = tab_get(&h->tcap, TCAP_OTID);
		h->dtid = tab_get(&h->tcap, TCAP_DTID);
	}
	if (err || rest.n > 0)
		return err ? err : ERR_HEADER;
	hear_dialogue(h);
	hear_component(h);
	return ERR_OK;
}

enum err hlr_hear_argument(struct hlr_heard *h, struct arena *mem)
{
	return map_parse(&h->arg, h->op, h->parameter, mem);
}

uint64_t hlr_destination(const struct hlr_heard *h, struct arena *mem)
{
	struct view pdu = tab_get(&h->tcap, TCAP_DIALOGUE, TCAP_EXTERNAL, TCAP_SINGLE, TCAP_AARQ,
				  TCAP_USER, TCAP_USER_EXTERNAL, TCAP_USER_VALUE);
	struct msg open;

	if (pdu.n == 0 || map_open_parse(&open, pdu, mem))
		return 0;
	return map_number(tab_get(&open, MAP_DEST_REF), NULL);
}
