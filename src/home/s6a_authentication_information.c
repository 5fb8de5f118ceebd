/* Authentication-Information-Request and -Answer (TS 29.272 7.2.5, 7.2.6). */
#include "home/s6a.h"

/* The number asked for; a request that names none asks for one. */
static uint32_t asked(const struct msg *m, uint16_t group)
{
	const struct slot *g = tab_slot(m, group);
	const struct slot *n = g ? tab_next(m, g, AVP_NUMBER_OF_REQUESTED_VECTORS, NULL) : NULL;
	uint32_t count = n ? dia_u32(n->value) : 1;

	return !g ? 0 : count < 1 ? 1 : count;
}

void s6a_air_read(const struct msg *m, struct auth_request *q)
{
	struct view plmn = tab_get(m, AVP_VISITED_PLMN_ID);

	*q = (struct auth_request){
	    .imsi = s6a_imsi(m), .plmn = plmn_of_tbcd(plmn), .domain = DOMAIN_SGSN};
	memcpy(q->plmn_octets, plmn.p, sizeof q->plmn_octets);
	q->eps_n = asked(m, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO);
	q->utran_n = asked(m, AVP_REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO);
	q->resync =
	    tab_get(m, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO, AVP_RE_SYNCHRONIZATION_INFO);
	if (q->resync.n == 0)
		q->resync = tab_get(m, AVP_REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO,
				    AVP_RE_SYNCHRONIZATION_INFO);
	q->utran_now = dia_u32(tab_get(m, AVP_REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO,
				       AVP_IMMEDIATE_RESPONSE_PREFERRED)) != 0;
}

#define OCTETS(array) ((struct view){(array), sizeof(array)})

static void put_eps(struct wr *w, const struct eps_vector *v, uint32_t item)
{
	size_t group = dia_open(w, AVP_E_UTRAN_VECTOR);

	dia_put_u32(w, AVP_ITEM_NUMBER, item);
	dia_put(w, AVP_RAND, OCTETS(v->v.rand));
	dia_put(w, AVP_XRES, (struct view){v->v.xres, v->v.xres_n});
	dia_put(w, AVP_AUTN, OCTETS(v->v.autn));
	dia_put(w, AVP_KASME, OCTETS(v->kasme));
	dia_close(w, group);
}

static void put_utran(struct wr *w, const struct aka_vector *v, uint32_t item)
{
	size_t group = dia_open(w, AVP_UTRAN_VECTOR);

	dia_put_u32(w, AVP_ITEM_NUMBER, item);
	dia_put(w, AVP_RAND, OCTETS(v->rand));
	dia_put(w, AVP_XRES, (struct view){v->xres, v->xres_n});
	dia_put(w, AVP_AUTN, OCTETS(v->autn));
	dia_put(w, AVP_CONFIDENTIALITY_KEY, OCTETS(v->ck.b));
	dia_put(w, AVP_INTEGRITY_KEY, OCTETS(v->ik.b));
	dia_close(w, group);
}

static void put_geran(struct wr *w, const struct aka_vector *v, uint32_t item)
{
	size_t group = dia_open(w, AVP_GERAN_VECTOR);
	uint8_t sres[4], kc[8];

	aka_geran(v, sres, kc);
	dia_put_u32(w, AVP_ITEM_NUMBER, item);
	dia_put(w, AVP_RAND, OCTETS(v->rand));
	dia_put(w, AVP_SRES, OCTETS(sres));
	dia_put(w, AVP_KC, OCTETS(kc));
	dia_close(w, group);
	secret_wipe(kc, sizeof kc);
}

void s6a_aia_write(struct wr *w, const struct s6a_in *in, const struct auth_result *a)
{
	size_t start = s6a_answer_begin(w, in, a->result), info;
	uint32_t diagnostic = result_rows[a->result].diagnostic;

	s6a_put_features(w, in->m, s6a_features(in->m));
	if (diagnostic != NO_DIAG)
		dia_put_u32(w, AVP_ERROR_DIAGNOSTIC, diagnostic);
	if (a->result == RESULT_OK) {
		info = dia_open(w, AVP_AUTHENTICATION_INFO);
		for (uint32_t i = 0; i < a->eps_n; i++)
			put_eps(w, &a->eps[i], i + 1);
		for (uint32_t i = 0; i < a->utran_n; i++)
			(a->gsm ? put_geran : put_utran)(w, &a->utran[i], i + 1);
		dia_close(w, info);
	}
	s6a_answer_end(w, in, start);
}
