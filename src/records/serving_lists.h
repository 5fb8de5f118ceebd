/* The bulk equipment lists as the readers of one process share them: the newest file that was found
 * whole is offered, and each reader takes it at the begin of a batch when the serving copy names it.
 * One that no reader holds any more is unmapped by whoever offers the next, never on a message's
 * way. */
#pragma once
#include "records/equip_set.h"
#include "records/serving.h"

#include <pthread.h>
#include <stdatomic.h>

#define SERVING_SETS 4 /* mapped at once: in use, offered, and those on their way out */

/* What one reader holds: a set is not unmapped while it stands here. */
struct lists_hold {
	_Atomic(const struct equip_set *) hold[2]; /* in use; looked at */
	const struct equip_set *now;
	uint64_t refused; /* generation that was offered and is not the one named */
	struct lists_hold *next;
};

struct lists_shared {
	_Atomic(const struct equip_set *) offered;
	pthread_mutex_t lock; /* of the rest; never taken in a batch */
	struct equip_set *set[SERVING_SETS];
	struct lists_hold *holds;
};

void lists_init(struct lists_shared *s);
/* Open what the serving copy names, else the one before it; without either: none, and an event. */
void lists_first(struct lists_shared *s, const char *dir, const struct serving_lists *named);
void lists_end(struct lists_shared *s);
/* As serving_offer_lists. */
enum err MUST_USE lists_offer(struct lists_shared *s, int fd, char why[256]);

void lists_join(struct lists_shared *s, struct lists_hold *h);
void lists_leave(struct lists_shared *s, struct lists_hold *h);
/* Take over what is offered, if it is what is named. At the begin of a batch; wait-free. */
void lists_take(struct lists_shared *s, struct lists_hold *h, const struct serving_lists *named);
