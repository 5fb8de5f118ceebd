#include "home/s6a.h"

#include "home/subscription_data.h"
#include <stdio.h>

#define NO_STATE_MAINTAINED 1

static void put_application(struct wr *w, uint32_t app)
{
	size_t group = dia_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);

	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, app);
	dia_close(w, group);
}

static void put_result(struct wr *w, enum result result)
{
	const struct result_row *row = &result_rows[result];
	size_t group;

	if (!row->experimental) {
		dia_put_u32(w, AVP_RESULT_CODE, row->code);
		return;
	}
	group = dia_open(w, AVP_EXPERIMENTAL_RESULT);
	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_EXPERIMENTAL_RESULT_CODE, row->code);
	dia_close(w, group);
}

/* DOIC and Load, only to one that has said it understands them (RFC 7683 5.1.1, RFC 8583). */
static void put_load(struct wr *w, const struct s6a_in *in)
{
	const struct home_load *load = in->load;
	size_t group;

	if (!load || !tab_slot(in->m, AVP_OC_SUPPORTED_FEATURES))
		return;
	group = dia_open(w, AVP_OC_SUPPORTED_FEATURES);
	dia_put_u64(w, AVP_OC_FEATURE_VECTOR, 1);
	dia_close(w, group);
	if (load->report) {
		group = dia_open(w, AVP_OC_OLR);
		dia_put_u64(w, AVP_OC_SEQUENCE_NUMBER, load->sequence);
		dia_put_u32(w, AVP_OC_REPORT_TYPE, 0);
		dia_put_u32(w, AVP_OC_REDUCTION_PERCENTAGE, load->reduction);
		dia_put_u32(w, AVP_OC_VALIDITY_DURATION, load->reduction ? load->validity_s : 0);
		dia_close(w, group);
	}
	group = dia_open(w, AVP_LOAD);
	dia_put_u32(w, AVP_LOAD_TYPE, 0);
	dia_put_u64(w, AVP_LOAD_VALUE, load->value);
	dia_put(w, AVP_SOURCEID, in->me->host);
	dia_close(w, group);
}

size_t s6a_answer_begin(struct wr *w, const struct s6a_in *in, enum result result)
{
	struct dia_header h = *in->h;
	size_t start;

	h.flags = in->h->flags & DIA_FLAG_PROXIABLE;
	start = dia_begin(w, &h);
	dia_put(w, AVP_SESSION_ID, tab_get(in->m, AVP_SESSION_ID));
	put_application(w, h.app);
	put_result(w, result);
	dia_put_u32(w, AVP_AUTH_SESSION_STATE, NO_STATE_MAINTAINED);
	dia_put(w, AVP_ORIGIN_HOST, in->me->host);
	dia_put(w, AVP_ORIGIN_REALM, in->me->realm);
	put_load(w, in);
	return start;
}

void s6a_answer_end(struct wr *w, const struct s6a_in *in, size_t start)
{
	const struct slot *s = NULL;

	while ((s = tab_next(in->m, NULL, AVP_PROXY_INFO, s)))
		dia_copy(w, s);
	dia_end(w, start);
}

size_t s6a_request_begin_of(struct wr *w, uint32_t app, uint32_t code, const struct s6a_out *out)
{
	struct dia_header h = {
	    .flags = DIA_FLAG_REQUEST | DIA_FLAG_PROXIABLE,
	    .code = code,
	    .app = app,
	    /* unique for minutes, across restarts too (RFC 6733 3) */
	    .end_to_end = out->me->state_id << 20 | (uint32_t)(out->session & 0xfffff),
	};
	char session[320], imsi[BCD_TEXT];
	size_t start = dia_begin(w, &h);

	snprintf(session, sizeof session, "%.*s;%u;%llu", (int)out->me->host.n,
		 (const char *)out->me->host.p, out->me->state_id,
		 (unsigned long long)out->session);
	dia_put_text(w, AVP_SESSION_ID, session);
	put_application(w, app);
	dia_put_u32(w, AVP_AUTH_SESSION_STATE, NO_STATE_MAINTAINED);
	dia_put(w, AVP_ORIGIN_HOST, out->me->host);
	dia_put(w, AVP_ORIGIN_REALM, out->me->realm);
	dia_put_text(w, AVP_DESTINATION_HOST, out->to->host);
	dia_put_text(w, AVP_DESTINATION_REALM, out->to->realm);
	if (out->imsi) {
		bcd_text(out->imsi, imsi);
		dia_put_text(w, AVP_USER_NAME, imsi);
	}
	return start;
}

size_t s6a_request_begin(struct wr *w, uint32_t code, const struct s6a_out *out)
{
	return s6a_request_begin_of(w, DIA_APP_S6A, code, out);
}

uint64_t s6a_features(const struct msg *m)
{
	const struct slot *s = NULL;
	uint64_t features = 0;

	while ((s = tab_next(m, NULL, AVP_SUPPORTED_FEATURES, s))) {
		const struct slot *vendor = tab_next(m, s, AVP_VENDOR_ID, NULL);
		const struct slot *id = tab_next(m, s, AVP_FEATURE_LIST_ID, NULL);
		const struct slot *list = tab_next(m, s, AVP_FEATURE_LIST, NULL);
		uint32_t which = id ? dia_u32(id->value) : 0;

		if (!vendor || !list || dia_u32(vendor->value) != VENDOR_3GPP)
			continue;
		if (which == 1 || which == 2)
			features |= (uint64_t)dia_u32(list->value) << (which == 2 ? 32 : 0);
	}
	return features;
}

void s6a_put_features(struct wr *w, const struct msg *m, uint64_t features)
{
	uint64_t both = features & FEATURES_HOME;

	if (!tab_slot(m, AVP_SUPPORTED_FEATURES))
		return;
	for (uint32_t list = 1; list <= 2; list++) {
		uint32_t bits = (uint32_t)(both >> (list == 2 ? 32 : 0));
		size_t group;

		if (list == 2 && bits == 0)
			continue;
		group = dia_open(w, AVP_SUPPORTED_FEATURES);
		dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
		dia_put_u32(w, AVP_FEATURE_LIST_ID, list);
		dia_put_u32(w, AVP_FEATURE_LIST, bits);
		dia_close(w, group);
	}
}

uint64_t s6a_imsi(const struct msg *m)
{
	return bcd_of(tab_get(m, AVP_USER_NAME));
}

uint64_t s6a_imei(const struct msg *m)
{
	struct view v = tab_get(m, AVP_TERMINAL_INFORMATION, AVP_IMEI);

	return v.n ? bcd_first(bcd_of(v), 14) : 0;
}
