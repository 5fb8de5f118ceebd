/* Whatever comes: parsing ends, and what it yields lies inside what it was given; what our writer makes of
 * the fields that were read is read as the same again. */
#include "fuzz/inside.h"
#include "wire/gtp1.h"

static void again(const struct gtp_head *h, const struct msg *m)
{
	static uint8_t bytes[70000], room[64 * 1024];
	struct arena mem = { room, 0, sizeof room };
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	size_t start = gtp1_begin(&w, h->type, h->teid, (uint16_t)h->seq);
	struct gtp_head back;
	struct msg other;

	for (const struct slot *s = NULL; (s = tab_next(m, NULL, NO_FIELD, s));)
		gtp1_put(&w, (uint8_t)s->tag, s->value);
	gtp_end(&w, start, GTP_HEAD_V1);
	if (w.err || w.n - start - GTP_HEAD_V1 > UINT16_MAX)
		return;
	if (gtp_head(&back, wr_done(&w)) != ERR_OK || gtp1_parse(&other, &back, &mem) != ERR_OK)
		abort();
	if (back.teid != h->teid || other.slot_n != m->slot_n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t room[64 * 1024];
	struct arena mem = { room, 0, sizeof room };
	struct view in = { data, n };
	struct gtp_head h;
	struct msg m;

	if (gtp_head(&h, in) != ERR_OK || h.version != 1 || gtp1_parse(&m, &h, &mem) != ERR_OK || !m.shape)
		return 0;
	inside(&m, in);
	again(&h, &m);
	return 0;
}
