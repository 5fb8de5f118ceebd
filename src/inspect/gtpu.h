/* GTP-U: what lies in a UDP payload to or from port 2152 (TS 29.281). Pure. */
#pragma once
#include "base/bytes.h"

#define GTPU_PORT 2152
#define GTPC_PORT 2123
#define GTP_PRIME_PORT 3386

/* Messages (TS 29.281 table 6.1-1). */
enum gtpu_type {
	GTPU_ECHO_REQUEST = 1, GTPU_ECHO_RESPONSE = 2, GTPU_ERROR = 26, GTPU_EXTENSIONS = 31,
	GTPU_STATUS = 253, GTPU_END_MARKER = 254, GTPU_PACKET = 255
};

struct gtpu {
	uint8_t type;          /* enum gtpu_type */
	uint8_t extension_n;
	uint8_t has_seq, has_qfi;
	uint16_t seq;
	uint8_t qfi;           /* of a PDU session container (TS 38.415) */
	uint8_t pdu_type;      /* of it: 0 downlink, 1 uplink */
	uint32_t teid;
	struct view inner;     /* of a packet: what is carried; else the message's elements */
};

/* ERR_VERSION: no GTP, or GTP' or another version: what only has the port. ERR_SHORT, ERR_LENGTH: its length
 * is not the payload's, or an extension leads out of it. ERR_UNKNOWN: a message that is none of GTP-U, or an
 * extension that a receiver would have to know. */
enum err MUST_USE gtpu_parse(struct gtpu *g, struct view payload);

/* Would a GTP node take this for a message of GTP-C, GTP-U or GTP'? For what a device sends (GTP in GTP): the
 * header must fit the payload. */
bool gtp_like(struct view payload);
