/* The bytes of requests in flight, for failover (RFC 6733 §5.5.4). A fixed pool; a request that
 * finds no room, or is longer than a block, simply has no second try. One a worker. */
#pragma once
#include "base/bytes.h"

#define KEEP_BYTES 2048
#define KEEP_NONE UINT32_MAX

struct keep;
struct keep *keep_new(size_t max);
void keep_free(struct keep *k);
/* Copies; the place, or KEEP_NONE. */
uint32_t keep_put(struct keep *k, struct view bytes);
/* Borrowed until keep_drop. Empty for KEEP_NONE. */
struct view keep_get(const struct keep *k, uint32_t at);
void keep_drop(struct keep *k, uint32_t at);
