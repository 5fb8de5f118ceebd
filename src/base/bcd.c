#include "base/bcd.h"

static unsigned int nibble(uint64_t id, unsigned int i)
{
	return (unsigned int)(id >> (60 - 4 * i)) & 15;
}

uint64_t bcd_of(struct view digits)
{
	uint64_t id = UINT64_MAX;

	if (digits.n == 0 || digits.n > BCD_MAX)
		return 0;
	for (unsigned int i = 0; i < digits.n; i++) {
		uint64_t d = digits.p[i];

		if (d < '0' || d > '9')
			return 0;
		id ^= (15 ^ (d - '0')) << (60 - 4 * i);
	}
	return id;
}

unsigned int bcd_n(uint64_t id)
{
	unsigned int n = 0;

	if (id == 0)
		return 0;
	while (n < BCD_MAX && nibble(id, n) < 10)
		n++;
	return n;
}

size_t bcd_text(uint64_t id, char text[BCD_TEXT])
{
	unsigned int n = bcd_n(id);

	for (unsigned int i = 0; i < n; i++)
		text[i] = (char)('0' + nibble(id, i));
	text[n] = 0;
	return n;
}

uint64_t bcd_first(uint64_t id, unsigned int n)
{
	if (n == 0 || n > BCD_MAX || bcd_n(id) < n)
		return 0;
	return n == BCD_MAX ? id : id | UINT64_MAX >> 4 * n;
}

bool bcd_begins(uint64_t id, uint64_t prefix)
{
	unsigned int n = bcd_n(prefix);

	return n > 0 && bcd_first(id, n) == prefix;
}

uint64_t bcd_of_tbcd(struct view v)
{
	uint64_t id = UINT64_MAX;
	unsigned int n = 0;

	if (v.n == 0 || v.n > BCD_MAX / 2)
		return 0;
	for (size_t i = 0; i < v.n; i++) {
		uint64_t low = v.p[i] & 15, high = v.p[i] >> 4;

		if (low > 9 || (high > 9 && (high != 15 || i + 1 < v.n)))
			return 0;
		id ^= (15 ^ low) << (60 - 4 * n++);
		id ^= (15 ^ high) << (60 - 4 * n++);
	}
	return id;
}

size_t bcd_tbcd(uint64_t id, uint8_t out[BCD_MAX / 2])
{
	unsigned int n = bcd_n(id);

	for (unsigned int i = 0; i < n; i += 2)
		out[i / 2] = (uint8_t)((i + 1 < n ? nibble(id, i + 1) : 15) << 4 | nibble(id, i));
	return (n + 1) / 2;
}

uint64_t plmn_of_tbcd(struct view v)
{
	uint8_t d[6];
	size_t n = 5;

	if (v.n != 3)
		return 0;
	d[0] = v.p[0] & 15;
	d[1] = v.p[0] >> 4;
	d[2] = v.p[1] & 15;
	d[3] = v.p[2] & 15;
	d[4] = v.p[2] >> 4;
	d[5] = v.p[1] >> 4;
	n += d[5] != 15;
	for (size_t i = 0; i < n; i++) {
		if (d[i] > 9)
			return 0;
		d[i] = (uint8_t)(d[i] + '0');
	}
	return bcd_of((struct view){d, n});
}

void plmn_tbcd(uint64_t plmn, uint8_t out[3])
{
	out[0] = (uint8_t)(nibble(plmn, 1) << 4 | nibble(plmn, 0));
	out[1] = (uint8_t)(nibble(plmn, 5) << 4 | nibble(plmn, 2));
	out[2] = (uint8_t)(nibble(plmn, 4) << 4 | nibble(plmn, 3));
}
