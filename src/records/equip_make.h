/* Making the next generation of the bulk equipment lists: entries go in, in any order; then a plan
 * says what would change against the generation before, and what a range guard finds wrong with it;
 * then the file is written. Allocates; one thread at a time. */
#pragma once
#include "records/equip_set.h"

/* Some devices of one TAC put on a list, or taken off. On the wire EQUIP_ENTRY_BYTES each, big-endian:
 * first << 16 | list << 1 | off in 8, n in 4. */
struct equip_entry {
	uint64_t first; /* TAC * EQUIP_SERIALS + serial number of the first */
	uint32_t n;	/* 1..EQUIP_SERIALS, of the same TAC; EQUIP_SERIALS is the whole TAC */
	uint8_t list;	/* enum colour */
	bool off;
};
#define EQUIP_ENTRY_BYTES 12u
void equip_entry_put(struct wr *w, const struct equip_entry *e);

struct equip_make;

/* `full`: bits 1 << enum colour of the lists that the entries state whole; the others, and with 0
 * all, are those of the generation before, changed by the entries. NULL: no memory. */
struct equip_make *equip_make_new(unsigned int full);
void equip_make_free(struct equip_make *m);

/* Entries as bytes. ERR_VALUE: one that cannot be (nothing more is then taken); ERR_NOT_ALLOWED: one
 * taken off, or of another list, where the file states the list whole; ERR_FULL. Quickest when
 * neighbours come together. */
enum err MUST_USE equip_make_add(struct equip_make *m, struct view entries);

/* What an import may do without being asked again. */
struct equip_guard {
	uint32_t tac_most;     /* devices of one TAC newly on the black list */
	uint32_t list_percent; /* by which a list may grow or shrink */
};

enum equip_rule { EQUIP_WHOLE_TAC, EQUIP_TAC_MOST, EQUIP_GROWS, EQUIP_SHRINKS };

/* One TAC on one list, or (of a finding about a list) tac UINT32_MAX. */
struct equip_change {
	uint32_t tac;
	uint8_t list, rule; /* enum colour, enum equip_rule */
	uint64_t before, after, added, removed; /* devices */
};

#define EQUIP_TOP      10
#define EQUIP_FINDINGS 20

struct equip_plan {
	uint64_t base;	   /* generation, 0 = none */
	uint64_t entries;  /* that came in */
	uint64_t not_there; /* taken off, and never on: SG.18's 0003 */
	struct equip_tally {
		uint64_t before, after;	/* entries for one device */
		uint64_t added, removed;
		uint64_t whole_before, whole_after; /* entries for a TAC */
		uint64_t tacs;		/* that change */
	} list[EQUIP_LISTS];
	struct equip_change top[EQUIP_TOP]; /* what changes most, biggest first */
	size_t top_n;
	struct equip_change finding[EQUIP_FINDINGS]; /* the first ones */
	size_t finding_n, finding_all; /* held, and found */
	uint32_t code;	   /* of exactly this change to exactly this base */
};

/* `base` may be NULL. ERR_FULL. */
enum err MUST_USE equip_make_plan(struct equip_make *m, const struct equip_set *base,
				  const struct equip_guard *guard, struct equip_plan *plan);

/* Write the file, from its begin; durable when it returns. The entries are used up. `head` gets what
 * was written. ERR_IO with errno; ERR_FULL. */
enum err MUST_USE equip_make_write(struct equip_make *m, const struct equip_set *base, int fd,
				   uint64_t generation, struct equip_head *head);
