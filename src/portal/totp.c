#include "portal/totp.h"

#include "crypto/crypto.h"

#include <liboath/oath.h>
#include <stdlib.h>

#define STEP_S 30

bool totp_new(char secret[TOTP_TEXT])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t b[TOTP_TEXT - 1];

	if (random_bytes(b, sizeof b))
		return false;
	for (size_t i = 0; i < sizeof b; i++) /* 32 letters of five bits: 160 bits */
		secret[i] = letters[b[i] & 31];
	secret[TOTP_TEXT - 1] = 0;
	secret_wipe(b, sizeof b);
	return true;
}

bool totp_fits(const char *secret, const char *code, uint64_t now_s, uint32_t *step)
{
	char *key = NULL, want[8];
	size_t n = 0;
	bool fits = false;

	if (strlen(code) != 6 || strspn(code, "0123456789") != 6 ||
	    oath_base32_decode(secret, strlen(secret), &key, &n) != OATH_OK)
		return false;
	for (int d = -1; d <= 1; d++) {
		uint64_t at = now_s / STEP_S + (uint64_t)d;

		if (oath_hotp_generate(key, n, at, 6, false, OATH_HOTP_DYNAMIC_TRUNCATION, want) ==
			OATH_OK &&
		    secret_eq(want, code, 6)) {
			fits = true;
			*step = (uint32_t)at;
		}
	}
	secret_wipe(key, n);
	free(key);
	secret_wipe(want, sizeof want);
	return fits;
}
