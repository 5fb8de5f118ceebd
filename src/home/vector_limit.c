/* A leaky bucket in one number (GCRA): the time at which all that was taken will have been earned. */
#include "home/vector_limit.h"

#define SECOND_US 1000000u
#define MINUTE_US (60u * SECOND_US)

static uint64_t next(uint64_t earned_us, uint64_t now_us, uint64_t cost_us)
{
	return (earned_us > now_us ? earned_us : now_us) + cost_us;
}

enum limit_by vector_limit(struct vector_limit *l, uint64_t imsi, uint64_t now_ms)
{
	uint64_t now_us = now_ms * 1000;
	uint64_t *place = &l->each_us[hash_u64(l->key, imsi, 0) % VECTOR_LIMIT_PLACES];
	uint64_t each = next(*place, now_us, MINUTE_US / l->each_minute);
	uint64_t all = next(l->all_us, now_us, SECOND_US / l->all_second);

	if (each > now_us + MINUTE_US)
		return LIMIT_EACH;
	if (all > now_us + SECOND_US)
		return LIMIT_ALL;
	*place = each;
	l->all_us = all;
	return LIMIT_NONE;
}
