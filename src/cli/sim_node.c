/* One MME of a visited network, as a Diameter node of its own. */
#include "cli/sim.h"

#include "base/bcd.h"
#include "node/dia_adapt.h"

#include <stdio.h>

#define VALIDITY_MAX_S 86400u /* RFC 7683 §7.5 */

struct asked {
	uint32_t device;
	uint8_t step;
	uint64_t sent_us;
};

static void on_send(void *ctx, uint32_t conn, struct view bytes)
{
	struct sim_node *n = ctx;
	struct conn *c = conn_find(n->sim->loop, conn);

	if (c)
		conn_write(c, bytes);
}

static void on_close(void *ctx, uint32_t conn)
{
	struct sim_node *n = ctx;
	struct conn *c = conn_find(n->sim->loop, conn);

	if (c)
		conn_close(c);
}

static void conn_up(void *ctx, struct conn *c)
{
	struct sim_node *n = ctx;
	struct conn_info i = conn_info(c);
	struct dia_link l = {conn_id(c), true,	       i.link == LINK_TLS, i.address,
			     i.local,	 i.cert_names, i.cert_name_n};

	dia_node_up(n->node, &l, n->edge, loop_now(n->sim->loop));
}

static void conn_message(void *ctx, struct conn *c, struct view frame)
{
	struct sim_node *n = ctx;

	dia_node_frame(n->node, conn_id(c), frame, &n->sim->mem, loop_now(n->sim->loop));
	arena_reset(&n->sim->mem);
}

static void conn_down(void *ctx, struct conn *c, const char *why)
{
	struct sim_node *n = ctx;

	if (n->sim->stopping)
		return;
	if (!dia_node_peer_of_conn(n->node, conn_id(c))) {
		fprintf(stderr, "%s: no connection: %s\n", n->host, why);
		dia_node_dial_failed(n->node, n->edge, why, loop_now(n->sim->loop));
		return;
	}
	dia_node_down(n->node, conn_id(c), why, loop_now(n->sim->loop));
}

static const struct conn_ops diameter = {dia_frame, conn_up, conn_message, conn_down};

static void on_dial(void *ctx, struct dia_peer *peer)
{
	struct sim_node *n = ctx;

	n->edge = peer;
	if (!loop_connect(n->sim->loop, &n->sim->conf.to, NULL, &diameter, n, n))
		dia_node_dial_failed(n->node, peer, "out of connections", loop_now(n->sim->loop));
}

static struct dia_admit on_admit(void *ctx, const struct dia_link *link, const struct msg *ce)
{
	(void)ctx;
	(void)link;
	(void)ce;
	return (struct dia_admit){2001, DIA_HOME, 0}; /* it is we who dialled */
}

static void on_up(void *ctx, struct dia_peer *peer)
{
	struct sim_node *n = ctx;

	(void)peer;
	n->open = true;
}

static void on_down(void *ctx, struct dia_peer *peer, const char *why)
{
	struct sim_node *n = ctx;

	(void)peer;
	n->open = false;
	if (n->sim->stopping)
		return;
	fprintf(stderr, "%s: connection lost: %s\n", n->host, why);
}

/* CLR, IDR, DSR, RSR: said yes to, and counted. */
static void on_request(void *ctx, struct dia_peer *from, const struct msg *m,
		       const struct dia_header *h, struct view raw, enum err err)
{
	struct sim_node *n = ctx;
	struct sim *s = n->sim;
	struct dia_header a = *h;
	struct wr w = {.p = s->out, .cap = sizeof s->out};
	size_t start;

	(void)raw;
	if (err)
		return;
	s->clr += h->code == 317;
	s->idr += h->code == 319;
	s->dsr += h->code == 320;
	s->other += h->code < 317 || h->code > 320;
	a.flags = DIA_FLAG_PROXIABLE;
	start = dia_begin(&w, &a);
	dia_put(&w, AVP_SESSION_ID, tab_get(m, AVP_SESSION_ID));
	dia_put_u32(&w, AVP_RESULT_CODE, 2001);
	dia_put_u32(&w, AVP_AUTH_SESSION_STATE, 1);
	dia_put(&w, AVP_ORIGIN_HOST, n->conf.host);
	dia_put(&w, AVP_ORIGIN_REALM, n->conf.realm);
	dia_end(&w, start);
	dia_node_send(n->node, from, wr_done(&w));
}

static void heed_overload(struct sim_node *n, const struct msg *m)
{
	struct overload o = dia_overload(m);

	if (!n->doic || !tab_slot(m, AVP_OC_OLR))
		return;
	n->reduction = o.reduction;
	n->validity_ms = (o.validity_s < VALIDITY_MAX_S ? o.validity_s : VALIDITY_MAX_S) * 1000;
	n->reduced_until = loop_now(n->sim->loop) + n->validity_ms;
}

static void on_answer(void *ctx, struct dia_peer *from, const struct msg *m,
		      const struct dia_header *h, struct view raw, enum err err,
		      struct dia_pending *p)
{
	struct sim_node *n = ctx;
	struct asked a;
	struct dia_outcome o = {0};

	(void)from;
	(void)h;
	(void)raw;
	memcpy(&a, p->user, sizeof a);
	if (!err) {
		o = dia_outcome(m);
		heed_overload(n, m);
	}
	sim_news(n->sim, a.device, a.step, a.sent_us, o.result, o.experimental);
}

static void on_lost(void *ctx, struct dia_pending *p, const char *why)
{
	struct sim_node *n = ctx;
	struct asked a;

	(void)why;
	memcpy(&a, p->user, sizeof a);
	sim_silence(n->sim, a.device);
}

static const struct dia_actions actions = {
    .send = on_send,
    .close = on_close,
    .dial = on_dial,
    .admit = on_admit,
    .peer_up = on_up,
    .peer_down = on_down,
    .request = on_request,
    .answer = on_answer,
    .lost = on_lost,
};

bool sim_node_open(struct sim *s, struct sim_node *n, const char *plmn, unsigned int index,
		   bool doic)
{
	const char *mnc = plmn + 3;

	plmn_tbcd(bcd_of(view_of(plmn)), n->plmn);
	n->sim = s;
	n->doic = doic;
	snprintf(n->realm, sizeof n->realm, "epc.mnc%s%.3s.mcc%.3s.3gppnetwork.org",
		 strlen(mnc) == 2 ? "0" : "", mnc, plmn);
	snprintf(n->host, sizeof n->host, "mme%u.%s", index, n->realm);
	n->conf = (struct dia_node_conf){
	    .host = view_of(n->host),
	    .realm = view_of(n->realm),
	    .product = VIEW("Merlon simulate"),
	    .vendor_id = VENDOR_3GPP,
	    .apps = {DIA_APP_S6A, DIA_APP_S13},
	    .app_n = 2,
	    .state_id = (uint32_t)(loop_wall(s->loop) / 1000),
	    .watchdog_ms = 30000,
	    .peer_max = 2,
	    .pending_max = 262144,
	    .pending_ms = 15000,
	};
	n->node = dia_node_new(&n->conf, &actions, n);
	if (!n->node)
		return false;
	n->edge = dia_node_peer(n->node, DIA_HOME, (struct view){0}, n);
	return n->edge != NULL;
}

static void put_head(struct sim *s, struct sim_node *n, struct wr *w, uint32_t device)
{
	static const char realm[] = "epc.mnc070.mcc999.3gppnetwork.org";
	char session[192];

	snprintf(session, sizeof session, "%s;%u;%u", n->host, (uint32_t)s->answers, device);
	dia_put(w, AVP_SESSION_ID, view_of(session));
	dia_put_u32(w, AVP_AUTH_SESSION_STATE, 1);
	dia_put(w, AVP_ORIGIN_HOST, n->conf.host);
	dia_put(w, AVP_ORIGIN_REALM, n->conf.realm);
	dia_put(w, AVP_DESTINATION_REALM, view_of(realm));
	if (n->doic) {
		size_t oc = dia_open(w, AVP_OC_SUPPORTED_FEATURES);

		dia_put_u64(w, AVP_OC_FEATURE_VECTOR, 1);
		dia_close(w, oc);
	}
}

static const struct sim_group *group_of(const struct sim *s, uint32_t device)
{
	return &s->group[s->device[device].group];
}

static void put_body(struct sim *s, struct sim_node *n, struct wr *w, uint32_t device,
		     enum sim_step step)
{
	const struct sim_group *g = group_of(s, device);
	struct view plmn = {n->plmn, 3};
	char imsi[24], imei[24];
	size_t at;

	snprintf(imsi, sizeof imsi, "%015llu",
		 (unsigned long long)(g->first_imsi + device - g->at));
	snprintf(imei, sizeof imei, "00101700%s", imsi + 9);
	dia_put(w, AVP_USER_NAME, view_of(imsi));
	if (step == STEP_ECR || step == STEP_ULR) {
		at = dia_open(w, AVP_TERMINAL_INFORMATION);
		dia_put(w, AVP_IMEI, view_of(imei));
		dia_put(w, AVP_SOFTWARE_VERSION, VIEW("01"));
		dia_close(w, at);
	}
	if (step == STEP_ULR) {
		dia_put_u32(w, AVP_RAT_TYPE, 1004);
		dia_put_u32(w, AVP_ULR_FLAGS, 34);
	}
	if (step == STEP_AIR || step == STEP_ULR)
		dia_put(w, AVP_VISITED_PLMN_ID, plmn);
	if (step == STEP_AIR) {
		at = dia_open(w, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO);
		dia_put_u32(w, AVP_NUMBER_OF_REQUESTED_VECTORS, 1);
		dia_put_u32(w, AVP_IMMEDIATE_RESPONSE_PREFERRED, 1);
		dia_close(w, at);
	}
}

bool sim_send(struct sim *s, struct sim_node *n, uint32_t device, enum sim_step step)
{
	static const uint32_t code[] = {
	    [STEP_AIR] = 318, [STEP_ULR] = 316, [STEP_ECR] = 324, [STEP_PUR] = 321};
	uint32_t app = step == STEP_ECR ? DIA_APP_S13 : DIA_APP_S6A;
	struct dia_header h = {DIA_FLAG_REQUEST | DIA_FLAG_PROXIABLE, code[step], app, 0,
			       sim_random(s)};
	struct dia_pending p = {.app = app, .code = code[step], .end_to_end = h.end_to_end};
	struct asked a = {device, (uint8_t)step, sim_us()};
	struct wr w = {.p = s->out, .cap = sizeof s->out};
	size_t start;

	if (!n->open)
		return false;
	start = dia_begin(&w, &h);
	put_head(s, n, &w, device);
	put_body(s, n, &w, device, step);
	dia_end(&w, start);
	memcpy(p.user, &a, sizeof a);
	return !w.err && dia_node_request(n->node, n->edge, &w, &p, loop_now(s->loop)) == ERR_OK;
}
