/* Duplicates (RFC 6733 §5.5.4, §6.2): a sender that lost its connection sends again, with the T flag.
 * A table of fingerprints of fixed size: four ways a bucket, the oldest gives way. */
#include "node/inside.h"

#include "base/big.h"

#define WAYS      4
#define KEEP_MS   (4 * 60 * 1000)
#define SEEN_MIN  4096u
#define SEEN_MAX  262144u

bool dia_dup_init(struct dia_node *n)
{
	uint32_t size = SEEN_MIN;

	while (size < SEEN_MAX && size / 4 < n->conf.pending_max)
		size *= 2;
	n->seen_mask = size - 1;
	n->seen = big_new(size * sizeof *n->seen);
	return n->seen != NULL;
}

static struct seen *bucket(const struct dia_node *n, uint64_t print)
{
	return &n->seen[(print >> 32) & n->seen_mask & ~(uint32_t)(WAYS - 1)];
}

uint64_t dia_node_print(const struct dia_node *n, struct view origin_host, const struct dia_header *h)
{
	uint8_t who[4 + DIA_TEXT_MAX]; /* the identifier, and as much of the host as is said apart */
	size_t host_n = origin_host.n < DIA_TEXT_MAX ? origin_host.n : DIA_TEXT_MAX;
	uint64_t print;

	memcpy(who, &h->end_to_end, 4);
	if (host_n > 0)
		memcpy(who + 4, origin_host.p, host_n);
	print = hash_view(n->key, (struct view){ who, 4 + host_n }) | 1;
	__builtin_prefetch(bucket(n, print), 1);
	return print;
}

bool dia_node_duplicate(struct dia_node *n, uint64_t print, const struct dia_header *h, uint64_t now)
{
	struct seen *in = bucket(n, print), *at = in;

	for (struct seen *s = in; s < in + WAYS; s++) {
		if (s->print == print && now - s->at_ms < KEEP_MS) {
			s->at_ms = now;
			return h->flags & DIA_FLAG_RETRANSMIT;
		}
		if (s->at_ms < at->at_ms)
			at = s;
	}
	*at = (struct seen){ print, now };
	return false;
}
