/* Whatever devices send: inspection ends, its memory is bounded, and what it counts adds up. The input are
 * packets: for each 2 bytes of length, a byte of time and direction, and the bytes, from the IP header on.
 */
#include "inspect/content.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void told(void *ctx, const struct finding *f)
{
	(void)ctx;
	if (f->count == 0 || f->rule >= FINDING_RULES ||
	    strnlen(f->evidence, sizeof f->evidence) == sizeof f->evidence)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct content *c;
	struct content_conf conf = {
	    .flow_max = 64, .undecided_max = 16, .finding_max = 64, .told = told, .passive = true};
	struct session s = {.imsi = bcd_of(VIEW("999700000000001")), .tenant = 1};
	struct rd r = {.left = {data, n}};
	static uint64_t now = 1700000000000000;
	struct packet p;
	uint64_t packets, sent = 0;

	if (!c)
		c = content_new(&conf);
	if (!c)
		return 0;
	packets = content_counts(c)->packets;
	while (r.left.n > 3) {
		size_t want = rd_be(&r, 2), how = rd_be(&r, 1);
		struct view v = rd_take(&r, want < r.left.n ? want : r.left.n);

		now += how * 100000;
		if (packet_ip(&p, v))
			continue;
		sent++;
		content_packet(c, &p, how & 1 ? &s : NULL, how & 2, now);
	}
	if (content_counts(c)->packets - packets != sent)
		abort();
	content_end(c, now);
	return 0;
}
