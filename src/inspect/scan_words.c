#include "inspect/scan_words.h"

#include <hs.h>
#include <stdlib.h>

static const struct word {
	const char *text;
	uint8_t n;
	bool exact;
	uint8_t national; /* 1 + row of scan_national.tab */
	void (*find)(struct find *f, size_t at, size_t end);
} rows[] = {
#define WORD(text, exact, find) {text, sizeof(text) - 1, exact, 0, find},
#include "inspect/scan_words.tab"
#undef WORD
#define NATIONAL(country, word, ...) {word, sizeof(word) - 1, false, 1, NULL},
#include "inspect/scan_national.tab"
#undef NATIONAL
};
#define WORD_N (sizeof rows / sizeof *rows)

struct words {
	hs_database_t *db; /* NULL: slow */
	hs_scratch_t *scratch;
	struct gate gate;
	enum scan_level level; /* of the gate */
	size_t national;       /* the first row that is one */
	uint64_t first[256];   /* slow: which rows may begin with this byte, in two words of 64 */
	uint64_t more[256];
};

static void tell(const struct words *w, struct find *f, size_t row, size_t end)
{
	size_t at = end - rows[row].n;

	if (rows[row].national)
		find_national(f, at, end, (uint8_t)(row - w->national));
	else
		rows[row].find(f, at, end);
}

struct telling {
	struct words *w;
	struct find *f;
};

static int matched(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags,
		   void *ctx)
{
	struct telling *t = ctx;

	(void)from;
	(void)flags;
	tell(t->w, t->f, id, (size_t)to);
	return 0;
}

static bool compile(struct words *w)
{
	const char *text[WORD_N];
	unsigned int flags[WORD_N], ids[WORD_N];
	size_t lens[WORD_N];
	hs_compile_error_t *why = NULL;

	if (hs_valid_platform() != HS_SUCCESS)
		return false;
	for (unsigned int i = 0; i < WORD_N; i++) {
		text[i] = rows[i].text;
		lens[i] = rows[i].n;
		flags[i] = rows[i].exact ? 0 : HS_FLAG_CASELESS;
		ids[i] = i;
	}
	if (hs_compile_lit_multi(text, flags, ids, lens, WORD_N, HS_MODE_BLOCK, NULL, &w->db, &why) ==
		HS_SUCCESS &&
	    hs_alloc_scratch(w->db, &w->scratch) == HS_SUCCESS)
		return true;
	hs_free_compile_error(why);
	hs_free_database(w->db);
	w->db = NULL;
	return false;
}

static void index_first(struct words *w)
{
	for (size_t i = 0; i < WORD_N; i++) {
		uint8_t c = (uint8_t)rows[i].text[0];
		uint64_t *to = i < 64 ? w->first : w->more;

		to[c] |= 1ull << (i % 64);
		if (!rows[i].exact && is_letter(c))
			to[c ^ 0x20] |= 1ull << (i % 64);
	}
}
_Static_assert(WORD_N <= 128, "two words of bits");

struct words *words_new(enum scan_level level, bool fast)
{
	struct words *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	while (!rows[w->national].national)
		w->national++;
	w->level = level;
	for (size_t i = 0; i < WORD_N; i++)
		gate_add(&w->gate, rows[i].text);
	index_first(w);
	if (fast)
		(void)!compile(w);
	return w;
}

void words_free(struct words *w)
{
	if (!w)
		return;
	hs_free_scratch(w->scratch);
	hs_free_database(w->db);
	free(w);
}

bool words_fast(const struct words *w)
{
	return w->db != NULL;
}

static bool is_here(const struct word *r, struct view v)
{
	if (r->n > v.n)
		return false;
	return r->exact ? memcmp(v.p, r->text, r->n) == 0
			: view_eq_case(view_first(v, r->n), (struct view){(const uint8_t *)r->text, r->n});
}

static void find_slowly(struct words *w, struct find *f)
{
	for (size_t i = 0; i < f->in.n; i++) {
		uint64_t may = w->first[f->in.p[i]], more = w->more[f->in.p[i]];
		struct view here = {f->in.p + i, f->in.n - i};

		for (; may; may &= may - 1) {
			size_t k = (size_t)__builtin_ctzll(may);

			if (is_here(&rows[k], here))
				tell(w, f, k, i + rows[k].n);
		}
		for (; more; more &= more - 1) {
			size_t k = 64 + (size_t)__builtin_ctzll(more);

			if (is_here(&rows[k], here))
				tell(w, f, k, i + rows[k].n);
		}
	}
}

void words_find(struct words *w, struct find *f)
{
	struct telling t = {w, f};

	/* A call of hs_scan costs more than most payloads are worth. */
	if (!gate_open(w->level, &w->gate, f->in))
		return;
	if (!w->db)
		find_slowly(w, f);
	else if (f->in.n <= UINT32_MAX)
		(void)hs_scan(w->db, (const char *)f->in.p, (unsigned int)f->in.n, 0, w->scratch, matched,
			      &t);
}
