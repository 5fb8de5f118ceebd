/* What the provider signs and names with: keys of P-256, a new one now and then, those before still
 * published; and a secret for names. Files of its own directory, made at the first start, root's or its
 * user's alone. */
#pragma once
#include "crypto/jws.h"

#define OIDC_KEYS 4 /* published at once */
#define OIDC_SUB 44 /* base64url of 32 octets, NUL */
#define OIDC_ID 72  /* of a token: base64url of 48 octets, NUL */

struct oidc_keys {
	int dir;			/* its directory */
	struct jws_key *key[OIDC_KEYS]; /* 0: what is signed with; older ones after it */
	uint64_t made_s[OIDC_KEYS];
	size_t n;
	struct jws_key *next; /* made, not yet announced */
	uint64_t next_s;
	struct secret32 secret;
};

/* ERR_IO, ERR_CORRUPT with one clear line. `now_s` since 1970. */
enum err MUST_USE oidc_keys_open(struct oidc_keys *k, const char *dir, uint64_t now_s, char why[256]);
void oidc_keys_close(struct oidc_keys *k);
/* Time for another key: the first is older than `days`, or a file "rotate" was put there. It is made, as
 * `next`, and signed with after oidc_keys_turn. True once. */
bool oidc_keys_due(struct oidc_keys *k, uint32_t days, uint64_t now_s);
/* The next key becomes the first; the oldest beyond OIDC_KEYS are deleted. */
void oidc_keys_turn(struct oidc_keys *k);
const struct jws_key *oidc_keys_find(const struct oidc_keys *k, struct view kid); /* NULL: none */

/* The name of a device at the platforms of one sector (OpenID Connect Core 8.1): nobody else can link
 * it. */
void oidc_sub(const struct oidc_keys *k, struct view sector, uint64_t imsi, char to[OIDC_SUB]);
/* A token's own name, which only we can read back to the device that it is about, and back; 0: not ours.
 */
enum err MUST_USE oidc_id(const struct oidc_keys *k, uint64_t imsi, char to[OIDC_ID]);
uint64_t oidc_id_imsi(const struct oidc_keys *k, struct view id);
