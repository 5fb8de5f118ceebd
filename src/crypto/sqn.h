/* Sequence numbers without a write a vector (TS 33.102 Annex C.1.1.3, time-based; facts/sim.md
 * 3.2).
 *
 * SQN = SEQ(43 bit) | IND(5 bit). SEQ = ticks of 0.1 s since an epoch + DIF(subscriber), never
 * lower than the last one issued to that subscriber + 1. IND = (node, serving domain). One
 * global reservation stands in a file and is renewed every 10 s: nothing at or above it is
 * issued; a restart begins at it, whatever the clock says. So neither a crash nor a clock set
 * back reuses one. One per process; any thread may issue (atomic). sqn.c's head says why this
 * holds. */
#pragma once
#include "base/bytes.h"

#define SQN_TICK_MS 100
#define SQN_BURST   256u                  /* how far one subscriber may run ahead of the clock */
#define SQN_DELTA   ((uint64_t)1 << 28)   /* how far a USIM lets SEQ leap (TS 33.102 C.2.1) */
#define SQN_EPOCH_MS 1793491200000u       /* 2026-11-01 UTC: never change it, SEQ would fall */

struct sqn;

/* `fd`: the reservation file, open for reading and writing (borrowed); it is read, and its
 * first reservation written durably, before this returns. ERR_CORRUPT, ERR_IO; ERR_EXISTS:
 * another process issues from this file. `wall_ms` since 1970. */
enum err MUST_USE sqn_open(struct sqn **s, int fd, uint64_t wall_ms);
void sqn_close(struct sqn *s);

/* Renew the reservation when due (call every second; the write happens here, so call it from one
 * thread that may block). ERR_IO: keep issuing what is reserved, raise an alarm. */
enum err MUST_USE sqn_reserve(struct sqn *s, uint64_t wall_ms);

/* A run of `n` consecutive SEQ (1..SQN_BURST), `*seq` the first, for subscriber `imsi` with
 * difference `dif`. All SQN of a batch carry one IND: sqn = seq << 5 | ind. No SEQ is given to
 * a subscriber twice, whichever IND it is for. ERR_AGAIN when the subscriber is SQN_BURST
 * ahead of the clock (more than 10 vectors a second for long) or the reservation is used up;
 * ERR_VALUE when `dif` leads out of 43 bits. */
enum err MUST_USE sqn_issue(struct sqn *s, uint64_t imsi, uint64_t wall_ms, int64_t dif,
			    unsigned int n, uint64_t *seq);

/* After a verified AUTS: the difference that makes the next SEQ of this subscriber greater
 * than SEQ_MS; unchanged when the next one would be accepted anyway (greater, and by no more
 * than Delta), so that a replayed AUTS moves nothing. Store it durably before a vector made
 * with it leaves. It falls only when SEQ_MS is more than Delta behind; of a subscriber who
 * registered within 310 days no true card is: refuse the AUTS then (somebody kept it for a
 * year), or numbers are given again. */
int64_t sqn_dif(const struct sqn *s, uint64_t wall_ms, int64_t dif, uint64_t sqn_ms);
