/* Token buckets by partner, shared by workers: the generic cell rate algorithm, one atomic a bucket. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum rate_kind { RATE_UNKNOWN_SUB, RATE_REQUEST, RATE_RESET, RATE_PATH, RATE_N };

#define RATE_SLOTS 1024

struct rate_slot {
	_Atomic uint64_t plmn;
	_Atomic uint64_t due_us[RATE_N]; /* when the bucket will be full again */
};

struct rates {
	struct rate_slot slot[RATE_SLOTS];
};

struct rate_ask {
	uint64_t plmn, now_ms;
	enum rate_kind kind;
	uint32_t per_s, burst;
	bool force; /* take the token though the bucket be empty */
};

/* Take a token; false if there is none. More partners than slots share buckets. Borrows; any thread. */
bool rate_take(struct rates *r, const struct rate_ask *ask);
