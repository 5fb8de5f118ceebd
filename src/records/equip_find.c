/* Looking a device up in a generation of the bulk equipment lists. The bitmaps are CRoaring's frozen form
 * (its roaring.c describes it), read where they lie: a view of CRoaring's own would allocate for each TAC.
 * Every offset is held against the bitmap's length: a file is checked before it is used, and yet a wrong
 * one must not read beyond it. */
#include "records/equip_set_in.h"

#define FROZEN_COOKIE 13766u
#define BITS_BYTES 8192u       /* of a bitset container */
#define NEAR 16u               /* values; half a cache line */

enum frozen_type { FROZEN_BITS = 1, FROZEN_ARRAY = 2, FROZEN_RUNS = 3 };

/* Black first: a device reported stolen stays so, whatever else is said of it. */
static const uint8_t order[EQUIP_LISTS] = { BLACK, GREY, WHITE };

/* --- one bitmap ----------------------------------------------------------------------------- */

/* Serial numbers are spread evenly as a rule, so the place is nearly known: from there outwards by
 * growing steps, and the rest without a branch that could be guessed wrong. What counts at a hundred
 * million entries is how many lines of memory are touched, one after the other. */
static bool in_array(const uint16_t *v, uint32_t n, uint16_t low)
{
	uint32_t at = (uint32_t)((uint64_t)low * n >> 16), step = NEAR, from = at, to = at;

	if (v[at] <= low) {
		while (to + step < n && v[to + step] <= low) {
			to += step;
			from = to;
			step *= 2;
		}
		to = to + step < n ? to + step : n;
	} else {
		while (from > step && v[from - step] > low) {
			from -= step;
			to = from;
			step *= 2;
		}
		from = from > step ? from - step : 0;
	}
	for (v += from, n = to - from; n > 1;) {
		uint32_t half = n / 2;

		v += v[half] <= low ? half : 0;
		n -= half;
	}
	return n == 1 && v[0] == low;
}

static bool in_runs(const uint16_t *v, uint32_t n, uint16_t low)
{
	while (n > 1) { /* pairs: first value, how many follow it */
		uint32_t half = n / 2;

		v += v[2 * half] <= low ? 2 * half : 0;
		n -= half;
	}
	return n == 1 && v[0] <= low && low - v[0] <= v[1];
}

static bool in_bits(const uint8_t *p, uint16_t low)
{
	return p[low / 8] >> low % 8 & 1; /* words of 64, little-endian */
}

/* What stands behind the containers of a bitmap. */
struct tail {
	const uint16_t *keys, *counts;
	const uint8_t *types;
	uint32_t n;
};

/* What lies before container `i`, and in all. */
struct sums {
	uint32_t bits, runs, items, bits_all, runs_all, items_all;
};

static void add_up(struct sums *s, const uint16_t *counts, const uint8_t *types, uint32_t n,
		   uint32_t i)
{
	*s = (struct sums){ 0 };
	for (uint32_t j = 0; j < n; j++) {
		if (j == i) {
			s->bits = s->bits_all;
			s->runs = s->runs_all;
			s->items = s->items_all;
		}
		s->bits_all += types[j] == FROZEN_BITS;
		s->runs_all += types[j] == FROZEN_RUNS ? counts[j] : 0;
		s->items_all += types[j] == FROZEN_ARRAY ? counts[j] + 1u : 0;
	}
}

static uint32_t container_of(const uint16_t *keys, uint32_t n, uint16_t key)
{
	uint32_t i = 0;

	if (n > key && keys[key] == key) /* all below it are there: the usual case */
		return key;
	while (i < n && keys[i] != key)
		i++;
	return i;
}

/* Arrays lie last, so what follows one says where it is: the usual case, and the quickest. */
static bool in_last(const struct tail *t, struct view m, uint32_t i, uint16_t low)
{
	size_t items = 0, room = (size_t)((const uint8_t *)t->keys - m.p) / 2;

	for (uint32_t j = i; j < t->n; j++)
		items += t->types[j] == FROZEN_ARRAY ? t->counts[j] + 1u : 0;
	return items <= room && in_array(t->keys - items, t->counts[i] + 1u, low);
}

static bool in_others(const struct tail *t, struct view m, uint32_t i, uint16_t low)
{
	struct sums s;

	add_up(&s, t->counts, t->types, t->n, i);
	if (m.n != (size_t)s.bits_all * BITS_BYTES + 4 * (size_t)s.runs_all +
			   2 * (size_t)s.items_all + 5 * (size_t)t->n + sizeof(uint32_t))
		return false;
	if (t->types[i] == FROZEN_BITS)
		return in_bits(m.p + (size_t)s.bits * BITS_BYTES, low);
	return t->types[i] == FROZEN_RUNS &&
	       in_runs(t->keys - s.items_all - 2 * (size_t)(s.runs_all - s.runs), t->counts[i], low);
}

/* False: no bitmap of ours. */
static bool take_tail(struct tail *t, struct view m)
{
	uint32_t head;

	if (m.n < sizeof head)
		return false;
	memcpy(&head, m.p + m.n - sizeof head, sizeof head);
	t->n = head >> 15;
	if ((head & 0x7fff) != FROZEN_COOKIE || t->n == 0 || t->n > EQUIP_CONTAINERS ||
	    m.n < 5 * (size_t)t->n + sizeof head)
		return false;
	t->types = m.p + m.n - sizeof head - t->n;
	t->counts = (const void *)(t->types - 2 * (size_t)t->n);
	t->keys = t->counts - t->n;
	return true;
}

static bool in_map(struct view m, uint32_t serial)
{
	uint16_t key = (uint16_t)(serial >> 16), low = (uint16_t)serial;
	struct tail t;
	uint32_t i;

	if (!take_tail(&t, m))
		return false;
	i = container_of(t.keys, t.n, key);
	if (i == t.n)
		return false;
	return t.types[i] == FROZEN_ARRAY ? in_last(&t, m, i, low) : in_others(&t, m, i, low);
}

/* --- the quick way -------------------------------------------------------------------------- */

/* Arrays alone, and fewer values than `from` can count? */
static bool quick_fits(struct equip_quick *q, struct view m)
{
	struct tail t;
	uint32_t items = 0, i = 0;

	if (!take_tail(&t, m))
		return false;
	for (uint32_t c = 0; c < EQUIP_CONTAINERS; c++) {
		q->from[c] = (uint16_t)items;
		if (i == t.n || t.keys[i] != c)
			continue;
		if (t.types[i] != FROZEN_ARRAY)
			return false;
		items += t.counts[i++] + 1u;
	}
	q->from[EQUIP_CONTAINERS] = (uint16_t)items;
	q->items = (const void *)m.p;
	return i == t.n && items <= UINT16_MAX &&
	       m.n == 2 * (size_t)items + 5 * (size_t)t.n + sizeof(uint32_t);
}

void equip_quick_make(struct equip_set *s)
{
	for (uint32_t r = 0; r < s->head->tac_n; r++) {
		const struct equip_tac *row = &s->row[r];
		struct equip_quick *q = &s->quick[r];
		bool first = true;

		s->tac[r] = row->tac;
		q->whole = row->whole;
		q->list = EQUIP_NONE;
		for (int i = 0; i < EQUIP_LISTS; i++) {
			if (row->list[order[i]].n == 0)
				continue;
			if (first && quick_fits(q, equip_map_of(s, row, order[i])))
				q->list = order[i];
			else
				q->others |= (uint8_t)(1u << order[i]);
			first = false;
		}
	}
}

/* The values around the place where it should be, compared all together: no branch depends on what is
 * found, so that the processor goes on to the next look-up while memory is slow. */
static bool in_window(const uint16_t *v, uint16_t low)
{
	uint16_t x __attribute__((vector_size(16))), want __attribute__((vector_size(16)));
	int16_t hits __attribute__((vector_size(16))) = { 0 };
	uint64_t half[2];

	want = low - (uint16_t __attribute__((vector_size(16)))){ 0 };
	for (unsigned int i = 0; i < EQUIP_WINDOW; i += 8) {
		memcpy(&x, v + i, sizeof x);
		hits |= x == want;
	}
	memcpy(half, &hits, sizeof half);
	return (half[0] | half[1]) != 0;
}

static bool in_quick(const struct equip_quick *q, uint32_t serial)
{
	const uint16_t *v = q->items + q->from[serial >> 16];
	uint32_t n = (uint32_t)q->from[(serial >> 16) + 1] - q->from[serial >> 16], first;
	uint16_t low = (uint16_t)serial;

	if (n < EQUIP_WINDOW)
		return n > 0 && in_array(v, n, low);
	first = (uint32_t)((uint64_t)low * n >> 16);
	first = first > EQUIP_WINDOW / 2 ? first - EQUIP_WINDOW / 2 : 0;
	first = first < n - EQUIP_WINDOW ? first : n - EQUIP_WINDOW;
	if ((first > 0 && v[first] > low) || (first < n - EQUIP_WINDOW && v[first + EQUIP_WINDOW - 1] < low))
		return in_array(v, n, low);
	return in_window(v + first, low);
}

/* --- looking up ----------------------------------------------------------------------------- */

/* Eight BCD digits to their value. */
static uint32_t decimal(uint32_t x)
{
	x = (x & 0x0f0f0f0f) + (x >> 4 & 0x0f0f0f0f) * 10;
	x = (x & 0x00ff00ff) + (x >> 8 & 0x00ff00ff) * 100;
	return (x & 0xffff) + (x >> 16) * 10000;
}

/* Are the first 14 nibbles digits? */
static bool digits(uint64_t imei)
{
	return (imei & (imei << 1 | imei << 2) & 0x8888888888888800u) == 0;
}

/* The row of a TAC; tac_n: none. */
static uint32_t row_of(const struct equip_set *s, uint32_t tac)
{
	uint32_t prefix = tac / 1000, low = s->index[prefix], n = s->index[prefix + 1] - low;
	const uint32_t *at = s->tac + low;

	while (n > 1) {
		uint32_t half = n / 2;

		at += at[half] <= tac ? half : 0;
		n -= half;
	}
	return n == 1 && *at == tac ? (uint32_t)(at - s->tac) : s->head->tac_n;
}

static int8_t first_of(unsigned int bits)
{
	for (int i = 0; i < EQUIP_LISTS; i++) {
		if (bits >> order[i] & 1)
			return (int8_t)order[i];
	}
	return -1;
}

/* Lists that have no quick way, in their order; the quick one, if any, is the first of all. */
static int8_t find_slowly(const struct equip_set *s, uint32_t row, uint32_t serial)
{
	for (int i = 0; i < EQUIP_LISTS; i++) {
		if ((s->quick[row].others >> order[i] & 1) &&
		    in_map(equip_map_of(s, &s->row[row], order[i]), serial))
			return (int8_t)order[i];
	}
	return -1;
}

void equip_fetch(const struct equip_set *s, uint64_t imei)
{
	if (digits(imei))
		__builtin_prefetch(&s->quick[row_of(s, decimal((uint32_t)(imei >> 32)))]);
}

struct equip_on equip_find(const struct equip_set *s, uint64_t imei)
{
	uint32_t serial = decimal((uint32_t)imei >> 8), row;
	struct equip_on on = { -1, -1 };
	const struct equip_quick *q;

	if (!digits(imei))
		return on;
	row = row_of(s, decimal((uint32_t)(imei >> 32)));
	if (row == s->head->tac_n)
		return on;
	q = &s->quick[row];
	on.tac = q->whole ? first_of(q->whole) : -1;
	if (q->list != EQUIP_NONE)
		on.one = in_quick(q, serial) ? (int8_t)q->list : -1;
	if (q->others && on.one < 0)
		on.one = find_slowly(s, row, serial);
	return on;
}
