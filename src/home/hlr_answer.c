/* SS7 messages for the HLR: addresses, dialogues, versions of contexts; and the answers of
 * authentication, purge and equipment. An answer goes when what it says is durable. */
#include "home/device.h"
#include "home/hlr_in.h"

#include "base/log.h"
#include "base/metric.h"

#define MSU_MAX 268u /* octets of SCCP that a link of MTP carries (Q.704) */
#define UDT_MAX 254
#define UDT_HEAD 8u /* with the three lengths */
#define XUDT_HEAD 17
#define SEGMENTS 16

void hlr_drop(enum hlr_drop why)
{
	metric_add(M_HLR_DROPPED, why, 1);
}

void hlr_begin(struct home_worker *w)
{
	w->out.n = 0;
	w->out.err = ERR_OK;
}

/* --- out --- */

static size_t piece(const struct hlr_route *to)
{
	return (size_t)SCCP_SEGMENT_ROOM - to->own_n - to->peer_n;
}

static size_t unit(const struct hlr_route *to)
{
	size_t room = MSU_MAX - UDT_HEAD - to->own_n - to->peer_n;

	return room < UDT_MAX ? room : UDT_MAX;
}

size_t hlr_room(const struct hlr_route *to)
{
	return to->wide ? piece(to) * SEGMENTS : unit(to);
}

static void put_piece(struct home_worker *w, const struct hlr_route *to, struct view data,
		      bool first, size_t left)
{
	struct hlr *h = w->hlr;
	struct wr out = {.p = h->sccp, .cap = sizeof h->sccp};
	const struct sccp_put x = {.class = 1,
				   .hops = 15,
				   .called = {to->peer, to->peer_n},
				   .calling = {to->own, to->own_n},
				   .data = data,
				   .first = first,
				   .left = (uint8_t)left,
				   .reference = h->reference & 0xffffff};

	sccp_put_segment(&out, &x);
	if (!out.err)
		h->send(w, to, wr_done(&out));
}

void hlr_post(struct home_worker *w, const struct hlr_route *to)
{
	struct hlr *h = w->hlr;
	struct view data = wr_done(&w->out);
	struct wr out = {.p = h->sccp, .cap = sizeof h->sccp};
	size_t each = piece(to), n = (data.n + each - 1) / each;

	if (data.n == 0 || data.n > hlr_room(to)) {
		LOG(LOG_ERROR, "home.map_too_long", KV("octets", (uint64_t)w->out.n));
		hlr_drop(HLR_DROP_UNSENT);
	} else if (data.n <= unit(to)) {
		sccp_put_udt(&out, (struct view){to->peer, to->peer_n},
			     (struct view){to->own, to->own_n}, data);
		if (!out.err)
			h->send(w, to, wr_done(&out));
	} else {
		h->reference++;
		for (size_t i = 0; i < n; i++) {
			struct view rest = {data.p + i * each, data.n - i * each};

			put_piece(w, to, view_first(rest, each), i == 0, n - 1 - i);
		}
	}
	secret_wipe(w->out.p, w->out.n);
	secret_wipe(h->sccp, sizeof h->sccp);
	hlr_begin(w);
}

void hlr_end(const struct hlr_asked *q)
{
	if (q->talk)
		hlr_talk_drop(q->w->hlr->talks, q->talk);
}

void hlr_send(const struct hlr_asked *q)
{
	hlr_post(q->w, q->route);
	hlr_end(q);
}

void hlr_refuse(const struct hlr_asked *q, uint16_t error)
{
	hlr_begin(q->w);
	hlr_error_write(&q->w->out, &q->head, error);
	hlr_send(q);
}

bool hlr_refused(const struct hlr_asked *q, enum result result)
{
	const struct result_row *row = &result_rows[result];
	uint16_t error = hlr_error_of(result, q->head.op);

	metric_add(M_HOME_RESULTS, result, 1);
	if (result == RESULT_OK)
		return false;
	LOG(LOG_NOTE, "home.map_denied", KV("op", map_operation(q->head.op)->name),
	    KV("result", row->text), KV("error", (uint64_t)(error & 0xff)), kv_id("imsi", q->imsi),
	    kv_id("peer", q->peer),
	    row->clause[0] ? KV_CLAUSE(row->clause) : (struct kv){.kind = KV_END});
	hlr_begin(q->w);
	hlr_error_write(&q->w->out, &q->head, error);
	return true;
}

/* The way stands before the message: nothing else of the dialogue is needed to answer it. */
static void wait_with(struct wr *to, const struct hlr_route *route, struct view message)
{
	wr_view(to, (struct view){(const uint8_t *)route, sizeof *route});
	wr_view(to, message);
}

void hlr_keep(const struct hlr_asked *q, const struct reg_row *reg, const struct cancel *cancel,
	      size_t cancel_n)
{
	struct home_worker *w = q->w;
	struct waiting_answer *a = w->out.err ? NULL : waiting_take(w->waiting);

	if (a) {
		a->map = true;
		a->imsi = reg->imsi;
		a->cancel_n = (uint8_t)cancel_n;
		if (cancel_n > 0)
			memcpy(a->cancel, cancel, cancel_n * sizeof *cancel);
		wait_with(&a->answer, q->route, wr_done(&w->out));
		wait_with(&a->refusal, q->route, (struct view){0});
		hlr_error_write(&a->refusal, &q->head, HLR_SYSTEM_FAILURE);
		if (a->answer.err || a->refusal.err || reg_put(w->reg, reg, waiting_token(a))) {
			waiting_give(w->waiting, a);
			a = NULL;
		}
	}
	secret_wipe(w->out.p, w->out.n);
	hlr_begin(w);
	if (!a)
		hlr_refuse(q, HLR_SYSTEM_FAILURE);
	else
		hlr_end(q);
}

void hlr_durable(struct home_worker *w, struct waiting_answer *a, enum err err)
{
	struct rd r = {.left = wr_done(err ? &a->refusal : &a->answer)};
	struct view way = rd_take(&r, sizeof(struct hlr_route));
	struct hlr_route to;

	if (r.err || !w->hlr)
		return;
	memcpy(&to, way.p, sizeof to);
	hlr_begin(w);
	wr_view(&w->out, r.left);
	hlr_post(w, &to);
}

/* --- the procedures --- */

uint64_t hlr_visited(struct home_worker *w, uint64_t number)
{
	const struct network_row *n =
	    w->book->network_of_number ? w->book->network_of_number(w->book->ctx, number) : NULL;

	return n ? n->plmn : 0;
}

bool hlr_nowhere(const struct home_rows *rows, uint64_t plmn)
{
	return plmn == 0 && rows->profile && rows->profile->country_n > 0;
}

/* A VLR that does not say for which network it asks is where its title is. */
static void vectors(const struct hlr_asked *q, struct auth_request *a, struct auth_result *r)
{
	enum { FIT = 2 }; /* quintuplets in a message that is not segmented */
	struct home_worker *w = q->w;
	struct reg_row reg;
	struct home_rows rows = worker_rows(w, a->imsi, &reg);
	struct aka_key key;

	a->plmn = a->plmn ? a->plmn : hlr_visited(w, q->peer);
	if (q->head.version >= 3 && !q->route->wide) {
		a->utran_n = a->utran_n < FIT ? a->utran_n : FIT;
		a->eps_n = a->eps_n < FIT ? a->eps_n : FIT;
	}
	w->means.wall_ms = loop_wall(w->loop);
	authenticate(&w->self, &w->means, &rows, worker_key(w, &rows, a->imsi, &key), a, r);
	secret_wipe(&key, sizeof key);
	if (r->result == RESULT_OK && hlr_nowhere(&rows, a->plmn))
		r->result = RESULT_ROAMING;
	if (r->result == RESULT_OK && q->head.version < 3 && !r->geran)
		r->result = RESULT_RAT; /* triplets are of GERAN */
}

void hlr_auth_info(struct hlr_asked *q)
{
	struct home_worker *w = q->w;
	struct auth_request a;
	struct auth_result r;
	uint8_t resync[30];

	if (!hlr_sai_read(q->heard, &a, q->ssn, resync)) {
		hlr_refuse(q, HLR_DATA_MISSING);
		return;
	}
	q->imsi = a.imsi;
	vectors(q, &a, &r);
	if (a.resync.n > 0)
		LOG(LOG_NOTE, "home.resync", kv_id("imsi", a.imsi),
		    KV("genuine", (uint64_t)r.resynced), kv_id("peer", q->peer),
		    KV_CLAUSE("R-5.6.2.d"));
	if (r.result == RESULT_OK && !hlr_sai_write(&w->out, &q->head, &r, hlr_room(q->route)))
		r.result = RESULT_NO_VECTORS;
	if (hlr_refused(q, r.result)) {
		hlr_send(q);
	} else {
		metric_add(M_HOME_VECTORS, 0, r.eps_n);
		metric_add(M_HOME_VECTORS, q->head.version < 3 ? 2 : 1, r.utran_n);
		if (r.store)
			hlr_keep(q, &r.reg, NULL, 0);
		else
			hlr_send(q);
	}
	secret_wipe(&r, sizeof r);
}

void hlr_auth_failure(struct hlr_asked *q)
{
	static const char *const causes[] = {"wrong user response", "wrong network signature"};
	uint32_t cause = (uint32_t)ber_int(tab_get(&q->heard->arg, MAP_SEQ_AUTH_FAILURE, MAP_ENUM));
	uint64_t imsi = map_imsi(tab_get(&q->heard->arg, MAP_SEQ_AUTH_FAILURE, MAP_IMSI));

	LOG(LOG_NOTE, "home.auth_failure", kv_id("imsi", imsi),
	    KV("cause", cause < 2 ? causes[cause] : "other"), kv_id("peer", q->peer),
	    KV_CLAUSE("R-5.6.2.d"));
	hlr_done_write(&q->w->out, &q->head);
	hlr_send(q);
}

void hlr_purge(struct hlr_asked *q)
{
	struct home_worker *w = q->w;
	struct purge_result r;
	struct reg_row reg;
	struct home_rows rows;
	char host[REG_HOST];
	uint64_t node;
	uint8_t kind;

	q->imsi = hlr_purge_read(q->heard, &kind, &node);
	hlr_node_name(host, node ? node : q->peer);
	rows = worker_rows(w, q->imsi, &reg);
	purge(&rows, view_of(host), kind == REG_VLR ? PURGED_VLR : PURGED_SGSN, &r);
	if (!hlr_refused(q, r.result))
		hlr_purged_write(&w->out, &q->head, r.freeze);
	if (!r.result && r.store)
		hlr_keep(q, &r.reg, NULL, 0);
	else
		hlr_send(q);
}

void hlr_check_imei(struct hlr_asked *q)
{
	static const char *const colours[] = {
	    [WHITE] = "white", [BLACK] = "black", [GREY] = "grey"};
	struct home_worker *w = q->w;
	uint64_t imei = hlr_imei_read(q->heard);
	struct check_result r;

	check_device(&w->self, w->book, imei, 0, loop_wall(w->loop), &r);
	if (r.result || r.colour != WHITE)
		LOG(LOG_NOTE, "home.device_refused", kv_id("imei", imei),
		    KV("colour", r.result ? "unknown" : colours[r.colour]), kv_id("peer", q->peer),
		    KV_CLAUSE("R-5.7.3.a"));
	if (!r.result)
		metric_add(M_S13_CHECKS, r.colour, 1);
	if (!hlr_refused(q, r.result))
		hlr_imei_write(&w->out, &q->head, r.colour);
	hlr_send(q);
}

/* Supplementary services belong to no IoT subscription: nobody forwards its calls, or bars them. */
void hlr_service(struct hlr_asked *q)
{
	LOG(LOG_NOTE, "home.service_refused", KV("op", map_operation(q->head.op)->name),
	    kv_id("peer", q->peer), kv_id("imsi", hlr_destination(q->heard, q->mem)),
	    KV_CLAUSE("R-5.1.b"));
	hlr_refuse(q, HLR_ILLEGAL_SS);
}
