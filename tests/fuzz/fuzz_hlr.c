/* A conversation with the HLR, whatever it says: reading ends, dialogues stay bounded, and every
 * message that it sends is one SCCP message with one whole TCAP message in it. The input: for each
 * message two octets of length, the octets; whether a commit fails, and the time, follow from them.
 */
#include "base/log.h"
#include "unit/hlr_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must_read(size_t from)
{
	static uint8_t room[64 * 1024];
	static struct hlr_heard h;

	for (size_t i = from; i < said_n; i++) {
		struct arena mem = {room, 0, sizeof room};
		struct msg sccp;

		if (sccp_parse(&sccp, (struct view){said[i].bytes, said[i].n}, &mem))
			abort();
		if (tab_slot(&sccp, SCCP_SEGMENT))
			continue;
		/* What is handed on is as it came. */
		if (tab_get(&sccp, SCCP_CALLED).p[1] != SSN_MSC &&
		    hlr_hear(&h, tab_get(&sccp, SCCP_DATA), &mem))
			abort();
	}
}

/* An identifier of ours cannot be guessed: ffffffff behind the tag of a destination's is the one
 * named last. */
static struct view with_last(struct view v, uint8_t copy[4096])
{
	static const uint8_t last[] = {0x49, 4, 0xff, 0xff, 0xff, 0xff};
	struct hlr_talk *t = NULL;

	if (v.n > 4096)
		return v;
	memcpy(copy, v.p, v.n);
	for (size_t i = 0; i + sizeof last <= v.n; i++) {
		if (memcmp(copy + i, last, sizeof last) != 0)
			continue;
		t = t ? t : hlr_talk_late(world_hlr.talks, UINT64_MAX);
		if (t)
			hlr_talk_tid(t, copy + i + 2);
	}
	return (struct view){copy, v.n};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t copy[4096];
	const struct hlr_route by = {.opc = 1, .dpc = 100};
	struct rd r = {.left = {data, n}};

	log_show(LOG_ERROR);
	world_begin();
	while (r.left.n > 2 && said_n < HLR_SAID_MAX / 2) {
		size_t want = rd_be(&r, 2), before = said_n;
		struct view v = rd_take(&r, want < r.left.n ? want : r.left.n);

		hlr_take(&world, &by, with_last(v, copy));
		if (want & 1)
			settle(want & 2 ? ERR_IO : ERR_OK);
		world_now += 700;
		hlr_tick_dialogues(&world);
		must_read(before);
		if (hlr_talks_used(world_hlr.talks) > 64)
			abort();
	}
	return 0;
}
