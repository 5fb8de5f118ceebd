/* The signer role: alone holds the TLS private keys, and signs handshakes for edge and home, at a limited
 * rate; everything else it is asked to sign is refused, counted and an event (loop/sign.h). */
#pragma once
#include "loop/sign.h"
#include "loop/tls.h"

struct signer;

#define SIGNER_LINES 8 /* roles that ask */
#define SIGNER_KEYS  4 /* the newest, and those whose certificates may still be in use */

/* With the first key; `rate` signatures a second for each role. ERR_CONFIG, ERR_FULL with one clear line.
 * From here on the process's memory is locked, as far as its limit allows. */
enum err MUST_USE signer_start(struct signer **s, uint32_t rate, const struct tls_pem *chain,
			       const struct tls_pem *key, char why[256]);
/* Wipes the keys. */
void signer_free(struct signer *s);
/* Serve, on the calling thread, until signer_stop (any thread). */
void signer_run(struct signer *s);
void signer_stop(struct signer *s);

/* --- any thread, while it runs --- */

/* A role's line: a SOCK_SEQPACKET, taken; in the place of that role's former one. False: too many. */
bool signer_line(struct signer *s, const char *role, int fd);
/* One more key, for the certificate that comes; those before stay. ERR_CONFIG with one clear line. */
enum err MUST_USE signer_renew(struct signer *s, const struct tls_pem *chain, const struct tls_pem *key,
			       char why[256]);
/* Wipe all but the newest, in a while: handshakes that have begun end first. */
void signer_forget(struct signer *s);
