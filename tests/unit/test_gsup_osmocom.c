/* libosmocore reads what we write and we read what it writes, for any message and any values. */
#include "unit/test.h"
#include "wire/gsup.h"
#include "wire/ipa.h"

#include <osmocom/core/msgb.h>
#include <osmocom/gsm/gsup.h>
#include <stdlib.h>

#define ROUNDS 20000u

static uint8_t bytes[8192], room[64 * 1024];
static unsigned int seed = 20261125;

static uint32_t dice(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)dice(256);
}

/* One of everything, of which a message takes what its type allows. */
struct all {
	uint8_t type, domain, cancel, imei_result, cause;
	char imsi[16];
	uint8_t rand[16], sres[4], kc[8], ik[16], ck[16], autn[16], auts[14], res[16];
	size_t res_n, vector_n, pdp_n, apn_n;
	char imei[16], msisdn[16];
	uint8_t apn[32], qos[3];
	bool geran, complete;
	uint8_t types[2];
};

static void digits(char *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (char)('0' + dice(10));
	to[n] = 0;
}

static void make(struct all *a)
{
	static const uint8_t types[] = {0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x0e,
					0x10, 0x11, 0x12, 0x1c, 0x1e, 0x30, 0x31, 0x32};

	memset(a, 0, sizeof *a);
	a->type = types[dice(sizeof types)];
	a->domain = (uint8_t)(1 + dice(2));
	a->cancel = (uint8_t)(1 + dice(2));
	a->imei_result = (uint8_t)(1 + dice(2));
	a->cause = (uint8_t)(1 + dice(111));
	digits(a->imsi, 6 + dice(10));
	digits(a->imei, 14 + dice(2));
	digits(a->msisdn, 5 + dice(11));
	fill(a->rand, sizeof a->rand);
	fill(a->sres, (size_t)(a->res - a->sres));
	fill(a->res, sizeof a->res);
	a->res_n = 4 + dice(13);
	a->vector_n = dice(6);
	a->pdp_n = dice(5);
	a->apn_n = 1 + dice(sizeof a->apn);
	a->apn[0] = (uint8_t)(a->apn_n - 1);
	memset(a->apn + 1, 'a', a->apn_n - 1);
	fill(a->qos, sizeof a->qos);
	a->geran = dice(2);
	a->complete = dice(2);
	a->types[0] = 0xf1;
	a->types[1] = 0x21;
}

static bool is(const struct all *a, enum gsup_msg id)
{
	return a->type == gsup_type(id);
}

static size_t lv(uint8_t *to, const char *text)
{
	struct wr w = {.p = to, .cap = 16};

	gsup_put_digits(&w, GSUP_IMEI, bcd_of(view_of(text)));
	memmove(to, to + 2, w.n - 2); /* the value alone */
	return w.n - 2;
}

/* --- theirs to ours --- */

static void theirs(const struct all *a, struct osmo_gsup_message *g, uint8_t number[2][16])
{
	memset(g, 0, sizeof *g);
	g->message_type = (enum osmo_gsup_message_type)a->type;
	memcpy(g->imsi, a->imsi, sizeof a->imsi);
	if (OSMO_GSUP_IS_MSGT_ERROR(a->type))
		g->cause = (enum gsm48_gmm_cause)a->cause;
	if (is(a, GSUP_UL_REQ) || is(a, GSUP_SAI_REQ) || is(a, GSUP_ISD_REQ) ||
	    is(a, GSUP_CL_REQ) || is(a, GSUP_PURGE_REQ))
		g->cn_domain = (enum osmo_gsup_cn_domain)a->domain;
	if (is(a, GSUP_SAI_REQ)) {
		g->rand = a->rand;
		g->auts = a->auts;
	}
	if (is(a, GSUP_CL_REQ))
		g->cancel_type = (enum osmo_gsup_cancel_type)a->cancel;
	if (is(a, GSUP_PURGE_RES))
		g->freeze_ptmsi = a->complete;
	if (is(a, GSUP_IMEI_RES))
		g->imei_result = (enum osmo_gsup_imei_result)a->imei_result;
	if (is(a, GSUP_IMEI_REQ)) {
		g->imei_enc = number[0];
		g->imei_enc_len = lv(number[0], a->imei);
	}
	if (is(a, GSUP_ISD_REQ)) {
		g->msisdn_enc = number[1];
		g->msisdn_enc_len = lv(number[1], a->msisdn);
		g->pdp_info_compl = a->complete;
		g->num_pdp_infos = a->pdp_n;
	}
	for (size_t i = 0; i < g->num_pdp_infos; i++)
		g->pdp_infos[i] = (struct osmo_gsup_pdp_info){.context_id = (unsigned int)i + 1,
							      .have_info = 1,
							      .pdp_type = 0xf121,
							      .apn_enc = a->apn,
							      .apn_enc_len = a->apn_n,
							      .qos_enc = a->qos,
							      .qos_enc_len = sizeof a->qos};
	g->num_auth_vectors = is(a, GSUP_SAI_RES) ? a->vector_n : 0;
	for (size_t i = 0; i < g->num_auth_vectors; i++) {
		struct osmo_auth_vector *v = &g->auth_vectors[i];

		/* Without the type GSM it writes no RAND: that is no tuple. */
		v->auth_types = OSMO_AUTH_TYPE_GSM | (a->geran ? OSMO_AUTH_TYPE_UMTS : 0u);
		memcpy(v->rand, a->rand, 16);
		memcpy(v->sres, a->sres, 4);
		memcpy(v->kc, a->kc, 8);
		memcpy(v->ik, a->ik, 16);
		memcpy(v->ck, a->ck, 16);
		memcpy(v->autn, a->autn, 16);
		memcpy(v->res, a->res, a->res_n);
		v->res_len = (uint8_t)a->res_n;
	}
}

#define IS(field, array, n) check(view_eq(field, (struct view){(array), (n)}))

static void read_theirs(const struct all *a, const struct msg *m)
{
	const struct slot *s = NULL;
	size_t n = 0;

	check_eq(gsup_imsi(m), bcd_of(view_of(a->imsi)));
	if (OSMO_GSUP_IS_MSGT_ERROR(a->type))
		check_eq(gsup_u8(tab_get(m, GSUP_CAUSE)), a->cause);
	if (is(a, GSUP_UL_REQ) || is(a, GSUP_SAI_REQ))
		check_eq(gsup_u8(tab_get(m, GSUP_CN_DOMAIN)), a->domain);
	if (is(a, GSUP_SAI_REQ)) {
		IS(tab_get(m, GSUP_RAND), a->rand, 16);
		IS(tab_get(m, GSUP_AUTS), a->auts, 14);
	}
	if (is(a, GSUP_CL_REQ))
		check_eq(gsup_u8(tab_get(m, GSUP_CANCEL_TYPE)), a->cancel - 1u);
	if (is(a, GSUP_IMEI_RES))
		check_eq(gsup_u8(tab_get(m, GSUP_IMEI_RESULT)), a->imei_result - 1u);
	if (is(a, GSUP_IMEI_REQ))
		check_eq(gsup_digits(tab_get(m, GSUP_IMEI)), bcd_of(view_of(a->imei)));
	while (is(a, GSUP_SAI_RES) && (s = tab_next(m, NULL, GSUP_TUPLE, s))) {
		IS(tab_next(m, s, GSUP_RAND, NULL)->value, a->rand, 16);
		IS(tab_next(m, s, GSUP_SRES, NULL)->value, a->sres, 4);
		IS(tab_next(m, s, GSUP_KC, NULL)->value, a->kc, 8);
		check_eq(tab_next(m, s, GSUP_AUTN, NULL) != NULL, a->geran);
		if (a->geran)
			IS(tab_next(m, s, GSUP_RES, NULL)->value, a->res, a->res_n);
		n++;
	}
	while (is(a, GSUP_ISD_REQ) && (s = tab_next(m, NULL, GSUP_PDP_INFO, s))) {
		check_eq(gsup_u8(tab_next(m, s, GSUP_CONTEXT_ID, NULL)->value), ++n);
		IS(tab_next(m, s, GSUP_APN, NULL)->value, a->apn, a->apn_n);
		IS(tab_next(m, s, GSUP_PDP_TYPE, NULL)->value, a->types, 2);
	}
	check_eq(n, is(a, GSUP_SAI_RES) ? a->vector_n : is(a, GSUP_ISD_REQ) ? a->pdp_n : 0);
}

TEST(we_read_all_that_libosmocore_writes)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct msgb *out = msgb_alloc(4096, "gsup");
		struct arena mem = {room, 0, sizeof room};
		struct osmo_gsup_message g;
		uint8_t number[2][16], type;
		struct all a;
		struct msg m;

		make(&a);
		theirs(&a, &g, number);
		check_eq(osmo_gsup_encode(out, &g), 0);
		check_eq(gsup_parse(&m, &type, (struct view){out->data, out->len}, &mem), ERR_OK);
		check_eq(type, a.type);
		read_theirs(&a, &m);
		msgb_free(out);
	}
}

/* --- ours to theirs --- */

static void write_tuple(struct wr *w, const struct all *a)
{
	size_t tuple = gsup_open(w, GSUP_TUPLE);

	gsup_put(w, GSUP_RAND, (struct view){a->rand, 16});
	gsup_put(w, GSUP_SRES, (struct view){a->sres, 4});
	gsup_put(w, GSUP_KC, (struct view){a->kc, 8});
	gsup_put(w, GSUP_IK, (struct view){a->ik, 16});
	gsup_put(w, GSUP_CK, (struct view){a->ck, 16});
	gsup_put(w, GSUP_AUTN, (struct view){a->autn, 16});
	gsup_put(w, GSUP_RES, (struct view){a->res, a->res_n});
	gsup_close(w, tuple);
}

static void write_ours(struct wr *w, const struct all *a)
{
	size_t start = gsup_begin(w, a->type, bcd_of(view_of(a->imsi))), info;

	if (OSMO_GSUP_IS_MSGT_ERROR(a->type))
		gsup_put_u8(w, GSUP_CAUSE, a->cause);
	if (is(a, GSUP_UL_REQ) || is(a, GSUP_ISD_REQ) || is(a, GSUP_CL_REQ))
		gsup_put_u8(w, GSUP_CN_DOMAIN, a->domain);
	if (is(a, GSUP_CL_REQ))
		gsup_put_u8(w, GSUP_CANCEL_TYPE, (uint8_t)(a->cancel - 1));
	if (is(a, GSUP_IMEI_RES))
		gsup_put_u8(w, GSUP_IMEI_RESULT, (uint8_t)(a->imei_result - 1));
	if (is(a, GSUP_IMEI_REQ))
		gsup_put_digits(w, GSUP_IMEI, bcd_of(view_of(a->imei)));
	if (is(a, GSUP_PURGE_RES) && a->complete)
		gsup_put_mark(w, GSUP_FREEZE);
	for (size_t i = 0; i < a->vector_n && is(a, GSUP_SAI_RES); i++)
		write_tuple(w, a);
	if (is(a, GSUP_ISD_REQ)) {
		gsup_put_digits(w, GSUP_MSISDN, bcd_of(view_of(a->msisdn)));
		if (a->complete)
			gsup_put_mark(w, GSUP_COMPLETE);
	}
	for (size_t i = 0; i < a->pdp_n && is(a, GSUP_ISD_REQ); i++) {
		info = gsup_open(w, GSUP_PDP_INFO);
		gsup_put_u8(w, GSUP_CONTEXT_ID, (uint8_t)(i + 1));
		gsup_put(w, GSUP_PDP_TYPE, (struct view){a->types, 2});
		gsup_put_apn(w, VIEW("meters.iot"));
		gsup_put(w, GSUP_QOS, (struct view){a->qos, 3});
		gsup_close(w, info);
	}
	gsup_end(w, start);
}

static void they_read(const struct all *a, const struct osmo_gsup_message *g)
{
	uint8_t number[16];

	check_eq(g->message_type, a->type);
	check(strcmp(g->imsi, a->imsi) == 0);
	if (OSMO_GSUP_IS_MSGT_ERROR(a->type))
		check_eq(g->cause, a->cause);
	if (is(a, GSUP_UL_REQ) || is(a, GSUP_ISD_REQ))
		check_eq(g->cn_domain, a->domain);
	if (is(a, GSUP_CL_REQ))
		check_eq(g->cancel_type, a->cancel);
	if (is(a, GSUP_IMEI_RES))
		check_eq(g->imei_result, a->imei_result);
	if (is(a, GSUP_IMEI_REQ))
		IS(((struct view){g->imei_enc, g->imei_enc_len}), number, lv(number, a->imei));
	if (is(a, GSUP_PURGE_RES))
		check_eq(g->freeze_ptmsi != 0, a->complete);
	if (is(a, GSUP_SAI_RES))
		check_eq(g->num_auth_vectors, a->vector_n);
	for (size_t i = 0; i < g->num_auth_vectors; i++) {
		const struct osmo_auth_vector *v = &g->auth_vectors[i];

		check_eq(v->auth_types, OSMO_AUTH_TYPE_GSM | OSMO_AUTH_TYPE_UMTS);
		check(memcmp(v->rand, a->rand, 16) == 0 && memcmp(v->autn, a->autn, 16) == 0);
		check(memcmp(v->ck, a->ck, 16) == 0 && memcmp(v->ik, a->ik, 16) == 0);
		check(v->res_len == a->res_n && memcmp(v->res, a->res, a->res_n) == 0);
		check(memcmp(v->sres, a->sres, 4) == 0 && memcmp(v->kc, a->kc, 8) == 0);
	}
	if (!is(a, GSUP_ISD_REQ))
		return;
	IS(((struct view){g->msisdn_enc, g->msisdn_enc_len}), number, lv(number, a->msisdn));
	check_eq(g->pdp_info_compl != 0, a->complete);
	check_eq(g->num_pdp_infos, a->pdp_n);
	for (size_t i = 0; i < g->num_pdp_infos; i++) {
		check_eq(g->pdp_infos[i].context_id, i + 1);
		check_eq(g->pdp_infos[i].pdp_type & 0x0fffu, 0x121);
		IS(((struct view){g->pdp_infos[i].apn_enc, g->pdp_infos[i].apn_enc_len}),
		   (const uint8_t *)"\6meters\3iot", 11);
		IS(((struct view){g->pdp_infos[i].qos_enc, g->pdp_infos[i].qos_enc_len}), a->qos,
		   3);
	}
}

TEST(libosmocore_reads_all_that_we_write)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct wr w = {.p = bytes, .cap = sizeof bytes};
		struct osmo_gsup_message g;
		struct all a;

		make(&a);
		write_ours(&w, &a);
		check_eq(w.err, ERR_OK);
		check_eq(osmo_gsup_decode(w.p + 4, w.n - 4, &g), 0);
		they_read(&a, &g);
	}
}

/* Why home never leaves them out (home/gsup.c): whoever answers zero would be let in. */
TEST(libosmocore_takes_zero_for_an_sres_that_is_not_there)
{
	static const uint8_t zero[8], rand[16] = {1};
	struct wr w = {.p = bytes, .cap = sizeof bytes};
	size_t start = gsup_begin(&w, gsup_type(GSUP_SAI_RES), bcd_of(VIEW("999700000000001")));
	size_t tuple = gsup_open(&w, GSUP_TUPLE);
	struct osmo_gsup_message g;

	gsup_put(&w, GSUP_RAND, (struct view){rand, 16});
	gsup_put(&w, GSUP_AUTN, (struct view){rand, 16});
	gsup_close(&w, tuple);
	gsup_end(&w, start);
	check_eq(osmo_gsup_decode(w.p + 4, w.n - 4, &g), 0);
	check(g.auth_vectors[0].auth_types & OSMO_AUTH_TYPE_GSM);
	check(memcmp(g.auth_vectors[0].sres, zero, 4) == 0 &&
	      memcmp(g.auth_vectors[0].kc, zero, 8) == 0);
}

TESTS(T(libosmocore_takes_zero_for_an_sres_that_is_not_there),
      T(we_read_all_that_libosmocore_writes), T(libosmocore_reads_all_that_we_write))
