/* The peer state machine (RFC 6733 §5), in virtual time. Evidence for R-3.b (who may connect) and
 * .a (failure and failover). */
#include "unit/test_node.h"

#include "base/metric.h"

#define A (&world.side[0])
#define B (&world.side[1])

/* A connection from nobody in particular to side 0; the test speaks for the far end. */
static uint32_t stranger(void)
{
	uint32_t id = ++world.conn_n;
	struct dia_link in = { .conn = id, .address = VIEW("10.0.0.9"), .local = VIEW("10.0.0.1") };

	dia_node_up(A->node, &in, NULL, world.now);
	return id;
}

static size_t cer(uint8_t *bytes, size_t cap, const char *host, uint32_t app, uint32_t state_id)
{
	struct wr w = { .p = bytes, .cap = cap };
	struct dia_header h = { 0x80, 257, 0, 77, 88 };
	size_t start = dia_begin(&w, &h);

	dia_put_text(&w, AVP_ORIGIN_HOST, host);
	dia_put_text(&w, AVP_ORIGIN_REALM, "visited.test");
	dia_put(&w, AVP_HOST_IP_ADDRESS, (struct view){ (const uint8_t *)"\0\1\x0a\0\0\x09", 6 });
	dia_put_u32(&w, AVP_VENDOR_ID, 0);
	dia_put_text(&w, AVP_PRODUCT_NAME, "test");
	dia_put_u32(&w, AVP_ORIGIN_STATE_ID, state_id);
	dia_put_u32(&w, AVP_AUTH_APPLICATION_ID, app);
	dia_end(&w, start);
	check_eq(w.err, ERR_OK);
	return w.n;
}

static void say_cer(uint32_t conn, const char *host, uint32_t app, uint32_t state_id)
{
	uint8_t bytes[512];

	say(0, conn, (struct view){ bytes, cer(bytes, sizeof bytes, host, app, state_id) });
}

static enum dia_peer_state state_of(const struct dia_peer *p)
{
	return dia_peer_info(p)->state;
}

TEST(two_nodes_exchange_capabilities_and_open)
{
	const struct dia_peer_info *i;

	world_open();
	i = dia_peer_info(A->peer);
	check(view_eq(i->host, VIEW("b.visited.test")));
	check(view_eq(i->realm, VIEW("visited.test")));
	check_eq(i->kind, DIA_PARTNER);
	check_eq(i->app_n, 2);
	check(i->conn != 0 && dia_node_peer_of_conn(A->node, i->conn) == A->peer);
	check(dia_node_peer_of_host(A->node, VIEW("B.VISITED.test")) == A->peer);
	check_eq(dia_peer_info(B->peer)->kind, DIA_HOME);
}

TEST(a_cea_holds_what_free_diameter_insists_on)
{
	struct dia_header h;
	struct msg *m;
	uint32_t conn;

	world_init("a.home.test", "b.visited.test");
	conn = stranger();
	say_cer(conn, "x.visited.test", DIA_APP_S6A, 1);
	m = parse(sent_by(0), &h);
	check_eq(h.flags, 0);
	check_eq(h.hop_by_hop, 77);
	check_eq(h.end_to_end, 88);
	check_eq(dia_u32(tab_get(m, AVP_RESULT_CODE)), 2001);
	check(view_eq(tab_get(m, AVP_ORIGIN_HOST), VIEW("a.home.test")));
	check(view_eq(tab_get(m, AVP_HOST_IP_ADDRESS), VIEW("\0\1\x0a\0\0\1")));
	check_eq(dia_u32(tab_get(m, AVP_SUPPORTED_VENDOR_ID)), VENDOR_3GPP);
	check_eq(tab_get(m, AVP_INBAND_SECURITY_ID).n, 4);
	check_eq(tab_get(m, AVP_VENDOR_ID).n, 4);
	check_eq(dia_u32(tab_get(m, AVP_ORIGIN_STATE_ID)), 1000);
	check_eq(dia_u32(tab_get(m, AVP_VENDOR_SPECIFIC_APPLICATION_ID, AVP_AUTH_APPLICATION_ID)),
		 DIA_APP_S6A);
	check_eq(state_of(A->peer), DIA_OPEN);
}

TEST(a_peer_that_is_not_admitted_hears_why_and_is_closed)
{
	static const struct {
		uint32_t admit, app, want;
		const char *host;
	} cases[] = {
		{ 3010, DIA_APP_S6A, 3010, "x.visited.test" },
		{ 5017, DIA_APP_S6A, 5017, "x.visited.test" },
		{ 2001, 16777216,    5010, "x.visited.test" },
		{ 2001, DIA_APP_S6A, 3010, "A.home.test" },
		{ 2001, DIA_APP_RELAY, 2001, "relay.visited.test" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool ok = cases[i].want == 2001;

		world_init("a.home.test", "b.visited.test");
		A->admit.result = cases[i].admit;
		say_cer(stranger(), cases[i].host, cases[i].app, 1);
		check_eq(result_of(sent_by(0)), cases[i].want);
		check_eq(A->sent[4] & DIA_FLAG_ERROR, cases[i].want / 1000 == 3 ? DIA_FLAG_ERROR : 0);
		check_eq(A->closes, !ok);
		check_eq(A->up, ok);
	}
}

TEST(anything_before_a_cer_closes)
{
	uint8_t bytes[1024];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	uint64_t before;

	world_init("a.home.test", "b.visited.test");
	before = metric_get(M_DIA_DROPPED, 0);
	air(&w, 1, 2);
	say(0, stranger(), wr_done(&w));
	check_eq(A->closes, 1);
	check_eq(A->requests, 0);
	check_eq(A->sent_n, 0);
	say(0, stranger(), view_first(wr_done(&w), 12));
	check_eq(A->closes, 2);
	check_eq(metric_get(M_DIA_DROPPED, 0), before + 1);
}

TEST(a_malformed_cer_is_answered_with_its_error)
{
	uint8_t bytes[512];
	size_t n;
	struct dia_header h;
	struct msg *m;

	world_init("a.home.test", "b.visited.test");
	n = cer(bytes, sizeof bytes, "x.visited.test", DIA_APP_S6A, 1);
	bytes[n - 12 + 3] = 0xff; /* Auth-Application-Id becomes an AVP nobody knows, with M bit */
	say(0, stranger(), (struct view){ bytes, n });
	m = parse(sent_by(0), &h);
	check_eq(dia_u32(tab_get(m, AVP_RESULT_CODE)), 5001);
	check(view_eq(tab_get(m, AVP_FAILED_AVP), (struct view){ bytes + n - 12, 12 }));
	check_eq(A->closes, 1);
	check_eq(A->up, 0);
}

TEST(a_connection_that_says_nothing_is_closed)
{
	world_init("a.home.test", "b.visited.test");
	stranger();
	world_run(9900);
	check_eq(A->closes, 0);
	world_run(200);
	check_eq(A->closes, 1);
}

/* Both dial at once. Whoever has the higher name keeps the connection that it accepted, and both
 * ends must agree on it. */
static void elect(const char *a, const char *b)
{
	struct dia_peer *pa, *pb;

	world_init(a, b);
	pa = dia_node_peer(A->node, DIA_HOME, view_of(b), NULL);
	pb = dia_node_peer(B->node, DIA_HOME, view_of(a), NULL);
	world_run(60000);
	check_eq(state_of(pa), DIA_OPEN);
	check_eq(state_of(pb), DIA_OPEN);
	check_eq(A->up, 1);
	check_eq(B->up, 1);
	check_eq(A->down + B->down, 0);
	check_eq(A->dials, 1);
	check_eq(world.other[0][dia_peer_info(pa)->conn], dia_peer_info(pb)->conn);
	check_eq(dia_peer_info(pa)->conn % 2, strcmp(a, b) < 0); /* the lower dialled it */
}

TEST(of_two_connections_the_election_leaves_one)
{
	elect("a.home.test", "b.visited.test");
	elect("z.home.test", "b.visited.test");
	elect("b.visited.test1", "b.visited.test");
}

TEST(an_election_between_peers_dialled_without_a_name_ends_with_one)
{
	struct dia_peer *pa, *pb;

	for (int i = 0; i < 2; i++) {
		world_init(i ? "z.home.test" : "a.home.test", "b.visited.test");
		pa = dia_node_peer(A->node, DIA_HOME, VIEW(""), NULL);
		pb = dia_node_peer(B->node, DIA_HOME, VIEW(""), NULL);
		world_run(60000);
		check_eq(state_of(pa), DIA_OPEN);
		check_eq(state_of(pb), DIA_OPEN);
		check_eq(A->up - A->down, 1);
		check_eq(B->up - B->down, 1);
		check_eq(world.other[0][dia_peer_info(pa)->conn], dia_peer_info(pb)->conn);
		check(view_eq(dia_peer_info(pa)->host, VIEW("b.visited.test")));
	}
}

TEST(a_dialled_peer_with_another_name_is_refused)
{
	struct dia_peer *p;

	world_init("a.home.test", "b.visited.test");
	p = dia_node_peer(A->node, DIA_HOME, VIEW("c.visited.test"), NULL);
	world_run(300);
	check_eq(A->up, 0);
	check_eq(state_of(p), DIA_CLOSED);
}

TEST(a_second_connection_of_a_live_peer_is_refused)
{
	uint32_t conn;

	world_open();
	conn = stranger();
	say_cer(conn, "b.visited.test", DIA_APP_S6A, 1000);
	world_pump(); /* the probe of the old one is answered */
	check_eq(result_of(sent_by(0)), 4003);
	check_eq(A->closes, 1);
	check_eq(A->up, 1);
	check_eq(A->down, 0);
	check_eq(state_of(A->peer), DIA_OPEN);
}

TEST(a_second_connection_replaces_one_that_is_dead)
{
	uint32_t conn, old;

	world_open();
	old = dia_peer_info(A->peer)->conn;
	world.deaf[0] = true;
	conn = stranger();
	say_cer(conn, "b.visited.test", DIA_APP_S6A, 1000);
	check_eq(dia_peer_info(A->peer)->conn, old);
	world_run(2200);
	check_eq(A->up, 2);
	check_eq(A->down, 1);
	check_eq(dia_peer_info(A->peer)->conn, conn);
	check_eq(result_of(sent_by(0)), 2001);
}

TEST(a_peer_that_restarted_replaces_its_connection_at_once)
{
	uint32_t conn;

	world_open();
	conn = stranger();
	say_cer(conn, "b.visited.test", DIA_APP_S6A, 1001);
	check_eq(A->up, 2);
	check_eq(dia_peer_info(A->peer)->conn, conn);
	check_eq(result_of(sent_by(0)), 2001);
}

TEST(an_idle_connection_is_watched)
{
	unsigned int dwr = 0;

	world_open();
	for (int i = 0; i < 6000; i++) {
		size_t tail = world.tail;

		world_run(100);
		dwr += world.tail > tail;
	}
	check_eq(A->down + B->down, 0);
	check(dwr >= 600 / 32 - 2 && dwr <= 600 / 28 + 2); /* the first to lose patience asks for both */
}

TEST(a_silent_peer_becomes_suspect_then_closed_then_must_prove_itself)
{
	struct dia_peer *p;
	unsigned int frames;

	world_open();
	p = B->peer;
	world.deaf[0] = true;
	world_run(65000);
	check_eq(B->down, 1);
	check_eq(state_of(p), DIA_SUSPECT);
	check(dia_node_peer_of_host(B->node, VIEW("a.home.test")) == NULL);
	world.no_route = true;
	world_run(32000);
	check_eq(state_of(p), DIA_CLOSED);
	world.no_route = world.deaf[0] = false;
	world.deaf[1] = false;
	frames = B->frames;
	for (int i = 0; i < 600 && B->up < 2; i++)
		world_run(100);
	check_eq(state_of(p), DIA_OPEN);
	check_eq(B->frames - frames, 1 + 3); /* a CER, and three watchdogs before it is trusted */
	check_eq(B->up, 2);
}

TEST(a_suspect_peer_that_speaks_is_open_again)
{
	world_open();
	world.deaf[0] = true;
	world_run(65000);
	check_eq(state_of(B->peer), DIA_SUSPECT);
	world.deaf[0] = false;
	dia_node_send(A->node, A->peer, (struct view){ 0 });
	say(1, dia_peer_info(B->peer)->conn, (struct view){ A->sent, A->sent_n });
	check_eq(state_of(B->peer), DIA_OPEN);
	check_eq(B->up, 2);
}

TEST(a_peer_that_cannot_be_reached_is_dialled_less_and_less_often)
{
	unsigned int first, later;

	world_init("a.home.test", "b.visited.test");
	world.no_route = true;
	check(dia_node_peer(A->node, DIA_PARTNER, VIEW("b.visited.test"), NULL));
	world_run(60000);
	first = A->dials;
	world_run(300000);
	later = A->dials - first;
	check(first >= 4 && first <= 12);
	check(later >= 6 && later <= 22); /* 15 to 45 s apart */
	world.no_route = false;
	world_run(46000);
	check_eq(A->up, 1);
}

TEST(home_is_dialled_again_within_three_seconds_however_long_it_is_down)
{
	unsigned int before;

	world_init("a.home.test", "b.visited.test");
	world.no_route = true;
	check(dia_node_peer(A->node, DIA_HOME, VIEW("b.visited.test"), NULL));
	world_run(300000);
	before = A->dials;
	world_run(30000);
	check(A->dials - before >= 10 && A->dials - before <= 31); /* 1 to 3 s apart */
	world.no_route = false;
	world_run(3100);
	check_eq(A->up, 1);
}

TEST(stopping_says_goodbye_and_closes)
{
	world_open();
	check(!dia_node_stop(A->node, 0, world.now));
	check_eq(state_of(A->peer), DIA_CLOSING);
	world_pump();
	check(dia_node_stop(A->node, 0, world.now));
	check_eq(B->down, 1);
	check_eq(A->down, 1);
	check_eq(A->sent[7], 282 & 0xff);
	stranger();
	check_eq(A->closes, 2); /* nobody comes in any more */
}

TEST(stopping_does_not_wait_for_a_dead_peer)
{
	world_open();
	world.deaf[1] = true;
	check(!dia_node_stop(A->node, 0, world.now));
	world.now += 900;
	check(!dia_node_stop(A->node, 0, world.now));
	world.now += 200;
	check(dia_node_stop(A->node, 0, world.now));
}

TEST(a_peer_that_says_goodbye_is_dialled_again_later)
{
	world_open();
	while (!dia_node_stop(A->node, 1, world.now))
		world_run(100);
	check_eq(state_of(B->peer), DIA_CLOSED);
	world.no_route = true;
	world_run(14000);
	check_eq(B->dials, 1); /* BUSY: not before 15 s */
	world_run(33000);
	check(B->dials >= 2);
}

TEST(a_removed_peer_is_told_and_forgotten)
{
	struct dia_peer *p;

	world_open();
	p = B->peer;
	dia_node_peer_remove(B->node, p);
	world_pump();
	world_run(60000);
	check_eq(A->down, 1);
	check_eq(B->dials, 1);
	check(dia_node_peer_next(B->node, NULL) == NULL);
}

TEST(no_more_peers_than_there_is_room_for)
{
	char host[32];

	world_init("a.home.test", "b.visited.test");
	for (int i = 0; i < 5; i++) {
		snprintf(host, sizeof host, "m%d.visited.test", i);
		say_cer(stranger(), host, DIA_APP_S6A, 1);
		check_eq(result_of(sent_by(0)), i < 4 ? 2001 : 5012);
	}
	check_eq(A->up, 4);
	for (int i = 0; i < 200; i++)
		stranger(); /* unknown connections are bounded too: 2 * 4 + 64 in all */
	check_eq(A->closes, 1 + 200 - (72 - 4));
}

TEST(a_node_dials_by_a_name_of_its_own_and_is_called_by_the_other)
{
	struct dia_peer *p;
	struct dia_header h;
	uint32_t conn;

	world_init("a.home.test", "b.visited.test");
	dia_node_free(A->node);
	A->conf.dial_host = VIEW("a-1.home.test");
	A->node = dia_node_new(&A->conf, &world_actions, A);
	p = dia_node_peer(A->node, DIA_HOME, VIEW("b.visited.test"), NULL);
	world_run(200);
	check_eq(state_of(p), DIA_OPEN);
	check(view_eq(dia_peer_info(B->peer)->host, VIEW("a-1.home.test")));
	check(view_eq(tab_get(parse(sent_by(0), &h), AVP_ORIGIN_HOST), VIEW("a-1.home.test")));
	/* The other now dials us: to it that is another peer, and we take its connection. */
	conn = stranger();
	say_cer(conn, "b.visited.test", DIA_APP_S6A, 1);
	check_eq(dia_peer_info(p)->conn, conn);
	check(view_eq(tab_get(parse(sent_by(0), &h), AVP_ORIGIN_HOST), VIEW("a.home.test")));
	world_pump();
	check_eq(B->down, 1);
	check_eq(state_of(p), DIA_OPEN);
	say_cer(stranger(), "A-1.home.test", DIA_APP_S6A, 1); /* ourselves */
	check_eq(result_of(sent_by(0)), 3010);
}

TEST(a_watchdog_is_answered_and_a_malformed_one_too)
{
	uint8_t bytes[256];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = { 0x80, 280, 0, 5, 6 };
	struct msg *m;

	world_open();
	dia_begin(&w, &h);
	dia_put_text(&w, AVP_ORIGIN_HOST, "b.visited.test");
	dia_end(&w, 0);
	say(0, dia_peer_info(A->peer)->conn, wr_done(&w));
	m = parse(sent_by(0), &h);
	check_eq(dia_u32(tab_get(m, AVP_RESULT_CODE)), 5005);
	check(view_eq(tab_get(m, AVP_FAILED_AVP), VIEW("\0\0\1\x28\x40\0\0\x09\0\0\0\0")));
	check_eq(A->requests, 0);
	dia_put_text(&w, AVP_ORIGIN_REALM, "visited.test");
	dia_end(&w, 0);
	say(0, dia_peer_info(A->peer)->conn, wr_done(&w));
	m = parse(sent_by(0), &h);
	check_eq(dia_u32(tab_get(m, AVP_RESULT_CODE)), 2001);
	check_eq(dia_u32(tab_get(m, AVP_ORIGIN_STATE_ID)), 1000);
	check_eq(h.hop_by_hop, 5);
	check_eq(h.end_to_end, 6);
	check_eq(A->down, 0);
}

TEST(an_origin_state_that_grew_is_remembered)
{
	uint8_t bytes[256];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = { 0x80, 280, 0, 5, 6 };
	uint32_t old;

	world_open();
	old = dia_peer_info(A->peer)->conn;
	dia_begin(&w, &h);
	dia_put_text(&w, AVP_ORIGIN_HOST, "b.visited.test");
	dia_put_text(&w, AVP_ORIGIN_REALM, "visited.test");
	dia_put_u32(&w, AVP_ORIGIN_STATE_ID, 1005);
	dia_end(&w, 0);
	say(0, old, wr_done(&w));
	say_cer(stranger(), "b.visited.test", DIA_APP_S6A, 1005); /* no restart since */
	check_eq(dia_peer_info(A->peer)->conn, old);
	world_run(300);
	check_eq(dia_peer_info(A->peer)->conn, old);
}

TESTS(T(two_nodes_exchange_capabilities_and_open), T(a_cea_holds_what_free_diameter_insists_on),
      T(a_peer_that_is_not_admitted_hears_why_and_is_closed), T(anything_before_a_cer_closes),
      T(a_malformed_cer_is_answered_with_its_error), T(a_connection_that_says_nothing_is_closed),
      T(of_two_connections_the_election_leaves_one),
      T(an_election_between_peers_dialled_without_a_name_ends_with_one),
      T(a_dialled_peer_with_another_name_is_refused),
      T(a_second_connection_of_a_live_peer_is_refused),
      T(a_second_connection_replaces_one_that_is_dead),
      T(a_peer_that_restarted_replaces_its_connection_at_once), T(an_idle_connection_is_watched),
      T(a_silent_peer_becomes_suspect_then_closed_then_must_prove_itself),
      T(a_suspect_peer_that_speaks_is_open_again),
      T(a_peer_that_cannot_be_reached_is_dialled_less_and_less_often),
      T(home_is_dialled_again_within_three_seconds_however_long_it_is_down),
      T(stopping_says_goodbye_and_closes), T(stopping_does_not_wait_for_a_dead_peer),
      T(a_peer_that_says_goodbye_is_dialled_again_later), T(a_removed_peer_is_told_and_forgotten),
      T(no_more_peers_than_there_is_room_for),
      T(a_node_dials_by_a_name_of_its_own_and_is_called_by_the_other),
      T(a_watchdog_is_answered_and_a_malformed_one_too), T(an_origin_state_that_grew_is_remembered))
