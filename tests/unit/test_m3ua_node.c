/* Two M3UA nodes that speak to each other through queues of bytes: activation, traffic modes, heartbeats,
 * point codes, errors (RFC 4666). */
#include "node/m3ua_node.h"
#include "unit/test.h"

#define ENDS 2
#define LINKS 3

/* One end. `to[c]` is the number of the same link at the other end. */
struct end {
	struct m3ua_node *node;
	struct end *other;
	uint8_t queue[256 * 1024];
	size_t queue_n;
	char told[4096]; /* what its actions were told */
	struct m3ua_data last;
	uint8_t user[M3UA_USER_MAX];
	uint32_t data_n, by_link[LINKS + 1];
	enum m3ua_reach says;
};

static struct end end[ENDS];
static uint8_t room[64 * 1024];

static void tell(struct end *e, const char *what, unsigned int a, unsigned int b)
{
	size_t n = strlen(e->told);

	snprintf(e->told + n, sizeof e->told - n, "%s %u %u;", what, a, b);
}

static void on_send(void *ctx, uint32_t conn, struct view bytes, uint8_t stream)
{
	struct end *to = ((struct end *)ctx)->other;
	uint16_t n = (uint16_t)bytes.n;

	check(bytes.n > 0 && m3ua_frame(bytes) == bytes.n);
	check((bytes.p[2] == 1) == (stream > 0) || bytes.p[2] == 2); /* DATA never on stream 0 */
	check(to->queue_n + 6 + n <= sizeof to->queue);
	memcpy(to->queue + to->queue_n, &conn, 4);
	memcpy(to->queue + to->queue_n + 4, &n, 2);
	memcpy(to->queue + to->queue_n + 6, bytes.p, n);
	to->queue_n += 6u + n;
}

static void on_close(void *ctx, uint32_t conn, const char *why)
{
	(void)why;
	tell(ctx, "close", conn, 0);
}

static void on_data(void *ctx, size_t server, uint32_t conn, const struct m3ua_data *d)
{
	struct end *e = ctx;

	(void)server;
	e->last = *d;
	memcpy(e->user, d->user.p, d->user.n);
	e->last.user.p = e->user;
	e->data_n++;
	e->by_link[conn]++;
}

static void on_state(void *ctx, size_t server, enum m3ua_state s)
{
	static const char *const names[] = { "down", "inactive", "active", "pending" };

	tell(ctx, names[s], (unsigned int)server, 0);
}

static void on_reach(void *ctx, size_t server, uint32_t point, uint8_t mask, enum m3ua_reach reach)
{
	static const char *const names[] = { "reach", "gone", "congested" };

	(void)server;
	tell(ctx, names[reach], point, mask);
}

static enum m3ua_reach on_audit(void *ctx, size_t server, uint32_t point)
{
	(void)server;
	(void)point;
	return ((struct end *)ctx)->says;
}

static void on_error(void *ctx, uint32_t conn, uint32_t code, bool sent)
{
	(void)conn;
	tell(ctx, sent ? "refused" : "error", code, 0);
}

static const struct m3ua_actions actions = { on_send, on_close, on_data, on_state, on_reach, on_audit,
					     on_error };

static void deliver(struct end *e, uint64_t now)
{
	static uint8_t bytes[sizeof e->queue];
	size_t n = e->queue_n;

	memcpy(bytes, e->queue, n);
	e->queue_n = 0;
	for (size_t at = 0; at < n;) {
		struct arena mem = { room, 0, sizeof room };
		uint32_t conn;
		uint16_t len;

		memcpy(&conn, bytes + at, 4);
		memcpy(&len, bytes + at + 4, 2);
		m3ua_node_frame(e->node, conn, (struct view){ bytes + at + 6, len }, &mem, now);
		at += 6u + len;
	}
}

static void talk(uint64_t now)
{
	for (int i = 0; i < 20 && (end[0].queue_n || end[1].queue_n); i++) {
		deliver(&end[0], now);
		deliver(&end[1], now);
	}
	check(end[0].queue_n == 0 && end[1].queue_n == 0);
}

static void open_ends(const struct m3ua_conf *a, const struct m3ua_conf *b)
{
	for (size_t i = 0; i < ENDS; i++) {
		memset(&end[i], 0, sizeof end[i]);
		end[i].other = &end[1 - i];
		end[i].node = m3ua_node_new(i ? b : a, &actions, &end[i]);
		check(end[i].node != NULL);
	}
}

static void shut_ends(void)
{
	m3ua_node_free(end[0].node);
	m3ua_node_free(end[1].node);
}

static struct m3ua_conf conf_of(uint8_t role, uint8_t mode)
{
	struct m3ua_conf c = { .server_n = 1, .link_max = LINKS };

	c.server[0] = (struct m3ua_server){ .role = role, .mode = mode, .has_context = true, .context = 7 };
	return c;
}

static void link_up(uint32_t conn, uint64_t now)
{
	check_eq(m3ua_node_up(end[0].node, 0, conn, true, now), ERR_OK);
	check_eq(m3ua_node_up(end[1].node, 0, conn, false, now), ERR_OK);
}

/* ASP and SGP, with the first link up and active. */
static void open_pair(uint8_t mode)
{
	struct m3ua_conf a = conf_of(M3UA_ASP, mode), b = conf_of(M3UA_SGP, mode);

	open_ends(&a, &b);
	link_up(1, 1000);
	talk(1000);
}

static enum err say(struct end *e, uint8_t sls, uint64_t now)
{
	struct m3ua_data d = { 100, 200, M3UA_SCCP, 2, 0, sls, VIEW("hello") };

	return m3ua_node_send(e->node, 0, &d, now);
}

TEST(an_asp_comes_up_and_both_ways_carry_traffic)
{
	open_pair(M3UA_LOADSHARE);
	check(strcmp(end[0].told, "inactive 0 0;active 0 0;") == 0);
	check(strcmp(end[1].told, "inactive 0 0;active 0 0;") == 0);
	check_eq(say(&end[0], 3, 1000), ERR_OK);
	check_eq(say(&end[1], 4, 1000), ERR_OK);
	talk(1000);
	check(view_eq(end[1].last.user, VIEW("hello")) && view_eq(end[0].last.user, VIEW("hello")));
	check_eq(end[1].last.opc, 100);
	check_eq(end[1].last.dpc, 200);
	check_eq(end[1].last.sls, 3);
	check_eq(end[1].last.ni, 2);
	shut_ends();
}

TEST(two_ipsps_need_no_gateway)
{
	struct m3ua_conf a = conf_of(M3UA_IPSP, 0), b = conf_of(M3UA_IPSP, 0);

	open_ends(&a, &b);
	link_up(1, 1000);
	talk(1000);
	check_eq(m3ua_node_state(end[0].node, 0), M3UA_ACTIVE);
	check_eq(m3ua_node_state(end[1].node, 0), M3UA_ACTIVE);
	check_eq(say(&end[1], 0, 1000), ERR_OK);
	talk(1000);
	check_eq(end[0].data_n, 1);
	shut_ends();
}

TEST(an_acknowledgement_that_is_lost_is_asked_for_again)
{
	struct m3ua_conf a = conf_of(M3UA_ASP, 0), b = conf_of(M3UA_SGP, 0);

	open_ends(&a, &b);
	link_up(1, 1000);
	end[1].queue_n = 0; /* ASPUP is lost */
	m3ua_node_tick(end[0].node, 2000);
	check_eq(end[1].queue_n, 0);
	m3ua_node_tick(end[0].node, 3000);
	check(end[1].queue_n > 0);
	deliver(&end[1], 3000);
	deliver(&end[0], 3000);
	end[1].queue_n = 0; /* and ASPAC */
	m3ua_node_tick(end[0].node, 5000);
	talk(5000);
	check_eq(m3ua_node_state(end[0].node, 0), M3UA_ACTIVE);
	m3ua_node_tick(end[0].node, 60000);
	check_eq(end[1].queue_n, 0);
	shut_ends();
}

TEST(load_is_shared_by_selection_and_broadcast_reaches_all)
{
	open_pair(M3UA_LOADSHARE);
	link_up(2, 1000);
	talk(1000);
	for (uint8_t sls = 0; sls < 16; sls++)
		check_eq(say(&end[1], sls, 1000), ERR_OK);
	talk(1000);
	check_eq(end[0].by_link[1], 8);
	check_eq(end[0].by_link[2], 8);
	shut_ends();
	open_pair(M3UA_BROADCAST);
	link_up(2, 1000);
	talk(1000);
	check_eq(say(&end[1], 0, 1000), ERR_OK);
	talk(1000);
	check_eq(end[0].by_link[1], 1);
	check_eq(end[0].by_link[2], 1);
	shut_ends();
}

TEST(in_override_the_last_to_come_serves_and_the_other_takes_over_again)
{
	open_pair(M3UA_OVERRIDE);
	link_up(2, 1000);
	talk(1000);
	check(!m3ua_node_is_active(end[0].node, 1) && m3ua_node_is_active(end[0].node, 2));
	check(!m3ua_node_is_active(end[1].node, 1) && m3ua_node_is_active(end[1].node, 2));
	check_eq(say(&end[1], 5, 1000), ERR_OK);
	talk(1000);
	check_eq(end[0].by_link[2], 1);
	m3ua_node_tick(end[0].node, 9000);
	talk(9000);
	check(!m3ua_node_is_active(end[0].node, 1)); /* it does not fight for it */
	m3ua_node_down(end[1].node, 2, 9000);
	m3ua_node_down(end[0].node, 2, 9000);
	talk(9000);
	m3ua_node_tick(end[0].node, 9001);
	talk(9001);
	check(m3ua_node_is_active(end[1].node, 1));
	shut_ends();
}

TEST(what_is_sent_while_the_last_link_is_away_is_kept_for_a_while_in_bounds)
{
	uint32_t kept = 0;

	open_pair(M3UA_LOADSHARE);
	m3ua_node_down(end[0].node, 1, 1000);
	m3ua_node_down(end[1].node, 1, 1000);
	check_eq(m3ua_node_state(end[1].node, 0), M3UA_PENDING);
	while (say(&end[1], 1, 1000) == ERR_OK)
		check(++kept < 100000);
	check(kept > 1000);
	link_up(2, 1500);
	talk(1500);
	check_eq(end[0].data_n, kept);
	m3ua_node_down(end[0].node, 2, 2000);
	m3ua_node_down(end[1].node, 2, 2000);
	check_eq(say(&end[1], 1, 2000), ERR_OK);
	m3ua_node_tick(end[1].node, 4001);
	check_eq(m3ua_node_state(end[1].node, 0), M3UA_DOWN);
	check_eq(say(&end[1], 1, 4001), ERR_NOT_FOUND);
	link_up(3, 5000);
	talk(5000);
	check_eq(end[0].data_n, kept); /* what waited in vain is not sent late */
	shut_ends();
}

TEST(point_codes_that_cannot_be_reached_are_not_sent_to)
{
	open_pair(M3UA_LOADSHARE);
	m3ua_node_tell(end[1].node, 0, 200, M3UA_UNREACHABLE);
	talk(1000);
	check_eq(say(&end[0], 0, 1000), ERR_NOT_FOUND);
	m3ua_node_tell(end[1].node, 0, 200, M3UA_CONGESTED);
	m3ua_node_tell(end[1].node, 0, 200, M3UA_REACHABLE);
	talk(1000);
	check_eq(say(&end[0], 0, 1000), ERR_OK);
	check(strstr(end[0].told, "gone 200 0;congested 200 0;reach 200 0;") != NULL);
	end[1].says = M3UA_UNREACHABLE;
	m3ua_node_audit(end[0].node, 0, 300);
	talk(1000);
	check(strstr(end[0].told, "gone 300 0;") != NULL);
	shut_ends();
}

TEST(a_silent_link_is_asked_and_then_cut)
{
	struct m3ua_conf a = conf_of(M3UA_ASP, 0), b = conf_of(M3UA_SGP, 0);

	a.beat_ms = 1000;
	open_ends(&a, &b);
	link_up(1, 1000);
	talk(1000);
	m3ua_node_tick(end[0].node, 2000);
	check(end[1].queue_n > 0);
	talk(2000);
	check(strstr(end[0].told, "close") == NULL);
	for (uint64_t now = 2000; now < 8000; now += 100) {
		m3ua_node_tick(end[0].node, now);
		end[1].queue_n = 0;
	}
	check(strstr(end[0].told, "close 1 0;") != NULL);
	shut_ends();
}

/* A message of the table without any parameter. */
static void bare(struct end *to, enum m3ua_msg id, uint64_t now)
{
	uint8_t bytes[64];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct arena mem = { room, 0, sizeof room };

	m3ua_end(&w, m3ua_begin(&w, id));
	m3ua_node_frame(to->node, 1, wr_done(&w), &mem, now);
}

static void with(struct end *to, enum m3ua_msg id, enum m3ua_field field, uint32_t x)
{
	uint8_t bytes[64];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct arena mem = { room, 0, sizeof room };
	size_t start = m3ua_begin(&w, id);

	m3ua_put_u32(&w, field, x);
	m3ua_end(&w, start);
	m3ua_node_frame(to->node, 1, wr_done(&w), &mem, 1000);
}

TEST(what_may_not_be_said_is_answered_with_its_error)
{
	static const uint8_t class_7[] = { 1, 0, 7, 1, 0, 0, 0, 8 }, type_9[] = { 1, 0, 3, 9, 0, 0, 0, 8 };
	struct arena mem = { room, 0, sizeof room };

	open_pair(M3UA_LOADSHARE);
	end[1].told[0] = 0;
	bare(&end[1], M3UA_ASPUP_ACK, 1000);                   /* we are the one who acknowledges */
	with(&end[1], M3UA_ASPAC, M3UA_ROUTING_CONTEXT, 8);    /* none of ours */
	with(&end[1], M3UA_ASPAC, M3UA_TRAFFIC_MODE, 1);       /* not the one agreed */
	with(&end[1], M3UA_ASPAC, M3UA_TRAFFIC_MODE, 9);       /* none at all */
	bare(&end[1], M3UA_DUNA, 1000);                        /* lacks what it is about */
	m3ua_node_frame(end[1].node, 1, (struct view){ class_7, 8 }, &mem, 1000);
	m3ua_node_frame(end[1].node, 1, (struct view){ type_9, 8 }, &mem, 1000);
	with(&end[1], M3UA_ERR, M3UA_ERROR_CODE, 3);           /* never an error about an error */
	check(strcmp(end[1].told, "refused 6 0;refused 25 0;refused 5 0;refused 5 0;refused 22 0;refused 3 0;"
				  "refused 4 0;error 3 0;") == 0);
	end[1].told[0] = 0;
	bare(&end[1], M3UA_ASPDN, 1000);
	bare(&end[1], M3UA_ASPAC, 1000);                       /* before ASPUP */
	check(strstr(end[1].told, "refused 6 0;") != NULL);
	shut_ends();
}

TEST(an_end_that_has_forgotten_begins_anew)
{
	open_pair(M3UA_LOADSHARE);
	end[1].told[0] = 0;
	bare(&end[1], M3UA_ASPUP, 1000);
	check(strcmp(end[1].told, "refused 6 0;pending 0 0;") == 0);
	check_eq(m3ua_node_is_active(end[1].node, 1), false);
	shut_ends();
}

TEST(a_stop_takes_the_traffic_off)
{
	open_pair(M3UA_LOADSHARE);
	m3ua_node_stop(end[0].node, 1000);
	talk(1000);
	check_eq(m3ua_node_state(end[1].node, 0), M3UA_PENDING);
	m3ua_node_tick(end[1].node, 5000);
	check_eq(m3ua_node_state(end[1].node, 0), M3UA_DOWN);
	shut_ends();
}

TEST(what_is_sent_after_a_stop_has_no_link)
{
	static const struct m3ua_data late = { 1, 2, M3UA_SCCP, .sls = 3, .user = { room, 4 } };

	for (size_t i = 0; i < ENDS; i++) {
		open_pair(M3UA_LOADSHARE);
		m3ua_node_stop(end[i].node, 1000);
		check_eq(m3ua_node_send(end[i].node, 0, &late, 1000), ERR_NOT_FOUND);
		shut_ends();
	}
}

TEST(servers_are_chosen_by_the_point_codes_behind_them)
{
	struct m3ua_conf a = { .server_n = 3, .link_max = LINKS };

	a.server[0] = (struct m3ua_server){ .role = M3UA_ASP, .group = 0, .point = { 11, 12 } };
	a.server[1] = (struct m3ua_server){ .role = M3UA_ASP, .group = 1 };
	a.server[2] = (struct m3ua_server){ .role = M3UA_ASP, .group = 2, .point = { 12 } };
	open_ends(&a, &a);
	check_eq(m3ua_node_route(end[0].node, 11, 7), 0);
	check_eq(m3ua_node_route(end[0].node, 99, 7), 1);
	check_eq(m3ua_node_route(end[0].node, 12, 4), 2);
	check_eq(m3ua_node_route(end[0].node, 99, 5), 3); /* nowhere */
	shut_ends();
}

TESTS(T(an_asp_comes_up_and_both_ways_carry_traffic), T(two_ipsps_need_no_gateway),
      T(an_acknowledgement_that_is_lost_is_asked_for_again),
      T(load_is_shared_by_selection_and_broadcast_reaches_all),
      T(in_override_the_last_to_come_serves_and_the_other_takes_over_again),
      T(what_is_sent_while_the_last_link_is_away_is_kept_for_a_while_in_bounds),
      T(point_codes_that_cannot_be_reached_are_not_sent_to), T(a_silent_link_is_asked_and_then_cut),
      T(what_may_not_be_said_is_answered_with_its_error), T(an_end_that_has_forgotten_begins_anew),
      T(a_stop_takes_the_traffic_off), T(what_is_sent_after_a_stop_has_no_link),
      T(servers_are_chosen_by_the_point_codes_behind_them))
