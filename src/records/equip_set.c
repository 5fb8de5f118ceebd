/* Reading a generation of the bulk equipment lists. The bitmaps are CRoaring's frozen form (its
 * roaring.c describes it), read where they lie: a view of CRoaring's own would allocate for each
 * TAC. Every offset is held against the bitmap's length: a file is checked before it is used, and
 * yet a wrong one must not read beyond it. */
#include "records/equip_set.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FROZEN_COOKIE 13766u
#define STEP ((size_t)2 << 20) /* unmapped at once */
#define BITS_BYTES 8192u       /* of a bitset container */
#define NEAR 16u               /* values; half a cache line */
#define CONTAINERS 16u         /* 1,000,000 serials by 65,536 */

enum frozen_type { FROZEN_BITS = 1, FROZEN_ARRAY = 2, FROZEN_RUNS = 3 };

struct equip_set {
	const uint8_t *map;
	size_t bytes;
	const struct equip_head *head;
	const uint32_t *index;
	const struct equip_tac *row;
};

/* Black first: a device reported stolen stays so, whatever else is said of it. */
static const uint8_t order[EQUIP_LISTS] = { BLACK, GREY, WHITE };

static enum err fail(char why[256], enum err e, const char *text)
{
	snprintf(why, 256, "equipment lists: %s", text);
	return e;
}

/* --- opening -------------------------------------------------------------------------------- */

static bool head_fits(const struct equip_head *h, size_t bytes)
{
	uint64_t rows_at = sizeof *h + sizeof(uint32_t) * (EQUIP_PREFIX + 1);

	rows_at = (rows_at + EQUIP_UNIT - 1) / EQUIP_UNIT * EQUIP_UNIT;
	return h->bytes == bytes && h->index_at == sizeof *h && h->rows_at == rows_at &&
	       h->tac_n <= 100000000u &&
	       h->maps_at == rows_at + (uint64_t)h->tac_n * sizeof(struct equip_tac) &&
	       h->maps_at <= bytes;
}

/* What look-ups rely on without looking: the index and each row stay inside. */
static bool rows_fit(const struct equip_set *s)
{
	const struct equip_head *h = s->head;
	uint32_t last = 0;

	for (uint32_t i = 0; i <= EQUIP_PREFIX; i++) {
		if (s->index[i] < last || s->index[i] > h->tac_n)
			return false;
		last = s->index[i];
	}
	for (uint32_t i = 0; i < h->tac_n; i++) {
		for (unsigned int l = 0; l < EQUIP_LISTS; l++) {
			const struct equip_map *m = &s->row[i].list[l];

			if (m->n > 0 && ((uint64_t)m->at * EQUIP_UNIT < h->maps_at ||
					 (uint64_t)m->at * EQUIP_UNIT + m->n > s->bytes))
				return false;
		}
	}
	return last == h->tac_n;
}

static bool digest_fits(const struct equip_set *s)
{
	struct equip_head head = *s->head;
	uint8_t digest[EQUIP_DIGEST];
	crypto_generichash_state h;

	memset(head.digest, 0, sizeof head.digest);
	crypto_generichash_init(&h, NULL, 0, sizeof digest);
	crypto_generichash_update(&h, s->map + head.maps_at, s->bytes - head.maps_at);
	crypto_generichash_update(&h, (const uint8_t *)&head, sizeof head);
	crypto_generichash_update(&h, s->map + sizeof head, head.maps_at - sizeof head);
	crypto_generichash_final(&h, digest, sizeof digest);
	return memcmp(digest, s->head->digest, sizeof digest) == 0;
}

static enum err check(struct equip_set *s, char why[256])
{
	if (s->head->magic != EQUIP_MAGIC)
		return fail(why, ERR_CORRUPT, "no file of ours");
	if (s->head->format != EQUIP_FORMAT)
		return fail(why, ERR_VERSION, "made by another version");
	if (!head_fits(s->head, s->bytes))
		return fail(why, ERR_CORRUPT, "cut short, or its head is wrong");
	s->row = (const void *)(s->map + s->head->rows_at);
	if (!digest_fits(s))
		return fail(why, ERR_CORRUPT, "its digest does not fit: torn or changed");
	return rows_fit(s) ? ERR_OK : fail(why, ERR_CORRUPT, "its rows are out of bounds");
}

static enum err map_file(struct equip_set *s, int fd, char why[256])
{
	struct stat st;
	void *map;

	/* The call itself: libc has newfstatat, which takes a path too and is refused in a sandbox. */
	if (syscall(SYS_fstat, fd, &st) != 0 || !S_ISREG(st.st_mode))
		return fail(why, ERR_IO, "no file");
	if (st.st_size < (off_t)sizeof *s->head)
		return fail(why, ERR_CORRUPT, "cut short");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return fail(why, ERR_IO, strerror(errno));
	madvise(map, (size_t)st.st_size, MADV_WILLNEED);
	s->map = map;
	s->bytes = (size_t)st.st_size;
	s->head = map;
	s->index = (const void *)(s->map + sizeof *s->head);
	return ERR_OK;
}

enum err equip_open(struct equip_set **to, int fd, char why[256])
{
	struct equip_set *s = calloc(1, sizeof *s);
	enum err e = s ? map_file(s, fd, why) : fail(why, ERR_FULL, "out of memory");

	*to = NULL;
	if (!e)
		e = check(s, why);
	if (e) {
		equip_close(s);
		return e;
	}
	/* Touched in the order of the file so far; look-ups come in any. */
	madvise((void *)(uintptr_t)s->map, s->bytes, MADV_RANDOM);
	*to = s;
	return ERR_OK;
}

enum err equip_open_at(struct equip_set **to, const char *dir, uint64_t generation, char why[256])
{
	char path[512];
	int n = snprintf(path, sizeof path, "%s/" EQUIP_DIR "/" EQUIP_NAME, dir,
			 (unsigned long long)generation);
	int fd = n > 0 && n < (int)sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	enum err e;

	*to = NULL;
	if (fd < 0)
		return fail(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, strerror(errno));
	e = equip_open(to, fd, why);
	close(fd);
	if (!e && (*to)->head->generation != generation) {
		equip_close(*to);
		*to = NULL;
		e = fail(why, ERR_CORRUPT, "another generation than its name says");
	}
	return e;
}

void equip_close(struct equip_set *s)
{
	if (!s)
		return;
	for (size_t at = 0; s->map && at < s->bytes; at += STEP)
		munmap((void *)(uintptr_t)(s->map + at),
		       s->bytes - at < STEP ? s->bytes - at : STEP);
	free(s);
}

const struct equip_head *equip_head(const struct equip_set *s)
{
	return s->head;
}

const struct equip_tac *equip_rows(const struct equip_set *s, size_t *n)
{
	*n = s->head->tac_n;
	return s->row;
}

struct view equip_map_of(const struct equip_set *s, const struct equip_tac *row, unsigned int list)
{
	const struct equip_map *m = &row->list[list];

	return m->n ? (struct view){ s->map + (size_t)m->at * EQUIP_UNIT, m->n } : (struct view){ 0 };
}

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

static bool in_map(struct view m, uint32_t serial)
{
	uint16_t key = (uint16_t)(serial >> 16), low = (uint16_t)serial;
	struct tail t;
	uint32_t head, i;

	if (m.n < sizeof head)
		return false;
	memcpy(&head, m.p + m.n - sizeof head, sizeof head);
	t.n = head >> 15;
	if ((head & 0x7fff) != FROZEN_COOKIE || t.n == 0 || t.n > CONTAINERS ||
	    m.n < 5 * (size_t)t.n + sizeof head)
		return false;
	t.types = m.p + m.n - sizeof head - t.n;
	t.counts = (const void *)(t.types - 2 * (size_t)t.n);
	t.keys = t.counts - t.n;
	i = container_of(t.keys, t.n, key);
	if (i == t.n)
		return false;
	return t.types[i] == FROZEN_ARRAY ? in_last(&t, m, i, low) : in_others(&t, m, i, low);
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

static const struct equip_tac *tac_row(const struct equip_set *s, uint32_t tac)
{
	uint32_t prefix = tac / 1000, low = s->index[prefix], high = s->index[prefix + 1];

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (s->row[mid].tac < tac)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->head->tac_n && s->row[low].tac == tac ? &s->row[low] : NULL;
}

struct equip_on equip_find(const struct equip_set *s, uint64_t imei)
{
	const struct equip_tac *row = digits(imei) ? tac_row(s, decimal((uint32_t)(imei >> 32))) : NULL;
	uint32_t serial = decimal((uint32_t)imei >> 8);
	struct equip_on on = { -1, -1 };

	if (!row)
		return on;
	for (int i = 0; i < EQUIP_LISTS && on.tac < 0; i++)
		on.tac = (int8_t)(row->whole >> order[i] & 1 ? order[i] : -1);
	for (int i = 0; i < EQUIP_LISTS && on.one < 0; i++) {
		if (row->list[order[i]].n && in_map(equip_map_of(s, row, order[i]), serial))
			on.one = (int8_t)order[i];
	}
	return on;
}
