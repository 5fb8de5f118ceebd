#include "edge/hold.h"

#include <stdlib.h>

#define SLOT_MS 16
#define SLOT_N 1024 /* a wheel of 16 s: more than any delay */
#define NONE UINT32_MAX

struct item {
	uint32_t next, conn;
	uint64_t due;
	uint16_t n;
	uint8_t bytes[HOLD_BYTES];
};

struct hold {
	uint32_t slot[SLOT_N], spare;
	uint64_t done; /* the last slot time handed over */
	size_t max;
	struct item item[];
};

struct hold *hold_new(size_t max)
{
	struct hold *h = malloc(sizeof *h + max * sizeof *h->item);

	if (!h)
		return NULL;
	h->max = max;
	h->done = 0;
	h->spare = max > 0 ? 0 : NONE;
	for (size_t i = 0; i < SLOT_N; i++)
		h->slot[i] = NONE;
	for (size_t i = 0; i < max; i++)
		h->item[i].next = i + 1 < max ? (uint32_t)i + 1 : NONE;
	return h;
}

void hold_free(struct hold *h)
{
	free(h);
}

bool hold_put(struct hold *h, uint32_t conn, struct view answer, uint64_t due_ms)
{
	uint32_t at = h->spare;
	uint32_t *slot = &h->slot[due_ms / SLOT_MS % SLOT_N];
	struct item *i;

	if (at == NONE || answer.n > HOLD_BYTES || due_ms >= (h->done + SLOT_N - 1) * SLOT_MS)
		return false;
	i = &h->item[at];
	h->spare = i->next;
	memcpy(i->bytes, answer.p, answer.n);
	i->n = (uint16_t)answer.n;
	i->conn = conn;
	i->due = due_ms;
	i->next = *slot;
	*slot = at;
	return true;
}

void hold_due(struct hold *h, uint64_t now_ms,
	      void (*send)(void *ctx, uint32_t conn, struct view answer), void *ctx)
{
	uint64_t to = now_ms / SLOT_MS;

	if (h->done == 0 || to - h->done > SLOT_N)
		h->done = to > SLOT_N ? to - SLOT_N : 0;
	for (; h->done < to; h->done++) {
		uint32_t *slot = &h->slot[h->done % SLOT_N];

		while (*slot != NONE) {
			struct item *i = &h->item[*slot];
			uint32_t at = *slot;

			*slot = i->next;
			send(ctx, i->conn, (struct view){i->bytes, i->n});
			i->next = h->spare;
			h->spare = at;
		}
	}
}
