#include "node/map_sms.h"

#include "node/map_inside.h"

#define SEND_ROUTING_INFO_FOR_SM 45
#define TAG_OTID       8
#define TAG_DTID       9
#define TAG_COMPONENTS 12
#define TAG_RESULT     2

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

static void put_made(struct wr *w, enum ber_class class, uint8_t tag, struct view inside)
{
	ber_put_head(w, class, true, tag, inside.n);
	wr_view(w, inside);
}

/* The whole message around what was written: tag of the message as it came. */
static void put_message(struct wr *w, const struct map_seen *seen, const struct wr *body)
{
	ber_put_head(w, BER_APPLICATION, true, (uint8_t)seen->tcap.shape->code, body->n);
	wr_view(w, wr_done(body));
	w->err = w->err ? w->err : body->err;
}

void map_put_route(struct wr *w, const struct map_seen *seen, struct view given, struct view number)
{
	static const uint8_t code = SEND_ROUTING_INFO_FOR_SM;
	const struct slot *dialogue = tab_slot(&seen->tcap, TCAP_DIALOGUE), *result = result_of(seen);
	const struct slot *id = result ? tab_next(&seen->tcap, result, TCAP_INVOKE_ID, NULL) : NULL;
	uint8_t bytes[5][256];
	struct wr a = { .p = bytes[0], .cap = 256 }, b = { .p = bytes[1], .cap = 256 };
	struct wr c = { .p = bytes[2], .cap = 256 }, d = { .p = bytes[3], .cap = 256 };
	struct wr all = { .p = bytes[4], .cap = 256 };

	ber_put(&a, BER_CONTEXT, 1, number);
	ber_put(&b, BER_UNIVERSAL, BER_OCTETS, given);
	put_made(&b, BER_CONTEXT, 0, wr_done(&a));
	ber_put(&c, BER_UNIVERSAL, BER_INTEGER, (struct view){ &code, 1 });
	put_made(&c, BER_UNIVERSAL, BER_SEQUENCE, wr_done(&b));
	ber_put(&d, BER_UNIVERSAL, BER_INTEGER, id ? id->value : (struct view){ &code, 1 });
	put_made(&d, BER_UNIVERSAL, BER_SEQUENCE, wr_done(&c));
	a.n = 0;
	put_made(&a, BER_CONTEXT, TAG_RESULT, wr_done(&d));
	ber_put(&all, BER_APPLICATION, TAG_DTID, tab_get(&seen->tcap, TCAP_DTID));
	if (dialogue)
		wr_view(&all, dialogue->whole);
	put_made(&all, BER_APPLICATION, TAG_COMPONENTS, wr_done(&a));
	w->err = w->err ? w->err : a.err ? a.err : b.err ? b.err : c.err ? c.err : d.err;
	put_message(w, seen, &all);
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
	uint8_t bytes[JOIN_BYTES];
	struct wr body = { .p = bytes, .cap = sizeof bytes };

	if (imsi.n > 0 && (!at || at->value.n != imsi.n))
		w->err = w->err ? w->err : ERR_LENGTH;
	if (tab_slot(&seen->tcap, TCAP_OTID))
		ber_put(&body, BER_APPLICATION, TAG_OTID, otid);
	if (tab_slot(&seen->tcap, TCAP_DTID))
		ber_put(&body, BER_APPLICATION, TAG_DTID, dtid);
	put_part(&body, tab_slot(&seen->tcap, TCAP_P_ABORT), NULL, imsi);
	put_part(&body, tab_slot(&seen->tcap, TCAP_DIALOGUE), NULL, imsi);
	put_part(&body, tab_slot(&seen->tcap, TCAP_COMPONENTS), at, imsi);
	put_message(w, seen, &body);
}

size_t map_tbcd(uint64_t number, uint8_t to[8])
{
	char text[BCD_TEXT];
	size_t n = bcd_text(number, text);

	for (size_t i = 0; i < n && i < 16; i += 2)
		to[i / 2] = (uint8_t)((text[i] & 15) | (i + 1 < n ? (text[i + 1] & 15) << 4 : 0xf0));
	return (n + 1) / 2;
}
