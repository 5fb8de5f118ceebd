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

bool book_agreed(const struct book *b, uint32_t tenant, enum purpose_bit purpose, uint64_t now_s)
{
	size_t n = 0;
	const struct agreement_row *r = b->agreements ? b->agreements(b->ctx, &n) : NULL;

	for (size_t i = 0; i < n; i++) {
		if (r[i].tenant == tenant && r[i].purposes & purpose && r[i].signed_s <= now_s &&
		    (r[i].ends_s == 0 || now_s < r[i].ends_s))
			return true;
	}
	return false;
}
