/* Which bytes of a block are digits, capitals, signs: a bit for each. */
#pragma once
#include "inspect/scan.h"

struct marks {
	uint64_t digit, upper, gap /* ' ' or '-' */, at, plus, paren, dollar;
};

/* The marks of n bytes, n > 0, into (n + 63) / 64 places; bytes beyond the end have none. */
void scan_marks(enum scan_level level, const uint8_t *p, size_t n, struct marks *out);
/* The best level up to `most` that this machine has and that agrees with the portable one. */
enum scan_level scan_level_here(enum scan_level most);

/* May one of a set of words be in a text? Three letters of each, found by their halves in sixteen sets at
 * once, and then looked up: a no is sure, a yes is not. Small and capital letters are one. */
#define GATE_SETS 16
struct gate {
	uint8_t low[2][3][16], high[2][3][16];
	uint32_t grams[1024]; /* a bit for three times five bits */
};
/* Let a word in, of three letters or more: by those of its letters that let the fewest others in. */
void gate_add(struct gate *g, const char *word);
bool gate_open(enum scan_level level, const struct gate *g, struct view text);
