/* Delete-Subscriber-Data-Request (TS 29.272 7.2.11). */
#include "home/s6a.h"

void s6a_dsr_write(struct wr *w, const struct s6a_out *out, const struct s6a_deletion *d)
{
	size_t start = s6a_request_begin(w, 320, out);

	dia_put_u32(w, AVP_DSR_FLAGS, d->flags);
	for (size_t i = 0; i < d->context_n; i++)
		dia_put_u32(w, AVP_CONTEXT_IDENTIFIER, d->context[i]);
	dia_end(w, start);
}
