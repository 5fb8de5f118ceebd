/* Notify-Answer (TS 29.272 7.2.18). */
#include "home/s6a.h"

void s6a_noa_write(struct wr *w, const struct s6a_in *in, const struct notify_result *n)
{
	size_t start = s6a_answer_begin(w, in, n->result);

	s6a_put_features(w, in->m, s6a_features(in->m));
	s6a_answer_end(w, in, start);
}
