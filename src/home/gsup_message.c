/* GSUP messages of home: fields to a procedure's request, its result to fields. */
#include "home/gsup_in.h"
#include "home/subscription_data.h"

enum { DOMAIN_PS = 1, DOMAIN_CS = 2 };
enum { RAT_TYPE_GERAN_A = 1, RAT_TYPE_UTRAN_IU = 2, RAT_TYPE_EUTRAN_SGS = 3 };
#define OLD_RATS (RAT_GERAN | RAT_UTRAN)
#define LTE_RATS (RAT_WB_EUTRAN | RAT_NB_IOT | RAT_LTE_M)
#define NON_IP 2 /* the PDN types up to here are IP */

uint8_t gsup_kind(const struct msg *m)
{
	uint8_t domain = gsup_u8(tab_get(m, GSUP_CN_DOMAIN));

	return domain == DOMAIN_CS ? REG_VLR : domain == DOMAIN_PS ? REG_SGSN : 0;
}

uint8_t gsup_domain(uint8_t kind)
{
	return kind == REG_VLR ? DOMAIN_CS : DOMAIN_PS;
}

/* TS 24.008 10.5.3.6, 10.5.5.14, as TS 29.272 annex A has them for S6a. What is no lasting lock of the SIM
 * is preferred: 13 makes a device look elsewhere, where its profile may serve it. 15 would say the same, but
 * osmo-sgsn takes it for an error of the protocol, and lets the device wait and then try again. */
uint8_t gsup_cause(enum result result, uint8_t kind)
{
	static const struct {
		uint8_t cs, ps;
	} causes[RESULT_N] = {
	    [RESULT_USER_UNKNOWN] = {GSUP_CAUSE_IMSI_UNKNOWN, GSUP_CAUSE_NO_SERVICE},
	    [RESULT_NO_CS] = {GSUP_CAUSE_IMSI_UNKNOWN, 0}, /* invalid for non-GPRS services alone */
	    [RESULT_ROAMING] = {GSUP_CAUSE_PLMN, GSUP_CAUSE_PLMN},
	    [RESULT_DEVICE] = {GSUP_CAUSE_PLMN, GSUP_CAUSE_PLMN},
	    [RESULT_ASSURANCE] = {GSUP_CAUSE_PLMN, GSUP_CAUSE_PLMN},
	    [RESULT_NO_EPS] = {GSUP_CAUSE_ROAMING, GSUP_CAUSE_ROAMING},
	    [RESULT_RAT] = {GSUP_CAUSE_ROAMING, GSUP_CAUSE_ROAMING},
	    [RESULT_BARRED] = {GSUP_CAUSE_ROAMING, GSUP_CAUSE_ROAMING},
	    [RESULT_MISSING] = {GSUP_CAUSE_BAD_FIELD, GSUP_CAUSE_BAD_FIELD},
	};
	uint8_t cause = kind == REG_VLR ? causes[result].cs : causes[result].ps;

	return cause ? cause : GSUP_CAUSE_NETWORK;
}

static uint16_t rat_of(uint8_t type)
{
	switch (type) {
	case RAT_TYPE_GERAN_A:
		return RAT_GERAN;
	case RAT_TYPE_UTRAN_IU:
		return RAT_UTRAN;
	case RAT_TYPE_EUTRAN_SGS:
		return LTE_RATS;
	default:
		return 0;
	}
}

/* The one in use if it is named, else all that the node has; a node that names none may have either. */
uint16_t gsup_rats(const struct msg *m)
{
	struct view list = tab_get(m, GSUP_RATS);
	unsigned int rats = rat_of(gsup_u8(tab_get(m, GSUP_RAT)));

	for (size_t i = 0; i < list.n && !tab_slot(m, GSUP_RAT); i++)
		rats |= rat_of(list.p[i]);
	return rats ? (uint16_t)rats : OLD_RATS;
}

bool gsup_sai_read(const struct msg *m, struct auth_request *q, uint8_t resync[30])
{
	struct view rand = tab_get(m, GSUP_RAND), auts = tab_get(m, GSUP_AUTS);
	uint8_t n = gsup_u8(tab_get(m, GSUP_VECTORS));

	*q = (struct auth_request){
	    .imsi = gsup_imsi(m),
	    .utran_n = n > 0 ? n : VECTOR_MAX,
	    .utran_now = true,
	    .domain = gsup_kind(m) == REG_VLR ? DOMAIN_VLR : DOMAIN_SGSN,
	};
	if (auts.n > 0 && rand.n > 0) {
		memcpy(resync, rand.p, 16);
		memcpy(resync + 16, auts.p, 14);
		q->resync = (struct view){resync, 30};
	}
	return auts.n == 0 || rand.n > 0;
}

#define OCTETS(array) ((struct view){(array), sizeof(array)})

/* A quintuplet, if the card makes any: a network of Release 99 or later authenticates itself with it over
 * GERAN too. SRES and Kc are always there: libosmocore takes zero for what is not, and would let in who
 * answers zero. */
void gsup_put_tuple(struct wr *w, const struct auth_result *r, const struct aka_vector *v,
		    const uint8_t spare[16])
{
	size_t tuple = gsup_open(w, GSUP_TUPLE);
	uint8_t sres[4], kc[8];

	if (r->geran) {
		aka_geran(v, sres, kc);
	} else {
		memcpy(sres, spare, sizeof sres);
		memcpy(kc, spare + sizeof sres, sizeof kc);
	}
	gsup_put(w, GSUP_RAND, OCTETS(v->rand));
	gsup_put(w, GSUP_SRES, OCTETS(sres));
	gsup_put(w, GSUP_KC, OCTETS(kc));
	if (!r->bare) {
		gsup_put(w, GSUP_IK, OCTETS(v->ik.b));
		gsup_put(w, GSUP_CK, OCTETS(v->ck.b));
		gsup_put(w, GSUP_AUTN, OCTETS(v->autn));
		gsup_put(w, GSUP_RES, (struct view){v->xres, v->xres_n});
	}
	gsup_close(w, tuple);
	secret_wipe(sres, sizeof sres);
	secret_wipe(kc, sizeof kc);
}

/* As in S6d's PDP-Context (subscription_data.c). */
static void put_pdp(struct wr *w, const struct apn_row *a, uint8_t prio)
{
	static const uint8_t types[][2] = {{0xf1, 0x21}, {0xf1, 0x57}, {0xf1, 0x8d}};
	uint8_t qos[SUBSCRIPTION_QOS];
	size_t info = gsup_open(w, GSUP_PDP_INFO);

	subscription_qos(prio, qos);
	gsup_put_u8(w, GSUP_CONTEXT_ID, a->context);
	gsup_put(w, GSUP_PDP_TYPE, OCTETS(types[a->pdn_type]));
	gsup_put_apn(w, (struct view){(const uint8_t *)a->name, strnlen(a->name, sizeof a->name)});
	gsup_put(w, GSUP_QOS, OCTETS(qos));
	gsup_close(w, info);
}

/* To an SGSN: these contexts, and none that it had before. There is no wildcard. */
void gsup_isd_write(struct wr *w, uint64_t imsi, const struct home_rows *rows, uint8_t kind)
{
	const struct profile_row *p = rows->profile;
	size_t start = gsup_begin(w, gsup_type(GSUP_ISD_REQ), imsi);

	if (rows->sub->msisdn != 0)
		gsup_put_digits(w, GSUP_MSISDN, rows->sub->msisdn);
	if (kind == REG_SGSN)
		gsup_put_mark(w, GSUP_COMPLETE);
	for (size_t i = 0; kind == REG_SGSN && i < p->apn_n && i < APN_MAX; i++) {
		if (p->apn[i].pdn_type <= NON_IP && subscription_apn_fits(&p->apn[i], 0))
			put_pdp(w, &p->apn[i], rows->sub->prio);
	}
	gsup_put_u8(w, GSUP_CN_DOMAIN, gsup_domain(kind));
	gsup_end(w, start);
}

void gsup_dsd_write(struct wr *w, uint64_t imsi, const struct s6a_deletion *d, uint8_t kind)
{
	size_t start = gsup_begin(w, gsup_type(GSUP_DSD_REQ), imsi);

	for (size_t i = 0; i < d->context_n; i++)
		gsup_put_u8(w, GSUP_CONTEXT_ID, (uint8_t)d->context[i]);
	gsup_put_u8(w, GSUP_CN_DOMAIN, gsup_domain(kind));
	gsup_end(w, start);
}

void gsup_cl_write(struct wr *w, uint64_t imsi, enum cancellation type, uint8_t kind)
{
	size_t start = gsup_begin(w, gsup_type(GSUP_CL_REQ), imsi);

	gsup_put_u8(w, GSUP_CANCEL_TYPE, type == CANCEL_WITHDRAWAL);
	gsup_put_u8(w, GSUP_CN_DOMAIN, gsup_domain(kind));
	gsup_end(w, start);
}

void gsup_error_write(struct wr *w, uint8_t type, uint64_t imsi, uint8_t cause)
{
	size_t start = gsup_begin(w, GSUP_ERROR_OF(type), imsi);

	gsup_put_u8(w, GSUP_CAUSE, cause);
	gsup_end(w, start);
}
