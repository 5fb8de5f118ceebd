/* Which algorithms of the radio a service may be served with, and the judgement of a connection by it
 * (CLP.14 5.2.1 to 5.2.4). Pure. */
#pragma once
#include "crypto/radio.h"

enum policy_finding {
#define FINDING(id, name, clause, text) POLICY_##id,
#include "crypto/policy.tab"
#undef FINDING
	POLICY_N
};

struct policy_row {
	const char *name, *clause, *text;
};
extern const struct policy_row policy_rows[POLICY_N];

/* `allowed`: 1 << enum radio_id each; no ciphering, and no integrity, is allowed only where its row is
 * among them. `generation`: the oldest, 2 to 4. */
struct policy {
	uint32_t allowed;
	uint8_t generation;
};

/* Every algorithm with 128 bits: what a policy allows that says nothing else. */
uint32_t policy_default(void);

/* The algorithms named, separated by spaces or commas. ERR_VALUE: `bad` is none. */
enum err MUST_USE policy_read(struct view names, uint32_t *allowed, struct view *bad);

/* One connection. `generation`: of its radio technology, 2 to 4 (5G is 4 here: its algorithms are those of
 * LTE). `cipher`, `integrity`: RADIO_N when not one we know; GSM and GPRS have no integrity
 * algorithm, and `integrity` is not looked at there. */
enum policy_finding policy_judge(const struct policy *p, unsigned int generation,
				 enum radio_id cipher, enum radio_id integrity);
