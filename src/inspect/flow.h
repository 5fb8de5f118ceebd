/* The flow table: protocol and risks of each flow by nDPI, kept in at most 128 bytes when they are decided;
 * verdicts remembered by (tenant, type of device, destination, port), for what devices of one type do is
 * much the same. */
#pragma once
#include "base/hash.h"
#include "inspect/packet.h"

enum flow_bit {
	FLOW_DECIDED = 1,
	FLOW_CACHED = 2, /* by another flow's verdict */
	FLOW_BLOCKED = 4,
	FLOW_ENCRYPTED = 8,
	FLOW_SWAPPED = 16, /* the first packet went from the greater end to the lesser */
	FLOW_JUDGED = 32,
	FLOW_SEEN_BACK = 64,
	FLOW_UP = 128 /* the device began it */
};

struct flow {
	struct packet_flow ends; /* the lesser end is `from` */
	uint64_t imsi, risks;	 /* risks: 1 << ndpi_risk_enum */
	uint64_t client;	 /* of TLS: the first 8 octets of its JA3; 0: none */
	uint64_t first_us;
	uint32_t last_s, tenant, tac;
	uint32_t packets[2], bytes[2]; /* from the one that began it, and back */
	uint32_t name;		       /* flows_name: server name; 0: none */
	uint16_t protocol, app;	       /* of nDPI */
	uint16_t tls;		       /* version, 0x0303 */
	uint16_t pool;		       /* 1 + place of what nDPI keeps; 0: none */
	uint16_t rule;		       /* that blocked it */
	uint8_t bits, undone;	       /* undone: of that rule, when it was blocked */
};
_Static_assert(sizeof(struct flow) <= 128, "a flow after its verdict");

struct flows;

struct flows_conf {
	size_t max, undecided_max;
	const uint8_t *key; /* HASH_KEY */
	/* A flow is decided, or ends: judge it. Called once a flow for each. */
	void (*decided)(void *ctx, struct flow *f);
	void (*gone)(void *ctx, struct flow *f);
	void *ctx;
};
struct flows *flows_new(const struct flows_conf *conf); /* NULL: out of memory */
void flows_free(struct flows *f);			/* calls gone for none */
void flows_end(struct flows *f);			/* for each */

/* Whose packet it is, and the type of its device. */
struct flow_of {
	uint64_t imsi;
	uint32_t tenant, tac;
	bool up;
};
/* The flow of a packet, made if it is new, and inspected until it is decided. `*back`: from the one that
 * was called. The flow stays where it is until the next call. */
struct flow *flows_packet(struct flows *f, const struct packet *p, const struct flow_of *of,
			  uint64_t now_us, bool *back);

const char *flows_name(const struct flows *f, uint32_t name);
/* "TLS.Amazon", into `text`. */
const char *flows_protocol(struct flows *f, uint16_t protocol, uint16_t app, char text[64]);
const char *flows_risk(unsigned int bit);
bool flow_is_new(const struct flow *f); /* this packet was its first */

struct flows_counts {
	uint64_t made, decided, cached, evicted, no_room, inspected;
	uint64_t by_protocol[512]; /* decided flows */
	uint64_t by_risk[64];
};
const struct flows_counts *flows_counts(const struct flows *f);
size_t flows_bytes(const struct flows *f); /* memory, all of it; without nDPI's own tables */
