/* The algorithms of the radio (radio.tab): what each is worth, and the computation of those that are
 * worth it, on intel-ipsec-mb. A5/1, A5/2, GEA1 and GEA2 are only judged, never computed, and
 * GEA5 is not computed either. One `struct radio` a thread. */
#pragma once
#include "crypto/crypto.h"

enum radio_id {
#define RADIO(id, name, kind, generation, number, bits, strength, clause, why) RADIO_##id,
#include "crypto/radio.tab"
#undef RADIO
	RADIO_N
};

enum radio_kind { RADIO_CIPHER, RADIO_INTEGRITY };

/* In order: a policy compares them. NONE protects nothing; BROKEN is read by an amateur; SHORT has a
 * key that can be searched; FULL has 128 bits and no practical attack. */
enum radio_strength { RADIO_NONE, RADIO_BROKEN, RADIO_SHORT, RADIO_FULL };

struct radio_row {
	const char *name, *clause, *why;
	enum radio_kind kind;
	enum radio_strength strength;
	uint8_t generation, number; /* 2 GSM and GPRS, 3 UMTS, 4 LTE and 5G; the number in its name */
	uint16_t key_bits;
};
extern const struct radio_row radio_rows[RADIO_N];

/* By name, in any case: "EEA2", "128-EEA2", "NEA2" and "A5/3", "A53". RADIO_N: unknown. */
enum radio_id radio_find(struct view name);

struct radio;
struct radio *radio_new(void); /* NULL: out of memory, or a processor without what the library needs */
void radio_free(struct radio *r); /* wipes */

/* What goes into a computation beside the text. `key`: key_bits / 8 octets, borrowed.
 *            count                    fresh     bearer  dir
 *   A5       COUNT, 22 bits                                     the text is 228 bits: both blocks
 *   GEA      INPUT                                      DIRECTION
 *   UEA EEA  COUNT-C                            BEARER  DIRECTION
 *   UIA      COUNT-I                  FRESH             DIRECTION
 *   EIA      COUNT                              BEARER  DIRECTION */
struct radio_in {
	const uint8_t *key;
	uint32_t count, fresh;
	uint8_t bearer, dir;
};

/* The largest PDCP SDU (TS 36.323 4.3.1). KASUMI: 20000 (TS 35.201 3.2); EIA2: 65440. */
#define RADIO_BITS_MAX 65504

/* Encipher or decipher `bits` bits, the first of which is the most significant of an octet; what is
 * left of the last octet becomes zero. `src` and `dst` may be the same. ERR_UNKNOWN: one that is
 * not computed, or no cipher; ERR_LENGTH: too long; ERR_VALUE: bearer, dir or count too large. */
enum err MUST_USE radio_cipher(struct radio *r, enum radio_id id, const struct radio_in *in,
			       const uint8_t *src, size_t bits, uint8_t *dst);

/* MAC-I, 4 octets, over `bits` bits (at least 1); what stands after them in the last octet does not
 * matter. Errors as above. */
enum err MUST_USE radio_mac(struct radio *r, enum radio_id id, const struct radio_in *in,
			    const uint8_t *text, size_t bits, uint8_t mac[4]);

/* The same for many at once, each with a key of its own and whole octets: SNOW 3G and ZUC do
 * up to 16 in the time of a few. `dst`: the text, or 4 octets of MAC. Stops at the first error. */
struct radio_job {
	struct radio_in in;
	const uint8_t *src;
	uint8_t *dst;
	uint32_t octets;
};
enum err MUST_USE radio_cipher_many(struct radio *r, enum radio_id id, const struct radio_job *job,
				    size_t n);
enum err MUST_USE radio_mac_many(struct radio *r, enum radio_id id, const struct radio_job *job,
				 size_t n);
