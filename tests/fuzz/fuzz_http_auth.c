/* Authorization headers: what is taken lies within the header, holds no quote, and stays what it is when
 * it is written in full and read again. */
#include "wire/http_auth.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void within(struct view v, const uint8_t *data, size_t n)
{
	if (v.n > 0 && (v.p < data || v.p + v.n > data + n || memchr(v.p, '"', v.n)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const names[AUTH_N] = {"username", "realm",	   "nonce",  "uri",
						  "response", "algorithm", "cnonce", "opaque",
						  "qop",      "nc",	   "auts"};
	static char text[2 * HTTP_AUTH_MAX];
	struct http_auth a, again;
	size_t at = 7;

	within(http_auth_bearer((struct view){data, n}), data, n);
	if (http_auth_digest((struct view){data, n}, &a) != ERR_OK)
		return 0;
	memcpy(text, "Digest ", 7);
	for (size_t i = 0; i < AUTH_N; i++) {
		within(a.param[i], data, n);
		if (a.given[i])
			at += (size_t)snprintf(text + at, sizeof text - at, "%s=\"%.*s\", ", names[i],
					       (int)a.param[i].n,
					       a.param[i].n ? (const char *)a.param[i].p : "");
	}
	if (at > HTTP_AUTH_MAX)
		return 0;
	if (http_auth_digest((struct view){(const uint8_t *)text, at}, &again) != ERR_OK)
		abort();
	for (size_t i = 0; i < AUTH_N; i++) {
		if (!view_eq(a.param[i], again.param[i]) || a.given[i] != again.given[i])
			abort();
	}
	return 0;
}
