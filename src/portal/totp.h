/* Codes of an authenticator (RFC 6238, SHA-1, six digits, 30 s), by liboath. */
#pragma once
#include "base/bytes.h"

#define TOTP_TEXT 33		       /* base32 of 20 octets, NUL */
bool totp_new(char secret[TOTP_TEXT]); /* false: no random numbers */
/* Is it the code of now, or of the 30 s before or behind? `*step`: which: time / 30 s. */
bool totp_fits(const char *secret, const char *code, uint64_t now_s, uint32_t *step);
