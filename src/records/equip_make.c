#include "records/equip_in.h"

#include <sodium.h>
#include <stdlib.h>

#define GROUP 4096	/* serials handed to a bitmap at once */
#define GROWS_SMALL 10000 /* below so many devices no growth is too much: a list that begins */
#define SHRINKS_SMALL 1000

void equip_entry_put(struct wr *w, const struct equip_entry *e)
{
	wr_be(w, e->first << 16 | (uint64_t)e->list << 1 | e->off, 8);
	wr_be(w, e->n, 4);
}

struct equip_make *equip_make_new(unsigned int full)
{
	struct equip_make *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->full = full;
	m->mask = 1023;
	m->slot = calloc(m->mask + 1, sizeof *m->slot);
	if (m->slot)
		return m;
	free(m);
	return NULL;
}

void equip_make_free(struct equip_make *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->node_n; i++) {
		for (unsigned int l = 0; l < EQUIP_LISTS; l++) {
			if (m->node[i].on[l])
				roaring_bitmap_free(m->node[i].on[l]);
			if (m->node[i].off[l])
				roaring_bitmap_free(m->node[i].off[l]);
		}
	}
	free(m->node);
	free(m->slot);
	free(m);
}

/* --- taking entries in ---------------------------------------------------------------------- */

static size_t slot_of(const struct equip_make *m, uint32_t tac)
{
	size_t at = (size_t)(tac * 0x9e3779b97f4a7c15u >> 32) & m->mask;

	while (m->slot[at] != 0 && m->node[m->slot[at] - 1].tac != tac)
		at = (at + 1) & m->mask;
	return at;
}

static bool grow(struct equip_make *m)
{
	size_t cap = m->node_cap ? 2 * m->node_cap : 256;
	struct equip_node *node = realloc(m->node, cap * sizeof *node);
	uint32_t *slot;

	if (!node)
		return false;
	m->node = node;
	m->node_cap = cap;
	if (2 * cap <= m->mask)
		return true;
	slot = calloc(4 * cap, sizeof *slot);
	if (!slot)
		return false;
	free(m->slot);
	m->slot = slot;
	m->mask = 4 * cap - 1;
	for (size_t i = 0; i < m->node_n; i++)
		m->slot[slot_of(m, m->node[i].tac)] = (uint32_t)i + 1;
	return true;
}

static struct equip_node *node_of(struct equip_make *m, uint32_t tac)
{
	size_t at;

	if (m->last < m->node_n && m->node[m->last].tac == tac)
		return &m->node[m->last];
	at = slot_of(m, tac);
	if (m->slot[at] == 0) {
		if (m->node_n == m->node_cap) {
			if (!grow(m))
				return NULL;
			at = slot_of(m, tac);
		}
		m->node[m->node_n] = (struct equip_node){ .tac = tac };
		m->slot[at] = (uint32_t)++m->node_n;
	}
	m->last = m->slot[at] - 1;
	return &m->node[m->last];
}

static roaring_bitmap_t *bitmap_of(struct equip_make *m, const struct equip_entry *e)
{
	struct equip_node *n = node_of(m, (uint32_t)(e->first / EQUIP_SERIALS));
	roaring_bitmap_t **to = !n ? NULL : e->off ? &n->off[e->list] : &n->on[e->list];

	if (to && !*to)
		*to = roaring_bitmap_create();
	return to ? *to : NULL;
}

static enum err take_entry(const struct equip_make *m, struct rd *r, struct equip_entry *e)
{
	uint64_t word = rd_be64(r, 8);

	*e = (struct equip_entry){ .first = word >> 16, .n = rd_be(r, 4), .off = word & 1,
				   .list = (uint8_t)(word >> 1 & 3) };
	if (r->err || (word >> 3 & 0x1fff) != 0 || e->list >= EQUIP_LISTS || e->n == 0 ||
	    e->n > EQUIP_SERIALS || e->first >= (uint64_t)100000000 * EQUIP_SERIALS ||
	    e->first % EQUIP_SERIALS + e->n > EQUIP_SERIALS)
		return ERR_VALUE;
	if (m->full && (e->off || !(m->full >> e->list & 1)))
		return ERR_NOT_ALLOWED;
	return ERR_OK;
}

struct group {
	roaring_bitmap_t *to;
	uint32_t serial[GROUP];
	size_t n;
};

static void flush(struct group *g)
{
	if (g->n > 0)
		roaring_bitmap_add_many(g->to, g->n, g->serial);
	g->n = 0;
}

enum err equip_make_add(struct equip_make *m, struct view entries)
{
	struct rd r = { .left = entries };
	struct group g = { .n = 0 };
	struct equip_entry e;
	enum err err = ERR_OK;

	m->sorted = false;
	while (r.left.n > 0 && !err) {
		uint32_t serial;
		roaring_bitmap_t *to;

		err = take_entry(m, &r, &e);
		to = err ? NULL : bitmap_of(m, &e);
		if (!to)
			break;
		serial = (uint32_t)(e.first % EQUIP_SERIALS);
		if (to != g.to || g.n == GROUP)
			flush(&g);
		g.to = to;
		if (e.n == 1)
			g.serial[g.n++] = serial;
		else
			roaring_bitmap_add_range(to, serial, serial + e.n);
		m->entries++;
	}
	flush(&g);
	return err ? err : r.left.n > 0 ? ERR_FULL : ERR_OK;
}

/* --- the walk ------------------------------------------------------------------------------- */

static int by_tac(const void *a, const void *b)
{
	const struct equip_node *x = a, *y = b;

	return (x->tac > y->tac) - (x->tac < y->tac);
}

void equip_walk_begin(struct equip_walk *w, struct equip_make *m, const struct equip_set *base)
{
	*w = (struct equip_walk){ .node = m->node, .node_n = m->node_n };
	if (base)
		w->row = equip_rows(base, &w->row_n);
	if (m->sorted || m->node_n == 0)
		return;
	qsort(m->node, m->node_n, sizeof *m->node, by_tac);
	memset(m->slot, 0, (m->mask + 1) * sizeof *m->slot);
	for (size_t i = 0; i < m->node_n; i++)
		m->slot[slot_of(m, m->node[i].tac)] = (uint32_t)i + 1;
	m->sorted = true;
}

bool equip_walk_step(struct equip_walk *w)
{
	uint32_t row = w->row_n ? w->row->tac : UINT32_MAX;
	uint32_t node = w->node_n ? w->node->tac : UINT32_MAX;

	if (w->row_n == 0 && w->node_n == 0)
		return false;
	w->tac = row < node ? row : node;
	w->at_row = row == w->tac ? w->row : NULL;
	w->at_node = node == w->tac ? w->node : NULL;
	w->row += row == w->tac;
	w->row_n -= row == w->tac;
	w->node += node == w->tac;
	w->node_n -= node == w->tac;
	return true;
}

static bool was_there(const struct equip_walk *w, unsigned int list)
{
	return w->at_row && (w->at_row->list[list].n > 0 || (w->at_row->whole >> list & 1));
}

bool equip_touched(const struct equip_make *m, const struct equip_walk *w, unsigned int list)
{
	bool came = w->at_node && (w->at_node->on[list] || w->at_node->off[list]);

	return came || ((m->full >> list & 1) && was_there(w, list));
}

/* A view is read as any bitmap and freed as one. */
roaring_bitmap_t *equip_before(const struct equip_set *base, const struct equip_walk *w,
			       unsigned int list)
{
	struct view v;
	union {
		const roaring_bitmap_t *from;
		roaring_bitmap_t *to;
	} seen;

	if (!was_there(w, list))
		return roaring_bitmap_create();
	if (w->at_row->whole >> list & 1)
		return roaring_bitmap_from_range(0, EQUIP_SERIALS, 1);
	v = equip_map_of(base, w->at_row, list);
	seen.from = roaring_bitmap_frozen_view((const char *)v.p, v.n);
	return seen.to;
}

roaring_bitmap_t *equip_after(const struct equip_make *m, const struct equip_walk *w,
			      const roaring_bitmap_t *before, unsigned int list)
{
	const roaring_bitmap_t *on = w->at_node ? w->at_node->on[list] : NULL;
	const roaring_bitmap_t *off = w->at_node ? w->at_node->off[list] : NULL;
	roaring_bitmap_t *now;

	if (m->full >> list & 1)
		return on ? roaring_bitmap_copy(on) : roaring_bitmap_create();
	now = off ? roaring_bitmap_andnot(before, off) : roaring_bitmap_copy(before);
	if (now && on)
		roaring_bitmap_or_inplace(now, on);
	return now;
}

/* --- the plan ------------------------------------------------------------------------------- */

struct planning {
	struct equip_plan *plan;
	const struct equip_guard *guard;
	crypto_generichash_state hash;
};

static void find(struct equip_plan *p, struct equip_change c, enum equip_rule rule)
{
	c.rule = (uint8_t)rule;
	if (p->finding_n < EQUIP_FINDINGS)
		p->finding[p->finding_n++] = c;
	p->finding_all++;
}

static void rank(struct equip_plan *p, const struct equip_change *c)
{
	uint64_t size = c->added + c->removed;
	size_t at = p->top_n;

	while (at > 0 && p->top[at - 1].added + p->top[at - 1].removed < size)
		at--;
	if (at == EQUIP_TOP)
		return;
	p->top_n += p->top_n < EQUIP_TOP;
	memmove(&p->top[at + 1], &p->top[at], (p->top_n - 1 - at) * sizeof *c);
	p->top[at] = *c;
}

static void count(struct planning *g, const struct equip_change *c)
{
	struct equip_plan *p = g->plan;
	struct equip_tally *t = &p->list[c->list];
	bool was = c->before == EQUIP_SERIALS, is = c->after == EQUIP_SERIALS;

	t->before += was ? 0 : c->before;
	t->after += is ? 0 : c->after;
	t->whole_before += was;
	t->whole_after += is;
	if (c->added == 0 && c->removed == 0)
		return;
	t->added += c->added;
	t->removed += c->removed;
	t->tacs++;
	crypto_generichash_update(&g->hash, (const uint8_t *)c, sizeof *c);
	rank(p, c);
	if (c->list != BLACK)
		return;
	if (is && !was)
		find(p, *c, EQUIP_WHOLE_TAC);
	else if (c->added > g->guard->tac_most)
		find(p, *c, EQUIP_TAC_MOST);
}

static enum err plan_one(struct equip_make *m, const struct equip_set *base,
			 const struct equip_walk *w, unsigned int list, struct planning *g)
{
	roaring_bitmap_t *old = equip_before(base, w, list);
	roaring_bitmap_t *now = old ? equip_after(m, w, old, list) : NULL;
	const roaring_bitmap_t *off = w->at_node ? w->at_node->off[list] : NULL;
	struct equip_change c;

	memset(&c, 0, sizeof c); /* hashed whole */
	c.tac = w->tac;
	c.list = (uint8_t)list;
	if (now) {
		c.before = roaring_bitmap_get_cardinality(old);
		c.after = roaring_bitmap_get_cardinality(now);
		c.added = roaring_bitmap_andnot_cardinality(now, old);
		c.removed = roaring_bitmap_andnot_cardinality(old, now);
		if (off)
			g->plan->not_there += roaring_bitmap_andnot_cardinality(off, old);
		count(g, &c);
	}
	if (old)
		roaring_bitmap_free(old);
	if (now)
		roaring_bitmap_free(now);
	return now ? ERR_OK : ERR_FULL;
}

/* A list that a cut-off file would empty, or that grew as none grows in a day. */
static void judge_lists(struct equip_plan *p, const struct equip_guard *guard)
{
	for (unsigned int l = 0; l < EQUIP_LISTS; l++) {
		const struct equip_tally *t = &p->list[l];
		struct equip_change c = { .tac = UINT32_MAX, .list = (uint8_t)l,
					  .before = t->before, .after = t->after,
					  .added = t->added, .removed = t->removed };
		uint64_t most = t->before * guard->list_percent / 100;

		if (t->before == 0)
			continue;
		if (t->after > t->before + GROWS_SMALL && t->after - t->before > most)
			find(p, c, EQUIP_GROWS);
		if (t->after + SHRINKS_SMALL < t->before && t->before - t->after > most)
			find(p, c, EQUIP_SHRINKS);
	}
}

/* What no entry touches counts in the sums too. */
static void add_untouched(struct equip_plan *p, const struct equip_set *base,
			  const struct equip_walk *w, unsigned int list)
{
	struct equip_tally *t = &p->list[list];
	roaring_bitmap_t *old;

	if (!was_there(w, list))
		return;
	if (w->at_row->whole >> list & 1) {
		t->whole_before++;
		t->whole_after++;
		return;
	}
	old = equip_before(base, w, list);
	if (!old)
		return;
	t->before += roaring_bitmap_get_cardinality(old);
	t->after += roaring_bitmap_get_cardinality(old);
	roaring_bitmap_free(old);
}

enum err equip_make_plan(struct equip_make *m, const struct equip_set *base,
			 const struct equip_guard *guard, struct equip_plan *plan)
{
	struct planning g = { .plan = plan, .guard = guard };
	struct equip_walk w;
	enum err err = ERR_OK;
	uint8_t code[crypto_generichash_BYTES];

	*plan = (struct equip_plan){ .entries = m->entries,
				     .base = base ? equip_head(base)->generation : 0 };
	crypto_generichash_init(&g.hash, NULL, 0, sizeof code);
	if (base)
		crypto_generichash_update(&g.hash, equip_head(base)->digest, EQUIP_DIGEST);
	equip_walk_begin(&w, m, base);
	while (!err && equip_walk_step(&w)) {
		for (unsigned int l = 0; l < EQUIP_LISTS && !err; l++) {
			if (equip_touched(m, &w, l))
				err = plan_one(m, base, &w, l, &g);
			else
				add_untouched(plan, base, &w, l);
		}
	}
	judge_lists(plan, guard);
	crypto_generichash_final(&g.hash, code, sizeof code);
	memcpy(&plan->code, code, sizeof plan->code);
	return err;
}
