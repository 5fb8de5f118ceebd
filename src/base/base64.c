#include "base/base64.h"

static void put(struct wr *w, struct view v, bool url)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char other[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *digits = url ? other : plain;

	for (size_t i = 0; i < v.n; i += 3) {
		size_t n = v.n - i < 3 ? v.n - i : 3;
		uint32_t x = (uint32_t)v.p[i] << 16;
		uint8_t out[4];

		if (n > 1)
			x |= (uint32_t)v.p[i + 1] << 8;
		if (n > 2)
			x |= v.p[i + 2];
		for (size_t k = 0; k < 4; k++)
			out[k] = k <= n ? (uint8_t)digits[x >> (18 - 6 * k) & 63] : (uint8_t)'=';
		wr_view(w, (struct view){out, url ? n + 1 : 4});
	}
}

void base64_put(struct wr *w, struct view v)
{
	put(w, v, false);
}

void base64url_put(struct wr *w, struct view v)
{
	put(w, v, true);
}

static int digit(uint8_t c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	return c == (url ? '_' : '/') ? 63 : -1;
}

enum err base64_get(struct view text, bool url, struct wr *w)
{
	uint32_t x = 0;
	unsigned int bits = 0;

	if (text.n % 4 == 0) {
		for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++)
			text.n--;
	}
	if (text.n % 4 == 1)
		return ERR_VALUE;
	for (size_t i = 0; i < text.n; i++) {
		int d = digit(text.p[i], url);

		if (d < 0)
			return ERR_VALUE;
		x = x << 6 | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			wr_be(w, x >> bits & 0xff, 1);
		}
	}
	if (x & ((1u << bits) - 1))
		return ERR_VALUE;
	return w->err;
}
