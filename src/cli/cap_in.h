/* What cap.c and cap_ip.c share. */
#pragma once
#include "base/hash.h"
#include "cli/cap.h"

#define SETS 256
#define WAYS 4
#define PEND_MAX 16

struct end {
	uint8_t address[16];
	uint16_t port;
	uint8_t family, protocol; /* of both ends the same */
};

struct piece {
	uint32_t seq;
	size_t n;
	uint8_t *p;
};

struct flow {
	struct cap_flow is;
	struct end from, to;
	bool used, known,
	    lost; /* known: `next` is; lost: what comes is Diameter only if it looks so */
	uint32_t next;
	uint64_t touched;
	uint64_t seen; /* SCTP: which of the last chunks came */
	uint8_t *in;
	size_t in_n, pend_n, pend_bytes;
	struct piece pend[PEND_MAX];
};

struct cap {
	struct cap_ops ops;
	void *ctx;
	uint8_t key[HASH_KEY];
	uint64_t at_ms;
	struct cap_counts counts;
	struct flow flow[SETS][WAYS];
};

/* What lies behind the IP header. */
void cap_transport(struct cap *c, struct end *from, struct end *to, uint8_t protocol, struct rd *r);
