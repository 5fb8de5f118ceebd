/* Marks by compares of 16, 32 or 64 bytes at once. Each level is compiled for its own instructions and
 * chosen while running. */
#include "inspect/scan_marks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static void marks_portable(const uint8_t p[64], struct marks *m)
{
	*m = (struct marks){0};
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t bit = 1ull << i;

		m->digit |= p[i] >= '0' && p[i] <= '9' ? bit : 0;
		m->upper |= p[i] >= 'A' && p[i] <= 'Z' ? bit : 0;
		m->gap |= p[i] == ' ' || p[i] == '-' ? bit : 0;
		m->at |= p[i] == '@' ? bit : 0;
		m->plus |= p[i] == '+' ? bit : 0;
		m->paren |= (p[i] & 0xfe) == '(' ? bit : 0;
		m->dollar |= p[i] == '$' ? bit : 0;
	}
}

#if defined(__x86_64__)
/* c in [from, from + n): unsigned c - from is then its own minimum with n - 1. */
#define RANGE16(v, from, n)                                                                                \
	_mm_cmpeq_epi8(_mm_min_epu8(_mm_sub_epi8((v), _mm_set1_epi8(from)), _mm_set1_epi8((n)-1)),         \
		       _mm_sub_epi8((v), _mm_set1_epi8(from)))
#define BITS16(v) ((uint64_t)(uint32_t)_mm_movemask_epi8(v) << at)

static void marks_sse2(const uint8_t p[64], struct marks *m)
{
	*m = (struct marks){0};
	for (unsigned int at = 0; at < 64; at += 16) {
		__m128i v = _mm_loadu_si128((const void *)(p + at));
		__m128i even = _mm_and_si128(v, _mm_set1_epi8((char)0xfe));

		m->digit |= BITS16(RANGE16(v, '0', 10));
		m->upper |= BITS16(RANGE16(v, 'A', 26));
		m->gap |= BITS16(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')),
					      _mm_cmpeq_epi8(v, _mm_set1_epi8('-'))));
		m->at |= BITS16(_mm_cmpeq_epi8(v, _mm_set1_epi8('@')));
		m->plus |= BITS16(_mm_cmpeq_epi8(v, _mm_set1_epi8('+')));
		m->paren |= BITS16(_mm_cmpeq_epi8(even, _mm_set1_epi8('(')));
		m->dollar |= BITS16(_mm_cmpeq_epi8(v, _mm_set1_epi8('$')));
	}
}

#define EQ32(v, c) _mm256_cmpeq_epi8((v), _mm256_set1_epi8(c))
#define RANGE32(v, from, n)                                                                                \
	_mm256_cmpeq_epi8(                                                                                 \
	    _mm256_min_epu8(_mm256_sub_epi8((v), _mm256_set1_epi8(from)), _mm256_set1_epi8((n)-1)),        \
	    _mm256_sub_epi8((v), _mm256_set1_epi8(from)))
#define BITS32(a, b)                                                                                       \
	((uint64_t)(uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32)

__attribute__((target("avx2"))) static void marks_avx2(const uint8_t p[64], struct marks *m)
{
	__m256i a = _mm256_loadu_si256((const void *)p), b = _mm256_loadu_si256((const void *)(p + 32));
	__m256i even = _mm256_set1_epi8((char)0xfe);

	m->digit = BITS32(RANGE32(a, '0', 10), RANGE32(b, '0', 10));
	m->upper = BITS32(RANGE32(a, 'A', 26), RANGE32(b, 'A', 26));
	m->gap = BITS32(_mm256_or_si256(EQ32(a, ' '), EQ32(a, '-')),
			_mm256_or_si256(EQ32(b, ' '), EQ32(b, '-')));
	m->at = BITS32(EQ32(a, '@'), EQ32(b, '@'));
	m->plus = BITS32(EQ32(a, '+'), EQ32(b, '+'));
	m->paren = BITS32(EQ32(_mm256_and_si256(a, even), '('), EQ32(_mm256_and_si256(b, even), '('));
	m->dollar = BITS32(EQ32(a, '$'), EQ32(b, '$'));
}

#define EQ64(v, c) _mm512_cmpeq_epi8_mask((v), _mm512_set1_epi8(c))
#define RANGE64(v, from, n)                                                                                \
	_mm512_cmple_epu8_mask(_mm512_sub_epi8((v), _mm512_set1_epi8(from)), _mm512_set1_epi8((n)-1))

__attribute__((target("avx512f,avx512bw"))) static void marks_avx512(const uint8_t p[64], struct marks *m)
{
	__m512i v = _mm512_loadu_si512(p);

	m->digit = RANGE64(v, '0', 10);
	m->upper = RANGE64(v, 'A', 26);
	m->gap = EQ64(v, ' ') | EQ64(v, '-');
	m->at = EQ64(v, '@');
	m->plus = EQ64(v, '+');
	m->paren = EQ64(_mm512_and_si512(v, _mm512_set1_epi8((char)0xfe)), '(');
	m->dollar = EQ64(v, '$');
}

static void (*const by_level[SCAN_LEVELS])(const uint8_t p[64], struct marks *m) = {
    [SCAN_PORTABLE] = marks_portable,
    [SCAN_SSE2] = marks_sse2,
    [SCAN_AVX2] = marks_avx2,
    [SCAN_AVX512] = marks_avx512,
};

static bool machine_has(enum scan_level level)
{
	switch (level) {
	case SCAN_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
	case SCAN_AVX2:
		return __builtin_cpu_supports("avx2");
	case SCAN_SSE2:
	case SCAN_PORTABLE:
	case SCAN_LEVELS:
		break;
	}
	return true;
}
#else
static void (*const by_level[SCAN_LEVELS])(const uint8_t p[64], struct marks *m) = {marks_portable};

static bool machine_has(enum scan_level level)
{
	return level == SCAN_PORTABLE;
}
#endif

/* Every byte at every place of a block: a level that gets one of them wrong is not used. */
static bool agrees(enum scan_level level)
{
	uint8_t block[64];
	struct marks a, b;

	for (unsigned int first = 0; first < 256; first++) {
		for (unsigned int i = 0; i < 64; i++)
			block[i] = (uint8_t)(first + i * 37);
		marks_portable(block, &a);
		by_level[level](block, &b);
		if (memcmp(&a, &b, sizeof a) != 0)
			return false;
	}
	return true;
}

enum scan_level scan_level_here(enum scan_level most)
{
	enum scan_level level = most < SCAN_LEVELS ? most : SCAN_LEVELS - 1;

	while (level > SCAN_PORTABLE && !(machine_has(level) && agrees(level)))
		level--;
	return level;
}

static void later(struct marks *m, unsigned int k)
{
	m->digit >>= k;
	m->upper >>= k;
	m->gap >>= k;
	m->at >>= k;
	m->plus >>= k;
	m->paren >>= k;
	m->dollar >>= k;
}

void scan_marks(enum scan_level level, const uint8_t *p, size_t n, struct marks *out)
{
	void (*marks)(const uint8_t p[64], struct marks *m) = by_level[level];
	uint8_t last[64] = {0};
	size_t i = 0;

	for (; i + 64 <= n; i += 64)
		marks(p + i, out++);
	if (i < n && n >= 64) { /* the last 64, less those that were */
		marks(p + n - 64, out);
		later(out, (unsigned int)(64 - (n - i)));
	} else if (i < n) {
		memcpy(last, p + i, n - i);
		marks(last, out);
	}
}
