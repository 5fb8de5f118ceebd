/* Networks by the addresses of their nodes: for each length of prefix that is there, one probe. */
#include "records/serving_tables.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define BITS 128
#define MAPPED 96 /* bits before an IPv4 address, as RFC 4291 2.5.5.2 maps it */

struct wide {
	uint64_t high, low;
};

static struct wide cut(struct wide a, unsigned int bits)
{
	if (bits <= 64)
		return (struct wide){ bits == 0 ? 0 : a.high & UINT64_MAX << (64 - bits), 0 };
	return (struct wide){ a.high, bits >= BITS ? a.low : a.low & UINT64_MAX << (BITS - bits) };
}

static bool wide_of(struct view octets, struct wide *to)
{
	struct rd r = { .left = octets };

	if (octets.n == 4) {
		*to = (struct wide){ 0, 0xffff00000000u | rd_be(&r, 4) };
		return true;
	}
	to->high = rd_be64(&r, 8);
	to->low = rd_be64(&r, 8);
	return octets.n == 16;
}

/* Prefixes are our records', so no key is needed. */
static size_t cell_of(const struct serving_addresses *x, const struct wide *a, unsigned int bits)
{
	uint64_t h = (a->high ^ bits) * 0x9e3779b97f4a7c15u ^ a->low;

	return (size_t)((h * 0xbf58476d1ce4e5b9u) >> 32) & x->mask;
}

/* "10.1.0.0/16", "2001:db8::/32", or one address. */
static bool prefix_of(const char text[44], struct wide *a, unsigned int *bits)
{
	char host[44];
	uint8_t octets[16];
	size_t n = strcspn(text, "/");
	bool four;

	memcpy(host, text, n);
	host[n] = 0;
	four = inet_pton(AF_INET, host, octets) == 1;
	if (!four && inet_pton(AF_INET6, host, octets) != 1)
		return false;
	if (!wide_of((struct view){ octets, four ? 4 : 16 }, a))
		return false;
	*bits = text[n] == '/' ? (unsigned int)strtoul(text + n + 1, NULL, 10) : four ? 32 : BITS;
	*bits += four ? MAPPED : 0;
	*bits = *bits < BITS ? *bits : BITS;
	*a = cut(*a, *bits);
	return true;
}

static void put(struct serving_addresses *x, const char text[44], size_t row)
{
	unsigned int bits;
	struct wide a;
	size_t at;

	if (text[0] == 0 || memchr(text, 0, 44) == NULL || !prefix_of(text, &a, &bits))
		return;
	at = cell_of(x, &a, bits);
	while (x->cell[at].row != 0)
		at = (at + 1) & x->mask;
	x->cell[at] = (struct address_cell){ a.high, a.low, (uint32_t)(row + 1), (uint8_t)bits };
	x->has[bits] = true;
}

static const struct network_row *network_at(const struct serving_table *t, size_t i)
{
	return (const void *)(t->rows + i * sizeof(struct network_row));
}

enum err serving_addresses_index(struct serving_addresses *x, const struct serving_table *t)
{
	size_t cap = 16;

	while (cap < 8 * (t->n + 1))
		cap *= 2;
	free(x->cell);
	*x = (struct serving_addresses){ .cell = calloc(cap, sizeof *x->cell), .mask = cap - 1 };
	if (!x->cell)
		return ERR_FULL;
	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < 4; k++)
			put(x, network_at(t, i)->address[k], i);
	}
	return ERR_OK;
}

const struct network_row *serving_addresses_find(const struct serving_addresses *x,
						 const struct serving_table *t, struct view address)
{
	struct wide all;

	if (!x->cell || !wide_of(address, &all))
		return NULL;
	for (unsigned int bits = BITS + 1; bits-- > 0;) {
		struct wide a = cut(all, bits);

		if (!x->has[bits])
			continue;
		for (size_t at = cell_of(x, &a, bits); x->cell[at].row != 0; at = (at + 1) & x->mask) {
			const struct address_cell *c = &x->cell[at];

			if (c->bits == bits && c->high == a.high && c->low == a.low)
				return network_at(t, c->row - 1);
		}
	}
	return NULL;
}
