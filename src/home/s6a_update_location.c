/* Update-Location-Request and -Answer (TS 29.272 7.2.3, 7.2.4). */
#include "home/s6a.h"
#include "home/subscription_data.h"

#define ULA_SEPARATION 1 /* this HSS tells MME and SGSN registrations apart (7.3.8) */

void s6a_ulr_read(const struct msg *m, struct update_request *q)
{
	*q = (struct update_request){
	    .imsi = s6a_imsi(m),
	    .imei = s6a_imei(m),
	    .plmn = plmn_of_tbcd(tab_get(m, AVP_VISITED_PLMN_ID)),
	    .features = s6a_features(m),
	    .host = tab_get(m, AVP_ORIGIN_HOST),
	    .realm = tab_get(m, AVP_ORIGIN_REALM),
	    .flags = dia_u32(tab_get(m, AVP_ULR_FLAGS)),
	    .rat_type = dia_u32(tab_get(m, AVP_RAT_TYPE)),
	};
	q->node = q->flags & ULR_S6A ? REG_MME : REG_SGSN;
}

void s6a_ula_write(struct wr *w, const struct s6a_in *in, const struct update_request *q,
		   const struct update_result *u, const struct home_rows *rows, bool compat)
{
	bool ok = u->result == RESULT_OK;
	uint32_t diagnostic = result_rows[u->result].diagnostic;
	size_t start = s6a_answer_begin(w, in, u->result);

	s6a_put_features(w, in->m, q->features);
	if (diagnostic != NO_DIAG)
		dia_put_u32(w, AVP_ERROR_DIAGNOSTIC, diagnostic);
	if (ok || compat)
		dia_put_u32(w, AVP_ULA_FLAGS, ULA_SEPARATION);
	if (ok && u->data)
		subscription_data_put(w, rows->sub, rows->profile, q->features,
				      q->node == REG_SGSN && (q->flags & ULR_GPRS_DATA));
	if (!ok && compat)
		dia_close(w, dia_open(w, AVP_SUBSCRIPTION_DATA));
	s6a_answer_end(w, in, start);
}
