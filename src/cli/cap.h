/* Packets of a capture to the Diameter and M3UA messages in them: link layers, IPv4 and IPv6, TCP put in
 * order by direction, SCTP, also over UDP (RFC 6951). Reads no file. Whatever a packet says, what is kept
 * for it is bounded.
 */
#pragma once
#include "base/bytes.h"

/* Link layers, as pcap numbers them on this system (DLT_...). */
enum cap_link {
	CAP_NULL = 0,
	CAP_ETHERNET = 1,
	CAP_RAW = 12,
	CAP_RAW_FILE = 101,
	CAP_LOOP = 108,
	CAP_COOKED = 113,
	CAP_IPV4 = 228,
	CAP_IPV6 = 229,
	CAP_COOKED2 = 276
};

/* One direction of a connection. */
struct cap_flow {
	char from[64], to[64]; /* address and port */
	uint64_t pair;	       /* the same for both directions */
	void *user;
};

struct cap_counts {
	uint64_t packets, foreign; /* foreign: no TCP or SCTP over IP that we read */
	uint64_t fragments;	   /* of IP: not put together */
	uint64_t gaps;		   /* bytes that the capture does not have */
	uint64_t noise;		   /* streams, or what follows a gap, that are not what we read */
	uint64_t messages;
};

struct cap_ops {
	/* One whole Diameter frame, borrowed. */
	void (*message)(void *ctx, struct cap_flow *f, struct view frame, uint64_t at_ms);
	/* One whole M3UA message, borrowed; may be NULL: not read. */
	void (*m3ua)(void *ctx, struct cap_flow *f, struct view message, uint64_t at_ms);
	/* The flow is forgotten: its connection ended, began anew, or made room. */
	void (*gone)(void *ctx, struct cap_flow *f);
};

struct cap;
struct cap *cap_new(const struct cap_ops *ops, void *ctx); /* NULL: out of memory */
void cap_free(struct cap *c);				   /* every flow is gone */

bool cap_knows(int link);
void cap_packet(struct cap *c, int link, struct view packet, uint64_t at_ms);
/* What still waits for bytes that never came. */
void cap_end(struct cap *c, uint64_t at_ms);
const struct cap_counts *cap_counts(const struct cap *c);
