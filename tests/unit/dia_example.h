/* Make a message from its row: with what it must have, or with all that it may have. */
#pragma once
#include "wire/dia.h"

struct example {
	bool full;         /* with every MAY too, once; MANY twice */
	uint16_t without;  /* leave out this field of the message itself */
	uint16_t twice;    /* put this one twice */
};

static inline void example_fill(struct wr *w, uint8_t byte, size_t n)
{
	for (; n > 0; n--)
		wr_be(w, byte, 1);
}

static inline void example_value(struct wr *w, const struct field *f, enum kind kind)
{
	size_t n = f->min > 0 ? f->min : 1;

	switch (kind) {
	case TEXT:     example_fill(w, 'x', n); break;
	case DIGITS:   example_fill(w, '7', n); break;
	case IMSI:     wr_view(w, VIEW("999700000000001")); break;
	case ISDN:
	case TBCD:     example_fill(w, 0x21, n); break;
	case PLMN:     wr_view(w, VIEW("\x99\xf9\x07")); break;
	case IDENTITY: wr_view(w, VIEW("mme.epc.mnc001.mcc001.3gppnetwork.org")); break;
	case ADDRESS:  wr_view(w, VIEW("\0\1\x7f\0\0\1")); break;
	case NUMBER:
	case ENUM:     wr_be(w, f->among ? f->among->from : 1, 4); break;
	case U64:      wr_be(w, 1, 8); break;
	case KIND_ANY:
	case BYTES:
	case GROUP:    example_fill(w, 0, n); break;
	}
}

static inline void example_rules(struct wr *w, const struct rule *r, bool full);

static inline void example_put(struct wr *w, const struct rule *r, bool full)
{
	const struct field *f = &dia_proto.fields[r->field];
	size_t start = dia_open(w, r->field);

	if (r->field == AVP_FAILED_AVP) /* to us it is bytes, but they are an AVP */
		dia_put_u32(w, AVP_AUTH_SESSION_STATE, 1);
	else if (f->rules)
		example_rules(w, f->rules, full);
	else
		example_value(w, f, r->as ? r->as : f->kind);
	dia_close(w, start);
}

/* A group is never empty, even if it must hold nothing. */
static inline void example_rules(struct wr *w, const struct rule *r, bool full)
{
	size_t start = w->n;
	const struct rule *first = r;

	for (; r->field != NO_FIELD; r++) {
		if (r->min > 0 || full)
			example_put(w, r, full);
		if (full && r->max > 1)
			example_put(w, r, false);
	}
	if (w->n == start && first->field != NO_FIELD)
		example_put(w, first, false);
}

static inline struct view dia_example(enum dia_msg id, struct example how, struct wr *w)
{
	const struct shape *s = &dia_proto.shapes[id];
	struct dia_header h = { .code = s->code, .app = s->space, .hop_by_hop = 7,
				.end_to_end = 9 };
	size_t start;

	h.flags = s->direction == 1 ? DIA_FLAG_REQUEST : 0;
	h.flags = (uint8_t)(h.flags | (s->space != DIA_APP_BASE ? DIA_FLAG_PROXIABLE : 0));
	if (id == DIA_ERROR)
		h = (struct dia_header){ .flags = 0x60, .code = 318, .app = DIA_APP_S6A };
	start = dia_begin(w, &h);
	for (const struct rule *r = s->rules; r->field != NO_FIELD; r++) {
		if (r->field == how.without || (r->min == 0 && !how.full && r->field != how.twice))
			continue;
		example_put(w, r, how.full);
		if (r->field == how.twice || (how.full && r->max > 1))
			example_put(w, r, false);
	}
	dia_end(w, start);
	return (struct view){ w->p + start, w->err ? 0 : w->n - start };
}
