#include "wire/kind.h"

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool digits(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (!digit(v.p[i]))
			return false;
	}
	return v.n > 0;
}

/* How many octets follow the first of a UTF-8 character, and the least and most the second may
 * be (RFC 3629 4: no overlong forms, no surrogates, nothing above U+10FFFF). -1: no first. */
static int utf8_follow(uint8_t c, uint8_t *low, uint8_t *high)
{
	*low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c >= 0xc2 && c <= 0xdf)
		return 1;
	if (c >= 0xe0 && c <= 0xef)
		return 2;
	return c >= 0xf0 && c <= 0xf4 ? 3 : -1;
}

static bool printable(uint8_t c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\r' || c == '\n';
}

/* How many octets from `i` on are plain printable ASCII, eight at a time: nearly all text is. */
static size_t plain(struct view v, size_t i)
{
	const uint64_t ones = 0x0101010101010101u, tops = ones * 0x80;
	size_t from = i;
	uint64_t x;

	for (; v.n - i >= sizeof x; i += sizeof x) {
		memcpy(&x, v.p + i, sizeof x);
		/* a top bit: not ASCII, or a borrow from below 0x20, or a carry from 0x7f */
		if ((x | (x - ones * 0x20) | (x + ones)) & tops)
			break;
	}
	return i - from;
}

/* What we read as text goes into logs and look-ups: a NUL or an escape in it is an attack. */
static bool text(struct view v)
{
	for (size_t i = plain(v, 0); i < v.n; i++) {
		uint8_t c = v.p[i], low, high;
		int follow;

		if (c < 0x80) {
			if (!printable(c))
				return false;
			continue;
		}
		follow = utf8_follow(c, &low, &high);
		if (follow < 0 || (size_t)follow >= v.n - i)
			return false;
		for (; follow > 0; follow--, low = 0x80, high = 0xbf) {
			i++;
			if (v.p[i] < low || v.p[i] > high)
				return false;
		}
	}
	return true;
}

/* Letters, digits, hyphen, dot; the underscore is no host name, but networks use it. */
static const uint8_t host_octet[256] = {
	['-'] = 1, ['.'] = 1, ['_'] = 1, ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1,
	['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1,
	['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1,
	['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,
	['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1, ['A'] = 1,
	['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1,
	['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1,
	['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1,
	['Z'] = 1,
};

static bool identity(struct view v)
{
	uint8_t all = v.n > 0;
	size_t i = 0;

	for (; v.n - i >= 4; i += 4)
		all &= host_octet[v.p[i]] & host_octet[v.p[i + 1]] & host_octet[v.p[i + 2]] &
		       host_octet[v.p[i + 3]];
	for (; i < v.n; i++)
		all &= host_octet[v.p[i]];
	return all;
}

static bool tbcd(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		uint8_t low = v.p[i] & 15, high = v.p[i] >> 4;

		if (low > 9 || (high > 9 && (high != 15 || i + 1 < v.n)))
			return false;
	}
	return v.n > 0;
}

static bool plmn(struct view v)
{
	uint8_t mnc3 = v.n == 3 ? v.p[1] >> 4 : 10;

	return (mnc3 <= 9 || mnc3 == 15) && (v.p[0] & 15) <= 9 && v.p[0] >> 4 <= 9 &&
	       (v.p[1] & 15) <= 9 && (v.p[2] & 15) <= 9 && v.p[2] >> 4 <= 9;
}

static bool address(struct view v)
{
	if (v.n < 2 || v.p[0] != 0)
		return false;
	return (v.p[1] == 1 && v.n == 6) || (v.p[1] == 2 && v.n == 18);
}

static bool number(const struct range *among, struct view v)
{
	struct rd r = { .left = v };
	uint32_t x;

	if (!among)
		return true;
	x = rd_be(&r, v.n);
	while (among->from <= among->to && (x < among->from || x > among->to))
		among++;
	return among->from <= among->to;
}

bool kind_ok(enum kind kind, const struct range *among, struct view v)
{
	switch (kind) {
	case TEXT:     return text(v);
	case DIGITS:   return digits(v);
	case IMSI:     return v.n >= 6 && v.n <= 15 && digits(v);
	case TBCD:     return tbcd(v);
	case PLMN:     return plmn(v);
	case IDENTITY: return identity(v);
	case ADDRESS:  return address(v);
	case NUMBER:
	case ENUM:     return number(among, v);
	case KIND_ANY:
	case BYTES:
	case U64:
	case GROUP:    break;
	}
	return true;
}
