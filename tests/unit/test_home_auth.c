/* Authentication vectors, from the bytes of an AIR to those of the AIA, judged by a USIM of the
 * test's own: MILENAGE from the crypto room, acceptance of SQN from TS 33.102 Annex C. */
#include "home/s6a.h"
#include "unit/home_fixture.h"
#include <fcntl.h>
#include <unistd.h>

static struct page request, answer;
static struct aka *aka;
static struct sqn *sqn;
static int sqn_fd = -1;

/* A card: what it holds, and the highest SEQ it has accepted for each IND. */
struct card {
	struct aka_key key;
	uint64_t seq[32], seq_max;
};

static struct aka_key card_key(void)
{
	struct aka_key k = {.amf = {0, 0}};

	memset(k.k.b, 0x46, 16);
	memset(k.opc.b, 0xcd, 16);
	return k;
}

/* What the card makes of RAND and AUTN: its XRES, CK, IK if the network is genuine and SQN is
 * fresh. */
enum verdict { ACCEPTED, FORGED, STALE };
static enum verdict challenge(struct card *c, struct view rand, struct view autn, bool eps,
			      struct aka_vector *own)
{
	struct aka_key k = c->key;
	uint8_t ak[6];
	uint64_t got = 0, ind, seq;

	k.amf[0] = autn.p[6];
	k.amf[1] = autn.p[7];
	check_eq(autn.p[6] & 0x80, eps ? 0x80 : 0); /* the separation bit: TS 33.401 6.1.1 */
	check_eq(aka_vector(aka, &k, rand.p, 0, own), ERR_OK); /* SQN 0 shows AK */
	memcpy(ak, own->autn, sizeof ak);
	for (size_t i = 0; i < 6; i++)
		got = got << 8 | (autn.p[i] ^ ak[i]);
	check_eq(aka_vector(aka, &k, rand.p, got, own), ERR_OK);
	if (memcmp(own->autn, autn.p, 16) != 0)
		return FORGED;
	ind = got & 31;
	seq = got >> 5;
	if (seq <= c->seq[ind] || (seq > c->seq_max && seq - c->seq_max > SQN_DELTA))
		return STALE;
	c->seq[ind] = seq;
	c->seq_max = seq > c->seq_max ? seq : c->seq_max;
	return ACCEPTED;
}

static void open_sqn(uint64_t wall)
{
	char name[] = "/tmp/merlon-sqn-XXXXXX";

	if (sqn)
		sqn_close(sqn);
	if (sqn_fd < 0) {
		sqn_fd = mkstemp(name);
		unlink(name);
	}
	check_eq(sqn_open(&sqn, sqn_fd, wall), ERR_OK);
	if (!aka)
		aka = aka_new();
	check(aka);
}

static void air(uint32_t eps_n, uint32_t utran_n, struct view resync)
{
	size_t start = ask_begin(&request, DIA_APP_S6A, 318), group;

	dia_put(&request.w, AVP_USER_NAME, VIEW("999700000000001"));
	if (eps_n) {
		group = dia_open(&request.w, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO);
		dia_put_u32(&request.w, AVP_NUMBER_OF_REQUESTED_VECTORS, eps_n);
		dia_put_u32(&request.w, AVP_IMMEDIATE_RESPONSE_PREFERRED, 1);
		if (resync.n)
			dia_put(&request.w, AVP_RE_SYNCHRONIZATION_INFO, resync);
		dia_close(&request.w, group);
	}
	if (utran_n) {
		group = dia_open(&request.w, AVP_REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO);
		dia_put_u32(&request.w, AVP_NUMBER_OF_REQUESTED_VECTORS, utran_n);
		dia_close(&request.w, group);
	}
	dia_put(&request.w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	dia_end(&request.w, start);
	page_parse(&request);
}

/* One AIR at a time; the answer is parsed by its row. */
static struct auth_result ask(const struct sub_row *s, const struct profile_row *p,
			      const struct reg_row *reg, const struct aka_key *key, uint64_t wall)
{
	struct home_rows rows = {.sub = s, .profile = p, .reg = reg};
	struct home_self self = this_home();
	struct auth_means means = {aka, sqn, wall};
	struct s6a_in in = {&request.m, &request.h, me(), NULL};
	struct auth_request q;
	struct auth_result r;

	s6a_air_read(&request.m, &q);
	authenticate(&self, &means, &rows, key, &q, &r);
	page_clear(&answer);
	s6a_aia_write(&answer.w, &in, &r);
	page_parse(&answer);
	return r;
}

static struct view in_slot(const struct slot *group, uint16_t field)
{
	const struct slot *s = tab_next(&answer.m, group, field, NULL);

	check(s);
	return s->value;
}

/* Every vector of a kind against the card; returns how many. */
static size_t verify(struct card *c, uint16_t kind)
{
	const struct slot *info = tab_slot(&answer.m, AVP_AUTHENTICATION_INFO), *v = NULL;
	uint8_t kasme[32], sres[4], kc[8];
	struct aka_vector own;
	size_t n = 0;

	check(info);
	while ((v = tab_next(&answer.m, info, kind, v))) {
		check_eq(dia_u32(in_slot(v, AVP_ITEM_NUMBER)), ++n);
		if (kind == AVP_GERAN_VECTOR) { /* no AUTN: the card only has RAND */
			check_eq(aka_vector(aka, &c->key, in_slot(v, AVP_RAND).p, 0, &own), ERR_OK);
			aka_geran(&own, sres, kc);
			check(memcmp(sres, in_slot(v, AVP_SRES).p, 4) == 0);
			check(memcmp(kc, in_slot(v, AVP_KC).p, 8) == 0);
			continue;
		}
		check_eq(challenge(c, in_slot(v, AVP_RAND), in_slot(v, AVP_AUTN),
				   kind == AVP_E_UTRAN_VECTOR, &own),
			 ACCEPTED);
		check(memcmp(own.xres, in_slot(v, AVP_XRES).p, 8) == 0);
		if (kind == AVP_UTRAN_VECTOR) {
			check(memcmp(own.ck.b, in_slot(v, AVP_CONFIDENTIALITY_KEY).p, 16) == 0);
			check(memcmp(own.ik.b, in_slot(v, AVP_INTEGRITY_KEY).p, 16) == 0);
			continue;
		}
		check_eq(aka_kasme(aka, &own, (const uint8_t *)"\x00\xf1\x10", kasme), ERR_OK);
		check(memcmp(kasme, in_slot(v, AVP_KASME).p, 32) == 0);
	}
	return n;
}

TEST(a_card_accepts_every_vector_of_every_batch)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct card c = {.key = card_key()};

	open_sqn(WALL);
	p.rats |= RAT_UTRAN;
	for (uint32_t n = 1; n <= 5; n++) {
		air(n, 0, VIEW(""));
		check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_OK);
		check_eq(verify(&c, AVP_E_UTRAN_VECTOR), n);
		check_eq(result_of(&answer.m), 2001);
		check_eq(dia_u32(tab_get(&answer.m, AVP_AUTH_SESSION_STATE)), 1);
	}
	air(2, 3, VIEW(""));
	ask(&s, &p, &reg, &c.key, WALL);
	check_eq(verify(&c, AVP_E_UTRAN_VECTOR), 2);
	check_eq(verify(&c, AVP_UTRAN_VECTOR), 3);
	air(32, 0, VIEW("")); /* more than any node may ask for */
	ask(&s, &p, &reg, &c.key, WALL);
	check_eq(verify(&c, AVP_E_UTRAN_VECTOR), 5);
	for (size_t i = 0; i < 32; i++) /* node 1: IND 8 for the MME, 9 for the SGSN */
		check_eq(c.seq[i] != 0, i == 8 || i == 9);
}

TEST(a_profile_without_utran_gets_triplets)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct card c = {.key = card_key()};

	open_sqn(WALL);
	p.rats = RAT_GERAN;
	air(0, 3, VIEW(""));
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_OK);
	check_eq(verify(&c, AVP_GERAN_VECTOR), 3);
	check_eq(verify(&c, AVP_UTRAN_VECTOR), 0);
}

/* .b: a card in test; without the mark its key makes nothing. */
TEST(a_card_that_knows_triplets_alone_gets_no_more)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct card c = {.key = {.alg = AKA_COMP128_3, .k = card_key().k}};

	open_sqn(WALL);
	p.rats |= RAT_UTRAN | RAT_GERAN;
	s.alg = ALG_COMP128_3;
	s.flags = SUB_TEST;
	air(0, 2, VIEW(""));
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_OK);
	check_eq(verify(&c, AVP_GERAN_VECTOR), 2);
	check_eq(verify(&c, AVP_UTRAN_VECTOR), 0);
	air(1, 0, VIEW(""));
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_NO_EPS);
	s.flags = 0;
	air(0, 2, VIEW(""));
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_NO_VECTORS);
	s.flags = SUB_TEST;
	p.rats = RAT_UTRAN;
	air(0, 2, VIEW(""));
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_RAT);
}

TEST(xor_makes_vectors_for_a_card_in_test_alone)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct card c = {.key = {.alg = AKA_XOR, .k = card_key().k}};

	open_sqn(WALL);
	s.alg = ALG_XOR;
	air(2, 0, VIEW(""));
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_NO_VECTORS);
	s.flags = SUB_TEST;
	air(2, 0, VIEW(""));
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_OK);
	check_eq(verify(&c, AVP_E_UTRAN_VECTOR), 2);
}

/* AUTS as the card makes it (TS 33.102 6.3.3): SQN_MS under AK*, and MAC-S under AMF 0000. */
static void make_auts(const struct card *c, const uint8_t rand[16], uint8_t auts[14])
{
	struct aka_key k = c->key;
	uint64_t sqn_ms = c->seq_max << 5;
	struct aka_f f;

	k.amf[0] = k.amf[1] = 0;
	check_eq(aka_milenage(aka, &k, rand, sqn_ms, &f), ERR_OK);
	for (unsigned int i = 0; i < 6; i++)
		auts[i] = (uint8_t)(sqn_ms >> 8 * (5 - i)) ^ f.ak_s[i];
	memcpy(auts + 6, f.mac_s, 8);
}

TEST(a_card_that_is_ahead_resynchronises_and_stays_so_after_a_restart)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct card c = {.key = card_key()};
	uint8_t info[30];
	struct aka_vector own;
	struct auth_result r;

	open_sqn(WALL);
	c.seq_max = c.seq[8] = (uint64_t)1 << 40; /* keys that came from another AuC */
	air(1, 0, VIEW(""));
	ask(&s, &p, &reg, &c.key, WALL);
	{
		const struct slot *v =
		    tab_slot(&answer.m, AVP_AUTHENTICATION_INFO, AVP_E_UTRAN_VECTOR);

		check_eq(challenge(&c, in_slot(v, AVP_RAND), in_slot(v, AVP_AUTN), true, &own),
			 STALE);
		memcpy(info, in_slot(v, AVP_RAND).p, 16);
	}
	make_auts(&c, info, info + 16);
	air(2, 0, (struct view){info, sizeof info});
	r = ask(&s, &p, &reg, &c.key, WALL);
	check(r.resynced);
	check(r.store); /* so the answer waits for the commit */
	check_eq(verify(&c, AVP_E_UTRAN_VECTOR), 2);
	reg = r.reg;

	open_sqn(WALL - 3600000); /* a crash, and the clock an hour back */
	air(5, 0, VIEW(""));
	r = ask(&s, &p, &reg, &c.key, WALL - 3600000);
	check(!r.store);
	check_eq(verify(&c, AVP_E_UTRAN_VECTOR), 5);

	air(1, 0,
	    (struct view){info, sizeof info}); /* the same AUTS again, by someone who listened */
	r = ask(&s, &p, &reg, &c.key, WALL);
	check(!r.store);
	check_eq(verify(&c, AVP_E_UTRAN_VECTOR), 1);
}

TEST(a_forged_auts_changes_nothing)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct card c = {.key = card_key()};
	uint8_t info[30] = {1, 2, 3};
	struct auth_result r;

	open_sqn(WALL);
	air(1, 0, (struct view){info, sizeof info});
	r = ask(&s, &p, &reg, &c.key, WALL);
	check(!r.resynced);
	check(!r.store);
	check_eq(r.reg.dif, 0);
	check_eq(verify(&c, AVP_E_UTRAN_VECTOR), 1);
}

TEST(a_subscriber_who_may_not_attach_hears_it_in_the_aia)
{
	static const struct {
		const char *why;
		uint8_t life, flags;
		bool no_sub, no_key, elsewhere;
		uint32_t eps_n, utran_n, code, diagnostic;
	} cases[] = {
	    {"unknown", LIFE_ACTIVE, 0, true, false, false, 1, 0, 5001, 0},
	    {"suspended", LIFE_SUSPENDED, 0, false, false, false, 1, 0, 5420, 0},
	    {"retired", LIFE_RETIRED, 0, false, false, false, 1, 0, 5420, 0},
	    {"in stock", LIFE_INVENTORY, 0, false, false, false, 1, 0, 5420, 0},
	    {"greylisted", LIFE_ACTIVE, SUB_GREY, false, false, false, 1, 0, 5004, 2},
	    {"network not in the profile", LIFE_ACTIVE, 0, false, false, true, 1, 0, 5004, 0},
	    {"no radio of that kind", LIFE_ACTIVE, 0, false, false, false, 0, 1, 5421, 0},
	    {"no key", LIFE_ACTIVE, 0, false, true, false, 1, 0, 4181, 0},
	    {"fine", LIFE_TEST_READY, 0, false, false, false, 1, 0, 2001, 0},
	};

	open_sqn(WALL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct profile_row p = meter_profile();
		struct sub_row s = meter_sub();
		struct reg_row reg = no_registration();
		struct aka_key key = card_key();

		printf("  %s\n", cases[i].why);
		s.life = cases[i].life;
		s.flags = cases[i].flags;
		s.grey_until = WALL / 1000 + 60;
		p.country_n = cases[i].elsewhere;
		p.country[0] = bcd_of(VIEW("262"));
		air(cases[i].eps_n, cases[i].utran_n, VIEW(""));
		ask(cases[i].no_sub ? NULL : &s, &p, &reg, cases[i].no_key ? NULL : &key, WALL);
		check_eq(result_of(&answer.m), cases[i].code);
		check_eq(dia_u32(tab_get(&answer.m, AVP_ERROR_DIAGNOSTIC)), cases[i].diagnostic);
		check_eq(tab_slot(&answer.m, AVP_AUTHENTICATION_INFO) != NULL,
			 cases[i].code == 2001);
	}
}

TEST(a_critical_subscription_is_served_though_greylisted)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct aka_key key = card_key();

	open_sqn(WALL);
	s.flags = SUB_GREY;
	s.grey_until = UINT32_MAX;
	s.prio = PRIO_CRITICAL;
	air(1, 0, VIEW(""));
	check_eq(ask(&s, &p, &reg, &key, WALL).result, RESULT_OK);
}

TEST(of_two_kinds_the_one_the_profile_lacks_is_left_out)
{
	struct profile_row p = meter_profile();
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct card c = {.key = card_key()};

	open_sqn(WALL);
	air(2, 2, VIEW("")); /* a meter knows no UTRAN */
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_OK);
	check_eq(verify(&c, AVP_E_UTRAN_VECTOR), 2);
	check_eq(verify(&c, AVP_UTRAN_VECTOR), 0);
	p.rats = RAT_UTRAN; /* but it is E-UTRAN that is waited for */
	check_eq(ask(&s, &p, &reg, &c.key, WALL).result, RESULT_NO_EPS);
}

TEST(proxy_info_comes_back_and_route_records_do_not)
{
	struct reg_row reg = no_registration();
	size_t start = ask_begin(&request, DIA_APP_S6A, 318), group;

	open_sqn(WALL);
	dia_put(&request.w, AVP_USER_NAME, VIEW("999700000000001"));
	dia_put(&request.w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
	for (int i = 0; i < 2; i++) {
		group = dia_open(&request.w, AVP_PROXY_INFO);
		dia_put(&request.w, AVP_PROXY_HOST, i ? VIEW("dra2.x.org") : VIEW("dra1.x.org"));
		dia_put(&request.w, AVP_PROXY_STATE, VIEW("\x01\x02"));
		dia_close(&request.w, group);
	}
	dia_put(&request.w, AVP_ROUTE_RECORD, VIEW("dra1.x.org"));
	dia_end(&request.w, start);
	page_parse(&request);
	ask(NULL, NULL, &reg, NULL, WALL);
	{
		const struct slot *s = tab_next(&answer.m, NULL, AVP_PROXY_INFO, NULL);

		check(view_eq(in_slot(s, AVP_PROXY_HOST), VIEW("dra1.x.org")));
		s = tab_next(&answer.m, NULL, AVP_PROXY_INFO, s);
		check(view_eq(in_slot(s, AVP_PROXY_HOST), VIEW("dra2.x.org")));
	}
	check(!tab_slot(&answer.m, AVP_ROUTE_RECORD));
	check_eq(answer.h.hop_by_hop, 7);
	check_eq(answer.h.end_to_end, 9);
}

TEST(load_is_told_only_to_those_who_understand_it)
{
	struct reg_row reg = no_registration();
	struct home_load load = {
	    .value = 1000, .sequence = 5, .report = true, .reduction = 40, .validity_s = 10};
	struct s6a_in in = {&request.m, &request.h, me(), &load};
	struct auth_result r = {.result = RESULT_NO_VECTORS, .reg = reg};

	for (int doic = 0; doic < 2; doic++) {
		size_t start = ask_begin(&request, DIA_APP_S6A, 318);

		dia_put(&request.w, AVP_USER_NAME, VIEW("999700000000001"));
		dia_put(&request.w, AVP_VISITED_PLMN_ID, VIEW("\x00\xf1\x10"));
		if (doic) {
			size_t group = dia_open(&request.w, AVP_OC_SUPPORTED_FEATURES);

			dia_put_u64(&request.w, AVP_OC_FEATURE_VECTOR, 1);
			dia_close(&request.w, group);
		}
		dia_end(&request.w, start);
		page_parse(&request);
		page_clear(&answer);
		s6a_aia_write(&answer.w, &in, &r);
		page_parse(&answer);
		check_eq(tab_slot(&answer.m, AVP_LOAD) != NULL, doic);
		check_eq(tab_slot(&answer.m, AVP_OC_OLR) != NULL, doic);
		check_eq(dia_u32(tab_get(&answer.m, AVP_OC_OLR, AVP_OC_REDUCTION_PERCENTAGE)),
			 doic ? 40 : 0);
	}
}

TESTS(T(a_card_accepts_every_vector_of_every_batch), T(a_profile_without_utran_gets_triplets),
      T(a_card_that_knows_triplets_alone_gets_no_more), T(xor_makes_vectors_for_a_card_in_test_alone),
      T(a_card_that_is_ahead_resynchronises_and_stays_so_after_a_restart),
      T(a_forged_auts_changes_nothing), T(a_subscriber_who_may_not_attach_hears_it_in_the_aia),
      T(a_critical_subscription_is_served_though_greylisted),
      T(of_two_kinds_the_one_the_profile_lacks_is_left_out),
      T(proxy_info_comes_back_and_route_records_do_not),
      T(load_is_told_only_to_those_who_understand_it))
