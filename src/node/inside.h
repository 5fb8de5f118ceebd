/* What the files of the Diameter node share. Nobody outside node/ includes this.
 *
 * A peer is who; a connection is through what. A peer has at most one connection that counts (`conn`)
 * and at most one more that waits (`held`): for the end of an election, or for the proof that the
 * first is dead. */
#pragma once
#include "base/hash.h"
#include "node/dia_node.h"

#define DIA_TEXT_MAX   256     /* a DiameterIdentity has at most 255 bytes here */
#define CE_WAIT_MS     10000   /* from connection to capabilities exchanged */
#define DPA_WAIT_MS    1000
#define PROBE_MS       2000    /* how long a connection may take to show that it is not dead */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 30000
#define BACKOFF_HOME_MS 2000 /* without its home the edge serves nobody */
#define SETTLED_MS     10000   /* a peer that was open this long is dialled again at once */
#define REOPEN_DWA     3       /* answered watchdogs before a peer that failed is trusted again */
#define NO_PENDING     UINT32_MAX

/* Disconnect-Cause (RFC 6733 §5.4.3) */
#define DIA_BYE_REBOOTING   0
#define DIA_BYE_DO_NOT_WANT 2

#define DIA_CODE_CE 257
#define DIA_CODE_DW 280
#define DIA_CODE_DP 282

#define RESULT_SUCCESS       2001
#define RESULT_UNKNOWN_PEER  3010
#define RESULT_ELECTION_LOST 4003
#define RESULT_NO_COMMON_APP 5010
#define RESULT_NO_ROOM       5012

enum dia_dropped { DIA_DROPPED_BEFORE_CE, DIA_DROPPED_UNMATCHED, DIA_DROPPED_CLOSING };

/* What a CER or CEA said, and what the caller thinks of it. */
struct dia_ce {
	char host[DIA_TEXT_MAX], realm[DIA_TEXT_MAX];
	struct view host_v, realm_v; /* of the two above */
	uint32_t apps[DIA_APP_MAX], app_n, state_id;
	bool relay;
	struct dia_admit admit;
};

struct dia_conn {
	struct dia_link link;
	struct dia_conn *next; /* of the same bucket, or free */
	struct dia_peer *peer; /* NULL until its CER is accepted */
	enum dia_peer_state state;
	bool used, held, dwr_out, dpr_out;
	uint32_t ce_hop, ce_end; /* of the CER: to be answered, or ours */
	uint32_t dwr_hop;
	uint64_t mark, tw_ms;    /* watchdog: last sign of life or timer start, and its length */
	uint64_t until;          /* when WAIT_CER, WAIT_CEA, CLOSING or a hold ends */
	struct dia_ce ce;
};

struct dia_peer {
	struct dia_peer_info info;
	char host[DIA_TEXT_MAX], realm[DIA_TEXT_MAX];
	struct dia_conn *conn, *held;
	struct dia_peer *host_next; /* of the same bucket */
	bool used, configured, named, removed, reopen, dialling;
	uint32_t dwa_due;           /* REOPEN: watchdog answers still to come */
	uint32_t state_id, open_at; /* open_at: its place in the list of open peers */
	uint32_t pending_first;
	uint64_t dial_at, backoff_ms;
};

struct pending_slot {
	struct dia_pending p;
	uint32_t hop;                    /* what we wrote over the message: slot | generation */
	uint32_t age_prev, age_next;     /* all in flight, oldest first; age_next also links free ones */
	uint32_t peer_prev, peer_next;
	bool used;
};

struct seen {
	uint64_t print, at_ms;
};

struct dia_node {
	struct dia_node_conf conf;
	struct dia_actions act;
	void *ctx;
	enum dia_strict strict;
	uint64_t now, random;
	uint32_t hop, end, turn;
	bool stopping;
	uint8_t key[HASH_KEY];

	struct dia_conn *conns, *conn_free, **conn_of;
	uint32_t conn_n, conn_mask, conn_high; /* none above was ever used, so none need be looked at */
	struct dia_peer *peers, **host_of;
	uint32_t peer_n, host_mask, peer_high;
	struct dia_peer **open[3]; /* by kind */
	uint32_t open_n[3];

	struct pending_slot *pending;
	uint32_t pending_bits, pending_free, oldest, newest, pending_n;

	struct seen *seen;
	uint32_t seen_mask;
};

/* dia_node.c */
uint32_t dia_random(struct dia_node *n, uint32_t below);
/* dia_idle.c: what the caller left out of `act` is done by doing nothing. */
void dia_idle(struct dia_actions *act);
struct dia_conn *dia_conn_of_id(struct dia_node *n, uint32_t id);
void dia_conn_send(struct dia_node *n, struct dia_conn *c, struct wr *w);
/* Forget a connection; with `dia_conn_drop` the caller is asked to close it too. */
void dia_conn_forget(struct dia_node *n, struct dia_conn *c, const char *why);
void dia_conn_drop(struct dia_node *n, struct dia_conn *c, const char *why);
/* Say goodbye on it (DPR) if it got that far, else just drop it. */
void dia_conn_bye(struct dia_node *n, struct dia_conn *c, uint32_t cause);

/* dia_peer.c */
struct dia_peer *dia_peer_find(struct dia_node *n, struct view host);
void dia_peer_on_cer(struct dia_node *n, struct dia_conn *c);
void dia_peer_on_cea(struct dia_node *n, struct dia_conn *c);
/* Its connection is gone: fail over, dial again, let the one that waits take its place. */
void dia_peer_lost(struct dia_node *n, struct dia_peer *p, const char *why);
void dia_peer_down(struct dia_node *n, struct dia_peer *p, enum dia_peer_state to, const char *why);
void dia_peer_retry(struct dia_node *n, struct dia_peer *p);
void dia_peer_free(struct dia_node *n, struct dia_peer *p);
void dia_peer_tick(struct dia_node *n, struct dia_peer *p);

/* dia_watch.c */
void dia_watch_start(struct dia_node *n, struct dia_conn *c);
void dia_watch_probe(struct dia_node *n, struct dia_conn *c);
void dia_watch_heard(struct dia_node *n, struct dia_conn *c, bool dwa);
void dia_watch_tick(struct dia_node *n, struct dia_conn *c);
void dia_peer_open(struct dia_node *n, struct dia_peer *p);

/* dia_base.c */
void dia_base_send_cer(struct dia_node *n, struct dia_conn *c);
void dia_base_send_cea(struct dia_node *n, struct dia_conn *c, uint32_t result);
void dia_base_send_dwr(struct dia_node *n, struct dia_conn *c);
void dia_base_send_dwa(struct dia_node *n, struct dia_conn *c, const struct dia_header *req);
void dia_base_send_dpr(struct dia_node *n, struct dia_conn *c, uint32_t cause);
void dia_base_send_dpa(struct dia_node *n, struct dia_conn *c, const struct dia_header *req);
/* Read a CER or CEA. False: no application in common (5010). */
bool dia_base_read_ce(const struct dia_node *n, const struct msg *m, struct dia_ce *ce);

/* dia_pending.c */
bool dia_pending_init(struct dia_node *n);
/* The request that this answer is for, taken out of the lists; NULL if there is none. */
struct pending_slot *dia_pending_take(struct dia_node *n, const struct dia_peer *from,
				  const struct dia_header *h);
/* `raw`, a whole header at least, is about to be parsed. */
void dia_pending_ahead(struct dia_node *n, struct view raw);
void dia_pending_release(struct dia_node *n, struct pending_slot *s);
void dia_pending_fail(struct dia_node *n, struct dia_peer *p, const char *why);
void dia_pending_tick(struct dia_node *n);

/* dia_dup.c */
bool dia_dup_init(struct dia_node *n);
