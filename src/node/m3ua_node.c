/* M3UA: links and servers (RFC 4666 4.3). */
#include "node/m3ua_inside.h"

#include <stdlib.h>

#define ACK_MS      2000
#define RECOVERY_MS 2000

struct m3ua_node *m3ua_node_new(const struct m3ua_conf *conf, const struct m3ua_actions *act, void *ctx)
{
	struct m3ua_node *n = calloc(1, sizeof *n + conf->link_max * sizeof *n->link);

	if (!n)
		return NULL;
	n->conf = *conf;
	n->conf.ack_ms = conf->ack_ms ? conf->ack_ms : ACK_MS;
	n->conf.recovery_ms = conf->recovery_ms ? conf->recovery_ms : RECOVERY_MS;
	n->act = *act;
	n->ctx = ctx;
	return n;
}

void m3ua_node_free(struct m3ua_node *n)
{
	free(n);
}

/* --- links ------------------------------------------------------------------------------------- */

struct m3ua_link *m3ua_link_of(struct m3ua_node *n, uint32_t conn)
{
	for (size_t i = 0; i < n->conf.link_max; i++) {
		if (n->link[i].conn == conn)
			return &n->link[i];
	}
	return NULL;
}

uint32_t m3ua_group(const struct m3ua_node *n, uint8_t group)
{
	uint32_t servers = 0;

	for (size_t i = 0; i < n->conf.server_n; i++)
		servers |= n->conf.server[i].group == group ? 1u << i : 0;
	return servers;
}

void m3ua_push(struct m3ua_node *n, const struct m3ua_link *l, const struct wr *w, uint8_t stream)
{
	if (!w->err)
		n->act.send(n->ctx, l->conn, wr_done(w), stream);
}

enum err m3ua_node_up(struct m3ua_node *n, size_t group, uint32_t conn, bool outbound, uint64_t now)
{
	struct m3ua_link *l = m3ua_link_of(n, 0);
	uint32_t servers = m3ua_group(n, (uint8_t)group);
	uint8_t role;

	if (!l || servers == 0)
		return l ? ERR_NOT_FOUND : ERR_FULL;
	role = n->conf.server[__builtin_ctz(servers)].role;
	*l = (struct m3ua_link){ .conn = conn, .group = (uint8_t)group, .heard_ms = now };
	l->asks = role == M3UA_ASP || (role == M3UA_IPSP && outbound);
	l->answers = role != M3UA_ASP;
	if (l->asks) {
		l->ask_ms = now + n->conf.ack_ms;
		m3ua_say(n, l, M3UA_ASPUP);
	}
	return ERR_OK;
}

void m3ua_node_down(struct m3ua_node *n, uint32_t conn, uint64_t now)
{
	struct m3ua_link *l = conn ? m3ua_link_of(n, conn) : NULL;
	uint32_t servers;

	if (!l)
		return;
	servers = m3ua_group(n, l->group);
	*l = (struct m3ua_link){ 0 };
	m3ua_settle(n, servers, now);
}

/* --- servers ----------------------------------------------------------------------------------- */

enum m3ua_state m3ua_node_state(const struct m3ua_node *n, size_t server)
{
	return (enum m3ua_state)n->state[server];
}

bool m3ua_node_is_active(const struct m3ua_node *n, uint32_t conn)
{
	for (size_t i = 0; i < n->conf.link_max; i++) {
		if (n->link[i].conn == conn)
			return n->link[i].active != 0;
	}
	return false;
}

/* All links of the server, or the active ones. */
static size_t count(const struct m3ua_node *n, size_t server, bool active)
{
	size_t found = 0;

	for (size_t i = 0; i < n->conf.link_max; i++) {
		const struct m3ua_link *l = &n->link[i];

		if (l->conn && l->group == n->conf.server[server].group && l->is_up)
			found += !active || (l->active >> server & 1);
	}
	return found;
}

/* Each message that was kept: server, label and user part, its length before it. */
struct kept {
	uint8_t server, si, ni, mp, sls;
	uint16_t n;
	uint32_t opc, dpc;
};

static enum err deliver(struct m3ua_node *n, size_t server, const struct m3ua_data *d);

/* The server is there again (`send`), or waited for in vain. */
static void unkeep(struct m3ua_node *n, size_t server, bool send)
{
	size_t at = 0, to = 0;

	while (at < n->queue_n) {
		struct kept k;
		size_t all;

		memcpy(&k, n->queue + at, sizeof k);
		all = sizeof k + k.n;
		if (k.server != server) {
			memmove(n->queue + to, n->queue + at, all);
			to += all;
		} else if (send) {
			(void)deliver(n, server, &(struct m3ua_data){ k.opc, k.dpc, k.si, k.ni, k.mp, k.sls,
								       { n->queue + at + sizeof k, k.n } });
		}
		at += all;
	}
	n->queue_n = to;
}

static enum err keep(struct m3ua_node *n, size_t server, const struct m3ua_data *d)
{
	struct kept k = { (uint8_t)server, d->si, d->ni, d->mp, d->sls, (uint16_t)d->user.n, d->opc, d->dpc };

	if (sizeof n->queue - n->queue_n < sizeof k + d->user.n)
		return ERR_FULL;
	memcpy(n->queue + n->queue_n, &k, sizeof k);
	if (d->user.n > 0)
		memcpy(n->queue + n->queue_n + sizeof k, d->user.p, d->user.n);
	n->queue_n += sizeof k + d->user.n;
	return ERR_OK;
}

/* Whom we answer hears what became of the server (RFC 4666 4.3.4.5); an IPSP need not. */
static void notify(struct m3ua_node *n, size_t server, uint32_t status)
{
	for (size_t i = 0; i < n->conf.link_max; i++) {
		const struct m3ua_link *l = &n->link[i];

		if (l->conn && l->is_up && n->conf.server[server].role == M3UA_SGP &&
		    l->group == n->conf.server[server].group)
			m3ua_say_status(n, l, server, status);
	}
}

static void become(struct m3ua_node *n, size_t server, enum m3ua_state to, uint64_t now)
{
	static const uint32_t status[] = { [M3UA_INACTIVE] = M3UA_S_INACTIVE, [M3UA_ACTIVE] = M3UA_S_ACTIVE,
					   [M3UA_PENDING] = M3UA_S_PENDING };

	n->state[server] = (uint8_t)to;
	n->pending_ms[server] = to == M3UA_PENDING ? now + n->conf.recovery_ms : 0;
	if (to != M3UA_DOWN)
		notify(n, server, status[to]);
	if (to == M3UA_ACTIVE)
		unkeep(n, server, true);
	else if (to != M3UA_PENDING)
		unkeep(n, server, false);
	if (n->act.state)
		n->act.state(n->ctx, server, to);
}

void m3ua_settle(struct m3ua_node *n, uint32_t servers, uint64_t now)
{
	for (size_t s = 0; s < n->conf.server_n; s++) {
		enum m3ua_state was = (enum m3ua_state)n->state[s], is;

		if (!(servers >> s & 1))
			continue;
		is = count(n, s, true) > 0 ? M3UA_ACTIVE : count(n, s, false) > 0 ? M3UA_INACTIVE : M3UA_DOWN;
		if (is != M3UA_ACTIVE && (was == M3UA_ACTIVE || was == M3UA_PENDING))
			is = M3UA_PENDING;
		if (is == was)
			continue;
		if (is == M3UA_ACTIVE) /* what was said of point codes was said by another */
			for (size_t i = 0; i < M3UA_GONE_MAX; i++)
				n->gone[i].used &= n->gone[i].server != s;
		become(n, s, is, now);
	}
}

/* --- time -------------------------------------------------------------------------------------- */

static void ask_again(struct m3ua_node *n, struct m3ua_link *l, uint64_t now)
{
	uint32_t missing = m3ua_group(n, l->group) & ~l->active;

	if (!l->asks || l->ask_ms == 0 || now < l->ask_ms)
		return;
	l->ask_ms = now + n->conf.ack_ms;
	if (!l->is_up)
		m3ua_say(n, l, M3UA_ASPUP);
	else if (missing && !l->refused)
		m3ua_say_servers(n, l, M3UA_ASPAC, missing);
	else
		l->ask_ms = 0;
}

static void beat(struct m3ua_node *n, struct m3ua_link *l, uint64_t now)
{
	struct wr w = m3ua_writer(n);
	uint64_t silent = now - l->heard_ms, be = now;
	size_t start;

	if (n->conf.beat_ms == 0 || silent < n->conf.beat_ms || now - l->beat_ms < n->conf.beat_ms)
		return;
	if (silent > 2 * (uint64_t)n->conf.beat_ms + n->conf.ack_ms) {
		if (n->act.close)
			n->act.close(n->ctx, l->conn, "no answer to heartbeats");
		return;
	}
	l->beat_ms = now;
	start = m3ua_begin(&w, M3UA_BEAT);
	m3ua_put(&w, M3UA_HEARTBEAT, (struct view){ (const uint8_t *)&be, sizeof be });
	m3ua_end(&w, start);
	m3ua_push(n, l, &w, 0);
}

void m3ua_node_tick(struct m3ua_node *n, uint64_t now)
{
	for (size_t i = 0; i < n->conf.link_max; i++) {
		struct m3ua_link *l = &n->link[i];

		if (l->conn)
			ask_again(n, l, now);
		if (l->conn)
			beat(n, l, now);
	}
	for (size_t s = 0; s < n->conf.server_n; s++) {
		if (n->state[s] == M3UA_PENDING && now >= n->pending_ms[s])
			become(n, s, count(n, s, false) > 0 ? M3UA_INACTIVE : M3UA_DOWN, now);
	}
}

void m3ua_node_stop(struct m3ua_node *n, uint64_t now)
{
	(void)now;
	for (size_t i = 0; i < n->conf.link_max; i++) {
		struct m3ua_link *l = &n->link[i];

		if (!l->conn || !l->is_up)
			continue;
		if (l->asks && l->active)
			m3ua_say_servers(n, l, M3UA_ASPIA, l->active);
		if (l->asks)
			m3ua_say(n, l, M3UA_ASPDN);
		else if (l->active)
			m3ua_say_servers(n, l, M3UA_ASPIA_ACK, l->active); /* unasked: traffic ends here */
		l->ask_ms = 0;
		l->active = 0;
	}
}

void m3ua_node_frame(struct m3ua_node *n, uint32_t conn, struct view frame, struct arena *mem, uint64_t now)
{
	static const uint8_t errors[] = {
		[ERR_VERSION] = M3UA_E_VERSION, [ERR_MISSING] = M3UA_E_MISSING, [ERR_LENGTH] = M3UA_E_FIELD,
		[ERR_SHORT] = M3UA_E_FIELD, [ERR_NOT_ALLOWED] = M3UA_E_PARAMETER, [ERR_VALUE] = M3UA_E_VALUE,
		[ERR_UNKNOWN] = M3UA_E_PARAMETER, [ERR_REPEATED] = M3UA_E_PARAMETER,
		[ERR_UNKNOWN_CMD] = M3UA_E_TYPE
	};
	struct m3ua_link *l = conn ? m3ua_link_of(n, conn) : NULL;
	struct msg m;
	enum err err;
	uint32_t code;

	if (!l)
		return;
	l->heard_ms = now;
	err = m3ua_parse(&m, frame, mem);
	if (!err) {
		m3ua_take(n, l, &m, now);
		return;
	}
	if (frame.n > 2 && frame.p[2] == 0)
		return; /* no error about errors and notices */
	code = err < sizeof errors && errors[err] ? errors[err] : M3UA_E_PROTOCOL;
	if (code == M3UA_E_TYPE && frame.p[2] > 4) /* routing keys are configured, not registered */
		code = M3UA_E_CLASS;
	if (err == ERR_VALUE && m.culprit == M3UA_TRAFFIC_MODE)
		code = M3UA_E_MODE;
	m3ua_say_error(n, l, code, &m);
}

/* --- user messages ----------------------------------------------------------------------------- */

/* By the traffic mode: the one active link, the one of this signalling link selection, all. After a stop none
 * is, whatever the server's state. */
static enum err deliver(struct m3ua_node *n, size_t server, const struct m3ua_data *d)
{
	uint8_t mode = n->conf.server[server].mode;
	size_t active = count(n, server, true), turn;

	if (active == 0)
		return ERR_NOT_FOUND;
	turn = mode == M3UA_OVERRIDE ? 0 : d->sls % active;
	n->correlation++;
	for (size_t i = 0; i < n->conf.link_max; i++) {
		const struct m3ua_link *l = &n->link[i];

		if (!l->conn || !(l->active >> server & 1))
			continue;
		if (mode == M3UA_BROADCAST || turn == 0)
			m3ua_say_data(n, l, server, d);
		if (mode != M3UA_BROADCAST && turn-- == 0)
			break;
	}
	return ERR_OK;
}

static bool is_gone(const struct m3ua_node *n, size_t server, uint32_t point)
{
	for (size_t i = 0; i < M3UA_GONE_MAX; i++) {
		const struct m3ua_gone *g = &n->gone[i];

		if (g->used && g->server == server && g->point >> g->mask == point >> g->mask)
			return true;
	}
	return false;
}

enum err m3ua_node_send(struct m3ua_node *n, size_t server, const struct m3ua_data *d, uint64_t now)
{
	(void)now;
	if (d->user.n > M3UA_USER_MAX)
		return ERR_LENGTH;
	if (server >= n->conf.server_n || is_gone(n, server, d->dpc))
		return ERR_NOT_FOUND;
	if (n->state[server] == M3UA_PENDING)
		return keep(n, server, d);
	if (n->state[server] != M3UA_ACTIVE)
		return ERR_NOT_FOUND;
	return deliver(n, server, d);
}

/* 2: names it; 1: takes all; 0: is for others. */
static unsigned int fits(const struct m3ua_server *s, uint32_t point)
{
	if (s->point[0] == 0)
		return 1;
	for (size_t i = 0; i < M3UA_POINTS; i++) {
		if (s->point[i] == point && point != 0)
			return 2;
	}
	return 0;
}

size_t m3ua_node_route(const struct m3ua_node *n, uint32_t point, uint32_t among)
{
	size_t best = n->conf.server_n;
	unsigned int best_fit = 0;

	for (size_t s = 0; s < n->conf.server_n; s++) {
		unsigned int fit = among >> s & 1 ? 2 * fits(&n->conf.server[s], point) : 0;

		fit += fit > 0 && n->state[s] == M3UA_ACTIVE && !is_gone(n, s, point);
		if (fit > best_fit) {
			best = s;
			best_fit = fit;
		}
	}
	return best;
}

void m3ua_node_tell(struct m3ua_node *n, size_t server, uint32_t point, enum m3ua_reach reach)
{
	static const uint8_t id[] = { [M3UA_REACHABLE] = M3UA_DAVA, [M3UA_UNREACHABLE] = M3UA_DUNA,
				      [M3UA_CONGESTED] = M3UA_SCON };

	for (size_t i = 0; i < n->conf.link_max; i++) {
		if (n->link[i].conn && n->link[i].active >> server & 1)
			m3ua_say_point(n, &n->link[i], server, (enum m3ua_msg)id[reach], point, 0);
	}
}

void m3ua_node_audit(struct m3ua_node *n, size_t server, uint32_t point)
{
	for (size_t i = 0; i < n->conf.link_max; i++) {
		if (n->link[i].conn && n->link[i].active >> server & 1) {
			m3ua_say_point(n, &n->link[i], server, M3UA_DAUD, point, 0);
			return;
		}
	}
}
