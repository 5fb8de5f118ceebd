/* What a GSUP node asks, to the procedure and back: authentication, purge, the device; and the answers
 * to what home asks. An answer goes when what it says is durable. */
#include "home/device.h"
#include "home/gsup_in.h"

#include "base/log.h"
#include "base/metric.h"

enum label { LABEL_SAI, LABEL_UL, LABEL_PURGE, LABEL_IMEI, LABEL_OTHER };

/* --- the ways to answer --- */

static void begin(struct home_worker *w)
{
	w->out.n = 0;
	w->out.err = ERR_OK;
}

void gsup_refuse(const struct gsup_asked *q, uint8_t cause)
{
	begin(q->w);
	gsup_error_write(&q->w->out, q->type, q->imsi, cause);
	gsup_write(q->w, q->from->conn);
}

void gsup_keep(const struct gsup_asked *q, const struct reg_row *reg, const struct cancel *cancel,
	       size_t cancel_n)
{
	struct home_worker *w = q->w;
	struct waiting_answer *a = w->out.err ? NULL : waiting_take(w->waiting);

	if (a) {
		a->conn = q->from->conn;
		a->gsup = true;
		a->imsi = reg->imsi;
		a->cancel_n = (uint8_t)cancel_n;
		if (cancel_n > 0)
			memcpy(a->cancel, cancel, cancel_n * sizeof *cancel);
		wr_view(&a->answer, wr_done(&w->out));
		gsup_error_write(&a->refusal, q->type, q->imsi, GSUP_CAUSE_NETWORK);
		if (a->answer.err || a->refusal.err || reg_put(w->reg, reg, waiting_token(a))) {
			waiting_give(w->waiting, a);
			a = NULL;
		}
	}
	secret_wipe(w->out.p, w->out.n);
	if (!a)
		gsup_refuse(q, GSUP_CAUSE_NETWORK);
}

void gsup_durable(struct home_worker *w, struct waiting_answer *a, enum err err)
{
	struct conn *c = conn_find(w->loop, a->conn);

	if (c)
		conn_write(c, wr_done(err ? &a->refusal : &a->answer));
}

bool gsup_refused(const struct gsup_asked *q, enum result result)
{
	const struct result_row *row = &result_rows[result];
	uint8_t cause = gsup_cause(result, q->kind);

	metric_add(M_HOME_RESULTS, result, 1);
	if (result == RESULT_OK)
		return false;
	LOG(LOG_NOTE, "home.gsup_denied", KV("op", tab_shape(&gsup_proto, 0, q->type, 0)->name),
	    KV("result", row->text), KV("cause", (uint64_t)cause), kv_id("imsi", q->imsi),
	    KV("peer", (const char *)q->from->host),
	    row->clause[0] ? KV_CLAUSE(row->clause) : (struct kv){.kind = KV_END});
	gsup_refuse(q, cause);
	return true;
}

/* --- Send-Auth-Info --- */

static bool write_tuples(struct home_worker *w, const struct gsup_asked *q, const struct auth_result *r)
{
	size_t start = gsup_begin(&w->out, gsup_type(GSUP_SAI_RES), q->imsi);
	uint8_t spare[16];
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < r->utran_n && !err; i++) {
		err = r->geran ? ERR_OK : aka_rand(w->means.aka, spare);
		if (!err)
			gsup_put_tuple(&w->out, r, &r->utran[i], spare);
	}
	gsup_end(&w->out, start);
	return !err;
}

static void send_auth_info(const struct gsup_asked *q, const struct msg *m)
{
	struct home_worker *w = q->w;
	uint8_t resync[30];
	struct auth_request a;
	struct auth_result r;
	struct reg_row reg;
	struct home_rows rows;
	struct aka_key key;

	if (!gsup_sai_read(m, &a, resync)) {
		gsup_refuse(q, GSUP_CAUSE_BAD_FIELD);
		return;
	}
	a.plmn = w->self.own_plmn;
	rows = worker_rows(w, a.imsi, &reg);
	w->means.wall_ms = loop_wall(w->loop);
	authenticate(&w->self, &w->means, &rows, worker_key(w, &rows, a.imsi, &key), &a, &r);
	secret_wipe(&key, sizeof key);
	if (a.resync.n > 0)
		LOG(LOG_NOTE, "home.resync", kv_id("imsi", a.imsi), KV("genuine", (uint64_t)r.resynced),
		    KV("peer", (const char *)q->from->host), KV_CLAUSE("R-5.6.2.d"));
	if (r.result == RESULT_OK && !write_tuples(w, q, &r))
		r.result = RESULT_NO_VECTORS;
	if (!gsup_refused(q, r.result)) {
		metric_add(M_HOME_VECTORS, r.gsm ? 2 : 1, r.utran_n);
		if (r.store)
			gsup_keep(q, &r.reg, NULL, 0);
		else
			gsup_write(w, q->from->conn);
	}
	secret_wipe(&r, sizeof r);
}

/* --- Purge, Check-IMEI, and what a network tells of failures --- */

static void purge_ms(const struct gsup_asked *q)
{
	struct home_worker *w = q->w;
	struct purge_result r;
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, q->imsi, &reg);
	size_t start;

	purge(&rows, view_of(q->from->host), q->kind == REG_VLR ? PURGED_VLR : PURGED_SGSN, &r);
	if (gsup_refused(q, r.result))
		return;
	start = gsup_begin(&w->out, gsup_type(GSUP_PURGE_RES), q->imsi);
	if (r.freeze)
		gsup_put_mark(&w->out, GSUP_FREEZE);
	gsup_end(&w->out, start);
	if (r.store)
		gsup_keep(q, &r.reg, NULL, 0);
	else
		gsup_write(w, q->from->conn);
}

/* The device seen is kept with the registration, if it is the node that serves which has seen it. */
static void note_device(const struct gsup_asked *q, uint64_t imei)
{
	struct home_worker *w = q->w;
	struct notify_result r;
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, q->imsi, &reg);

	notify(&rows, view_of(q->from->host), imei, &r);
	if (r.result != RESULT_OK || !r.store)
		return;
	device_seen(&rows, &r.reg, w->book, imei, loop_wall(w->loop), &w->in_force);
	device_tell(&rows, q->imsi, imei, "Check-IMEI", view_of(q->from->host));
	if (reg_put(w->reg, &r.reg, 0))
		LOG(LOG_NOTE, "home.device_not_kept", kv_id("imsi", q->imsi));
	else if (!send_look(w, q->imsi))
		feed_want_all(&w->feed);
}

static void check_imei(const struct gsup_asked *q, const struct msg *m)
{
	static const char *const colours[] = {[WHITE] = "white", [BLACK] = "black", [GREY] = "grey"};
	struct home_worker *w = q->w;
	uint64_t imei = bcd_first(gsup_digits(tab_get(m, GSUP_IMEI)), 14);
	struct check_result r;
	bool ok;
	size_t start;

	check_device(&w->self, w->book, imei, q->imsi, loop_wall(w->loop), &r);
	ok = r.result == RESULT_OK && r.colour != BLACK;
	if (r.result != RESULT_NO_EQUIPMENT && gsup_refused(q, r.result))
		return;
	if (r.result == RESULT_OK)
		metric_add(M_S13_CHECKS, r.colour, 1);
	if (!ok || r.colour != WHITE || r.bound)
		LOG(LOG_NOTE, "home.device_refused", kv_id("imei", imei), kv_id("imsi", q->imsi),
		    KV("colour", r.result ? "unknown" : colours[r.colour]), KV("bound", (uint64_t)r.bound),
		    KV("peer", (const char *)q->from->host),
		    KV_CLAUSE(r.bound ? "R-5.1.1.2.b" : "R-5.7.3.a"));
	note_device(q, imei);
	begin(w);
	start = gsup_begin(&w->out, gsup_type(GSUP_IMEI_RES), q->imsi);
	gsup_put_u8(&w->out, GSUP_IMEI_RESULT, ok ? 0 : 1);
	gsup_end(&w->out, start);
	gsup_write(w, q->from->conn);
}

static void failure_report(const struct gsup_asked *q)
{
	LOG(LOG_NOTE, "home.auth_failure", kv_id("imsi", q->imsi), KV("peer", (const char *)q->from->host),
	    KV_CLAUSE("R-5.6.2.d"));
}

/* --- requests --- */

/* No node of ours passes messages on: what is for another one is said to have no way. */
static void no_route(const struct gsup_asked *q)
{
	begin(q->w);
	gsup_end(&q->w->out, gsup_begin(&q->w->out, gsup_type(GSUP_NO_ROUTE), q->imsi));
	gsup_write(q->w, q->from->conn);
}

static bool too_many(struct home_worker *w, struct gsup_node *n)
{
	uint64_t now = loop_now(w->loop);

	if (now - n->window_ms >= 1000) {
		n->window_ms = now;
		n->window_n = 0;
	}
	return ++n->window_n > w->gsup->conf->rate;
}

static enum label label_of(uint8_t type)
{
	switch (type & 0xfc) {
	case 0x04:
		return LABEL_UL;
	case 0x08:
		return LABEL_SAI;
	case 0x0c:
		return LABEL_PURGE;
	case 0x30:
		return LABEL_IMEI;
	default:
		return LABEL_OTHER;
	}
}

static void request(const struct gsup_asked *q, const struct msg *m, enum err err)
{
	struct home_worker *w = q->w;
	enum label label = label_of(q->type);

	metric_add(M_GSUP_REQUESTS, label, 1);
	begin(w);
	if (err || label == LABEL_OTHER)
		gsup_refuse(q, label == LABEL_OTHER ? GSUP_CAUSE_NO_SUCH_MESSAGE : GSUP_CAUSE_BAD_FIELD);
	else if (tab_slot(m, GSUP_DESTINATION))
		no_route(q);
	else if (!w->fresh)
		gsup_refuse(q, GSUP_CAUSE_NETWORK);
	else if (label == LABEL_SAI)
		send_auth_info(q, m);
	else if (label == LABEL_UL)
		gsup_update(q, gsup_rats(m));
	else if (label == LABEL_PURGE)
		purge_ms(q);
	else
		check_imei(q, m);
}

/* --- answers --- */

void gsup_settle(struct home_worker *w, struct gsup_wait *wait, enum gsup_end end)
{
	struct gsup_wait was = *wait;

	gsup_wait_drop(w->gsup->waits, wait);
	if (was.update)
		gsup_update_told(w, &was, end);
	else
		send_settled(w, was.index, was.life, end == END_UNKNOWN, end == END_LOST);
}

static void answer(struct home_worker *w, struct gsup_node *from, const struct msg *m, uint8_t type)
{
	uint64_t imsi = gsup_imsi(m);
	struct gsup_wait *wait =
	    gsup_wait_find(w->gsup->waits, from->conn, imsi, (uint8_t)(type & 0xfc), gsup_kind(m));
	uint8_t cause = gsup_u8(tab_get(m, GSUP_CAUSE));
	bool ok = (type & 3) == 2;

	if (!wait) {
		gsup_drop(DROP_UNMATCHED);
		return;
	}
	if (!ok)
		LOG(LOG_NOTE, "home.node_refused", kv_id("imsi", imsi), KV("cause", (uint64_t)cause),
		    KV("peer", (const char *)from->host));
	gsup_settle(w, wait,
		    ok				      ? END_DONE
		    : cause == GSUP_CAUSE_IMSI_UNKNOWN ? END_UNKNOWN
						       : END_REFUSED);
}

void gsup_take(struct home_worker *w, struct gsup_node *from, struct view body)
{
	struct gsup_asked q = {.w = w, .from = from};
	struct arena mem = w->mem; /* of this message: thousands of these may come in a batch */
	struct msg m;
	enum err err = gsup_parse(&m, &q.type, body, &mem);

	q.imsi = gsup_imsi(&m);
	q.kind = gsup_kind(&m) == REG_VLR ? REG_VLR : REG_SGSN;
	if (err && err != ERR_UNKNOWN_CMD)
		gsup_drop(DROP_MALFORMED);
	if (body.n == 0 || q.imsi == 0) {
		return; /* nothing that an answer could be about */
	} else if (GSUP_IS_REQUEST(q.type) && too_many(w, from)) {
		gsup_drop(DROP_RATE);
		gsup_refuse(&q, GSUP_CAUSE_CONGESTION);
	} else if (GSUP_IS_REQUEST(q.type)) {
		request(&q, &m, err);
	} else if (q.type == gsup_type(GSUP_AFR) && !err) {
		failure_report(&q);
	} else if (!err) {
		answer(w, from, &m, q.type);
	}
}
