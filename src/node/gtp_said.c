/* GTPv2 and GTPv1 said the same way. */
#include "node/gtp_said.h"

#include "judge/facts.h"

#define IMEI_DIGITS 14
#define F_S1U_SGW   1  /* interfaces of an F-TEID (29.274 8.22) whose end is the gateway's */
#define F_S5U_PGW   5
#define F_S11_SGW   11
#define F_S5C_PGW   7
#define LAPI        1

static uint32_t number(struct view v)
{
	struct rd r = { .left = v };

	return rd_be(&r, v.n <= 4 ? v.n : 4);
}

static uint64_t imei_of(struct view v)
{
	return bcd_first(bcd_of_tbcd(v), IMEI_DIGITS);
}

/* 29.274 8.17; 29.060 7.7.50 has the first of them. */
static uint8_t rat_of(uint32_t type)
{
	static const uint8_t rats[] = { [1] = RAT_IS_UTRAN, [2] = RAT_IS_GERAN, [5] = RAT_IS_UTRAN,
					[6] = RAT_IS_WB_EUTRAN, [8] = RAT_IS_NB_IOT, [9] = RAT_IS_LTE_M,
					[10] = RAT_IS_NR };

	return type < sizeof rats ? rats[type] : RAT_UNKNOWN;
}

/* --- version 2 --------------------------------------------------------------------------------------- */

static void put_tunnel(struct gtp_tunnel *t, struct view value)
{
	struct gtp_fteid f;

	if (value.n == 0 || !gtp_fteid(value, &f))
		return;
	t->there = true;
	t->teid = f.teid;
	t->address = f.v4.n > 0 ? f.v4 : f.v6;
	t->gateway = f.interface == F_S1U_SGW || f.interface == F_S5U_PGW || f.interface == F_S11_SGW ||
		     f.interface == F_S5C_PGW;
}

static void take_bearer(struct gtp_said *s, const struct msg *m, const struct slot *bearer)
{
	static const uint16_t ends[] = { IE_FTEID_0, IE_FTEID_1, IE_FTEID_2, IE_FTEID_3, IE_FTEID_4,
					 IE_FTEID_5 };
	const struct slot *ebi = tab_next(m, bearer, IE_EBI, NULL);
	const struct slot *qos = tab_next(m, bearer, IE_BEARER_QOS, NULL);
	uint8_t number_of = ebi && ebi->value.n == 1 ? ebi->value.p[0] & 15 : 0;

	s->ebi = s->ebi ? s->ebi : number_of;
	for (size_t i = 0; i < sizeof ends / sizeof *ends && s->user_n < GTP_TUNNELS; i++) {
		const struct slot *end = tab_next(m, bearer, ends[i], NULL);
		struct gtp_tunnel *t = &s->user[s->user_n];

		if (!end)
			continue;
		*t = (struct gtp_tunnel){ .ebi = number_of, .qci = qos ? qos->value.p[1] : 0 };
		put_tunnel(t, end->value);
		s->user_n += t->there;
	}
}

/* PAA (29.274 8.14): type, then the prefix and the address that it says. */
static void take_paa(struct gtp_said *s, struct view paa)
{
	struct rd r = { .left = paa };
	uint8_t type = rd_be(&r, 1) & 7;

	s->pdn_type = s->pdn_type ? s->pdn_type : type;
	if (type == 2 || type == 3) {
		rd_take(&r, 1);
		s->ue6 = rd_take(&r, 16);
	}
	if (type == 1 || type == 3)
		s->ue4 = rd_take(&r, 4);
}

static void take_place(struct gtp_said *s, struct view serving, struct view uli)
{
	struct view place = serving;

	if (place.n != 3 && uli.n >= 4)
		place = (struct view){ uli.p + 1, 3 }; /* every kind of place begins with the network */
	s->visited = place.n == 3 ? plmn_of_tbcd(place) : 0;
}

/* EPC timer (29.274 8.87), in seconds. */
static uint32_t timer_s(struct view v)
{
	static const uint32_t units[] = { 2, 60, 600, 3600, 36000 };
	uint32_t t = number(v);

	return (t >> 5 < 5 ? units[t >> 5] : 60) * (t & 31);
}

static void take_overload(struct gtp_said *s, const struct msg *m)
{
	const struct slot *o = tab_slot(m, IE_OVERLOAD);
	const struct slot *metric = o ? tab_next(m, o, IE_METRIC, NULL) : NULL;
	const struct slot *seq = o ? tab_next(m, o, IE_SEQUENCE, NULL) : NULL;
	const struct slot *valid = o ? tab_next(m, o, IE_TIMER, NULL) : NULL;

	if (!metric || !seq || !valid || tab_next(m, o, IE_APN, NULL))
		return; /* what a list of APNs is about, admission has no lane for */
	s->has_overload = true;
	s->overload_percent = (uint8_t)number(metric->value);
	s->overload_seq = number(seq->value);
	s->overload_s = timer_s(valid->value);
}

static void take_gone(struct gtp_said *s, const struct msg *m)
{
	for (const struct slot *e = NULL; (e = tab_next(m, NULL, IE_EBI_1, e)) && s->gone_n < GTP_TUNNELS;)
		s->gone[s->gone_n++] = (uint8_t)(number(e->value) & 15);
}

static bool is_low(struct view v)
{
	return v.n > 0 && v.p[0] & LAPI;
}

void gtp_said2(struct gtp_said *s, const struct gtp_head *h, const struct msg *m)
{
	struct view v;

	(void)h;
	if (!m->shape)
		return;
	s->imsi = bcd_of_tbcd(tab_get(m, IE_IMSI));
	s->msisdn = bcd_of_tbcd(tab_get(m, IE_MSISDN));
	s->imei = imei_of(tab_get(m, IE_MEI));
	s->rat = rat_of(number(tab_get(m, IE_RAT_TYPE)));
	take_place(s, tab_get(m, IE_SERVING), tab_get(m, IE_ULI));
	s->apn = gtp_apn(tab_get(m, IE_APN), s->apn_text);
	s->ebi = number(tab_get(m, IE_EBI)) & 15;
	s->pdn_type = number(tab_get(m, IE_PDN_TYPE)) & 7;
	take_paa(s, tab_get(m, IE_PAA));
	v = tab_get(m, IE_CAUSE);
	s->cause = v.n > 0 ? v.p[0] : 0;
	v = tab_get(m, IE_RECOVERY);
	s->has_recovery = v.n == 1;
	s->recovery = (uint8_t)number(v);
	s->low_priority = is_low(tab_get(m, IE_PRIORITY));
	put_tunnel(&s->control, tab_get(m, m->shape->id == GTP2_CSA ? IE_FTEID_1 : IE_FTEID_0));
	for (const struct slot *b = NULL; (b = tab_next(m, NULL, IE_BEARER, b));)
		take_bearer(s, m, b);
	take_gone(s, m);
	take_overload(s, m);
}

/* --- version 1 --------------------------------------------------------------------------------------- */

/* End User Address (29.060 7.7.27): organisation, type, and what is known of the address. */
static void take_eua(struct gtp_said *s, struct view eua)
{
	struct rd r = { .left = eua };
	uint8_t org = rd_be(&r, 1) & 15, type = (uint8_t)rd_be(&r, 1);

	if (r.err || org != 1) {
		s->pdn_type = eua.n >= 2 && org == 0 ? 4 : 0; /* PPP and other PDUs that are not IP */
		return;
	}
	s->pdn_type = type == 0x21 ? 1 : type == 0x57 ? 2 : type == 0x8d ? 3 : 0;
	if ((type == 0x21 || type == 0x8d) && r.left.n >= 4)
		s->ue4 = rd_take(&r, 4);
	if ((type == 0x57 || type == 0x8d) && r.left.n >= 16)
		s->ue6 = rd_take(&r, 16);
}

/* The first address is that of the control plane, the second that of the user plane; where each comes in
 * both families, what stands third and fourth says the same again. */
static void take_ends(struct gtp_said *s, const struct msg *m)
{
	const struct slot *control = tab_slot(m, IE1_TEID_CONTROL), *data = tab_slot(m, IE1_TEID_DATA);
	const struct slot *a = tab_next(m, NULL, IE1_GSN, NULL);
	const struct slot *b = a ? tab_next(m, NULL, IE1_GSN, a) : NULL;

	if (a && control)
		s->control = (struct gtp_tunnel){ .teid = number(control->value), .address = a->value,
						  .there = true };
	if (data && (b || a)) {
		s->user[0] = (struct gtp_tunnel){ .teid = number(data->value), .ebi = s->ebi,
						  .address = b ? b->value : a->value, .there = true };
		s->user_n = 1;
	}
}

/* User Location Information (29.060 7.7.51): a kind, then the network. RAI (7.7.3) begins with it. */
static void take_place1(struct gtp_said *s, struct view rai, struct view uli)
{
	struct view place = rai.n == 6 ? view_first(rai, 3) : (struct view){ 0 };

	if (place.n == 0 && uli.n >= 4)
		place = (struct view){ uli.p + 1, 3 };
	s->visited = place.n == 3 ? plmn_of_tbcd(place) : 0;
}

void gtp_said1(struct gtp_said *s, const struct gtp_head *h, const struct msg *m)
{
	const struct slot *nsapi = m->shape ? tab_slot(m, IE1_NSAPI) : NULL;
	struct view v;

	if (!m->shape)
		return;
	s->imsi = bcd_of_tbcd(tab_get(m, IE1_IMSI));
	v = tab_get(m, IE1_MSISDN);
	s->msisdn = v.n > 1 ? bcd_of_tbcd((struct view){ v.p + 1, v.n - 1 }) : 0;
	s->imei = imei_of(tab_get(m, IE1_IMEI));
	s->rat = rat_of(number(tab_get(m, IE1_RAT)));
	take_place1(s, tab_get(m, IE1_RAI), tab_get(m, IE1_ULI));
	s->apn = gtp_apn(tab_get(m, IE1_APN), s->apn_text);
	s->ebi = nsapi ? number(nsapi->value) & 15 : 0;
	s->secondary = h->teid != 0 && nsapi && tab_next(m, NULL, IE1_NSAPI, nsapi);
	take_eua(s, tab_get(m, IE1_EUA));
	s->cause = (uint8_t)number(tab_get(m, IE1_CAUSE));
	v = tab_get(m, IE1_RECOVERY);
	s->has_recovery = v.n == 1;
	s->recovery = (uint8_t)number(v);
	s->low_priority = is_low(tab_get(m, IE1_PRIORITY));
	s->teardown = number(tab_get(m, IE1_TEARDOWN)) & 1;
	take_ends(s, m);
}

void gtp_said(struct gtp_said *s, const struct gtp_head *h, const struct msg *m)
{
	memset(s, 0, sizeof *s);
	if (h->version == 2)
		gtp_said2(s, h, m);
	else
		gtp_said1(s, h, m);
}
