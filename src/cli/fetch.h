/* One page over HTTP, from this machine's own watch role. */
#pragma once
#include <stddef.h>

/* The body of http://ADDRESS/PATH, malloc'd and NUL-terminated; NULL, and one clear line in `why`.
 */
char *fetch(const char *address, const char *path, char why[256]);
