/* Tokens: what is taken is what was signed and lies within the token; none of a stranger's is believed. */
#include "crypto/jws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct jws_key *ours;
	struct jws j;

	if (!ours)
		ours = jws_key_new();
	if (!ours)
		abort();
	if (jws_read((struct view){data, n}, &j) != ERR_OK) {
		if (j.header || j.claims)
			abort();
		return 0;
	}
	if (j.signed_part.p != data || j.signed_part.n >= n || data[j.signed_part.n] != '.')
		abort();
	if (!json_is_object(j.header) || !json_is_object(j.claims))
		abort();
	if (jws_verify(ours, &j) == ERR_OK)
		abort();
	jws_drop(&j);
	return 0;
}
