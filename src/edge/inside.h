/* What the files of the edge share. */
#pragma once
#include "base/arena.h"
#include "edge/directory.h"
#include "edge/edge.h"
#include "edge/hold.h"
#include "edge/keep.h"
#include "edge/refusals.h"
#include "edge/snapshot.h"
#include "edge/ss7.h"
#include "judge/admission.h"
#include "judge/judge.h"
#include "judge/sightings.h"
#include "loop/loop.h"
#include "node/dia_adapt.h"
#include "node/dia_node.h"
#include "records/serving.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORKER_MAX 8

/* Who asked: kept with a request until its answer, in the bytes that the node keeps for us (so it
 * may alias them). Its size is bounded by DIA_USER. */
struct __attribute__((may_alias)) origin {
	uint32_t conn;				 /* of the asker, in its worker's loop */
	uint32_t kept;				 /* place in the keep, for failover; KEEP_NONE */
	uint32_t own_hop_by_hop, own_end_to_end; /* as the asker sent them */
	uint8_t worker, kind;			 /* the asker's worker; enum dia_peer_kind */
	uint8_t direction, op, rat, prio, flags;
	uint8_t host_n, session_n, tries, partition;
	uint64_t imsi, imei, visited_plmn, peer_plmn, at_ms;
	uint8_t host[96];     /* its Origin-Host, for what is learned */
	uint8_t session[152]; /* its Session-Id, for an answer of our own */
};
_Static_assert(sizeof(struct origin) <= DIA_USER, "origin fits what the node keeps");

enum origin_flag {
	ORIGIN_JUDGED = 1, /* judge_done is owed */
	ORIGIN_DOIC = 2,   /* the asker reacts to overload reports */
	ORIGIN_HIDDEN = 4, /* our home's name was taken out of it */
	ORIGIN_RESYNC = 8,
	ORIGIN_INITIAL = 16,
};

struct edge;

/* The homes of one partition. */
struct edge_homes {
	struct dia_peer *peer[EDGE_LIST_MAX];
	size_t n;
};

struct edge_worker {
	struct edge *edge;
	struct loop *loop;
	struct dia_node *node;
	struct serving_read *read;
	const struct book *book;
	struct judge *judge;
	struct mailbox *to[WORKER_MAX]; /* to[i]: to worker i; NULL to itself */
	struct hold *hold;
	struct keep *keep;
	struct ss7 *ss7; /* of the first worker; NULL: none */
	struct edge_homes homes[EDGE_PARTITION_MAX];
	uint32_t session_n, turn, end_to_end;
	bool stopping, stopped;
	uint8_t index;
	pthread_t thread;
	struct view host; /* towards home: edge-0.REALM */
	char host_text[300];
	struct dia_node_conf conf;
	struct dia_node_conf partner_face; /* the identity in answers of our own to partners */
	struct arena mem;
	struct refusals refusals;
	uint8_t out[2 * DIA_FRAME_MAX];
};

struct edge {
	const struct edge_conf *conf;
	_Atomic bool clear, stop;
	struct serving *serving;
	struct directory *directory;
	struct sightings *sightings;
	struct snapshot *snapshot;
	struct admission *target[EDGE_PARTITION_MAX]; /* NULL: no such partition here */
	size_t worker_n;
	uint8_t key[HASH_KEY];
	struct edge_worker worker[WORKER_MAX];
};

/* edge/request.c: an application's request from an open peer. */
void edge_request(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
		  struct view raw, enum err err);
/* Send a finished request on its way by a peer of this worker, or tell its asker why not. */
void edge_forward(struct edge_worker *w, struct dia_peer *to, struct wr *msg,
		  struct dia_pending *p);

/* edge/answer.c: an answer, or the news that there will be none. */
void edge_ahead(void *ctx, const struct dia_pending *p);
void edge_answer(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
		 struct view raw, enum err err, struct dia_pending *p);
void edge_lost(void *ctx, struct dia_pending *p, const char *why);
/* Give the asker an answer of our own. */
void edge_fail(struct edge_worker *w, const struct dia_pending *p, uint32_t result);

/* edge/live.c: figures for the live view. */
enum live_what { LIVE_ARRIVED, LIVE_PASSED, LIVE_REFUSED, LIVE_APPOINTED };
void edge_live_add(struct edge_worker *w, uint64_t plmn, enum live_what what);
void edge_live_state(struct edge *e, uint64_t wall_ms); /* every second, one worker */

/* edge/partition.c: which home, and what it can be asked to carry (R-5.1.i). */
/* Tell IoT cards from handsets', by range (R-5.1.h). */
void edge_count_card(const struct edge_worker *w, uint64_t imsi, uint8_t partition);
/* An open home of the partition that speaks `app`; NULL: none, and never another partition's. */
struct dia_peer *edge_route_home(struct edge_worker *w, uint8_t partition, uint32_t app,
				 const struct dia_peer *not_this);
/* What partners' nodes are asked to hold back. They know one host, so they hold back from all
 * partitions alike: it is what the least loaded one needs (RFC 7683 §3). */
struct overload edge_overload(const struct edge *e, uint64_t wall_ms);
enum err MUST_USE edge_open_targets(struct edge *e);
void edge_dial_homes(struct edge_worker *w);

/* edge/route.c: where to. */
bool edge_route_request(struct edge_worker *w, const struct facts *f, struct seat *seat);
/* Bytes to a connection of any worker. */
void edge_send(struct edge_worker *w, uint8_t worker, uint32_t conn, struct view bytes);
/* Ask another worker to send a request. */
void edge_post_request(struct edge_worker *w, struct seat to, struct view bytes,
		       const struct dia_pending *p);
void edge_mail(void *ctx, struct view message);
