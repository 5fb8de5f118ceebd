#include "home/hlr_talk.h"

#include <stdlib.h>

#define NONE UINT32_MAX
#define PLACE_BITS 17
_Static_assert(HLR_TALKS <= 1 << PLACE_BITS, "a place must fit an identifier");

struct hlr_talks {
	uint8_t key[HASH_KEY];
	uint64_t given; /* identifiers so far */
	uint32_t oldest, newest, free_n;
	uint32_t free[HLR_TALKS];
	struct hlr_talk at[HLR_TALKS]; /* pages never used are never touched */
};

struct hlr_talks *hlr_talks_new(const uint8_t key[HASH_KEY])
{
	struct hlr_talks *ts = calloc(1, sizeof *ts);

	if (!ts)
		return NULL;
	memcpy(ts->key, key, HASH_KEY);
	ts->oldest = ts->newest = NONE;
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
	t->until_ms = now_ms + HLR_TALK_MS;
	t->older = ts->newest;
	t->newer = NONE;
	if (ts->newest != NONE)
		ts->at[ts->newest].newer = t->place;
	else
		ts->oldest = t->place;
	ts->newest = t->place;
}

static void unqueue(struct hlr_talks *ts, const struct hlr_talk *t)
{
	if (t->older != NONE)
		ts->at[t->older].newer = t->newer;
	else
		ts->oldest = t->newer;
	if (t->newer != NONE)
		ts->at[t->newer].older = t->older;
	else
		ts->newest = t->older;
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
	struct hlr_talk *t;
	uint32_t place;

	if (ts->free_n == 0 && ts->at[ts->oldest].stage == HLR_BEGUN)
		hlr_talk_drop(ts, &ts->at[ts->oldest]); /* nothing was asked in it yet: a flood
							   takes its own places */
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
	return ts->oldest != NONE && ts->at[ts->oldest].until_ms <= now_ms ? &ts->at[ts->oldest]
									   : NULL;
}
