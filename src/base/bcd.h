/* Decimal identities as numbers: IMSI, IMEI, MSISDN, ICCID, PLMN.
 *
 * Up to 16 digits stand left-aligned in a uint64_t, a nibble each, filled up with F. So leading
 * zeros count, a comparison of numbers is a comparison of texts, and a prefix is a mask.
 * Zero is never a valid identity and stands for "none". */
#pragma once
#include "base/bytes.h"

#define BCD_MAX 16
#define BCD_TEXT 17 /* room for the digits and a NUL */

/* The identity in 1..16 ASCII digits, or 0 if it is anything else. */
uint64_t bcd_of(struct view digits);

/* The number of digits; 0 for none. */
unsigned int bcd_n(uint64_t id);

/* Write digits and NUL into `text`; returns the number of digits. */
size_t bcd_text(uint64_t id, char text[BCD_TEXT]);

/* The first `n` digits, the rest filled with F; 0 if there are fewer. */
uint64_t bcd_first(uint64_t id, unsigned int n);

/* Does `id` begin with all digits of `prefix`? */
bool bcd_begins(uint64_t id, uint64_t prefix);

/* From TBCD (TS 29.002): two digits an octet, the first in the low half, an odd number filled with F; and
 * back, returns the octets. 0 if they are no digits, or more than 16. */
uint64_t bcd_of_tbcd(struct view v);
size_t bcd_tbcd(uint64_t id, uint8_t out[BCD_MAX / 2]);

/* PLMN from the 3 octets of Visited-PLMN-Id (TS 23.003 §12.1, TS 29.272 §7.3.9), and back.
 * MCC and MNC digits in the form above (5 or 6 digits); 0 if they are no digits. */
uint64_t plmn_of_tbcd(struct view v);
void plmn_tbcd(uint64_t plmn, uint8_t out[3]);
