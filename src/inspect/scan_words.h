/* The words that values are found by: all of them at once, by Hyperscan, or one after the other where it
 * cannot run. Both tell the same. */
#pragma once
#include "inspect/scan_in.h"

struct words; /* one a thread */

struct words *words_new(enum scan_level level, bool fast); /* NULL: out of memory */
void words_free(struct words *w);
bool words_fast(const struct words *w);
/* Hand each word in the payload to its validator, by the end of the word. */
void words_find(struct words *w, struct find *f);
