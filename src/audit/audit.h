/* merlon audit: the whole CLP.14 checklist, evaluated on and against the running system (design.md,
 * 'Evidence'). Each row of clause.tab is one attempt: a canary (a forbidden message from a reserved
 * test partner, which must be refused), a request to the keeper, or an observation. A clause is
 * shown when all its attempts succeed, not shown when one fails, and without evidence else: never
 * green by default. */
#pragma once
#include "audit/probe.h"
#include "cli/reach.h"
#include "crypto/aka.h"
#include "judge/judge.h"
#include "records/vault.h"

#include <jansson.h>

enum state { SHOWN, NOT_SHOWN, WITHOUT };

#define PROOF_TEXT 200

/* How one attempt ended. */
struct proof {
	enum state state;
	uint64_t at_ms; /* when; older than this run when it could not be tried now */
	char text[PROOF_TEXT];
};

/* Write the text and return the state: a row's function ends with it. */
enum state proof(struct proof *p, enum state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reserved subscriptions; their IMSI is our PLMN, nines, and this number. WHO_UNKNOWN never exists.
 */
enum who {
	WHO_PLAIN,
	WHO_CRITICAL,
	WHO_SUSPENDED,
	WHO_GREY,
	WHO_BOUND,
	WHO_LOCAL,
	WHO_UTRAN,
	WHO_SWITCHED,
	WHO_VITAL,
	WHO_UNKNOWN,
	WHO_N,
	WHO_FOREIGN = WHO_N, /* another network's */
	WHO_ROAMER	     /* of the test partner itself, not registered here */
};

/* Reserved networks, and the node of each that speaks. */
enum from { FROM_MME, FROM_OTHER, FROM_FAR, FROM_BLOCKED, FROM_N };

#define CANARY_PLMN "00199"
#define FAR_PLMN "00299"
#define BLOCKED_PLMN "00198"
#define IMEI_GOOD "00199000000001"
#define IMEI_OTHER "00199000000002"
#define IMEI_BLACK "00199000000009"

enum message {
	SAY_AIR,
	SAY_ULR,
	SAY_PUR,
	SAY_NOR,
	SAY_CLR,
	SAY_IDR,
	SAY_DSR,
	SAY_ECR,
	SAY_CX,
	SAY_ECR_AS_S6A,
	SAY_AIR_UTRAN,
	SAY_N
};

/* One message. Texts may begin, or end after "node.", with "@own", "@home", "@edge", "@other": our
 * realm, home's and the edge's host name, another network's realm. NULL and 0: what a good message
 * says. */
struct canary {
	enum message say;
	enum who who;
	enum from from;
	const char *origin_host, *origin_realm, *dest_host, *dest_realm, *route, *visited, *imei;
	uint32_t rat;
	uint16_t without; /* AVP that is left out */
	uint16_t bomb;	  /* AVPs beyond need */
};

struct audit;

struct attempt {
	const char *name, *clauses, *what, *how;
	const char *check; /* of check.tab, that must be the one to refuse */
	int32_t expect;	   /* Result-Code; negative: Experimental-Result-Code */
	struct canary canary;
	enum state (*run)(struct audit *a, const struct attempt *t,
			  struct proof *p); /* NULL: the canary */
};

extern const struct attempt attempts[];
extern const size_t attempt_n;

/* One audit. */
struct audit {
	struct reach *reach;
	struct probe_to to;
	struct probe *node[FROM_N];
	char node_why[FROM_N][PROBE_TEXT];
	char other_realm[64];
	struct vault_row key[WHO_N]; /* this run's keys of the reserved cards */
	bool keyed;		     /* the vault has taken them */
	char keyed_why[256];
	struct aka *aka;
	json_t *rules;	    /* of the records; NULL: not known */
	char *page;	    /* metrics before the attempt */
	uint64_t events_at; /* size of the events file when we began */
	uint32_t session;
	size_t made; /* reserved records that were missing */
	uint8_t out[1 << 15];
	struct probe_answer answer;
};

/* --- audit.c --- */
uint64_t audit_wall_ms(void);
/* Try one row. */
void audit_try(struct audit *a, const struct attempt *t, struct proof *p);
/* Does the row serve this clause? */
bool attempt_serves(const struct attempt *t, const char *clause);
/* What the rows' proofs make of a clause: the worst, and the oldest. `one`: the row that decided;
 * -1: none serves it. */
enum state clause_state(const struct proof *proofs, const char *clause, uint64_t *at_ms, int *one);

/* --- canary.c --- */
/* The IMSI of a reserved subscription, 15 digits. */
void canary_imsi(const struct audit *a, enum who who, char text[16]);
/* Send it, wait for its answer in a->answer. ERR_NOT_FOUND: no connection; ERR_AGAIN: no answer. */
enum err MUST_USE canary_ask(struct audit *a, const struct canary *c);
/* Only send. */
enum err MUST_USE canary_send(struct audit *a, const struct canary *c);
enum state canary_try(struct audit *a, const struct attempt *t, struct proof *p);
/* The node, connected; NULL, and a->node_why. */
struct probe *canary_node(struct audit *a, enum from from);
/* Did that very check refuse during this attempt? Others may have stepped in for one that is off.
 * `*known`: the counters could be read. */
bool canary_counted(struct audit *a, const char *check, bool *known);
/* The answer as a person reads it. */
const char *canary_heard(const struct audit *a, enum err err, char text[64]);

/* --- reserve.c --- */
/* Make the reserved records that are missing, and new keys. EXIT_DONE, or an exit code after one
 * line. */
int reserve_make(struct audit *a);

/* --- keeping.c, also for others --- */
/* One request to the keeper; its reason, or what went wrong, in `why`. */
enum err MUST_USE keeping_call(struct audit *a, struct keep *req, struct keep *rep, char why[256]);
/* Set fields of a record; `mode` "set" or "create". Pairs are "name=value", NULL-terminated. */
enum err MUST_USE keeping_set(struct audit *a, const char *object, const char *key,
			      const char *mode, const char *const *pairs, char why[256]);

/* --- sight.c --- */
/* The sum of a metric over all roles, of one label value ("" = any). */
uint64_t sight_metric(const char *page, const char *name, const char *label, const char *value);
char *sight_page(struct audit *a); /* malloc'd; NULL: no watch role */

/* --- rows' functions --- */
#define CANARY(...)
#define PROOF(id, clauses, how, fn, what)                                                          \
	enum state fn(struct audit *a, const struct attempt *t, struct proof *p);
#include "audit/clause.tab"
#undef CANARY
#undef PROOF

/* --- evidence.c: data_dir/audit.jsonl --- */
/* Put older proofs, at most a day old, where the run that began at `since_ms` has none. */
void evidence_recall(const char *path, uint64_t since_ms, struct proof *proofs);
/* Append that run's. False: it could not be written. */
bool evidence_keep(const char *path, uint64_t since_ms, const struct proof *proofs);

/* --- report.c --- */
struct report {
	const char *only; /* one clause; NULL: all */
	const char *publish; /* a file that the portal shows it from; NULL: none */
	bool json;
	size_t n[3]; /* clauses by state */
	const struct proof *proofs;
	uint64_t now_ms;
};
/* Where an installed merlon has its files, if not below the working directory. */
#define REPORT_LIST "requirements.tsv"
/* Read the checklist and print it. EXIT_DONE: nothing is 'not shown'. */
int report_print(struct report *r);
