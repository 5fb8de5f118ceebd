/* The engine itself: how a message is split, named and held against its rows. A header, so that a protocol
 * may have it compiled for its own table and its own `take`, as Diameter does, where each message counts.
 * Included by tab.c, for any protocol, and by dia.c. Others call tab_parse. */
#pragma once
#include "wire/tab.h"

#define DEPTH_MASK 0x7f
#define SLOTS_STEP 32 /* slots are taken from the arena as needed, and zeroed as they are used */
#define ENGINE	   static inline __attribute__((always_inline))

_Static_assert(sizeof(struct slot) * SLOTS_STEP % _Alignof(max_align_t) == 0,
	       "steps of slots must lie one behind the other in the arena");

/* Which rules of a group were met; how often counts only for those that were. */
struct seen {
	uint64_t met;
	uint8_t times[RULES_MAX];
};

/* By value, and never by its address: so it is known wherever the engine is compiled for one protocol. */
struct how {
	const struct proto *p;
	void (*take)(struct slot *s, struct rd *r, const struct field *expected);
	bool by_place, by_rule;
	bool end; /* TAB_END */
	bool by_group;
};

ENGINE size_t hash(uint32_t a, uint32_t b)
{
	return (size_t)((((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u) >> 44);
}

ENGINE bool marks(const struct field *f, uint32_t tag, uint32_t space)
{
	return f->tag == tag && f->space == space;
}

/* The row for a tag, or NO_FIELD. */
ENGINE uint16_t find(const struct proto *p, uint32_t tag, uint32_t space)
{
	const struct tab_index *ix = p->index;
	size_t i = hash(tag, space) & ix->field_mask;

	while (ix->field_cell[i] != NO_FIELD && !marks(&p->fields[ix->field_cell[i]], tag, space))
		i = (i + 1) & ix->field_mask;
	return ix->field_cell[i];
}

/* The row for a field that no rule of its group names. */
ENGINE uint16_t stranger(struct how how, const struct slot *s)
{
	return how.by_place || how.by_group ? NO_FIELD : find(how.p, s->tag, s->space);
}

static uint8_t times(const struct seen *seen, uint8_t rule)
{
	return seen->met >> rule & 1 ? seen->times[rule] : 0;
}

/* The field a group is due next, for protocols whose fields carry no tag. */
static inline const struct field *expected(const struct proto *p, const struct tab_set *set,
					   const struct seen *seen)
{
	for (uint8_t i = 0; i < set->n; i++) {
		if (times(seen, i) < set->rules[i].max)
			return &p->fields[set->rules[i].field];
	}
	return NULL;
}

/* How often a rule's field is there, or those that exclude it. */
static inline unsigned int chosen(const struct tab_set *set, const struct seen *seen, uint8_t rule)
{
	unsigned int n = 0;

	for (uint8_t i = 0; i < set->n; i++)
		n += set->rules[i].choice == set->rules[rule].choice ? times(seen, i) : 0u;
	return n;
}

/* Where one tag is several fields, a group's rules say in their order which it is here: a choice once made
 * leaves the tag to the next. The whole table knows the strangers. */
static inline uint8_t name_by_rule(struct how how, const struct tab_set *set, const struct seen *seen,
				   struct slot *s)
{
	uint8_t place = 0;

	for (uint8_t i = 0; i < set->n; i++) {
		const struct rule *r = &set->rules[i];
		const struct field *f = &how.p->fields[r->field];

		if (f->tag != ANY_TAG && !marks(f, s->tag, s->space))
			continue;
		place = (uint8_t)(i + 1);
		if (times(seen, i) < r->max && (r->choice == 0 || chosen(set, seen, i) == 0))
			break;
	}
	s->field = place > 0 ? set->rules[place - 1].field : stranger(how, s);
	return place;
}

/* Count a field of a rule; false: it was there as often as it may. */
ENGINE bool met(struct seen *seen, const struct tab_set *set, uint8_t rule)
{
	uint64_t bit = (uint64_t)1 << rule;
	uint8_t max;

	if (!(seen->met & bit)) {
		seen->met |= bit;
		seen->times[rule] = 1;
		return true;
	}
	if (set->once & bit)
		return false;
	max = set->rules[rule].max;
	if (max != ANY && seen->times[rule] >= max)
		return false;
	seen->times[rule] = (uint8_t)(seen->times[rule] + (seen->times[rule] < ANY));
	return true;
}

/* Name a field and hold it against the rules of its group; `*rule` is NULL if it has none. */
ENGINE enum err name(struct how how, const struct tab_set *set, struct seen *seen, struct slot *s,
		     const struct rule **rule)
{
	uint8_t place;

	if (how.by_rule) {
		place = name_by_rule(how, set, seen, s);
	} else {
		s->field = find(how.p, s->tag, s->space);
		place = set->places[s->field];
	}
	*rule = NULL;
	if (place > 0) {
		*rule = &set->rules[place - 1];
		return met(seen, set, (uint8_t)(place - 1)) ? ERR_OK : ERR_REPEATED;
	}
	if (how.end && s->field == NO_FIELD && s->flags & how.p->must_know)
		return ERR_UNKNOWN;
	return how.end && set->closed ? ERR_NOT_ALLOWED : ERR_OK;
}

/* Hold a field against its row. */
ENGINE enum err fits(const struct proto *p, const struct slot *s, const struct rule *rule)
{
	const struct field *f = &p->fields[s->field];
	enum kind kind = rule && rule->as ? rule->as : f->kind;

	if (s->flags & p->bad_flags)
		return ERR_AVP_FLAGS;
	if (s->field == NO_FIELD)
		return ERR_OK;
	if (p->group_flag && f->kind != KIND_ANY && !!(s->flags & p->group_flag) != (f->kind == GROUP))
		return ERR_AVP_FLAGS;
	if (s->value.n < f->min || s->value.n > f->max)
		return ERR_LENGTH;
	return kind_any(kind, f->among) || kind_ok(kind, f->among, s->value) ? ERR_OK : ERR_VALUE;
}

/* The next free slot, zeroed; NULL when the message has had enough. It is filled in place and
 * counted by whoever keeps it. */
static inline struct slot *more_slots(struct msg *m, struct arena *mem)
{
	struct slot *step;

	if (m->slot_cap == SLOTS_MAX)
		return NULL;
	step = arena_take(mem, sizeof *m->slot, SLOTS_STEP);
	if (!step || (m->slot && step != m->slot + m->slot_cap))
		return NULL;
	m->slot = m->slot ? m->slot : step;
	m->slot_cap += SLOTS_STEP;
	return &m->slot[m->slot_n];
}

ENGINE struct slot *spare(struct msg *m, struct arena *mem)
{
	struct slot *s = m->slot_n < m->slot_cap ? &m->slot[m->slot_n] : more_slots(m, mem);

	if (s)
		*s = (struct slot){ 0 };
	return s;
}

static inline enum err blame(struct msg *m, enum err err, const struct slot *s)
{
	m->culprit = s->field;
	m->blamed = *s;
	return err;
}

/* Of rules that exclude each other one must be there, if they say so, and only one may. */
static inline enum err complete_choices(struct msg *m, const struct tab_set *set, const struct seen *seen)
{
	for (uint8_t i = 0; i < set->n; i++) {
		struct slot at = { .field = set->rules[i].field };
		unsigned int n = set->rules[i].choice == 0 ? 1 : chosen(set, seen, i);

		if (n < set->rules[i].min)
			return blame(m, ERR_MISSING, &at);
		if (n > 1)
			return blame(m, ERR_REPEATED, &at);
	}
	return ERR_OK;
}

static inline enum err complete(struct msg *m, const struct tab_set *set, const struct seen *seen)
{
	uint64_t missing = set->must & ~seen->met;
	struct slot none = { 0 };

	if (missing == 0)
		return set->chooses ? complete_choices(m, set, seen) : ERR_OK;
	none.field = set->rules[__builtin_ctzll(missing)].field;
	return blame(m, ERR_MISSING, &none);
}

/* After an error the rest of the message is cut, not judged: an answer needs its Session-Id and
 * Proxy-Info wherever they stand. */
static inline void salvage(struct how how, struct msg *m, struct rd *r, struct arena *mem)
{
	while (r->left.n > 0) {
		struct slot *s = spare(m, mem);

		if (s)
			how.take(s, r, NULL);
		if (!s || r->err)
			return;
		s->field = stranger(how, s);
		s->depth = 1;
		s->opaque = true;
		m->slot_n++;
		m->slot[0].n++;
	}
}

ENGINE enum err judge(struct how how, const struct msg *m, const struct tab_set *set, struct seen *seen,
		      struct slot *s)
{
	const struct rule *rule;
	enum err err = name(how, set, seen, s, &rule);

	s->opaque = !how.end && !rule && m->shape;
	return err || s->opaque ? err : fits(how.p, s, rule);
}

/* Cut off one field of the group `at` and judge it. */
ENGINE enum err next(struct how how, struct msg *m, struct slot *at, struct rd *r,
		     const struct tab_set *set, struct seen *seen, struct arena *mem)
{
	const struct field *due = how.by_place ? expected(how.p, set, seen) : NULL;
	struct slot *s = spare(m, mem);
	enum err err;

	if (!s)
		return blame(m, ERR_FULL, at);
	how.take(s, r, due);
	if (r->err) {
		s->field = stranger(how, s);
		return blame(m, r->err, s);
	}
	s->depth = (at->depth + 1u) & DEPTH_MASK;
	err = judge(how, m, set, seen, s);
	m->slot_n++;
	at->n++;
	return err ? blame(m, err, s) : ERR_OK;
}

ENGINE enum err split(struct how how, struct msg *m, struct slot *at, const struct tab_set *set,
		      struct arena *mem)
{
	struct rd r = { .left = at->value };
	enum err err = ERR_OK;
	struct seen seen;

	if (at->depth >= DEPTH_MAX && r.left.n > 0)
		return blame(m, ERR_FULL, at);
	seen.met = 0;
	at->first = (uint16_t)m->slot_n;
	while (r.left.n > 0 && !err)
		err = next(how, m, at, &r, set, &seen, mem);
	if (!err)
		return complete(m, set, &seen);
	if (at->depth == 0 && !r.err)
		salvage(how, m, &r, mem);
	return err;
}

/* What tab_parse promises. The slots are their own queue: the message itself, then the groups as they are
 * met at the front, which append their fields at the back. No recursion, and SLOTS_MAX bounds the work
 * whatever the nesting. */
ENGINE enum err tab_run(struct how how, struct msg *m, const struct shape *shape, struct view body,
			struct arena *mem)
{
	const struct field *f;
	uint16_t set = shape ? shape->set : 0;
	enum err err = ERR_OK;
	struct slot *all;
	size_t i = 0;

	tab_init(m, how.p, body);
	m->shape = shape;
	all = spare(m, mem);
	if (!all)
		return ERR_FULL;
	all->value = all->whole = body;
	m->slot_n = 1;
	while (!err) {
		err = split(how, m, &m->slot[i], &how.p->index->sets[set], mem);
		do {
			i++;
			f = &how.p->fields[i < m->slot_n ? m->slot[i].field : NO_FIELD];
		} while (i < m->slot_n && (m->slot[i].opaque || !f->rules));
		if (i >= m->slot_n)
			break;
		set = f->set;
	}
	return err;
}
