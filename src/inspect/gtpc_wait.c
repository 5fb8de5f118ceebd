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

static struct waiting *set_of(struct gtpc *g, uint64_t key)
{
	return &g->wait[(key >> 20 & g->set_mask) * WAYS];
}

static bool is_over(const struct waiting *w, uint64_t now_ms)
{
	return w->state == WAITING_FREE || now_ms > w->asked_ms + WAIT_MS;
}

struct waiting *gtpc_find(struct gtpc *g, uint64_t key, uint64_t now_ms)
{
	struct waiting *set = set_of(g, key);

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key && !is_over(&set[i], now_ms))
			return &set[i];
	}
	return NULL;
}

static void end(struct gtpc *g, struct waiting *w, uint64_t now_ms)
{
	if (w->state == WAITING_ANSWER)
		gtpc_done(g, w, false, true, now_ms);
	w->state = WAITING_FREE;
	w->key = 0;
}

/* Over, else no longer waiting for an answer, else the oldest. */
struct waiting *gtpc_wait(struct gtpc *g, uint64_t key, uint64_t now_ms)
{
	struct waiting *set = set_of(g, key), *best = set;

	for (size_t i = 0; i < WAYS; i++) {
		struct waiting *w = &set[i];
		bool done = w->state != WAITING_ANSWER, best_done = best->state != WAITING_ANSWER;

		if (w->key == key || is_over(w, now_ms)) {
			best = w;
			break;
		}
		if (done != best_done ? done : w->asked_ms < best->asked_ms)
			best = w;
	}
	end(g, best, now_ms);
	/* The reply's octets are written with it. */
	memset(best, 0, offsetof(struct waiting, reply));
	best->key = key;
	best->asked_ms = now_ms;
	return best;
}

void gtpc_tidy(struct gtpc *g, uint64_t now_ms)
{
	struct waiting *w = &g->wait[g->hand];

	g->hand = g->hand + 1 < (g->set_mask + 1) * WAYS ? g->hand + 1 : 0;
	if (w->state != WAITING_FREE && is_over(w, now_ms))
		end(g, w, now_ms);
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
