/* Requests of ours to GSUP nodes that are not answered yet. An answer names no request: it is found by
 * connection, subscriber, kind of message and, where it says so, domain. Bounded. */
#pragma once
#include "home/procedure.h"

#define GSUP_WAIT_MAX 4096
#define GSUP_WAIT_MS 10000

struct gsup_wait {
	uint64_t imsi, until_ms;
	uint32_t conn;
	uint8_t type;	/* of the request */
	uint8_t kind;	/* REG_SGSN, REG_VLR */
	bool update;	/* an Update-Location waits for it; else an item of the outbox */
	uint8_t tries;	/* update: how often the data were sent */
	uint16_t rats;	/* update: what the request said */
	uint32_t digest; /* update: of the data sent */
	uint32_t index, life; /* outbox: the item */
	bool used;
	uint16_t next; /* in its bucket */
};

struct gsup_waits;
struct gsup_waits *gsup_waits_new(void); /* NULL: out of memory */
void gsup_waits_free(struct gsup_waits *ws);

/* Its place, with imsi, conn, type, kind and until_ms filled in; NULL when all places are taken. The caller
 * has seen to it that the same is not there. */
struct gsup_wait *gsup_wait_add(struct gsup_waits *ws, const struct gsup_wait *like, uint64_t now);
/* `kind` 0: the answer named no domain. */
struct gsup_wait *gsup_wait_find(struct gsup_waits *ws, uint32_t conn, uint64_t imsi, uint8_t type,
				 uint8_t kind);
void gsup_wait_drop(struct gsup_waits *ws, struct gsup_wait *wait);
/* One that has waited too long, or any of a connection that is gone; NULL: none. */
struct gsup_wait *gsup_wait_late(struct gsup_waits *ws, uint64_t now);
struct gsup_wait *gsup_wait_of(struct gsup_waits *ws, uint32_t conn);
