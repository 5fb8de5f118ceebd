/* One MSU: read down to MAP, judged, relayed or refused. */
#include "edge/ss7_inside.h"

#include "base/log.h"
#include "base/metric.h"

void ss7_count(enum ss7_fate fate)
{
	metric_add(M_EDGE_SS7, fate, 1);
}

/* --- back to who sent it ----------------------------------------------------------------------- */

static void send_back(struct ss7 *s, size_t server, const struct ss7_label *k, struct view user)
{
	struct m3ua_data d = { k->opc, k->dpc, M3UA_SCCP, k->ni, k->mp, k->sls, user };

	if (m3ua_node_send(s->node, server, &d, loop_now(s->w->loop)) != ERR_OK)
		metric_add(M_EDGE_DROPPED, 2, 1);
}

struct ss7_label ss7_label_of(const struct m3ua_data *d)
{
	return (struct ss7_label){ d->dpc, d->opc, d->ni, d->mp, d->sls };
}

void ss7_send_held(void *ctx, uint32_t server, struct view bytes)
{
	struct ss7_label k;

	memcpy(&k, bytes.p, sizeof k);
	send_back(ctx, server, &k, (struct view){ bytes.p + sizeof k, bytes.n - sizeof k });
}

/* What could not be delivered goes back, if its sender wants that. */
void ss7_undelivered(const struct msu *m, enum map_return cause)
{
	struct wr w = { .p = m->s->out, .cap = sizeof m->s->out };
	struct ss7_label k = ss7_label_of(m->d);

	ss7_count(SS7_NO_ROUTE);
	map_return(&w, m->seen, cause);
	if (!w.err && w.n > 0)
		send_back(m->s, m->server, &k, wr_done(&w));
}

/* --- onward ------------------------------------------------------------------------------------ */

/* In one message, or in segments: what was judged is what is sent, and nothing beside it. */
enum err ss7_emit(struct ss7 *s, size_t to, struct m3ua_data *d, const struct sccp_put *put)
{
	size_t ends = put->called.n + put->calling.n, room = SCCP_SEGMENT_ROOM - ends;
	struct view left = put->data;
	size_t n = ends < SCCP_SEGMENT_ROOM ? (left.n + room - 1) / room : 17;
	enum err err = n <= 16 ? ERR_OK : ERR_LENGTH;

	s->reference = (s->reference + 1) & 0xffffff;
	for (size_t i = 0; i < n && !err; i++) {
		struct wr w = { .p = s->out, .cap = sizeof s->out };
		struct sccp_put part = *put;

		part.data = view_first(left, room);
		left.p += part.data.n;
		left.n -= part.data.n;
		part.first = i == 0;
		part.left = (uint8_t)(n - 1 - i);
		part.reference = s->reference;
		if (n == 1 && put->hops == 0) {
			sccp_put_udt_class(&w, put->class, put->called, put->calling, put->data);
		} else {
			part.class = put->hops ? put->class : 1;
			part.hops = put->hops ? put->hops : 15;
			sccp_put_segment(&w, &part);
		}
		d->user = wr_done(&w);
		err = w.err ? w.err : m3ua_node_send(s->node, to, d, loop_now(s->w->loop));
	}
	return err;
}

void ss7_send_to(struct ss7 *s, size_t server, const struct ss7_label *k, const struct sccp_put *put)
{
	struct m3ua_data d = { k->opc, k->dpc, M3UA_SCCP, k->ni, k->mp, k->sls, { 0 } };

	if (ss7_emit(s, server, &d, put) != ERR_OK)
		metric_add(M_EDGE_DROPPED, 2, 1);
}

/* What is for our own point code is translated; the rest goes where its label says. */
static bool is_for_us(const struct msu *m)
{
	return m->s->conf->point != 0 && m->d->dpc == m->s->conf->point;
}

/* As it came: its own class and hops, of which a translation is one (find_way). */
static enum err send_whole(const struct msu *m, size_t to, struct m3ua_data *d)
{
	const struct msg *sccp = &m->seen->sccp;
	struct view class = tab_get(sccp, SCCP_CLASS), hops = tab_get(sccp, SCCP_HOPS);
	struct sccp_put put = { .class = class.n ? class.p[0] : 1,
				.hops = (uint8_t)(hops.n && hops.p[0] > 1 ? hops.p[0] - is_for_us(m) : 15),
				.called = tab_get(sccp, SCCP_CALLED),
				.calling = tab_get(sccp, SCCP_CALLING),
				.data = m->seen->whole };

	return ss7_emit(m->s, to, d, &put);
}

/* Where it goes, and who sends it on: as its label says, or translated, where its label says us. False: it
 * cannot be delivered, and was told so. */
static bool find_way(const struct msu *m, struct m3ua_data *d)
{
	struct view hops = tab_get(&m->seen->sccp, SCCP_HOPS);
	size_t at = hops.n ? (size_t)(hops.p - d->user.p) : 0;

	if (!is_for_us(m))
		return true;
	if (!ss7_translate(m->s->conf, &m->seen->called, &d->dpc)) {
		ss7_undelivered(m, RETURN_NO_TRANSLATION);
		return false;
	}
	d->opc = m->s->conf->point;
	if (hops.n > 0 && hops.p[0] < 2) { /* a translation is a hop (Q.714 2.3.1) */
		ss7_undelivered(m, RETURN_HOPS);
		return false;
	}
	if (hops.n == 0 || m->seen->split || d->user.n > sizeof m->s->out)
		return true;
	memcpy(m->s->out, d->user.p, d->user.n);
	m->s->out[at]--;
	d->user.p = m->s->out;
	return true;
}

static bool relay(const struct msu *m)
{
	struct m3ua_data d = *m->d;
	uint32_t others = m->s->side[!m->by->outside];
	enum err err;
	size_t to;

	if (!find_way(m, &d))
		return false;
	to = m3ua_node_route(m->s->node, d.dpc, others);
	if (to >= m->s->conf->link_n)
		err = ERR_NOT_FOUND;
	else if (m->seen->split)
		err = send_whole(m, to, &d);
	else
		err = m3ua_node_send(m->s->node, to, &d, loop_now(m->s->w->loop));
	if (err)
		ss7_undelivered(m, RETURN_NETWORK);
	else
		ss7_count(SS7_RELAYED);
	return !err;
}

void ss7_send_as(const struct msu *m, struct view called, struct view calling, struct view tcap)
{
	struct sccp_put put = { .called = called, .calling = calling, .data = tcap };
	struct m3ua_data d = *m->d;
	size_t to;

	if (!find_way(m, &d))
		return;
	to = m3ua_node_route(m->s->node, d.dpc, m->s->side[!m->by->outside]);
	if (to < m->s->conf->link_n && ss7_emit(m->s, to, &d, &put) == ERR_OK)
		ss7_count(SS7_RELAYED);
	else
		ss7_undelivered(m, RETURN_NETWORK);
}

/* --- the judge --------------------------------------------------------------------------------- */

static void end_ask(struct ss7 *s, const struct facts *f, uint8_t partition, bool ok, bool busy)
{
	judge_done(s->w->judge, f, partition, ok, busy, loop_wall(s->w->loop));
}

static void learn(struct ss7 *s, const struct map_dialogue *d, bool ok, bool busy)
{
	char origin[BCD_TEXT];
	struct facts f;

	map_asked_facts(d, origin, &f);
	end_ask(s, &f, d->partition, ok, busy);
}

void ss7_lost(void *ctx, const struct map_dialogue *d)
{
	learn(ctx, d, false, true);
}

static void note_observed(struct ss7 *s, const struct facts *f, const struct verdict *v)
{
	for (unsigned int c = 1; v->observed >> c; c++) {
		if (v->observed >> c & 1)
			refusals_add(&s->w->refusals, f, (enum check)c, v->prio, true);
	}
}

void ss7_refuse(const struct msu *m, const struct map_ask *ask, const struct verdict *v)
{
	struct ss7 *s = m->s;
	uint8_t bytes[sizeof(struct ss7_label) + 512];
	struct ss7_label k = ss7_label_of(m->d);
	struct wr w = { .p = bytes + sizeof k, .cap = sizeof bytes - sizeof k };
	struct view held;

	ss7_count(SS7_REFUSED);
	refusals_add(&s->w->refusals, &ask->facts, v->check, v->prio, false);
	edge_live_add(s->w, ask->facts.peer_plmn, LIVE_REFUSED);
	map_reject(&w, m->seen, ask, v);
	if (w.err || w.n == 0) { /* a drop, or no answer is due */
		metric_add(M_EDGE_DROPPED, 0, 1);
		return;
	}
	memcpy(bytes, &k, sizeof k);
	held = (struct view){ bytes, sizeof k + w.n };
	if (v->delay_ms > 0 &&
	    hold_put(s->hold, (uint32_t)m->server, held, loop_now(s->w->loop) + v->delay_ms))
		metric_add(M_EDGE_HELD, 0, 1);
	else
		send_back(s, m->server, &k, wr_done(&w));
}

/* Only the first request of a message is waited for; what else was counted as on its way is counted off. */
static void count_off(const struct msu *m, size_t from, size_t to, const uint8_t *partition)
{
	for (size_t i = from; i < to; i++)
		end_ask(m->s, &m->seen->ask[i].facts, partition[i], false, false);
}

/* Each request of the message; the first that is refused decides for all of it. */
static void judge_asks(const struct msu *m)
{
	struct map_seen *seen = m->seen;
	uint8_t partition[MAP_ASKS_MAX] = { 0 };
	uint8_t prio = PRIO_NORMAL;

	for (size_t i = 0; i < seen->ask_n; i++) {
		const struct facts *f = &seen->ask[i].facts;
		struct verdict v = judge_request(m->s->w->judge, f);

		if (v.observed)
			note_observed(m->s, f, &v);
		if (v.act != ACT_PASS) {
			count_off(m, 0, i, partition);
			map_refused(m->s->map, seen);
			ss7_refuse(m, &seen->ask[i], &v);
			return;
		}
		partition[i] = v.partition;
		prio = i == 0 ? v.prio : prio;
	}
	count_off(m, 1, seen->ask_n, partition);
	map_passed(m->s->map, seen, partition[0]);
	if (!relay(m)) {
		end_ask(m->s, &seen->ask[0].facts, partition[0], false, true);
		map_refused(m->s->map, seen);
		return;
	}
	metric_add(M_EDGE_PASSED, prio, 1);
	edge_live_add(m->s->w, seen->ask[0].facts.peer_plmn, LIVE_PASSED);
	if (seen->ask[0].facts.direction == DIR_TO_HOME)
		edge_count_card(m->s->w, seen->ask[0].facts.imsi, partition[0]);
}

static void malformed(const struct msu *m)
{
	ss7_count(SS7_MALFORMED);
	metric_add(M_EDGE_DROPPED, 3, 1);
	LOG(LOG_NOTE, "edge.malformed", KV_CLAUSE("R-5.6.1.g"), kv_text("protocol", m->seen->layer),
	    kv_text("error", err_text(m->seen->err)), kv_num("opc", m->d->opc));
}

static void ansi(const struct msu *m)
{
	ss7_count(SS7_ANSI);
	LOG(LOG_NOTE, "edge.ansi41_dropped", KV_CLAUSE("R-5.6.f"), kv_num("opc", m->d->opc));
}

/* Service messages go on; connections have no place between networks. */
static void take_other(const struct msu *m)
{
	if (m->seen->sccp.shape || !m->by->outside)
		(void)relay(m);
	else
		ss7_count(SS7_CONNECTION);
}

static void take(const struct msu *m)
{
	if (m->seen->about.asked)
		learn(m->s, &m->seen->about, m->seen->ok, m->seen->busy);
	if (ss7_sms_take(m))
		return;
	switch (m->seen->kind) {
	case MAP_ASKS:
		edge_live_add(m->s->w, m->seen->ask[0].facts.peer_plmn, LIVE_ARRIVED);
		judge_asks(m);
		break;
	case MAP_ANSWERS:
		metric_add(M_EDGE_ANSWERS, m->seen->ok ? 0 : m->seen->busy ? 2 : 1, 1);
		(void)relay(m);
		break;
	case MAP_MALFORMED:
		malformed(m);
		break;
	case MAP_ANSI:
		ansi(m);
		break;
	case MAP_IS_NOTHING:
		take_other(m);
		break;
	case MAP_WAITS:
		break;
	}
}

void ss7_msu(struct ss7 *s, size_t server, const struct m3ua_data *d)
{
	const struct ss7_link *by = &s->conf->link[server];
	struct map_from from = { d->opc, by->outside, by->plmn };
	struct msu m = { s, by, server, d, &s->seen };

	metric_add(M_EDGE_BY_NETWORK, by->outside ? 0 : 1, 1);
	if (d->si != M3UA_SCCP) {
		ss7_count(SS7_OTHER_USER);
		return;
	}
	map_read_from(s->map, &from, d->user, &s->seen, &s->w->mem, loop_wall(s->w->loop));
	take(&m);
}
