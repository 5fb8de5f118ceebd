#include "edge/keep.h"

#include <stdlib.h>

struct block {
	uint32_t next;
	uint32_t n;
	uint8_t bytes[KEEP_BYTES];
};

struct keep {
	uint32_t spare;
	struct block block[];
};

struct keep *keep_new(size_t max)
{
	struct keep *k = malloc(sizeof *k + max * sizeof *k->block);

	if (!k)
		return NULL;
	k->spare = max > 0 ? 0 : KEEP_NONE;
	for (size_t i = 0; i < max; i++)
		k->block[i].next = i + 1 < max ? (uint32_t)i + 1 : KEEP_NONE;
	return k;
}

void keep_free(struct keep *k)
{
	free(k);
}

uint32_t keep_put(struct keep *k, struct view bytes)
{
	uint32_t at = k->spare;

	if (at == KEEP_NONE || bytes.n > KEEP_BYTES)
		return KEEP_NONE;
	k->spare = k->block[at].next;
	k->block[at].n = (uint32_t)bytes.n;
	memcpy(k->block[at].bytes, bytes.p, bytes.n);
	return at;
}

struct view keep_get(const struct keep *k, uint32_t at)
{
	if (at == KEEP_NONE)
		return (struct view){0};
	return (struct view){k->block[at].bytes, k->block[at].n};
}

void keep_drop(struct keep *k, uint32_t at)
{
	if (at == KEEP_NONE)
		return;
	k->block[at].next = k->spare;
	k->spare = at;
}
