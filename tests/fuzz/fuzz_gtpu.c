/* A UDP payload to port 2152. What is carried lies inside, at its end; GTP nodes would take it for GTP;
 * a payload cut shorter is none. */
#include "fuzz/inside.h"
#include "inspect/gtpu.h"
#include "inspect/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view in = { data, n };
	struct packet p;
	struct gtpu g, again;

	if (gtpu_parse(&g, in) != ERR_OK)
		return 0;
	lies_inside(g.inner, in);
	if (g.inner.n > 0 && g.inner.p + g.inner.n != in.p + in.n)
		abort();
	if (g.inner.n > n - 8 || (g.extension_n > 0 && g.inner.n + 12 + 4u * g.extension_n > n))
		abort();
	if (!gtp_like(in) || gtpu_parse(&again, view_first(in, n - 1)) == ERR_OK)
		abort();
	if (g.type == GTPU_PACKET && packet_ip(&p, g.inner) == ERR_OK)
		lies_inside(p.ip, g.inner);
	return 0;
}
