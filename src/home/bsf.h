/* The bootstrapping server (BSF) of GBA (TS 33.220, TS 24.109 4): devices prove their SIM over HTTP (Ub)
 * and get a B-TID; network applications (NAF) ask for the key that goes with it (Zn, home/zn.c).
 * .h.
 *
 * Ub has a thread and a listener of its own, so that what strangers send costs signalling nothing. That
 * thread never sees a K: it asks home's loop for a vector, one at a time. */
#pragma once
#include "crypto/aka.h"
#include "home/procedure.h"
#include "loop/loop.h"
#include "loop/tls.h"

#define BSF_NAF_MAX 8
#define BSF_TOKEN UINT64_MAX /* of reg_put: the commit that a vector waits for */

struct bsf;
struct home_worker;

struct bsf_conf {
	const struct endpoint *listen;	   /* TCP */
	const struct tls_pem *chain, *key; /* NULL: HTTP without TLS. Borrowed for the call */
	struct view name;		   /* FQDN: the realm of Ub, the domain of B-TIDs */
	uint32_t lifetime_s, a_minute, subscribers;
	/* Who may ask for which application's keys: its FQDN, its Origin-Host. */
	struct {
		struct view fqdn, host;
	} naf[BSF_NAF_MAX];
	size_t naf_n;
};

/* Listen; nothing is served before bsf_start. ERR_CONFIG, ERR_IO with one clear line in `why`. */
enum err MUST_USE bsf_open(struct bsf **b, struct home_worker *w, const struct bsf_conf *conf,
			   char why[256]);
void bsf_start(struct bsf *b); /* its thread: once the loop runs, so that it lives in the sandbox */
void bsf_close(struct bsf *b); /* NULL is fine. The loop runs no more */

/* On the loop's thread: the commit of BSF_TOKEN is done. */
void bsf_durable(struct bsf *b, enum err err);

/* A session's key for an application (TS 33.220 4.5.3). The B-TID as received. OK: `out` is filled, and
 * wiped by the caller; else the result to answer. On the loop's thread; `wall_ms` since 1970. */
struct bsf_key {
	uint64_t imsi, made_s, expires_s;
	char impi[80];
	struct secret32 ks_naf;
};
enum result bsf_naf_key(struct bsf *b, struct view btid, struct view naf_id, struct view from,
			struct bsf_key *out);
/* The subscription may not have it any more: both challenge and session are gone. */
void bsf_withdraw(struct bsf *b, uint64_t imsi);

/* IMPI of an IMSI (TS 23.003 13.3), and back; 0: it is not that of an IMSI of our network. */
void bsf_impi(uint64_t imsi, uint64_t own_plmn, char to[80]);
uint64_t bsf_imsi(struct view impi, uint64_t own_plmn);
