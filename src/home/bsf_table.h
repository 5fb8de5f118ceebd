/* What the bootstrapping server knows of subscribers: the challenge that stands, the key that was
 * agreed, how often one may ask. Bounded: a slot a subscriber, the one that is of least use given up for
 * another. No clock, no lock of its own. */
#pragma once
#include "base/bcd.h"
#include "crypto/aka.h"

#define BSF_CHALLENGE_MS 30000 /* how long one stands: asked again meanwhile, the same is given */

struct bsf_sub {
	uint64_t imsi;	      /* 0: free */
	uint64_t asked_ms;    /* the challenge: since when; 0: none */
	uint64_t refilled_ms; /* of `tokens` */
	uint32_t tokens;      /* thousandths of a challenge */
	struct aka_vector v;
	/* The bootstrapping session; expires_s 0: none. Seconds since 1970. */
	uint64_t made_s, expires_s;
	uint8_t rand[16]; /* the B-TID is made of it */
	struct secret32 ks;
};

struct bsf_table;
struct bsf_table *bsf_table_new(uint32_t subscribers); /* NULL: out of memory */
void bsf_table_free(struct bsf_table *t);	       /* wipes */

/* The slot of a subscriber; `make`: one is made, whose tokens are full. NULL: none. */
struct bsf_sub *bsf_table_sub(struct bsf_table *t, uint64_t imsi, bool make);
/* May another challenge be made? At most `a_minute`, and as many at once. Takes one token. */
bool bsf_table_allow(struct bsf_sub *s, uint32_t a_minute, uint64_t now_ms);
/* A challenge that stands; one that was answered, or is old, does not. */
bool bsf_table_stands(const struct bsf_sub *s, uint64_t now_ms);
/* The challenge was answered: it becomes the session, once, and the session before is forgotten. */
void bsf_table_agree(struct bsf_table *t, struct bsf_sub *s, uint64_t now_s, uint32_t lifetime_s);
void bsf_table_withdraw(struct bsf_sub *s); /* challenge and session */
/* The session of a RAND, if it has not expired; NULL: none. */
struct bsf_sub *bsf_table_session(struct bsf_table *t, const uint8_t rand[16], uint64_t now_s);
