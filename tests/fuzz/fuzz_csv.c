/* Any subscriptions file: first line the header, each other line split. No byte of a key column is left in
 * what goes to the records. */
#include "cli/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct view line_of(struct view *left)
{
	const uint8_t *end = left->n ? memchr(left->p, '\n', left->n) : NULL;
	struct view v = { left->p, end ? (size_t)(end - left->p) : left->n };
	size_t skip = v.n + (end != NULL);

	*left = (struct view){ left->p + skip, left->n - skip };
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t room[1 << 16], again_room[1 << 16];
	struct view left = { data, n };
	struct csv_header h;

	if (csv_header(&h, line_of(&left)) != ERR_OK)
		return 0;
	while (left.n > 0) {
		struct wr rest = { .p = room, .cap = sizeof room };
		struct wr again = { .p = again_room, .cap = sizeof again_room };
		struct view line = line_of(&left);
		struct csv_keys k, none;

		if (csv_split(&h, line, &k, &rest) != ERR_OK)
			continue;
		/* What is left holds no key, and is what it was: splitting it changes nothing. */
		if (csv_split(&h, wr_done(&rest), &none, &again) != ERR_OK || none.any ||
		    !view_eq(wr_done(&rest), wr_done(&again)))
			abort();
	}
	return 0;
}
