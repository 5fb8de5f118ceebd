/* What equip_set.c and equip_find.c share: a generation in memory. */
#pragma once
#include "records/equip_set.h"

#define EQUIP_CONTAINERS 16u         /* 1,000,000 serials by 65,536 */
#define EQUIP_NONE 0xff
#define EQUIP_WINDOW 64u /* values looked at together: two lines of the cache */

/* What a look-up needs of a TAC, in one line of the cache: made when the file is read. `list` is the
 * first list in order that has a bitmap, if that has arrays alone, the usual case: they lie in a row, and
 * of container c are items[from[c]..from[c + 1]). */
struct equip_quick {
	const uint16_t *items;
	uint16_t from[EQUIP_CONTAINERS + 1];
	uint8_t list;	/* enum colour, or EQUIP_NONE */
	uint8_t others; /* bits: lists to be looked into the long way */
	uint8_t whole;	/* bits */
	uint8_t spare[64 - sizeof(void *) - 2 * (EQUIP_CONTAINERS + 1) - 3];
};
_Static_assert(sizeof(struct equip_quick) == 64, "a line");

struct equip_set {
	uint8_t *map;
	size_t bytes;
	const struct equip_head *head;
	const uint32_t *index;
	const struct equip_tac *row;
	uint32_t *tac; /* of each row; apart, for it is what is searched */
	struct equip_quick *quick;
};

/* Fill in what look-ups go by: `tac` and `quick`, both zeroed and of tac_n. */
void equip_quick_make(struct equip_set *s);
