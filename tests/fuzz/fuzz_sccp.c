/* Whatever comes: parsing ends, what it yields lies inside what it was given; a UDT's parts, written
 * again, are a UDT of the same parts. */
#include "fuzz/inside.h"
#include "wire/sccp.h"

static uint8_t room[2][8 * 1024], bytes[1024];

static void survives(const struct msg *a)
{
	struct arena mem = { room[1], 0, sizeof room[1] };
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	static const uint16_t parts[] = { SCCP_CALLED, SCCP_CALLING, SCCP_DATA };
	struct msg b;

	sccp_put_udt(&w, tab_get(a, SCCP_CALLED), tab_get(a, SCCP_CALLING), tab_get(a, SCCP_DATA));
	if (w.err)
		return; /* parts that overlap may be longer than a message can be */
	if (sccp_parse(&b, wr_done(&w), &mem) != ERR_OK)
		abort();
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!view_eq(tab_get(a, parts[i]), tab_get(&b, parts[i])))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena mem = { room[0], 0, sizeof room[0] };
	struct view in = { data, n };
	struct sccp_address a;
	struct msg m;

	if (sccp_address(&a, in) == ERR_OK && a.digit_n > sizeof a.digits)
		abort();
	if (sccp_parse(&m, in, &mem) != ERR_OK)
		return 0;
	inside(&m, in);
	if (sccp_address(&a, tab_get(&m, SCCP_CALLED)) == ERR_OK && a.digit_n > sizeof a.digits)
		abort();
	(void)sccp_segment(tab_get(&m, SCCP_SEGMENT));
	if (m.shape->id == SCCP_UDT)
		survives(&m);
	return 0;
}
