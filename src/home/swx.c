#include "home/swx.h"

#include "home/subscription_data.h"

#define CODE_RTR 304
#define CODE_PPR 305
#define PERMANENT_TERMINATION 0
#define RAT_TYPE_WLAN 0 /* TS 29.212 5.3.31 */
#define OCTETS(array) ((struct view){(array), sizeof(array)})

/* EAP-SIM is not of TS 29.273: as TS 29.234 has it on Wx, which such servers know. */
static const struct {
	struct view scheme;
	uint16_t method;
} schemes[] = {
    {VIEW_INIT("EAP-AKA'"), SERVICE_WIFI_AKA_PRIME},
    {VIEW_INIT("EAP-AKA"), SERVICE_WIFI_AKA},
    {VIEW_INIT("EAP-SIM"), SERVICE_WIFI_SIM},
};

uint64_t swx_imsi(const struct msg *m)
{
	struct view name = tab_get(m, AVP_USER_NAME), digits = name;
	const uint8_t *at = name.n > 0 ? memchr(name.p, '@', name.n) : NULL;

	if (at) {
		digits.n = (size_t)(at - name.p);
		if (digits.n < 2 || !memchr("016", digits.p[0], 3))
			return 0;
		digits = (struct view){digits.p + 1, digits.n - 1};
	}
	return digits.n >= 6 && digits.n <= 15 ? bcd_of(digits) : 0;
}

static struct view item(const struct msg *m, uint16_t avp)
{
	return tab_get(m, AVP_SIP_AUTH_DATA_ITEM, avp);
}

/* The name of the access network goes into CK' and IK' and nowhere else. */
static enum result take_scheme(const struct msg *m, struct swx_ask *q)
{
	struct view asked = item(m, AVP_SIP_AUTHENTICATION_SCHEME);
	struct view access = tab_get(m, AVP_RAT_TYPE);

	if (access.n > 0 && dia_u32(access) != RAT_TYPE_WLAN)
		return RESULT_WIFI_RAT;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (view_eq(asked, schemes[i].scheme)) {
			q->scheme = schemes[i].scheme;
			q->wifi.methods = schemes[i].method;
		}
	}
	if (asked.n == 0 || q->wifi.methods == 0)
		return asked.n == 0 ? RESULT_MISSING : RESULT_SCHEME;
	if (q->wifi.methods != SERVICE_WIFI_AKA_PRIME)
		return RESULT_OK;
	q->wifi.network = tab_get(m, AVP_ANID);
	return q->wifi.network.n > 0 ? RESULT_OK : RESULT_MISSING;
}

void swx_mar_read(const struct msg *m, struct swx_ask *q)
{
	*q = (struct swx_ask){
	    .wifi = {.imsi = swx_imsi(m),
		     .n = dia_u32(tab_get(m, AVP_SIP_NUMBER_AUTH_ITEMS)),
		     .resync = item(m, AVP_SIP_AUTHORIZATION)},
	    .failed = tab_slot(m, AVP_AAA_FAILURE_INDICATION) != NULL,
	};
	q->result = take_scheme(m, q);
}

static void put_triplet(struct wr *w, const struct aka_vector *v)
{
	uint8_t rand_kc[24], sres[4];

	memcpy(rand_kc, v->rand, sizeof v->rand);
	aka_geran(v, sres, rand_kc + sizeof v->rand);
	dia_put(w, AVP_AUTHENTICATION_INFORMATION_SIM, OCTETS(rand_kc));
	dia_put(w, AVP_AUTHORIZATION_INFORMATION_SIM, OCTETS(sres));
	secret_wipe(rand_kc, sizeof rand_kc);
}

static void put_quintuplet(struct wr *w, const struct aka_vector *v)
{
	uint8_t challenge[32];

	memcpy(challenge, v->rand, 16);
	memcpy(challenge + 16, v->autn, 16);
	dia_put(w, AVP_SIP_AUTHENTICATE, OCTETS(challenge));
	dia_put(w, AVP_SIP_AUTHORIZATION, (struct view){v->xres, v->xres_n});
	dia_put(w, AVP_CONFIDENTIALITY_KEY, OCTETS(v->ck.b));
	dia_put(w, AVP_INTEGRITY_KEY, OCTETS(v->ik.b));
}

enum result swx_result(enum result r)
{
	if (r == RESULT_NO_EPS || r == RESULT_DEVICE)
		return RESULT_NO_WIFI;
	return r == RESULT_RAT ? RESULT_WIFI_RAT : r;
}

static size_t begin(struct wr *w, const struct s6a_in *in, enum result result)
{
	size_t start = s6a_answer_begin(w, in, result);

	dia_put(w, AVP_USER_NAME, tab_get(in->m, AVP_USER_NAME));
	return start;
}

static void put_other(struct wr *w, enum result result, const struct reg_node *other)
{
	if (result == RESULT_OTHER_AAA)
		dia_put_text(w, AVP_3GPP_AAA_SERVER_NAME, other->host);
}

void swx_maa_write(struct wr *w, const struct s6a_in *in, const struct swx_ask *q,
		   const struct auth_result *r, const struct reg_node *other)
{
	size_t start = begin(w, in, r->result), group;

	put_other(w, r->result, other);
	if (r->result == RESULT_OK)
		dia_put_u32(w, AVP_SIP_NUMBER_AUTH_ITEMS, r->utran_n);
	for (uint32_t i = 0; r->result == RESULT_OK && i < r->utran_n; i++) {
		group = dia_open(w, AVP_SIP_AUTH_DATA_ITEM);
		dia_put_u32(w, AVP_SIP_ITEM_NUMBER, i + 1);
		dia_put(w, AVP_SIP_AUTHENTICATION_SCHEME, q->scheme);
		(r->gsm ? put_triplet : put_quintuplet)(w, &r->utran[i]);
		dia_close(w, group);
	}
	s6a_answer_end(w, in, start);
}

void swx_sar_read(const struct msg *m, struct assign_request *q)
{
	*q = (struct assign_request){
	    .imsi = swx_imsi(m),
	    .host = tab_get(m, AVP_ORIGIN_HOST),
	    .realm = tab_get(m, AVP_ORIGIN_REALM),
	    .type = dia_u32(tab_get(m, AVP_SERVER_ASSIGNMENT_TYPE)),
	};
}

void swx_saa_write(struct wr *w, const struct s6a_in *in, const struct assign_result *r,
		   const struct home_rows *rows)
{
	size_t start = begin(w, in, r->result);

	put_other(w, r->result, reg_aaa_node(rows->reg));
	if (r->result == RESULT_OK && r->data)
		non_3gpp_data_put(w, rows->sub, rows->profile);
	s6a_answer_end(w, in, start);
}

void swx_rtr_write(struct wr *w, const struct s6a_out *out)
{
	size_t start = s6a_request_begin_of(w, DIA_APP_SWX, CODE_RTR, out);
	size_t group = dia_open(w, AVP_DEREGISTRATION_REASON);

	dia_put_u32(w, AVP_REASON_CODE, PERMANENT_TERMINATION);
	dia_close(w, group);
	dia_end(w, start);
}

void swx_ppr_write(struct wr *w, const struct s6a_out *out, const struct home_rows *rows)
{
	size_t start = s6a_request_begin_of(w, DIA_APP_SWX, CODE_PPR, out);

	non_3gpp_data_put(w, rows->sub, rows->profile);
	dia_end(w, start);
}
