/* Findings of inspection: grouped by tenant, SIM, what it is, where to and in which direction; and the
 * answers: alert, block the flow, quarantine the SIM, by profile, never more SIMs an hour than the profile
 * says, and undone in one step (R-5.8.2.d). */
#pragma once
#include "inspect/packet.h"
#include "inspect/scan.h"
#include "base/hash.h"

enum threat {
#define THREAT(id, name, clause, help) THREAT_##id,
#include "inspect/finding.tab"
#undef THREAT
	THREAT_N
};

/* A rule is a kind of leak or a threat behind them. */
#define RULE_OF_THREAT(t) (LEAK_N + (unsigned int)(t))
#define FINDING_RULES (LEAK_N + THREAT_N)
const char *rule_name(unsigned int rule);
const char *rule_help(unsigned int rule);
const char *rule_clause(unsigned int rule);
bool rule_is_leak(unsigned int rule);

struct finding {
	uint64_t imsi; /* 0: no SIM */
	uint32_t tenant, profile;
	uint8_t to[ADDRESS_BYTES], from[ADDRESS_BYTES];
	uint16_t port;		/* of the other end */
	uint8_t rule, form;	/* form: enum scan_form of a leak's latest */
	uint8_t up;		/* device to network */
	uint8_t answer;		/* enum answer that was carried out */
	uint8_t capped, undone; /* more was asked for; it was taken back */
	uint64_t count, first_us, last_us, told_us;
	char evidence[SCAN_SHAPE + 24]; /* a shape or a reason; never a value */
};

struct findings;

struct findings_conf {
	size_t max;
	const uint8_t *key; /* HASH_KEY */
	void (*told)(void *ctx, const struct finding *f);
	void *ctx;
};
struct findings *findings_new(const struct findings_conf *conf); /* NULL: out of memory */
void findings_free(struct findings *f);

/* What was seen: grouped into its finding. `asked`: by the profile; `touch_max`: SIMs that this rule may
 * block or quarantine in an hour. Returns what is to be done now. Without room the oldest finding makes
 * way. */
enum answer findings_add(struct findings *f, const struct finding *seen, enum answer asked,
			 uint32_t touch_max, uint64_t now_us);

/* Is the SIM in quarantine? `*rule`: by which rule. */
bool findings_quarantined(const struct findings *f, uint64_t imsi, unsigned int *rule);
/* It is no more, by this rule. */
void findings_release(struct findings *f, uint64_t imsi, unsigned int rule);
/* Take back everything that a rule has done, in one step; FINDING_RULES: every rule. Returns how many SIMs
 * were freed. The rule only alerts for an hour from then on. */
size_t findings_undo(struct findings *f, unsigned int rule, uint64_t now_us);
/* Grows with each undo: a flow that was blocked before is blocked no more. */
uint32_t findings_undone(const struct findings *f, unsigned int rule);

size_t findings_n(const struct findings *f);
/* By what they are worth: threats, then leaks, by count. Borrowed; `to` has room for `max`. */
size_t findings_list(const struct findings *f, const struct finding **to, size_t max);
uint64_t findings_lost(const struct findings *f); /* made way */
