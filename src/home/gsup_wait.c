#include "home/gsup_wait.h"

#include <stdlib.h>

#define BUCKETS 1024
#define NONE UINT16_MAX

struct gsup_waits {
	uint16_t bucket[BUCKETS], free[GSUP_WAIT_MAX];
	uint32_t free_n;
	struct gsup_wait wait[GSUP_WAIT_MAX];
};

static uint16_t *bucket_of(struct gsup_waits *ws, uint64_t imsi)
{
	return &ws->bucket[(imsi * 0x9e3779b97f4a7c15u) >> 54];
}

struct gsup_waits *gsup_waits_new(void)
{
	struct gsup_waits *ws = calloc(1, sizeof *ws);

	if (!ws)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++)
		ws->bucket[i] = NONE;
	for (uint16_t i = 0; i < GSUP_WAIT_MAX; i++)
		ws->free[ws->free_n++] = (uint16_t)(GSUP_WAIT_MAX - 1 - i);
	return ws;
}

void gsup_waits_free(struct gsup_waits *ws)
{
	free(ws);
}

struct gsup_wait *gsup_wait_add(struct gsup_waits *ws, const struct gsup_wait *like, uint64_t now)
{
	uint16_t *bucket = bucket_of(ws, like->imsi), place;
	struct gsup_wait *w;

	if (ws->free_n == 0)
		return NULL;
	place = ws->free[--ws->free_n];
	w = &ws->wait[place];
	*w = *like;
	w->until_ms = now + GSUP_WAIT_MS;
	w->used = true;
	w->next = *bucket;
	*bucket = place;
	return w;
}

struct gsup_wait *gsup_wait_find(struct gsup_waits *ws, uint32_t conn, uint64_t imsi, uint8_t type,
				 uint8_t kind)
{
	for (uint16_t i = *bucket_of(ws, imsi); i != NONE; i = ws->wait[i].next) {
		struct gsup_wait *w = &ws->wait[i];

		if (w->conn == conn && w->imsi == imsi && w->type == type && (kind == 0 || w->kind == kind))
			return w;
	}
	return NULL;
}

void gsup_wait_drop(struct gsup_waits *ws, struct gsup_wait *wait)
{
	uint16_t place = (uint16_t)(wait - ws->wait), *at = bucket_of(ws, wait->imsi);

	while (*at != place)
		at = &ws->wait[*at].next;
	*at = wait->next;
	wait->used = false;
	ws->free[ws->free_n++] = place;
}

struct gsup_wait *gsup_wait_late(struct gsup_waits *ws, uint64_t now)
{
	for (size_t i = 0; i < GSUP_WAIT_MAX && ws->free_n < GSUP_WAIT_MAX; i++) {
		if (ws->wait[i].used && ws->wait[i].until_ms <= now)
			return &ws->wait[i];
	}
	return NULL;
}

struct gsup_wait *gsup_wait_of(struct gsup_waits *ws, uint32_t conn)
{
	for (size_t i = 0; i < GSUP_WAIT_MAX && ws->free_n < GSUP_WAIT_MAX; i++) {
		if (ws->wait[i].used && ws->wait[i].conn == conn)
			return &ws->wait[i];
	}
	return NULL;
}
