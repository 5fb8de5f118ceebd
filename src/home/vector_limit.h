/* How many vectors may be drawn by somebody who need not be believed: so many a second of all, so many
 * a minute of one subscriber. Vectors are keys and sequence numbers; who draws them without end wears
 * cards out and can play the network. Pure. */
#pragma once
#include "base/hash.h"

#define VECTOR_LIMIT_PLACES 65536u

struct vector_limit {
	uint32_t all_second, each_minute; /* 1.. */
	uint8_t key[HASH_KEY];		  /* random: nobody chooses whom he shares a place with */
	uint64_t all_us;		  /* when what was drawn will have been earned */
	uint64_t each_us[VECTOR_LIMIT_PLACES];
};

enum limit_by { LIMIT_NONE, LIMIT_EACH, LIMIT_ALL };

/* May one more be drawn? Counted if so. A minute's worth may come at once, and a second's of all. */
enum limit_by vector_limit(struct vector_limit *l, uint64_t imsi, uint64_t now_ms);
