/* What of a payload should not have been in clear text (R-5.8.2.b): numbers, places, addresses, keys,
 * logins. Two finders propose: a SIMD one of our own for digits and signs (scan_marks.h), Hyperscan for
 * words (scan_words.tab). A validator decides: check digits, ranges, or the name that stands before the
 * value. What is returned are places in the payload; the value itself is for nobody. */
#pragma once
#include "base/bytes.h"
#include "judge/book.h"

enum scan_form {
#define FORM(id, leak, name, help) FORM_##id,
#include "inspect/scan.tab"
#undef FORM
	FORM_N
};

struct scan_form_row {
	const char *name, *help;
	enum leak leak;
};
extern const struct scan_form_row scan_forms[FORM_N];
extern const char *const leak_names[LEAK_N]; /* as in a profile's leaks_ok */

struct scan_hit {
	uint32_t at, n;	 /* of the payload */
	uint8_t form;	 /* enum scan_form */
	char country[3]; /* of FORM_NATIONAL: "ES"; else "" */
};

#define SCAN_HITS 16  /* told of one payload */
#define SCAN_SHAPE 40 /* room for a masked value and a NUL */

/* How the marks are made: the best that this machine has, or one for tests. */
enum scan_level { SCAN_PORTABLE, SCAN_SSE2, SCAN_AVX2, SCAN_AVX512, SCAN_LEVELS };

struct scanner; /* one a thread */

/* NULL: out of memory. A level that the machine does not have, or whose marks are not those of the portable
 * one, is not used: the next lower is. `words`: with Hyperscan; false, or where it cannot run: without, and
 * slower. */
struct scanner *scanner_new(enum scan_level level, bool words);
void scanner_free(struct scanner *s);
enum scan_level scanner_level(const struct scanner *s);

/* Look through one payload; returns how many of `hits` are filled in. Overlapping hits of one form are told
 * once. Allocates nothing. Time is linear in the payload. */
size_t scan(struct scanner *s, struct view payload, struct scan_hit hits[SCAN_HITS]);

/* The shape of a value as evidence: "999-99-9999", "aaaa@aaaa.aaa". Never the value. */
void scan_shape(struct view payload, const struct scan_hit *h, char text[SCAN_SHAPE]);

/* Is (user, password) one that devices leave the factory with? */
bool scan_default_login(struct view user, struct view password);
