/* The lines of a subscriptions file: keys taken out for the vault, the rest left for the records.
 * Pure. */
#pragma once
#include "base/bytes.h"

#define CSV_COLUMNS 40

struct csv_header {
	int imsi, iccid, alg, k, opc, op, topc, amf, tuak, test; /* column numbers; -1: none */
	int n;
};

/* Columns of the first line. ERR_LENGTH: too many. */
enum err MUST_USE csv_header(struct csv_header *h, struct view line);

struct csv_keys {
	struct view imsi, iccid, alg, k, opc, op, topc, amf, tuak, test;
	bool any; /* some key column is not empty */
};
/* Cut the key columns out of a line and write it without their values. ERR_LENGTH: more columns
 * than the header has, or too long; ERR_VALUE: quotes, which keys never need. */
enum err MUST_USE csv_split(const struct csv_header *h, struct view line, struct csv_keys *keys,
			    struct wr *rest);

/* Hexadecimal digits to bytes; false when there are not exactly 2 * n. */
bool csv_hex(struct view text, uint8_t *out, size_t n);
