/* The node's state machine under any order of connections, frames, time and commands of its caller.
 * What it sends must parse and go to a connection that lives; every request it took ends once, by
 * an answer or a loss; peers come up and go down in turn; nothing exceeds its bounds. */
#include "fuzz/inside.h"
#include "node/dia_adapt.h"

#define CONNS   64
#define PENDING 6
#define DIALS   8
#define PEERS   4

static struct {
	struct dia_node *node;
	struct dia_node_conf conf;
	struct rd in;
	bool alive[CONNS]; /* by connection number */
	uint32_t conn_n, hop;
	struct dia_peer *dial[DIALS], *configured[PEERS];
	size_t dial_n;
	uint64_t now, taken, ended, up, down;
} f;

static uint8_t room[64 * 1024], bytes[DIA_FRAME_MAX];

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct arena *fresh(void)
{
	static struct arena mem;

	mem = (struct arena){ room, 0, sizeof room };
	return &mem;
}

static void on_send(void *ctx, uint32_t conn, struct view v)
{
	static uint8_t own[64 * 1024];
	struct arena mem = { own, 0, sizeof own };
	struct dia_header h;
	struct msg m;

	(void)ctx;
	must(conn < CONNS && f.alive[conn]);
	must(dia_frame(v) == v.n);
	must(dia_parse(&m, &h, v, DIA_RELAY, &mem) == ERR_OK);
	if (h.flags & DIA_FLAG_REQUEST)
		f.hop = h.hop_by_hop;
}

static void on_close(void *ctx, uint32_t conn)
{
	(void)ctx;
	must(conn < CONNS && f.alive[conn]);
	f.alive[conn] = false;
}

static void on_dial(void *ctx, struct dia_peer *p)
{
	(void)ctx;
	must(f.dial_n < DIALS);
	f.dial[f.dial_n++] = p;
}

static struct dia_admit on_admit(void *ctx, const struct dia_link *link, const struct msg *ce)
{
	struct view host = tab_get(ce, AVP_ORIGIN_HOST);

	(void)ctx;
	must(f.alive[link->conn] && host.n > 0);
	return (struct dia_admit){ host.p[0] == 'x' ? 3010 : 2001, host.p[0] % 3, 0 };
}

static void on_up(void *ctx, struct dia_peer *p)
{
	(void)ctx;
	must(dia_peer_info(p)->state == DIA_OPEN && f.alive[dia_peer_info(p)->conn]);
	f.up++;
}

static void on_down(void *ctx, struct dia_peer *p, const char *why)
{
	(void)ctx;
	must(why && dia_peer_info(p)->state != DIA_OPEN);
	f.down++;
}

static void on_request(void *ctx, struct dia_peer *from, const struct msg *m,
		       const struct dia_header *h, struct view raw, enum err err)
{
	struct verdict v = { .act = ACT_REJECT, .cause = (uint8_t)(raw.n % CAUSE_N) };
	struct overload o = { 10, 20, 30 };
	struct dia_reply reply = { &o, true };
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct facts facts;

	(void)ctx;
	if (!err)
		inside(m, raw);
	if (err) {
		dia_refuse(&w, &f.conf, m, h, raw, err, 0);
	} else {
		dia_facts(&facts, from, m, h, f.now);
		dia_reject(&w, &f.conf, m, h, &v, &reply);
	}
	must(!w.err);
	dia_node_send(f.node, from, wr_done(&w));
}

static void on_ahead(void *ctx, const struct dia_pending *p)
{
	(void)ctx;
	must(p->hop_by_hop == 7 && p->user[0] == 42);
}

static void on_answer(void *ctx, struct dia_peer *from, const struct msg *m,
		      const struct dia_header *h, struct view raw, enum err err, struct dia_pending *p)
{
	struct dia_patch patch = { .origin_host = VIEW("edge"), .drmp = -1, .drop_doic = true };
	struct wr w = { .p = bytes, .cap = sizeof bytes };

	(void)ctx;
	must(p->to == from && p->hop_by_hop == 7 && p->user[0] == 42);
	f.ended++;
	if (err)
		return;
	dia_outcome(m);
	dia_overload(m);
	dia_patch(&w, m, h, raw, &patch);
	must(w.err || dia_frame(wr_done(&w)) == w.n);
}

static enum err ask(const struct dia_peer *not_this);

static void on_lost(void *ctx, struct dia_pending *p, const char *why)
{
	const struct dia_peer *was = p->to;

	(void)ctx;
	must(why && p->hop_by_hop == 7 && p->user[0] == 42);
	f.ended++;
	ask(was); /* failover out of the middle of it */
}

static uint8_t byte(void)
{
	return (uint8_t)rd_be(&f.in, 1);
}

/* The opening AVPs that every message needs, as a host of many that the input names. */
static size_t begin(struct wr *w, uint8_t flags, uint32_t code, uint32_t app, uint32_t hop)
{
	struct dia_header h = { flags, code, app, hop, 9 };
	size_t start = dia_begin(w, &h);
	char host[8] = { (char)('a' + byte() % 26), '.', 'v', 0 };

	if (app)
		dia_put_text(w, AVP_SESSION_ID, "a.v;1;2");
	dia_put_text(w, AVP_ORIGIN_HOST, host);
	dia_put_text(w, AVP_ORIGIN_REALM, "v");
	return start;
}

static void capabilities(struct wr *w)
{
	static const uint8_t address[6] = { 0, 1, 127, 0, 0, 1 };

	dia_put(w, AVP_HOST_IP_ADDRESS, (struct view){ address, 6 });
	dia_put_u32(w, AVP_VENDOR_ID, 0);
	dia_put_text(w, AVP_PRODUCT_NAME, "f");
	dia_put_u32(w, AVP_ORIGIN_STATE_ID, byte());
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, byte() % 4 ? DIA_APP_S6A : DIA_APP_RELAY);
}

static void air(struct wr *w)
{
	dia_put_u32(w, AVP_AUTH_SESSION_STATE, 1);
	dia_put_text(w, AVP_DESTINATION_REALM, "v");
	dia_put_text(w, AVP_USER_NAME, "001010000000001");
	dia_put(w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
}

static void write_frame(struct wr *w, uint8_t which)
{
	static const uint32_t codes[] = { 257, 257, 280, 280, 282, 282, 318, 318, 316, 9999 };
	uint8_t n = which % 10;
	bool request = n % 2 == 0, base = n < 6;
	size_t start = begin(w, (uint8_t)((request ? 0x80 : 0) | (base ? 0 : 0x40)), codes[n],
			     base ? 0 : DIA_APP_S6A, f.hop);

	if (!request)
		dia_put_u32(w, AVP_RESULT_CODE, byte() % 8 ? 2001 : 3004);
	if (n < 2)
		capabilities(w);
	else if (n == 4)
		dia_put_u32(w, AVP_DISCONNECT_CAUSE, byte() % 3);
	else if (n == 6)
		air(w);
	if (which & 0x80) /* whatever the input adds */
		wr_view(w, rd_take(&f.in, byte() % 64u & ~3u));
	dia_end(w, start);
	if ((which & 0x40) && w->n > 20)
		w->p[4 + byte() % (w->n - 4)] = byte();
}

static uint32_t some_conn(void)
{
	uint32_t want = byte();

	for (uint32_t i = 0; i < CONNS; i++) {
		if (f.alive[(want + i) % CONNS])
			return (want + i) % CONNS;
	}
	return 0;
}

/* A copy of exactly its size, so that a byte read too far is seen. */
static void say(uint32_t conn, struct view v)
{
	uint8_t *copy = malloc(v.n + 1);

	must(copy);
	memcpy(copy, v.p, v.n);
	dia_node_frame(f.node, conn, (struct view){ copy, v.n }, fresh(), f.now);
	free(copy);
}

static void frame(uint8_t which)
{
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	uint32_t conn = some_conn();

	write_frame(&w, which);
	if (conn && !w.err && !f.in.err)
		say(conn, wr_done(&w));
}

static void connect(struct dia_peer *dialled)
{
	struct dia_link link = { .outbound = dialled, .address = VIEW("::1"), .local = VIEW("::1") };

	if (f.conn_n + 1 == CONNS) {
		if (dialled)
			dia_node_dial_failed(f.node, dialled, "no more", f.now);
		return;
	}
	link.conn = ++f.conn_n;
	f.alive[link.conn] = true;
	dia_node_up(f.node, &link, dialled, f.now);
}

static void dialled(bool ok)
{
	struct dia_peer *p;

	if (f.dial_n == 0)
		return;
	p = f.dial[0];
	memmove(f.dial, f.dial + 1, --f.dial_n * sizeof *f.dial);
	if (ok)
		connect(p);
	else
		dia_node_dial_failed(f.node, p, "refused", f.now);
}

static enum err ask(const struct dia_peer *not_this)
{
	static uint8_t own[512];
	struct wr w = { .p = own, .cap = sizeof own };
	struct dia_pending p = { .hop_by_hop = 7, .user = { 42 } };
	struct dia_header h = { 0xc0, 318, DIA_APP_S6A, 7, 9 };
	size_t start = dia_begin(&w, &h);
	struct dia_peer *to = dia_node_route(f.node, DIA_HOME, DIA_APP_S6A, VIEW(""), not_this);
	enum err err;

	dia_put_text(&w, AVP_SESSION_ID, "e;1");
	dia_put_text(&w, AVP_ORIGIN_HOST, "edge");
	dia_put_text(&w, AVP_ORIGIN_REALM, "h");
	air(&w);
	dia_end(&w, start);
	err = dia_node_request(f.node, to, &w, &p, f.now);
	f.taken += err == ERR_OK;
	return err;
}

static void configure(uint8_t which)
{
	struct dia_peer **p = &f.configured[which % PEERS];
	char host[8] = { (char)('a' + which % 26), '.', 'v', 0 };

	if (*p) {
		dia_node_peer_remove(f.node, *p);
		*p = NULL;
	} else if (f.dial_n < PEERS) {
		*p = dia_node_peer(f.node, which % 3, which & 0x80 ? VIEW("") : view_of(host), NULL);
	}
}

static void pass(uint32_t ms)
{
	f.now += ms;
	dia_node_tick(f.node, f.now);
}

static void step(uint8_t op)
{
	uint32_t conn;

	switch (op % 12) {
	case 0:
		connect(NULL);
		break;
	case 1:
	case 2:
		dialled(op % 12 == 1);
		break;
	case 3:
	case 4:
	case 5:
		frame(byte());
		break;
	case 6:
		conn = some_conn();
		f.alive[conn] = false;
		dia_node_down(f.node, conn, "gone", f.now);
		break;
	case 7:
	case 8:
		pass(byte() * (op % 12 == 7 ? 100u : 1000u));
		break;
	case 9:
		ask(NULL);
		break;
	case 10:
		configure(byte());
		break;
	default:
		if (byte() == 0xff)
			dia_node_stop(f.node, 0, f.now);
		break;
	}
}

static void check_bounds(void)
{
	uint64_t open = 0, in_flight = 0;

	for (struct dia_peer *p = NULL; (p = dia_node_peer_next(f.node, p));) {
		open += dia_peer_info(p)->state == DIA_OPEN;
		in_flight += dia_peer_info(p)->in_flight;
	}
	must(open == f.up - f.down);
	must(dia_node_in_flight(f.node) == f.taken - f.ended);
	must(in_flight == f.taken - f.ended && in_flight <= PENDING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct dia_actions act = {
		on_send,    on_close, on_dial,	 on_admit, on_up,
		on_down,    on_request, on_ahead, on_answer, on_lost,
	};

	memset(&f, 0, sizeof f);
	f.in.left = (struct view){ data, n };
	f.conf = (struct dia_node_conf){ .host = VIEW("edge.h"), .realm = VIEW("h"),
		.product = VIEW("Merlon"), .apps = { DIA_APP_S6A }, .app_n = 1, .state_id = 1,
		.watchdog_ms = 6000, .peer_max = PEERS, .pending_max = PENDING, .pending_ms = 3000 };
	f.node = dia_node_new(&f.conf, &act, NULL);
	must(f.node);
	dia_node_strict(f.node, n % 2 ? DIA_RELAY : DIA_END);
	while (f.in.left.n > 0 && !f.in.err) {
		step(byte());
		check_bounds();
	}
	pass(10000); /* what is in flight ends in time, and a failover finds its end too */
	pass(10000);
	check_bounds();
	dia_node_free(f.node);
	return 0;
}
