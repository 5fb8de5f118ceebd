/* What the two ends of the serving copy agree on: the databases of serving.mdb, its meta record,
 * and the page beside it. Everything here is read by another process of the same build: a change of
 * a struct is a change of BOOK_VERSION or of SERVING_MAGIC. */
#pragma once
#include "records/room.h"
#include "records/serving.h"

#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define SERVING_FILE    "serving.mdb"
#define SERVING_PAGE    "serving.page"
#define SERVING_MAGIC   0x4d45524c53563031u
#define SERVING_HOLD_MS 5000 /* no page younger than this is written again */
#define SERVING_LIFE_MS 2000 /* a reader's state is read no longer than this */
#define SERVING_RING    ((uint64_t)1 << 20)
#define SERVING_KINDS   (CHANGE_AGREEMENT + 1)

enum serving_db {
	DB_META, DB_SUB, DB_PROFILE, DB_NETWORK, DB_RULE, DB_EQUIP, DB_RANGE, DB_CHANGE, DB_HOST,
	DB_NUMBER, /* MSISDN to IMSI */
	DB_AGREEMENT, DB_N
};

static const char *const serving_db_names[DB_N] = {
	"meta", "sub", "profile", "network", "rule", "equip", "range", "change", "host", "number",
	"agreement",
};

/* The one record of `meta`, at key 0. `gen` of a kind grows with every commit that touched it. */
struct serving_meta {
	uint64_t magic;
	uint32_t version, row_bytes; /* BOOK_VERSION; all rows' sizes, summed up */
	uint64_t feed, ring_first;   /* last change contained; oldest in the ring, 0 = ring empty */
	uint64_t gen[SERVING_KINDS];
};

#define SERVING_META_KEY  0
#define SERVING_LISTS_KEY 1 /* in `meta`: struct serving_lists */

/* serving.page. The writer alone can map it for writing. */
struct serving_page {
	uint64_t magic;
	_Atomic uint64_t epoch;            /* of the serving.mdb it belongs to; 0 = removed */
	_Atomic uint64_t published, feed;  /* the last committed transaction; its feed number */
	_Atomic uint64_t published_ms;     /* when, CLOCK_BOOTTIME */
	_Atomic uint64_t alive_ms;         /* the writer's last tick */
};

#define SERVING_ROW_BYTES                                                                          \
	((uint32_t)(sizeof(struct sub_row) + sizeof(struct profile_row) +                          \
		    sizeof(struct network_row) + sizeof(struct rule_row) +                         \
		    sizeof(struct equip_row) + sizeof(struct range_row) + sizeof(struct host_row) +        \
		    sizeof(struct agreement_row) +                                                 \
		    sizeof(struct change)))

/* The same clock in all processes of the machine; begins anew with it. */
static inline uint64_t serving_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* `dir`/`name` into `path`; false when it is too long. */
static inline bool db_path(char path[512], const char *dir, const char *name)
{
	int n = snprintf(path, 512, "%s/%s", dir, name);

	return n > 0 && n < 512;
}

/* What LMDB says, in our words: its own numbers that mean damage, "no such thing", "full". */
static inline enum err db_err(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return ERR_FULL;
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return ERR_CORRUPT;
	default:
		return ERR_IO;
	}
}

static inline MDB_val db_u64(uint64_t *key)
{
	return (MDB_val){ sizeof *key, key };
}
