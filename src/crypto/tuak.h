/* TUAK (TS 35.231): AKA by Keccak, on nettle's permutation, over a state that is wiped after each function.
 * Every size of the specification; aka.h says which of them 3GPP networks carry. One `struct tuak` a
 * thread. */
#pragma once
#include "crypto/crypto.h"

#define TUAK_TOP 32

/* Octets: K 16 or 32; MAC 8, 16 or 32; CK and IK 16 or 32; RES 4, 8, 16 or 32. `iterations`: of Keccak,
 * 1 to 255; one a subscription, since each operator chooses. */
struct tuak_size {
	uint8_t k, mac, res, ck, ik, iterations;
};
bool tuak_size_ok(const struct tuak_size *s);

struct tuak;
struct tuak *tuak_new(void); /* NULL: out of memory */
void tuak_free(struct tuak *t); /* wipes */

struct tuak_key {
	const uint8_t *k, *topc; /* borrowed: size.k and TUAK_TOP octets */
	struct tuak_size size;   /* must be tuak_size_ok */
};

/* f2 to f5; the caller wipes it. */
struct tuak_f {
	uint8_t res[32], ck[32], ik[32], ak[6];
};

/* TOPc from TOP and K (6.1); `key->topc` is not read. */
enum err MUST_USE tuak_topc(struct tuak *t, const struct tuak_key *key,
			    const uint8_t top[TUAK_TOP], uint8_t topc[TUAK_TOP]);
/* f1, or f1* (6.2, 6.4): size.mac octets. */
enum err MUST_USE tuak_f1(struct tuak *t, const struct tuak_key *key, bool star,
			  const uint8_t rand[16], const uint8_t sqn[6], const uint8_t amf[2],
			  uint8_t *mac);
enum err MUST_USE tuak_f2345(struct tuak *t, const struct tuak_key *key, const uint8_t rand[16],
			     struct tuak_f *f);
enum err MUST_USE tuak_f5_star(struct tuak *t, const struct tuak_key *key, const uint8_t rand[16],
			       uint8_t ak[6]);
