/* The M3UA machine under any order of links, messages, time and commands of its caller. What it sends must be
 * a whole message, to a link that lives, DATA never by stream 0; user messages come from active links only; a
 * server is active when a link is. Input: first the roles and modes, then commands of an octet. */
#include "fuzz/inside.h"
#include "node/m3ua_node.h"

#define LINKS 5

static struct {
	struct m3ua_node *node;
	struct m3ua_conf conf;
	struct rd in;
	bool alive[LINKS + 1];
	uint64_t now;
	size_t sent;
} f;

static uint8_t room[64 * 1024], kept[64 * 1024], bytes[8192];

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void on_send(void *ctx, uint32_t conn, struct view v, uint8_t stream)
{
	struct arena mem = { kept, 0, sizeof kept };
	struct msg m;

	(void)ctx;
	must(conn > 0 && conn <= LINKS && f.alive[conn]);
	must(m3ua_frame(v) == v.n);
	must(m3ua_parse(&m, v, &mem) == ERR_OK);
	must(m.shape->id != M3UA_TRANSFER || stream > 0);
	f.sent++;
}

static void on_close(void *ctx, uint32_t conn, const char *why)
{
	(void)ctx;
	must(conn > 0 && conn <= LINKS && f.alive[conn] && why);
	f.alive[conn] = false;
	m3ua_node_down(f.node, conn, f.now);
}

static void on_data(void *ctx, size_t server, uint32_t conn, const struct m3ua_data *d)
{
	(void)ctx;
	must(server < f.conf.server_n && m3ua_node_is_active(f.node, conn) && d->user.n <= sizeof bytes);
}

static void on_state(void *ctx, size_t server, enum m3ua_state state)
{
	(void)ctx;
	must(server < f.conf.server_n && state <= M3UA_PENDING);
}

static void on_reach(void *ctx, size_t server, uint32_t point, uint8_t mask, enum m3ua_reach reach)
{
	(void)ctx;
	must(server < f.conf.server_n && point <= 0xffffff && mask < 24 && reach <= M3UA_CONGESTED);
}

static enum m3ua_reach on_audit(void *ctx, size_t server, uint32_t point)
{
	(void)ctx;
	(void)server;
	return (enum m3ua_reach)(point % 3);
}

static const struct m3ua_actions actions = { on_send, on_close, on_data, on_state, on_reach, on_audit, NULL };

static void up(uint32_t conn)
{
	uint8_t how = (uint8_t)rd_be(&f.in, 1);

	if (f.alive[conn])
		return;
	f.alive[conn] = true;
	if (m3ua_node_up(f.node, how % 3, conn, how & 0x80, f.now) != ERR_OK)
		f.alive[conn] = false;
}

/* A message whose class, type and parameters the input says; its lengths are mended. */
static void frame(uint32_t conn)
{
	struct arena mem = { room, 0, sizeof room };
	size_t want = rd_be(&f.in, 1);
	struct view body = rd_take(&f.in, want < f.in.left.n ? want : f.in.left.n);
	struct wr w = { .p = bytes, .cap = sizeof bytes };

	if (!f.alive[conn] || body.n < 2)
		return;
	wr_be(&w, 0x0100, 2);
	wr_be(&w, body.p[0] % 10, 1);
	wr_be(&w, body.p[1] % 8, 1);
	wr_be(&w, body.n - 2 + M3UA_HEADER, 4);
	wr_view(&w, (struct view){ body.p + 2, body.n - 2 });
	m3ua_node_frame(f.node, conn, wr_done(&w), &mem, f.now);
}

static void say(void)
{
	static uint8_t user[M3UA_USER_MAX + 1];
	uint8_t x = (uint8_t)rd_be(&f.in, 1);
	struct m3ua_data d = { 1, x, M3UA_SCCP, 0, 0, x, { user, (size_t)x * 17 % sizeof user } };
	enum err err = m3ua_node_send(f.node, x % 4, &d, f.now);

	must(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_LENGTH || err == ERR_FULL);
	must(m3ua_node_route(f.node, x, x) <= f.conf.server_n);
}

static void step(uint8_t command)
{
	uint32_t conn = 1 + (command >> 4) % LINKS;

	switch (command & 7) {
	case 0:
		up(conn);
		break;
	case 1:
		f.alive[conn] = false;
		m3ua_node_down(f.node, conn, f.now);
		break;
	case 2:
		f.now += (uint64_t)(command >> 4) * 400;
		m3ua_node_tick(f.node, f.now);
		break;
	case 3:
		say();
		break;
	case 4:
		m3ua_node_tell(f.node, command >> 4 & 1, command, (enum m3ua_reach)(command % 3));
		m3ua_node_audit(f.node, command >> 4 & 1, command);
		break;
	default:
		frame(conn);
	}
}

static void look(void)
{
	for (size_t s = 0; s < f.conf.server_n; s++) {
		struct m3ua_data d = { .si = M3UA_SCCP };
		size_t before = f.sent;

		if (m3ua_node_state(f.node, s) != M3UA_ACTIVE)
			continue;
		must(m3ua_node_send(f.node, s, &d, f.now) == ERR_NOT_FOUND || f.sent > before);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	memset(&f, 0, sizeof f);
	f.in.left = (struct view){ data, n };
	f.now = 1000;
	f.conf = (struct m3ua_conf){ .server_n = 3, .link_max = LINKS - 1, .beat_ms = 1000, .asp_id = 5 };
	for (size_t s = 0; s < f.conf.server_n; s++) {
		uint8_t x = (uint8_t)rd_be(&f.in, 1);

		f.conf.server[s] = (struct m3ua_server){ .role = x % 3, .mode = x / 3 % 4,
							 .group = (uint8_t)(s ? x / 12 % 2 + 1 : 0),
							 .has_context = x & 0x40, .context = (uint32_t)s };
	}
	f.node = m3ua_node_new(&f.conf, &actions, NULL);
	while (f.node && f.in.left.n > 0) {
		step((uint8_t)rd_be(&f.in, 1));
		look();
	}
	if (f.node)
		m3ua_node_stop(f.node, f.now);
	m3ua_node_free(f.node);
	return 0;
}
