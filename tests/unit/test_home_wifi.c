/* Wi-Fi access: the lines of hostapd, who may have vectors and which, and how many. */
#include "home/auc_text.h"
#include "home/vector_limit.h"
#include "unit/home_fixture.h"
#include <fcntl.h>
#include <sys/mman.h>

/* --- lines --- */

static enum err parse(const char *line, struct auc_request *q)
{
	return auc_parse(view_of(line), q);
}

TEST(a_line_of_hostapd_is_read)
{
	struct auc_request q;

	check_eq(parse("SIM-REQ-AUTH 999700000000001 3", &q), ERR_OK);
	check_eq(q.kind, AUC_SIM);
	check_eq(q.imsi, IMSI);
	check_eq(q.n, 3);
	check_eq(parse("AKA-REQ-AUTH 999700000000001", &q), ERR_OK);
	check_eq(q.kind, AUC_AKA);
	check(view_eq(q.who, VIEW("999700000000001")));
	check_eq(parse("AKA-AUTS 999700000000001 a0a1a2a3a4a5a6a7a8a9aaabacad "
		       "000102030405060708090A0b0c0d0e0f", &q),
		 ERR_OK);
	check_eq(q.kind, AUC_AUTS);
	for (unsigned int i = 0; i < AUC_RESYNC; i++) /* RAND first, as Re-Synchronization-Info has it */
		check_eq(q.resync[i], i < 16 ? i : 0xa0 + i - 16);
}

TEST(what_is_no_line_of_hostapd_is_refused)
{
	static const char *const lines[] = {
	    "",
	    " ",
	    "AKA-REQ-AUTH",
	    "AKA-REQ-AUTH ",
	    "aka-req-auth 999700000000001",
	    "AKA-REQ-AUTH  999700000000001",
	    " AKA-REQ-AUTH 999700000000001",
	    "AKA-REQ-AUTH 999700000000001 ",
	    "AKA-REQ-AUTH 999700000000001\n",
	    "AKA-REQ-AUTH 999700000000001 1",
	    "AKA-REQ-AUTH 123456789012345678901", /* 21 */
	    "SIM-REQ-AUTH 999700000000001",
	    "SIM-REQ-AUTH 999700000000001 0",
	    "SIM-REQ-AUTH 999700000000001 6",
	    "SIM-REQ-AUTH 999700000000001 03",
	    "AKA-AUTS 999700000000001",
	    "AKA-AUTS 999700000000001 a0a1a2a3a4a5a6a7a8a9aaabacad",
	    "AKA-AUTS 999700000000001 a0a1a2a3a4a5a6a7a8a9aaabac 000102030405060708090a0b0c0d0e0f",
	    "AKA-AUTS 999700000000001 a0a1a2a3a4a5a6a7a8a9aaabacxx 000102030405060708090a0b0c0d0e0f",
	    "HLR-DUMP 1",
	};
	uint8_t longer[AUC_LINE_MAX + 1];
	struct auc_request q;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		printf("  %s\n", lines[i]);
		check_eq(parse(lines[i], &q), ERR_VALUE);
	}
	memset(longer, '1', sizeof longer);
	memcpy(longer, "AKA-REQ-AUTH ", 13);
	check_eq(auc_parse((struct view){longer, sizeof longer}, &q), ERR_VALUE);
}

TEST(an_identity_that_is_no_imsi_is_nobody)
{
	static const char *const lines[] = {"AKA-REQ-AUTH abc", "AKA-REQ-AUTH 12345",
					    "AKA-REQ-AUTH 1234567890123456", "AKA-REQ-AUTH %s%n"};
	struct auc_request q;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		check_eq(parse(lines[i], &q), ERR_OK);
		check_eq(q.imsi, 0);
		check(q.who.n > 0);
	}
}

/* --- vectors --- */

static struct aka *aka;
static struct sqn *sqn;

static struct aka_key milenage(void)
{
	struct aka_key k = {.alg = AKA_MILENAGE};

	memset(k.k.b, 0x46, 16);
	memset(k.opc.b, 0xcd, 16);
	return k;
}

static struct auth_result ask(const struct profile_row *p, const struct aka_key *key, uint32_t triplets)
{
	struct sub_row s = meter_sub();
	struct reg_row reg = no_registration();
	struct home_rows rows = {.sub = &s, .profile = p, .reg = &reg};
	struct home_self self = this_home();
	const uint16_t methods = triplets ? SERVICE_WIFI_SIM : SERVICE_WIFI_AKA | SERVICE_WIFI_AKA_PRIME;
	struct wifi_request q = {.imsi = IMSI, .methods = methods, .n = triplets};
	struct auth_means means = {.wall_ms = WALL};
	struct auth_result r;

	if (!aka) {
		aka = aka_new();
		check(aka);
		check_eq(sqn_open(&sqn, memfd_create("sqn", 0), WALL), ERR_OK);
	}
	s.alg = key && key->alg == AKA_TUAK ? ALG_TUAK : ALG_MILENAGE;
	means.aka = aka;
	means.sqn = sqn;
	authenticate_wifi(&self, &means, &rows, key, &q, &r);
	return r;
}

static const char *line_of(const char *question, const struct auth_result *r)
{
	static uint8_t room[512];
	struct wr w = {.p = room, .cap = sizeof room - 1};
	struct auc_request q;

	check_eq(parse(question, &q), ERR_OK);
	auc_put(&w, &q, r);
	check_eq(w.err, ERR_OK);
	room[w.n] = 0;
	return (const char *)room;
}

static void hex(char *to, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(to + 2 * i, 3, "%02x", p[i]);
}

TEST(eap_aka_is_given_one_quintuplet_with_a_fresh_sqn)
{
	struct profile_row p = meter_profile();
	struct aka_key key = milenage();
	struct auth_result a, b;
	char want[400] = "AKA-RESP-AUTH 999700000000001 ", *to = want + strlen(want);
	const struct aka_vector *v = &a.utran[0];

	p.services = SERVICE_WIFI_AKA;
	a = ask(&p, &key, 0);
	b = ask(&p, &key, 0);
	check_eq(a.result, RESULT_OK);
	check_eq(a.utran_n, 1);
	check(!a.gsm);
	check(memcmp(a.utran[0].rand, b.utran[0].rand, 16) != 0);
	check_eq(a.utran[0].autn[6] & 0x80, 0); /* no KASME can be made of it */
	hex(to, v->rand, 16);
	hex(to + 33, v->autn, 16);
	hex(to + 66, v->ik.b, 16);
	hex(to + 99, v->ck.b, 16);
	hex(to + 132, v->xres, 8);
	for (size_t i = 32; i < 132; i += 33)
		to[i] = ' ';
	check(strcmp(line_of("AKA-REQ-AUTH 999700000000001", &a), want) == 0);
}

TEST(the_separation_bit_is_set_for_eap_aka_prime)
{
	struct profile_row p = meter_profile();
	struct aka_key key = milenage();
	struct auth_result r;

	p.services = SERVICE_WIFI_AKA_PRIME;
	r = ask(&p, &key, 0);
	check_eq(r.result, RESULT_OK);
	check_eq(r.utran[0].autn[6] & 0x80, 0x80);
}

TEST(eap_sim_is_given_triplets_of_different_rands)
{
	struct profile_row p = meter_profile();
	struct aka_key key = milenage();
	struct auth_result r;
	uint8_t sres[4], kc[8];
	char want[64];
	const char *line;

	p.services = SERVICE_WIFI_SIM;
	p.rats |= RAT_GERAN;
	r = ask(&p, &key, 5);
	check_eq(r.result, RESULT_OK);
	check_eq(r.utran_n, 5);
	line = line_of("SIM-REQ-AUTH 999700000000001 5", &r);
	check(strncmp(line, "SIM-RESP-AUTH 999700000000001 ", 30) == 0);
	for (size_t i = 0; i < 5; i++) {
		aka_geran(&r.utran[i], sres, kc);
		hex(want, kc, 8);
		hex(want + 17, sres, 4);
		hex(want + 26, r.utran[i].rand, 16);
		want[16] = want[25] = ':';
		check(strncmp(line + 30 + i * 59, want, 58) == 0);
		for (size_t j = 0; j < i; j++)
			check(memcmp(r.utran[i].rand, r.utran[j].rand, 16) != 0);
	}
	/* What was made for one kind is not sent as the other. */
	check(strcmp(line_of("AKA-REQ-AUTH 999700000000001", &r),
		     "AKA-RESP-AUTH 999700000000001 FAILURE") == 0);
}

TEST(res_is_as_long_as_tuak_makes_it)
{
	static const uint8_t bytes[] = {4, 8, 16};
	struct profile_row p = meter_profile();
	struct auth_result r;

	p.services = SERVICE_WIFI_AKA;
	for (size_t i = 0; i < sizeof bytes; i++) {
		struct aka_key key = {.alg = AKA_TUAK, .size = AKA_TUAK_SIZE(16)};

		memset(key.k.b, 0x46, 16);
		memset(key.opc.b, 0xcd, 32);
		key.size.res = bytes[i];
		r = ask(&p, &key, 0);
		check_eq(r.result, RESULT_OK);
		check_eq(strlen(line_of("AKA-REQ-AUTH 999700000000001", &r)),
			 30 + 4 * 33 + 2 * (size_t)bytes[i]);
	}
}

TEST(who_may_not_use_wifi_is_given_nothing)
{
	static const struct {
		const char *why;
		uint16_t services, rats;
		uint32_t odb, triplets;
		bool no_key;
		enum result result;
	} cases[] = {
	    {"no Wi-Fi at all", 0, 0, 0, 0, false, RESULT_NO_WIFI},
	    {"other services", SERVICE_SMS_MO | SERVICE_VOICE, 0, 0, 0, false, RESULT_NO_WIFI},
	    {"EAP-AKA alone, asked for EAP-SIM", SERVICE_WIFI_AKA, RAT_GERAN, 0, 3, false, RESULT_NO_WIFI},
	    {"EAP-SIM alone, asked for EAP-AKA", SERVICE_WIFI_SIM, RAT_GERAN, 0, 0, false, RESULT_NO_WIFI},
	    {"no 2G vectors", SERVICE_WIFI, 0, 0, 3, false, RESULT_RAT},
	    {"barred", SERVICE_WIFI, RAT_GERAN, 1, 0, false, RESULT_BARRED},
	    {"no key", SERVICE_WIFI, RAT_GERAN, 0, 0, true, RESULT_NO_VECTORS},
	    {"fine", SERVICE_WIFI, RAT_GERAN, 0, 3, false, RESULT_OK},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct profile_row p = meter_profile();
		struct aka_key key = milenage();
		struct auth_result r;

		printf("  %s\n", cases[i].why);
		p.services = cases[i].services;
		p.rats |= cases[i].rats;
		p.odb = cases[i].odb;
		r = ask(&p, cases[i].no_key ? NULL : &key, cases[i].triplets);
		check_eq(r.result, cases[i].result);
		check_eq(r.utran_n > 0, r.result == RESULT_OK);
	}
}

/* --- how many --- */

TEST(one_subscriber_may_draw_a_minutes_worth_at_once_and_then_waits)
{
	static struct vector_limit l = {.all_second = 1000, .each_minute = 30};
	uint64_t now = 5000;

	for (int i = 0; i < 30; i++)
		check_eq(vector_limit(&l, IMSI, now), LIMIT_NONE);
	check_eq(vector_limit(&l, IMSI, now), LIMIT_EACH);
	check_eq(vector_limit(&l, IMSI, now + 1999), LIMIT_EACH);
	check_eq(vector_limit(&l, IMSI, now + 2000), LIMIT_NONE);
	check_eq(vector_limit(&l, IMSI, now + 2000), LIMIT_EACH);
	check_eq(vector_limit(&l, bcd_of(VIEW("999700000000002")), now + 2000), LIMIT_NONE);
}

TEST(all_together_may_draw_a_seconds_worth_and_who_is_refused_counts_for_nothing)
{
	static struct vector_limit l = {.all_second = 10, .each_minute = 2};
	uint64_t now = 5000, n = 0;

	for (uint64_t i = 1; i <= 200; i++)
		n += vector_limit(&l, IMSI + (i << 8), now) == LIMIT_NONE;
	check_eq(n, 10);
	check_eq(vector_limit(&l, IMSI + ((uint64_t)1000 << 8), now), LIMIT_ALL);
	check_eq(vector_limit(&l, IMSI + ((uint64_t)1000 << 8), now + 100), LIMIT_NONE);
}

TESTS(T(a_line_of_hostapd_is_read), T(what_is_no_line_of_hostapd_is_refused),
      T(an_identity_that_is_no_imsi_is_nobody), T(eap_aka_is_given_one_quintuplet_with_a_fresh_sqn),
      T(the_separation_bit_is_set_for_eap_aka_prime), T(eap_sim_is_given_triplets_of_different_rands),
      T(res_is_as_long_as_tuak_makes_it), T(who_may_not_use_wifi_is_given_nothing),
      T(one_subscriber_may_draw_a_minutes_worth_at_once_and_then_waits),
      T(all_together_may_draw_a_seconds_worth_and_who_is_refused_counts_for_nothing))
