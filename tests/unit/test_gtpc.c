/* The GTP-C firewall: sessions are learned and moved, what is refused is answered, and what an attacker sends
 * is refused by the check it is about. From bytes; no process, no socket. */
#include "judge/calendar.h"
#include "unit/gtpc_world.h"

static bool tunnel(struct gtpc_world *x, const uint8_t at[4], uint32_t teid, struct session_hit *hit)
{
	return sessions_tunnel(x->sessions, PLANE_USER, (struct view){ at, 4 }, teid, 1, hit);
}

TEST(a_session_is_learned_from_its_request_and_answer)
{
	struct gtpc_world *x = gtpc_world_new(&(struct gtpc_conf){ 0 });
	struct gtp_make s = gtpc_make();
	struct session_hit hit;
	char apn[SESSION_APN];

	check_eq(gtpc_send(x, SGW, PGW, make_csr(gtpc_wr(x), &s)), GTPC_FORWARD);
	check(!tunnel(x, PGW, s.gateway_teid + 1, &hit)); /* a request alone makes nothing */
	check_eq(gtpc_send(x, PGW, SGW, make_csa(gtpc_wr(x), &s)), GTPC_FORWARD);
	check(tunnel(x, PGW, s.gateway_teid + 1, &hit));
	check_eq(hit.is.imsi, s.imsi);
	check_eq(hit.up, 1);
	check_eq(hit.ebi, 5);
	check_eq(hit.qci, 9);
	check_eq(hit.is.visited, id("00101"));
	check_eq(hit.is.home, 1);
	check(memcmp(hit.is.ue4, s.ue, 4) == 0);
	check(sessions_apn(x->sessions, hit.is.id, hit.is.life, apn));
	check(strcmp(apn, "meters.iot") == 0);
	check(tunnel(x, SGW, s.visited_teid + 1, &hit));
	check_eq(hit.up, 0);
	s.seq = 2;
	check_eq(gtpc_send(x, SGW, PGW, make_short(gtpc_wr(x), &s, 36, true)), GTPC_FORWARD);
	check(tunnel(x, PGW, s.gateway_teid + 1, &hit));
	check_eq(gtpc_send(x, PGW, SGW, make_short(gtpc_wr(x), &s, 37, false)), GTPC_FORWARD);
	check(!tunnel(x, PGW, s.gateway_teid + 1, &hit));
	check_eq(sessions_n(x->sessions), 0);
	gtpc_world_free(x);
}

TEST(a_pdp_context_of_gtpv1_is_a_session_too)
{
	struct gtpc_world *x = gtpc_world_new(&(struct gtpc_conf){ 0 });
	struct gtp_make s = gtpc_make();
	struct session_hit hit;

	x->w->profile[0].rats |= RAT_UTRAN;
	s.rat = 1;
	check_eq(gtpc_send(x, SGW, PGW, make1_create(gtpc_wr(x), &s)), GTPC_FORWARD);
	check_eq(gtpc_send(x, PGW, SGW, make1_created(gtpc_wr(x), &s)), GTPC_FORWARD);
	check(tunnel(x, PGW, s.gateway_teid + 1, &hit));
	check_eq(hit.up, 1);
	check(tunnel(x, SGW, s.visited_teid + 1, &hit));
	check_eq(hit.up, 0);
	check(memcmp(hit.is.ue4, s.ue, 4) == 0);
	/* The SGSN changes: the new one is in the same network. */
	memcpy(s.visited, SGW2, 4);
	s.visited_teid = 0x700;
	s.seq++;
	check_eq(gtpc_send(x, SGW2, PGW, make1_short(gtpc_wr(x), &s, 18, true)), GTPC_FORWARD);
	check_eq(gtpc_send(x, PGW, SGW2, make1_short(gtpc_wr(x), &s, 19, false)), GTPC_FORWARD);
	check(tunnel(x, SGW2, 0x701, &hit));
	check(!tunnel(x, SGW, 0x101, &hit));
	s.seq++;
	check_eq(gtpc_send(x, SGW2, PGW, make1_short(gtpc_wr(x), &s, 20, true)), GTPC_FORWARD);
	check_eq(gtpc_send(x, PGW, SGW2, make1_short(gtpc_wr(x), &s, 21, false)), GTPC_FORWARD);
	check_eq(sessions_n(x->sessions), 0);
	gtpc_world_free(x);
}

TEST(a_handover_takes_the_session_along_and_a_restart_ends_it)
{
	struct gtpc_world *x = gtpc_world_new(&(struct gtpc_conf){ 0 });
	struct gtp_make s = gtpc_make();
	struct session_hit hit;

	gtpc_open(x, &s);
	memcpy(s.visited, SGW2, 4);
	s.visited_teid = 0x300;
	s.seq = 9;
	check_eq(gtpc_send(x, SGW2, PGW, make_short(gtpc_wr(x), &s, 34, true)), GTPC_FORWARD);
	check_eq(gtpc_send(x, PGW, SGW2, make_short(gtpc_wr(x), &s, 35, false)), GTPC_FORWARD);
	check(tunnel(x, SGW2, 0x301, &hit));
	check(!tunnel(x, SGW, 0x101, &hit));
	check(tunnel(x, PGW, 0x9001, &hit));
	/* The gateway is asked whether it lives, and was started again. */
	check_eq(gtpc_send(x, PGW, SGW2, make_echo(gtpc_wr(x), 1, 50, 7)), GTPC_FORWARD);
	check_eq(gtpc_send(x, SGW2, PGW, make_echo(gtpc_wr(x), 2, 50, 3)), GTPC_FORWARD);
	check(tunnel(x, PGW, 0x9001, &hit));
	check_eq(gtpc_send(x, PGW, SGW2, make_echo(gtpc_wr(x), 1, 51, 7)), GTPC_FORWARD);
	check_eq(gtpc_send(x, SGW2, PGW, make_echo(gtpc_wr(x), 2, 51, 4)), GTPC_FORWARD);
	check(!tunnel(x, PGW, 0x9001, &hit));
	check_eq(gtpc_counts(x->g)->restarts, 1);
	gtpc_world_free(x);
}

/* What an attacker changes in a clean message, and what refuses it. */
struct attack {
	const char *name;
	enum check want;
	enum gtpc_act act;
	uint8_t cause;
	void (*send)(struct gtpc_world *, struct gtp_make *);
};

static void csr(struct gtpc_world *x, struct gtp_make *s)
{
	(void)gtpc_send(x, s->visited, PGW, make_csr(gtpc_wr(x), s));
}

static void stranger(struct gtpc_world *x, struct gtp_make *s)
{
	memcpy(s->visited, STRANGER, 4);
	csr(x, s);
}

static void other_place(struct gtpc_world *x, struct gtp_make *s)
{
	plmn_tbcd(id("20801"), s->plmn);
	csr(x, s);
}

static void other_node(struct gtpc_world *x, struct gtp_make *s)
{
	memcpy(s->visited, FAR_SGW, 4);
	(void)gtpc_send(x, SGW, PGW, make_csr(gtpc_wr(x), s));
}

static void not_ours(struct gtpc_world *x, struct gtp_make *s)
{
	s->imsi = id("208010000000001");
	csr(x, s);
}

static void unknown_sim(struct gtpc_world *x, struct gtp_make *s)
{
	s->imsi = id("999700000000999");
	csr(x, s);
}

static void wrong_apn(struct gtpc_world *x, struct gtp_make *s)
{
	s->apn = "internet";
	csr(x, s);
}

static void wrong_rat(struct gtpc_world *x, struct gtp_make *s)
{
	s->rat = 2;
	csr(x, s);
}

static void wrong_number(struct gtpc_world *x, struct gtp_make *s)
{
	s->msisdn = id("4917012345678");
	csr(x, s);
}

static void many_sessions(struct gtpc_world *x, struct gtp_make *s)
{
	for (uint8_t ebi = 5; ebi < 7; ebi++, s->seq++, s->visited_teid += 2, s->gateway_teid += 2) {
		s->ebi = ebi;
		gtpc_open(x, s);
	}
	s->ebi = 7;
	csr(x, s);
}

static void stolen_teid(struct gtpc_world *x, struct gtp_make *s)
{
	gtpc_open(x, s);
	s->imsi = id("999700000000002");
	s->seq++;
	s->recovery = -1;
	csr(x, s);
}

static void hijack(struct gtpc_world *x, struct gtp_make *s)
{
	gtpc_open(x, s);
	s->seq++;
	(void)gtpc_send(x, FAR_SGW, PGW, make_short(gtpc_wr(x), s, 36, true));
}

static void no_tunnel(struct gtpc_world *x, struct gtp_make *s)
{
	(void)gtpc_send(x, SGW, PGW, make_short(gtpc_wr(x), s, 36, true));
}

static void unasked(struct gtpc_world *x, struct gtp_make *s)
{
	(void)gtpc_send(x, SGW, PGW, make_short(gtpc_wr(x), s, 100, true));
}

static void same_number(struct gtpc_world *x, struct gtp_make *s)
{
	csr(x, s);
	s->apn = "other.iot";
	csr(x, s);
}

static void internal(struct gtpc_world *x, struct gtp_make *s)
{
	uint32_t none = 0;
	struct wr *w = gtpc_wr(x);
	size_t start = gtp2_begin(w, 130, &none, s->seq);

	gtp_end(w, start, GTP_HEAD_V2);
	(void)gtpc_send(x, SGW, PGW, wr_done(w));
}

static void path_flood(struct gtpc_world *x, struct gtp_make *s)
{
	for (uint32_t seq = 1; seq < 300 && x->out.act == GTPC_FORWARD; seq++)
		(void)gtpc_send(x, SGW, PGW, make_echo(gtpc_wr(x), 1, seq, 4));
	(void)s;
}

static void behind(struct gtpc_world *x, struct gtp_make *s)
{
	struct wr *w = gtpc_wr(x);

	(void)make_csr(w, s);
	(void)make_echo(w, 1, 77, 4);
	(void)gtpc_send(x, SGW, PGW, wr_done(w));
}

static void claims_us(struct gtpc_world *x, struct gtp_make *s)
{
	struct gtpc_packet p = { .payload = make_csr(gtpc_wr(x), s), .from = { PGW, 4 }, .to = { PGW, 4 },
				 .from_port = 2123, .to_port = 2123, .side = GTPC_OUTSIDE };

	p.now_ms = x->now_ms;
	(void)gtpc_take(x->g, &p, &x->out);
}

static const struct attack attacks[] = {
	{ "an address of nobody's", CHECK_PEER_UNKNOWN, GTPC_DROP, 0, stranger },
	{ "an address of ours, from outside", CHECK_ORIGIN_OURS, GTPC_REPLY, 92, claims_us },
	{ "another serving network", CHECK_VISITED_PLMN, GTPC_REPLY, 92, other_place },
	{ "tunnels at another network's node", CHECK_NODE_ADDRESS, GTPC_REPLY, 92, other_node },
	{ "a subscriber of others at our gateway", CHECK_CAT3_FOREIGN, GTPC_REPLY, 96, not_ours },
	{ "a SIM that was never made", CHECK_UNKNOWN_SUB, GTPC_REPLY, 96, unknown_sim },
	{ "an APN of others", CHECK_APN, GTPC_REPLY, 78, wrong_apn },
	{ "another radio", CHECK_RAT, GTPC_REPLY, 82, wrong_rat },
	{ "another MSISDN", CHECK_MSISDN, GTPC_REPLY, 93, wrong_number },
	{ "a third session of one APN (R-5.6.3.d)", CHECK_SESSIONS, GTPC_REPLY, 73, many_sessions },
	{ "a TEID in use", CHECK_FORM_REUSED, GTPC_REPLY, 73, stolen_teid },
	{ "another network ends a session", CHECK_SESSION_NETWORK, GTPC_REPLY, 64, hijack },
	{ "a tunnel that nobody has", CHECK_FORM_TUNNEL, GTPC_REPLY, 64, no_tunnel },
	{ "an answer nobody asked for", CHECK_FORM_UNASKED, GTPC_DROP, 100, unasked },
	{ "a number in use", CHECK_FORM_SEQUENCE, GTPC_DROP, 0, same_number },
	{ "what MMEs say to each other", CHECK_CAT1_COMMAND, GTPC_DROP, 0, internal },
	{ "a flood of Echo", CHECK_PATH_RATE, GTPC_DROP, 0, path_flood },
	{ "a message behind a message", CHECK_FORM_LAYERS, GTPC_REPLY, 73, behind },
};

TEST(attacks_are_refused_by_the_check_they_are_about)
{
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
		const struct attack *a = &attacks[i];
		struct gtpc_world *x = gtpc_world_new(&(struct gtpc_conf){ 0 });
		struct gtp_make s = gtpc_make();

		x->w->sub[0].msisdn = id("4917099999999");
		printf("  %s\n", a->name);
		a->send(x, &s);
		check(x->out.judged);
		check_eq(x->out.verdict.check, a->want);
		check_eq(x->out.act, a->act);
		if (a->act == GTPC_REPLY)
			check_eq(x->out.cause, a->cause);
		gtpc_world_free(x);
	}
}

/* TS 29.274 7.6: who repeats a request gets the same answer, whatever has happened meanwhile. */
TEST(a_refusal_is_repeated_word_by_word)
{
	struct gtpc_world *x = gtpc_world_new(&(struct gtpc_conf){ 0 });
	struct gtp_make s = gtpc_make();
	uint8_t first[GTPC_ANSWER];
	struct gtp_head h;
	struct msg m;
	static uint8_t room[16384];
	struct arena mem = { room, 0, sizeof room };
	size_t n;

	s.apn = "internet";
	csr(x, &s);
	check_eq(x->out.act, GTPC_REPLY);
	n = x->out.reply.n;
	memcpy(first, x->out.reply.p, n);
	check_eq(gtp_head(&h, x->out.reply), ERR_OK);
	check_eq(h.type, 33);
	check_eq(h.teid, s.visited_teid);
	check_eq(h.seq, s.seq);
	check_eq(gtp2_parse(&m, &h, &mem), ERR_OK);
	check_eq(tab_get(&m, IE_CAUSE).p[0], 78);
	x->w->profile[0].apn[0] = (struct apn_row){ .name = "internet" };
	x->now_ms += 3000;
	csr(x, &s);
	check(x->out.again);
	check(view_eq(x->out.reply, (struct view){ first, n }));
	x->now_ms += 60000; /* nobody repeats it any more: it is another request */
	csr(x, &s);
	check_eq(x->out.act, GTPC_FORWARD);
	gtpc_world_free(x);
}

TEST(a_request_that_waits_may_be_repeated_and_its_answer_too)
{
	struct gtpc_world *x = gtpc_world_new(&(struct gtpc_conf){ 0 });
	struct gtp_make s = gtpc_make();

	for (int i = 0; i < 3; i++) {
		csr(x, &s);
		check_eq(x->out.act, GTPC_FORWARD);
		check_eq(x->out.again, i > 0);
	}
	for (int i = 0; i < 3; i++) {
		check_eq(gtpc_send(x, PGW, SGW, make_csa(gtpc_wr(x), &s)), GTPC_FORWARD);
		check_eq(x->out.again, i > 0);
	}
	csr(x, &s);
	check(x->out.again);
	check_eq(sessions_n(x->sessions), 1);
	gtpc_world_free(x);
}

/* Requests that a gateway does not answer, until it has too many: what comes then is refused. */
static void overload(struct gtpc_world *x, struct gtp_make *s)
{
	gtpc_open(x, s); /* the gateway is known from now on */
	s->imsi = id("999700000000003");
	s->recovery = -1;
	for (uint32_t n = 0; n < 3000 && x->out.act == GTPC_FORWARD; n++) {
		s->seq++;
		s->visited_teid += 2;
		csr(x, s);
	}
	check_eq(x->out.act, GTPC_REPLY);
	check_eq(x->out.verdict.check, CHECK_ADMISSION);
}

/* .f, R-5.6.3.a: the back-off goes out in the words of both versions; and never on an APN that a
 * critical profile uses. */
TEST(a_gateway_with_too_much_to_do_has_a_back_off_told)
{
	struct gtpc_world *x = gtpc_world_new(&(struct gtpc_conf){ .waiting_max = 65536 });
	struct gtp_make s = gtpc_make();
	static uint8_t room[16384];
	struct arena mem = { room, 0, sizeof room };
	struct gtp_head h;
	struct msg m;

	x->w->sub[2] = x->w->sub[0];
	x->w->sub[2].imsi = id("999700000000003");
	x->w->sub_n = x->w->sub_n > 3 ? x->w->sub_n : 3;
	x->w->profile[0].rats |= RAT_UTRAN;
	x->w->profile[0].apn[1] = (struct apn_row){ .name = "cardio.iot" };
	x->w->profile[0].apn_n = 2;
	overload(x, &s);
	check_eq(x->out.cause, 113);
	check(x->out.verdict.backoff_ms >= 2000);
	check_eq(gtp_head(&h, x->out.reply), ERR_OK);
	check_eq(gtp2_parse(&m, &h, &mem), ERR_OK);
	check_eq(tab_get(&m, IE_CAUSE).p[0], 113);
	check_eq(tab_get(&m, IE_TIMER).p[0], calendar_epc_octet(x->out.verdict.backoff_ms / 1000));
	s.seq++;
	check_eq(gtpc_send(x, SGW, PGW, make1_create(gtpc_wr(x), &s)), GTPC_REPLY);
	check_eq(x->out.cause, 229);
	check_eq(gtp_head(&h, x->out.reply), ERR_OK);
	check_eq(gtp1_parse(&m, &h, &mem), ERR_OK);
	check_eq(tab_get(&m, IE1_BACKOFF).n, 1);
	s.seq++;
	s.apn = "cardio.iot";
	csr(x, &s);
	check_eq(x->out.act, GTPC_REPLY);
	check_eq(x->out.cause, 73);
	check_eq(x->out.verdict.backoff_ms, 0);
	/* A critical subscriber is let in all the same (R-5.6.3.c). */
	s.seq++;
	s.imsi = id("999700000000002");
	csr(x, &s);
	check_eq(x->out.act, GTPC_FORWARD);
	gtpc_world_free(x);
}

/* .b: what begins while sessions are not known yet is let pass for a while, and no longer. */
TEST(what_began_before_us_is_let_pass_at_first)
{
	struct gtpc_world *x = gtpc_world_new(&(struct gtpc_conf){ .late_ms = 5000 });
	struct gtp_make s = gtpc_make();

	check_eq(gtpc_send(x, SGW, PGW, make_short(gtpc_wr(x), &s, 36, true)), GTPC_FORWARD);
	check_eq(gtpc_send(x, SGW, PGW, make_short(gtpc_wr(x), &s, 100, true)), GTPC_FORWARD);
	x->now_ms += 6000;
	s.seq++;
	check_eq(gtpc_send(x, SGW, PGW, make_short(gtpc_wr(x), &s, 36, true)), GTPC_REPLY);
	check_eq(gtpc_send(x, SGW, PGW, make_short(gtpc_wr(x), &s, 100, true)), GTPC_DROP);
	gtpc_world_free(x);
}

TESTS(T(a_session_is_learned_from_its_request_and_answer), T(a_pdp_context_of_gtpv1_is_a_session_too),
      T(a_handover_takes_the_session_along_and_a_restart_ends_it),
      T(attacks_are_refused_by_the_check_they_are_about), T(a_refusal_is_repeated_word_by_word),
      T(a_gateway_with_too_much_to_do_has_a_back_off_told),
      T(a_request_that_waits_may_be_repeated_and_its_answer_too),
      T(what_began_before_us_is_let_pass_at_first))
