/* Algorithms for subscriptions marked test alone (aka.h). Pure. */
#pragma once
#include "crypto/aka.h"

/* The algorithm of test equipment (TS 34.108 8.1.2): no function of K but exclusive or. `f`: mac_a, ck, ik
 * and ak, the rest zero; f1* and f5* are f1 and f5 (8.1.2.2). `res`: 128 bits. The caller wipes both. */
void xor_all(const struct aka_key *key, const uint8_t rand[16], uint64_t sqn, uint8_t res[16],
	     struct aka_f *f);

/* A3/A8 of COMP128-3, by libosmogsm. ERR_VALUE: it made nothing. */
enum err MUST_USE comp128_triplet(const uint8_t k[16], const uint8_t rand[16], uint8_t sres[4],
				  uint8_t kc[8]);
