/* Whatever a capture holds: reading ends, memory is bounded, and what is handed over are whole frames. The
 * input is a link layer and packets: a byte of it, then for each packet 2 bytes of length and the bytes. */
#include "cli/cap.h"
#include "wire/dia.h"
#include "wire/m3ua.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void message(void *ctx, struct cap_flow *f, struct view frame, uint64_t at_ms)
{
	uint64_t *messages = ctx;

	(void)at_ms;
	if (dia_frame(frame) != frame.n || frame.n < DIA_HEADER || !f->from[0] || !f->to[0])
		abort();
	++*messages;
	f->user = messages;
}

static void m3ua(void *ctx, struct cap_flow *f, struct view frame, uint64_t at_ms)
{
	uint64_t *messages = ctx;

	(void)at_ms;
	if (m3ua_frame(frame) != frame.n || !f->from[0])
		abort();
	++*messages;
}

static void gone(void *ctx, struct cap_flow *f)
{
	if (f->user && f->user != ctx)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const int links[] = { CAP_NULL, CAP_ETHERNET, CAP_RAW, CAP_COOKED, CAP_COOKED2, CAP_IPV6 };
	static const struct cap_ops ops = { message, m3ua, gone };
	struct rd r = { .left = { data, n } };
	int link = links[rd_be(&r, 1) % (sizeof links / sizeof *links)];
	uint64_t messages = 0;
	struct cap *c = cap_new(&ops, &messages);

	if (!c)
		return 0;
	while (r.left.n > 2) {
		size_t want = rd_be(&r, 2);

		cap_packet(c, link, rd_take(&r, want < r.left.n ? want : r.left.n), 0);
	}
	cap_end(c, 0);
	if (cap_counts(c)->messages != messages)
		abort();
	cap_free(c);
	return 0;
}
