/* The judge's small world with addresses, and a GTP-C firewall over it: what one message becomes. */
#pragma once
#include "inspect/gtpc.h"
#include "unit/gtp_make.h"
#include "unit/judge_world.h"

#define NOW_MS 1700000000000u

static const uint8_t SGW[4] = { 192, 0, 2, 1 }, SGW2[4] = { 192, 0, 2, 2 }, PGW[4] = { 198, 51, 100, 1 },
		     FAR_SGW[4] = { 203, 0, 113, 1 }, STRANGER[4] = { 203, 0, 113, 200 };

struct gtpc_world {
	struct world *w;
	struct sessions *sessions;
	struct gtpc *g;
	uint64_t now_ms;
	struct gtpc_result out;
	uint8_t bytes[512];
};

static inline const struct network_row *gtpc_network(void *ctx, struct view a)
{
	struct world *w = ctx;

	if (a.n == 4 && memcmp(a.p, PGW, 3) == 0)
		return &w->net[HOME_NET];
	if (a.n == 4 && memcmp(a.p, SGW, 3) == 0)
		return &w->net[P1];
	if (a.n == 4 && memcmp(a.p, FAR_SGW, 3) == 0 && a.p[3] < 100)
		return &w->net[PARIS];
	return NULL;
}

static inline bool gtpc_critical(void *ctx, struct view apn)
{
	(void)ctx;
	return view_eq(apn, VIEW("cardio.iot"));
}

static inline struct gtpc_world *gtpc_world_new(const struct gtpc_conf *conf)
{
	struct gtpc_world *x = calloc(1, sizeof *x);

	check(x != NULL);
	x->w = world_new();
	x->w->book.network_of_address = gtpc_network;
	x->w->book.apn_critical = gtpc_critical;
	x->sessions = sessions_new(1000, 0, world_key);
	x->g = gtpc_new(conf, &x->w->book, x->w->seen, x->sessions, world_key);
	check(x->sessions && x->g);
	x->now_ms = NOW_MS;
	return x;
}

static inline void gtpc_world_free(struct gtpc_world *x)
{
	gtpc_free(x->g);
	sessions_free(x->sessions);
	world_free(x->w);
	free(x);
}

/* A clean session of the first subscriber in P1. */
static inline struct gtp_make gtpc_make(void)
{
	struct gtp_make s = { .imsi = id("999700000000001"), .seq = 1, .visited_teid = 0x100, .gateway_teid = 0x9000,
			      .ue = { 10, 0, 0, 7 }, .ebi = 5, .rat = 6, .apn = "meters.iot", .recovery = 4 };

	memcpy(s.visited, SGW, 4);
	memcpy(s.gateway, PGW, 4);
	plmn_tbcd(id("00101"), s.plmn);
	return s;
}

static inline enum gtpc_act gtpc_send(struct gtpc_world *x, const uint8_t from[4], const uint8_t to[4],
				      struct view payload)
{
	struct gtpc_packet p = { .payload = payload, .from = { from, 4 }, .to = { to, 4 }, .from_port = 2123,
				 .to_port = 2123, .now_ms = x->now_ms };

	p.side = memcmp(from, PGW, 3) == 0 ? GTPC_INSIDE : GTPC_OUTSIDE;
	return gtpc_take(x->g, &p, &x->out);
}

static inline struct wr *gtpc_wr(struct gtpc_world *x)
{
	static struct wr w;

	w = (struct wr){ .p = x->bytes, .cap = sizeof x->bytes };
	return &w;
}

/* The session is set up: both messages pass. */
static inline void gtpc_open(struct gtpc_world *x, const struct gtp_make *s)
{
	check_eq(gtpc_send(x, s->visited, s->gateway, make_csr(gtpc_wr(x), s)), GTPC_FORWARD);
	check_eq(gtpc_send(x, s->gateway, s->visited, make_csa(gtpc_wr(x), s)), GTPC_FORWARD);
}
