/* From a change of the records to what serving nodes must hear of it: CLR, DSR, IDR
 * (TS 29.272 5.2.1.2, 5.2.2). At least once and idempotent: a registration keeps the digest of what
 * its node was told until the node has answered, and a start compares them all. */
#pragma once
#include "home/outbox.h"
#include "home/s6a.h"
#include "records/serving.h"

struct sync_plan {
	enum sync what;
	uint8_t nodes; /* REG_MME, REG_SGSN: who must hear it */
	struct s6a_deletion deletion;
};

/* What a registered subscriber's nodes must be told next. Pure. A withdrawal comes before an
 * insertion: an IDR adds and replaces, it takes nothing away but APNs. */
struct sync_plan feed_plan(const struct home_rows *rows, uint64_t own_plmn, uint64_t wall_ms);

/* The nodes (REG_MME, REG_SGSN, REG_VLR) that hold the subscriber now. A purged one does not: it hears
 * nothing (5.2.1.3.3). */
uint8_t feed_nodes(const struct reg_row *reg);

/* The node has done it: how the registration reads from now on. */
void feed_done(struct reg_row *reg, const struct home_rows *rows, const struct sync_plan *plan,
	       uint8_t node);

/* --- following the feed --- */

#define FEED_PROFILES 16

/* Registrations to look at again: all, or those of some profiles. */
struct feed_wish {
	bool all;
	size_t profile_n;
	uint32_t profile[FEED_PROFILES];
};

struct feed {
	uint64_t cursor; /* the last change dealt with */
	bool moved; /* the cursor has, since it was stored */
	bool scanning;
	uint64_t scan_after;
	struct feed_wish now, next; /* what this pass looks for; what the next one will */
	uint64_t again_ms;	    /* look at all again then, after a commit that failed; 0: no */
};

void feed_init(struct feed *f, uint64_t cursor);
void feed_want_profile(struct feed *f, uint32_t profile);
void feed_want_all(struct feed *f);

/* What following needs of the world. `look` queues what a registration calls for; false: no room
 * now. */
struct feed_means {
	void *ctx;
	bool (*look)(void *ctx, uint64_t imsi);
	struct serving_read *read;
	struct reg_worker *reg;
};
/* One step, every 20 ms: at most `max` changes, and a quarter as many registrations. True if the cursor
 * moved. */
bool feed_step(struct feed *f, const struct feed_means *m, size_t max);
