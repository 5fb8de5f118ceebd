/* An M3UA message that came: a row for each, by who may send it (RFC 4666 4.3, 4.5, 4.6, 4.7). */
#include "node/m3ua_inside.h"

#define POINTS_MAX 64 /* affected point codes that are read of one message */

struct coming {
	struct m3ua_node *n;
	struct m3ua_link *l;
	const struct msg *m;
	uint64_t now;
};

/* The servers that a message is about: those of its routing contexts, or all of the link's. *bad: it names
 * one that is none of them. */
static uint32_t servers_of(const struct coming *c, bool *bad)
{
	struct rd r = { .left = tab_get(c->m, M3UA_ROUTING_CONTEXT) };
	uint32_t group = m3ua_group(c->n, c->l->group), found = 0;

	*bad = false;
	if (r.left.n == 0)
		return group;
	while (r.left.n > 0 && !r.err) {
		uint32_t context = rd_be(&r, 4), was = found;

		for (size_t i = 0; i < c->n->conf.server_n; i++) {
			const struct m3ua_server *s = &c->n->conf.server[i];

			if (group >> i & 1 && s->has_context && s->context == context)
				found |= 1u << i;
		}
		*bad |= found == was;
	}
	*bad |= r.err != ERR_OK;
	return found;
}

static void refuse(const struct coming *c, uint32_t code)
{
	m3ua_say_error(c->n, c->l, code, c->m);
}

/* --- we answer --------------------------------------------------------------------------------- */

static void take_up(const struct coming *c)
{
	bool active = c->l->active != 0;

	c->l->is_up = true;
	c->l->active = 0;
	m3ua_say(c->n, c->l, M3UA_ASPUP_ACK);
	if (active) /* it has forgotten (RFC 4666 4.3.4.1) */
		refuse(c, M3UA_E_UNEXPECTED);
	m3ua_settle(c->n, m3ua_group(c->n, c->l->group), c->now);
}

static void take_dn(const struct coming *c)
{
	c->l->is_up = false;
	c->l->active = 0;
	m3ua_say(c->n, c->l, M3UA_ASPDN_ACK);
	m3ua_settle(c->n, m3ua_group(c->n, c->l->group), c->now);
}

/* In override mode one link takes over from the others, who hear of it (RFC 4666 4.3.4.3). */
static void take_over(const struct coming *c, uint32_t servers)
{
	for (size_t s = 0; s < c->n->conf.server_n; s++) {
		if (!(servers >> s & 1) || c->n->conf.server[s].mode != M3UA_OVERRIDE)
			continue;
		for (size_t i = 0; i < c->n->conf.link_max; i++) {
			struct m3ua_link *other = &c->n->link[i];

			if (other == c->l || !other->conn || !(other->active >> s & 1))
				continue;
			other->active &= ~(1u << s);
			m3ua_say_status(c->n, other, s, M3UA_S_ALTERNATE);
		}
	}
}

static bool agrees(const struct coming *c, uint32_t servers)
{
	const struct slot *mode = tab_slot(c->m, M3UA_TRAFFIC_MODE);
	struct rd r = { .left = mode ? mode->value : (struct view){ 0 } };
	uint32_t asked = mode ? rd_be(&r, 4) : 0;

	for (size_t s = 0; s < c->n->conf.server_n && asked; s++) {
		uint8_t ours = c->n->conf.server[s].mode;

		if (servers >> s & 1 && asked != (ours ? ours : M3UA_LOADSHARE))
			return false;
	}
	return true;
}

static void take_active(const struct coming *c)
{
	bool bad;
	uint32_t servers = servers_of(c, &bad);

	if (!c->l->is_up) {
		refuse(c, M3UA_E_UNEXPECTED);
		return;
	}
	if (!agrees(c, servers)) {
		refuse(c, M3UA_E_MODE);
		return;
	}
	if (bad)
		refuse(c, M3UA_E_CONTEXT);
	if (servers == 0)
		return;
	take_over(c, servers);
	c->l->active |= servers;
	m3ua_say_servers(c->n, c->l, M3UA_ASPAC_ACK, servers);
	m3ua_settle(c->n, servers, c->now);
}

static void take_inactive(const struct coming *c)
{
	bool bad;
	uint32_t servers = servers_of(c, &bad);

	if (!c->l->is_up) {
		refuse(c, M3UA_E_UNEXPECTED);
		return;
	}
	if (bad)
		refuse(c, M3UA_E_CONTEXT);
	if (servers == 0)
		return;
	c->l->active &= ~servers;
	m3ua_say_servers(c->n, c->l, M3UA_ASPIA_ACK, servers);
	m3ua_settle(c->n, servers, c->now);
}

static void take_audit(const struct coming *c)
{
	static const uint8_t id[] = { [M3UA_REACHABLE] = M3UA_DAVA, [M3UA_UNREACHABLE] = M3UA_DUNA,
				      [M3UA_CONGESTED] = M3UA_SCON };
	struct rd r = { .left = tab_get(c->m, M3UA_AFFECTED) };
	bool bad;
	uint32_t servers = servers_of(c, &bad);

	if (bad || servers == 0) {
		refuse(c, M3UA_E_CONTEXT);
		return;
	}
	for (size_t i = 0; i < POINTS_MAX && r.left.n >= 4; i++) {
		uint32_t x = rd_be(&r, 4), s = (uint32_t)__builtin_ctz(servers);
		enum m3ua_reach reach =
			c->n->act.audit ? c->n->act.audit(c->n->ctx, s, x & 0xffffff) : M3UA_REACHABLE;

		m3ua_say_point(c->n, c->l, s, (enum m3ua_msg)id[reach], x & 0xffffff, 0);
	}
}

/* --- we asked ---------------------------------------------------------------------------------- */

static void take_up_ack(const struct coming *c)
{
	if (c->l->is_up)
		return; /* said before */
	c->l->is_up = true;
	c->l->refused = false;
	c->l->ask_ms = c->now + c->n->conf.ack_ms;
	m3ua_say_servers(c->n, c->l, M3UA_ASPAC, m3ua_group(c->n, c->l->group));
	m3ua_settle(c->n, m3ua_group(c->n, c->l->group), c->now);
}

static void take_dn_ack(const struct coming *c)
{
	c->l->is_up = false;
	c->l->active = 0;
	c->l->ask_ms = c->now + c->n->conf.ack_ms; /* unasked: the other shut us out for now */
	m3ua_settle(c->n, m3ua_group(c->n, c->l->group), c->now);
}

static void take_active_ack(const struct coming *c)
{
	bool bad;
	uint32_t servers = servers_of(c, &bad);

	if (!c->l->is_up)
		return;
	c->l->active |= servers;
	if (c->l->active == m3ua_group(c->n, c->l->group))
		c->l->ask_ms = 0;
	m3ua_settle(c->n, servers, c->now);
}

static void take_inactive_ack(const struct coming *c)
{
	bool bad;
	uint32_t servers = servers_of(c, &bad);

	c->l->active &= ~servers;
	c->l->ask_ms = c->now + c->n->conf.ack_ms;
	m3ua_settle(c->n, servers, c->now);
}

static void take_notice(const struct coming *c)
{
	struct rd r = { .left = tab_get(c->m, M3UA_STATUS) };
	uint32_t status = rd_be(&r, 4);
	bool bad;
	uint32_t servers = servers_of(c, &bad);

	if (status == M3UA_S_ALTERNATE) { /* another serves; we wait until it does not */
		c->l->active &= ~servers;
		c->l->refused = true;
		m3ua_settle(c->n, servers, c->now);
	} else if ((status == M3UA_S_PENDING || status == M3UA_S_INACTIVE) && c->l->refused) {
		c->l->refused = false;
		c->l->ask_ms = c->now;
	}
}

static void remember(struct m3ua_node *n, size_t server, uint32_t point, uint8_t mask, bool gone)
{
	for (size_t i = 0; i < M3UA_GONE_MAX; i++) {
		struct m3ua_gone *g = &n->gone[i];

		if (g->used && g->server == server && g->point >> mask == point >> mask && g->mask <= mask)
			g->used = false;
	}
	if (gone) {
		n->gone[n->gone_next] = (struct m3ua_gone){ point, (uint8_t)server, mask, true };
		n->gone_next = (n->gone_next + 1) % M3UA_GONE_MAX;
	}
}

static void take_reach(const struct coming *c)
{
	uint16_t id = c->m->shape->id;
	enum m3ua_reach reach = id == M3UA_DUNA ? M3UA_UNREACHABLE :
				id == M3UA_SCON ? M3UA_CONGESTED : M3UA_REACHABLE;
	struct rd r = { .left = tab_get(c->m, M3UA_AFFECTED) };
	bool bad;
	uint32_t servers = servers_of(c, &bad);

	for (size_t i = 0; i < POINTS_MAX && r.left.n >= 4; i++) {
		uint32_t x = rd_be(&r, 4), point = x & 0xffffff;
		uint8_t mask = (uint8_t)(x >> 24);

		for (size_t s = 0; s < c->n->conf.server_n && mask < 24; s++) {
			if (!(servers >> s & 1))
				continue;
			if (reach != M3UA_CONGESTED)
				remember(c->n, s, point, mask, reach == M3UA_UNREACHABLE);
			if (c->n->act.reach)
				c->n->act.reach(c->n->ctx, s, point, mask, reach);
		}
	}
}

/* --- both -------------------------------------------------------------------------------------- */

static void take_data(const struct coming *c)
{
	struct m3ua_data d;
	bool bad;
	uint32_t servers = servers_of(c, &bad) & c->l->active;

	if (c->l->active == 0)
		return; /* RFC 4666 4.3.4.3: not served yet, or no more; silently */
	if (bad || servers == 0) {
		refuse(c, M3UA_E_CONTEXT);
		return;
	}
	if (m3ua_data(c->m, &d) && c->n->act.data)
		c->n->act.data(c->n->ctx, (size_t)__builtin_ctz(servers), c->l->conn, &d);
}

static void take_beat(const struct coming *c)
{
	struct view data = tab_get(c->m, M3UA_HEARTBEAT);
	struct wr w = m3ua_writer(c->n);
	size_t start = m3ua_begin(&w, M3UA_BEAT_ACK);

	if (data.n > 0)
		m3ua_put(&w, M3UA_HEARTBEAT, data);
	m3ua_end(&w, start);
	m3ua_push(c->n, c->l, &w, 0);
}

static void take_error(const struct coming *c)
{
	struct rd r = { .left = tab_get(c->m, M3UA_ERROR_CODE) };

	if (c->n->act.error)
		c->n->act.error(c->n->ctx, c->l->conn, rd_be(&r, 4), false);
}

static void take_nothing(const struct coming *c)
{
	(void)c;
}

enum whose { WHO_ASKS = 1, WHO_ANSWERS = 2, BOTH = 3 };

/* `from`: which end sends it. */
static const struct {
	void (*take)(const struct coming *c);
	uint8_t from;
} rows[] = {
	[M3UA_ERR] = { take_error, BOTH },
	[M3UA_NTFY] = { take_notice, WHO_ANSWERS },
	[M3UA_TRANSFER] = { take_data, BOTH },
	[M3UA_DUNA] = { take_reach, WHO_ANSWERS },
	[M3UA_DAVA] = { take_reach, WHO_ANSWERS },
	[M3UA_DAUD] = { take_audit, WHO_ASKS },
	[M3UA_SCON] = { take_reach, BOTH },
	[M3UA_DUPU] = { take_nothing, WHO_ANSWERS },
	[M3UA_DRST] = { take_reach, WHO_ANSWERS },
	[M3UA_ASPUP] = { take_up, WHO_ASKS },
	[M3UA_ASPDN] = { take_dn, WHO_ASKS },
	[M3UA_BEAT] = { take_beat, BOTH },
	[M3UA_ASPUP_ACK] = { take_up_ack, WHO_ANSWERS },
	[M3UA_ASPDN_ACK] = { take_dn_ack, WHO_ANSWERS },
	[M3UA_BEAT_ACK] = { take_nothing, BOTH },
	[M3UA_ASPAC] = { take_active, WHO_ASKS },
	[M3UA_ASPIA] = { take_inactive, WHO_ASKS },
	[M3UA_ASPAC_ACK] = { take_active_ack, WHO_ANSWERS },
	[M3UA_ASPIA_ACK] = { take_inactive_ack, WHO_ANSWERS },
};

void m3ua_take(struct m3ua_node *n, struct m3ua_link *l, const struct msg *m, uint64_t now)
{
	struct coming c = { n, l, m, now };
	uint16_t id = m->shape->id;

	if (id >= sizeof rows / sizeof *rows || !rows[id].take) { /* registration: keys are configured */
		m3ua_say_error(n, l, M3UA_E_CLASS, m);
		return;
	}
	if ((rows[id].from & WHO_ASKS && l->answers) || (rows[id].from & WHO_ANSWERS && l->asks))
		rows[id].take(&c);
	else
		m3ua_say_error(n, l, M3UA_E_UNEXPECTED, m);
}
