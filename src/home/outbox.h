/* What home has to tell serving nodes by itself, until it is answered: bounded, retried with
 * back-off, one entry a subscriber for the change feed. Kept in memory: what must survive a crash
 * survives in the registrations (home/feed.h). */
#pragma once
#include "home/procedure.h"

#define OUTBOX_MAX 4096
#define OUTBOX_ATTEMPTS 24 /* with the back-off below: about two hours */
#define OUTBOX_WAIT_MAX 300000

enum outbox_kind { OUTBOX_FREE, OUTBOX_SYNC, OUTBOX_CANCEL, OUTBOX_RESET };

struct outbox_item {
	uint64_t imsi;
	struct cancel cancel; /* OUTBOX_CANCEL; OUTBOX_RESET uses its node */
	uint32_t index, life; /* `life` tells an answer to an earlier use of the place */
	uint8_t kind, attempts;
	bool sent;
	/* OUTBOX_SYNC: what is under way, and which nodes have already done it. */
	uint8_t what, node, did;
	uint32_t digest;
	struct reg_row after; /* what the registration becomes when it is answered */
};

struct outbox;
struct outbox *outbox_new(void); /* NULL: out of memory */
void outbox_free(struct outbox *o);
size_t outbox_used(const struct outbox *o);

/* Queue; false when full. A subscriber already queued is looked at again when it is answered. */
bool outbox_sync(struct outbox *o, uint64_t imsi, uint64_t now);
bool outbox_cancel(struct outbox *o, uint64_t imsi, const struct cancel *c, uint64_t now);
bool outbox_reset(struct outbox *o, const struct reg_node *to, uint64_t now);

/* The next item that is due, from place `*from` on; NULL: none. */
struct outbox_item *outbox_due(struct outbox *o, uint64_t now, uint32_t *from);
/* The item an answer belongs to; NULL: it has gone. */
struct outbox_item *outbox_find(struct outbox *o, uint32_t index, uint32_t life);

void outbox_sent(struct outbox *o, struct outbox_item *it);
void outbox_now(struct outbox *o, struct outbox_item *it, uint64_t now); /* its next step */
/* False: it has been tried often enough, and is gone. */
bool outbox_retry(struct outbox *o, struct outbox_item *it, uint64_t now);
void outbox_done(struct outbox *o, struct outbox_item *it);
