/* Deliveries of keys from who makes the cards: CMS (RFC 5652), SignedData by the supplier around
 * EnvelopedData for us, so that nothing is decrypted for a stranger. Made with
 *
 *   openssl cms -encrypt -binary -aes-256-gcm -outform DER -in cards.csv -out cards.env import.crt
 * openssl cms -sign -binary -nodetach -outform DER -signer supplier.crt -inkey supplier.key -in cards.env
 * -out cards.cms
 *
 * DER or PEM. Who may sign is the caller's to say: a supplier is known by its certificate, not by a CA. */
#pragma once
#include "crypto/crypto.h"

#define CMS_FINGERPRINT 64 /* hexadecimal digits of SHA-256 */

struct cms_file;

/* Does it begin as CMS does (and no text does)? */
bool cms_is(struct view file);

/* Verify the signature, decrypt nothing. NULL: `why` says what is wrong with it: not signed, altered, too
 * weak, two signers. `now`: seconds since 1970, for the certificate's own dates. */
struct cms_file *cms_verify(struct view file, uint64_t now, char why[256]);
/* Of whoever signed: SHA-256 of the certificate, and its subject (for people). Borrowed. */
const char *cms_signer(const struct cms_file *f);
const char *cms_subject(const struct cms_file *f);

/* What is inside, decrypted with our key and certificate (PEM files; the key's as secret_file_open wants
 * it). Borrowed until cms_free, which wipes it. ERR_KEY and why: not for us, or no EnvelopedData. */
enum err MUST_USE cms_open(struct cms_file *f, const char *key, const char *certificate, struct view *text,
			   char why[256]);
void cms_free(struct cms_file *f);
