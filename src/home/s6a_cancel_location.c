/* Cancel-Location-Request (TS 29.272 7.2.7): this node serves the subscriber no longer. */
#include "home/s6a.h"

#define CLR_S6A                                                                                    \
	1 /* CLR-Flags (7.3.152): cancels the MME's, not the SGSN's part of a combined node */

void s6a_clr_write(struct wr *w, const struct s6a_out *out, enum cancellation type, bool mme)
{
	size_t start = s6a_request_begin(w, 317, out);

	dia_put_u32(w, AVP_CANCELLATION_TYPE, type);
	dia_put_u32(w, AVP_CLR_FLAGS, mme ? CLR_S6A : 0);
	dia_end(w, start);
}
