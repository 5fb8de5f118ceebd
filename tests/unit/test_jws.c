/* Tokens: signed, read, changed (R-3.1.h, R-3.2.b). tests/peer has other programs verify them. */
#include "crypto/jws.h"
#include "unit/test.h"

#define ROOM 2048

static struct view make(const struct jws_key *k, struct view header, struct view claims,
			uint8_t room[ROOM])
{
	struct wr w = {.p = room, .cap = ROOM};

	check_eq(jws_sign(k, header, claims, &w), ERR_OK);
	return wr_done(&w);
}

TEST(what_we_sign_verifies_and_any_change_shows)
{
	struct jws_key *k = jws_key_new(), *other = jws_key_new();
	uint8_t room[ROOM];
	struct view t = make(k, VIEW("{\"alg\":\"ES256\"}"), VIEW("{\"sub\":\"a\",\"exp\":7}"), room);
	struct jws j;

	check_eq(jws_read(t, &j), ERR_OK);
	check_eq(jws_verify(k, &j), ERR_OK);
	check_eq(jws_verify(other, &j), ERR_KEY);
	check(view_eq(jws_text(j.claims, "sub"), VIEW("a")));
	check_eq(jws_num(j.claims, "exp"), 7);
	check_eq(jws_text(j.claims, "exp").n, 0);
	jws_drop(&j);
	for (size_t i = 0; i < t.n; i++) {
		room[i] ^= 1;
		if (jws_read(t, &j) == ERR_OK) {
			check_eq(jws_verify(k, &j), ERR_KEY);
			jws_drop(&j);
		}
		room[i] ^= 1;
	}
	jws_key_free(k);
	jws_key_free(other);
}

TEST(no_token_says_how_it_is_verified)
{
	static const char *const headers[] = {"{\"alg\":\"none\"}",
					      "{\"alg\":\"HS256\"}",
					      "{}",
					      "{\"alg\":\"ES256\",\"crit\":[\"x\"]}",
					      "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
					      "[]",
					      "{\"alg\":1}"};
	struct jws_key *k = jws_key_new();
	uint8_t room[ROOM];
	struct jws j;

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		check_eq(jws_read(make(k, view_of(headers[i]), VIEW("{}"), room), &j), ERR_VALUE);
	check_eq(jws_read(make(k, VIEW("{\"alg\":\"ES256\"}"), VIEW("[1]"), room), &j), ERR_VALUE);
	check_eq(jws_read(VIEW(""), &j), ERR_VALUE);
	check_eq(jws_read(VIEW("a.b"), &j), ERR_VALUE);
	check_eq(jws_read(VIEW(".."), &j), ERR_VALUE);
	jws_key_free(k);
}

TEST(a_key_survives_its_file_and_its_public_half)
{
	struct jws_key *k = jws_key_new(), *again, *half;
	uint8_t pem[JWS_PEM_MAX], jwk[512], room[ROOM];
	struct wr w = {.p = pem, .cap = sizeof pem}, to = {.p = jwk, .cap = sizeof jwk};
	json_t *o;
	struct jws j;

	check_eq(jws_key_pem(k, &w), ERR_OK);
	again = jws_key_of_pem(wr_done(&w));
	check(again && strcmp(jws_key_id(again), jws_key_id(k)) == 0);
	jws_key_jwk(again, &to);
	o = json_loadb((const char *)jwk, to.n, 0, NULL);
	check(o);
	half = jws_key_of_point(jws_text(o, "x"), jws_text(o, "y"));
	check(half && strcmp(jws_key_id(half), jws_key_id(k)) == 0);
	check_eq(jws_read(make(k, VIEW("{\"alg\":\"ES256\"}"), VIEW("{}"), room), &j), ERR_OK);
	check_eq(jws_verify(half, &j), ERR_OK);
	jws_drop(&j);
	check(!jws_key_of_point(jws_text(o, "x"), jws_text(o, "x"))); /* no point of the curve */
	check(!jws_key_of_point(jws_text(o, "x"), VIEW("AAAA")));
	check(!jws_key_of_pem(VIEW("-----BEGIN PRIVATE KEY-----\n")));
	json_decref(o);
	jws_key_free(k);
	jws_key_free(again);
	jws_key_free(half);
}

/* RFC 7638 3.1 has an RSA key; this is RFC 7515 A.3's, whose signature verifies too. */
TEST(the_example_of_rfc_7515_verifies)
{
	struct jws_key *k = jws_key_of_point(VIEW("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
					     VIEW("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
	struct jws j;

	check(k);
	check_eq(
	    jws_read(
		VIEW(
		    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9le"
		    "GFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTj"
		    "Dxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
		&j),
	    ERR_OK);
	check_eq(jws_verify(k, &j), ERR_OK);
	check(view_eq(jws_text(j.claims, "iss"), VIEW("joe")));
	jws_drop(&j);
	jws_key_free(k);
}

TESTS(T(what_we_sign_verifies_and_any_change_shows), T(no_token_says_how_it_is_verified),
      T(a_key_survives_its_file_and_its_public_half), T(the_example_of_rfc_7515_verifies))
