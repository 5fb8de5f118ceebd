/* Inside the serving copy's reading side. */
#pragma once
#include "records/serving_lists.h"
#include "records/serving_tables.h"

struct serving {
	MDB_env *env;
	MDB_dbi dbi[DB_N];
	const struct serving_page *page;
	uint64_t epoch;
	struct lists_shared lists;
};

struct serving_read {
	struct serving *s;
	MDB_txn *txn;        /* a whole state if `live`; else reset, or NULL */
	MDB_txn *spare;      /* reset, or NULL */
	bool live;
	uint64_t id;         /* of that state */
	uint64_t began_ms, began_now; /* when, by our clock and by the caller's */
	struct serving_meta meta;
	struct serving_table profiles, networks, rules, ranges, agreements;
	struct serving_realms realms;
	struct serving_numbers numbers;
	struct serving_addresses addresses;
	struct serving_lists named; /* the bulk equipment lists of that state */
	struct lists_hold lists;    /* and those in use */
	struct book book;
};

/* Fill in the look-ups of networks and APNs of a reader's book. */
void serving_book_networks(struct book *b);

static inline const struct agreement_row *serving_agreements(void *ctx, size_t *n)
{
	*n = ((struct serving_read *)ctx)->agreements.n;
	return (const void *)((struct serving_read *)ctx)->agreements.rows;
}
