#include "home/hlr_talk.h"

#include <stdlib.h>

#define NONE UINT32_MAX
#define PLACE_BITS 17
#define BEGUN_MAX (HLR_TALKS / 4)
_Static_assert(HLR_TALKS <= 1 << PLACE_BITS, "a place must fit an identifier");

/* By time. */
struct queue {
	uint32_t oldest, newest, n;
};

struct hlr_talks {
	uint8_t key[HASH_KEY];
	uint64_t given; /* identifiers so far */
	struct queue queue[2]; /* [1]: begun without a request; anybody may begin such at no cost */
	uint32_t free_n;
	uint32_t free[HLR_TALKS];
	struct hlr_talk at[HLR_TALKS]; /* pages never used are never touched */
};

struct hlr_talks *hlr_talks_new(const uint8_t key[HASH_KEY])
{
	struct hlr_talks *ts = calloc(1, sizeof *ts);

	if (!ts)
		return NULL;
	memcpy(ts->key, key, HASH_KEY);
	ts->queue[0] = ts->queue[1] = (struct queue){NONE, NONE, 0};
	for (uint32_t i = 0; i < HLR_TALKS; i++)
		ts->free[ts->free_n++] = HLR_TALKS - 1 - i;
	return ts;
}

void hlr_talks_free(struct hlr_talks *ts)
{
	free(ts);
}

size_t hlr_talks_used(const struct hlr_talks *ts)
{
	return HLR_TALKS - ts->free_n;
}

static void queue(struct hlr_talks *ts, struct hlr_talk *t, uint64_t now_ms)
{
	struct queue *q = &ts->queue[t->stage == HLR_BEGUN];

	t->empty = t->stage == HLR_BEGUN;
	t->until_ms = now_ms + HLR_TALK_MS;
	t->older = q->newest;
	t->newer = NONE;
	if (q->newest != NONE)
		ts->at[q->newest].newer = t->place;
	else
		q->oldest = t->place;
	q->newest = t->place;
	q->n++;
}

static void unqueue(struct hlr_talks *ts, const struct hlr_talk *t)
{
	struct queue *q = &ts->queue[t->empty];

	if (t->older != NONE)
		ts->at[t->older].newer = t->newer;
	else
		q->oldest = t->newer;
	if (t->newer != NONE)
		ts->at[t->newer].older = t->older;
	else
		q->newest = t->older;
	q->n--;
}

void hlr_talk_drop(struct hlr_talks *ts, struct hlr_talk *t)
{
	unqueue(ts, t);
	t->stage = HLR_FREE;
	ts->free[ts->free_n++] = t->place;
}

/* The upper bits of an identifier nobody outside can foretell: an answer that is made up finds no
 * dialogue. */
struct hlr_talk *hlr_talk_add(struct hlr_talks *ts, enum hlr_stage stage, uint64_t now_ms)
{
	const struct queue *empty = &ts->queue[1];
	struct hlr_talk *t;
	uint32_t place;

	if (empty->n > 0 && (ts->free_n == 0 || (stage == HLR_BEGUN && empty->n == BEGUN_MAX)))
		hlr_talk_drop(ts, &ts->at[empty->oldest]); /* a flood takes its own places */
	if (ts->free_n == 0)
		return NULL;
	place = ts->free[--ts->free_n];
	t = &ts->at[place];
	memset(t, 0, sizeof *t);
	t->stage = (uint8_t)stage;
	t->place = place;
	t->id = (uint32_t)hash_u64(ts->key, ++ts->given, place) << PLACE_BITS | place;
	queue(ts, t, now_ms);
	return t;
}

struct hlr_talk *hlr_talk_find(struct hlr_talks *ts, struct view tid)
{
	struct rd r = {.left = tid};
	uint32_t id = rd_be(&r, 4), place = id & ((1u << PLACE_BITS) - 1);

	if (r.err || r.left.n > 0 || place >= HLR_TALKS)
		return NULL;
	return ts->at[place].stage != HLR_FREE && ts->at[place].id == id ? &ts->at[place] : NULL;
}

struct view hlr_talk_tid(const struct hlr_talk *t, uint8_t room[4])
{
	struct wr w = {.p = room, .cap = 4};

	wr_be(&w, t->id, 4);
	return wr_done(&w);
}

void hlr_talk_heard(struct hlr_talks *ts, struct hlr_talk *t, uint64_t now_ms)
{
	unqueue(ts, t);
	queue(ts, t, now_ms);
}

struct hlr_talk *hlr_talk_late(struct hlr_talks *ts, uint64_t now_ms)
{
	struct hlr_talk *late = NULL;

	for (size_t i = 0; i < 2; i++) {
		struct hlr_talk *t =
		    ts->queue[i].oldest != NONE ? &ts->at[ts->queue[i].oldest] : NULL;

		if (t && t->until_ms <= now_ms && (!late || t->until_ms < late->until_ms))
			late = t;
	}
	return late;
}
