/* Short messages and USSD: what the profile allows (R-5.1.c, R-5.1.e, R-5.2.b). Home delivers none:
 * what is allowed is handed on, as it came, to the centre that is named (TS 29.002 12, 11;
 * TS 23.040 9.2). */
#include "home/hlr_in.h"

#include "base/log.h"

#define SUBMIT 1 /* TP-MTI of what a device sends */
#define MTI 3
#define TON_ALPHA 5

/* The destination of an SMS-SUBMIT, TP-DA (TS 23.040 9.2.2.2, 9.1.2.5); 0: it is none, or no
 * number. */
static uint64_t destination(struct view tpdu)
{
	struct rd r = {.left = tpdu};
	uint32_t first = rd_be(&r, 1), n, type;
	char text[BCD_TEXT];
	struct view digits;

	rd_be(&r, 1);
	n = rd_be(&r, 1);
	type = rd_be(&r, 1);
	digits = rd_take(&r, (n + 1) / 2);
	if (r.err || (first & MTI) != SUBMIT || n == 0 || n > BCD_MAX ||
	    (type >> 4 & 7) == TON_ALPHA)
		return 0;
	for (size_t i = 0; i < n; i++) {
		unsigned int d = i % 2 ? digits.p[i / 2] >> 4 : digits.p[i / 2] & 15u;

		if (d > 9)
			return 0;
		text[i] = (char)('0' + d);
	}
	return bcd_of((struct view){(const uint8_t *)text, n});
}

enum hlr_sms hlr_sms_allowed(const struct profile_row *p, struct view tpdu)
{
	uint64_t to = destination(tpdu);
	bool listed = p->sms_to[0] == 0;

	if (!(p->services & SERVICE_SMS_MO))
		return HLR_SMS_NO_SERVICE;
	for (size_t i = 0; i < sizeof p->sms_to / sizeof *p->sms_to && p->sms_to[i] != 0; i++)
		listed |= to == p->sms_to[i];
	return listed ? HLR_SMS_OK : HLR_SMS_UNLISTED;
}

/* The same message to another place, from who sent it: the answers go there directly. */
static void hand_on(const struct hlr_asked *q, uint64_t number, uint8_t ssn)
{
	const struct hlr_conf *c = q->w->hlr->conf;
	struct hlr_route to = *q->route;
	struct wr peer = {.p = to.peer, .cap = sizeof to.peer};
	char digits[BCD_TEXT];

	bcd_text(number, digits);
	memcpy(to.own, q->route->peer, q->route->peer_n);
	to.own_n = q->route->peer_n;
	sccp_put_title(&peer, ssn, view_of(digits));
	to.peer_n = (uint8_t)peer.n;
	to.dpc = c->gateway ? c->gateway : to.dpc;
	hlr_begin(q->w);
	wr_view(&q->w->out, q->heard->tcap.raw);
	hlr_post(q->w, &to);
}

static struct home_rows rows_of(const struct hlr_asked *q, uint64_t imsi, uint64_t msisdn,
				struct reg_row *reg)
{
	const struct book *b = q->w->book;
	const struct sub_row *s =
	    !imsi && b->sub_of_number ? b->sub_of_number(b->ctx, msisdn) : NULL;

	return worker_rows(q->w, s ? s->imsi : imsi, reg);
}

static void told_off(const struct hlr_asked *q, uint64_t imsi, const char *why, const char *clause)
{
	LOG(LOG_NOTE, "home.service_refused", KV("op", map_operation(q->head.op)->name),
	    KV("why", why), kv_id("imsi", imsi), kv_id("peer", q->peer), KV_CLAUSE(clause));
}

/* The centre shows the number as the sender's: it must be that of whom the IMSI names. Who has none may be
 * given a dummy, which nobody has. */
static bool number_fits(const struct hlr_asked *q, const struct sub_row *s, uint64_t msisdn)
{
	const struct book *b = q->w->book;

	if (!s || msisdn == 0 || msisdn == s->msisdn)
		return true;
	return s->msisdn == 0 && b->sub_of_number && !b->sub_of_number(b->ctx, msisdn);
}

/* mo-forwardSM: may it be sent, and to there? */
void hlr_submit_sm(struct hlr_asked *q)
{
	enum { INVALID_ADDRESS = 5, NO_SUBSCRIBER = 6 };
	const struct msg *m = &q->heard->arg;
	struct view imsi = tab_get(m, MAP_SEQ_MO_FORWARD_SM, MAP_IMSI);
	uint64_t msisdn = map_number(tab_get(m, MAP_SEQ_MO_FORWARD_SM, MAP_MSISDN_2), NULL);
	struct reg_row reg;
	struct home_rows rows =
	    rows_of(q, map_imsi(imsi.n ? imsi : tab_get(m, MAP_SEQ_MO_FORWARD_SM, MAP_IMSI_0)),
		    msisdn, &reg);
	enum hlr_sms ok = HLR_SMS_NO_SERVICE;

	q->imsi = reg.imsi;
	if (!number_fits(q, rows.sub, msisdn)) {
		told_off(q, reg.imsi, "the number is not the subscriber's", "R-5.6.1.h");
		hlr_refuse(q, HLR_UNEXPECTED);
		return;
	}
	if (!subscriber_check(&rows, 0, 0, loop_wall(q->w->loop)))
		ok = hlr_sms_allowed(rows.profile, tab_get(m, MAP_SEQ_MO_FORWARD_SM, MAP_SM));
	if (ok == HLR_SMS_OK && q->w->hlr->conf->smsc && !q->talk) {
		hand_on(q, q->w->hlr->conf->smsc, SSN_MSC);
		return;
	}
	told_off(q, reg.imsi,
		 ok == HLR_SMS_OK	  ? "no centre takes it"
		 : ok == HLR_SMS_UNLISTED ? "not a number of the profile's list"
					  : "no SMS in the profile",
		 ok == HLR_SMS_UNLISTED ? "R-5.1.e" : "R-5.1.c");
	hlr_refuse(q, ok == HLR_SMS_OK	       ? HLR_FACILITY
		      : ok == HLR_SMS_UNLISTED ? HLR_CAUSED(HLR_DELIVERY, INVALID_ADDRESS)
					       : HLR_CAUSED(HLR_DELIVERY, NO_SUBSCRIBER));
}

/* Where a message for this subscriber goes: its MSC, or its SGSN; 0: nowhere over MAP. */
static uint64_t served_by(const struct reg_row *reg, bool *sgsn)
{
	uint64_t msc = bcd_of(view_of(reg->vlr.realm));

	*sgsn = false;
	if ((reg->flags & REG_VLR) && !(reg->flags & REG_PURGED_VLR) && node_by_map(&reg->vlr))
		return msc ? msc : hlr_node_number(&reg->vlr);
	*sgsn = true;
	if ((reg->flags & REG_SGSN) && !(reg->flags & REG_PURGED_SGSN) && node_by_map(&reg->sgsn))
		return hlr_node_number(&reg->sgsn);
	return 0;
}

/* sendRoutingInfoForSM: who has no SMS gets none (R-5.1.c). */
void hlr_route_sm(struct hlr_asked *q)
{
	enum { DETACHED = 1 };
	const struct msg *m = &q->heard->arg;
	struct reg_row reg;
	struct home_rows rows = rows_of(
	    q, 0, map_number(tab_get(m, MAP_SEQ_ROUTING_INFO_SM, MAP_MSISDN_0), NULL), &reg);
	bool sgsn;
	uint64_t node = served_by(&reg, &sgsn);

	q->imsi = reg.imsi;
	if (!rows.sub) {
		hlr_refused(q, RESULT_USER_UNKNOWN);
		hlr_send(q);
	} else if (subscriber_check(&rows, 0, 0, loop_wall(q->w->loop)) ||
		   !(rows.profile->services & SERVICE_SMS_MT)) {
		told_off(q, reg.imsi, "no SMS to it in the profile", "R-5.1.c");
		hlr_refuse(q, HLR_NO_TELESERVICE);
	} else if (!node) {
		hlr_refuse(q,
			   q->head.version < 2 ? HLR_ABSENT : HLR_CAUSED(HLR_ABSENT_SM, DETACHED));
	} else {
		hlr_route_sm_write(&q->w->out, &q->head, reg.imsi, node, sgsn);
		hlr_send(q);
	}
}

/* reportSM-DeliveryStatus. No list of waiting messages is kept, and that is what its sender hears.
 */
void hlr_report_sm(struct hlr_asked *q)
{
	enum { SUCCESS = 2 };
	const struct msg *m = &q->heard->arg;
	struct view outcome = tab_get(m, MAP_SEQ_REPORT_SM, MAP_ENUM);
	struct reg_row reg;
	struct home_rows rows =
	    rows_of(q, 0, map_number(tab_get(m, MAP_SEQ_REPORT_SM, MAP_MSISDN), NULL), &reg);

	q->imsi = reg.imsi;
	if (!rows.sub) {
		hlr_refused(q, RESULT_USER_UNKNOWN);
		hlr_send(q);
	} else if (outcome.n > 0 && ber_int(outcome) != SUCCESS) {
		hlr_refuse(q, HLR_LIST_FULL);
	} else {
		hlr_done_write(&q->w->out, &q->head);
		hlr_send(q);
	}
}

/* readyForSM: nothing waits. */
void hlr_ready_sm(struct hlr_asked *q)
{
	hlr_done_write(&q->w->out, &q->head);
	hlr_send(q);
}

/* processUnstructuredSS-Request: barred unless the profile declares USSD (R-5.2.b). The dialogue
 * says who it is. */
void hlr_ussd(struct hlr_asked *q)
{
	enum { OPERATOR = 1 };
	struct reg_row reg;
	struct home_rows rows = rows_of(
	    q, hlr_destination(q->heard, q->mem),
	    map_number(tab_get(&q->heard->arg, MAP_SEQ_USSD_PROCESS, MAP_MSISDN_0), NULL), &reg);
	bool ok = !subscriber_check(&rows, 0, 0, loop_wall(q->w->loop)) &&
		  (rows.profile->services & SERVICE_USSD);

	q->imsi = reg.imsi;
	if (ok && q->w->hlr->conf->ussd && !q->talk) {
		hand_on(q, q->w->hlr->conf->ussd, SSN_HLR);
		return;
	}
	told_off(q, reg.imsi, ok ? "nobody takes it" : "no USSD in the profile", "R-5.2.b");
	hlr_refuse(q, ok ? HLR_SYSTEM_FAILURE : HLR_CAUSED(HLR_CALL_BARRED, OPERATOR));
}
