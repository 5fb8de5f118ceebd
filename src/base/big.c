#include "base/big.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t rounded(size_t bytes)
{
	return (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

/* A mapping with a huge page to spare, cut to begin where one does. */
void *big_new(size_t bytes)
{
	size_t size = rounded(bytes), before;
	uint8_t *p;

	if (bytes == 0 || size < bytes)
		return NULL;
	p = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	before = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
	if (before > 0)
		munmap(p, before);
	munmap(p + before + size, HUGE_PAGE - before);
	(void)madvise(p + before, size, MADV_HUGEPAGE);
	return p + before;
}

void big_free(void *p, size_t bytes)
{
	/* In steps: another thread that faults meanwhile waits for one of them, not for all. */
	for (size_t at = 0; p && at < rounded(bytes); at += HUGE_PAGE)
		munmap((uint8_t *)p + at, HUGE_PAGE);
}
