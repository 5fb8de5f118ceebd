/* Authentication vectors (TS 33.102, TS 33.401) by MILENAGE (TS 35.206), on the processor's AES
 * instructions, or by TUAK (tuak.h): the key says which. One `struct aka` a thread. */
#pragma once
#include "crypto/tuak.h"

struct aka;
struct aka *aka_new(void); /* NULL: out of memory, or a processor without AES instructions */
void aka_free(struct aka *a);

/* The last two are for a subscription marked test alone: XOR protects nothing, and COMP128-3 makes triplets
 * only, so that the network proves nothing to the device (R-5.2.1.b). */
enum aka_alg { AKA_MILENAGE, AKA_TUAK, AKA_XOR, AKA_COMP128_3, AKA_ALG_N };

struct aka_key {
	struct secret32 k, opc; /* MILENAGE: 16 octets of each. TUAK: K as long as it is, TOPc. Else: K, 16 */
	uint8_t amf[2]; /* bit 0 of the first octet is the separation bit (set for EPS) */
	uint8_t alg;    /* enum aka_alg */
	struct tuak_size size; /* TUAK alone */
};

/* What a subscription that says no more is given: MAC, RES 64 bits, CK, IK 128 bits, one iteration
 * (the K of `k` octets). */
#define AKA_TUAK_SIZE(k) ((struct tuak_size){(k), 8, 8, 16, 16, 1})

/* May vectors be made with it? TUAK when the sizes are those an AUTN and a vector have room for: MAC
 * 64 bits, CK and IK 128, RES 32 to 128 (TS 33.102 6.3.2, 6.3.7); the others always. */
bool aka_key_ok(const struct aka_key *key);
/* Does it make triplets only: SRES and Kc, no AUTN? Its vectors may be sent as triplets alone. */
bool aka_key_gsm(const struct aka_key *key);

/* A key as the vault and the spool keep it: 34 octets of MILENAGE (K, OPc, AMF), or 74 of another
 * (alg, six sizes, 0, K, TOPc or zeros, AMF). `aka_key_get`: ERR_VALUE for what is neither. */
#define AKA_KEY_SHORT 34
#define AKA_KEY_MAX 74
size_t aka_key_put(const struct aka_key *key, uint8_t to[AKA_KEY_MAX]);
enum err MUST_USE aka_key_get(struct view from, struct aka_key *key);

#define AKA_RES_MAX 16
struct aka_vector {
	uint8_t rand[16], autn[16], xres[AKA_RES_MAX];
	uint8_t xres_n; /* 8 of MILENAGE; 4, 8 or 16 of TUAK; 16 of XOR; 4 of COMP128-3 */
	struct secret16 ck, ik;
};

/* All of MILENAGE for one challenge (TS 35.206 §4.1), whatever key->alg says: what aka_vector and
 * aka_resync are made of, and what a card computes (tests, audit). The caller wipes it. */
struct aka_f {
	uint8_t mac_a[8], mac_s[8];  /* f1, f1* */
	uint8_t res[8];              /* f2 */
	struct secret16 ck, ik;      /* f3, f4 */
	uint8_t ak[6], ak_s[6];      /* f5, f5* */
};
enum err MUST_USE aka_milenage(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			       uint64_t sqn, struct aka_f *f);

/* key->opc from the operator's OP, 16 octets, or TOP, 32, and the rest of the key (TS 35.206 §4.1,
 * TS 35.231 6.1). ERR_VALUE: the algorithm knows no operator. */
enum err MUST_USE aka_opc(struct aka *a, const uint8_t *op, struct aka_key *key);

/* A fresh RAND. ERR_IO when there is no randomness to be had. */
enum err MUST_USE aka_rand(struct aka *a, uint8_t rand[16]);

/* One vector for a RAND and a 48-bit SQN. Of COMP128-3: what aka_geran makes SRES and Kc of, the rest zero.
 * ERR_VALUE: not aka_key_ok. */
enum err MUST_USE aka_vector(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			     uint64_t sqn, struct aka_vector *out);

/* AUTS of a failed challenge (TS 33.102 §6.3.3): verifies MAC-S in constant time (f1* with AMF
 * 0000) and gives SQN_MS. ERR_KEY when MAC-S is wrong. */
enum err MUST_USE aka_resync(struct aka *a, const struct aka_key *key, const uint8_t rand[16],
			     const uint8_t auts[14], uint64_t *sqn_ms);

/* KASME (TS 33.401 A.2; FC 0x10) for a serving network; `plmn` in the 3 octets of
 * Visited-PLMN-Id. */
enum err MUST_USE aka_kasme(struct aka *a, const struct aka_vector *v, const uint8_t plmn[3],
			    uint8_t kasme[32]);

/* GERAN triplet from UMTS quantities (TS 33.102 §6.8.1.2: c2 and c3). */
void aka_geran(const struct aka_vector *v, uint8_t sres[4], uint8_t kc[8]);
