/* The oracle of BER targets: what was parsed, written with the shortest definite lengths, parses to the same. */
#pragma once
#include "fuzz/inside.h"
#include "wire/ber.h"

static inline void ber_again(struct wr *w, const struct msg *m, const struct slot *s)
{
	bool group = s->field != NO_FIELD && m->proto->fields[s->field].rules && !s->opaque;
	static uint8_t room[DEPTH_MAX + 1][1 << 16];
	struct wr in = { .p = room[s->depth <= DEPTH_MAX ? s->depth : DEPTH_MAX], .cap = sizeof room[0] };

	if (!group || s->tag >= 31) {
		wr_view(w, s->whole);
		return;
	}
	for (uint16_t i = s->first; i < s->first + s->n; i++)
		ber_again(&in, m, &m->slot[i]);
	ber_put_head(w, (enum ber_class)s->space, true, (uint8_t)s->tag, in.n);
	wr_view(w, wr_done(&in));
	if (in.err)
		w->err = in.err;
}

static inline void ber_same(const struct msg *a, const struct msg *b)
{
	if (a->slot_n != b->slot_n || a->shape != b->shape)
		abort();
	for (size_t i = 1; i < a->slot_n; i++) {
		const struct slot *x = &a->slot[i], *y = &b->slot[i];

		if (x->field != y->field || x->tag != y->tag || x->space != y->space || x->n != y->n)
			abort();
		if (x->n == 0 && !view_eq(x->value, y->value))
			abort();
	}
}
