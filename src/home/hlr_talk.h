/* TCAP dialogues of the HLR that are open: begun by others and waiting for the rest of their data, or
 * begun by us and not answered. A fixed pool; each ends by time. */
#pragma once
#include "base/hash.h"
#include "home/procedure.h"

#define HLR_TALKS 100000
#define HLR_TALK_MS 30000 /* after the last message of it: a guard above MAP's own timers */
#define HLR_ADDRESS 32	  /* octets of an SCCP address; longer ones are not answered */

/* The way to the other end: by which server of M3UA, between which point codes and addresses. */
struct hlr_route {
	uint32_t server, opc, dpc; /* as we send: ours, theirs */
	uint8_t ni, sls;
	bool wide; /* it has sent XUDT or LUDT: it can be sent messages in segments */
	uint8_t own_n, peer_n;
	uint8_t own[HLR_ADDRESS], peer[HLR_ADDRESS];
};

enum hlr_stage {
	HLR_FREE,
	HLR_BEGUN,   /* begun without a request, which is to follow (TS 29.002 17.1.6) */
	HLR_UPDATES, /* they registered, and are being told their data */
	HLR_SENT     /* a request of ours */
};

struct hlr_talk {
	uint64_t imsi, until_ms;
	struct hlr_route route;
	uint32_t id;	   /* our transaction identifier */
	uint8_t tid_n, tid[4]; /* theirs; none before they have answered */
	uint8_t stage, context, version;
	uint8_t invoke; /* of their request */
	uint8_t op;	/* of their request; of ours */
	uint8_t kind;	/* REG_SGSN, REG_VLR */
	uint8_t next;	/* part of the data that is to be told next (hlr_isd_put); 0: none is left */
	uint8_t own;	/* of our last request in their dialogue */
	uint8_t again;	/* an update: how often its data were sent anew, for they had changed */
	bool empty;	/* of the pool: queued as begun without a request */
	bool node_weak; /* it has said that it cannot carry out a bar */
	/* An update: what was asked. */
	uint16_t rats;
	uint64_t imei, node, msc;
	uint32_t digest; /* of the data told */
	/* A request of ours: the outbox's item, and what is left to do. */
	uint32_t index, life;
	uint8_t what; /* enum sync, or a cancellation's type behind HLR_CANCEL */
	uint32_t place, older, newer;
};

struct hlr_talks;
struct hlr_talks *hlr_talks_new(const uint8_t key[HASH_KEY]); /* NULL: out of memory. Copies the key */
void hlr_talks_free(struct hlr_talks *ts);
size_t hlr_talks_used(const struct hlr_talks *ts);

/* A place, zeroed but for what the pool fills in; NULL when all are taken. The oldest in which nothing was
 * asked yet makes room; of such there are a quarter of the places at most. */
struct hlr_talk *hlr_talk_add(struct hlr_talks *ts, enum hlr_stage stage, uint64_t now_ms);
/* The dialogue of an identifier of ours as it came, or NULL. */
struct hlr_talk *hlr_talk_find(struct hlr_talks *ts, struct view tid);
struct view hlr_talk_tid(const struct hlr_talk *t, uint8_t room[4]); /* ours, to be sent */
/* It has moved on: its time begins anew. Not for whatever comes, lest who sends nothing of use keep it. */
void hlr_talk_heard(struct hlr_talks *ts, struct hlr_talk *t, uint64_t now_ms);
void hlr_talk_drop(struct hlr_talks *ts, struct hlr_talk *t);
/* The one that has waited longest, if that was too long; else NULL. */
struct hlr_talk *hlr_talk_late(struct hlr_talks *ts, uint64_t now_ms);
