/* Inside the GTP-C firewall. */
#pragma once
#include "inspect/gtpc.h"

#define ENDS_MAX 4 /* user tunnels of a request that are remembered */
#define WAIT_MS  20000 /* T3-RESPONSE times N3-REQUESTS, and some (29.274 7.6) */

/* A tunnel's end, whose address does not borrow. */
struct end {
	uint8_t address[16];
	uint8_t n;           /* octets of it; 0: none */
	uint8_t ebi, qci;
	bool gateway;
	uint32_t teid;
};

enum waiting_state { WAITING_FREE, WAITING_ANSWER, WAITING_ANSWERED, WAITING_REFUSED };

/* One request, until its answer came, and then until nobody will repeat it. */
struct waiting {
	uint64_t hash;       /* of its octets */
	uint64_t asked_ms;
	uint8_t state, type, version, op, target;
	uint8_t reply_n;
	bool inside, secondary, teardown, known;
	uint32_t session, life; /* that it is about, if `known` */
	struct session is;      /* that it would make */
	struct end control, user[ENDS_MAX];
	uint8_t user_n, gone_n, gone[GTP_TUNNELS];
	uint8_t recovery;
	bool has_recovery;
	char apn[SESSION_APN];
	uint64_t peer_plmn;
	uint8_t reply[GTPC_ANSWER];
};

struct gateway {
	uint8_t address[16];
	bool used;
	uint32_t overload_seq;
};

#define WAYS 8

struct gtpc {
	struct gtpc_conf conf;
	const struct book *book;
	struct sessions *sessions;
	struct judge *judge;
	struct admission **target; /* gateways_max */
	struct gateway *gateway;
	size_t gateway_n;
	uint64_t *keys;            /* sets of WAYS: who asks whom under which number; 0: free */
	struct waiting *wait;      /* beside them */
	size_t set_mask, hand;
	uint8_t key[HASH_KEY];
	uint64_t first_ms;
	struct gtpc_counts counts;
	struct arena mem;
	uint8_t reply[GTPC_ANSWER];
	struct msg msg;
};

static inline uint32_t gtpc_s(uint64_t now_ms)
{
	return (uint32_t)(now_ms / 1000);
}

/* gtpc_wait.c. The key of a request: who asks whom, by which number. */
uint64_t gtpc_key(const struct gtpc *g, const struct gtpc_packet *p, const struct gtp_head *h, bool answer);
struct waiting *gtpc_find(struct gtpc *g, uint64_t key, uint64_t now_ms);
struct waiting *gtpc_wait(struct gtpc *g, uint64_t key, uint64_t now_ms); /* never NULL; zeroed */
void gtpc_tidy(struct gtpc *g, uint64_t now_ms); /* a few at a time */
void gtpc_done(struct gtpc *g, struct waiting *w, bool ok, bool busy, uint64_t now_ms);

/* gtpc_known.c. What the session table knows of a message: `k` but for addresses and form is filled in. */
void gtpc_known(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		struct gtp_known *k, struct session *is);
uint8_t gtpc_target(const struct gtpc *g, struct view address);
bool gtpc_young(const struct gtpc *g, uint64_t now_ms);

/* gtpc_learn.c. A request that was passed, and the answer to it. */
void gtpc_remember(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		   struct waiting *w);
void gtpc_learn(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		struct waiting *w);
