/* ME-Identity-Check-Answer (TS 29.272 7.2.20). */
#include "home/s6a.h"

void s13_eca_write(struct wr *w, const struct s6a_in *in, const struct check_result *c)
{
	size_t start = s6a_answer_begin(w, in, c->result);

	if (c->result == RESULT_OK)
		dia_put_u32(w, AVP_EQUIPMENT_STATUS, c->colour);
	s6a_answer_end(w, in, start);
}
