/* A frame of any link layer (the first byte says which). Whatever comes: what is found lies inside what was
 * given, in order, and a packet cut anywhere shorter never shows more. */
#include "fuzz/inside.h"
#include "inspect/packet.h"

#include <stdlib.h>

static void holds(const struct packet *p, struct view in)
{
	struct packet deeper;

	lies_inside(p->ip, in);
	lies_inside(p->transport, p->ip);
	lies_inside(p->payload, p->transport);
	if (p->flow.family != 4 && p->flow.family != 6)
		abort();
	if (address_is4(p->flow.from) != (p->flow.family == 4))
		abort();
	if (p->notes & PACKET_LATER && (p->flow.from_port || p->flow.to_port))
		abort();
	if (packet_tunnel(p, &deeper))
		lies_inside(deeper.ip, p->payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const int links[] = { PACKET_ETHERNET, PACKET_RAW, PACKET_NULL, PACKET_LOOP, PACKET_COOKED,
				     PACKET_COOKED2, PACKET_IPV4, 9999 };
	struct packet p, again;
	struct view in;
	size_t cut;

	if (n < 1)
		return 0;
	in = (struct view){ data + 1, n - 1 };
	if (packet_parse(&p, in, links[data[0] % 8]) != ERR_OK)
		return 0;
	holds(&p, in);
	cut = (size_t)(p.ip.p - in.p) + p.ip.n; /* without what lies behind it, the same */
	if (packet_parse(&again, view_first(in, cut), links[data[0] % 8]) != ERR_OK ||
	    !view_eq(p.payload, again.payload) || memcmp(&p.flow, &again.flow, sizeof p.flow) != 0)
		abort();
	if (packet_parse(&again, view_first(in, cut - 1), links[data[0] % 8]) == ERR_OK)
		abort();
	return 0;
}
