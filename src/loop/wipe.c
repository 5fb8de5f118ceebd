#include "loop/wipe.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static bool wiping;

static void *give(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void take_back(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (wiping && p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *give_more(void *p, size_t n, const char *file, int line)
{
	size_t had = p ? malloc_usable_size(p) : 0;
	void *more;

	if (!wiping)
		return realloc(p, n);
	more = n ? malloc(n) : NULL;
	if (n && !more)
		return NULL;
	if (more && p)
		memcpy(more, p, had < n ? had : n);
	take_back(p, file, line);
	return more;
}

bool wipe_prepare(void)
{
	return CRYPTO_set_mem_functions(give, give_more, take_back) == 1;
}

void wipe_freed(void)
{
	wiping = true;
}
