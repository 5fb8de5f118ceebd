/* A histogram of times, log-linear: 1 us to 70 minutes within 3 percent. */
#pragma once
#include <stdint.h>

#define HIST_N 1024

struct hist {
	uint64_t n, sum_us, max_us;
	uint64_t bucket[HIST_N];
};

void hist_add(struct hist *h, uint64_t us);
/* The time that `share` (0..1) of the values do not exceed; 0 if there are none. */
uint64_t hist_at(const struct hist *h, double share);
void hist_merge(struct hist *to, const struct hist *from);
