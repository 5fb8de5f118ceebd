/* Insert-Subscriber-Data-Request (TS 29.272 7.2.9). Always the whole profile: MMEs exist that know
 * no partial one (facts/peers.md 4.2), and the whole replaces whatever they hold. */
#include "home/s6a.h"
#include "home/subscription_data.h"

void s6a_idr_write(struct wr *w, const struct s6a_out *out, const struct home_rows *rows, bool gprs)
{
	size_t start = s6a_request_begin(w, 319, out);

	subscription_data_put(w, rows->sub, rows->profile, out->to->features, gprs);
	dia_end(w, start);
}
