/* Whatever a payload holds: hits lie inside it, their shapes hold no digit or letter of it but 9 and a, and
 * every level, with Hyperscan and without, finds the same forms. */
#include "inspect/scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint64_t forms(struct scanner *s, struct view v, size_t *n)
{
	struct scan_hit hit[SCAN_HITS];
	char shape[SCAN_SHAPE];
	uint64_t forms = 0;

	*n = scan(s, v, hit);
	for (size_t i = 0; i < *n; i++) {
		if (hit[i].n == 0 || hit[i].at > v.n || hit[i].n > v.n - hit[i].at || hit[i].form >= FORM_N)
			abort();
		forms |= 1ull << hit[i].form;
		scan_shape(v, &hit[i], shape);
		for (const char *c = shape; *c; c++) {
			if ((*c >= '0' && *c <= '8') || (*c >= 'b' && *c <= 'z') ||
			    (*c >= 'A' && *c <= 'Z') || (unsigned char)*c < ' ' ||
			    (unsigned char)*c >= 0x7f)
				abort();
		}
	}
	return forms;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct scanner *all[SCAN_LEVELS + 1];
	size_t first, other;
	uint64_t want;

	for (size_t i = 0; i <= SCAN_LEVELS && !all[i]; i++)
		all[i] = scanner_new(i < SCAN_LEVELS ? (enum scan_level)i : SCAN_AVX512, i == SCAN_LEVELS);
	want = forms(all[0], (struct view){data, n}, &first);
	for (size_t i = 1; i <= SCAN_LEVELS; i++) {
		uint64_t got = forms(all[i], (struct view){data, n}, &other);

		/* Where there was no room for all, which were told depends on who found first. */
		if (got != want && first < SCAN_HITS && other < SCAN_HITS)
			abort();
	}
	return 0;
}
