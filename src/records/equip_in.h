/* What equip_make.c and equip_write.c share: entries by TAC, and the walk over them and the
 * generation before. */
#pragma once
#include "records/equip_make.h"

#include <roaring/roaring.h>

/* What came in about one TAC. */
struct equip_node {
	uint32_t tac;
	roaring_bitmap_t *on[EQUIP_LISTS], *off[EQUIP_LISTS]; /* NULL: nothing */
};

struct equip_make {
	unsigned int full;
	uint64_t entries;
	struct equip_node *node; /* in order of arrival, then by TAC */
	size_t node_n, node_cap;
	uint32_t *slot; /* node number + 1 by hash of the TAC */
	size_t mask;
	size_t last; /* node found last */
	bool sorted;
};

/* Both in TAC order, side by side. */
struct equip_walk {
	const struct equip_tac *row;
	struct equip_node *node;
	size_t row_n, node_n;
	uint32_t tac; /* of the step */
	const struct equip_tac *at_row; /* NULL: not there */
	struct equip_node *at_node;
};

void equip_walk_begin(struct equip_walk *w, struct equip_make *m, const struct equip_set *base);
bool equip_walk_step(struct equip_walk *w);

/* Is this list of this TAC another than before? If not, it may be copied. */
bool equip_touched(const struct equip_make *m, const struct equip_walk *w, unsigned int list);

/* What was on the list before: made, or a view, to be freed; NULL: no memory. */
roaring_bitmap_t *equip_before(const struct equip_set *base, const struct equip_walk *w,
			       unsigned int list);
/* What will be; NULL: no memory. */
roaring_bitmap_t *equip_after(const struct equip_make *m, const struct equip_walk *w,
			      const roaring_bitmap_t *before, unsigned int list);
