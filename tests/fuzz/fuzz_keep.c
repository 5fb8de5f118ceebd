/* Whatever comes to the keeper's socket: parsing ends, what it yields lies inside what it was
 * given, and what was parsed is the same after emit and parse. */
#include "wire/keep.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void inside(struct view v, struct view in)
{
	if (v.n > 0 && (v.p < in.p || v.n > in.n || v.p - in.p > (ptrdiff_t)(in.n - v.n)))
		abort();
}

static void same(const struct keep *a, const struct keep *b)
{
	if (a->op != b->op || a->id != b->id || a->has != b->has || a->reply != b->reply ||
	    a->pair_n != b->pair_n)
		abort();
	for (int f = 0; f < KEEP_FIELDS; f++) {
		if (!view_eq(a->text[f], b->text[f]) || a->num[f] != b->num[f])
			abort();
	}
	for (size_t i = 0; i < a->pair_n; i++) {
		if (!view_eq(a->pair[i], b->pair[i]))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t room[KEEP_FRAME_MAX];
	struct wr w = { .p = room, .cap = sizeof room };
	struct view in = { data, n };
	size_t frame = keep_frame(in);
	struct keep k, again;
	enum err err = keep_parse(&k, in);

	if (err)
		return 0;
	if (frame != n)
		abort(); /* a frame that parses is one frame, whole */
	for (int f = 0; f < KEEP_FIELDS; f++)
		inside(k.text[f], in);
	for (size_t i = 0; i < k.pair_n; i++)
		inside(k.pair[i], in);
	keep_emit(&w, &k);
	if (w.err || w.n != n || keep_parse(&again, wr_done(&w)))
		abort();
	same(&k, &again);
	return 0;
}
