/* Requests and answers through the node: identifiers, failover, routing, refusals (RFC 6733 §6, §7). */
#include "unit/test_node.h"

#include "base/metric.h"

#define A (&world.side[0])
#define B (&world.side[1])

static uint8_t out_bytes[WORLD_BYTES];
static struct wr out;

/* B asks A, as a forwarder would: the identifiers of whoever asked are kept with the request. */
static enum err ask(uint32_t hop)
{
	struct dia_pending p = { .hop_by_hop = hop, .end_to_end = 4242 };

	memset(p.user, (int)(hop & 0x7f), sizeof p.user);
	out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
	air(&out, hop, 4242);
	return dia_node_request(B->node, B->peer, &out, &p, world.now);
}

/* A peer of A that the test plays: it comes in and opens. */
static struct dia_peer *visitor(const char *host, uint32_t *conn)
{
	uint8_t bytes[512];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = { 0x80, 257, 0, 1, 2 };
	struct dia_link in = { .address = VIEW("10.0.0.9"), .local = VIEW("10.0.0.1") };
	size_t start = dia_begin(&w, &h);

	dia_put_text(&w, AVP_ORIGIN_HOST, host);
	dia_put_text(&w, AVP_ORIGIN_REALM, "home.test");
	dia_put(&w, AVP_HOST_IP_ADDRESS, VIEW("\0\1\x0a\0\0\x09"));
	dia_put_u32(&w, AVP_VENDOR_ID, 0);
	dia_put_text(&w, AVP_PRODUCT_NAME, "test");
	dia_put_u32(&w, AVP_AUTH_APPLICATION_ID, DIA_APP_S6A);
	dia_end(&w, start);
	*conn = in.conn = ++world.conn_n;
	dia_node_up(A->node, &in, NULL, world.now);
	say(0, *conn, wr_done(&w));
	check(dia_node_peer_of_conn(A->node, *conn));
	return A->peer;
}

TEST(an_answer_finds_its_request_and_what_was_kept_with_it)
{
	world_open();
	check_eq(ask(7), ERR_OK);
	check_eq(dia_peer_info(B->peer)->in_flight, 1);
	check_eq(dia_node_in_flight(B->node), 1);
	world_pump();
	check_eq(A->requests, 1);
	check(A->h.hop_by_hop != 7);
	check_eq(A->h.end_to_end, 4242);
	check_eq(B->answers, 1);
	check_eq(B->err, ERR_OK);
	check_eq(B->h.hop_by_hop, A->h.hop_by_hop);
	check_eq(B->pending.hop_by_hop, 7);
	check_eq(B->pending.end_to_end, 4242);
	check_eq(B->pending.code, 318);
	check_eq(B->pending.app, DIA_APP_S6A);
	check_eq(B->pending.user[DIA_USER - 1], 7);
	check_eq(dia_peer_info(B->peer)->in_flight, 0);
	check_eq(dia_node_in_flight(B->node), 0);
}

TEST(answers_come_back_in_any_order)
{
	struct view second, first;
	uint8_t bytes[2][WORLD_BYTES];

	world_open();
	A->mute = true;
	for (uint32_t i = 0; i < 2; i++) {
		struct wr w = { .p = bytes[i], .cap = WORLD_BYTES };
		struct dia_header h;
		struct msg *m;

		check_eq(ask(10 + i), ERR_OK);
		world_pump();
		m = parse((struct view){ A->last, A->n }, &h);
		dia_refuse(&w, &A->conf, m, &h, (struct view){ A->last, A->n }, ERR_OK, 2001);
		*(i ? &second : &first) = wr_done(&w);
	}
	dia_node_send(A->node, A->peer, second);
	world_pump();
	check_eq(B->pending.hop_by_hop, 11);
	dia_node_send(A->node, A->peer, first);
	world_pump();
	check_eq(B->pending.hop_by_hop, 10);
	check_eq(B->answers, 2);
}

TEST(an_answer_to_nothing_is_counted_and_dropped)
{
	uint64_t before;
	uint8_t copy[WORLD_BYTES];
	struct view late;

	world_open();
	check_eq(ask(7), ERR_OK);
	world_pump();
	before = metric_get(M_DIA_DROPPED, 1);
	late = (struct view){ memcpy(copy, B->last, B->n), B->n };
	say(1, dia_peer_info(B->peer)->conn, late); /* a second time */
	check_eq(ask(8), ERR_OK);                   /* the same slot: another number */
	say(1, dia_peer_info(B->peer)->conn, late);
	check_eq(B->answers, 1);
	check_eq(metric_get(M_DIA_DROPPED, 1), before + 2);
	dia_set_hop_by_hop(copy, 0xffffffff); /* no such slot */
	say(1, dia_peer_info(B->peer)->conn, late);
	check_eq(B->answers, 1);
	world_pump();
	check_eq(B->answers, 2);
}

TEST(an_answer_from_another_peer_is_not_taken)
{
	struct dia_pending p = { .hop_by_hop = 1 };
	struct dia_peer *hss;
	uint32_t right, wrong;
	uint8_t bytes[WORLD_BYTES];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h;
	struct msg *m;

	world_init("a.home.test", "b.visited.test");
	A->admit.kind = DIA_HOME;
	hss = visitor("hss1.home.test", &right);
	visitor("hss2.home.test", &wrong);
	out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
	air(&out, 1, 2);
	check_eq(dia_node_request(A->node, hss, &out, &p, world.now), ERR_OK);
	m = parse(sent_by(0), &h);
	dia_refuse(&w, &A->conf, m, &h, sent_by(0), ERR_OK, 2001);
	say(0, wrong, wr_done(&w));
	check_eq(A->answers, 0);
	say(0, right, wr_done(&w));
	check_eq(A->answers, 1);
}

TEST(a_malformed_answer_is_still_the_end_of_its_request)
{
	struct dia_header h;
	struct wr w;
	uint8_t bytes[WORLD_BYTES];

	world_open();
	A->mute = true;
	check_eq(ask(7), ERR_OK);
	world_pump();
	h = A->h;
	h.flags = 0x40;
	w = (struct wr){ .p = bytes, .cap = sizeof bytes };
	dia_end(&w, dia_begin(&w, &h)); /* no AVP at all */
	say(1, dia_peer_info(B->peer)->conn, wr_done(&w));
	check_eq(B->answers, 1);
	check_eq(B->err, ERR_MISSING);
	check_eq(dia_node_in_flight(B->node), 0);
}

TEST(a_request_without_answer_is_lost_in_time)
{
	world_open();
	A->mute = true;
	check_eq(ask(7), ERR_OK);
	world_run(4800);
	check_eq(B->lost, 0);
	world_run(400);
	check_eq(B->lost, 1);
	check_eq(B->pending.hop_by_hop, 7);
	check(strcmp(B->why, "no answer in time") == 0);
	check_eq(dia_peer_info(B->peer)->in_flight, 0);
}

TEST(no_more_in_flight_than_configured)
{
	world_open();
	A->mute = true;
	for (uint32_t i = 0; i < 8; i++)
		check_eq(ask(i), ERR_OK);
	check_eq(ask(8), ERR_FULL);
	world_run(6000);
	check_eq(B->lost, 8);
	check_eq(ask(9), ERR_OK);
	check_eq(dia_node_in_flight(B->node), 1);
}

TEST(requests_go_to_open_peers_only)
{
	struct dia_pending p = { 0 };
	struct dia_peer *peer;

	world_init("a.home.test", "b.visited.test");
	peer = dia_node_peer(A->node, DIA_HOME, VIEW("b.visited.test"), NULL);
	out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
	air(&out, 1, 2);
	check_eq(dia_node_request(A->node, peer, &out, &p, world.now), ERR_NOT_FOUND);
	check_eq(dia_node_request(A->node, NULL, &out, &p, world.now), ERR_NOT_FOUND);
	out.err = ERR_FULL;
	check_eq(dia_node_request(A->node, peer, &out, &p, world.now), ERR_FULL);
	check_eq(A->sent_n, 0);
}

TEST(a_broken_connection_loses_what_is_in_flight)
{
	world_open();
	A->mute = true;
	check_eq(ask(1), ERR_OK);
	check_eq(ask(2), ERR_OK);
	dia_node_down(B->node, dia_peer_info(B->peer)->conn, "reset", world.now);
	check_eq(B->down, 1);
	check_eq(B->lost, 2);
	check(strcmp(B->why, "reset") == 0);
	check_eq(dia_node_in_flight(B->node), 0);
}

TEST(a_disconnect_loses_what_is_in_flight)
{
	world_open();
	A->mute = true;
	check_eq(ask(1), ERR_OK);
	world_pump();
	dia_node_stop(A->node, 0, world.now);
	world_pump();
	check_eq(B->lost, 1);
}

static unsigned int again;

/* Failover as the edge does it: to another peer, with the T flag. */
static void resend(void *ctx, struct dia_pending *p, const char *why)
{
	struct dia_peer *to = dia_node_route(A->node, DIA_HOME, p->app, VIEW(""), p->to);

	(void)why;
	check(ctx == A && to != p->to);
	out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
	air(&out, p->hop_by_hop, p->end_to_end);
	out.p[4] |= DIA_FLAG_RETRANSMIT;
	again += dia_node_request(A->node, to, &out, p, world.now) == ERR_OK;
}

TEST(a_suspect_peer_hands_its_requests_to_another)
{
	struct dia_actions act = world_actions;
	struct dia_pending p = { .hop_by_hop = 5, .end_to_end = 6 };
	struct dia_peer *first;
	uint32_t c1, c2;

	world_init("a.home.test", "b.visited.test");
	dia_node_free(A->node);
	act.lost = resend;
	A->conf.pending_ms = 600000;
	A->node = dia_node_new(&A->conf, &act, A);
	A->admit.kind = DIA_HOME;
	first = visitor("hss1.home.test", &c1);
	for (int i = 0; i < 3; i++) {
		out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
		air(&out, 5, 6);
		check_eq(dia_node_request(A->node, first, &out, &p, world.now), ERR_OK);
	}
	world_run(40000);
	visitor("hss2.home.test", &c2);
	again = 0;
	for (int i = 0; i < 400 && dia_peer_info(first)->state == DIA_OPEN; i++) {
		world_run(100);
	}
	check_eq(dia_peer_info(first)->state, DIA_SUSPECT);
	check_eq(again, 3);
	check_eq(dia_peer_info(first)->in_flight, 0);
	check_eq(dia_peer_info(dia_node_peer_of_conn(A->node, c2))->in_flight, 3);
	check(A->sent[4] & DIA_FLAG_RETRANSMIT);
}

static void say_load(uint32_t conn, const char *host, uint64_t value)
{
	uint8_t bytes[512];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = { 0x40, 318, DIA_APP_S6A, 0, 0 };
	size_t start = dia_begin(&w, &h), load;

	dia_put_text(&w, AVP_SESSION_ID, "x;1;1");
	dia_put_u32(&w, AVP_RESULT_CODE, 2001);
	dia_put_text(&w, AVP_ORIGIN_HOST, host);
	dia_put_text(&w, AVP_ORIGIN_REALM, "home.test");
	load = dia_open(&w, AVP_LOAD);
	dia_put_u32(&w, AVP_LOAD_TYPE, 1);
	dia_put_u64(&w, AVP_LOAD_VALUE, value);
	dia_put_text(&w, AVP_SOURCEID, host);
	dia_close(&w, load);
	dia_end(&w, start);
	say(0, conn, wr_done(&w));
}

TEST(a_route_is_by_host_application_kind_and_load)
{
	struct dia_peer *one, *two, *got;
	uint32_t c1, c2;
	unsigned int n = 0;

	world_init("a.home.test", "b.visited.test");
	A->admit.kind = DIA_HOME;
	one = visitor("hss1.home.test", &c1);
	two = visitor("hss2.home.test", &c2);
	check(dia_node_route(A->node, DIA_HOME, DIA_APP_S6A, VIEW("HSS2.home.test"), NULL) == two);
	check(dia_node_route(A->node, DIA_HOME, DIA_APP_S6A, VIEW("hss2.home.test"), two) == one);
	check(dia_node_route(A->node, DIA_HOME, DIA_APP_S6A, VIEW("hss3.home.test"), two) == one);
	check(dia_node_route(A->node, DIA_HOME, DIA_APP_S13, VIEW(""), NULL) == NULL);
	check(dia_node_route(A->node, DIA_PARTNER, DIA_APP_S6A, VIEW("hss1.home.test"), NULL) == NULL);
	for (int i = 0; i < 10; i++) {
		got = dia_node_route(A->node, DIA_HOME, DIA_APP_S6A, VIEW(""), NULL);
		n += got == one;
	}
	check_eq(n, 5); /* equals share */
	say_load(c1, "hss1.home.test", 60000);
	check_eq(dia_peer_info(one)->load, 60000);
	say_load(c2, "hss1.home.test", 65000); /* not about the peer itself */
	check_eq(dia_peer_info(two)->load, UINT64_MAX);
	check(dia_node_route(A->node, DIA_HOME, DIA_APP_S6A, VIEW(""), NULL) == two);
	check(dia_node_route(A->node, DIA_HOME, DIA_APP_S6A, VIEW(""), two) == one);
}

/* .i: what the edge does with the homes of a partition. */
TEST(a_choice_is_made_among_the_named_peers_alone)
{
	struct dia_peer *one, *two, *three, *of[2], *got;
	uint32_t c1, c2, c3;
	unsigned int n = 0;

	world_init("a.home.test", "b.visited.test");
	A->admit.kind = DIA_HOME;
	one = visitor("hss1.home.test", &c1);
	two = visitor("hss2.home.test", &c2);
	three = visitor("hss3.home.test", &c3);
	of[0] = two;
	of[1] = three;
	for (int i = 0; i < 10; i++) {
		got = dia_node_choose(A->node, of, 2, DIA_APP_S6A, NULL);
		check(got && got != one);
		n += got == two;
	}
	check_eq(n, 5);
	check(dia_node_choose(A->node, of, 2, DIA_APP_S6A, two) == three);
	check(dia_node_choose(A->node, of, 1, DIA_APP_S6A, two) == NULL);
	check(dia_node_choose(A->node, of, 1, DIA_APP_S13, NULL) == NULL);
	check(dia_node_choose(A->node, of, 0, DIA_APP_S6A, NULL) == NULL);
	dia_node_down(A->node, c2, "gone", world.now);
	check(dia_node_choose(A->node, of, 1, DIA_APP_S6A, NULL) == NULL);
	check(dia_node_choose(A->node, of, 2, DIA_APP_S6A, NULL) == three);
}

static bool twice(const char *host, const struct dia_header *h, uint64_t now)
{
	return dia_node_duplicate(A->node, dia_node_print(A->node, view_of(host), h), h, now);
}

TEST(a_duplicate_is_known_for_four_minutes_and_only_with_the_t_flag)
{
	struct dia_header h = { 0xc0, 318, DIA_APP_S6A, 1, 99 };

	world_init("a.home.test", "b.visited.test");
	check(!twice("mme1", &h, 1000));
	check(!twice("mme1", &h, 1100));
	h.flags |= DIA_FLAG_RETRANSMIT;
	check(twice("mme1", &h, 2000));
	check(!twice("mme2", &h, 2000));
	check(!twice("mme1", &h, 2000 + 4 * 60 * 1000 + 1));
	check(twice("mme1", &h, 2000 + 4 * 60 * 1000 + 2));
	h.end_to_end++;
	check(!twice("mme1", &h, 3000));
}

static void append(struct wr *w, struct view avp)
{
	wr_view(w, avp);
	wr_at(w, 1, w->n, 3);
}

TEST(our_own_name_in_a_route_record_is_a_loop)
{
	struct dia_header h;

	world_init("a.home.test", "b.visited.test");
	out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
	air(&out, 1, 2);
	check(!dia_looped(&A->conf, parse(wr_done(&out), &h)));
	dia_put(&out, AVP_ROUTE_RECORD, VIEW("x.y"));
	dia_put(&out, AVP_ROUTE_RECORD, VIEW("A.HOME.TEST"));
	wr_at(&out, 1, out.n, 3);
	check(dia_looped(&A->conf, parse(wr_done(&out), &h)));
}

/* The bytes of an AIR without one of its AVPs. */
static void leave_out(struct wr *w, uint32_t code)
{
	for (size_t at = DIA_HEADER; at < w->n;) {
		struct rd r = { .left = { w->p + at, w->n - at } };
		uint32_t tag = rd_be(&r, 4), len = rd_be(&r, 4) & 0xffffff;
		size_t whole = (len + 3u) & ~3u;

		if (tag != code) {
			at += whole;
			continue;
		}
		memmove(w->p + at, w->p + at + whole, w->n - at - whole);
		w->n -= whole;
	}
	wr_at(w, 1, w->n, 3);
}

#define V VIEW_INIT

TEST(every_wrong_request_is_answered_with_its_error_and_the_avp_to_blame)
{
	static const struct {
		const char *why;
		uint32_t leave_out, want;
		struct view append, failed;
		uint8_t at, byte; /* a byte of the header to change */
	} cases[] = {
		{ "unknown command", 0, 3001, V(""), V(""), 7, 99 },
		{ "unknown application", 0, 3007, V(""), V(""), 11, 1 },
		{ "E bit in a request", 0, 3008, V(""), V(""), 4, 0xe0 },
		{ "reserved AVP flags", 0, 3009, V("\0\0\1\x1a\x44\0\0\x0dx.y.z\0\0\0"),
		  V("\0\0\1\x1a\x44\0\0\x0dx.y.z\0\0\0"), 0, 1 },
		{ "unknown with M", 0, 5001, V("\0\0\x0f\x9f\x40\0\0\x0c\1\2\3\4"),
		  V("\0\0\x0f\x9f\x40\0\0\x0c\1\2\3\4"), 0, 1 },
		{ "value", 277, 5004, V("\0\0\1\x15\x40\0\0\x0c\0\0\0\7"),
		  V("\0\0\1\x15\x40\0\0\x0c\0\0\0\7"), 0, 1 },
		{ "missing", 1, 5005, V(""), V("\0\0\0\1\x40\0\0\x09\0\0\0\0"), 0, 1 },
		{ "twice", 0, 5009, V("\0\0\0\1\x40\0\0\x0e" "123456\0\0"),
		  V("\0\0\0\1\x40\0\0\x0e" "123456\0\0"), 0, 1 },
		{ "version", 0, 5011, V(""), V(""), 0, 2 },
		{ "length of a number", 277, 5014, V("\0\0\1\x15\x40\0\0\x0b\0\0\1\0"),
		  V("\0\0\1\x15\x40\0\0\x0b\0\0\1\0"), 0, 1 },
		{ "longer than the message", 0, 5014, V("\0\0\1\x15\x40\0\xff\x0c"), V(""), 0, 1 },
		{ "message length", 0, 5015, V(""), V(""), 3, 4 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dia_header h;
		struct msg *m;
		bool error = cases[i].want / 1000 == 3;

		printf("  %s\n", cases[i].why);
		fflush(stdout);
		world_open();
		out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
		air(&out, 70, 71);
		leave_out(&out, cases[i].leave_out);
		append(&out, cases[i].append);
		out.p[cases[i].at] = cases[i].byte;
		say(0, dia_peer_info(A->peer)->conn, wr_done(&out));
		check_eq(A->requests, 1);
		m = parse(sent_by(0), &h);
		check_eq(dia_u32(tab_get(m, AVP_RESULT_CODE)), cases[i].want);
		check_eq(h.flags & DIA_FLAG_ERROR, error ? DIA_FLAG_ERROR : 0);
		check_eq(h.flags & DIA_FLAG_REQUEST, 0);
		check_eq(h.flags & DIA_FLAG_PROXIABLE, DIA_FLAG_PROXIABLE);
		check_eq(h.hop_by_hop, 70);
		check_eq(h.end_to_end, 71);
		check_eq(m->slot[m->slot->first].field, AVP_SESSION_ID); /* first: §8.8 */
		check(view_eq(tab_get(m, AVP_SESSION_ID), VIEW("b.visited.test;1;2")));
		check(view_eq(tab_get(m, AVP_ORIGIN_HOST), VIEW("a.home.test")));
		check(tab_get(m, AVP_ERROR_MESSAGE).n > 0);
		check_eq(tab_get(m, AVP_AUTH_SESSION_STATE).n, error ? 0 : 4);
		if (cases[i].failed.n > 0)
			check(view_eq(tab_get(m, AVP_FAILED_AVP), cases[i].failed));
	}
}

TEST(proxy_info_comes_back_as_it_went)
{
	static const struct view proxy =
		V("\0\0\1\x1c\x40\0\0\x20\0\0\1\x18\x40\0\0\x0b" "p.q\0\0\0\0\x21\x40\0\0\x0a\7\7\0\0");
	uint32_t codes[] = { 5012, 3004 };

	for (size_t i = 0; i < 2; i++) {
		uint8_t bytes[WORLD_BYTES];
		struct wr w = { .p = bytes, .cap = sizeof bytes };
		struct dia_header h;
		struct msg *m;

		world_init("a.home.test", "b.visited.test");
		out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
		air(&out, 1, 2);
		append(&out, proxy);
		m = parse(wr_done(&out), &h);
		dia_refuse(&w, &A->conf, m, &h, wr_done(&out), ERR_OK, codes[i]);
		m = parse(wr_done(&w), &h);
		check(view_eq(tab_slot(m, AVP_PROXY_INFO)->whole, proxy));
		check_eq(dia_u32(tab_get(m, AVP_RESULT_CODE)), codes[i]);
		check_eq(tab_get(m, AVP_FAILED_AVP).n, 0);
	}
}

TEST(a_relay_takes_what_an_end_point_refuses)
{
	world_open();
	dia_node_strict(A->node, DIA_RELAY);
	A->mute = true;
	out = (struct wr){ .p = out_bytes, .cap = sizeof out_bytes };
	air(&out, 70, 71);
	append(&out, VIEW("\0\0\x0f\x9f\x40\0\0\x0c\1\2\3\4"));
	say(0, dia_peer_info(A->peer)->conn, wr_done(&out));
	check_eq(A->requests, 1);
	check_eq(A->err, ERR_OK);
	out.p[7] = 99; /* a command without a row */
	say(0, dia_peer_info(A->peer)->conn, wr_done(&out));
	check_eq(A->requests, 2);
	check_eq(A->err, ERR_OK);
}

TESTS(T(an_answer_finds_its_request_and_what_was_kept_with_it), T(answers_come_back_in_any_order),
      T(an_answer_to_nothing_is_counted_and_dropped), T(an_answer_from_another_peer_is_not_taken),
      T(a_malformed_answer_is_still_the_end_of_its_request),
      T(a_request_without_answer_is_lost_in_time), T(no_more_in_flight_than_configured),
      T(requests_go_to_open_peers_only), T(a_broken_connection_loses_what_is_in_flight),
      T(a_disconnect_loses_what_is_in_flight), T(a_suspect_peer_hands_its_requests_to_another),
      T(a_route_is_by_host_application_kind_and_load),
      T(a_choice_is_made_among_the_named_peers_alone),
      T(a_duplicate_is_known_for_four_minutes_and_only_with_the_t_flag),
      T(our_own_name_in_a_route_record_is_a_loop),
      T(every_wrong_request_is_answered_with_its_error_and_the_avp_to_blame),
      T(proxy_info_comes_back_as_it_went), T(a_relay_takes_what_an_end_point_refuses))
