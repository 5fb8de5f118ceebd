/* A conversation of GTP-C, whatever it says: pools stay bounded, what is told lies inside what came, and
 * every refusal is a message that we can read. The input: for each message a length of two octets, one that
 * says who speaks and how much later, then the octets. */
#include "fuzz/inside.h"
#include "unit/gtpc_world.h"

#define SESSIONS 32

static void look(const struct gtpc_world *x, struct view in)
{
	static uint8_t room[16 * 1024];
	struct arena mem = { room, 0, sizeof room };
	const struct gtpc_result *r = &x->out;
	struct gtp_head h;
	struct msg m;

	if (r->act == GTPC_REPLY) {
		if (gtp_head(&h, r->reply) != ERR_OK || h.rest.n > 0 || h.seq != r->head.seq)
			abort();
		if ((h.version == 2 ? gtp2_parse(&m, &h, &mem) : gtp1_parse(&m, &h, &mem)) != ERR_OK)
			abort();
	}
	if (r->judged && (r->facts.op >= OP_N || r->facts.node_address_n > NODE_MAX))
		abort();
	for (uint8_t i = 0; r->judged && i < r->facts.node_address_n; i++) {
		const uint8_t *p = r->facts.node_address[i].p;

		if (p < in.p || p + r->facts.node_address[i].n > in.p + in.n)
			abort();
	}
	if (sessions_n(x->sessions) > SESSIONS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct gtpc_world *x;
	static const uint8_t *const who[4] = { SGW, PGW, FAR_SGW, STRANGER };
	struct gtpc_conf conf = { .waiting_max = 64, .gateways_max = 1 };
	struct rd r = { .left = { data, n } };

	if (!x) {
		x = calloc(1, sizeof *x);
		x->w = world_new();
		x->w->book.network_of_address = gtpc_network;
	}
	x->sessions = sessions_new(SESSIONS, 100, world_key);
	x->g = gtpc_new(&conf, &x->w->book, x->w->seen, x->sessions, world_key);
	x->now_ms = NOW_MS;
	while (r.left.n > 3) {
		size_t want = rd_be(&r, 2);
		uint8_t how = (uint8_t)rd_be(&r, 1);
		struct view v = rd_take(&r, want < r.left.n ? want : r.left.n);

		x->now_ms += (uint64_t)(how >> 4) * 700;
		(void)gtpc_send(x, who[how & 3], who[how >> 2 & 3], v);
		look(x, v);
	}
	gtpc_free(x->g);
	sessions_free(x->sessions);
	return 0;
}
