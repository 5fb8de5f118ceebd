/* TUAK against the test sets of TS 35.232 and 35.233 (R-3.1.e, R-5.2.1.b, R-5.2.2.b, R-5.2.3.b). */
#include "crypto/aka.h"
#include "unit/vectors.h"

static struct tuak *tuak;

static uint8_t octets_of(const json_t *set, const char *name)
{
	return (uint8_t)(vectors_num(set, name) / 8);
}

static void same(const json_t *set, const char *name, const uint8_t *got, size_t n)
{
	uint8_t want[32];

	check_eq(vectors_hex(set, name, want, sizeof want), n);
	check(memcmp(got, want, n) == 0);
}

static void all_functions(const json_t *set)
{
	uint8_t k[32], top[32], topc[32], rand[16], sqn[6], amf[2], mac[32], ak[6];
	struct tuak_key key = {.k = k, .topc = topc};
	struct tuak_f f;

	key.size.k = (uint8_t)vectors_hex(set, "K", k, sizeof k);
	key.size.mac = octets_of(set, "LEN_MAC");
	key.size.res = octets_of(set, "LEN_RES");
	key.size.ck = octets_of(set, "LEN_CK");
	key.size.ik = octets_of(set, "LEN_IK");
	key.size.iterations = (uint8_t)vectors_num(set, "iterations");
	vectors_hex(set, "TOP", top, sizeof top);
	vectors_hex(set, "RAND", rand, sizeof rand);
	vectors_hex(set, "SQN", sqn, sizeof sqn);
	vectors_hex(set, "AMF", amf, sizeof amf);
	check(tuak_size_ok(&key.size));
	check_eq(tuak_topc(tuak, &key, top, topc), ERR_OK);
	same(set, "TOPc", topc, sizeof topc);
	check_eq(tuak_f1(tuak, &key, false, rand, sqn, amf, mac), ERR_OK);
	same(set, "f1", mac, key.size.mac);
	check_eq(tuak_f1(tuak, &key, true, rand, sqn, amf, mac), ERR_OK);
	same(set, "f1star", mac, key.size.mac);
	check_eq(tuak_f2345(tuak, &key, rand, &f), ERR_OK);
	same(set, "f2", f.res, key.size.res);
	same(set, "f3", f.ck, key.size.ck);
	same(set, "f4", f.ik, key.size.ik);
	same(set, "f5", f.ak, sizeof f.ak);
	check_eq(tuak_f5_star(tuak, &key, rand, ak), ERR_OK);
	same(set, "f5star", ak, sizeof ak);
}

TEST(every_published_set_comes_out)
{
	json_t *all = vectors_open("tuak_ts35233.json"), *sets = json_object_get(all, "tuak"), *set;
	size_t i;

	tuak = tuak_new();
	check(tuak);
	check_eq(json_array_size(sets), 6);
	json_array_foreach(sets, i, set)
	{
		printf("  set %zu\n", i + 1);
		all_functions(set);
	}
	tuak_free(tuak);
	json_decref(all);
}

static struct aka_key some_key(uint8_t res, uint8_t iterations)
{
	struct aka_key key = {.alg = AKA_TUAK, .size = AKA_TUAK_SIZE(32), .amf = {0x80, 0}};

	key.size.res = res;
	key.size.iterations = iterations;
	check_eq(random_bytes(&key.k, sizeof key.k), ERR_OK);
	check_eq(random_bytes(&key.opc, sizeof key.opc), ERR_OK);
	return key;
}

/* A vector is made of the functions, whatever length RES has, and a card's AUTS is understood. */
static void vector_and_auts(struct aka *aka, uint8_t res)
{
	static const uint8_t rand[16] = {7}, sqn[6] = {0, 0, 0, 1, 0, 0x20}, zero[2];
	struct aka_key key = some_key(res, 3);
	struct tuak_key as = {key.k.b, key.opc.b, key.size};
	uint8_t mac[8], ak[6], auts[14];
	struct aka_vector v;
	struct tuak_f f;
	uint64_t got = 7;

	check_eq(aka_vector(aka, &key, rand, 0x10020, &v), ERR_OK);
	check_eq(tuak_f1(tuak, &as, false, rand, sqn, key.amf, mac), ERR_OK);
	check_eq(tuak_f2345(tuak, &as, rand, &f), ERR_OK);
	check_eq(v.xres_n, res);
	check(memcmp(v.xres, f.res, res) == 0 && memcmp(v.autn + 8, mac, 8) == 0);
	check(memcmp(v.ck.b, f.ck, 16) == 0 && memcmp(v.ik.b, f.ik, 16) == 0);
	check(memcmp(v.autn + 6, key.amf, 2) == 0 && (v.autn[5] ^ f.ak[5]) == 0x20);
	check_eq(tuak_f5_star(tuak, &as, rand, ak), ERR_OK);
	for (unsigned int i = 0; i < 6; i++)
		auts[i] = sqn[i] ^ ak[i];
	check_eq(tuak_f1(tuak, &as, true, rand, sqn, zero, auts + 6), ERR_OK);
	check_eq(aka_resync(aka, &key, rand, auts, &got), ERR_OK);
	check_eq(got, 0x10020);
	for (unsigned int bit = 0; bit < 14 * 8; bit++) {
		auts[bit / 8] ^= (uint8_t)(1u << bit % 8);
		check_eq(aka_resync(aka, &key, rand, auts, &got), ERR_KEY);
		auts[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

TEST(vectors_and_auts_for_each_length_of_res)
{
	struct aka *aka = aka_new();

	tuak = tuak_new();
	check(aka && tuak);
	for (uint8_t res = 4; res <= AKA_RES_MAX; res *= 2)
		vector_and_auts(aka, res);
	tuak_free(tuak);
	aka_free(aka);
}

/* What a network could not carry is refused, not cut short. */
TEST(sizes_that_no_vector_can_carry_are_refused)
{
	static const struct tuak_size bad[] = {
		{16, 16, 8, 16, 16, 1}, {16, 8, 32, 16, 16, 1}, {16, 8, 8, 32, 16, 1},
		{16, 8, 8, 16, 32, 1},	{16, 8, 8, 16, 16, 0},	{24, 8, 8, 16, 16, 1},
		{16, 8, 5, 16, 16, 1},	{16, 0, 8, 16, 16, 1}};
	static const uint8_t rand[16], auts[14];
	struct aka *aka = aka_new();
	struct aka_vector v;
	uint64_t sqn;

	check(aka);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct aka_key key = some_key(8, 1), got;
		uint8_t text[AKA_KEY_MAX];

		key.size = bad[i];
		check_eq(aka_vector(aka, &key, rand, 32, &v), ERR_VALUE);
		check_eq(aka_resync(aka, &key, rand, auts, &sqn), ERR_VALUE);
		check_eq(aka_key_get((struct view){text, aka_key_put(&key, text)}, &got), ERR_VALUE);
	}
	aka_free(aka);
}

TEST(keys_are_kept_whole_and_old_rows_are_milenage)
{
	struct aka_key key = some_key(16, 255), got, old = {.amf = {1, 2}};
	uint8_t text[AKA_KEY_MAX];

	check_eq(aka_key_put(&key, text), AKA_KEY_MAX);
	check_eq(aka_key_get((struct view){text, AKA_KEY_MAX}, &got), ERR_OK);
	check(memcmp(&key, &got, sizeof key) == 0);
	for (size_t n = 0; n < AKA_KEY_MAX; n++)
		check((aka_key_get((struct view){text, n}, &got) == ERR_OK) == (n == 34));
	memset(old.k.b, 3, 16);
	memset(old.opc.b, 4, 16);
	memset(text, 3, 16); /* as the first version wrote them: K, OPc, AMF */
	memset(text + 16, 4, 16);
	text[32] = 1;
	text[33] = 2;
	check_eq(aka_key_get((struct view){text, 34}, &got), ERR_OK);
	check(memcmp(&old, &got, sizeof old) == 0);
}

TESTS(T(every_published_set_comes_out), T(vectors_and_auts_for_each_length_of_res),
      T(sizes_that_no_vector_can_carry_are_refused), T(keys_are_kept_whole_and_old_rows_are_milenage))
