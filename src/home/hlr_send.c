/* What the change feed, a move of a device and a reset make home tell MAP nodes
 * (TS 29.002 8.1.3, 8.8, 8.10.1). */
#include "home/hlr_in.h"

#include "base/log.h"
#include "base/metric.h"

/* From our title to a node's; its subsystem follows from what it is. */
static void way_to(struct home_worker *w, uint64_t number, uint8_t kind, struct hlr_route *to)
{
	const struct hlr_conf *c = w->hlr->conf;
	struct wr own = {.p = to->own, .cap = sizeof to->own},
		  peer = {.p = to->peer, .cap = sizeof to->peer};
	char digits[BCD_TEXT];

	*to = (struct hlr_route){
	    .opc = c->point, .dpc = c->gateway, .ni = 2, .sls = number >> 4 & 15}; /* national */
	bcd_text(c->number, digits);
	sccp_put_title(&own, SSN_HLR, view_of(digits));
	bcd_text(number, digits);
	sccp_put_title(&peer, kind == REG_SGSN ? SSN_SGSN : SSN_VLR, view_of(digits));
	to->own_n = (uint8_t)own.n;
	to->peer_n = (uint8_t)peer.n;
}

/* A dialogue of ours: begun, or going on when they have answered in it. */
static void start(struct home_worker *w, struct hlr_talk *t, struct tcap_out *o)
{
	uint8_t room[4], oid[MAP_OID];
	bool goes_on = t->tid_n > 0;

	hlr_talk_heard(w->hlr->talks, t, loop_now(w->loop));
	hlr_begin(w);
	tcap_start(o, &w->out, goes_on ? TCAP_CONTINUE : TCAP_BEGIN, hlr_talk_tid(t, room),
		   (struct view){t->tid, t->tid_n});
	if (!goes_on)
		tcap_put_aarq(o, map_oid(t->context, t->version, oid));
	tcap_open_components(o);
	tcap_open_invoke(o, ++t->invoke, t->op);
}

static void tell_cancel(struct home_worker *w, struct hlr_talk *t)
{
	struct tcap_out o;

	start(w, t, &o);
	hlr_cancel_put(&w->out, t->imsi, (enum cancellation)t->what, t->version);
	tcap_end(&o);
	metric_add(M_HLR_SENT, HLR_SENT_CL, 1);
	hlr_post(w, &t->route);
}

/* What is withdrawn comes first, as a deletion, then what holds, in parts. False: nothing can be
 * said. */
static bool tell_data(struct home_worker *w, struct hlr_talk *t, const struct home_rows *rows,
		      const struct s6a_deletion *gone)
{
	const struct hlr_data d = {
	    .rows = rows, .kind = t->kind, .version = t->version, .named = true};
	bool deletes = false;
	struct tcap_out o;

	if (!rows->sub || !rows->profile)
		return false;
	if (t->next == 0) {
		t->op = HLR_OP_DELETE;
		start(w, t, &o);
		deletes = hlr_dsd_put(&w->out, &d, gone);
		t->next = 1;
	}
	if (!deletes) {
		t->op = HLR_OP_INSERT;
		start(w, t, &o);
		t->next = hlr_isd_put(&w->out, &d, t->next);
	} else if (t->what == SYNC_DELETE) {
		t->next = 0;
	}
	tcap_end(&o);
	metric_add(M_HLR_SENT, deletes ? HLR_SENT_DSD : HLR_SENT_ISD, 1);
	hlr_post(w, &t->route);
	return true;
}

static struct hlr_talk *begin_to(struct home_worker *w, const struct outbox_item *it,
				 const struct reg_node *to, uint8_t kind)
{
	uint64_t number = hlr_node_number(to);
	struct hlr_talk *t =
	    w->hlr && number ? hlr_talk_add(w->hlr->talks, HLR_SENT, loop_now(w->loop)) : NULL;

	if (!t)
		return NULL;
	t->imsi = it->imsi;
	t->index = it->index;
	t->life = it->life;
	t->kind = kind;
	t->node = number;
	t->version = hlr_node_version(to) >= 2 ? hlr_node_version(to) : 3;
	way_to(w, number, kind, &t->route);
	return t;
}

static void as_cancel(struct hlr_talk *t, enum cancellation type)
{
	t->op = HLR_OP_CANCEL;
	t->context = HLR_AC_CANCEL;
	t->what = (uint8_t)type;
}

bool hlr_cancel(struct home_worker *w, const struct outbox_item *it)
{
	struct hlr_talk *t = begin_to(w, it, &it->cancel.node, it->cancel.kind);

	if (!t)
		return false;
	as_cancel(t, (enum cancellation)it->cancel.type);
	tell_cancel(w, t);
	return true;
}

bool hlr_sync(struct home_worker *w, const struct outbox_item *it, const struct home_rows *rows,
	      const struct sync_plan *plan)
{
	struct hlr_talk *t = begin_to(w, it, reg_node_of(rows->reg, it->node), it->node);

	if (!t)
		return false;
	if (plan->what == SYNC_CANCEL) {
		as_cancel(t, CANCEL_WITHDRAWAL);
		tell_cancel(w, t);
		return true;
	}
	t->context = HLR_AC_DATA;
	t->what = (uint8_t)plan->what;
	if (tell_data(w, t, rows, &plan->deletion))
		return true;
	hlr_talk_drop(w->hlr->talks, t);
	return false;
}

/* Nobody answers it: the dialogue ends by itself (class 4). */
bool hlr_reset(struct home_worker *w, const struct reg_node *to)
{
	const struct outbox_item nobody = {0};
	struct hlr_talk *t = begin_to(w, &nobody, to, REG_VLR);
	struct tcap_out o;
	size_t arg;

	if (!t)
		return false;
	t->op = HLR_OP_RESET;
	t->context = HLR_AC_RESET;
	t->version = 2;
	start(w, t, &o);
	arg = ber_open(&w->out, BER_UNIVERSAL, BER_SEQUENCE);
	map_put_number(&w->out, BER_UNIVERSAL, BER_OCTETS, w->hlr->conf->number);
	ber_close(&w->out, arg);
	tcap_end(&o);
	metric_add(M_HLR_SENT, HLR_SENT_RESET, 1);
	hlr_post(w, &t->route);
	hlr_talk_drop(w->hlr->talks, t);
	return true;
}

/* --- answers --- */

enum end { END_DONE, END_UNKNOWN, END_LOST };

static void settle(struct home_worker *w, struct hlr_talk *t, bool open_there, enum end end)
{
	uint32_t index = t->index, life = t->life;

	if (open_there) {
		hlr_begin(w);
		hlr_close_write(&w->out, (struct view){t->tid, t->tid_n});
		hlr_post(w, &t->route);
	}
	hlr_talk_drop(w->hlr->talks, t);
	send_settled(w, index, life, end == END_UNKNOWN, end == END_LOST);
}

/* Begin anew: in the version that it offers, or the one below ours (TS 29.002 5.3). */
static bool step_down(struct home_worker *w, struct hlr_talk *t, const struct hlr_heard *h)
{
	uint8_t version =
	    h->version >= 2 && h->version < t->version ? h->version : (uint8_t)(t->version - 1);
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, t->imsi, &reg);

	if (!h->refused || t->tid_n > 0 || version < 2)
		return false;
	t->version = version;
	t->next = 0;
	way_to(w, t->node, t->kind, &t->route);
	if (t->context == HLR_AC_CANCEL)
		tell_cancel(w, t);
	else
		return tell_data(w, t, &rows, &(struct s6a_deletion){0});
	return true;
}

/* The next part: in the dialogue if they have left it open, else in a new one. */
static void more(struct home_worker *w, struct hlr_talk *t, bool open_there)
{
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, t->imsi, &reg);

	if (!open_there) {
		t->tid_n = 0;
		way_to(w, t->node, t->kind, &t->route);
	}
	if (!tell_data(w, t, &rows, &(struct s6a_deletion){0}))
		settle(w, t, open_there, END_LOST);
}

/* It cannot carry out a bar: its registration says so from now on, and what follows from that is
 * begun. */
static bool weak(struct home_worker *w, struct hlr_talk *t, struct view result)
{
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, t->imsi, &reg);
	char host[REG_HOST];

	hlr_node_name(host, t->node);
	if (!rows.profile || !hlr_bar_refused(result, rows.profile->odb) ||
	    !node_is(reg_node(&reg, t->kind), view_of(host)))
		return false;
	reg_node(&reg, t->kind)->features &= ~(uint64_t)0x1ff;
	if (reg_put(w->reg, &reg, 0))
		feed_want_all(&w->feed);
	return true;
}

void hlr_sent_answered(struct home_worker *w, struct hlr_talk *t, const struct hlr_heard *h)
{
	bool open_there = h->type == TCAP_CONTINUE;

	if ((h->component == TCAP_RESULT || h->component == TCAP_ERROR) && h->invoke != t->invoke)
		return; /* said once more: a part before this one, in a dialogue of the same name */
	if (h->type == TCAP_ABORT || h->refused) {
		if (!step_down(w, t, h))
			settle(w, t, false, END_LOST);
		return;
	}
	if (h->component == TCAP_RESULT) {
		if (t->op == HLR_OP_INSERT && weak(w, t, h->parameter))
			t->next = 0;
		if (t->context == HLR_AC_DATA && t->next > 0)
			more(w, t, open_there);
		else
			settle(w, t, open_there, END_DONE);
		return;
	}
	if (h->component == 0 || h->component == TCAP_RESULT_MORE) {
		if (!open_there)
			settle(w, t, false, END_LOST);
		return;
	}
	LOG(LOG_NOTE, "home.node_refused", kv_id("imsi", t->imsi),
	    KV("op", map_operation(t->op)->name), KV("error", (uint64_t)h->code),
	    kv_id("peer", t->node));
	settle(w, t, open_there,
	       h->code == HLR_UNKNOWN_SUBSCRIBER || h->code == HLR_UNIDENTIFIED ? END_UNKNOWN
										: END_DONE);
}

void hlr_sent_lost(struct home_worker *w, struct hlr_talk *t)
{
	settle(w, t, false, END_LOST);
}
