/* The GTP-C firewall: one message in, what becomes of it out. It reads the message (node/gtp_adapt.h), asks
 * the judge, learns the sessions, and answers what is refused. One instance belongs to one thread at a time;
 * the session table that it fills may be read by others meanwhile. Nothing is allocated after gtpc_new. */
#pragma once
#include "inspect/session.h"
#include "judge/admission.h"
#include "judge/sightings.h"
#include "node/gtp_adapt.h"

#define GTPC_PORT   2123
#define GTPC_ANSWER 64 /* octets that a refusal needs at most */

enum gtpc_act {
	GTPC_FORWARD, /* as it came */
	GTPC_DROP,
	GTPC_REPLY,   /* drop it, and send `reply` back from where it was sent to */
};

/* From which side of us it came. By address: from outside, unless a node of ours speaks to another's, or
 * both are ours. */
enum gtpc_side { GTPC_BY_ADDRESS, GTPC_OUTSIDE, GTPC_INSIDE };

struct gtpc_conf {
	struct gtp_conf ops;
	uint32_t waiting_max;   /* requests that may wait for their answers (16384) */
	uint32_t gateways_max;  /* gateways that are protected, each with an admission of its own (8) */
	uint32_t late_ms;       /* after the first message: how long sessions and requests may be unknown, for
				   they began before (0) */
	struct admission_conf gateway;
};

struct gtpc_packet {
	struct view payload;    /* of UDP */
	struct view from, to;   /* addresses: 4 octets, or 16 */
	uint16_t from_port, to_port;
	enum gtpc_side side;
	uint64_t now_ms;        /* since 1970 */
};

/* What came of a message. Views borrow the packet, or the instance until its next message. */
struct gtpc_result {
	enum gtpc_act act;
	enum err err;           /* not 0: malformed, and dropped; nothing else is said but `head` */
	bool again;             /* a message that was seen before; it got what it got then */
	bool judged;            /* `facts` and `verdict` count */
	bool inside;            /* it came from our side */
	struct view reply;
	struct gtp_head head;
	const struct gtp_row *row; /* NULL: a message that nobody knows */
	struct gtp_said said;
	struct facts facts;
	struct verdict verdict;
	uint8_t cause;          /* of the reply, or of the answer that it is; 0: none */
};

struct gtpc_counts {
	uint64_t messages, forwarded, dropped, answered, again, malformed, opened, closed, full, restarts;
	uint64_t refused[CHECK_N], observed[CHECK_N];
};

struct gtpc;

/* Borrows the book, the sightings (may be NULL) and the sessions; the key is copied. NULL: out of memory. */
struct gtpc *gtpc_new(const struct gtpc_conf *conf, const struct book *book, struct sightings *seen,
		      struct sessions *sessions, const uint8_t key[HASH_KEY]);
void gtpc_free(struct gtpc *g);

/* One message of GTP-C. Never fails, never blocks. The return value is out->act. */
enum gtpc_act gtpc_take(struct gtpc *g, const struct gtpc_packet *p, struct gtpc_result *out);

const struct gtpc_counts *gtpc_counts(const struct gtpc *g);
/* The admission of the gateway with this address; NULL: it has none yet. */
const struct admission *gtpc_gateway(const struct gtpc *g, struct view address);
