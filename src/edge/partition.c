/* Partitions: a home of their own for some subscriptions, with its own ways and limits, so that the
 * overload of one is not felt in another (R-5.1.i). */
#include "edge/inside.h"

#include "base/metric.h"

enum card { CARD_IOT, CARD_HANDSET, CARD_UNKNOWN };

void edge_count_card(const struct edge_worker *w, uint64_t imsi, uint8_t partition)
{
	const struct range_row *r = imsi ? w->book->range(w->book->ctx, imsi) : NULL;

	metric_add(M_EDGE_CARDS, !r ? CARD_UNKNOWN : r->handset ? CARD_HANDSET : CARD_IOT, 1);
	if (partition < EDGE_PARTITION_MAX)
		metric_add(M_EDGE_PARTITION_PASSED, partition, 1);
}

struct dia_peer *edge_route_home(struct edge_worker *w, uint8_t partition, uint32_t app,
				 const struct dia_peer *not_this)
{
	const struct edge_homes *h;

	if (partition >= EDGE_PARTITION_MAX)
		return NULL;
	h = &w->homes[partition];
	return dia_node_choose(w->node, h->peer, h->n, app, not_this);
}

struct overload edge_overload(const struct edge *e, uint64_t wall_ms)
{
	struct overload least = admission_overload(e->target[0], wall_ms);

	for (size_t i = 1; i < EDGE_PARTITION_MAX; i++) {
		struct overload o;
		uint64_t sequence = least.sequence;

		if (!e->target[i])
			continue;
		o = admission_overload(e->target[i], wall_ms);
		if (o.reduction < least.reduction)
			least = o;
		least.sequence = o.sequence > sequence ? o.sequence : sequence;
	}
	return least;
}

enum err edge_open_targets(struct edge *e)
{
	const struct edge_conf *c = e->conf;
	struct admission_conf limits = {.ceiling = c->concurrency, .rate = c->capacity};

	e->target[0] = admission_new(&limits, e->key);
	for (size_t i = 0; i < c->partition_n; i++) {
		const struct edge_partition *p = &c->partition[i];

		if (e->target[p->number])
			continue; /* a second home of this partition */
		limits.ceiling = p->concurrency ? p->concurrency : c->concurrency;
		limits.rate = p->capacity ? p->capacity : c->capacity;
		e->target[p->number] = admission_new(&limits, e->key);
		if (!e->target[p->number])
			return ERR_FULL;
	}
	return e->target[0] ? ERR_OK : ERR_FULL;
}

static void dial(struct edge_worker *w, size_t partition, const struct endpoint *at)
{
	struct edge_homes *h = &w->homes[partition];
	struct dia_peer *p;

	if (h->n == EDGE_LIST_MAX)
		return;
	p = dia_node_peer(w->node, DIA_HOME, (struct view){0}, (struct endpoint *)(uintptr_t)at);
	if (p)
		h->peer[h->n++] = p;
}

void edge_dial_homes(struct edge_worker *w)
{
	const struct edge_conf *c = w->edge->conf;

	for (size_t i = 0; i < c->home_n; i++)
		dial(w, 0, &c->home[i]);
	for (size_t i = 0; i < c->partition_n; i++)
		dial(w, c->partition[i].number, &c->partition[i].at);
}
