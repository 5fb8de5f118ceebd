#include "base/live.h"

struct live_network *live_network(struct live *l, uint64_t plmn)
{
	struct live_network *last = &l->network[LIVE_NETWORK_MAX - 1];
	/* Digits differ most in the middle of a PLMN; any spread will do for 512 rows. */
	size_t at = (size_t)((plmn >> 40 ^ plmn >> 47) % (LIVE_NETWORK_MAX - 1));

	for (size_t i = 0; i < LIVE_NETWORK_MAX - 1; i++) {
		struct live_network *n = &l->network[(at + i) % (LIVE_NETWORK_MAX - 1)];
		uint64_t empty = 0;

		if (__atomic_load_n(&n->plmn, __ATOMIC_RELAXED) == plmn)
			return n;
		if (__atomic_compare_exchange_n(&n->plmn, &empty, plmn, 0, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED) ||
		    empty == plmn)
			return n;
	}
	__atomic_store_n(&last->plmn, UINT64_MAX, __ATOMIC_RELAXED);
	return last;
}
