#include "crypto/aka_test.h"

#include <osmocom/gsm/comp128v23.h>

#define BLOCK 16

/* `from` turned left by `n` octets. */
static void turn(uint8_t to[BLOCK], const uint8_t from[BLOCK], size_t n)
{
	for (size_t i = 0; i < BLOCK; i++)
		to[i] = from[(i + n) % BLOCK];
}

/* XDOUT is K xor RAND; everything else is a part of it (TS 34.108 8.1.2.1). */
void xor_all(const struct aka_key *key, const uint8_t rand[16], uint64_t sqn, uint8_t res[16],
	     struct aka_f *f)
{
	uint8_t cdout[8];

	for (size_t i = 0; i < BLOCK; i++)
		res[i] = key->k.b[i] ^ rand[i];
	memset(f, 0, sizeof(*f));
	turn(f->ck.b, res, 1);
	turn(f->ik.b, res, 2);
	memcpy(f->ak, res + 3, sizeof(f->ak));
	for (unsigned int i = 0; i < 6; i++)
		cdout[i] = (uint8_t)(sqn >> 8 * (5 - i));
	memcpy(cdout + 6, key->amf, 2);
	for (size_t i = 0; i < sizeof(cdout); i++)
		f->mac_a[i] = res[i] ^ cdout[i];
}

enum err comp128_triplet(const uint8_t k[16], const uint8_t rand[16], uint8_t sres[4], uint8_t kc[8])
{
	return comp128v3(k, rand, sres, kc) == 0 ? ERR_OK : ERR_VALUE;
}
