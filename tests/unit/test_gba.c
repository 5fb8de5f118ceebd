/* GBA's keys and HTTP's digests. TS 33.220 has no vectors: the keys here were made by another program
 * (Python's hmac over the text of Annex B), the digests are RFC 7616's and RFC 2617's own (R-3.1.h). */
#include "crypto/gba.h"
#include "unit/test.h"

static void hex(const char *text, uint8_t *to)
{
	for (size_t i = 0; text[2 * i]; i++) {
		unsigned int x;

		check(sscanf(text + 2 * i, "%2x", &x) == 1);
		to[i] = (uint8_t)x;
	}
}

TEST(ks_naf_is_that_of_annex_b)
{
	uint8_t rand[16], want[32], naf[32];
	struct secret32 ks, key, other;
	struct wr w = {.p = naf, .cap = sizeof naf};

	hex("23553cbe9637a89d218ae64dae47bf35", rand);
	for (uint8_t i = 0; i < 32; i++)
		ks.b[i] = i;
	wr_view(&w, VIEW("naf.example.org"));
	wr_view(&w, (struct view){gba_ua_digest, 5});
	check_eq(gba_naf_key(&ks, rand, VIEW("001010000000001@ims.mnc001.mcc001.3gppnetwork.org"),
			     wr_done(&w), &key),
		 ERR_OK);
	hex("788f4dc60dc18275c34af8a14d9a042955e3054263ab952303fd60a33c52a8bd", want);
	check(memcmp(key.b, want, 32) == 0);
	check_eq(gba_naf_key(&ks, rand, VIEW("001010000000001@ims.mnc001.mcc001.3gppnetwork.org"),
			     VIEW("other.example.org\1\0\0\0\2"), &other),
		 ERR_OK);
	check(!secret_eq(&key, &other, sizeof key)); /* a key for each application */
}

TEST(what_is_too_long_has_no_key)
{
	static const uint8_t rand[16], name[GBA_NAME_MAX + 6];
	struct secret32 ks = {{0}}, key;

	check_eq(gba_naf_key(&ks, rand, (struct view){name, GBA_NAME_MAX},
			     (struct view){name, GBA_NAME_MAX + 5}, &key),
		 ERR_OK);
	check_eq(gba_naf_key(&ks, rand, (struct view){name, GBA_NAME_MAX + 1}, VIEW("naf"), &key),
		 ERR_LENGTH);
	check_eq(gba_naf_key(&ks, rand, VIEW("impi"), (struct view){name, GBA_NAME_MAX + 6}, &key),
		 ERR_LENGTH);
}

TEST(digests_are_those_of_the_rfcs)
{
	struct http_digest d = {
	    .username = VIEW("Mufasa"),
	    .realm = VIEW("http-auth@example.org"),
	    .password = VIEW("Circle of Life"),
	    .method = VIEW("GET"),
	    .uri = VIEW("/dir/index.html"),
	    .nonce = VIEW("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"),
	    .nc = VIEW("00000001"),
	    .cnonce = VIEW("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"),
	    .qop = VIEW("auth"),
	};
	char got[HTTP_DIGEST_TEXT];

	check_eq(http_digest(&d, got), ERR_OK); /* RFC 7616 3.9.1 */
	check(strcmp(got, "8ca523f5e9506fed4657c9700eebdbec") == 0);
	d.hash = HTTP_SHA256;
	check_eq(http_digest(&d, got), ERR_OK);
	check(strcmp(got, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1") == 0);
	d.qop = VIEW("auth-conf");
	check_eq(http_digest(&d, got), ERR_VALUE);
	check(got[0] == 0);
}

TEST(auth_int_depends_on_the_body)
{
	struct http_digest d = {.username = VIEW("u"),
				.realm = VIEW("r"),
				.password = VIEW("\x01\x00\xff"),
				.method = VIEW("POST"),
				.uri = VIEW("/"),
				.nonce = VIEW("n"),
				.nc = VIEW("00000001"),
				.cnonce = VIEW("c"),
				.qop = VIEW("auth-int"),
				.body = VIEW("one")};
	char one[HTTP_DIGEST_TEXT], two[HTTP_DIGEST_TEXT];

	check_eq(http_digest(&d, one), ERR_OK);
	check(strcmp(one, "2838943407c0be26242d3ba4018ed675") == 0);
	d.body = VIEW("two");
	check_eq(http_digest(&d, two), ERR_OK);
	check(strcmp(one, two) != 0);
	d.qop = VIEW("auth");
	check_eq(http_digest(&d, one), ERR_OK);
	d.body = VIEW("three");
	check_eq(http_digest(&d, two), ERR_OK);
	check(strcmp(one, two) == 0);
}

TESTS(T(ks_naf_is_that_of_annex_b), T(what_is_too_long_has_no_key), T(digests_are_those_of_the_rfcs),
      T(auth_int_depends_on_the_body))
