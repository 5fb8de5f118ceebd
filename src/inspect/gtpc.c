#include "inspect/gtpc_in.h"

#include <stdlib.h>

#define MEMORY (64u * 1024) /* of one message: IEs are at least four octets, a slot is some eighty */
#define SWEEP  4            /* sessions looked at, each so many messages */
#define SWEEP_EACH 16

static bool make_room(struct gtpc *g)
{
	size_t sets = 64;

	while (sets * WAYS < g->conf.waiting_max)
		sets *= 2;
	g->set_mask = sets - 1;
	g->wait = calloc(sets * WAYS, sizeof *g->wait);
	g->keys = aligned_alloc(WAYS * sizeof *g->keys, sets * WAYS * sizeof *g->keys);
	if (g->keys)
		memset(g->keys, 0, sets * WAYS * sizeof *g->keys);
	g->target = calloc(g->conf.gateways_max, sizeof(struct admission *));
	g->gateway = calloc(g->conf.gateways_max, sizeof *g->gateway);
	g->mem = (struct arena){ .base = malloc(MEMORY), .cap = MEMORY };
	for (size_t i = 0; g->target && i < g->conf.gateways_max; i++) {
		g->target[i] = admission_new(&g->conf.gateway, g->key);
		if (!g->target[i])
			return false;
	}
	return g->wait && g->keys && g->target && g->gateway && g->mem.base;
}

struct gtpc *gtpc_new(const struct gtpc_conf *conf, const struct book *book, struct sightings *seen,
		      struct sessions *sessions, const uint8_t key[HASH_KEY])
{
	struct gtpc *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->conf = *conf;
	g->conf.waiting_max = conf->waiting_max ? conf->waiting_max : 16384;
	g->conf.gateways_max = conf->gateways_max ? conf->gateways_max : 8;
	g->conf.gateways_max = g->conf.gateways_max < 254 ? g->conf.gateways_max : 254;
	g->book = book;
	g->sessions = sessions;
	memcpy(g->key, key, HASH_KEY);
	if (make_room(g))
		g->judge = judge_new(book, seen, g->target, g->conf.gateways_max, key);
	if (g->judge)
		return g;
	gtpc_free(g);
	return NULL;
}

void gtpc_free(struct gtpc *g)
{
	if (!g)
		return;
	judge_free(g->judge);
	for (size_t i = 0; g->target && i < g->conf.gateways_max; i++)
		admission_free(g->target[i]);
	free(g->target);
	free(g->gateway);
	free(g->wait);
	free(g->keys);
	free(g->mem.base);
	free(g);
}

const struct gtpc_counts *gtpc_counts(const struct gtpc *g)
{
	return &g->counts;
}

const struct admission *gtpc_gateway(const struct gtpc *g, struct view address)
{
	uint8_t target = gtpc_target(g, address);

	return target ? g->target[target - 1] : NULL;
}

/* --- who speaks -------------------------------------------------------------------------------------- */

static const struct network_row *network_of(const struct gtpc *g, struct view address)
{
	const struct book *b = g->book;

	return b->network_of_address ? b->network_of_address(b->ctx, address) : NULL;
}

/* Who claims to be us and speaks to us comes from outside, unless a side says otherwise. */
static bool is_inside(const struct gtpc *g, const struct gtpc_packet *p, const struct network_row *from)
{
	const struct network_row *to;

	if (p->side != GTPC_BY_ADDRESS)
		return p->side == GTPC_INSIDE;
	if (!from || from->trust != TRUST_OWN)
		return false;
	to = network_of(g, p->to);
	return !to || to->trust != TRUST_OWN;
}

/* --- what becomes of it ------------------------------------------------------------------------------ */

static void judge(struct gtpc *g, struct gtpc_result *r, const struct gtp_known *k)
{
	gtp_facts(&r->facts, &g->conf.ops, &r->head, r->row, &r->said, k);
	r->verdict = judge_request(g->judge, &r->facts);
	r->judged = true;
	if (r->verdict.act != ACT_PASS)
		g->counts.refused[r->verdict.check]++;
	for (uint64_t left = r->verdict.observed; left != 0; left &= left - 1)
		g->counts.observed[__builtin_ctzll(left)]++;
	r->act = r->verdict.act == ACT_PASS ? GTPC_FORWARD : GTPC_DROP;
}

/* What was done with the same octets before is done again: an answer word by word (29.274 7.6). */
static void repeat(struct gtpc_result *r, const struct waiting *w)
{
	r->again = true;
	r->act = GTPC_FORWARD;
	if (w->state != WAITING_REFUSED)
		return;
	r->act = GTPC_REPLY;
	r->reply = (struct view){ w->reply, w->reply_n };
}

static void refuse(struct gtpc *g, const struct gtpc_packet *p, struct gtpc_result *r, uint64_t key,
		   uint64_t hash)
{
	struct wr out = { .p = g->reply, .cap = sizeof g->reply };
	struct waiting *w;

	gtp_reject(&out, &r->head, r->row, r->said.control.teid, &r->verdict);
	if (out.err || out.n == 0 || r->inside)
		return;
	r->cause = gtp_cause(&r->head, r->row, &r->verdict);
	r->act = GTPC_REPLY;
	w = gtpc_wait(g, key, p->now_ms);
	w->hash = hash;
	w->state = WAITING_REFUSED;
	w->reply_n = (uint8_t)out.n;
	memcpy(w->reply, out.p, out.n);
	r->reply = (struct view){ w->reply, w->reply_n };
}

static void take_request(struct gtpc *g, const struct gtpc_packet *p, struct gtpc_result *r,
			 struct gtp_known *k)
{
	uint64_t key = gtpc_key(g, p, &r->head, false), hash = hash_view(g->key, p->payload);
	struct waiting *w = gtpc_find(g, key, p->now_ms);
	struct session is;

	if (w && w->hash == hash) {
		repeat(r, w);
		return;
	}
	if (w && w->state == WAITING_ANSWER)
		k->form |= FORM_SEQUENCE;
	gtpc_known(g, p, r, k, &is);
	judge(g, r, k);
	if (r->act != GTPC_FORWARD) {
		refuse(g, p, r, key, hash);
		return;
	}
	w = gtpc_wait(g, key, p->now_ms);
	w->hash = hash;
	w->known = k->session;
	w->session = is.id;
	w->life = is.life;
	w->is = is;
	gtpc_remember(g, p, r, w);
}

static bool answers(const struct gtpc_result *r, const struct waiting *w)
{
	return w && (w->state == WAITING_ANSWER || w->state == WAITING_ANSWERED) &&
	       w->type + 1 == r->head.type && w->inside != r->inside;
}

static void take_answer(struct gtpc *g, const struct gtpc_packet *p, struct gtpc_result *r,
			struct gtp_known *k)
{
	struct waiting *w = gtpc_find(g, gtpc_key(g, p, &r->head, true), p->now_ms);

	r->cause = r->said.cause;
	if (!answers(r, w)) {
		k->form |= gtpc_young(g, p->now_ms) ? 0u : FORM_UNASKED;
		w = NULL;
	}
	k->session = w && w->known;
	k->home = w && w->is.home;
	if (w && w->state == WAITING_ANSWERED) {
		r->again = true;
		return;
	}
	if (!w || !r->inside)
		judge(g, r, k);
	if (w && r->act == GTPC_FORWARD)
		gtpc_learn(g, p, r, w);
}

static enum err read(struct gtpc *g, const struct gtpc_packet *p, struct gtpc_result *r)
{
	enum err err = gtp_head(&r->head, p->payload);

	if (err)
		return err;
	err = r->head.version == 2 ? gtp2_parse(&g->msg, &r->head, &g->mem)
				   : gtp1_parse(&g->msg, &r->head, &g->mem);
	if (err)
		return err;
	r->row = gtp_row(r->head.version, r->head.type);
	gtp_said(&r->said, &r->head, &g->msg);
	return ERR_OK;
}

static void take_one(struct gtpc *g, const struct gtpc_packet *p, struct gtpc_result *r)
{
	const struct network_row *from = network_of(g, p->from);
	struct gtp_known k = { .from = p->from, .to = p->to, .peer_plmn = from ? from->plmn : 0,
			       .now_ms = p->now_ms };

	r->act = GTPC_FORWARD;
	r->err = ERR_OK;
	r->again = r->judged = false;
	r->reply = (struct view){ 0 };
	r->row = NULL;
	r->cause = 0;
	r->inside = is_inside(g, p, from);
	k.outside = !r->inside;
	r->err = read(g, p, r);
	if (r->err) {
		g->counts.malformed++;
		r->act = r->inside ? GTPC_FORWARD : GTPC_DROP;
	} else if (r->row && r->row->kind == GTP_REQUEST) {
		take_request(g, p, r, &k);
	} else if (r->row && r->row->kind == GTP_ANSWER) {
		take_answer(g, p, r, &k);
	} else {
		judge(g, r, &k);
	}
	arena_reset(&g->mem);
}

/* A message that rides behind another (29.274 5.5.1) must be fit to pass too: they are one datagram. */
static void take_rider(struct gtpc *g, const struct gtpc_packet *p, struct gtpc_result *r)
{
	struct gtpc_packet rider = *p;
	struct gtpc_result second;

	rider.payload = r->head.rest;
	take_one(g, &rider, &second);
	if (second.act == GTPC_FORWARD && !second.head.piggybacks)
		return;
	r->act = GTPC_DROP;
	r->judged = second.judged;
	r->verdict = second.verdict;
	r->err = second.err;
}

enum gtpc_act gtpc_take(struct gtpc *g, const struct gtpc_packet *p, struct gtpc_result *r)
{
	if (g->counts.messages++ == 0)
		g->first_ms = p->now_ms;
	gtpc_tidy(g, p->now_ms);
	if (g->counts.messages % SWEEP_EACH == 0)
		sessions_sweep(g->sessions, gtpc_s(p->now_ms), SWEEP);
	take_one(g, p, r);
	if (r->act == GTPC_FORWARD && !r->err && r->head.piggybacks && r->head.rest.n > 0)
		take_rider(g, p, r);
	g->counts.forwarded += r->act == GTPC_FORWARD;
	g->counts.dropped += r->act == GTPC_DROP;
	g->counts.answered += r->act == GTPC_REPLY;
	g->counts.again += r->again;
	return r->act;
}
