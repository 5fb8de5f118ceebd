/* Reset-Request (TS 29.272 7.2.15, 5.2.4.1): home has lost registrations, so every node is to
 * update location again for each of our subscribers at its next contact. It starts a storm by
 * itself: never sent unasked. */
#include "home/s6a.h"

void s6a_rsr_write(struct wr *w, const struct s6a_out *out)
{
	dia_end(w, s6a_request_begin(w, 322, out));
}
