/* Whatever a role sends as an event: what is parsed out of it lies inside it, and every field is
 * found again. */
#include "watch/line.h"

#include <stdlib.h>

static void inside(struct view v, const uint8_t *data, size_t n)
{
	if (v.n > 0 && (v.p < data || v.p + v.n > data + n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view line = {data, n}, left = {n > 0 ? data + 1 : data, n > 0 ? n - 1 : 0}, key,
		    value;
	struct event_line e;
	enum err err, how = line_parse(line, &e);

	if (how == ERR_OK) {
		const struct view all[] = {e.role,    e.name,	e.check,  e.clause,
					   e.network, e.tenant, e.subject};

		for (size_t i = 0; i < sizeof all / sizeof *all; i++)
			inside(all[i], data, n);
		if (!view_eq(line_find(line, VIEW("event")), e.name) ||
		    !view_eq(line_find(line, VIEW("role")), e.role))
			abort();
	}
	while (line_next(&left, &key, &value, &err)) {
		inside(key, data, n);
		inside(value, data, n);
		inside(left, data, n);
	}
	if (how == ERR_OK && err)
		abort();
	return 0;
}
