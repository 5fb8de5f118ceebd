#include "inspect/signalling.h"

#include "base/log.h"
#include "base/metric.h"
#include "judge/sightings.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SIGHTINGS 65536
#define RENEW_MS 20
#define REFUSALS 32
#define SWEEP 4096

struct refusal {
	const struct check_row *check;
	const char *message;
	uint64_t imsi, plmn, n;
	char from[ADDRESS_TEXT];
	uint8_t cause;
	bool observed;
};

struct signalling {
	pthread_mutex_t lock;
	struct signalling_conf conf;
	struct sightings *seen;
	struct gtpc *gtpc;
	uint64_t renewed_ms;
	struct refusal refusal[REFUSALS];
	size_t refusal_n;
	uint64_t refusals_lost;
	struct gtpc_counts told;
};

enum err signalling_new(struct signalling **to, const struct signalling_conf *conf, char why[256])
{
	struct signalling *s = calloc(1, sizeof *s);
	struct gtpc_conf g = { .waiting_max = 16384, .gateways_max = 8, .late_ms = 60000,
			       .gateway = conf->gateway };
	const struct book *book = conf->read ? serving_book(conf->read) : &book_empty;
	enum err err = gtp_categories(&g.ops, view_of(conf->categories ? conf->categories : ""), why);

	*to = NULL;
	if (!err && s) {
		s->conf = *conf;
		pthread_mutex_init(&s->lock, NULL);
		s->seen = sightings_new(SIGHTINGS, conf->key);
		s->gtpc = s->seen ? gtpc_new(&g, book, s->seen, conf->sessions, conf->key) : NULL;
	}
	if (!err && s && s->gtpc) {
		*to = s;
		return ERR_OK;
	}
	if (!err)
		snprintf(why, 256, "inspect: out of memory");
	signalling_free(s);
	return err ? err : ERR_FULL;
}

void signalling_free(struct signalling *s)
{
	if (!s)
		return;
	if (s->gtpc)
		gtpc_free(s->gtpc);
	if (s->seen)
		sightings_free(s->seen);
	if (s->conf.read)
		serving_read_free(s->conf.read);
	free(s);
}

static struct view address_view(const uint8_t a[ADDRESS_BYTES])
{
	return address_is4(a) ? (struct view){ a + 12, 4 } : (struct view){ a, ADDRESS_BYTES };
}

static void note(struct signalling *s, const struct gtpc_result *r, const struct packet *p,
		 unsigned int check, bool observed)
{
	const struct check_row *row = &check_rows[check];
	struct refusal *x = s->refusal;

	for (size_t i = 0; i < s->refusal_n; i++, x++) {
		if (x->check == row && x->plmn == r->facts.peer_plmn && x->observed == observed) {
			x->n++;
			return;
		}
	}
	if (s->refusal_n == REFUSALS) {
		s->refusals_lost++;
		return;
	}
	x = &s->refusal[s->refusal_n++];
	*x = (struct refusal){ .check = row, .message = r->row ? r->row->name : "unknown",
			       .imsi = r->facts.imsi, .plmn = r->facts.peer_plmn, .n = 1, .cause = r->cause,
			       .observed = observed };
	address_text(p->flow.from, x->from);
}

static void note_result(struct signalling *s, const struct gtpc_result *r, const struct packet *p)
{
	if (r->err || !r->judged)
		return;
	if (r->act != GTPC_FORWARD)
		note(s, r, p, r->verdict.check, false);
	for (unsigned int c = 1; c < CHECK_N && r->verdict.observed >> c; c++) {
		if (r->verdict.observed >> c & 1)
			note(s, r, p, c, true);
	}
}

enum pipe_word signalling_take(struct signalling *s, unsigned int side, const struct packet *p,
			       uint64_t now_ms, uint64_t wall_ms, struct wr *answer)
{
	struct gtpc_packet g = {
		.payload = p->payload, .from = address_view(p->flow.from), .to = address_view(p->flow.to),
		.from_port = p->flow.from_port, .to_port = p->flow.to_port, .now_ms = wall_ms,
	};
	static _Thread_local struct gtpc_result r;
	enum gtpc_act act;

	(void)side;
	pthread_mutex_lock(&s->lock);
	if (s->conf.read && now_ms - s->renewed_ms >= RENEW_MS) {
		if (serving_renew(s->conf.read, now_ms) != ERR_OK)
			metric_add(M_SERVING_STALE, 0, 1);
		s->renewed_ms = now_ms;
	}
	act = gtpc_take(s->gtpc, &g, &r);
	if (act == GTPC_REPLY)
		wr_view(answer, r.reply);
	note_result(s, &r, p);
	pthread_mutex_unlock(&s->lock);
	return act == GTPC_FORWARD ? WORD_PASS : act == GTPC_REPLY ? WORD_ANSWER : WORD_DROP;
}

static void write_refusal(const struct refusal *x)
{
	char plmn[BCD_TEXT];

	bcd_text(x->plmn, plmn);
	LOG(LOG_NOTE, x->observed ? "inspect.observed" : "inspect.refused", KV_CLAUSE(x->check->clause),
	    kv_text("check", x->check->name), kv_text("network", plmn), kv_text("message", x->message),
	    kv_num("n", x->n), kv_id("imsi", x->imsi), kv_text("from", x->from), kv_num("cause", x->cause));
}

void signalling_tell(struct signalling *s)
{
	struct refusal x[REFUSALS];
	const struct gtpc_counts *c;
	uint64_t lost;
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->refusal_n;
	memcpy(x, s->refusal, n * sizeof *x);
	lost = s->refusals_lost;
	s->refusal_n = 0;
	s->refusals_lost = 0;
	c = gtpc_counts(s->gtpc);
	metric_add(M_INSPECT_GTPC, 0, c->forwarded - s->told.forwarded);
	metric_add(M_INSPECT_GTPC, 1, c->dropped - s->told.dropped);
	metric_add(M_INSPECT_GTPC, 2, c->answered - s->told.answered);
	metric_add(M_INSPECT_GTPC, 3, c->malformed - s->told.malformed);
	for (unsigned int i = 0; i < CHECK_N; i++)
		metric_add(M_INSPECT_REFUSED, i, c->refused[i] - s->told.refused[i]);
	s->told = *c;
	metric_set(M_INSPECT_SESSIONS, 0, sessions_n(s->conf.sessions));
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < n; i++)
		write_refusal(&x[i]);
	if (lost > 0)
		LOG(LOG_NOTE, "inspect.refusals_not_listed", kv_num("n", lost));
}
