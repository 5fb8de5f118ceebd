/* What a message of GTP-C says of a session, in either version. Pure; views borrow the message. */
#pragma once
#include "base/bcd.h"
#include "wire/gtp1.h"
#include "wire/gtp2.h"

#define GTP_TUNNELS 12 /* user tunnels of one message that are taken */

/* One end of a tunnel. */
struct gtp_tunnel {
	uint32_t teid;
	struct view address; /* 4 or 16 octets */
	uint8_t ebi, qci;
	bool gateway;        /* it is the gateway's */
	bool there;
};

struct gtp_said {
	uint64_t imsi, msisdn, imei; /* imei: 14 digits */
	uint64_t visited;            /* of the serving network, else of the location */
	struct view apn;             /* text */
	char apn_text[GTP_APN];
	uint8_t rat;                 /* enum rat */
	uint8_t pdn_type;            /* 1 IPv4, 2 IPv6, 3 IPv4v6, 4 non-IP; 0: not said */
	uint8_t ebi;                 /* linked, or that of the first bearer; GTPv1: NSAPI */
	uint8_t cause;               /* of an answer; 0: none */
	uint8_t recovery;
	bool has_recovery, low_priority, teardown;
	bool secondary;              /* GTPv1: a further context of a session that there is */
	struct view ue4, ue6;        /* of the device: 4 octets; 16 */
	struct gtp_tunnel control;   /* the sender's */
	struct gtp_tunnel user[GTP_TUNNELS];
	size_t user_n;
	uint8_t gone[GTP_TUNNELS];   /* bearers to be deleted */
	size_t gone_n;
	bool has_overload;           /* and of the gateway (29.274 12.3) */
	uint8_t overload_percent;
	uint32_t overload_s, overload_seq;
};

/* Read it from a message that was parsed. */
void gtp_said(struct gtp_said *s, const struct gtp_head *h, const struct msg *m);
void gtp_said1(struct gtp_said *s, const struct gtp_head *h, const struct msg *m);
void gtp_said2(struct gtp_said *s, const struct gtp_head *h, const struct msg *m);

/* Is it an acceptance? (29.274 8.4: 16 to 19; 29.060 7.7.1: 128 to 130) */
static inline bool gtp_accepted(const struct gtp_head *h, uint8_t cause)
{
	return h->version == 2 ? cause >= 16 && cause <= 19 : cause >= 128 && cause <= 130;
}
