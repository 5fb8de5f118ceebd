/* Whatever comes: parsing ends, what it yields lies inside what it was given; a message that is framed
 * whole and parses is the same when its parameters are written again. */
#include "fuzz/inside.h"
#include "wire/m3ua.h"

static uint8_t room[2][64 * 1024], bytes[M3UA_FRAME_MAX + 4];

static void survives(const struct msg *a)
{
	struct arena mem = { room[1], 0, sizeof room[1] };
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	size_t start = m3ua_begin(&w, (enum m3ua_msg)a->shape->id);
	struct msg b;

	for (const struct slot *s = NULL; (s = tab_next(a, NULL, NO_FIELD, s));)
		m3ua_put(&w, (enum m3ua_field)s->field, s->value);
	m3ua_end(&w, start);
	if (m3ua_parse(&b, wr_done(&w), &mem) != ERR_OK || a->shape != b.shape || a->slot_n != b.slot_n)
		abort();
	for (size_t i = 1; i < a->slot_n; i++) {
		if (a->slot[i].field != b.slot[i].field)
			abort();
		if (a->slot[i].n == 0 && !view_eq(a->slot[i].value, b.slot[i].value))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena mem = { room[0], 0, sizeof room[0] };
	struct view in = { data, n };
	struct m3ua_data d;
	struct msg m;
	size_t frame = m3ua_frame(in);

	if (frame != SIZE_MAX && frame > n)
		abort();
	if (n > M3UA_FRAME_MAX || m3ua_parse(&m, in, &mem) != ERR_OK)
		return 0;
	inside(&m, in);
	if (m3ua_data(&m, &d))
		lies_inside(d.user, in);
	survives(&m);
	return 0;
}
