/* The journal's receipts, verified from the journal alone (R-3.2.b): its chain, computed again; the keys
 * that it holds, as they were at each entry; both signatures of each receipt. Pure but for memory. */
#pragma once
#include "crypto/jws.h"

struct receipt_told {
	uint64_t seq, at_ms;
	char id[73], platform[64], sub[64];
	const char *why; /* NULL: it verifies */
};

struct receipts;
struct receipts *receipts_new(void); /* NULL: out of memory */
void receipts_free(struct receipts *r);

/* The next entry, as the keeper writes it: a line of JSON. `told` is called for each receipt.
 * ERR_VALUE: no entry. ERR_CORRUPT: the chain does not lead to it; ERR_FULL. After an error the rest
 * cannot be believed. */
enum err MUST_USE receipts_line(struct receipts *r, struct view line,
				void (*told)(void *ctx, const struct receipt_told *t), void *ctx);

/* Where the chain has come to. */
uint64_t receipts_seq(const struct receipts *r);
const char *receipts_head(const struct receipts *r); /* hexadecimal, capitals */
