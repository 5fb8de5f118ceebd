/* The few rows of the serving copy (profiles, networks, rules, ranges), which each reader keeps as
 * sorted arrays and loads anew when their generation changes; networks also by realm. */
#pragma once
#include "records/serving_db.h"

struct serving_table {
	uint8_t *rows;
	size_t n, cap, size; /* size: of a row */
	uint64_t gen;        /* of the rows held */
	bool loaded;
};

struct serving_realms {
	uint32_t *slot;      /* row number + 1 by hash, 0 = free; twice as many as rows at least */
	size_t mask;
	uint8_t key[16];     /* of the hash: realms come from peers */
};

/* Fill `t` from a database of fixed-size rows; what it held is lost, also on failure. ERR_CORRUPT
 * when a row has another size. */
enum err MUST_USE serving_table_load(struct serving_table *t, MDB_txn *txn, MDB_dbi dbi);
void serving_table_free(struct serving_table *t);

/* The last row whose first field, a uint64_t or a uint32_t as `width` says, is not above `id`. */
const void *serving_table_floor(const struct serving_table *t, uint64_t id, size_t width);

/* Index the realms of a table of struct network_row; and look one up, whatever its case. */
enum err MUST_USE serving_realms_index(struct serving_realms *x, const struct serving_table *t);
const struct network_row *serving_realms_find(const struct serving_realms *x,
					      const struct serving_table *t, struct view realm);

/* Index the number prefixes of the same table; and look up who has the longest one of a number. */
struct serving_numbers {
	struct number_cell {
		uint64_t prefix;
		uint32_t row; /* + 1; 0 = free */
	} *cell;
	size_t mask;
};
enum err MUST_USE serving_numbers_index(struct serving_numbers *x, const struct serving_table *t);
const struct network_row *serving_numbers_find(const struct serving_numbers *x,
					       const struct serving_table *t, uint64_t number);

/* Index the address prefixes of the same table; and look up who has the longest one of an address. */
struct serving_addresses {
	struct address_cell {
		uint64_t high, low;
		uint32_t row; /* + 1; 0 = free */
		uint8_t bits;
	} *cell;
	size_t mask;
	bool has[129]; /* prefixes of so many bits */
};
enum err MUST_USE serving_addresses_index(struct serving_addresses *x, const struct serving_table *t);
const struct network_row *serving_addresses_find(const struct serving_addresses *x,
						 const struct serving_table *t, struct view address);

/* Does a critical profile of a table of struct profile_row use this APN? */
bool serving_apn_critical(const struct serving_table *profiles, struct view apn);
