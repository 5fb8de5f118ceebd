#include "wire/kind.h"

/* Sixteen octets side by side. What is 16 long or longer is looked at in such pieces, the last of which
 * overlaps the one before. */
#define WIDE 16u
#define WIDE_OF(type) type __attribute__((vector_size(WIDE)))

static bool all_set(WIDE_OF(int8_t) x)
{
	uint64_t half[2];

	memcpy(half, &x, sizeof half);
	return (half[0] & half[1]) == UINT64_MAX;
}

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Eight at once: the high half of each octet is 3, and still is with 6 added. */
static bool eight_digits(const uint8_t *p)
{
	const uint64_t ones = 0x0101010101010101u, high = ones * 0xf0;
	uint64_t x;

	memcpy(&x, p, sizeof x);
	return ((x & high) ^ ones * 0x30) == 0 && (((x + ones * 6) & high) ^ ones * 0x30) == 0;
}

static bool digits(struct view v)
{
	if (v.n >= 8) {
		for (size_t i = 0; i + 8 < v.n; i += 8) {
			if (!eight_digits(v.p + i))
				return false;
		}
		return eight_digits(v.p + v.n - 8);
	}
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

/* Nearly all text is printable ASCII: neither negative, nor below a space, nor DEL. */
static bool wide_plain(const uint8_t *p)
{
	WIDE_OF(int8_t) x;

	memcpy(&x, p, sizeof x);
	return all_set((x > 0x1f) & (x != 0x7f));
}

static bool plain(struct view v)
{
	if (v.n < WIDE)
		return false;
	for (size_t i = 0; i + WIDE < v.n; i += WIDE) {
		if (!wide_plain(v.p + i))
			return false;
	}
	return wide_plain(v.p + v.n - WIDE);
}

/* What we read as text goes into logs and look-ups: a NUL or an escape in it is an attack. */
static bool text(struct view v)
{
	if (plain(v))
		return true;
	for (size_t i = 0; i < v.n; i++) {
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

/* The same sixteen at once: letters with the bit of their case set, digits, hyphen, dot, underscore. */
static bool wide_host(const uint8_t *p)
{
	WIDE_OF(int8_t) x, letter;

	memcpy(&x, p, sizeof x);
	letter = x | 0x20;
	return all_set(((letter >= 'a') & (letter <= 'z')) | ((x >= '0') & (x <= '9')) |
		       (x == '-') | (x == '.') | (x == '_'));
}

static bool identity(struct view v)
{
	uint8_t all = v.n > 0;

	if (v.n >= WIDE) {
		for (size_t i = 0; i + WIDE < v.n; i += WIDE) {
			if (!wide_host(v.p + i))
				return false;
		}
		return wide_host(v.p + v.n - WIDE);
	}
	for (size_t i = 0; i < v.n; i++)
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

	if (v.n == sizeof x) {
		memcpy(&x, v.p, sizeof x);
		x = __builtin_bswap32(x);
	} else {
		x = rd_be(&r, v.n);
	}
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
	case ISDN:     return v.n == 1 || (v.n > 1 && tbcd((struct view){ v.p + 1, v.n - 1 }));
	case PLMN:     return plmn(v);
	case IDENTITY: return identity(v);
	case ADDRESS:  return address(v);
	case NUMBER:
	case ENUM:     return !among || number(among, v);
	case KIND_ANY:
	case BYTES:
	case U64:
	case GROUP:    break;
	}
	return true;
}
