/* Inspection of one user packet (CLP.14 5.8.2): what flow it is, what leaks in it, what threat it is part
 * of, and what follows by the profile. The pipe calls it for each inner packet after the allowlist, merlon
 * inspect for each packet of a file. */
#pragma once
#include "inspect/finding.h"
#include "inspect/flow.h"
#include "inspect/packet.h"
#include "inspect/session.h"
#include "inspect/threat.h"

struct content; /* one a worker: nothing is shared */

struct content_conf {
	const struct book *book; /* tenants' agreements, profiles; borrowed. NULL: none, all is inspected */
	size_t flow_max;	 /* 0: 65536 */
	size_t undecided_max;	 /* flows that nDPI looks at at a time; 0: 4096 */
	size_t finding_max;	 /* 0: 4096 */
	uint8_t key[HASH_KEY];	 /* of the tables' hashes */
	bool passive;		 /* tap or file: never a drop */
	/* A finding is new, or its answer changed; once a minute when it goes on. May be NULL. */
	void (*told)(void *ctx, const struct finding *f);
	void *ctx;
};

enum content_act { CONTENT_PASS, CONTENT_DROP };

/* NULL: out of memory. */
struct content *content_new(const struct content_conf *conf);
void content_free(struct content *c);
/* Another state of the records: the next batch begins. */
void content_book(struct content *c, const struct book *book);

/* One whole packet or fragment. `s`: whose it is, NULL: nobody's SIM. `up`: from the device. `now_us`:
 * since 1970, of the capture or the clock. A SIM whose tenant has no agreement on record is not looked at
 * (R-4.b): its packets pass, and are counted. Allocates nothing itself; nDPI does, for flows it has not
 * decided. */
enum content_act content_packet(struct content *c, const struct packet *p, const struct session *s, bool up,
				uint64_t now_us);

/* The end of a file: what is still open is judged. */
void content_end(struct content *c, uint64_t now_us);

struct content_counts {
	uint64_t packets, bytes, inspected, not_agreed, dropped;
	uint64_t scanned_bytes, leaks, threats;
};
const struct content_counts *content_counts(const struct content *c);
struct findings *content_findings(struct content *c);
struct flows *content_flows(struct content *c);
struct threats *content_threats(struct content *c);
