/* A message of DNS. It ends; names are bounded, and hold nothing that a name of a profile could be confused
 * with; what a cut message says of addresses, the whole one says first. */
#include "fuzz/inside.h"
#include "inspect/dns.h"

static void named(const struct dns *d)
{
	size_t n = strnlen(d->name, sizeof d->name);

	if (n == sizeof d->name || d->address_n > DNS_ADDRESSES)
		abort();
	for (size_t i = 0; i < n; i++) {
		char c = d->name[i];

		if (c <= 0x20 || c >= 0x7f || (c >= 'A' && c <= 'Z'))
			abort();
	}
	if (!d->ok && d->address_n > 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dns d, again;

	if (dns_parse(&d, (struct view){ data, n }) != ERR_OK)
		return 0;
	named(&d);
	if (dns_parse(&again, (struct view){ data, n }) != ERR_OK || memcmp(&d, &again, sizeof d) != 0)
		abort();
	return 0;
}
