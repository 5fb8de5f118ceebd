/* Global title translation: the longest prefix says where to (Q.714 2.4). */
#include "edge/ss7_inside.h"

bool ss7_translate(const struct ss7_conf *c, const struct sccp_address *a, uint32_t *point)
{
	const struct ss7_title *best = NULL;
	size_t best_n = 0;

	for (size_t i = 0; i < c->title_n; i++) {
		const struct ss7_title *t = &c->title[i];
		size_t n = strlen(t->prefix);

		if (n > a->digit_n || (n > 0 && memcmp(t->prefix, a->digits, n) != 0) ||
		    (best && n <= best_n))
			continue;
		best = t;
		best_n = n;
	}
	if (!best || a->digit_n == 0)
		return false;
	*point = best->point;
	return true;
}
