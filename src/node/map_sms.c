#include "node/map_sms.h"

#include "node/map_inside.h"
#include "wire/tcap_put.h"

#define SEND_ROUTING_INFO_FOR_SM 45

/* The first element of this class and tag. */
static bool element(struct view in, enum ber_class class, uint32_t tag, struct view *value)
{
	struct rd r = { .left = in };

	while (r.left.n > 0 && !r.err) {
		struct slot s = { 0 };

		ber_take(&s, &r, NULL);
		if (!r.err && s.space == class && s.tag == tag) {
			*value = s.value;
			return true;
		}
	}
	return false;
}

static const struct slot *result_of(const struct map_seen *seen)
{
	const struct slot *all = tab_slot(&seen->tcap, TCAP_COMPONENTS);

	return all ? tab_next(&seen->tcap, all, TCAP_RESULT, NULL) : NULL;
}

bool map_route_of(const struct map_seen *seen, struct map_route *out)
{
	const struct slot *result = result_of(seen);
	const struct slot *body = result ? tab_next(&seen->tcap, result, TCAP_RETURN, NULL) : NULL;
	const struct slot *code = body ? tab_next(&seen->tcap, body, TCAP_LOCAL, NULL) : NULL;
	const struct slot *parameter = body ? tab_next(&seen->tcap, body, TCAP_PARAMETER, NULL) : NULL;
	struct view place, indicator;

	*out = (struct map_route){ 0 };
	if (!code || ber_int(code->value) != SEND_ROUTING_INFO_FOR_SM || !parameter ||
	    !element(parameter->value, BER_UNIVERSAL, BER_OCTETS, &out->imsi) ||
	    !element(parameter->value, BER_CONTEXT, 0, &place) || !element(place, BER_CONTEXT, 1, &out->node))
		return false;
	out->sgsn = element(place, BER_CONTEXT, 5, &indicator);
	return out->imsi.n >= 3 && out->imsi.n <= 8 && out->node.n >= 2 && out->node.n <= 9;
}

void map_put_route(struct wr *w, const struct map_seen *seen, struct view given, struct view number)
{
	enum { LOCATION = 0, NODE = 1 };
	const struct slot *dialogue = tab_slot(&seen->tcap, TCAP_DIALOGUE), *result = result_of(seen);
	const struct slot *id = result ? tab_next(&seen->tcap, result, TCAP_INVOKE_ID, NULL) : NULL;
	struct tcap_out o;

	tcap_start(&o, w, (enum tcap_msg)seen->tcap.shape->id, tab_get(&seen->tcap, TCAP_OTID),
		   tab_get(&seen->tcap, TCAP_DTID));
	if (dialogue)
		wr_view(w, dialogue->whole);
	tcap_open_components(&o);
	tcap_open_result(&o, id ? id->value.p[0] : 0, SEND_ROUTING_INFO_FOR_SM);
	tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
	ber_put(w, BER_UNIVERSAL, BER_OCTETS, given);
	tcap_open(&o, BER_CONTEXT, LOCATION);
	ber_put(w, BER_CONTEXT, NODE, number);
	tcap_end(&o);
}

/* Where the IMSI of the first request stands in the message; NULL: it has none. */
static const struct slot *imsi_in(const struct map_seen *seen)
{
	const struct msg *m = &seen->argument;

	for (size_t i = 1; seen->ask_n > 0 && i < m->slot_n; i++) {
		const struct slot *s = &m->slot[i];

		if (s->field == MAP_IMSI_0 && s->value.n > 0)
			return s;
	}
	return NULL;
}

static void put_part(struct wr *w, const struct slot *part, const struct slot *imsi, struct view other)
{
	size_t at = w->n;

	if (!part)
		return;
	wr_view(w, part->whole);
	if (!imsi || w->err || imsi->value.p < part->whole.p ||
	    imsi->value.p >= part->whole.p + part->whole.n)
		return;
	at += (size_t)(imsi->value.p - part->whole.p);
	memcpy(w->p + at, other.p, other.n);
}

void map_put_again(struct wr *w, const struct map_seen *seen, struct view otid, struct view dtid,
		   struct view imsi)
{
	const struct slot *at = imsi.n > 0 ? imsi_in(seen) : NULL;
	const struct msg *m = &seen->tcap;
	struct tcap_out o;

	if (imsi.n > 0 && (!at || at->value.n != imsi.n))
		w->err = w->err ? w->err : ERR_LENGTH;
	tcap_start(&o, w, (enum tcap_msg)m->shape->id, tab_slot(m, TCAP_OTID) ? otid : (struct view){ 0 },
		   tab_slot(m, TCAP_DTID) ? dtid : (struct view){ 0 });
	put_part(w, tab_slot(m, TCAP_P_ABORT), NULL, imsi);
	put_part(w, tab_slot(m, TCAP_DIALOGUE), NULL, imsi);
	put_part(w, tab_slot(m, TCAP_COMPONENTS), at, imsi);
	tcap_end(&o);
}
