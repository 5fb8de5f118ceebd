/* Requests that wait for their answers: a fixed table, in which the oldest make room. */
#include "inspect/gtpc_in.h"

/* From the one who asked to the one who was asked, whichever of the two speaks. */
uint64_t gtpc_key(const struct gtpc *g, const struct gtpc_packet *p, const struct gtp_head *h, bool answer)
{
	uint8_t bytes[48];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct view asks = answer ? p->to : p->from, asked = answer ? p->from : p->to;

	wr_view(&w, asks);
	wr_view(&w, asked);
	wr_be(&w, answer ? p->to_port : p->from_port, 2);
	wr_be(&w, h->version, 1);
	wr_be(&w, h->seq, 4);
	return hash_view(g->key, wr_done(&w)) | 1;
}

static size_t set_of(const struct gtpc *g, uint64_t key)
{
	return (key >> 20 & g->set_mask) * WAYS;
}

static bool is_over(const struct waiting *w, uint64_t now_ms)
{
	return now_ms > w->asked_ms + WAIT_MS;
}

struct waiting *gtpc_find(struct gtpc *g, uint64_t key, uint64_t now_ms)
{
	size_t set = set_of(g, key);

	for (size_t i = set; i < set + WAYS; i++) {
		if (g->keys[i] == key && !is_over(&g->wait[i], now_ms))
			return &g->wait[i];
	}
	return NULL;
}

static void end(struct gtpc *g, size_t at, uint64_t now_ms)
{
	if (g->keys[at] != 0 && g->wait[at].state == WAITING_ANSWER)
		gtpc_done(g, &g->wait[at], false, true, now_ms);
	g->keys[at] = 0;
}

/* Its own place or a free one; else what is over, what no longer waits for an answer, the oldest. */
static size_t place_for(const struct gtpc *g, uint64_t key, uint64_t now_ms)
{
	size_t set = set_of(g, key), best = set, empty = SIZE_MAX;

	for (size_t i = set; i < set + WAYS; i++) {
		if (g->keys[i] == key)
			return i;
		empty = g->keys[i] == 0 ? i : empty;
	}
	for (size_t i = set; i < set + WAYS && empty == SIZE_MAX; i++) {
		const struct waiting *w = &g->wait[i], *b = &g->wait[best];
		bool done = w->state != WAITING_ANSWER, best_done = b->state != WAITING_ANSWER;

		if (is_over(w, now_ms))
			return i;
		if (done != best_done ? done : w->asked_ms < b->asked_ms)
			best = i;
	}
	return empty != SIZE_MAX ? empty : best;
}

struct waiting *gtpc_wait(struct gtpc *g, uint64_t key, uint64_t now_ms)
{
	size_t at = place_for(g, key, now_ms);
	struct waiting *w = &g->wait[at];

	end(g, at, now_ms);
	memset(w, 0, offsetof(struct waiting, reply)); /* its octets are written with it */
	g->keys[at] = key;
	w->asked_ms = now_ms;
	return w;
}

void gtpc_tidy(struct gtpc *g, uint64_t now_ms)
{
	size_t at = g->hand;

	g->hand = at + 1 < (g->set_mask + 1) * WAYS ? at + 1 : 0;
	if (g->keys[at] != 0 && is_over(&g->wait[at], now_ms))
		end(g, at, now_ms);
}

/* The end of a session's request, for the gateway's admission and for the sightings. */
void gtpc_done(struct gtpc *g, struct waiting *w, bool ok, bool busy, uint64_t now_ms)
{
	struct facts f = { .protocol = PROTO_GTPC, .op = w->op, .target = w->target, .imsi = w->is.imsi,
			   .imei = w->is.imei, .visited_plmn = w->is.visited, .peer_plmn = w->peer_plmn,
			   .rat = w->is.rat, .now_ms = w->asked_ms };

	if (w->inside)
		return;
	f.moves = w->op == OP_SESSION_CHANGE && w->control.n > 0;
	if (f.moves)
		f.visited_plmn = w->peer_plmn;
	judge_done(g->judge, &f, 0, ok, busy, now_ms);
}
