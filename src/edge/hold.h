/* Refusals that wait: a bounded, jittered delay takes the edge off a storm (design.md, 'Storm
 * control'). A fixed pool; when it is full a refusal goes at once. One a worker. */
#pragma once
#include "base/bytes.h"

#define HOLD_BYTES 1024

struct hold;
struct hold *hold_new(size_t max);
void hold_free(struct hold *h);

/* Keep an answer for a connection until `due_ms`. False: no room, or too long; send it now. Copies.
 */
bool hold_put(struct hold *h, uint32_t conn, struct view answer, uint64_t due_ms);
/* Hand over what is due. */
void hold_due(struct hold *h, uint64_t now_ms,
	      void (*send)(void *ctx, uint32_t conn, struct view answer), void *ctx);
