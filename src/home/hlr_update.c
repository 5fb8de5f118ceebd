/* updateLocation, updateGprsLocation, restoreData (TS 29.002 8.1.2, 8.1.7, 8.10.3): the node is
 * sent the subscriber's data within the dialogue, in as many parts as they need, and hears that it
 * now serves when it has taken them and the registration is durable. */
#include "home/device.h"
#include "home/hlr_in.h"
#include "home/told.h"

#include "base/log.h"
#include "base/metric.h"

#define TRIES 3 /* to send data that change meanwhile */

/* Ask the procedure, on the rows as they are now. An SGSN of Gr knows no registration beside an
 * MME's (TS 23.401 5.3.3.6, D.3): it ends that one, and is ended by the next. */
static void ask(const struct hlr_asked *q, const struct hlr_asks *a, struct home_rows *rows,
		struct reg_row *reg, struct update_result *r)
{
	struct home_worker *w = q->w;
	char host[REG_HOST], msc[BCD_TEXT];
	struct update_request u = {
	    .imsi = a->imsi,
	    .imei = a->imei,
	    .plmn = hlr_visited(w, a->node),
	    .features = HLR_FEATURES(q->head.version),
	    .node = a->kind,
	    .rats = a->rats,
	    .flags = a->kind == REG_SGSN ? ULR_SINGLE_REGISTRATION : 0,
	};

	hlr_node_name(host, a->node);
	bcd_text(a->msc, msc);
	u.host = view_of(host);
	u.realm = view_of(msc);
	*rows = worker_rows(w, a->imsi, reg);
	device_seen(rows, reg, w->book, device_of_update(reg, &u), loop_wall(w->loop),
		    &w->in_force);
	update_location(&w->self, rows, &u, loop_wall(w->loop), r);
	if (!r->result && (a->rats == 0 || hlr_nowhere(rows, u.plmn)))
		*r = (struct update_result){.result = a->rats ? RESULT_ROAMING : RESULT_RAT,
					    .reg = *reg};
}

/* A refusal; one that is stored all the same waits for that. */
static void refused(const struct hlr_asked *q, const struct update_result *r)
{
	if (r->store)
		hlr_keep(q, &r->reg, NULL, 0);
	else
		hlr_send(q);
	if (r->store && !send_look(q->w, q->imsi))
		feed_want_all(&q->w->feed);
}

static void note(struct hlr_talk *t, const struct hlr_asked *q, const struct hlr_asks *a)
{
	t->stage = HLR_UPDATES;
	t->imsi = a->imsi;
	t->imei = a->imei;
	t->node = a->node;
	t->msc = a->msc;
	t->rats = a->rats;
	t->kind = a->kind;
	t->version = q->head.version;
	t->context = q->heard->context;
	t->invoke = q->head.invoke;
	t->op = q->head.op;
	t->route = *q->route;
	t->tid_n = (uint8_t)q->head.dtid.n;
	if (q->head.dtid.p != t->tid)
		memcpy(t->tid, q->head.dtid.p, q->head.dtid.n);
	t->next = 1;
}

/* The next part. `oid`: of the first message back. */
static void tell(struct home_worker *w, struct hlr_talk *t, const struct home_rows *rows,
		 struct view oid)
{
	const struct hlr_data d = {.rows = rows, .kind = t->kind, .version = t->version};
	struct tcap_out o;
	uint8_t room[4];

	hlr_talk_heard(w->hlr->talks, t, loop_now(w->loop));
	hlr_begin(w);
	tcap_start(&o, &w->out, TCAP_CONTINUE, hlr_talk_tid(t, room),
		   (struct view){t->tid, t->tid_n});
	if (oid.n > 0)
		tcap_put_aare(&o, oid, true);
	tcap_open_components(&o);
	tcap_open_invoke(&o, ++t->own, HLR_OP_INSERT);
	t->next = hlr_isd_put(&w->out, &d, t->next);
	tcap_end(&o);
	metric_add(M_HLR_SENT, HLR_SENT_ISD, 1);
	hlr_post(w, &t->route);
}

static void update(struct hlr_asked *q, const struct hlr_asks *a)
{
	struct home_worker *w = q->w;
	struct update_result r;
	struct reg_row reg;
	struct home_rows rows;
	struct hlr_talk *t = q->talk;

	q->imsi = a->imsi;
	ask(q, a, &rows, &reg, &r);
	device_tell(&rows, a->imsi, reg.imei, map_operation(q->head.op)->name, (struct view){0});
	if (r.result) {
		hlr_refused(q, r.result);
		refused(q, &r);
		return;
	}
	t = t ? t : hlr_talk_add(w->hlr->talks, HLR_UPDATES, loop_now(w->loop));
	if (!t) {
		hlr_drop(HLR_DROP_FULL);
		hlr_refuse(q, HLR_SYSTEM_FAILURE);
		return;
	}
	note(t, q, a);
	t->digest = told_digest(rows.sub, rows.profile);
	tell(w, t, &rows, q->head.oid);
}

void hlr_update(struct hlr_asked *q)
{
	struct hlr_asks a;

	if (hlr_update_read(q->heard, &a))
		update(q, &a);
	else
		hlr_refuse(q, HLR_DATA_MISSING);
}

void hlr_update_gprs(struct hlr_asked *q)
{
	hlr_update(q);
}

/* A VLR that has lost its data: it is sent them again, if it is the one that serves. */
void hlr_restore(struct hlr_asked *q)
{
	struct home_worker *w = q->w;
	struct hlr_asks a = {.imsi =
				 map_imsi(tab_get(&q->heard->arg, MAP_SEQ_RESTORE_DATA, MAP_IMSI)),
			     .node = q->peer,
			     .rats = q->head.version < 3 ? RAT_GERAN : RAT_GERAN | RAT_UTRAN,
			     .kind = REG_VLR};
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, a.imsi, &reg);
	char host[REG_HOST];

	q->imsi = a.imsi;
	hlr_node_name(host, a.node);
	a.msc = bcd_of(view_of(reg.vlr.realm));
	if (rows.sub && (!(reg.flags & REG_VLR) || !node_is(&reg.vlr, view_of(host)))) {
		hlr_refused(q, RESULT_NOT_SERVING);
		hlr_send(q);
	} else {
		update(q, &a);
	}
}

/* --- the rest of it --- */

/* The rows are read anew: another node may have registered while this one took its data. */
static void finish(struct home_worker *w, struct hlr_talk *t, bool taken)
{
	const struct hlr_route route = t->route;
	const struct hlr_asks a = {t->imsi, t->imei, t->node, t->msc, t->rats, t->kind};
	struct hlr_asked q = {.w = w, .route = &route, .peer = t->node, .imsi = t->imsi, .talk = t};
	struct update_result r;
	struct reg_row reg;
	struct home_rows rows;

	q.head = (struct hlr_head){
	    .dtid = {t->tid, t->tid_n}, .version = t->version, .invoke = t->invoke, .op = t->op};
	hlr_begin(w);
	if (!taken || !w->fresh) {
		hlr_refuse(&q, HLR_SYSTEM_FAILURE);
		return;
	}
	ask(&q, &a, &rows, &reg, &r);
	if (!r.result && t->node_weak)
		r = (struct update_result){.result = RESULT_BARRED};
	if (!r.result && told_digest(rows.sub, rows.profile) != t->digest) {
		if (++t->again > TRIES) {
			hlr_refuse(&q, HLR_SYSTEM_FAILURE);
			return;
		}
		t->digest = told_digest(rows.sub, rows.profile);
		t->next = 1;
		tell(w, t, &rows, (struct view){0});
		return;
	}
	if (hlr_refused(&q, r.result)) {
		refused(&q, &r);
		return;
	}
	hlr_updated_write(&w->out, &q.head, w->hlr->conf->number);
	hlr_keep(&q, &r.reg, r.cancel, r.cancel_n);
	if ((r.reg.flags & REG_HOLD_WANTED) && !send_look(w, a.imsi))
		feed_want_all(&w->feed);
}

void hlr_update_goes_on(struct home_worker *w, struct hlr_talk *t, const struct hlr_heard *h)
{
	struct reg_row reg;
	struct home_rows rows;

	if (h->type != TCAP_CONTINUE) {
		hlr_talk_drop(w->hlr->talks, t); /* it has gone: nobody is registered */
		return;
	}
	if (h->component == 0 || h->component == TCAP_RESULT_MORE || h->invoke != t->own)
		return; /* nothing that answers what was sent last */
	if (h->component != TCAP_RESULT) {
		LOG(LOG_NOTE, "home.node_refused", kv_id("imsi", t->imsi),
		    KV("error", (uint64_t)h->code), kv_id("peer", t->node));
		finish(w, t, false);
		return;
	}
	rows = worker_rows(w, t->imsi, &reg);
	t->node_weak |= rows.profile && hlr_bar_refused(h->parameter, rows.profile->odb);
	if (t->next > 0 && rows.sub && rows.profile)
		tell(w, t, &rows, (struct view){0});
	else
		finish(w, t, true);
}

void hlr_update_lost(struct home_worker *w, struct hlr_talk *t)
{
	finish(w, t, false);
}
