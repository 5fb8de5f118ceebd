/* A forwarded message: the bytes as received, in runs, and between the runs what must change. An AVP
 * that we do not know goes through exactly as it came. */
#include "node/dia_adapt.h"

#define DOIC_LOSS 1 /* OC-Feature-Vector: the loss algorithm (RFC 7683 §7.2) */

/* What happens to each AVP, and whether it was there. */
struct change {
	uint16_t field;
	struct view value; /* not empty: this instead */
	bool drop, append; /* append: also when it was not there */
	bool met;
};

enum {
	NO_CHANGE, OHOST, OREALM, DHOST, DREALM, SESSION, REPORTER, DRMP, ROUTES, FEATURES, OLR,
	LOAD, CHANGE_N
};

/* Which change concerns a field. */
static const uint8_t change_of[] = {
	[AVP_ORIGIN_HOST] = OHOST, [AVP_ORIGIN_REALM] = OREALM, [AVP_DESTINATION_HOST] = DHOST,
	[AVP_DESTINATION_REALM] = DREALM, [AVP_SESSION_ID] = SESSION,
	[AVP_ERROR_REPORTING_HOST] = REPORTER, [AVP_DRMP] = DRMP, [AVP_ROUTE_RECORD] = ROUTES,
	[AVP_OC_SUPPORTED_FEATURES] = FEATURES, [AVP_OC_OLR] = OLR, [AVP_LOAD] = LOAD,
};

static void plan(struct change c[CHANGE_N], const struct dia_patch *p, uint8_t drmp[4])
{
	c[NO_CHANGE] = (struct change){ 0 };
	c[OHOST] = (struct change){ AVP_ORIGIN_HOST, p->origin_host, false, true, false };
	c[OREALM] = (struct change){ AVP_ORIGIN_REALM, p->origin_realm, false, true, false };
	c[DHOST] = (struct change){ AVP_DESTINATION_HOST, p->dest_host, p->drop_dest_host, true, false };
	c[DREALM] = (struct change){ AVP_DESTINATION_REALM, p->dest_realm, false, true, false };
	c[SESSION] = (struct change){ AVP_SESSION_ID, p->session_id, false, false, false };
	/* Whoever hides its hosts does not name one as the reporter of an error. */
	c[REPORTER] = (struct change){ AVP_ERROR_REPORTING_HOST, p->origin_host, false, false, false };
	c[DRMP] = (struct change){ AVP_DRMP, { 0 }, p->drop_drmp, true, false };
	c[ROUTES] = (struct change){ AVP_ROUTE_RECORD, { 0 }, p->drop_routes, false, false };
	c[FEATURES] = (struct change){ AVP_OC_SUPPORTED_FEATURES, { 0 }, p->drop_doic, false, false };
	c[OLR] = (struct change){ AVP_OC_OLR, { 0 }, p->drop_doic, false, false };
	c[LOAD] = (struct change){ AVP_LOAD, { 0 }, p->drop_load, false, false };
	if (p->drmp >= 0) {
		drmp[3] = (uint8_t)(p->drmp & 15);
		c[DRMP].value = (struct view){ drmp, 4 };
		c[DRMP].drop = false;
	}
}

/* What is written for an AVP that is changed. A second one of those that are replaced would tell what the
 * first hides, so it goes too. */
static void change(struct wr *w, const struct change *c, bool again)
{
	if (!c->drop && !again)
		dia_put(w, c->field, c->value);
}

static void append(struct wr *w, const struct change c[CHANGE_N], const struct dia_patch *p)
{
	for (size_t i = NO_CHANGE + 1; i < CHANGE_N; i++) {
		if (c[i].append && !c[i].met && !c[i].drop && c[i].value.n > 0)
			dia_put(w, c[i].field, c[i].value);
	}
	if (p->overload)
		dia_put_overload(w, p->overload, p->overload_of_host);
	else if (p->offer_doic && (c[FEATURES].drop || !c[FEATURES].met))
		dia_put_features(w);
	if (p->route_record.n > 0)
		dia_put(w, AVP_ROUTE_RECORD, p->route_record);
}

void dia_patch(struct wr *w, const struct msg *m, const struct dia_header *h, struct view raw,
	       const struct dia_patch *p)
{
	const struct slot *in = m->slot + m->slot->first;
	const uint8_t *run = raw.p + DIA_HEADER, *end = raw.p + raw.n;
	struct change c[CHANGE_N];
	uint8_t drmp[4] = { 0 };
	size_t start = dia_begin(w, h);

	plan(c, p, drmp);
	for (size_t i = 0; i < m->slot->n; i++) {
		uint8_t which = in[i].field < sizeof change_of ? change_of[in[i].field] : NO_CHANGE;
		bool again = c[which].met;

		c[which].met = true;
		if (!c[which].drop && c[which].value.n == 0)
			continue; /* the run goes on */
		wr_view(w, (struct view){ run, (size_t)(in[i].whole.p - run) });
		change(w, &c[which], again);
		run = in[i].whole.p + in[i].whole.n;
	}
	wr_view(w, (struct view){ run, (size_t)(end - run) });
	append(w, c, p);
	dia_end(w, start);
}

void dia_put_features(struct wr *w)
{
	size_t group = dia_open(w, AVP_OC_SUPPORTED_FEATURES);

	dia_put_u64(w, AVP_OC_FEATURE_VECTOR, DOIC_LOSS);
	dia_close(w, group);
}

void dia_put_overload(struct wr *w, const struct overload *o, bool of_host)
{
	size_t group;

	dia_put_features(w);
	if (o->sequence == 0 && o->reduction == 0)
		return; /* there never was one, so there is none to end */
	group = dia_open(w, AVP_OC_OLR);
	dia_put_u64(w, AVP_OC_SEQUENCE_NUMBER, o->sequence);
	dia_put_u32(w, AVP_OC_REPORT_TYPE, of_host ? 0 : 1);
	dia_put_u32(w, AVP_OC_REDUCTION_PERCENTAGE, o->reduction);
	dia_put_u32(w, AVP_OC_VALIDITY_DURATION, o->reduction > 0 ? o->validity_s : 0);
	dia_close(w, group);
}
