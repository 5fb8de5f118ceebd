/* SMS home routing (TS 23.040): whoever asks where to send a short message hears a correlation identifier and
 * our number, not who and where the subscriber is; the message comes to us under that identifier, is judged
 * under the subscriber's name, and goes on to the node that serves him, from us. A fixed pool. */
#include "edge/ss7_inside.h"

#include "base/log.h"
#include "node/map_sms.h"

#include <stdlib.h>

#define PLACES    4096 /* of routes and deliveries; the next in turn makes room */
#define DIGITS    4    /* of a place, in a correlation identifier */
#define ROUTE_MS  300000
#define DELIVERY_MS 60000
#define END_MAX   32   /* octets of an SCCP address */
#define SEND_ROUTING_INFO_FOR_SM 45

/* A route that was given out, or (tid) a delivery on its way. */
struct place {
	uint64_t due_ms;          /* forgotten then; 0: free */
	uint64_t given, imsi;
	uint8_t node[9], node_n;  /* AddressString */
	bool sgsn;
	uint32_t tid;             /* ours towards both; 0: a route */
	uint8_t centre_tid[4], centre_tid_n, node_tid[4], node_tid_n;
	uint8_t centre[END_MAX], centre_n, router[END_MAX], router_n; /* addresses as the centre wrote them */
	struct ss7_label label;   /* back to the centre */
	size_t server;
};

struct ss7_sms {
	uint32_t next, serial;
	uint8_t number[9]; /* AddressString of ours */
	size_t number_n;
	struct place place[PLACES];
};

struct ss7_sms *ss7_sms_new(uint64_t router)
{
	struct ss7_sms *x = calloc(1, sizeof *x);

	if (!x)
		return NULL;
	x->number[0] = 0x91;
	x->number_n = 1 + bcd_tbcd(router, x->number + 1);
	return x;
}

static struct place *new_place(struct ss7_sms *x, uint64_t now, uint32_t ms)
{
	struct place *p = &x->place[x->next];

	x->next = (x->next + 1) % PLACES;
	*p = (struct place){ .due_ms = now + ms };
	return p;
}

static uint64_t chance(struct ss7 *s)
{
	return hash_u64(s->w->edge->key, ++s->sms->serial, loop_wall(s->w->loop));
}

/* Our network, the place, and digits that nobody guesses: as many as the IMSI has, so that it fits there. */
static uint64_t correlation(struct ss7 *s, const struct place *p, uint64_t imsi)
{
	char text[BCD_TEXT];
	size_t n = bcd_n(imsi), at = bcd_text(s->conf->map.plmn, text);
	uint64_t x = chance(s);
	size_t index = (size_t)(p - s->sms->place);

	for (size_t i = 0; i < DIGITS && at < n; i++, index /= 10)
		text[at++] = (char)('0' + index % 10);
	for (; at < n; x /= 10)
		text[at++] = (char)('0' + x % 10);
	return bcd_of((struct view){ (const uint8_t *)text, n });
}

static struct place *find_given(struct ss7 *s, uint64_t given, uint64_t now)
{
	char text[BCD_TEXT];
	size_t n = bcd_text(given, text), plmn = bcd_n(s->conf->map.plmn), index = 0;
	struct place *p;

	if (n < plmn + DIGITS)
		return NULL;
	for (size_t i = DIGITS; i-- > 0;)
		index = index * 10 + (size_t)(text[plmn + i] - '0');
	p = index < PLACES ? &s->sms->place[index] : NULL;
	return p && p->tid == 0 && p->given == given && p->due_ms > now ? p : NULL;
}

static struct place *find_tid(struct ss7 *s, struct view tid, uint64_t now)
{
	struct rd r = { .left = tid };
	uint32_t x = rd_be(&r, 4);
	struct place *p = &s->sms->place[x % PLACES];

	return !r.err && tid.n == 4 && x != 0 && p->tid == x && p->due_ms > now ? p : NULL;
}

static uint8_t keep(uint8_t *to, size_t cap, struct view v)
{
	if (v.n > cap)
		return 0;
	memcpy(to, v.p, v.n);
	return (uint8_t)v.n;
}

/* --- the question where to send ---------------------------------------------------------------- */

/* The HLR's answer, before it goes out: its own message again, with another result. */
static bool hide_route(const struct msu *m)
{
	struct ss7 *s = m->s;
	struct map_route route;
	uint8_t given[8], bytes[300];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct place *p;
	size_t n;

	if (!map_route_of(m->seen, &route))
		return false;
	p = new_place(s->sms, loop_wall(s->w->loop), ROUTE_MS);
	p->imsi = map_imsi(route.imsi);
	p->given = correlation(s, p, p->imsi);
	p->node_n = keep(p->node, sizeof p->node, route.node);
	p->sgsn = route.sgsn;
	n = bcd_tbcd(p->given, given);
	map_put_route(&w, m->seen, (struct view){ given, n },
		      (struct view){ s->sms->number, s->sms->number_n });
	if (!w.err)
		ss7_send_as(m, tab_get(&m->seen->sccp, SCCP_CALLED),
			    tab_get(&m->seen->sccp, SCCP_CALLING), wr_done(&w));
	return true;
}

/* --- the message ------------------------------------------------------------------------------- */

static void refuse(const struct msu *m, struct map_ask *ask)
{
	struct verdict v = { .act = ACT_REJECT, .cause = CAUSE_USER_UNKNOWN, .check = CHECK_CAT2_ROAMER,
			     .prio = PRIO_NORMAL };

	map_refused(m->s->map, m->seen);
	ss7_refuse(m, ask, &v);
}

/* To the node that serves, from us. */
static bool to_node(const struct msu *m, const struct place *p, struct view tcap)
{
	char digits[BCD_TEXT];
	uint8_t called[24], calling[24];
	struct wr a = { .p = called, .cap = sizeof called }, b = { .p = calling, .cap = sizeof calling };
	struct m3ua_data d = *m->d;
	struct sccp_address to = { 0 };
	struct sccp_put put;

	to.digit_n = (uint8_t)bcd_text(map_number((struct view){ p->node, p->node_n }, NULL), digits);
	memcpy(to.digits, digits, to.digit_n);
	sccp_put_title(&a, p->sgsn ? SSN_SGSN : SSN_MSC, (struct view){ to.digits, to.digit_n });
	sccp_put_title(&b, SSN_MSC, (struct view){ (const uint8_t *)digits,
						   bcd_text(m->s->conf->sms_router, digits) });
	d.opc = m->s->conf->point;
	put = (struct sccp_put){ .called = wr_done(&a), .calling = wr_done(&b), .data = tcap };
	return ss7_translate(m->s->conf, &to, &d.dpc) && !a.err && !b.err &&
	       ss7_emit(m->s, m3ua_node_route(m->s->node, d.dpc, UINT32_MAX), &d, &put) == ERR_OK;
}

static void put_tid(uint8_t to[4], uint32_t tid)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(tid >> (24 - 8 * i));
}

static void begin_delivery(const struct msu *m, const struct place *route)
{
	struct ss7 *s = m->s;
	struct place *p = new_place(s->sms, loop_wall(s->w->loop), DELIVERY_MS), copy = *route;
	struct view otid = tab_get(&m->seen->tcap, TCAP_OTID);
	uint8_t tid[4], imsi[8], bytes[JOIN_BYTES];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	size_t n;

	copy.due_ms = p->due_ms;
	*p = copy;
	p->tid = ((uint32_t)chance(s) | 0x10000) / PLACES * PLACES + (uint32_t)(p - s->sms->place);
	p->centre_tid_n = keep(p->centre_tid, sizeof p->centre_tid, otid);
	p->centre_n = keep(p->centre, END_MAX, tab_get(&m->seen->sccp, SCCP_CALLING));
	p->router_n = keep(p->router, END_MAX, tab_get(&m->seen->sccp, SCCP_CALLED));
	p->label = ss7_label_of(m->d);
	p->server = m->server;
	put_tid(tid, p->tid);
	n = bcd_tbcd(p->imsi, imsi);
	map_put_again(&w, m->seen, (struct view){ tid, 4 }, (struct view){ 0 }, (struct view){ imsi, n });
	if (w.err || !to_node(m, p, wr_done(&w))) {
		p->due_ms = 0;
		ss7_undelivered(m, RETURN_NETWORK);
		return;
	}
	ss7_count(SS7_RELAYED);
}

/* The first message of a delivery: judged as about whom it is. */
static void take_delivery(const struct msu *m)
{
	struct map_ask *ask = &m->seen->ask[0];
	struct place *route = find_given(m->s, ask->facts.imsi, loop_wall(m->s->w->loop));
	struct verdict v;

	if (!route || m->seen->ask_n != 1) {
		refuse(m, ask);
		return;
	}
	ask->facts.imsi = route->imsi;
	v = judge_request(m->s->w->judge, &ask->facts);
	if (v.act != ACT_PASS) {
		map_refused(m->s->map, m->seen);
		ss7_refuse(m, ask, &v);
		return;
	}
	begin_delivery(m, route);
}

static bool is_from(const struct msu *m, const uint8_t *end, size_t n)
{
	return view_eq(tab_get(&m->seen->sccp, SCCP_CALLING), (struct view){ end, n });
}

/* Between the centre and the node: each hears of us alone. */
static void go_on(const struct msu *m, struct place *p)
{
	struct ss7 *s = m->s;
	bool from_centre = is_from(m, p->centre, p->centre_n), last;
	struct view otid = tab_get(&m->seen->tcap, TCAP_OTID);
	uint8_t tid[4], bytes[JOIN_BYTES];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	uint16_t id = m->seen->tcap.shape->id;
	struct view to = from_centre ? (struct view){ p->node_tid, p->node_tid_n } :
				       (struct view){ p->centre_tid, p->centre_tid_n };

	if (!from_centre && m->seen->calling_number != map_number((struct view){ p->node, p->node_n }, NULL))
		return; /* neither: it guessed */
	if (!from_centre && otid.n > 0)
		p->node_tid_n = keep(p->node_tid, sizeof p->node_tid, otid);
	put_tid(tid, p->tid);
	map_put_again(&w, m->seen, (struct view){ tid, 4 }, to, (struct view){ 0 });
	last = id == TCAP_END || id == TCAP_ABORT;
	if (!w.err && from_centre)
		(void)to_node(m, p, wr_done(&w));
	else if (!w.err)
		ss7_send_to(s, p->server, &p->label,
			    &(struct sccp_put){ .called = { p->centre, p->centre_n },
						.calling = { p->router, p->router_n },
						.data = wr_done(&w) });
	ss7_count(SS7_RELAYED);
	if (last)
		p->due_ms = 0;
}

/* Our subscriber, named to one of our nodes by who should not know his IMSI. */
static bool goes_past(const struct msu *m)
{
	struct map_ask *ask = &m->seen->ask[0];

	if (m->seen->kind != MAP_ASKS || !m->by->outside || ask->facts.op != OP_SMS_MT ||
	    !m->s->w->book->range(m->s->w->book->ctx, ask->facts.imsi))
		return false;
	refuse(m, ask);
	return true;
}

bool ss7_sms_take(const struct msu *m)
{
	const struct map_seen *seen = m->seen;
	struct place *p;

	if (!m->s->sms || !seen->tcap.shape)
		return false;
	if (seen->kind == MAP_ANSWERS && !m->by->outside && seen->ok &&
	    seen->about.code == SEND_ROUTING_INFO_FOR_SM)
		return hide_route(m);
	if (seen->called_number != m->s->conf->sms_router)
		return goes_past(m);
	if (seen->kind == MAP_ASKS && seen->tcap.shape->id == TCAP_BEGIN &&
	    seen->ask[0].facts.op == OP_SMS_MT) {
		take_delivery(m);
		return true;
	}
	if (seen->ask_n > 0)
		return false;
	p = find_tid(m->s, tab_get(&seen->tcap, TCAP_DTID), loop_wall(m->s->w->loop));
	if (p)
		go_on(m, p);
	return p != NULL;
}
