/* One worker thread of home: a loop, a Diameter node, readers of its own. Shared by the files of
 * this room. */
#pragma once
#include "home/auc_socket.h"
#include "home/feed.h"
#include "home/holds.h"
#include "home/home.h"
#include "home/waiting.h"
#include "records/vault.h"

#define FEED_PER_STEP 1000 /* changes every 20 ms, a millisecond or two: more than an import makes */

/* A pass over all registrations for the nodes in them. */
#define RESET_NODES 256
#define RESET_BATCH 64
#define RESET_ROUNDS 50 /* a tick */
struct reset {
	bool going;
	uint64_t after;
	size_t sent, seen_n;
	char seen[RESET_NODES][REG_HOST];
};

struct gsup;
struct hlr;
struct home_worker {
	struct loop *loop;
	struct dia_node *node;
	struct dia_node_conf me;
	struct home_self self;
	bool swx; /* serve AAA servers */
	uint32_t partition; /* of the subscriptions that are ours */

	struct serving_read *read;
	const struct book *book;
	bool fresh; /* the serving copy could be read in this batch */
	struct reg_worker *reg;
	struct vault_read *vault;
	struct auth_means means;

	struct auc *auc; /* NULL: no Wi-Fi access */
	struct gsup *gsup; /* NULL: none */
	struct hlr *hlr; /* NULL: no MAP */
	struct waiting *waiting;
	struct outbox *outbox;
	struct holds holds;
	struct profile_row in_force; /* of the rows looked up last */
	struct feed feed;
	struct reset reset;
	struct home_load load;
	struct bsf *bsf; /* NULL: none */
	uint32_t pace;	  /* requests of ours a second: a changed profile must not be a storm */
	uint64_t session; /* the last Session-Id given */
	struct arena mem; /* of the batch */
	struct wr out;	  /* of one answer */
};

/* The rows of a subscriber. `reg` is the caller's room for the registration. A subscription of another
 * partition is none of ours (R-5.1.i): one that moved there is withdrawn here, as a deleted one is. They are
 * judged by the device last reported, and good until the next call. */
struct home_rows worker_rows(struct home_worker *w, uint64_t imsi, struct reg_row *reg);

/* The key of a subscriber, into the caller's room, to be wiped; NULL, with an event, when the vault has
 * none that is whole. */
const struct aka_key *worker_key(struct home_worker *w, const struct home_rows *rows, uint64_t imsi,
				 struct aka_key *room);
/* A new state of the records for this batch; without a whole one (`fresh`), no procedure runs. */
void worker_renew(struct home_worker *w);

/* --- peers.c: home's node and the loop, with the worker as context --- */
extern const struct conn_ops home_conn_ops;
extern const struct dia_actions home_actions;

/* --- answer.c: requests of others --- */
void answer_request(struct home_worker *w, struct dia_peer *from, const struct msg *m,
		    const struct dia_header *h, struct view raw, enum err err);
/* Send what has become durable, and refuse what has not. */
void answer_durable(struct home_worker *w);
/* Reckon how busy we are. */
void answer_load(struct home_worker *w);

/* --- follow.c: the change feed, a step of it every 20 ms, and where it stands, stored every 100 ms --- */
void follow_feed(struct home_worker *w);
void keep_cursor(struct home_worker *w);

/* --- send.c: requests of ours --- */
enum sent_label { SENT_CLR, SENT_DSR, SENT_IDR, SENT_RSR, SENT_RTR, SENT_PPR };
/* Send what w->out holds to a node, and remember it with its item. */
void send_hand_over(struct home_worker *w, struct outbox_item *it, uint32_t app, const struct reg_node *to,
		    enum sent_label label);
bool send_look(void *worker, uint64_t imsi); /* feed_means.look */
void send_due(struct home_worker *w);
void send_answered(struct home_worker *w, const struct msg *m, enum err err,
		   const struct dia_pending *p);
void send_lost(struct home_worker *w, const struct dia_pending *p);
/* The same for a request that went by GSUP, of the outbox's item `index`, `life`. `gone`: the node does not
 * know the subscriber; `lost`: no answer. */
void send_settled(struct home_worker *w, uint32_t index, uint32_t life, bool gone, bool lost);
/* A step, every tick while `reset.going`, of sending RSR to every node that serves anyone
 * (TS 29.272 5.2.4.1). */
void send_resets(struct home_worker *w);

/* --- aaa.c: the registration in an AAA server (SWx) --- */
/* The rows of a subscriber, with the registration of reg_aaa(). */
struct home_rows aaa_rows(struct home_worker *w, uint64_t imsi, struct reg_row *reg);
bool aaa_look(struct home_worker *w, uint64_t imsi); /* as send_look */
/* An item OUTBOX_SYNC under reg_aaa(): its next request; its answer. */
void aaa_send(struct home_worker *w, struct outbox_item *it);
void aaa_settle(struct home_worker *w, struct outbox_item *it, bool gone);

/* --- gsup*.c: the home register of Osmocom's MSCs and SGSNs --- */
/* `conf` is borrowed. One clear line in `why`. */
enum err MUST_USE gsup_start(struct home_worker *w, const struct gsup_conf *conf, char why[256]);
void gsup_stop(struct gsup *g);
void gsup_tick(struct home_worker *w);
/* What waited has become durable, or not: send the answer, or the refusal. */
void gsup_durable(struct home_worker *w, struct waiting_answer *a, enum err err);
/* Into w->out: what a plan asks of a node, or a cancellation. The message's type, for gsup_hand_over, which
 * sends it and notes whose it is; false: not now. */
uint8_t gsup_sync_write(struct home_worker *w, uint64_t imsi, const struct home_rows *rows,
			const struct sync_plan *plan, uint8_t kind);
uint8_t gsup_cancel_write(struct home_worker *w, uint64_t imsi, const struct cancel *c);
bool gsup_hand_over(struct home_worker *w, const struct outbox_item *it, const struct reg_node *to,
		    uint8_t kind, uint8_t type);

/* --- hlr*.c: the home location register for MAP. As with GSUP --- */
enum err MUST_USE hlr_start(struct home_worker *w, const struct hlr_conf *conf, char why[256]);
void hlr_leave(struct home_worker *w); /* take the traffic off */
void hlr_stop(struct hlr *h);
void hlr_tick(struct home_worker *w);
void hlr_durable(struct home_worker *w, struct waiting_answer *a, enum err err);
/* Tell a node what a plan asks, or cancel it, or say that we were reset, and note whose the answer is; false:
 * not now. */
bool hlr_sync(struct home_worker *w, const struct outbox_item *it, const struct home_rows *rows,
	      const struct sync_plan *plan);
bool hlr_cancel(struct home_worker *w, const struct outbox_item *it);
bool hlr_reset(struct home_worker *w, const struct reg_node *to);
