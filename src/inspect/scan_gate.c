/* The gate before Hyperscan: a call of it costs more than most payloads are worth. */
#include "inspect/scan_marks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static unsigned int ones(const uint8_t half[16], uint8_t bit)
{
	unsigned int n = 0;

	for (int i = 0; i < 16; i++)
		n += (half[i] & bit) != 0;
	return n;
}

/* How many texts of three letters a set lets through. */
static uint64_t width(const struct gate *g, unsigned int half, uint8_t bit)
{
	uint64_t n = 1;

	for (int k = 0; k < 3; k++)
		n *= ones(g->low[half][k], bit) * ones(g->high[half][k], bit);
	return n;
}

static void let(struct gate *g, const uint8_t *c, unsigned int set)
{
	for (int k = 0; k < 3; k++) {
		g->low[set / 8][k][(c[k] | 0x20) & 15] |= (uint8_t)(1u << set % 8);
		g->high[set / 8][k][(c[k] | 0x20) >> 4] |= (uint8_t)(1u << set % 8);
	}
}

static inline unsigned int gram(const uint8_t *c)
{
	return (c[0] & 31u) | (c[1] & 31u) << 5 | (c[2] & 31u) << 10;
}

/* Every place in the word, every set: the one that widens least. */
void gate_add(struct gate *g, const char *word)
{
	const uint8_t *c = (const uint8_t *)word, *best = c;
	uint64_t least = UINT64_MAX;
	unsigned int in = 0;

	for (const uint8_t *at = c; at[2]; at++) {
		for (unsigned int set = 0; set < GATE_SETS; set++) {
			struct gate wider = *g;
			uint8_t bit = (uint8_t)(1u << set % 8);
			uint64_t more;

			let(&wider, at, set);
			more = width(&wider, set / 8, bit) - width(g, set / 8, bit);
			if (g->grams[gram(at) / 32] >> gram(at) % 32 & 1)
				more = 0;
			if (more < least) {
				least = more;
				best = at;
				in = set;
			}
		}
	}
	if (least > 0)
		let(g, best, in);
	g->grams[gram(best) / 32] |= 1u << gram(best) % 32;
}

static inline bool known(const struct gate *g, const uint8_t *p)
{
	unsigned int x = gram(p);

	return g->grams[x / 32] >> x % 32 & 1;
}

static bool in_sets(const struct gate *g, const uint8_t *p)
{
	unsigned int a = 255, b = 255;

	for (int k = 0; k < 3; k++) {
		a &= (unsigned int)(g->low[0][k][(p[k] | 0x20) & 15] & g->high[0][k][(p[k] | 0x20) >> 4]);
		b &= (unsigned int)(g->low[1][k][(p[k] | 0x20) & 15] & g->high[1][k][(p[k] | 0x20) >> 4]);
	}
	return (a | b) != 0;
}

static bool open_portable(const struct gate *g, struct view v)
{
	for (size_t i = 0; i + 3 <= v.n; i++) {
		if (known(g, v.p + i) && in_sets(g, v.p + i))
			return true;
	}
	return false;
}

#if defined(__x86_64__)
#define TWICE(half) _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(half)))
#define IN(table, k, halves) _mm256_shuffle_epi8(TWICE(g->table[k]), (halves))

__attribute__((target("avx2"))) static inline uint32_t sets_at(const struct gate *g, const uint8_t *p)
{
	__m256i a = _mm256_set1_epi8(-1), b = a, half = _mm256_set1_epi8(15), none = _mm256_setzero_si256();

	for (int k = 0; k < 3; k++) {
		__m256i v =
		    _mm256_or_si256(_mm256_loadu_si256((const void *)(p + k)), _mm256_set1_epi8(0x20));
		__m256i low = _mm256_and_si256(v, half),
			high = _mm256_and_si256(_mm256_srli_epi16(v, 4), half);

		a = _mm256_and_si256(a, _mm256_and_si256(IN(low[0], k, low), IN(high[0], k, high)));
		b = _mm256_and_si256(b, _mm256_and_si256(IN(low[1], k, low), IN(high[1], k, high)));
	}
	return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_or_si256(a, b), none));
}

__attribute__((target("avx2"))) static bool open_avx2(const struct gate *g, struct view v)
{
	for (size_t i = 0; i + 2 < v.n; i += 32) {
		size_t at = i + 34 <= v.n ? i : v.n - 34; /* the last 34, some of them again */

		for (uint32_t may = sets_at(g, v.p + at); may; may &= may - 1) {
			if (known(g, v.p + at + __builtin_ctz(may)))
				return true;
		}
	}
	return false;
}
#endif

bool gate_open(enum scan_level level, const struct gate *g, struct view text)
{
#if defined(__x86_64__)
	if (level >= SCAN_AVX2 && text.n >= 34)
		return open_avx2(g, text);
#endif
	(void)level;
	return open_portable(g, text);
}
