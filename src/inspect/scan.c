/* The scanner: marks, candidates by bits, words, validators. */
#include "inspect/scan_words.h"

#include <stdlib.h>

const struct scan_form_row scan_forms[FORM_N] = {
#define FORM(id, leak, name, help) [FORM_##id] = {name, help, LEAK_##leak},
#include "inspect/scan.tab"
#undef FORM
};

const char *const leak_names[LEAK_N] = {
#define LEAK(id, name, ...) [LEAK_##id] = name,
#include "judge/leak.tab"
#undef LEAK
};

struct scanner {
	enum scan_level level;
	struct words *words;
	struct marks marks[SCAN_WINDOW / 64 + 2];
};

struct scanner *scanner_new(enum scan_level level, bool fast)
{
	struct scanner *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->level = scan_level_here(level);
	s->words = words_new(s->level, fast);
	if (!s->words) {
		free(s);
		return NULL;
	}
	return s;
}

void scanner_free(struct scanner *s)
{
	if (!s)
		return;
	words_free(s->words);
	free(s);
}

enum scan_level scanner_level(const struct scanner *s)
{
	return s->level;
}

void find_add(struct find *f, enum scan_form form, size_t at, size_t n)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct scan_hit *h = &f->hit[i];

		if (h->form == form && at < h->at + h->n && h->at < at + n)
			return;
	}
	if (f->n < SCAN_HITS)
		f->hit[f->n++] =
		    (struct scan_hit){.at = (uint32_t)at, .n = (uint32_t)n, .form = (uint8_t)form};
}

/* Bits k places ahead: of the block, then of the next. */
static inline uint64_t ahead(uint64_t now, uint64_t next, unsigned int k)
{
	return now >> k | next << (64 - k);
}

/* Where a run of 13 digits or more begins. A run is looked for by doubling, in two blocks at once. */
static uint64_t runs(const struct marks *m, uint64_t before)
{
	uint64_t a = m[0].digit, b = m[1].digit;

	a &= ahead(a, b, 1);
	b &= b >> 1;
	a &= ahead(a, b, 2);
	b &= b >> 2;
	a &= ahead(a, b, 4);
	b &= b >> 4;
	a &= ahead(a, b, 5);
	return a & ~(m[0].digit << 1 | before >> 63);
}

/* Four groups of four digits; ddd-ddd-dddd; (ddd). The gaps between digits are rare: those first. */
static uint64_t card_groups(const struct marks *m, uint64_t gaps, uint64_t later)
{
	return ahead(gaps, later, 4) & ahead(gaps, later, 9) & ahead(gaps, later, 14) & m->digit;
}

static uint64_t us_phones(const struct marks *m)
{
	uint64_t d = m[0].digit, e = m[1].digit, s = m[0].gap, t = m[1].gap;

	return ahead(s, t, 3) & ahead(s, t, 7) & d & ahead(d, e, 2) & ahead(d, e, 4) & ahead(d, e, 8);
}

static uint64_t us_parens(const struct marks *m)
{
	uint64_t d = m[0].digit, e = m[1].digit, p = m[0].paren, q = m[1].paren;

	return p & ahead(p, q, 4) & ahead(d, e, 1) & ahead(d, e, 3);
}

static size_t run_length(const struct find *f, size_t at)
{
	size_t n = 13;

	while (n < 21 && is_digit(find_byte(f, at + n)))
		n++;
	return n;
}

static void each(uint64_t bits, struct find *f, size_t from, void (*find)(struct find *f, size_t at))
{
	for (; bits; bits &= bits - 1)
		find(f, from + (size_t)__builtin_ctzll(bits));
}

static void find_long(struct find *f, size_t at)
{
	find_run(f, at, run_length(f, at));
}

/* Gaps with a digit on both sides. */
static uint64_t inner_gaps(const struct marks *m, uint64_t before)
{
	return m->gap & (m->digit << 1 | before >> 63) & ahead(m[0].digit, m[1].digit, 1);
}

static void block(struct find *f, const struct marks *m, uint64_t before, size_t from)
{
	uint64_t d = m[0].digit, e = m[1].digit, u = m[0].upper, v = m[1].upper;
	uint64_t gaps, later, iban = u & ahead(u, v, 1) & ahead(d, e, 2) & ahead(d, e, 3);

	if (m->at)
		each(m->at, f, from, find_at);
	if (m->dollar)
		each(m->dollar & ahead(u, v, 1) & ahead(u, v, 2) & ahead(u, v, 3), f, from, find_nmea);
	if (iban)
		each(iban, f, from, find_iban);
	if (m->paren)
		each(us_parens(m), f, from, find_us_phone);
	if (m->plus)
		each(m->plus & ahead(d, e, 1), f, from, find_e164);
	each(runs(m, before), f, from, find_long);
	gaps = inner_gaps(m, before);
	later = m[1].gap;
	if (gaps | later) {
		each(card_groups(m, gaps, later), f, from, find_card_groups);
		each(us_phones(m), f, from, find_us_phone);
	}
}

size_t scan(struct scanner *s, struct view payload, struct scan_hit hits[SCAN_HITS])
{
	struct find f = {payload, hits, 0};
	uint64_t before = 0;

	if (payload.n < 8)
		return 0;
	for (size_t from = 0; from < payload.n; from += SCAN_WINDOW) {
		size_t left = payload.n - from, n = left < SCAN_WINDOW ? left : SCAN_WINDOW;
		size_t marked = left < SCAN_WINDOW + 64 ? left : SCAN_WINDOW + 64;
		size_t blocks = (n + 63) / 64;

		scan_marks(s->level, payload.p + from, marked, s->marks);
		s->marks[(marked + 63) / 64] = (struct marks){0};
		for (size_t i = 0; i < blocks; i++) {
			block(&f, &s->marks[i], before, from + i * 64);
			before = s->marks[i].digit;
		}
	}
	words_find(s->words, &f);
	find_command(&f);
	return f.n;
}

void scan_shape(struct view payload, const struct scan_hit *h, char text[SCAN_SHAPE])
{
	size_t n = 0;

	for (size_t i = h->at; i < (size_t)h->at + h->n && i < payload.n && n + 1 < SCAN_SHAPE; i++) {
		uint8_t c = payload.p[i];

		text[n++] = is_digit(c)								   ? '9'
			    : is_letter(c)							   ? 'a'
			    : c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '&' ? (char)c
												   : '.';
	}
	if (h->n >= SCAN_SHAPE)
		memcpy(text + SCAN_SHAPE - 4, "...", 3);
	text[n] = 0;
}
