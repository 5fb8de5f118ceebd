/* MILENAGE against the 20 test sets of TS 35.208 §4.3 (R-3.1.e), and what is built on it. */
#include "crypto/aka.h"
#include "unit/test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct set {
	unsigned int no;
	struct aka_key key;
	uint8_t rand[16], op[16], opc[16];
	uint64_t sqn;
	struct aka_f want;
};

static struct aka *aka;

static void unhex(void *to, size_t n, const char *text)
{
	uint8_t *b = to;
	unsigned int x;

	check(strspn(text, "0123456789abcdef") >= 2 * n);
	for (size_t i = 0; i < n; i++) {
		check(sscanf(text + 2 * i, "%2x", &x) == 1);
		b[i] = (uint8_t)x;
	}
}

static const char *column(char **line)
{
	char *text = strsep(line, ",");

	check(text);
	return text;
}

/* set,k,rand,sqn,amf,op,opc,f1,f1star,f2,f5,f3,f4,f5star */
static void set_read(struct set *s, char *line)
{
	s->no = (unsigned int)strtoul(column(&line), NULL, 10);
	unhex(s->key.k.b, 16, column(&line));
	unhex(s->rand, 16, column(&line));
	s->sqn = strtoull(column(&line), NULL, 16);
	unhex(s->key.amf, 2, column(&line));
	unhex(s->op, 16, column(&line));
	unhex(s->opc, 16, column(&line));
	unhex(s->want.mac_a, 8, column(&line));
	unhex(s->want.mac_s, 8, column(&line));
	unhex(s->want.res, 8, column(&line));
	unhex(s->want.ak, 6, column(&line));
	unhex(s->want.ck.b, 16, column(&line));
	unhex(s->want.ik.b, 16, column(&line));
	unhex(s->want.ak_s, 6, column(&line));
	memcpy(s->key.opc.b, s->opc, 16);
}

static unsigned int for_each_set(void (*look)(const struct set *s))
{
	FILE *f = fopen(VECTORS, "r");
	char line[1024];
	unsigned int n = 0;

	check(f);
	aka = aka_new();
	check(aka);
	while (fgets(line, sizeof(line), f)) {
		struct set s = { 0 };

		if (line[0] < '0' || line[0] > '9')
			continue;
		set_read(&s, line);
		look(&s);
		n++;
	}
	fclose(f);
	aka_free(aka);
	return n;
}

static void all_functions(const struct set *s)
{
	struct aka_key key = { .k = s->key.k };
	struct aka_f f;

	printf("  set %u\n", s->no);
	check_eq(aka_opc(aka, s->op, &key), ERR_OK);
	check(memcmp(key.opc.b, s->opc, 16) == 0);
	check_eq(aka_milenage(aka, &s->key, s->rand, s->sqn, &f), ERR_OK);
	check(memcmp(f.mac_a, s->want.mac_a, 8) == 0);
	check(memcmp(f.mac_s, s->want.mac_s, 8) == 0);
	check(memcmp(f.res, s->want.res, 8) == 0);
	check(memcmp(f.ck.b, s->want.ck.b, 16) == 0);
	check(memcmp(f.ik.b, s->want.ik.b, 16) == 0);
	check(memcmp(f.ak, s->want.ak, 6) == 0);
	check(memcmp(f.ak_s, s->want.ak_s, 6) == 0);
}

TEST(all_twenty_sets_give_f1_to_f5_star_and_opc)
{
	check_eq(for_each_set(all_functions), 20);
}

static void vector_of_set(const struct set *s)
{
	struct aka_vector v;
	uint64_t sqn = 0;

	check_eq(aka_vector(aka, &s->key, s->rand, s->sqn, &v), ERR_OK);
	for (unsigned int i = 0; i < 6; i++)
		sqn = sqn << 8 | (uint8_t)(v.autn[i] ^ s->want.ak[i]);
	check_eq(sqn, s->sqn);
	check(memcmp(v.autn + 6, s->key.amf, 2) == 0);
	check(memcmp(v.autn + 8, s->want.mac_a, 8) == 0);
	check_eq(v.xres_n, 8);
	check(memcmp(v.xres, s->want.res, 8) == 0);
	check(memcmp(v.rand, s->rand, 16) == 0);
	check(secret_eq(&v.ck, &s->want.ck, 16) && secret_eq(&v.ik, &s->want.ik, 16));
}

TEST(a_vector_is_made_of_the_functions)
{
	check_eq(for_each_set(vector_of_set), 20);
}

/* What a card answers: SQN_MS xor AK*, and MAC-S over it with the AMF 0000 (TS 33.102 §6.3.3). */
static void card_auts(const struct set *s, uint64_t sqn_ms, uint8_t auts[14])
{
	struct aka_key key = s->key;
	struct aka_f f;

	memset(key.amf, 0, 2);
	check_eq(aka_milenage(aka, &key, s->rand, sqn_ms, &f), ERR_OK);
	for (unsigned int i = 0; i < 6; i++)
		auts[i] = (uint8_t)(sqn_ms >> 8 * (5 - i)) ^ f.ak_s[i];
	memcpy(auts + 6, f.mac_s, 8);
}

static void resync_of_set(const struct set *s)
{
	uint64_t sqn_ms = s->sqn ^ 0x123456789abc, got = 7;
	uint8_t auts[14];

	card_auts(s, sqn_ms, auts);
	check_eq(aka_resync(aka, &s->key, s->rand, auts, &got), ERR_OK);
	check_eq(got, sqn_ms);
	got = 7;
	for (unsigned int bit = 0; bit < 14 * 8; bit++) {
		auts[bit / 8] ^= (uint8_t)(1u << bit % 8);
		check_eq(aka_resync(aka, &s->key, s->rand, auts, &got), ERR_KEY);
		auts[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	check_eq(got, 7);
}

TEST(auts_gives_sqn_ms_and_any_changed_bit_is_refused)
{
	check_eq(for_each_set(resync_of_set), 20);
}

/* A MAC-S computed by others, with f1* over SQN 0 and AMF 0000 (Magma's subscriberdb tests). */
TEST(auts_of_another_implementation_is_understood)
{
	static const char k[] = "8baf473f2f8fd09487cccbd7097c6862";
	struct set s = { 0 };
	uint8_t auts[14], mac_s[8];
	uint64_t got = 7;

	aka = aka_new();
	check(aka);
	unhex(s.key.k.b, 16, k);
	unhex(s.rand, 16, "cd14a753977fbc718e62bddb535d88f8");
	memset(s.op, 0x11, 16);
	check_eq(aka_opc(aka, s.op, &s.key), ERR_OK);
	card_auts(&s, 0, auts);
	unhex(mac_s, 8, "db5f6360591f34ea");
	check(memcmp(auts + 6, mac_s, 8) == 0);
	memset(s.key.amf, 0xb9, 2); /* the subscriber's own AMF must not matter */
	check_eq(aka_resync(aka, &s.key, s.rand, auts, &got), ERR_OK);
	check_eq(got, 0);
	aka_free(aka);
}

/* The EPS vector that OpenAirInterface's HSS logged, as kept in Magma's tests: an authority for
 * KASME that is not ours. The second KASME was computed with Python's hmac over set 1. */
TEST(kasme_is_what_other_networks_derive)
{
	struct aka_key key = { .amf = { 0x80, 0 } };
	uint8_t rand[16], op[16], autn[16], xres[8], want[32], kasme[32];
	struct aka_vector v;

	aka = aka_new();
	check(aka);
	for (uint8_t i = 0; i < 16; i++)
		rand[i] = i;
	memset(op, 0x11, 16);
	unhex(key.k.b, 16, "8baf473f2f8fd09487cccbd7097c6862");
	check_eq(aka_opc(aka, op, &key), ERR_OK);
	check_eq(aka_vector(aka, &key, rand, 7351, &v), ERR_OK);
	unhex(xres, 8, "2daf873d73f310c6");
	unhex(autn, 16, "6fbfa3801f5780007bde59886e96e4fe");
	check(memcmp(v.xres, xres, 8) == 0 && memcmp(v.autn, autn, 16) == 0);
	unhex(want, 32, "8748c1c0a2826fa405b1e27ea104434ae556c765e8f061ebdb8ae286c44616c2");
	check_eq(aka_kasme(aka, &v, (const uint8_t[]){ 0x02, 0xf8, 0x59 }, kasme), ERR_OK);
	check(memcmp(kasme, want, 32) == 0);

	unhex(v.ck.b, 16, "b40ba9a3c58b2a05bbf0d987b21bf8cb");
	unhex(v.ik.b, 16, "f769bcd751044604127672711c6d3441");
	unhex(v.autn, 6, "55f328b43577");
	unhex(want, 32, "48579af8781c742d5120e6ed8ccac13193f38c53ab7aa69396f49ca6e1b0562d");
	check_eq(aka_kasme(aka, &v, (const uint8_t[]){ 0x00, 0xf1, 0x10 }, kasme), ERR_OK);
	check(memcmp(kasme, want, 32) == 0);
	check_eq(aka_kasme(aka, &v, (const uint8_t[]){ 0x00, 0xf1, 0x20 }, kasme), ERR_OK);
	check(memcmp(kasme, want, 32) != 0);
	aka_free(aka);
}

/* Set 1 with GSM-MILENAGE (TS 55.205): the same folding. */
TEST(a_triplet_is_the_quintet_folded)
{
	uint8_t sres[4], kc[8], want_sres[4], want_kc[8];
	struct aka_vector v = { 0 };

	unhex(v.xres, 8, "a54211d5e3ba50bf");
	unhex(v.ck.b, 16, "b40ba9a3c58b2a05bbf0d987b21bf8cb");
	unhex(v.ik.b, 16, "f769bcd751044604127672711c6d3441");
	unhex(want_sres, 4, "46f8416a");
	unhex(want_kc, 8, "eae4be823af9a08b");
	aka_geran(&v, sres, kc);
	check(memcmp(sres, want_sres, 4) == 0 && memcmp(kc, want_kc, 8) == 0);
}

TEST(random_numbers_differ_and_wiped_secrets_are_gone)
{
	static const uint8_t zero[16];
	struct secret16 a, b;

	check_eq(random_bytes(&a, 16), ERR_OK);
	check_eq(random_bytes(&b, 16), ERR_OK);
	check(!secret_eq(&a, &b, 16));
	secret_wipe(&a, 16);
	check(secret_eq(&a, zero, 16));
}

/* On a stack of its own, so that all that was on it can be looked through afterwards. */
#define STACK (256u << 10)
static struct aka_key deep_key;

static void *make_one(void *out)
{
	static const uint8_t rand[16] = { 7 };

	check_eq(aka_vector(aka, &deep_key, rand, 1, out), ERR_OK);
	return NULL;
}

TEST(no_key_stays_on_the_stack)
{
	static struct aka_vector v;
	uint8_t *stack = aligned_alloc(4096, STACK);
	pthread_attr_t attr;
	pthread_t thread;

	aka = aka_new();
	check(aka && stack);
	memset(stack, 0, STACK);
	check_eq(random_bytes(&deep_key, sizeof deep_key), ERR_OK);
	deep_key.alg = AKA_MILENAGE;
	check_eq(pthread_attr_init(&attr), 0);
	check_eq(pthread_attr_setstack(&attr, stack, STACK), 0);
	check_eq(pthread_create(&thread, &attr, make_one, &v), 0);
	check_eq(pthread_join(thread, NULL), 0);
	check(v.xres_n == 8);
	check(memmem(stack, STACK, deep_key.k.b, 16) == NULL);
	check(memmem(stack, STACK, deep_key.opc.b, 16) == NULL);
	pthread_attr_destroy(&attr);
	free(stack);
	aka_free(aka);
}

TESTS(T(all_twenty_sets_give_f1_to_f5_star_and_opc), T(a_vector_is_made_of_the_functions),
      T(auts_gives_sqn_ms_and_any_changed_bit_is_refused),
      T(auts_of_another_implementation_is_understood), T(kasme_is_what_other_networks_derive),
      T(a_triplet_is_the_quintet_folded), T(random_numbers_differ_and_wiped_secrets_are_gone),
      T(no_key_stays_on_the_stack))
