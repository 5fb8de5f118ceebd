#include "judge/book.h"

const struct network_row *book_home(const struct book *b, uint64_t imsi)
{
	/* An MNC has two or three digits and the IMSI does not say which: only the records know. */
	for (unsigned int n = 6; n >= 5; n--) {
		uint64_t plmn = bcd_first(imsi, n);
		const struct network_row *row = plmn ? b->network(b->ctx, plmn) : NULL;

		if (row)
			return row;
	}
	return NULL;
}
