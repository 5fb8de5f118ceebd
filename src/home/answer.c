/* Requests of others, from the parsed message to the answer or the commit it waits for. */
#include "home/device.h"
#include "home/swx.h"
#include "home/worker.h"
#include "home/zn.h"

#include "base/log.h"
#include "base/metric.h"

enum op_label {
	LABEL_AIR, LABEL_ULR, LABEL_PUR, LABEL_NOR, LABEL_ECR,
	LABEL_BIR, LABEL_MAR, LABEL_SAR, LABEL_OTHER
};
static const char *const op_names[] = {"AIR", "ULR", "PUR", "NOR", "ECR", "BIR", "MAR", "SAR", "other"};

/* One request, on its way through here. */
struct asked {
	struct home_worker *w;
	struct dia_peer *from;
	struct s6a_in in;
	struct view raw;
	enum op_label op;
};

struct home_rows worker_rows(struct home_worker *w, uint64_t imsi, struct reg_row *reg)
{
	struct home_rows rows = {.reg = reg};

	rows.sub = w->book->sub(w->book->ctx, imsi);
	if (rows.sub && rows.sub->partition != w->partition)
		rows.sub = NULL;
	if (rows.sub)
		rows.own = w->book->profile(w->book->ctx, rows.sub->profile);
	if (reg_get(w->reg, imsi, reg)) {
		memset(reg, 0, sizeof *reg);
		reg->imsi = imsi;
	}
	device_look(&rows, w->book, reg->imei, loop_wall(w->loop), &w->in_force);
	return rows;
}

const struct aka_key *worker_key(struct home_worker *w, const struct home_rows *rows, uint64_t imsi,
				 struct aka_key *room)
{
	enum err err = rows->sub ? vault_get(w->vault, imsi, room) : ERR_NOT_FOUND;

	if (rows->sub && err == ERR_NOT_FOUND)
		LOG(LOG_NOTE, "home.no_key", kv_id("imsi", imsi));
	else if (rows->sub && err)
		LOG(LOG_ERROR, "home.key_changed", kv_id("imsi", imsi), KV("error", err_text(err)),
		    KV_CLAUSE("R-3.1.c"));
	return err ? NULL : room;
}

/* The rows for a request: one that came to the wrong home shows a wrong route, and is told. */
static struct home_rows rows_of(const struct asked *q, uint64_t imsi, struct reg_row *reg)
{
	struct home_worker *w = q->w;
	struct home_rows rows = worker_rows(w, imsi, reg);
	const struct sub_row *theirs = rows.sub ? NULL : w->book->sub(w->book->ctx, imsi);

	if (theirs)
		LOG(LOG_NOTE, "home.other_partition", KV("op", op_names[q->op]), kv_id("imsi", imsi),
		    KV("partition", (uint64_t)theirs->partition), KV("ours", (uint64_t)w->partition),
		    KV("peer", tab_get(q->in.m, AVP_ORIGIN_HOST)), KV_CLAUSE("R-5.1.i"));
	return rows;
}

/* A refusal that is not a procedure's own: a bare Result-Code. */
static void refuse(const struct asked *q, enum err err, uint32_t result)
{
	struct home_worker *w = q->w;

	w->out.n = 0;
	w->out.err = ERR_OK;
	dia_refuse(&w->out, &w->me, q->in.m, q->in.h, q->raw, err, result);
	dia_node_send(w->node, q->from, wr_done(&w->out));
}

static void tell(const struct asked *q, uint64_t imsi, enum result result)
{
	const struct result_row *row = &result_rows[result];

	metric_add(M_HOME_RESULTS, result, 1);
	if (result == RESULT_OK)
		return;
	LOG(LOG_NOTE, "home.refused", KV("op", op_names[q->op]), KV("result", row->text),
	    KV("code", (uint64_t)row->code), kv_id("imsi", imsi),
	    KV("peer", tab_get(q->in.m, AVP_ORIGIN_HOST)),
	    row->clause[0] ? KV_CLAUSE(row->clause) : (struct kv){.kind = KV_END});
}

static void send_now(const struct asked *q)
{
	struct home_worker *w = q->w;

	if (w->out.err)
		refuse(q, ERR_FULL, 5012);
	else
		dia_node_send(w->node, q->from, wr_done(&w->out));
	secret_wipe(w->out.p, w->out.n);
}

/* Keep the finished answer until `reg` is durable. What cannot wait is refused: temporarily, and
 * only this message. */
static void send_durable(const struct asked *q, const struct reg_row *reg,
			 const struct cancel *cancel, size_t cancel_n)
{
	struct home_worker *w = q->w;
	struct waiting_answer *a = w->out.err ? NULL : waiting_take(w->waiting);

	if (a) {
		a->conn = dia_peer_info(q->from)->conn;
		a->imsi = reg->imsi;
		a->cancel_n = (uint8_t)cancel_n;
		if (cancel_n > 0)
			memcpy(a->cancel, cancel, cancel_n * sizeof *cancel);
		wr_view(&a->answer, wr_done(&w->out));
		dia_refuse(&a->refusal, &w->me, q->in.m, q->in.h, q->raw, ERR_IO, 5012);
		if (a->answer.err || a->refusal.err || reg_put(w->reg, reg, waiting_token(a))) {
			waiting_give(w->waiting, a);
			a = NULL;
		}
	}
	secret_wipe(w->out.p, w->out.n);
	if (!a)
		refuse(q, ERR_FULL, 5012);
}

void answer_durable(struct home_worker *w)
{
	uint64_t token;
	enum err err;

	while (reg_done(w->reg, &token, &err)) {
		struct waiting_answer *a = token ? waiting_find(w->waiting, token) : NULL;
		struct dia_peer *to = a ? dia_node_peer_of_conn(w->node, a->conn) : NULL;

		if (token == BSF_TOKEN)
			bsf_durable(w->bsf, err);
		if (err)
			LOG(LOG_ERROR, "home.commit_failed", KV("error", err_text(err)));
		if (err && !a)
			w->feed.again_ms = loop_now(w->loop) + 30000;
		if (!a)
			continue;
		if (a->path[0])
			auc_durable(w, a, err);
		else if (a->gsup)
			gsup_durable(w, a, err);
		else if (a->map)
			hlr_durable(w, a, err);
		else if (to)
			dia_node_send(w->node, to, wr_done(err ? &a->refusal : &a->answer));
		for (size_t i = 0; !err && i < a->cancel_n; i++) {
			if (!outbox_cancel(w->outbox, a->imsi, &a->cancel[i], loop_now(w->loop)))
				LOG(LOG_ERROR, "home.cancel_dropped", kv_id("imsi", a->imsi));
		}
		waiting_give(w->waiting, a);
	}
}

void answer_load(struct home_worker *w)
{
	load_update(&w->load, waiting_used(w->waiting), WAITING_MAX, loop_now(w->loop));
	metric_set(M_HOME_WAITING, 0, waiting_used(w->waiting));
	metric_set(M_HOME_OUTBOX, 0, outbox_used(w->outbox));
}

/* --- the procedures --- */

static void resync_tell(const struct asked *q, uint64_t imsi, struct view resync,
			const struct auth_result *r)
{
	if (resync.n > 0)
		LOG(LOG_NOTE, "home.resync", kv_id("imsi", imsi),
		    KV("genuine", (uint64_t)r->resynced),
		    KV("peer", tab_get(q->in.m, AVP_ORIGIN_HOST)), KV_CLAUSE("R-5.6.2.d"));
}

/* Never waits behind a commit, but for a resynchronisation that changed something: its difference
 * must outlive a crash, or the next vector after it would be refused again. */
static void air(const struct asked *q)
{
	struct home_worker *w = q->w;
	struct auth_result r;
	struct auth_request a;
	struct aka_key key;
	struct reg_row reg;
	struct home_rows rows;

	s6a_air_read(q->in.m, &a);
	rows = rows_of(q, a.imsi, &reg);
	w->means.wall_ms = loop_wall(w->loop);
	authenticate(&w->self, &w->means, &rows, worker_key(w, &rows, a.imsi, &key), &a, &r);
	secret_wipe(&key, sizeof key);
	tell(q, a.imsi, r.result);
	resync_tell(q, a.imsi, a.resync, &r);
	metric_add(M_HOME_VECTORS, 0, r.eps_n);
	metric_add(M_HOME_VECTORS, r.gsm ? 2 : 1, r.utran_n);
	s6a_aia_write(&w->out, &q->in, &r);
	if (r.store && r.result == RESULT_OK)
		send_durable(q, &r.reg, NULL, 0);
	else
		send_now(q);
	secret_wipe(&r, sizeof r);
}

/* What the device calls for beyond the answer: a case, a withdrawal. */
static void follow_device(const struct asked *q, uint64_t imsi, bool wanted)
{
	if (wanted && !send_look(q->w, imsi))
		feed_want_all(&q->w->feed); /* no room now: found again by comparing */
}

static void ulr(const struct asked *q)
{
	struct home_worker *w = q->w;
	const struct network_row *visited;
	struct update_request u;
	struct update_result r;
	struct reg_row reg;
	struct home_rows rows;

	s6a_ulr_read(q->in.m, &u);
	rows = rows_of(q, u.imsi, &reg);
	device_seen(&rows, &reg, w->book, device_of_update(&reg, &u), loop_wall(w->loop), &w->in_force);
	update_location(&w->self, &rows, &u, loop_wall(w->loop), &r);
	tell(q, u.imsi, r.result);
	device_tell(&rows, u.imsi, reg.imei, "ULR", u.host);
	visited = r.result ? w->book->network(w->book->ctx, u.plmn) : NULL;
	s6a_ula_write(&w->out, &q->in, &u, &r, &rows, visited && visited->compat_ula);
	if (r.result && !r.store)
		send_now(q);
	else
		send_durable(q, &r.reg, r.cancel, r.cancel_n);
	follow_device(q, u.imsi, r.store || (r.reg.flags & REG_HOLD_WANTED));
}

static void pur(const struct asked *q)
{
	struct home_worker *w = q->w;
	uint64_t imsi = s6a_imsi(q->in.m);
	struct purge_result r;
	struct reg_row reg;
	struct home_rows rows = rows_of(q, imsi, &reg);

	purge(&rows, tab_get(q->in.m, AVP_ORIGIN_HOST), s6a_pur_flags(q->in.m), &r);
	tell(q, imsi, r.result);
	s6a_pua_write(&w->out, &q->in, &r);
	if (r.store)
		send_durable(q, &r.reg, NULL, 0);
	else
		send_now(q);
}

static void nor(const struct asked *q)
{
	struct home_worker *w = q->w;
	uint64_t imsi = s6a_imsi(q->in.m), imei = s6a_imei(q->in.m);
	struct view host = tab_get(q->in.m, AVP_ORIGIN_HOST);
	struct notify_result r;
	struct reg_row reg;
	struct home_rows rows = rows_of(q, imsi, &reg);

	notify(&rows, host, imei, &r);
	tell(q, imsi, r.result);
	if (r.store) {
		device_seen(&rows, &r.reg, w->book, imei, loop_wall(w->loop), &w->in_force);
		device_tell(&rows, imsi, imei, "NOR", host);
	}
	if (r.store && reg_put(w->reg, &r.reg, 0))
		r.result = RESULT_UNABLE;
	s6a_noa_write(&w->out, &q->in, &r);
	send_now(q);
	follow_device(q, imsi, r.store);
}

static void ecr(const struct asked *q)
{
	static const char *const colours[] = {
	    [WHITE] = "white", [BLACK] = "black", [GREY] = "grey"};
	struct home_worker *w = q->w;
	uint64_t imsi = s6a_imsi(q->in.m), imei = s6a_imei(q->in.m);
	struct check_result r;

	check_device(&w->self, w->book, imei, imsi, loop_wall(w->loop), &r);
	tell(q, imsi, r.result);
	if (r.result == RESULT_OK) {
		metric_add(M_S13_CHECKS, r.colour, 1);
		if (r.colour != WHITE || r.bound)
			LOG(LOG_NOTE, "home.device_refused", kv_id("imei", imei),
			    kv_id("imsi", imsi), KV("colour", colours[r.colour]),
			    KV("bound", (uint64_t)r.bound),
			    KV("peer", tab_get(q->in.m, AVP_ORIGIN_HOST)),
			    KV_CLAUSE(r.bound ? "R-5.1.1.2.b" : "R-5.7.3.a"));
	}
	s13_eca_write(&w->out, &q->in, &r);
	send_now(q);
}

/* The session's key, if the subscription may still have it: its state counts now, not when it
 * bootstrapped. */
static void bir(const struct asked *q)
{
	struct home_worker *w = q->w;
	struct bsf_key k = {0};
	struct reg_row reg;
	struct home_rows rows;
	enum result r = RESULT_NO_SESSION;

	if (w->bsf)
		r = bsf_naf_key(w->bsf, tab_get(q->in.m, AVP_TRANSACTION_IDENTIFIER),
				tab_get(q->in.m, AVP_NAF_HOSTNAME), tab_get(q->in.m, AVP_ORIGIN_HOST), &k);
	if (!r) {
		rows = rows_of(q, k.imsi, &reg);
		r = gba_check(&rows, loop_wall(w->loop));
		if (r)
			bsf_withdraw(w->bsf, k.imsi);
	}
	tell(q, k.imsi, r);
	zn_bia_write(&w->out, &q->in, r, &k);
	secret_wipe(&k, sizeof k);
	send_now(q);
}

/* The vectors of a MAR, when nothing is wrong before. */
static void vectors_for_aaa(const struct asked *q, const struct swx_ask *ask, const struct home_rows *rows,
			    struct auth_result *r)
{
	struct home_worker *w = q->w;
	struct aka_key key;

	w->means.wall_ms = loop_wall(w->loop);
	authenticate_wifi(&w->self, &w->means, rows, worker_key(w, rows, ask->wifi.imsi, &key), &ask->wifi,
			  r);
	secret_wipe(&key, sizeof key);
	resync_tell(q, ask->wifi.imsi, ask->wifi.resync, r);
	metric_add(M_HOME_VECTORS, r->gsm ? 4 : 3, r->result ? 0 : r->utran_n);
}

/* Which server serves is settled by the SAR, so a MAR stores nothing: but for a resynchronisation, and
 * where the server that served has failed, whose registration then ends here. The device that it names counts
 * for this answer alone: nobody has proved yet to be this SIM. */
static void mar(const struct asked *q)
{
	struct home_worker *w = q->w;
	struct view host = tab_get(q->in.m, AVP_ORIGIN_HOST);
	struct auth_result r = {.result = RESULT_OK};
	struct reg_row aaa, reg;
	struct home_rows rows;
	struct swx_ask ask;
	uint64_t imei = s6a_imei(q->in.m);
	bool replace;

	swx_mar_read(q->in.m, &ask);
	aaa_rows(w, ask.wifi.imsi, &aaa);
	rows = rows_of(q, ask.wifi.imsi, &reg);
	if (imei)
		device_look(&rows, w->book, imei, loop_wall(w->loop), &w->in_force);
	replace = ask.failed && aaa_check(&aaa, host, false);
	r.result = !rows.sub ? RESULT_USER_UNKNOWN : ask.result;
	if (!r.result && imei && rows.reaction == REACT_REFUSE)
		r.result = RESULT_DEVICE;
	if (!r.result)
		r.result = aaa_check(&aaa, host, ask.failed);
	if (!r.result)
		vectors_for_aaa(q, &ask, &rows, &r);
	r.result = swx_result(r.result);
	tell(q, ask.wifi.imsi, r.result);
	swx_maa_write(&w->out, &q->in, &ask, &r, reg_aaa_node(&aaa));
	aaa.flags &= (uint8_t)~REG_AAA;
	if (!r.result && replace && r.store && reg_put(w->reg, &r.reg, 0))
		refuse(q, ERR_FULL, 5012);
	else if (!r.result && (replace || r.store))
		send_durable(q, replace ? &aaa : &r.reg, NULL, 0);
	else
		send_now(q);
	secret_wipe(&r, sizeof r);
}

static void sar(const struct asked *q)
{
	struct home_worker *w = q->w;
	struct assign_request a;
	struct assign_result r;
	struct reg_row reg;
	struct home_rows rows;
	enum reaction seen = REACT_NONE;

	swx_sar_read(q->in.m, &a);
	if (a.type == ASSIGN_REGISTER)
		seen = device_report(w, a.imsi, s6a_imei(q->in.m), "SAR", a.host);
	rows_of(q, a.imsi, &reg); /* for its event, should this be the wrong home */
	rows = aaa_rows(w, a.imsi, &reg);
	if (seen == REACT_REFUSE)
		rows.reaction = seen; /* is not remembered */
	assign_server(&rows, &a, loop_wall(w->loop), &r);
	r.result = swx_result(r.result);
	tell(q, a.imsi, r.result);
	swx_saa_write(&w->out, &q->in, &r, &rows);
	if (r.store)
		send_durable(q, &r.reg, NULL, 0);
	else
		send_now(q);
}

static void (*const procedures[])(const struct asked *) = {air, ulr, pur, nor, ecr, bir, mar, sar};

static enum op_label label(const struct msg *m)
{
	switch (m->shape ? m->shape->id : DIA_MSG_NONE) {
	case S6A_AIR:
		return LABEL_AIR;
	case S6A_ULR:
		return LABEL_ULR;
	case S6A_PUR:
		return LABEL_PUR;
	case S6A_NOR:
		return LABEL_NOR;
	case S13_ECR:
		return LABEL_ECR;
	case ZN_BIR:
		return LABEL_BIR;
	case SWX_MAR:
		return LABEL_MAR;
	case SWX_SAR:
		return LABEL_SAR;
	default:
		return LABEL_OTHER;
	}
}

/* SWx is for servers of our own that are connected to us, and nobody speaks it through another. */
static uint32_t not_swx(const struct asked *q)
{
	if (q->in.h->app != DIA_APP_SWX)
		return 0;
	if (!q->w->swx)
		return 3007;
	if (view_eq_case(tab_get(q->in.m, AVP_ORIGIN_HOST), dia_peer_info(q->from)->host))
		return 0;
	LOG(LOG_NOTE, "home.aaa_relayed", KV("host", tab_get(q->in.m, AVP_ORIGIN_HOST)),
	    KV("peer", dia_peer_info(q->from)->host), KV_CLAUSE("R-5.6.1.h"));
	return 5003;
}

/* Is it for us (RFC 6733 6.1.4)? 0: it is. */
static uint32_t misrouted(const struct home_worker *w, const struct msg *m)
{
	struct view host = tab_get(m, AVP_DESTINATION_HOST);

	if (host.n > 0 && !view_eq_case(host, w->me.host))
		return 3002;
	return view_eq_case(tab_get(m, AVP_DESTINATION_REALM), w->me.realm) ? 0 : 3003;
}

void answer_request(struct home_worker *w, struct dia_peer *from, const struct msg *m,
		    const struct dia_header *h, struct view raw, enum err err)
{
	struct asked q = {.w = w, .from = from, .in = {m, h, &w->me, &w->load}, .raw = raw};
	uint32_t wrong;

	q.op = err ? LABEL_OTHER : label(m);
	metric_add(M_HOME_REQUESTS, q.op, 1);
	w->out.n = 0;
	w->out.err = ERR_OK;
	if (err) {
		refuse(&q, err, dia_result(err));
		return;
	}
	wrong = not_swx(&q);
	if (!wrong)
		wrong = q.op == LABEL_OTHER ? 3001 : misrouted(w, m);
	if (wrong)
		refuse(&q, wrong == 3001 ? ERR_UNKNOWN_CMD : ERR_REFUSED, wrong);
	else if (!w->fresh)
		refuse(&q, ERR_AGAIN, 5012);
	else
		procedures[q.op](&q);
}
