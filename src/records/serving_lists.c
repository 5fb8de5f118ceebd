#include "records/serving_lists.h"

#include "base/log.h"
#include "base/metric.h"

#include <stdio.h>
#include <time.h>

#define REAP_MS 3000 /* readers begin a batch every 100 ms at least */

void lists_init(struct lists_shared *s)
{
	pthread_mutex_init(&s->lock, NULL);
}

void lists_end(struct lists_shared *s)
{
	for (int i = 0; i < SERVING_SETS; i++)
		equip_close(s->set[i]);
	pthread_mutex_destroy(&s->lock);
}

static void refused(uint64_t generation, const char *why)
{
	metric_add(M_EQUIP_REFUSED, 0, 1);
	LOG(LOG_ERROR, "serving.lists_refused", KV("generation", generation), KV("why", why),
	    KV_CLAUSE("R-5.7.3.a"));
}

static bool is(const struct equip_set *set, uint64_t generation, const uint8_t digest[EQUIP_DIGEST])
{
	const struct equip_head *h = equip_head(set);

	return generation != 0 && h->generation == generation &&
	       memcmp(h->digest, digest, EQUIP_DIGEST) == 0;
}

static struct equip_set *try(const char *dir, uint64_t generation, const uint8_t digest[EQUIP_DIGEST])
{
	struct equip_set *set;
	char why[256] = "its digest is not the one that was published";

	if (generation == 0)
		return NULL;
	if (equip_open_at(&set, dir, generation, why) == ERR_OK) {
		if (is(set, generation, digest))
			return set;
		equip_close(set);
	}
	refused(generation, why);
	return NULL;
}

void lists_first(struct lists_shared *s, const char *dir, const struct serving_lists *named)
{
	struct equip_set *set = try(dir, named->generation, named->digest);

	if (!set)
		set = try(dir, named->old_generation, named->old_digest);
	s->set[0] = set;
	atomic_store(&s->offered, set);
}

/* --- out with the old ----------------------------------------------------------------------- */

static bool held(const struct lists_shared *s, const struct equip_set *set)
{
	for (const struct lists_hold *h = s->holds; h; h = h->next) {
		if (atomic_load(&h->hold[0]) == set || atomic_load(&h->hold[1]) == set)
			return true;
	}
	return atomic_load(&s->offered) == set;
}

/* How many are left that will go. */
static int reap(struct lists_shared *s)
{
	int left = 0;

	for (int i = 0; i < SERVING_SETS; i++) {
		if (!s->set[i] || atomic_load(&s->offered) == s->set[i])
			continue;
		if (held(s, s->set[i])) {
			left++;
			continue;
		}
		equip_close(s->set[i]);
		s->set[i] = NULL;
	}
	return left;
}

static bool put_in(struct lists_shared *s, struct equip_set *set)
{
	for (int i = 0; i < SERVING_SETS; i++) {
		if (s->set[i])
			continue;
		s->set[i] = set;
		atomic_store(&s->offered, set);
		return true;
	}
	return false;
}

enum err lists_offer(struct lists_shared *s, int fd, char why[256])
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	struct equip_set *set;
	enum err e = equip_open(&set, fd, why);
	bool in;
	int left;

	if (e) {
		refused(0, why);
		return e;
	}
	pthread_mutex_lock(&s->lock);
	reap(s);
	in = put_in(s, set);
	left = reap(s);
	pthread_mutex_unlock(&s->lock);
	if (!in) {
		equip_close(set);
		snprintf(why, 256, "equipment lists: too many generations at once");
		return ERR_AGAIN;
	}
	for (int ms = 0; left > 0 && ms < REAP_MS; ms += 10) {
		nanosleep(&nap, NULL);
		pthread_mutex_lock(&s->lock);
		left = reap(s);
		pthread_mutex_unlock(&s->lock);
	}
	return ERR_OK;
}

/* --- readers -------------------------------------------------------------------------------- */

void lists_join(struct lists_shared *s, struct lists_hold *h)
{
	pthread_mutex_lock(&s->lock);
	h->next = s->holds;
	s->holds = h;
	pthread_mutex_unlock(&s->lock);
}

void lists_leave(struct lists_shared *s, struct lists_hold *h)
{
	struct lists_hold **at = &s->holds;

	pthread_mutex_lock(&s->lock);
	while (*at && *at != h)
		at = &(*at)->next;
	if (*at)
		*at = h->next;
	pthread_mutex_unlock(&s->lock);
}

/* The set is held before it is looked at, and looked for again after: between the two it may have
 * been replaced and unmapped. */
static const struct equip_set *look(struct lists_shared *s, struct lists_hold *h)
{
	const struct equip_set *set;

	do {
		set = atomic_load(&s->offered);
		atomic_store(&h->hold[1], set);
	} while (set != atomic_load(&s->offered));
	return set;
}

void lists_take(struct lists_shared *s, struct lists_hold *h, const struct serving_lists *named)
{
	const struct equip_set *set;

	if (atomic_load_explicit(&s->offered, memory_order_relaxed) == h->now)
		return;
	set = look(s, h);
	if (set && (is(set, named->generation, named->digest) ||
		    (!h->now && is(set, named->old_generation, named->old_digest)))) {
		atomic_store(&h->hold[0], set);
		h->now = set;
		metric_set(M_EQUIP_GENERATION, 0, equip_head(set)->generation);
	} else if (set && equip_head(set)->generation == named->generation &&
		   h->refused != named->generation) {
		h->refused = named->generation;
		refused(named->generation, "its digest is not the one that was published");
	}
	atomic_store(&h->hold[1], NULL);
}
