/* Attestation objects and paths of the API: what is cut out of one lies within it, and a path's parts
 * are decoded once, without what could lead elsewhere. */
#include "portal/attestation.h"
#include "portal/route.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t room[ATTESTATION_MAX];
	struct wr w = {.p = room, .cap = sizeof room};
	struct view in = {data, n};
	struct visit v = {0};
	unsigned int others;

	if (attestation_read(in, &w) == ERR_OK && w.n > 0 && !memmem(data, n, room, w.n))
		abort();
	if (n > 0 && route_find((enum web_method)(data[0] % (WEB_OTHER + 1)),
				(struct view){data + 1, n - 1}, &v, &others)) {
		for (size_t i = 0; i < VISIT_PARAMS; i++) {
			if (v.param[i].n > 0 &&
			    (memchr(v.param[i].p, '/', v.param[i].n) ||
			     memchr(v.param[i].p, 0, v.param[i].n) || v.param[i].n > n))
				abort();
		}
	}
	return 0;
}
