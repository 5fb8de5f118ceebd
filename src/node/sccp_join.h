/* The segments of XUDT and LUDT messages put together (Q.714 4.1.1.2): a fixed pool, whatever comes. Pure. */
#pragma once
#include "base/hash.h"
#include "wire/sccp.h"

#define JOIN_BYTES 4096 /* of one message: 16 segments of 254 */
#define JOIN_MS    20000 /* T(reass) */

struct sccp_join;

/* Room for `n` messages at once; the one that waits longest makes room. NULL: out of memory. Copies the
 * key. */
struct sccp_join *sccp_join_new(size_t n, const uint8_t key[HASH_KEY]);
void sccp_join_free(struct sccp_join *j);

enum join_state {
	JOIN_WHOLE,   /* `data` is all of it */
	JOIN_WAITS,   /* more is to come */
	JOIN_BROKEN,  /* out of order, too long, or of nothing that began */
};

/* Take a message's data in. A message that is not segmented is whole at once. `data` borrows `m` or,
 * until the next call, the pool. `split`: it came in several pieces. */
struct joined {
	enum join_state state;
	bool split;
	struct view data;
};
struct joined sccp_join_take(struct sccp_join *j, const struct msg *m, uint64_t now_ms);
