/* Which password is good enough (NIST SP 800-63B-4 3.1.1.2, OWASP ASVS 6.2): at least 15 characters, at
 * most 256 octets, none that others would try; no rules about which characters. Pure. */
#pragma once
#include "base/bytes.h"

#define PASSWORD_LEAST 15
#define PASSWORD_MOST 256
/* Why not, for a person, with advice; NULL: it is good. `words`: what belongs to this user and this
 * place, NULL-ended. */
const char *password_judge(const char *password, const char *const *words);
