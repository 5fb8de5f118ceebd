/* Purge-UE-Request and -Answer (TS 29.272 7.2.13, 7.2.14). */
#include "home/s6a.h"

uint32_t s6a_pur_flags(const struct msg *m)
{
	return dia_u32(tab_get(m, AVP_PUR_FLAGS));
}

void s6a_pua_write(struct wr *w, const struct s6a_in *in, const struct purge_result *p)
{
	size_t start = s6a_answer_begin(w, in, p->result);

	s6a_put_features(w, in->m, s6a_features(in->m));
	if (p->result == RESULT_OK)
		dia_put_u32(w, AVP_PUA_FLAGS, p->freeze);
	s6a_answer_end(w, in, start);
}
