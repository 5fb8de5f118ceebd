/* Where to listen or connect, as people write it: what is taken survives being written and read again. */
#include "loop/loop.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct endpoint e, again;
	char text[ENDPOINT_TEXT];

	if (endpoint_parse((struct view){ data, n }, &e) != ERR_OK)
		return 0;
	if (e.address_n < 1 || e.address_n > 4 || e.from_n > 4)
		abort();
	endpoint_text(&e, text);
	if (endpoint_parse(view_of(text), &again) != ERR_OK || memcmp(&e, &again, sizeof e) != 0)
		abort();
	return 0;
}
