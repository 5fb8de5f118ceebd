/* A world of Diameter nodes in virtual time: what one sends is queued, and delivered to the other. No
 * socket, no clock. Side 0 is ours ("a.home.test"), side 1 theirs ("b.visited.test" or another). */
#pragma once
#include "node/dia_adapt.h"
#include "unit/test.h"

#define WORLD_QUEUE 4096
#define WORLD_BYTES 2048
#define WORLD_CONNS 64

enum parcel_kind { PARCEL_FRAME, PARCEL_CLOSE, PARCEL_DIAL };

struct parcel {
	enum parcel_kind kind;
	int to;
	uint32_t conn;
	struct dia_peer *peer;
	size_t n;
	uint8_t bytes[WORLD_BYTES];
};

struct side {
	struct dia_node *node;
	struct dia_node_conf conf;
	struct dia_admit admit;
	bool mute;       /* answers no application request */
	unsigned int up, down, requests, answers, lost, dials, closes, frames;
	enum err err;    /* of the last request or answer */
	const char *why; /* of the last peer_down or lost */
	struct dia_peer *peer; /* last to come up */
	struct dia_pending pending; /* of the last answer or loss */
	struct dia_header h;
	size_t n;
	uint8_t last[WORLD_BYTES]; /* the last application message received */
	uint8_t sent[WORLD_BYTES]; /* the last frame sent, whatever it is */
	size_t sent_n;
};

struct world {
	struct side side[2];
	uint64_t now;
	uint32_t other[2][WORLD_CONNS]; /* the far end's number of a connection; 0 = gone */
	uint32_t conn_n;
	bool deaf[2]; /* what is sent to this side is lost on the way */
	bool no_route; /* a dial fails */
	size_t head, tail;
	struct parcel queue[WORLD_QUEUE];
};

static struct world world;
static uint8_t world_room[1 << 20];

static inline struct arena *world_mem(void)
{
	static struct arena mem;

	mem = (struct arena){ world_room, 0, sizeof world_room };
	return &mem;
}

static inline int side_of(const void *ctx)
{
	return ctx == &world.side[1];
}

static inline struct parcel *world_post(enum parcel_kind kind, int to, uint32_t conn)
{
	struct parcel *p = &world.queue[world.tail++ % WORLD_QUEUE];

	check(world.tail - world.head < WORLD_QUEUE);
	*p = (struct parcel){ .kind = kind, .to = to, .conn = conn };
	return p;
}

/* Everything a node sends must parse by our own codec, held to the letter. */
static inline void world_send(void *ctx, uint32_t conn, struct view bytes)
{
	static uint8_t room[1 << 18];
	struct arena mem = { room, 0, sizeof room };
	struct side *s = ctx;
	struct parcel *p;
	struct msg m;
	struct dia_header h;
	int me = side_of(ctx);

	check(bytes.n <= WORLD_BYTES);
	check_eq(dia_frame(bytes), bytes.n);
	check_eq(dia_parse(&m, &h, bytes, DIA_END, &mem), ERR_OK);
	s->frames++;
	memcpy(s->sent, bytes.p, bytes.n);
	s->sent_n = bytes.n;
	if (conn >= WORLD_CONNS || !world.other[me][conn])
		return;
	p = world_post(PARCEL_FRAME, !me, world.other[me][conn]);
	memcpy(p->bytes, bytes.p, bytes.n);
	p->n = bytes.n;
}

static inline void world_close(void *ctx, uint32_t conn)
{
	int me = side_of(ctx);

	world.side[me].closes++;
	if (conn < WORLD_CONNS && world.other[me][conn]) {
		world_post(PARCEL_CLOSE, !me, world.other[me][conn]);
		world.other[me][conn] = 0;
	}
}

static inline void world_dial(void *ctx, struct dia_peer *peer)
{
	world.side[side_of(ctx)].dials++;
	world_post(PARCEL_DIAL, side_of(ctx), 0)->peer = peer;
}

static inline struct dia_admit world_admit(void *ctx, const struct dia_link *link, const struct msg *ce)
{
	check(link->conn != 0);
	check(tab_get(ce, AVP_ORIGIN_HOST).n > 0);
	return ((struct side *)ctx)->admit;
}

static inline void world_up(void *ctx, struct dia_peer *peer)
{
	struct side *s = ctx;

	check_eq(dia_peer_info(peer)->state, DIA_OPEN);
	s->up++;
	s->peer = peer;
}

static inline void world_down(void *ctx, struct dia_peer *peer, const char *why)
{
	struct side *s = ctx;

	check(dia_peer_info(peer)->state != DIA_OPEN);
	s->down++;
	s->why = why;
}

static inline void world_keep(struct side *s, const struct dia_header *h, struct view raw, enum err err)
{
	s->err = err;
	s->h = *h;
	s->n = raw.n;
	memcpy(s->last, raw.p, raw.n);
}

/* Answer success to what is right, refuse what is wrong. */
static inline void world_request(void *ctx, struct dia_peer *from, const struct msg *m,
				 const struct dia_header *h, struct view raw, enum err err)
{
	struct side *s = ctx;
	uint8_t bytes[WORLD_BYTES];
	struct wr w = { .p = bytes, .cap = sizeof bytes };

	s->requests++;
	world_keep(s, h, raw, err);
	if (s->mute)
		return;
	dia_refuse(&w, &s->conf, m, h, raw, err, err ? 0 : 2001);
	check_eq(w.err, ERR_OK);
	dia_node_send(s->node, from, wr_done(&w));
}

static inline void world_answer(void *ctx, struct dia_peer *from, const struct msg *m,
				const struct dia_header *h, struct view raw, enum err err,
				struct dia_pending *p)
{
	struct side *s = ctx;

	check(from == p->to && (err || m->slot_n > 0));
	s->answers++;
	s->pending = *p;
	world_keep(s, h, raw, err);
}

static inline void world_lost(void *ctx, struct dia_pending *p, const char *why)
{
	struct side *s = ctx;

	s->lost++;
	s->why = why;
	s->pending = *p;
}

static const struct dia_actions world_actions = {
	.send = world_send, .close = world_close, .dial = world_dial, .admit = world_admit,
	.peer_up = world_up, .peer_down = world_down, .request = world_request,
	.answer = world_answer, .lost = world_lost,
};

static inline void world_side(int i, const char *host, const char *realm)
{
	struct side *s = &world.side[i];

	s->conf = (struct dia_node_conf){
		.host = view_of(host), .realm = view_of(realm), .product = VIEW("Merlon"),
		.vendor_id = 0, .apps = { DIA_APP_S6A, DIA_APP_S13 }, .app_n = 2, .state_id = 1000,
		.watchdog_ms = 30000, .peer_max = 4, .pending_max = 8, .pending_ms = 5000,
	};
	s->admit = (struct dia_admit){ 2001, i == 0 ? DIA_PARTNER : DIA_HOME, 0 };
}

static inline void world_start(void)
{
	for (int i = 0; i < 2; i++) {
		world.side[i].node = dia_node_new(&world.side[i].conf, &world_actions, &world.side[i]);
		check(world.side[i].node);
	}
}

/* Two nodes, not yet connected. */
static inline void world_init(const char *host_a, const char *host_b)
{
	for (int i = 0; i < 2; i++)
		dia_node_free(world.side[i].node);
	memset(&world, 0, sizeof world);
	world.now = 1000;
	world_side(0, host_a, "home.test");
	world_side(1, host_b, "visited.test");
	world_start();
}

static inline void world_end(void)
{
	for (int i = 0; i < 2; i++) {
		dia_node_free(world.side[i].node);
		world.side[i].node = NULL;
	}
}

/* A connection from `from` to the other side: each has a number of its own for it, odd for who dialled. */
static inline uint32_t world_connect(int from, struct dia_peer *peer)
{
	uint32_t mine = ++world.conn_n, theirs = ++world.conn_n;
	struct dia_link out = { .conn = mine, .outbound = true, .address = VIEW("10.0.0.2"),
				.local = VIEW("10.0.0.1") };
	struct dia_link in = { .conn = theirs, .address = VIEW("10.0.0.1"), .local = VIEW("::1") };

	check(theirs < WORLD_CONNS);
	world.other[from][mine] = theirs;
	world.other[!from][theirs] = mine;
	dia_node_up(world.side[from].node, &out, peer, world.now);
	dia_node_up(world.side[!from].node, &in, NULL, world.now);
	return mine;
}

static inline void world_deliver(struct parcel *p)
{
	struct dia_node *n = world.side[p->to].node;

	if (p->kind == PARCEL_DIAL && world.no_route) {
		dia_node_dial_failed(n, p->peer, "no route", world.now);
	} else if (p->kind == PARCEL_DIAL) {
		world_connect(p->to, p->peer);
	} else if (p->kind == PARCEL_CLOSE) {
		world.other[p->to][p->conn] = 0;
		dia_node_down(n, p->conn, "closed by peer", world.now);
	} else if (!world.deaf[p->to] && world.other[p->to][p->conn]) {
		dia_node_frame(n, p->conn, (struct view){ p->bytes, p->n }, world_mem(), world.now);
	}
}

static inline void world_pump(void)
{
	static struct parcel p;

	while (world.head < world.tail) {
		p = world.queue[world.head++ % WORLD_QUEUE];
		world_deliver(&p);
	}
}

/* Let time pass, in steps of a tick, and deliver what is sent. */
static inline void world_run(uint64_t ms)
{
	for (uint64_t end = world.now + ms; world.now < end;) {
		world.now += 100;
		for (int i = 0; i < 2; i++)
			dia_node_tick(world.side[i].node, world.now);
		world_pump();
	}
}

/* Two nodes, one open connection: side 1 dialled side 0. */
static inline void world_open(void)
{
	struct dia_peer *p;

	world_init("a.home.test", "b.visited.test");
	p = dia_node_peer(world.side[1].node, DIA_HOME, VIEW("a.home.test"), NULL);
	check(p);
	world_run(200);
	check_eq(world.side[0].up, 1);
	check_eq(world.side[1].up, 1);
}

/* An AIR as an MME writes it. */
static inline void air(struct wr *w, uint32_t hop, uint32_t end)
{
	struct dia_header h = { 0xc0, 318, DIA_APP_S6A, hop, end };
	size_t start = dia_begin(w, &h), group;

	dia_put(w, AVP_SESSION_ID, VIEW("b.visited.test;1;2"));
	group = dia_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);
	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, DIA_APP_S6A);
	dia_close(w, group);
	dia_put_u32(w, AVP_AUTH_SESSION_STATE, 1);
	dia_put(w, AVP_ORIGIN_HOST, VIEW("b.visited.test"));
	dia_put(w, AVP_ORIGIN_REALM, VIEW("visited.test"));
	dia_put(w, AVP_DESTINATION_REALM, VIEW("home.test"));
	dia_put(w, AVP_USER_NAME, VIEW("001010000000001"));
	dia_put(w, AVP_VISITED_PLMN_ID, (struct view){ (const uint8_t *)"\x00\xf1\x10", 3 });
	dia_end(w, start);
}

static inline struct msg *parse(struct view raw, struct dia_header *h)
{
	static struct msg m;

	check_eq(dia_parse(&m, h, raw, DIA_END, world_mem()), ERR_OK);
	return &m;
}

/* The Result-Code of a frame, or the experimental one plus 100000. */
static inline uint32_t result_of(struct view raw)
{
	struct dia_header h;
	struct dia_outcome o = dia_outcome(parse(raw, &h));

	return o.experimental ? 100000 + o.experimental : o.result;
}

static inline struct view sent_by(int i)
{
	return (struct view){ world.side[i].sent, world.side[i].sent_n };
}

/* Say `bytes` to a side on a connection, as the other side would. */
static inline void say(int to, uint32_t conn, struct view bytes)
{
	dia_node_frame(world.side[to].node, conn, bytes, world_mem(), world.now);
}
