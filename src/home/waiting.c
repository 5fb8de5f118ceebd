#include "home/waiting.h"

#include <stdlib.h>

struct waiting {
	uint32_t free[WAITING_MAX];
	uint32_t free_n;
	struct waiting_answer answer[WAITING_MAX];
};

struct waiting *waiting_new(void)
{
	struct waiting *w = calloc(1, sizeof *w); /* pages never used are never touched */

	if (!w)
		return NULL;
	for (uint32_t i = 0; i < WAITING_MAX; i++)
		w->free[i] = WAITING_MAX - 1 - i;
	w->free_n = WAITING_MAX;
	return w;
}

void waiting_free(struct waiting *w)
{
	free(w);
}

size_t waiting_used(const struct waiting *w)
{
	return WAITING_MAX - w->free_n;
}

struct waiting_answer *waiting_take(struct waiting *w)
{
	struct waiting_answer *a;

	if (w->free_n == 0)
		return NULL;
	a = &w->answer[w->free[--w->free_n]];
	a->index = w->free[w->free_n];
	a->life++;
	a->used = true;
	a->conn = 0;
	a->gsup = a->map = false;
	a->path[0] = 0;
	a->cancel_n = 0;
	a->answer = (struct wr){.p = a->answer_room, .cap = sizeof a->answer_room};
	a->refusal = (struct wr){.p = a->refusal_room, .cap = sizeof a->refusal_room};
	return a;
}

void waiting_give(struct waiting *w, struct waiting_answer *a)
{
	secret_wipe(a->answer_room, a->answer.n);
	a->used = false;
	w->free[w->free_n++] = a->index;
}

uint64_t waiting_token(const struct waiting_answer *a)
{
	return (uint64_t)a->life << 32 | (a->index + 1);
}

struct waiting_answer *waiting_find(struct waiting *w, uint64_t token)
{
	uint32_t place = (uint32_t)token;
	struct waiting_answer *a;

	if (place < 1 || place > WAITING_MAX)
		return NULL;
	a = &w->answer[place - 1];
	return a->used && a->life == (uint32_t)(token >> 32) ? a : NULL;
}
