/* MAP over TCAP over SCCP to facts, and verdict to MAP: the adapter of idea 2. Pure: bytes and time come
 * in as arguments; what it must remember (segments, open dialogues) lies in fixed pools. No rule lives
 * here: what a message's form says is told to the judge as facts. */
#pragma once
#include "judge/judge.h"
#include "node/map_dialogue.h"
#include "node/sccp_join.h"
#include "wire/map.h"
#include "wire/tcap.h"

#define MAP_ASKS_MAX 8 /* requests of one message that are judged; more than one is told as a form anyway */

struct map_conf {
	uint64_t plmn;        /* ours */
	size_t dialogue_n, join_n;
	uint32_t late_ms; /* after the first message: how long dialogues may be unknown, for they began
			     before */
	uint8_t category[90]; /* by operation code: enum category; CATEGORY_OF_OP: as shipped (map_op.tab) */
};

/* "anyTimeInterrogation=1 sendIdentification=3": set conf->category. ERR_CONFIG with a clear line. */
enum err MUST_USE map_categories(struct map_conf *conf, struct view text, char why[256]);

/* The name of an operation code for people, or NULL; the name of a form bit. */
const char *map_op_name(uint32_t code);
extern const char *const map_form_names[16];

/* One request of a message. */
struct map_ask {
	struct facts facts;
	uint32_t code;
	uint8_t invoke;
	bool known;           /* the code is in map_op.tab */
	char origin[BCD_TEXT]; /* facts.origin_host is this */
};

enum map_kind {
	MAP_IS_NOTHING,   /* of no concern: a service message, an answer to nobody, CAP's answers */
	MAP_WAITS,        /* a segment: more is to come */
	MAP_ASKS,         /* requests: ask[0 .. ask_n) */
	MAP_ANSWERS,      /* the end of a request that was passed: `about`, `ok`, `busy` */
	MAP_MALFORMED,    /* `err` */
	MAP_ANSI,         /* the TCAP of ANSI-41 is declared out of service (R-5.6.f) */
};

/* What came of one message. Borrows its bytes. */
struct map_seen {
	enum map_kind kind;
	enum err err;
	const char *layer;       /* "SCCP", "TCAP", "MAP": where `err` is */
	struct sccp_address called, calling;
	uint64_t calling_number, called_number;
	bool outside;
	bool split;              /* it came in segments; `whole` is what they are together */
	struct view whole;       /* the TCAP message; borrows the node until its next message */
	uint8_t context, version; /* 0: none said */
	struct msg sccp, tcap, argument;
	size_t ask_n;
	struct map_ask ask[MAP_ASKS_MAX];
	struct map_dialogue *dialogue; /* NULL: not known */
	struct map_dialogue about;
	bool ok, busy;
};

struct map_node;

/* Borrows the book. NULL: out of memory. */
struct map_node *map_node_new(const struct map_conf *conf, const struct book *book,
			      const uint8_t key[HASH_KEY]);
void map_node_free(struct map_node *n);

/* Read one SCCP message that came from `opc`; which side it came from, its addresses tell. */
void map_read(struct map_node *n, uint32_t opc, struct view sccp, struct map_seen *out, struct arena *mem,
	      uint64_t wall_ms);

/* The same where the association tells: whether it leads outside, and to whom (0: to many). A network that
 * is not this one's is no network that we know. */
struct map_from {
	uint32_t opc;
	bool outside;
	uint64_t plmn;
};
void map_read_from(struct map_node *n, const struct map_from *from, struct view sccp, struct map_seen *out,
		   struct arena *mem, uint64_t wall_ms);

/* Of requests that were passed, those whose answer has not come in `ms`: each is told once, and forgotten as
 * a request. Looks at a part of the table; call it regularly: all of it is seen in 64 calls. */
void map_lost(struct map_node *n, uint64_t wall_ms, uint32_t ms,
	      void (*lost)(void *ctx, const struct map_dialogue *d), void *ctx);

/* The judge passed ask[0]: its answer is waited for. Refused requests leave nothing behind. */
void map_passed(struct map_node *n, const struct map_seen *seen, uint8_t partition);
void map_refused(struct map_node *n, const struct map_seen *seen);

/* The facts of a dialogue's request, as judge_done() wants them; borrows `origin`. */
void map_asked_facts(const struct map_dialogue *d, char origin[BCD_TEXT], struct facts *f);

/* The SCCP message that a refusal becomes, from us to the one who asked: a UDT with a TCAP end that holds the
 * MAP error of map_cause.tab, or an abort where the operation has no such error or no answer is due. Nothing
 * is written for a drop. Errors in w->err. */
void map_reject(struct wr *w, const struct map_seen *seen, const struct map_ask *ask,
		const struct verdict *v);

/* A message that could not be delivered, back to its sender (UDTS, Q.713 4.11), where it asked for that.
 * `cause`: Q.713 3.12. Nothing is written where it did not ask. */
enum map_return { RETURN_NO_TRANSLATION = 1, RETURN_NETWORK = 5, RETURN_HOPS = 12 };
void map_return(struct wr *w, const struct map_seen *seen, enum map_return cause);

/* What map_reject() answers, for people: "roamingNotAllowed", "abort". */
const char *map_answer_name(const struct map_ask *ask, const struct verdict *v);
