/* GBA (TS 33.220): the key of a network application, and the digests of HTTP by which a device and the
 * bootstrapping server or the application know each other (RFC 3310, RFC 7616). */
#pragma once
#include "crypto/crypto.h"

#define GBA_NAME_MAX 253 /* of an IMPI; of a NAF's name, without the 5 octets of its protocol */

/* Ks_NAF = KDF(Ks, "gba-me", RAND, IMPI, NAF_Id) (TS 33.220 Annex B, FC 0x01). `naf_id`: FQDN and 5 octets
 * of the Ua protocol. ERR_LENGTH, ERR_IO. The caller wipes `out`. */
enum err MUST_USE gba_naf_key(const struct secret32 *ks, const uint8_t rand[16], struct view impi,
			      struct view naf_id, struct secret32 *out);

/* The Ua security protocol "HTTP digest authentication" (TS 33.220 H.3). */
extern const uint8_t gba_ua_digest[5];

enum http_hash { HTTP_MD5, HTTP_SHA256 };
#define HTTP_DIGEST_TEXT 65

/* One exchange, as both ends hash it (RFC 7616 3.4.1 to 3.4.3). `method` is empty for rspauth, the server's
 * answer. `qop`: auth or auth-int; the body counts for auth-int alone. All borrowed. */
struct http_digest {
	enum http_hash hash;
	struct view username, realm, password;
	struct view method, uri, nonce, nc, cnonce, qop, body;
};
/* In hexadecimal with a NUL. ERR_VALUE: another qop. ERR_IO. */
enum err MUST_USE http_digest(const struct http_digest *d, char to[HTTP_DIGEST_TEXT]);
