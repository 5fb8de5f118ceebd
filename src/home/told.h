/* What a serving node was last told, as far as a later change must know it: kept in the spare
 * octets of the registration. Without it nobody could say what a DSR has to withdraw. */
#pragma once
#include "records/reg.h"

enum told_part { TOLD_TAU = 1, TOLD_MSISDN = 2, TOLD_SMS = 4 };

enum {
	TOLD_PARTS,
	TOLD_CONTEXTS
}; /* places in reg_row.spare; TOLD_CONTEXTS is the first of APN_MAX */

/* The parts (enum told_part) that these rows call for. */
uint8_t told_parts(const struct sub_row *sub, const struct profile_row *profile);

/* A digest of all that Subscription-Data is compiled from; never 0, which stands for 'told
 * nothing'. */
uint32_t told_digest(const struct sub_row *sub, const struct profile_row *profile);

/* The same of Non-3GPP-User-Data (SWx), and noting it in a row reg_aaa(). */
uint32_t told_aaa(const struct sub_row *sub, const struct profile_row *profile);
void told_aaa_set(struct reg_row *reg, const struct sub_row *sub, const struct profile_row *profile);

/* Note that the node now has the data of these rows. */
void told_set(struct reg_row *reg, const struct sub_row *sub, const struct profile_row *profile);
