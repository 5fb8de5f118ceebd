#include "cli/sim_hist.h"

#define STEPS 32 /* in each power of two */

static unsigned int bucket_of(uint64_t us)
{
	unsigned int top, b;

	if (us < STEPS)
		return (unsigned int)us;
	top = 63 - (unsigned int)__builtin_clzll(us);
	b = (top - 4) * STEPS + (unsigned int)((us >> (top - 5)) & (STEPS - 1));
	return b < HIST_N ? b : HIST_N - 1;
}

static uint64_t top_of(unsigned int b)
{
	unsigned int power = b / STEPS + 4, step = b % STEPS;

	if (b < STEPS)
		return b;
	return (((uint64_t)STEPS + step + 1) << (power - 5)) - 1;
}

void hist_add(struct hist *h, uint64_t us)
{
	h->n++;
	h->sum_us += us;
	h->max_us = us > h->max_us ? us : h->max_us;
	h->bucket[bucket_of(us)]++;
}

uint64_t hist_at(const struct hist *h, double share)
{
	uint64_t want = (uint64_t)(share * (double)h->n), seen = 0;

	for (unsigned int b = 0; b < HIST_N; b++) {
		seen += h->bucket[b];
		if (seen > want || (seen == h->n && seen > 0))
			return top_of(b) < h->max_us ? top_of(b) : h->max_us;
	}
	return 0;
}

void hist_merge(struct hist *to, const struct hist *from)
{
	to->n += from->n;
	to->sum_us += from->sum_us;
	to->max_us = from->max_us > to->max_us ? from->max_us : to->max_us;
	for (unsigned int b = 0; b < HIST_N; b++)
		to->bucket[b] += from->bucket[b];
}
