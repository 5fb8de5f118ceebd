#include "home/zn.h"

#define NTP_EPOCH 2208988800u /* Diameter's Time begins in 1900 (RFC 6733 4.3.1) */
#define GBA_3G 0

void zn_bia_write(struct wr *w, const struct s6a_in *in, enum result result, const struct bsf_key *k)
{
	size_t start = s6a_answer_begin(w, in, result);

	if (!result) {
		dia_put_text(w, AVP_USER_NAME, k->impi);
		dia_put(w, AVP_ME_KEY_MATERIAL, (struct view){k->ks_naf.b, sizeof k->ks_naf.b});
		dia_put_u32(w, AVP_KEY_EXPIRYTIME, (uint32_t)(k->expires_s + NTP_EPOCH));
		dia_put_u32(w, AVP_BOOTSTRAPINFOCREATIONTIME, (uint32_t)(k->made_s + NTP_EPOCH));
		dia_put_u32(w, AVP_GBA_TYPE, GBA_3G);
	}
	s6a_answer_end(w, in, start);
}
