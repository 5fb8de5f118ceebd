/* What devices do rather than say: scans, log-ins tried by the dozen, calls at a steady pace, and the
 * reputation of the end points that they call (R-5.8.2.a, e, f). State is bounded, lossy tables. */
#pragma once
#include "inspect/finding.h"
#include "inspect/flow.h"

struct threats;

struct threat_seen {
	enum threat threat;
	char why[64];
};
#define THREATS_AT_ONCE 4

struct threats *threats_new(const uint8_t key[HASH_KEY]); /* NULL: out of memory */
void threats_free(struct threats *t);

/* A packet, and its flow. Returns how many of `seen` are filled in. */
size_t threats_packet(struct threats *t, const struct packet *p, const struct flow *f, bool back,
		      uint64_t now_us, struct threat_seen seen[THREATS_AT_ONCE]);
/* A flow has been decided, or has ended: judged by its risks, and, encrypted, by all that can be seen of
 * it. */
size_t threats_flow(struct threats *t, const struct flow *f, const char *name, bool ended,
		    struct threat_seen seen[THREATS_AT_ONCE]);

/* An end point's reputation: 100 is spotless, below 40 it is bad; and why. */
struct endpoint {
	uint8_t address[ADDRESS_BYTES];
	uint64_t devices[2];	   /* a bit for each, by hash */
	uint32_t flows, bad, name; /* name: flows_name */
	uint32_t leaks, self_signed, old_tls, beacons;
	uint16_t port;
	uint8_t used, told;
};
unsigned int endpoint_score(const struct endpoint *e, char why[96]);
unsigned int endpoint_devices(const struct endpoint *e); /* about how many */
void threats_blame(struct threats *t, const uint8_t address[ADDRESS_BYTES], bool leak);
size_t threats_endpoints(const struct threats *t, const struct endpoint **to, size_t max); /* worst first */
