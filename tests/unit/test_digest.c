/* Digests against the standards' own examples. */
#include "crypto/digest.h"
#include "unit/test.h"

static void hex_of(const uint8_t in[DIGEST_N], char to[2 * DIGEST_N + 1])
{
	for (size_t i = 0; i < DIGEST_N; i++)
		snprintf(to + 2 * i, 3, "%02x", in[i]);
}

/* FIPS 180-4 examples; RFC 4231 cases 1 and 2. .c */
TEST(sha_256_and_its_hmac_are_as_the_standards_have_them)
{
	static uint8_t key1[20];
	const struct {
		struct view key, in;
		const char *want;
	} cases[] = {
		{ { 0 }, VIEW("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ { key1, sizeof key1 }, VIEW("Hi There"),
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ VIEW("Jefe"), VIEW("what do ya want for nothing?"),
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	};

	memset(key1, 0x0b, sizeof key1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct digest *d = digest_new(cases[i].key);
		uint8_t out[DIGEST_N];
		char text[2 * DIGEST_N + 1];

		check(d != NULL);
		for (int again = 0; again < 2; again++) { /* the key's part is used again */
			check_eq(digest_of(d, cases[i].in, out), ERR_OK);
			hex_of(out, text);
			check_eq(strcmp(text, cases[i].want), 0);
		}
		digest_free(d);
	}
}

TESTS(T(sha_256_and_its_hmac_are_as_the_standards_have_them))
