/* Where libosmocore computes the same algorithm, it must come to the same result for any input. */
#include "crypto/aka.h"
#include "crypto/radio.h"
#include "unit/test.h"

#include <osmocom/core/bits.h>
#include <osmocom/crypt/gprs_cipher.h>
#include <osmocom/crypt/auth.h>
#include <osmocom/gsm/a5.h>

#define ROUNDS 1000u

TEST(a5_is_the_same_for_any_key_and_frame)
{
	struct radio *radio = radio_new();

	check(radio);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		static const uint8_t zero[29];
		enum radio_id id = i % 2 ? RADIO_A5_4 : RADIO_A5_3;
		uint8_t key[16], out[29], theirs[29] = {0};
		ubit_t bits[2 * 114];
		uint32_t fn;

		check_eq(random_bytes(key, sizeof key), ERR_OK);
		check_eq(random_bytes(&fn, sizeof fn), ERR_OK);
		fn %= 26 * 51 * 2048; /* a hyperframe */
		check_eq(osmo_a5(i % 2 ? 4 : 3, key, fn, bits, bits + 114), 0);
		osmo_ubit2pbit(theirs, bits, sizeof bits);
		check_eq(radio_cipher(radio, id,
				      &(struct radio_in){.key = key, .count = osmo_a5_fn_count(fn)},
				      zero, sizeof bits, out),
			 ERR_OK);
		check(memcmp(out, theirs, sizeof out) == 0);
	}
	radio_free(radio);
}

TEST(gea_is_the_same_for_any_key_and_input)
{
	struct radio *radio = radio_new();

	check(radio);
	check(gprs_cipher_supported(GPRS_ALGO_GEA3) > 0);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		bool four = i % 2 && gprs_cipher_supported(GPRS_ALGO_GEA4) > 0;
		uint8_t key[16], zero[200] = {0}, out[200], theirs[200];
		struct radio_in in = {.key = key, .dir = i / 2 % 2};
		uint16_t n = (uint16_t)(1 + i % sizeof out);

		check_eq(random_bytes(key, sizeof key), ERR_OK);
		check_eq(random_bytes(&in.count, sizeof in.count), ERR_OK);
		check_eq(gprs_cipher_run(theirs, n, four ? GPRS_ALGO_GEA4 : GPRS_ALGO_GEA3, key,
					 in.count, in.dir),
			 0);
		check_eq(radio_cipher(radio, four ? RADIO_GEA4 : RADIO_GEA3, &in, zero, 8u * n, out),
			 ERR_OK);
		check(memcmp(out, theirs, n) == 0);
	}
	radio_free(radio);
}

TEST(milenage_is_the_same_for_any_key)
{
	struct aka *aka = aka_new();

	check(aka);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct osmo_sub_auth_data theirs = {.type = OSMO_AUTH_TYPE_UMTS,
						    .algo = OSMO_AUTH_ALG_MILENAGE};
		struct osmo_auth_vector want = {0};
		struct aka_key key = {0};
		struct aka_vector got;
		uint8_t rand[16], sres[4], kc[8];
		uint64_t sqn;

		check_eq(random_bytes(&theirs.u.umts, 34), ERR_OK);
		check_eq(random_bytes(rand, sizeof rand), ERR_OK);
		check_eq(random_bytes(&sqn, sizeof sqn), ERR_OK);
		sqn = (sqn >> 16 & ~31ull) + 32;
		theirs.u.umts.ind_bitlen = 5;
		theirs.u.umts.ind = i % 32;
		theirs.u.umts.sqn = sqn - 32;
		theirs.u.umts.opc_is_op = 0;
		memcpy(key.k.b, theirs.u.umts.k, 16);
		memcpy(key.opc.b, theirs.u.umts.opc, 16);
		memcpy(key.amf, theirs.u.umts.amf, 2);
		check_eq(osmo_auth_gen_vec(&want, &theirs, rand), 0);
		check_eq(aka_vector(aka, &key, rand, theirs.u.umts.sqn, &got), ERR_OK);
		check(memcmp(got.autn, want.autn, 16) == 0 && memcmp(got.xres, want.res, 8) == 0);
		check(memcmp(got.ck.b, want.ck, 16) == 0 && memcmp(got.ik.b, want.ik, 16) == 0);
		aka_geran(&got, sres, kc);
		check(memcmp(sres, want.sres, 4) == 0 && memcmp(kc, want.kc, 8) == 0);
	}
	aka_free(aka);
}

/* .b: for test equipment. libosmocore gives RES as long as it is asked for. */
TEST(xor_is_the_same_for_any_key)
{
	struct aka *aka = aka_new();

	check(aka);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct osmo_sub_auth_data theirs = {.type = OSMO_AUTH_TYPE_UMTS, .algo = OSMO_AUTH_ALG_XOR};
		struct osmo_auth_vector want = {.res_len = 16};
		struct aka_key key = {.alg = AKA_XOR};
		struct aka_vector got;
		uint8_t rand[16];

		check_eq(random_bytes(&theirs.u.umts, 34), ERR_OK);
		check_eq(random_bytes(rand, sizeof rand), ERR_OK);
		theirs.u.umts.sqn = i * 0x123456789aull & 0xffffffffffe0ull;
		theirs.u.umts.opc_is_op = 0;
		memcpy(key.k.b, theirs.u.umts.k, 16);
		memcpy(key.amf, theirs.u.umts.amf, 2);
		check_eq(osmo_auth_gen_vec(&want, &theirs, rand), 0);
		check_eq(aka_vector(aka, &key, rand, theirs.u.umts.sqn, &got), ERR_OK);
		check(memcmp(got.autn, want.autn, 16) == 0);
		check(memcmp(got.xres, want.res, want.res_len) == 0);
		check(memcmp(got.ck.b, want.ck, 16) == 0 && memcmp(got.ik.b, want.ik, 16) == 0);
	}
	aka_free(aka);
}

TEST(comp128_3_gives_its_triplet_and_no_more)
{
	struct aka *aka = aka_new();

	check(aka);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct osmo_sub_auth_data theirs = {.type = OSMO_AUTH_TYPE_GSM,
						    .algo = OSMO_AUTH_ALG_COMP128v3};
		static const uint8_t zero[16];
		struct osmo_auth_vector want = {0};
		struct aka_key key = {.alg = AKA_COMP128_3};
		uint8_t rand[16], auts[14] = {0}, sres[4], kc[8];
		struct aka_vector got;
		uint64_t sqn;

		check_eq(random_bytes(theirs.u.gsm.ki, 16), ERR_OK);
		check_eq(random_bytes(rand, sizeof rand), ERR_OK);
		memcpy(key.k.b, theirs.u.gsm.ki, 16);
		check_eq(osmo_auth_gen_vec(&want, &theirs, rand), 0);
		check_eq(aka_vector(aka, &key, rand, 0, &got), ERR_OK);
		aka_geran(&got, sres, kc);
		check(memcmp(sres, want.sres, 4) == 0 && memcmp(kc, want.kc, 8) == 0);
		check(memcmp(got.autn, zero, 16) == 0);
		check_eq(aka_resync(aka, &key, rand, auts, &sqn), ERR_KEY);
	}
	aka_free(aka);
}

TESTS(T(xor_is_the_same_for_any_key), T(comp128_3_gives_its_triplet_and_no_more),
      T(a5_is_the_same_for_any_key_and_frame), T(gea_is_the_same_for_any_key_and_input),
      T(milenage_is_the_same_for_any_key))
