/* The screening rules, compiled: for each check its mode for everyone, and its exceptions in the order
 * in which they win: host before network before IMSI range (judge/book.h). */
#pragma once
#include "judge/judge.h"

struct rules {
	uint64_t version;
	bool loaded;
	uint8_t mode[CHECK_N];        /* enum mode, for everyone */
	uint32_t first[CHECK_N], n[CHECK_N]; /* the exceptions of a check, in `row` */
	struct rule_row *row;
	size_t row_n, row_cap;
};

/* Compile the book's rules if they changed. Without memory the old ones stay in force. */
void rules_renew(struct rules *r, const struct book *b);
void rules_free(struct rules *r);

/* The mode of a check for this request; `peer` may be NULL. */
enum mode rules_mode(const struct rules *r, enum check c, const struct facts *f,
		     const struct network_row *peer);
