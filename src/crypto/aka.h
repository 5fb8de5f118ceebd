/* Authentication vectors (TS 33.102, TS 33.401) by MILENAGE (TS 35.206), on intel-ipsec-mb's AES and
 * SHA-256. One `struct aka` a thread: it holds the round keys while they are needed. */
#pragma once
#include "crypto/crypto.h"

struct aka;
struct aka *aka_new(void); /* NULL: out of memory, or a processor without AES instructions */
void aka_free(struct aka *a);

struct aka_key {
	struct secret16 k, opc;
	uint8_t amf[2]; /* bit 0 of the first octet is the separation bit (set for EPS) */
};

struct aka_vector {
	uint8_t rand[16], autn[16], xres[8];
	struct secret16 ck, ik;
};

/* All of MILENAGE for one challenge (TS 35.206 §4.1): what aka_vector and aka_resync are made
 * of, and what a card computes (tests, simulate). The caller wipes it. */
struct aka_f {
	uint8_t mac_a[8], mac_s[8];  /* f1, f1* */
	uint8_t res[8];              /* f2 */
	struct secret16 ck, ik;      /* f3, f4 */
	uint8_t ak[6], ak_s[6];      /* f5, f5* */
};
enum err MUST_USE aka_milenage(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
		  struct aka_f *f);

/* OPc from OP and K (TS 35.206 §4.1). */
enum err MUST_USE aka_opc(struct aka *a, const uint8_t op[16], const struct secret16 *k, struct secret16 *opc);

/* A fresh RAND. ERR_IO when there is no randomness to be had. */
enum err MUST_USE aka_rand(struct aka *a, uint8_t rand[16]);

/* One vector for a RAND and a 48-bit SQN. */
enum err MUST_USE aka_vector(struct aka *a, const struct aka_key *key, const uint8_t rand[16], uint64_t sqn,
		struct aka_vector *out);

/* AUTS of a failed challenge (TS 33.102 §6.3.3): verifies MAC-S in constant time (f1* with AMF
 * 0000) and gives SQN_MS. ERR_KEY when MAC-S is wrong. */
enum err MUST_USE aka_resync(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			     const uint8_t auts[14], uint64_t *sqn_ms);

/* KASME (TS 33.401 A.2; FC 0x10) for a serving network; `plmn` in the 3 octets of
 * Visited-PLMN-Id. */
enum err MUST_USE aka_kasme(struct aka *a, const struct aka_vector *v, const uint8_t plmn[3], uint8_t kasme[32]);

/* GERAN triplet from UMTS quantities (TS 33.102 §6.8.1.2: c2 and c3). */
void aka_geran(const struct aka_vector *v, uint8_t sres[4], uint8_t kc[8]);
