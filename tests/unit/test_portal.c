/* The portal's rules, from texts and a time: passwords, codes, throttling, paths. */
#include "portal/attestation.h"
#include "portal/password.h"
#include "portal/route.h"
#include "portal/throttle.h"
#include "portal/totp.h"

#include "test.h"

/* .c: NIST SP 800-63B-4 3.1.1.2. */
TEST(a_password_is_long_and_not_what_everybody_tries)
{
	static const char *const words[] = {"anna", "meters", "merlon", NULL};
	static const struct {
		const char *password;
		bool good;
	} rows[] = {
	    {"nine wandering teapots hum", true},
	    {"correct horse battery staple", true}, /* four words that no list has in a row */
	    {"x7#kQ9!mZ2$pL4&", true},
	    {"gr\xc3\xbc\xc3\x9f"
	     "e aus dem s\xc3\xbc"
	     "den",
	     true},
	    {"14 characters!", false},
	    {"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc",
	     false}, /* 16 octets, 8 characters */
	    {"passwordpassword", false},
	    {"PasswordPassword123!", false},
	    {"correcthorsebatterystaple", false},
	    {"qwertyuiopasdfghjkl", false},
	    {"aaaaaaaaaaaaaaaaaaaa", false},
	    {"abcabcabcabcabcabc", false},
	    {"abcdefghijklmnopqrs", false},
	    {"zyxwvutsrqponmlkji", false},
	    {"012345678901234567890", false},
	    {"19801225198012", false},
	    {"merlon-meters-anna-2026", false},
	    {"summer2026 summer2026", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why = password_judge(rows[i].password, words);

		check((why == NULL) == rows[i].good);
	}
}

TEST(a_password_has_an_end)
{
	char text[PASSWORD_MOST + 2];

	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = "the quick brown fox jumps over lazy dogs"[(i * 7) % 40];
	text[PASSWORD_MOST + 1] = 0;
	check(password_judge(text, NULL) != NULL);
	text[PASSWORD_MOST] = 0;
	check(password_judge(text, NULL) == NULL);
}

/* RFC 6238 Appendix B, SHA-1; the last six of its eight digits. .a */
TEST(a_code_is_that_of_its_time)
{
	static const char secret[] = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"; /* 12345678901234567890 */
	static const struct {
		uint64_t at;
		const char *code;
	} rows[] = {{59, "287082"},	    {1111111109, "081804"}, {1111111111, "050471"},
		    {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
	uint32_t step;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check(totp_fits(secret, rows[i].code, rows[i].at, &step));
		check_eq(step, (uint32_t)(rows[i].at / 30));
		check(totp_fits(secret, rows[i].code, rows[i].at + 30, &step));
		check(!totp_fits(secret, rows[i].code, rows[i].at + 90, &step));
	}
	check(!totp_fits(secret, "28708", 59, &step) && !totp_fits(secret, "2870822", 59, &step));
	check(!totp_fits(secret, "28708x", 59, &step) && !totp_fits("1", "287082", 59, &step));
}

TEST(a_new_secret_is_base32_and_another_each_time)
{
	char a[TOTP_TEXT], b[TOTP_TEXT];

	check(totp_new(a) && totp_new(b) && strcmp(a, b) != 0);
	check_eq(strlen(a), 32);
}

/* NIST SP 800-63B-4 3.2.2; ASVS 6.1.1. .c */
TEST(strangers_wait_and_lock_nobody_out)
{
	struct throttle *t = throttle_new();
	uint64_t now = 1000000;
	char from[32];

	check(t != NULL);
	throttle_passed(t, "anna", "192.0.2.1", now);
	for (int i = 0; i < 5; i++) {
		check_eq(throttle_wait_ms(t, "anna", "198.51.100.7", now), 0);
		throttle_failed(t, "anna", "198.51.100.7", now);
	}
	check_eq(throttle_wait_ms(t, "anna", "198.51.100.7", now), 1000);
	check_eq(throttle_wait_ms(t, "anna", "198.51.100.7", now + 1000), 0);
	throttle_failed(t, "anna", "198.51.100.7", now + 1000);
	check_eq(throttle_wait_ms(t, "anna", "198.51.100.7", now + 1000), 2000);
	for (int i = 0; i < 100; i++) { /* from everywhere */
		snprintf(from, sizeof from, "203.0.113.%d", i);
		throttle_failed(t, "anna", from, now);
	}
	check(throttle_wait_ms(t, "anna", "203.0.113.200", now) > 0);
	check_eq(throttle_wait_ms(t, "anna", "192.0.2.1", now), 0);
	check_eq(throttle_wait_ms(t, "bert", "203.0.113.200", now), 0);
	throttle_passed(t, "anna", "192.0.2.1", now);
	check_eq(throttle_wait_ms(t, "anna", "203.0.113.200", now), 0);
	throttle_free(t);
}

TEST(a_rate_is_kept)
{
	struct throttle *t = throttle_new();
	size_t passed = 0;

	check(t != NULL);
	for (uint64_t ms = 0; ms < 10000; ms++)
		passed += throttle_pass(t, "user", "anna", 100, 5000 + ms);
	check(passed >= 1000 && passed <= 1201); /* ten seconds, and twice a second's at once */
	check(throttle_pass(t, "user", "bert", 100, 15000));
	throttle_free(t);
}

/* .a */
TEST(a_path_is_one_endpoint_or_none)
{
	static const struct {
		enum web_method method;
		const char *path, *id, *param;
	} rows[] = {
	    {WEB_GET, "/subscriptions", "SUBSCRIPTIONS_LIST", ""},
	    {WEB_HEAD, "/subscriptions/1", "SUBSCRIPTIONS_SHOW", "1"},
	    {WEB_PATCH, "/subscriptions/99%37", "SUBSCRIPTIONS_CHANGE", "997"},
	    {WEB_GET, "/subscriptions/1/history", "SUBSCRIPTIONS_HISTORY", "1"},
	    {WEB_POST, "/users/bert/reset", "USER_RESET", "bert"},
	    {WEB_GET, "/subscriptions/", NULL, ""},
	    {WEB_GET, "/subscriptions//", NULL, ""},
	    {WEB_GET, "//subscriptions", NULL, ""},
	    {WEB_GET, "/subscriptions/..", NULL, ""},
	    {WEB_GET, "/subscriptions/%2e%2e", NULL, ""},
	    {WEB_GET, "/subscriptions/a%2fb", NULL, ""},
	    {WEB_GET, "/subscriptions/a%00", NULL, ""},
	    {WEB_GET, "/subscriptions/%", NULL, ""},
	    {WEB_GET, "/subscriptions/%4", NULL, ""},
	    {WEB_GET, "/subscriptions/%zz", NULL, ""},
	    {WEB_GET, "/SUBSCRIPTIONS", NULL, ""},
	    {WEB_DELETE, "/journal", NULL, ""},
	    {WEB_POST, "/api-keys", NULL, ""}, /* a resource that nobody may make here */
	    {WEB_OTHER, "/subscriptions", NULL, ""},
	    {WEB_GET, "", NULL, ""},
	};
	unsigned int others;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct visit v = {0};
		const struct route *r = route_find(rows[i].method, view_of(rows[i].path), &v, &others);

		check((r == NULL) == (rows[i].id == NULL));
		if (r && rows[i].id)
			check(strcmp(r->id, rows[i].id) == 0 &&
			      view_eq(v.param[0], view_of(rows[i].param)));
	}
}

/* No row lets nobody-knows-who do something without saying so, and none is there twice. */
TEST(the_table_of_routes_is_sound)
{
	for (size_t i = 0; i < route_n; i++) {
		const struct route *r = &routes[i];

		check(r->answer != NULL && r->help[0] && r->path[0] == '/');
		check(r->roles < 1u << ROLE_N);
		check(!(r->flags & ROUTE_STEP && r->roles == 0 &&
			!r->closed)); /* a stranger has no second factor */
		check(r->method == WEB_GET || r->roles != 0 || r->flags & ROUTE_HALF || r->closed);
		for (size_t k = 0; k < i; k++)
			check(routes[k].method != r->method || strcmp(routes[k].path, r->path) != 0 ||
			      routes[k].closed || r->closed);
	}
}

TEST(the_description_has_every_row)
{
	json_t *d = route_describe("/api/v1");
	size_t n = 0, open = 0;
	const char *path;
	json_t *methods;

	check(d != NULL);
	json_object_foreach(json_object_get(d, "paths"), path, methods) n += json_object_size(methods);
	for (size_t i = 0; i < route_n; i++)
		open += !routes[i].closed;
	check_eq(n, open);
	json_decref(d);
}

TEST(an_attestation_is_cut_out_and_nothing_else)
{
	static const uint8_t good[] = "\xa3\x63"
				      "fmt\x64none\x67"
				      "attStmt\xa0\x68"
				      "authData\x43"
				      "abc";
	uint8_t room[64];

	for (size_t n = 0; n < sizeof good; n++) {
		struct wr w = {.p = room, .cap = sizeof room};
		enum err err = attestation_read((struct view){good, n}, &w);

		check((err == ERR_OK) == (n == sizeof good - 1));
		if (err == ERR_OK)
			check(view_eq(wr_done(&w), VIEW("abc")));
	}
}

TESTS(T(a_password_is_long_and_not_what_everybody_tries), T(a_password_has_an_end),
      T(a_code_is_that_of_its_time), T(a_new_secret_is_base32_and_another_each_time),
      T(strangers_wait_and_lock_nobody_out), T(a_rate_is_kept), T(a_path_is_one_endpoint_or_none),
      T(the_table_of_routes_is_sound), T(the_description_has_every_row),
      T(an_attestation_is_cut_out_and_nothing_else))
