/* Sequence numbers without a write a vector (TS 33.102 Annex C.1.1.3, time-based; facts/sim.md 3.2).
 *
 * SQN = SEQ(43 bit) | IND(5 bit). SEQ = ticks of 0.1 s since an epoch + DIF(subscriber), never lower than
 * the last one issued + 1. IND = (node, serving domain). One global reservation stands in a file and
 * is renewed every 10 s: nothing at or above it is issued; a restart begins at it, whatever the clock
 * says. So neither a crash nor a clock set back reuses one. One per process; any thread may issue
 * (atomic). */
#pragma once
#include "base/bytes.h"

#define SQN_TICK_MS 100

struct sqn;

/* `fd`: the reservation file, open for reading and writing (borrowed); it is read, and its first
 * reservation written durably, before this returns. ERR_CORRUPT, ERR_IO. `wall_ms` since 1970. */
enum err MUST_USE sqn_open(struct sqn **s, int fd, uint64_t wall_ms);
void sqn_close(struct sqn *s);

/* Renew the reservation when due (call every second; the write happens here, so call it from a
 * thread that may block). ERR_IO: keep issuing what is reserved, raise an alarm. */
enum err MUST_USE sqn_reserve(struct sqn *s, uint64_t wall_ms);

/* A run of `n` consecutive SEQ, `*seq` the first, for one subscriber with difference `dif`. All
 * SQN of a batch carry one IND: sqn = seq << 5 | ind. ERR_AGAIN when the reservation is used up. */
enum err MUST_USE sqn_issue(struct sqn *s, uint64_t wall_ms, int64_t dif, unsigned int n, uint64_t *seq);

/* After a verified AUTS: the difference that makes the next SEQ of this subscriber greater than
 * SEQ_MS; unchanged when the next one would be accepted anyway. */
int64_t sqn_dif(const struct sqn *s, uint64_t wall_ms, int64_t dif, uint64_t sqn_ms);
