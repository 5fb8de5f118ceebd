/* Zn from the application's side (TS 29.109): the key of a B-TID, asked of home. */
#pragma once
#include "crypto/crypto.h"
#include "loop/loop.h"

struct naf;

struct naf_conf {
	struct loop *loop;
	const struct endpoint *home;
	const char *host, *realm, *home_host;
	const char *name; /* FQDN in NAF_Id */
};

struct naf_key {
	uint64_t imsi;
	uint64_t expires_s; /* since 1970 */
	struct secret32 key;
};

/* `result`: 2001, or what home said (experimental codes too), or 3002: home was not reached. */
struct naf_answer {
	void (*fn)(void *ctx, uint32_t place, uint32_t serial, uint32_t result,
		   const struct naf_key *key);
	void *ctx;
};

struct naf *naf_new(const struct naf_conf *conf,
		    const struct naf_answer *answer); /* NULL: out of memory */
void naf_free(struct naf *n);
void naf_tick(struct naf *n); /* every 100 ms */
void naf_stop(struct naf *n); /* says goodbye */
/* False: home is not connected, or too much is asked at once. Else the answer comes, later. */
bool naf_ask(struct naf *n, struct view btid, uint32_t place, uint32_t serial);
