/* GTP-C to facts, and verdict to GTP-C: the adapter of idea 2. Pure. No rule lives here: what a message's
 * form says, and what is known of the session it is about, is told to the judge as facts. */
#pragma once
#include "judge/judge.h"
#include "node/gtp_said.h"

enum gtp_kind { GTP_REQUEST, GTP_ANSWER, GTP_NOTICE };

/* Of gtp_op.tab; beyond enum category: */
enum { GTP_EITHER = 100, GTP_PATH };

struct gtp_row {
	const char *name;
	uint8_t kind, category, op; /* enum gtp_kind; enum category and above; enum op */
};

/* The row of a message, or NULL. */
const struct gtp_row *gtp_row(uint8_t version, uint8_t type);

/* Whose a message is, where that is not as shipped: by version and type; 0: as shipped. */
struct gtp_conf {
	uint8_t category[3][256];
};

/* "gtp2:IdentificationRequest=3 gtp1:TPDU=1": set conf->category. ERR_CONFIG with a clear line. */
enum err MUST_USE gtp_categories(struct gtp_conf *conf, struct view text, char why[256]);

/* What is known of a message beyond its bytes. */
struct gtp_known {
	struct view from, to;  /* addresses */
	uint64_t peer_plmn;    /* the network of `from`; 0: nobody's */
	bool outside;          /* it came from outside, whatever its address claims */
	bool session;          /* the session that it is about is known */
	bool home;             /* and anchored at a gateway of ours */
	uint64_t imsi, session_plmn; /* of that session */
	uint8_t session_n, target; /* as in facts */
	uint64_t group;
	uint16_t form;         /* what the conversation says of its form: FORM_UNASKED and the like */
	uint64_t now_ms;
};

/* `row` may be NULL: a message that nobody knows. Views borrow `said` and `known`. */
void gtp_facts(struct facts *f, const struct gtp_conf *conf, const struct gtp_head *h,
	       const struct gtp_row *row, const struct gtp_said *said, const struct gtp_known *known);

/* The answer that a refusal becomes: cause, and the back-off if the verdict has one. `teid` is where who
 * asked hears answers, 0 if it is not known. Nothing is written where no answer is due: to notices, answers,
 * messages of no one outside, and for a drop. */
void gtp_reject(struct wr *w, const struct gtp_head *h, const struct gtp_row *row, uint32_t teid,
		const struct verdict *v);

/* The cause that gtp_reject() writes; 0: no answer. */
uint8_t gtp_cause(const struct gtp_head *h, const struct gtp_row *row, const struct verdict *v);

/* Does a cause say that the gateway has too much to do? */
bool gtp_busy(const struct gtp_head *h, uint8_t cause);
