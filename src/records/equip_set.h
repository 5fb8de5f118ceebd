/* The bulk equipment lists (a CEIR's): one generation of the white, black and grey list in one file,
 * a roaring bitmap of serial numbers a TAC and list, read into memory and looked up as it lies there.
 * The file never changes once it has its name; who reads it checks its digest first. Entries made by
 * hand, with a reason or an end, are records and lie in the serving copy itself. */
#pragma once
#include "judge/book.h"

#define EQUIP_MAGIC  0x4d45524c45495231u
#define EQUIP_FORMAT 1
#define EQUIP_DIGEST 32
#define EQUIP_LISTS  3 /* enum colour */
#define EQUIP_SERIALS 1000000u /* of a TAC */
#define EQUIP_DIR    "equipment"
#define EQUIP_NAME   "%llu.lists" /* by generation */
#define EQUIP_PREFIX 100000u /* first 5 digits of a TAC: the index */
#define EQUIP_UNIT   32u /* bitmaps lie at multiples of it */

/* The file: this head, the index (EQUIP_PREFIX + 1 row numbers), the rows, the bitmaps. The digest
 * is BLAKE2b of the bitmaps, then of all before them with the digest as zeros. */
struct equip_head {
	uint64_t magic;
	uint32_t format, tac_n;
	uint64_t generation, bytes; /* of the whole file */
	uint64_t index_at, rows_at, maps_at;
	uint64_t single[EQUIP_LISTS]; /* entries for one device */
	uint64_t whole[EQUIP_LISTS];  /* entries for a whole TAC */
	uint8_t digest[EQUIP_DIGEST];
	uint8_t spare[24];
};
_Static_assert(sizeof(struct equip_head) % EQUIP_UNIT == 0, "alignment");

struct equip_map {
	uint32_t at, n; /* in EQUIP_UNITs from the file's begin; bytes, 0 = none */
};

/* One TAC. */
struct equip_tac {
	uint32_t tac;
	uint8_t whole; /* bit: 1 << enum colour, all of it is on that list */
	uint8_t spare[3];
	struct equip_map list[EQUIP_LISTS];
};
_Static_assert(sizeof(struct equip_tac) == 32, "a row a half cache line");

struct equip_set;

/* Read and check a file; `fd` is borrowed. As much memory as it is long: 200 MB for 100 million entries.
 * ERR_CORRUPT: torn or tampered; ERR_VERSION; ERR_IO; ERR_FULL; the reason in `why`. */
enum err MUST_USE equip_open(struct equip_set **to, int fd, char why[256]);
/* The same of DIR/equipment/GENERATION.lists. ERR_NOT_FOUND. */
enum err MUST_USE equip_open_at(struct equip_set **to, const char *dir, uint64_t generation,
				char why[256]);
void equip_close(struct equip_set *s);
const struct equip_head *equip_head(const struct equip_set *s);

/* Which list is a device on, and which all of its TAC? Black before grey before white; -1: on none.
 * `imei`: base/bcd.h, 14 digits or more. No lock, no allocation. */
struct equip_on {
	int8_t one, tac;
};
struct equip_on equip_find(const struct equip_set *s, uint64_t imei);

/* The same will be looked up soon: of the two lines of memory that takes, the first is on its way while the
 * caller does something else. */
void equip_fetch(const struct equip_set *s, uint64_t imei);

/* For the maker of the next generation. Rows in TAC order. */
const struct equip_tac *equip_rows(const struct equip_set *s, size_t *n);
struct view equip_map_of(const struct equip_set *s, const struct equip_tac *row, unsigned int list);
