/* Large tables that are looked up at random: each look-up in small pages costs a page walk on top of the
 * cache miss, so they ask for huge ones. */
#pragma once
#include <stddef.h>

/* Zeroed memory of at least `bytes`, or NULL. Pages become resident as they are touched, 2 MiB at a time
 * where the system grants huge pages. Freed with the same `bytes`. */
void *big_new(size_t bytes);
void big_free(void *p, size_t bytes);
