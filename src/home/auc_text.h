/* What hostapd's RADIUS server asks an authentication centre, a line a datagram (the protocol of
 * hostapd's eap_sim_db and hlr_auc_gw). Pure: bytes in, bytes out.
 *
 *   SIM-REQ-AUTH IMSI N      SIM-RESP-AUTH IMSI Kc:SRES:RAND ...        or FAILURE
 *   AKA-REQ-AUTH IMSI        AKA-RESP-AUTH IMSI RAND AUTN IK CK RES     or FAILURE
 *   AKA-AUTS IMSI AUTS RAND  (no answer; AKA-REQ-AUTH follows)
 *
 * EAP-AKA and EAP-AKA' ask alike. */
#pragma once
#include "home/procedure.h"

#define AUC_LINE_MAX 512 /* of a request */
#define AUC_WHO_MAX  20	 /* the longest identity that hostapd asks about */
#define AUC_RESYNC   30

enum auc_kind { AUC_SIM, AUC_AKA, AUC_AUTS };

struct auc_request {
	enum auc_kind kind;
	struct view who;	    /* the identity as written, borrowed: what the answer repeats */
	uint64_t imsi;		    /* the same as a number; 0 when it is none of 6 to 15 digits */
	uint32_t n;		    /* triplets asked for, 1..5 */
	uint8_t resync[AUC_RESYNC]; /* RAND, then AUTS, as TS 29.272 7.3.15 has them */
};

/* ERR_VALUE: no such line; there is nothing to answer. An identity that is no IMSI is not an error:
 * who asked is told that there is no such subscriber. */
enum err MUST_USE auc_parse(struct view line, struct auc_request *q);

/* The answer to SIM-REQ-AUTH and AKA-REQ-AUTH; FAILURE unless `r` has vectors of that kind. ERR_FULL in
 * `w`. */
void auc_put(struct wr *w, const struct auc_request *q, const struct auth_result *r);
