/* MAP messages of an HLR: fields to a procedure's request, its result to fields (TS 29.002 17.7).
 */
#include "home/hlr_in.h"

#define OLD_RATS (RAT_GERAN | RAT_UTRAN)
#define LTE_RATS (RAT_WB_EUTRAN | RAT_LTE_M)
#define OCTETS(array) ((struct view){(array), sizeof(array)})

const struct hlr_serve hlr_serves[] = {
#define HLR_SERVE(id, op, context, from, to, handler, label)                                       \
	{op, context, from, to, HLR_LABEL_##label},
#include "home/hlr_serve.tab"
#undef HLR_SERVE
};
const size_t hlr_serve_n = sizeof hlr_serves / sizeof *hlr_serves;

const struct hlr_serve *hlr_serve_of(uint8_t op, uint8_t context)
{
	for (size_t i = 0; i < hlr_serve_n; i++) {
		if (hlr_serves[i].op == op && (context == 0 || hlr_serves[i].context == context))
			return &hlr_serves[i];
	}
	return NULL;
}

bool hlr_context_served(uint8_t context, uint8_t version)
{
	for (size_t i = 0; i < hlr_serve_n; i++) {
		const struct hlr_serve *s = &hlr_serves[i];

		if (s->context == context && version >= s->from && version <= s->to)
			return true;
	}
	return false;
}

uint8_t hlr_offer(uint8_t context, uint8_t version)
{
	uint8_t offer = 0;

	for (size_t i = 0; i < hlr_serve_n; i++) {
		const struct hlr_serve *s = &hlr_serves[i];

		if (s->context != context)
			continue;
		offer = version > s->to && s->to > offer ? s->to
			: version < s->from		 ? s->from
							 : offer;
	}
	return offer >= 2 ? offer : 0; /* version 1 has no name that could be offered */
}

/* --- reading --- */

static uint32_t number_of(struct view v, uint32_t none)
{
	return v.n > 0 ? (uint32_t)ber_int(v) : none;
}

enum { NODE_VLR, NODE_SGSN, NODE_MME = 16, NODE_MME_SGSN = 17 }; /* RequestingNodeType */

static void read_kinds(const struct hlr_heard *h, struct auth_request *q, uint8_t ssn)
{
	const struct msg *m = &h->arg;
	uint32_t n = number_of(tab_get(m, MAP_SEQ_AUTH_INFO, MAP_COUNT), VECTOR_MAX);
	uint32_t more = number_of(tab_get(m, MAP_SEQ_AUTH_INFO, MAP_ADDITIONAL), 0);
	uint32_t node = number_of(tab_get(m, MAP_SEQ_AUTH_INFO, MAP_NODE_TYPE),
				  ssn == SSN_SGSN ? NODE_SGSN : NODE_VLR);
	bool eps = node == NODE_MME || node == NODE_MME_SGSN;
	bool more_eps = tab_slot(m, MAP_SEQ_AUTH_INFO, MAP_FOR_EPS) != NULL;

	n = n < 1 || n > VECTOR_MAX ? VECTOR_MAX : n;
	more = more > VECTOR_MAX ? VECTOR_MAX : more;
	q->eps_n = eps ? n : more_eps ? more : 0;
	q->utran_n = !eps ? n : more_eps ? 0 : more;
	q->domain = node == NODE_VLR ? DOMAIN_VLR : DOMAIN_SGSN;
	q->utran_now = !eps;
}

bool hlr_sai_read(const struct hlr_heard *h, struct auth_request *q, uint8_t ssn,
		  uint8_t resync[30])
{
	const struct msg *m = &h->arg;
	struct view plmn = tab_get(m, MAP_SEQ_AUTH_INFO, MAP_PLMN);
	struct view rand = tab_get(m, MAP_SEQ_AUTH_INFO, MAP_RESYNC, MAP_RAND);
	struct view auts = tab_get(m, MAP_SEQ_AUTH_INFO, MAP_RESYNC, MAP_AUTS);

	*q = (struct auth_request){.imsi = map_imsi(tab_get(m, MAP_SEQ_AUTH_INFO, MAP_IMSI_0)),
				   .utran_n = VECTOR_MAX,
				   .utran_now = true,
				   .domain = ssn == SSN_SGSN ? DOMAIN_SGSN : DOMAIN_VLR};
	if (h->version < 3) {
		q->imsi = map_imsi(tab_get(m, MAP_IMSI));
		return q->imsi != 0;
	}
	read_kinds(h, q, ssn);
	if (plmn.n == 3) {
		q->plmn = plmn_of_tbcd(plmn);
		memcpy(q->plmn_octets, plmn.p, 3);
	}
	if (rand.n == 16 && auts.n == 14) {
		memcpy(resync, rand.p, 16);
		memcpy(resync + 16, auts.p, 14);
		q->resync = (struct view){resync, 30};
	}
	return q->imsi != 0 && (q->eps_n == 0 || plmn.n == 3); /* KASME is of a network */
}

static uint64_t imei_of(struct view imeisv)
{
	return bcd_first(map_imsi(view_first(imeisv, 7)), 14);
}

/* Used-RAT-Type: UTRAN, GERAN, GAN, I-HSPA evolution, E-UTRAN, NB-IoT. Who names none may be either
 * of old, and is told which is barred. */
static uint16_t rats_of(struct view used)
{
	static const uint16_t rats[] = {RAT_UTRAN, RAT_GERAN, 0, RAT_UTRAN, LTE_RATS, RAT_NB_IOT};
	uint32_t type = number_of(used, UINT32_MAX);

	return type < sizeof rats / sizeof *rats ? rats[type] : used.n > 0 ? 0 : OLD_RATS;
}

bool hlr_update_read(const struct hlr_heard *h, struct hlr_asks *q)
{
	const struct msg *m = &h->arg;

	*q = (struct hlr_asks){.kind = h->op == 23 ? REG_SGSN : REG_VLR};
	if (q->kind == REG_SGSN) {
		q->imsi = map_imsi(tab_get(m, MAP_SEQ_UPDATE_GPRS, MAP_IMSI));
		q->node = map_number(tab_get(m, MAP_SEQ_UPDATE_GPRS, MAP_SGSN), NULL);
		q->imei = imei_of(tab_get(m, MAP_SEQ_UPDATE_GPRS, MAP_ADD_INFO_4, MAP_IMEISV_0));
		q->rats = rats_of(tab_get(m, MAP_SEQ_UPDATE_GPRS, MAP_USED_RAT));
		return q->imsi && q->node;
	}
	q->imsi = map_imsi(tab_get(m, MAP_SEQ_UPDATE_LOCATION, MAP_IMSI));
	q->node = map_number(tab_get(m, MAP_SEQ_UPDATE_LOCATION, MAP_VLR), NULL);
	q->msc = map_number(tab_get(m, MAP_SEQ_UPDATE_LOCATION, MAP_MSC), NULL);
	q->imei = imei_of(tab_get(m, MAP_SEQ_UPDATE_LOCATION, MAP_ADD_INFO_13, MAP_IMEISV_0));
	q->rats = h->version < 3 ? RAT_GERAN : OLD_RATS; /* it cannot be told to keep UTRAN out */
	return q->imsi && q->node;
}

uint64_t hlr_purge_read(const struct hlr_heard *h, uint8_t *kind, uint64_t *node)
{
	const struct msg *m = &h->arg;
	uint64_t sgsn = map_number(tab_get(m, MAP_ARG_PURGE, MAP_SGSN_1), NULL);

	*kind = sgsn ? REG_SGSN : REG_VLR;
	*node = sgsn;
	if (!sgsn)
		*node = map_number(h->version < 3 ? tab_get(m, MAP_SEQ_PURGE, MAP_VLR)
						  : tab_get(m, MAP_ARG_PURGE, MAP_VLR_0),
				   NULL);
	return map_imsi(h->version < 3 ? tab_get(m, MAP_SEQ_PURGE, MAP_IMSI)
				       : tab_get(m, MAP_ARG_PURGE, MAP_IMSI));
}

uint64_t hlr_imei_read(const struct hlr_heard *h)
{
	struct view v = tab_get(&h->arg, MAP_SEQ_CHECK_IMEI, MAP_IMEI);

	return imei_of(v.n > 0 ? v : tab_get(&h->arg, MAP_IMEI));
}

/* --- answering --- */

uint16_t hlr_error_of(enum result result, uint8_t op)
{
	static const uint16_t errors[RESULT_N][3] = {
#define HLR_ERROR(id, registration, vectors, other) [RESULT_##id] = {registration, vectors, other},
#include "home/hlr_error.tab"
#undef HLR_ERROR
	};
	uint16_t error = errors[result][op == 2 || op == 23 || op == 57 ? 0 : op == 56 ? 1 : 2];

	return error ? error : HLR_SYSTEM_FAILURE;
}

static void start(struct tcap_out *o, struct wr *w, const struct hlr_head *h)
{
	tcap_start(o, w, h->otid.n > 0 ? TCAP_CONTINUE : TCAP_END, h->otid, h->dtid);
	if (h->oid.n > 0)
		tcap_put_aare(o, h->oid, true);
}

static void start_result(struct tcap_out *o, struct wr *w, const struct hlr_head *h)
{
	start(o, w, h);
	tcap_open_components(o);
	tcap_open_result(o, h->invoke, h->op);
}

void hlr_error_write(struct wr *w, const struct hlr_head *h, uint16_t error)
{
	struct tcap_out o;

	start(&o, w, h);
	tcap_open_components(&o);
	tcap_open_error(&o, h->invoke, (uint8_t)error);
	if (error >> 8) {
		if (h->version >= 3)
			tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
		ber_put_int(w, BER_UNIVERSAL,
			    (error & 0xff) == HLR_ABSENT_SM ? BER_INTEGER : BER_ENUM,
			    (uint32_t)(error >> 8) - 1);
	}
	tcap_end(&o);
}

void hlr_reject_write(struct wr *w, const struct hlr_head *h, uint8_t problem)
{
	struct tcap_out o;

	start(&o, w, h);
	tcap_open_components(&o);
	tcap_put_reject(&o, h->invoke, TCAP_OF_INVOKE, problem);
	tcap_end(&o);
}

void hlr_abort_write(struct wr *w, struct view dtid, enum tcap_cause cause)
{
	struct tcap_out o;

	tcap_start(&o, w, TCAP_ABORT, (struct view){0}, dtid);
	tcap_put_cause(&o, cause);
	tcap_end(&o);
}

void hlr_offer_write(struct wr *w, const struct hlr_head *h, uint8_t context, uint8_t version)
{
	uint8_t room[MAP_OID];
	struct tcap_out o;

	tcap_start(&o, w, TCAP_ABORT, (struct view){0}, h->dtid);
	if (h->oid.n > 0)
		tcap_put_aare(&o, version ? map_oid(context, version, room) : h->oid, false);
	tcap_end(&o);
}

void hlr_done_write(struct wr *w, const struct hlr_head *h)
{
	struct tcap_out o;

	start(&o, w, h);
	tcap_open_components(&o);
	tcap_put_done(&o, h->invoke);
	tcap_end(&o);
}

void hlr_accept_write(struct wr *w, const struct hlr_head *h)
{
	struct tcap_out o;

	start(&o, w, h);
	tcap_end(&o);
}

void hlr_close_write(struct wr *w, struct view dtid)
{
	struct tcap_out o;

	tcap_start(&o, w, TCAP_END, (struct view){0}, dtid);
	tcap_end(&o);
}

/* --- vectors --- */

static void put_octets(struct wr *w, const uint8_t *p, size_t n)
{
	ber_put(w, BER_UNIVERSAL, BER_OCTETS, (struct view){p, n});
}

static void put_triplet(struct tcap_out *o, const struct aka_vector *v)
{
	uint8_t sres[4], kc[8];

	aka_geran(v, sres, kc);
	tcap_open(o, BER_UNIVERSAL, BER_SEQUENCE);
	put_octets(o->w, v->rand, sizeof v->rand);
	put_octets(o->w, sres, sizeof sres);
	put_octets(o->w, kc, sizeof kc);
	tcap_close(o);
	secret_wipe(sres, sizeof sres);
	secret_wipe(kc, sizeof kc);
}

static void put_quintuplet(struct tcap_out *o, const struct aka_vector *v)
{
	tcap_open(o, BER_UNIVERSAL, BER_SEQUENCE);
	put_octets(o->w, v->rand, sizeof v->rand);
	put_octets(o->w, v->xres, v->xres_n);
	put_octets(o->w, v->ck.b, sizeof v->ck.b);
	put_octets(o->w, v->ik.b, sizeof v->ik.b);
	put_octets(o->w, v->autn, sizeof v->autn);
	tcap_close(o);
}

static void put_eps(struct tcap_out *o, const struct eps_vector *e)
{
	tcap_open(o, BER_UNIVERSAL, BER_SEQUENCE);
	put_octets(o->w, e->v.rand, sizeof e->v.rand);
	put_octets(o->w, e->v.xres, e->v.xres_n);
	put_octets(o->w, e->v.autn, sizeof e->v.autn);
	put_octets(o->w, e->kasme, sizeof e->kasme);
	tcap_close(o);
}

/* Version 2 knows triplets alone (GSM 09.02); to a later one a USIM's are quintuplets, over GERAN
 * too (TS 33.102 6.8.1). */
static void write_vectors(struct wr *w, const struct hlr_head *h, const struct auth_result *r)
{
	enum { RESULT_3 = 3, QUINTUPLETS = 1, EPS = 2 };
	struct tcap_out o;

	start_result(&o, w, h);
	if (h->version < 3)
		tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
	else
		tcap_open(&o, BER_CONTEXT, RESULT_3);
	if (r->utran_n > 0 && h->version >= 3)
		tcap_open(&o, BER_CONTEXT, QUINTUPLETS);
	for (uint32_t i = 0; i < r->utran_n; i++) {
		if (h->version < 3)
			put_triplet(&o, &r->utran[i]);
		else
			put_quintuplet(&o, &r->utran[i]);
	}
	if (r->utran_n > 0 && h->version >= 3)
		tcap_close(&o);
	if (r->eps_n > 0)
		tcap_open(&o, BER_CONTEXT, EPS);
	for (uint32_t i = 0; i < r->eps_n; i++)
		put_eps(&o, &r->eps[i]);
	tcap_end(&o);
}

bool hlr_sai_write(struct wr *w, const struct hlr_head *h, struct auth_result *r, size_t room)
{
	size_t from = w->n;

	for (;;) {
		write_vectors(w, h, r);
		if (!w->err && w->n - from <= room)
			return r->utran_n + r->eps_n > 0;
		secret_wipe(w->p + from, w->n - from);
		w->n = from;
		w->err = ERR_OK;
		if (r->utran_n + r->eps_n == 0)
			return false;
		if (r->eps_n > r->utran_n)
			r->eps_n--;
		else
			r->utran_n--;
	}
}

/* --- other results --- */

void hlr_updated_write(struct wr *w, const struct hlr_head *h, uint64_t hlr_number)
{
	struct tcap_out o;

	start_result(&o, w, h);
	tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
	map_put_number(w, BER_UNIVERSAL, BER_OCTETS, hlr_number);
	tcap_end(&o);
}

void hlr_purged_write(struct wr *w, const struct hlr_head *h, uint32_t freeze)
{
	enum { FREEZE_TMSI, FREEZE_P_TMSI };
	struct tcap_out o;

	if (h->version < 3 || !freeze) {
		hlr_done_write(w, h);
		return;
	}
	start_result(&o, w, h);
	tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
	map_put_null(w, BER_CONTEXT, freeze & PURGED_VLR ? FREEZE_TMSI : FREEZE_P_TMSI);
	tcap_end(&o);
}

void hlr_imei_write(struct wr *w, const struct hlr_head *h, uint8_t colour)
{
	static const uint8_t status[] = {[WHITE] = 0, [BLACK] = 1, [GREY] = 2};
	struct tcap_out o;

	start_result(&o, w, h);
	if (h->version >= 3)
		tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
	ber_put_int(w, BER_UNIVERSAL, BER_ENUM, status[colour]);
	tcap_end(&o);
}

void hlr_route_sm_write(struct wr *w, const struct hlr_head *h, uint64_t imsi, uint64_t node,
			bool sgsn)
{
	enum { LOCATION = 0, NODE = 1, GPRS = 5 };
	struct tcap_out o;

	start_result(&o, w, h);
	tcap_open(&o, BER_UNIVERSAL, BER_SEQUENCE);
	map_put_imsi(w, BER_UNIVERSAL, BER_OCTETS, imsi);
	tcap_open(&o, BER_CONTEXT, LOCATION);
	map_put_number(w, BER_CONTEXT, NODE, node);
	if (sgsn && h->version >= 3)
		map_put_null(w, BER_CONTEXT, GPRS);
	tcap_end(&o);
}
