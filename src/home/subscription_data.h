/* Subscription-Data compiled from the service profile, and nothing beyond the declared need
 * (TS 29.272 7.3.2; .b, R-5.1.c; facts/protocols.md 2.5). */
#pragma once
#include "judge/book.h"
#include "wire/dia.h"

/* Bits of the Feature-Lists (TS 29.272 7.3.10), as stored: list 1 in the low half, list 2 in the
 * high. */
#define FEATURE_ODB_ALL_APN ((uint64_t)1 << 0)
#define FEATURE_ODB_HPLMN_APN ((uint64_t)1 << 1)
#define FEATURE_ODB_VPLMN_APN ((uint64_t)1 << 2)
#define FEATURE_SMS_IN_MME ((uint64_t)1 << 32)
#define FEATURE_NON_IP ((uint64_t)1 << (32 + 21))
#define FEATURE_NO_MSISDN ((uint64_t)1 << (32 + 23)) /* removal of the MSISDN */

/* What this home supports of them. */
#define FEATURES_HOME                                                                              \
	(FEATURE_ODB_ALL_APN | FEATURE_ODB_HPLMN_APN | FEATURE_ODB_VPLMN_APN | FEATURE_NON_IP |    \
	 FEATURE_NO_MSISDN)

/* Can a node with these features carry out every bar of the profile, and use its default APN? */
bool subscription_data_fits(const struct profile_row *profile, uint64_t features);

/* Write the AVP. `gprs`: the PDP contexts too, for an SGSN that asked for them. */
void subscription_data_put(struct wr *w, const struct sub_row *sub,
			   const struct profile_row *profile, uint64_t features, bool gprs);

/* Write Non-3GPP-User-Data (TS 29.273 8.2.3.1): who it is, AMBR, and the APNs that carry IP. */
void non_3gpp_data_put(struct wr *w, const struct sub_row *sub, const struct profile_row *profile);

/* Is this APN one to tell a node of these features? Never a wildcard. */
bool subscription_apn_fits(const struct apn_row *a, uint64_t features);

/* QoS-Subscribed of a PDP context of GPRS: best effort throughout, precedence by class (TS 24.008
 * 10.5.6.5). */
#define SUBSCRIPTION_QOS 3
void subscription_qos(uint8_t prio, uint8_t qos[SUBSCRIPTION_QOS]);

/* Access-Restriction-Data (7.3.31): a bit for every technology that the profile does not name. */
uint32_t access_restriction(uint16_t rats);
