/* Keys of EAP methods against the examples of RFC 4186 appendix A and RFC 9048 appendix D (R-3.1.g). */
#include "crypto/kdf.h"
#include "unit/vectors.h"

static void same(const json_t *set, const char *name, const uint8_t *got, size_t n)
{
	uint8_t want[256];

	check_eq(vectors_hex(set, name, want, sizeof want), n);
	check(memcmp(got, want, n) == 0);
}

static struct view text_of(const json_t *set, const char *name)
{
	return view_of(json_string_value(json_object_get(set, name)));
}

static void prime_case(const json_t *set, struct view identity)
{
	struct secret16 ck, ik, ck_prime, ik_prime;
	uint8_t autn[16], all[208];
	struct kdf_eap keys;

	vectors_hex(set, "ck", ck.b, 16);
	vectors_hex(set, "ik", ik.b, 16);
	vectors_hex(set, "autn", autn, 16);
	check_eq(kdf_prime(&ck, &ik, text_of(set, "network"), autn, &ck_prime, &ik_prime), ERR_OK);
	same(set, "ckp", ck_prime.b, 16);
	same(set, "ikp", ik_prime.b, 16);
	check_eq(kdf_eap_prime(&ck_prime, &ik_prime, identity, &keys), ERR_OK);
	memcpy(all, keys.k_encr, 16);
	memcpy(all + 16, keys.k_aut, 32);
	memcpy(all + 48, keys.k_re, 32);
	memcpy(all + 80, keys.msk, 64);
	memcpy(all + 144, keys.emsk, 64);
	same(set, "keys", all, sizeof all);
}

TEST(eap_aka_prime_gives_the_four_cases_of_rfc_9048)
{
	json_t *all = vectors_open("eap_sim_aka.json");
	const json_t *prime = json_object_get(all, "eap_aka_prime");
	const json_t *cases = json_object_get(prime, "cases"), *set;
	size_t i;

	check_eq(json_array_size(cases), 4);
	json_array_foreach(cases, i, set)
		prime_case(set, text_of(prime, "identity"));
	json_decref(all);
}

TEST(eap_sim_gives_the_keys_of_rfc_4186_and_those_of_its_fast_reauthentication)
{
	json_t *all = vectors_open("eap_sim_aka.json");
	const json_t *sim = json_object_get(all, "eap_sim"), *again = json_object_get(sim, "reauth");
	const json_t *triplets = json_object_get(sim, "triplets"), *t;
	uint8_t kc[24], nonce[16], list[2], version[2], mk[KDF_MK], xkey[KDF_MK];
	const uint8_t counter[2] = {0, (uint8_t)vectors_num(again, "counter")};
	struct kdf_eap keys;
	size_t i;

	json_array_foreach(triplets, i, t)
		check_eq(vectors_hex(t, "kc", kc + 8 * i, 8), 8);
	check_eq(i, 3);
	vectors_hex(sim, "nonce_mt", nonce, 16);
	vectors_hex(sim, "version_list", list, 2);
	vectors_hex(sim, "selected_version", version, 2);
	check_eq(kdf_mk((const struct view[]){text_of(sim, "identity"), {kc, 24}, {nonce, 16},
					      {list, 2}, {version, 2}}, 5, mk), ERR_OK);
	same(sim, "mk", mk, sizeof mk);
	check_eq(kdf_eap_mk(mk, &keys), ERR_OK);
	same(sim, "k_encr", keys.k_encr, 16);
	same(sim, "k_aut", keys.k_aut, 16);
	same(sim, "msk", keys.msk, 64);
	same(sim, "emsk", keys.emsk, 64);
	vectors_hex(again, "nonce_s", nonce, 16);
	check_eq(kdf_mk((const struct view[]){text_of(again, "identity"), {counter, 2}, {nonce, 16},
					      {mk, KDF_MK}}, 4, xkey), ERR_OK);
	check_eq(kdf_eap_again(xkey, &keys), ERR_OK);
	same(again, "msk", keys.msk, 64);
	same(again, "emsk", keys.emsk, 64);
	json_decref(all);
}

/* No RFC gives numbers for it; these are another implementation's (FreeRADIUS). */
TEST(eap_aka_gives_what_another_implementation_computed)
{
	json_t *all = vectors_open("eap_sim_aka.json");
	const json_t *set = json_object_get(all, "eap_aka");
	uint8_t ck[16], ik[16], mk[KDF_MK];
	struct kdf_eap keys;

	vectors_hex(set, "ck", ck, 16);
	vectors_hex(set, "ik", ik, 16);
	check_eq(kdf_mk((const struct view[]){text_of(set, "identity"), {ik, 16}, {ck, 16}}, 3, mk),
		 ERR_OK);
	check_eq(kdf_eap_mk(mk, &keys), ERR_OK);
	same(set, "k_encr", keys.k_encr, 16);
	same(set, "k_aut", keys.k_aut, 16);
	same(set, "msk", keys.msk, 64);
	same(set, "emsk", keys.emsk, 64);
	json_decref(all);
}

TEST(a_name_that_is_too_long_is_refused)
{
	static const uint8_t name[KDF_NAME_MAX + 1], autn[6];
	static const struct secret16 key;
	struct secret16 a, b;
	struct kdf_eap keys;

	check_eq(kdf_prime(&key, &key, (struct view){name, KDF_NAME_MAX}, autn, &a, &b), ERR_OK);
	check_eq(kdf_prime(&key, &key, (struct view){name, sizeof name}, autn, &a, &b), ERR_LENGTH);
	check_eq(kdf_eap_prime(&key, &key, (struct view){name, KDF_NAME_MAX}, &keys), ERR_OK);
	check_eq(kdf_eap_prime(&key, &key, (struct view){name, sizeof name}, &keys), ERR_LENGTH);
}

TESTS(T(eap_aka_prime_gives_the_four_cases_of_rfc_9048),
      T(eap_sim_gives_the_keys_of_rfc_4186_and_those_of_its_fast_reauthentication),
      T(eap_aka_gives_what_another_implementation_computed), T(a_name_that_is_too_long_is_refused))
