/* The judge: facts in, verdict out, by ordered stages: partner, category, plausibility, subscriber,
 * load, steering. Every check is a row of check.tab and can be off, observe or enforce. Pure: it
 * reads the book and its own state, and the time is in the facts. */
#pragma once
#include "judge/facts.h"
#include "base/hash.h"

struct admission; /* judge/admission.h: storm control of one protected target, shared by workers */
struct sightings; /* judge/sightings.h: what the edge remembers, shared by workers */

enum stage {
	STAGE_PARTNER,
	STAGE_CATEGORY,
	STAGE_PLAUSIBILITY,
	STAGE_SUBSCRIBER,
	STAGE_LOAD,
	STAGE_STEERING,
};

enum check {
	CHECK_NONE,
#define CHECK(id, stage, name, clause, mode, cause, help) CHECK_##id,
#include "judge/check.tab"
#undef CHECK
	CHECK_N
};

/* Why a request is refused; each protocol's adapter has a row for each (node/dia_cause.tab). */
enum cause {
	CAUSE_NONE,
	CAUSE_USER_UNKNOWN,        /* exp 5001 */
	CAUSE_NO_SUBSCRIPTION,     /* exp 5420 UNKNOWN_EPS_SUBSCRIPTION */
	CAUSE_RAT_NOT_ALLOWED,     /* exp 5421 */
	CAUSE_ROAMING_NOT_ALLOWED, /* exp 5004 */
	CAUSE_BARRED,              /* exp 5004 + Error-Diagnostic ODB_ALL_APN */
	CAUSE_AUTH_UNAVAILABLE,    /* exp 4181: temporary */
	CAUSE_EQUIPMENT_UNKNOWN,   /* exp 5422 */
	CAUSE_UNABLE_TO_COMPLY,    /* 5012: temporary, per request */
	CAUSE_TOO_BUSY,            /* 3004: only when the whole node is busy */
	CAUSE_NOT_AUTHORISED,      /* 5003 AUTHORIZATION_REJECTED */
	CAUSE_REALM_NOT_SERVED,    /* 3003 */
	CAUSE_UNABLE_TO_DELIVER,   /* 3002 */
	CAUSE_APP_UNSUPPORTED,     /* 3007 */
	CAUSE_COMMAND_UNSUPPORTED, /* 3001 */
	CAUSE_APN_UNKNOWN,         /* GTP: missing or unknown APN */
	CAUSE_PDN_TYPE,            /* GTP: preferred PDN type not supported */
	CAUSE_NO_CONTEXT,          /* GTP: context not found */
	CAUSE_N
};

enum act { ACT_PASS, ACT_REJECT, ACT_DROP };

struct verdict {
	uint8_t act, cause;    /* enum act, enum cause */
	uint8_t prio;          /* enum prio: for the queue, DRMP and counters */
	uint8_t partition;     /* of the subscription that a passed request is about; 0 = the common one */
	uint16_t check;        /* enum check that decided; CHECK_NONE for a plain pass */
	uint64_t observed;     /* a bit (1 << check) for each that found fault but only observes */
	uint32_t delay_ms;     /* hold the refusal this long (bounded, jittered) */
	uint32_t backoff_ms;   /* the appointment, for protocols that can carry it; 0 = none */
	bool critical;         /* a critical subscriber was touched: counted and alarmed when refused */
};

struct check_row {
	const char *name;      /* "partner.origin_realm" */
	const char *clause;    /* "R-5.6.1.h" */
	const char *help;
	uint8_t stage, mode, cause; /* mode: the shipped default */
};
extern const struct check_row check_rows[CHECK_N];

/* The checks in their turn: by stage, then by number. Entry 0 is CHECK_NONE. */
extern uint8_t check_order[CHECK_N];

/* The check of this name, or CHECK_NONE. */
enum check check_find(struct view name);

/* One per worker. Takes none of its arguments; all must outlive it. `targets` are the admission
 * controllers by partition (0 = common); NULL = no storm control. */
struct judge;
struct judge *judge_new(const struct book *book, struct sightings *seen,
			struct admission *const *targets, size_t target_n, const uint8_t key[HASH_KEY]);
void judge_free(struct judge *j);

/* Who we are: the one host name that partners may address, and our realm. Copied; texts that do not fit
 * HOST_MAX_BYTES count as not given. Until then the realms of TRUST_OWN networks alone are ours. */
void judge_identity(struct judge *j, struct view public_host, struct view own_realm);

/* Judge one request. Never fails; never blocks. When it passes and storm control counted it as in
 * flight, the caller must call judge_done exactly once for it. */
struct verdict judge_request(struct judge *j, const struct facts *f);

/* How a passed request ended: `ok` by a success answer, `busy` by the target's own refusal for
 * load (3004, 5012, 4181) or by silence. `partition` is the verdict's. Learns sightings and latency.
 * `answered_ms` since 1970. facts.now_ms is when the request came; only identities, op, plmn, imei, rat
 * and the origin and destination hosts are read. */
void judge_done(struct judge *j, const struct facts *f, uint8_t partition, bool ok, bool busy,
		uint64_t answered_ms);

/* The overload report for reacting nodes of a target (RFC 7683): reduction 0..100 percent, validity
 * in seconds, sequence number; 0 percent = none. */
struct overload {
	uint32_t reduction, validity_s;
	uint64_t sequence;
};
struct overload judge_overload(struct judge *j, uint32_t partition, uint64_t now_ms);
