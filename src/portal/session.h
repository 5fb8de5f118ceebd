/* The keys of devices that signed on: by B-TID, until they end. Bounded. Guards against replay: of one
 * B-TID, the server's nonces count in their order, and each number of uses once (RFC 7616 3.4). */
#pragma once
#include "portal/naf.h"

#define SESSION_BTID 160

struct session {
	char btid[SESSION_BTID]; /* "": free */
	struct naf_key k;
	uint64_t nonce_us; /* when the nonce was made that was used last */
	uint32_t nc;	   /* how often */
	uint64_t used_s;
};

struct sessions;
struct sessions *sign_sessions_new(size_t max); /* NULL: out of memory */
void sign_sessions_free(struct sessions *s);	   /* wipes */
/* NULL: none, or it has ended. */
struct session *sessions_find(struct sessions *s, struct view btid, uint64_t now_s);
/* In place of the one that was used least lately; NULL when that would let an answer count twice. */
struct session *sessions_put(struct sessions *s, struct view btid, const struct naf_key *k,
			     uint64_t now_s);
void sessions_drop(struct session *s);
/* May this use of this nonce count? It then has. */
bool session_count(struct session *s, uint64_t nonce_us, uint32_t nc, uint64_t now_s);

#define NONCE_TEXT 65
#define NONCE_S 60 /* how long a nonce is taken */
/* A nonce of ours: when it was made, and a MAC. `key`: 32 octets. */
void nonce_put(const struct secret32 *key, uint64_t now_us, char to[NONCE_TEXT]);
/* When it was made; 0: it is none of ours, or old. */
uint64_t nonce_get(const struct secret32 *key, struct view nonce, uint64_t now_us);
