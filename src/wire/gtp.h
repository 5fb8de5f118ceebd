/* What GTPv1-C (TS 29.060) and GTPv2-C (TS 29.274) share: the header, values, and the writing of answers. */
#pragma once
#include "base/bytes.h"

#define GTP_HEAD_V1 8 /* octets before what its length counts */
#define GTP_HEAD_V2 4
#define GTP_APN 101   /* room for an APN as text and a NUL */

struct gtp_head {
	uint8_t version, type;
	bool prime;        /* GTP' (TS 32.295), which is another protocol */
	bool has_teid;     /* version 2: the message names one; version 1 always does */
	bool has_seq;
	bool extended;     /* version 1: has extension headers */
	bool vital;        /* and one of them must be understood (29.060 6) */
	uint8_t ext[4];    /* types of the first of them; 0: no more */
	uint32_t teid, seq;
	struct view body;  /* the information elements */
	struct view rest;  /* octets behind the message: another one, piggybacked in version 2 */
	bool piggybacks;
};

/* The header of either version. ERR_SHORT, ERR_HEADER (lengths that do not fit, flags that make no sense),
 * ERR_VERSION (neither 1 nor 2; `version` says which). Views lie inside `raw`. */
enum err MUST_USE gtp_head(struct gtp_head *h, struct view raw);

/* An APN, without the operator's labels (TS 23.003 9.1.2), as text; an empty view if it is none. */
struct view gtp_apn(struct view labels, char text[GTP_APN]);

/* F-TEID (29.274 8.22). Addresses that are not there are empty. False: it is malformed. */
struct gtp_fteid {
	uint8_t interface;
	uint32_t teid;
	struct view v4, v6;
};
bool gtp_fteid(struct view value, struct gtp_fteid *f);

/* Writing: begin gives what end wants; a message of version 2 without TEID if `teid` is NULL. */
size_t gtp2_begin(struct wr *w, uint8_t type, const uint32_t *teid, uint32_t seq);
void gtp2_put(struct wr *w, uint8_t type, uint8_t instance, struct view value);
size_t gtp1_begin(struct wr *w, uint8_t type, uint32_t teid, uint16_t seq);
void gtp1_put(struct wr *w, uint8_t type, struct view value);
void gtp_end(struct wr *w, size_t start, size_t head);
