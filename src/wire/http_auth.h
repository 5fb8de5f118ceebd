/* The Authorization header of HTTP: Digest (RFC 2617, 7616; AKA's auts of RFC 3310 3.4) and Bearer
 * (RFC 6750 2.1). Pure. */
#pragma once
#include "base/bytes.h"

enum http_auth_param {
	AUTH_USERNAME, AUTH_REALM, AUTH_NONCE, AUTH_URI, AUTH_RESPONSE, AUTH_ALGORITHM, AUTH_CNONCE,
	AUTH_OPAQUE, AUTH_QOP, AUTH_NC, AUTH_AUTS,
	AUTH_N
};

struct http_auth {
	struct view param[AUTH_N]; /* without quotes; borrowed from the header */
	bool given[AUTH_N];
};

#define HTTP_AUTH_MAX 4096 /* octets of a header that is read */

/* Parameters that no row names are passed over. ERR_UNKNOWN: another scheme, or none. ERR_VALUE: not of that
 * form, or with an escaped character within quotes, which nothing that we hand out needs. ERR_REPEATED.
 * ERR_LENGTH. */
enum err MUST_USE http_auth_digest(struct view header, struct http_auth *to);

/* The token after "Bearer"; empty: another scheme, or not of that form. */
struct view http_auth_bearer(struct view header);
