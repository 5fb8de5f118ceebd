#include "home/outbox.h"

#include <stdlib.h>

#define NOT_DUE UINT64_MAX

/* Keys and times stand apart from the items: both are searched from end to end. */
struct outbox {
	uint64_t key[OUTBOX_MAX]; /* the subscriber of an OUTBOX_SYNC, else 0 */
	uint64_t due[OUTBOX_MAX];
	uint32_t free[OUTBOX_MAX];
	uint32_t free_n;
	struct outbox_item item[OUTBOX_MAX];
};

struct outbox *outbox_new(void)
{
	struct outbox *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	for (uint32_t i = 0; i < OUTBOX_MAX; i++) {
		o->due[i] = NOT_DUE;
		o->free[i] = OUTBOX_MAX - 1 - i;
		o->item[i].index = i;
	}
	o->free_n = OUTBOX_MAX;
	return o;
}

void outbox_free(struct outbox *o)
{
	free(o);
}

size_t outbox_used(const struct outbox *o)
{
	return OUTBOX_MAX - o->free_n;
}

static struct outbox_item *take(struct outbox *o, enum outbox_kind kind, uint64_t imsi,
				uint64_t now)
{
	struct outbox_item *it;
	uint32_t index, life;

	if (o->free_n == 0)
		return NULL;
	index = o->free[--o->free_n];
	it = &o->item[index];
	life = it->life + 1;
	memset(it, 0, sizeof *it);
	it->index = index;
	it->life = life;
	it->kind = (uint8_t)kind;
	it->imsi = imsi;
	o->key[index] = kind == OUTBOX_SYNC ? imsi : 0;
	o->due[index] = now;
	return it;
}

/* An entry under way compares anew when its answer comes, so it sees this change too. */
bool outbox_sync(struct outbox *o, uint64_t imsi, uint64_t now)
{
	for (size_t i = 0; i < OUTBOX_MAX; i++) {
		if (o->key[i] == imsi)
			return true;
	}
	return take(o, OUTBOX_SYNC, imsi, now) != NULL;
}

bool outbox_cancel(struct outbox *o, uint64_t imsi, const struct cancel *c, uint64_t now)
{
	struct outbox_item *it = take(o, OUTBOX_CANCEL, imsi, now);

	if (it)
		it->cancel = *c;
	return it != NULL;
}

bool outbox_reset(struct outbox *o, const struct reg_node *to, uint64_t now)
{
	struct outbox_item *it = take(o, OUTBOX_RESET, 0, now);

	if (it)
		it->cancel.node = *to;
	return it != NULL;
}

struct outbox_item *outbox_due(struct outbox *o, uint64_t now, uint32_t *from)
{
	for (; *from < OUTBOX_MAX; ++*from) {
		if (o->due[*from] <= now)
			return &o->item[(*from)++];
	}
	return NULL;
}

struct outbox_item *outbox_find(struct outbox *o, uint32_t index, uint32_t life)
{
	if (index >= OUTBOX_MAX || o->item[index].life != life ||
	    o->item[index].kind == OUTBOX_FREE)
		return NULL;
	return &o->item[index];
}

void outbox_sent(struct outbox *o, struct outbox_item *it)
{
	it->sent = true;
	o->due[it->index] = NOT_DUE;
}

void outbox_now(struct outbox *o, struct outbox_item *it, uint64_t now)
{
	it->sent = false;
	it->attempts = 0;
	o->due[it->index] = now;
}

bool outbox_retry(struct outbox *o, struct outbox_item *it, uint64_t now)
{
	uint64_t wait = it->attempts < 9 ? (uint64_t)1000 << it->attempts : OUTBOX_WAIT_MAX;

	if (++it->attempts >= OUTBOX_ATTEMPTS) {
		outbox_done(o, it);
		return false;
	}
	it->sent = false;
	o->due[it->index] = now + (wait < OUTBOX_WAIT_MAX ? wait : OUTBOX_WAIT_MAX);
	return true;
}

void outbox_done(struct outbox *o, struct outbox_item *it)
{
	it->kind = OUTBOX_FREE;
	o->key[it->index] = 0;
	o->due[it->index] = NOT_DUE;
	o->free[o->free_n++] = it->index;
}
