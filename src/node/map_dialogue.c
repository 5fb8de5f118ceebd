#include "node/map_dialogue.h"

#include "node/map_inside.h"

#include <stdlib.h>

#define WAYS   8
#define SWEEPS 64

struct map_dialogues {
	uint8_t key[HASH_KEY];
	size_t mask; /* of sets */
	size_t swept;
	uint32_t *other; /* by the second key: place + 1, also in sets of WAYS */
	uint8_t *next;   /* of a set of `other`: whose turn it is to make room */
	struct map_dialogue at[];
};

struct map_dialogues *map_dialogues_new(size_t n, const uint8_t key[HASH_KEY])
{
	struct map_dialogues *d;
	size_t sets = 1;

	while (sets * WAYS < n)
		sets *= 2;
	d = calloc(1, sizeof *d + sets * WAYS * sizeof *d->at);
	if (!d)
		return NULL;
	d->other = calloc(sets * WAYS, sizeof *d->other);
	d->next = calloc(sets, 1);
	d->mask = sets - 1;
	memcpy(d->key, key, HASH_KEY);
	if (!d->other || !d->next) {
		map_dialogues_free(d);
		return NULL;
	}
	return d;
}

void map_dialogues_free(struct map_dialogues *d)
{
	if (!d)
		return;
	free(d->other);
	free(d->next);
	free(d);
}

uint64_t map_dialogue_key(const struct map_dialogues *d, struct view tid, uint64_t address)
{
	uint64_t key = hash_u64(d->key, hash_view(d->key, tid), address);

	return key ? key : 1;
}

static struct map_dialogue *set_of(struct map_dialogues *d, uint64_t key)
{
	return &d->at[(key & d->mask) * WAYS];
}

struct map_dialogue *map_dialogue_begin(struct map_dialogues *d, uint64_t key, uint64_t now_ms)
{
	struct map_dialogue *set = set_of(d, key), *x = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key[0] == key) {
			x = &set[i];
			break;
		}
		if (x->key[0] != 0 && (set[i].key[0] == 0 || set[i].began_ms < x->began_ms))
			x = &set[i];
	}
	*x = (struct map_dialogue){ .key = { key }, .began_ms = now_ms };
	return x;
}

static struct map_dialogue *live(struct map_dialogue *x, uint64_t now_ms)
{
	if (!map_aged(x->began_ms, now_ms, DIALOGUE_MS))
		return x;
	x->key[0] = 0;
	return NULL;
}

struct map_dialogue *map_dialogue_find(struct map_dialogues *d, uint64_t key, uint64_t now_ms)
{
	struct map_dialogue *set = set_of(d, key);
	const uint32_t *other = &d->other[(key & d->mask) * WAYS];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key[0] == key)
			return live(&set[i], now_ms);
	}
	for (size_t i = 0; i < WAYS; i++) {
		if (other[i] != 0 && d->at[other[i] - 1].key[0] != 0 && d->at[other[i] - 1].key[1] == key)
			return live(&d->at[other[i] - 1], now_ms);
	}
	return NULL;
}

void map_dialogue_join(struct map_dialogues *d, struct map_dialogue *x, uint64_t key)
{
	size_t set = key & d->mask;

	if (x->key[1] == key)
		return;
	x->key[1] = key;
	d->other[set * WAYS + d->next[set]++ % WAYS] = (uint32_t)(x - d->at + 1);
}

void map_dialogue_sweep(struct map_dialogues *d, void (*each)(void *ctx, struct map_dialogue *x), void *ctx)
{
	size_t all = (d->mask + 1) * WAYS, part = (all + SWEEPS - 1) / SWEEPS;

	for (size_t i = 0; i < part; i++) {
		struct map_dialogue *x = &d->at[d->swept];

		d->swept = (d->swept + 1) % all;
		if (x->key[0] != 0)
			each(ctx, x);
	}
}

void map_dialogue_end(struct map_dialogues *d, struct map_dialogue *x)
{
	(void)d;
	x->key[0] = x->key[1] = 0;
}
