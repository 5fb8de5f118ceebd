/* A certificate of our own, for the first run: until an authority's is configured. */
#pragma once
#include "base/bytes.h"

#define FINGERPRINT_TEXT 96 /* "AB:CD:...", SHA-256 */
/* `dir`/tls.chain and `dir`/tls.key, P-256: made if they are not there or end within 30 days. `names`:
 * of hosts, separated by spaces; localhost and its addresses are always in it. ERR_IO with one clear
 * line. */
enum err MUST_USE selfsign(const char *dir, const char *names, char why[256]);
/* Of the first certificate of a PEM file. False: none there. */
bool fingerprint(const char *path, char to[FINGERPRINT_TEXT]);
