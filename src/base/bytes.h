/* Borrowed bytes, and cursors over them whose error sticks.
 *
 * A view never owns what it shows. A reader that fails once keeps failing and returns
 * zeros, so a parser reads straight down the page and looks at `err` once, at the end.
 */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
	const uint8_t *p;
	size_t n;
};

struct rd {
	struct view left;
	enum err err;
};

struct wr {
	uint8_t *p;
	size_t n, cap;
	enum err err;
};

#define VIEW_INIT(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }
#define VIEW(literal)      ((struct view)VIEW_INIT(literal))

/* A view of a NUL-terminated string, without its NUL. */
static inline struct view view_of(const char *text)
{
	return (struct view){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

static inline bool view_eq(struct view a, struct view b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Equal but for the case of ASCII letters: host names, realms (RFC 6733 §4.3.1). */
static inline bool view_eq_case(struct view a, struct view b)
{
	if (a.n != b.n)
		return false;
	if (a.n == 0 || memcmp(a.p, b.p, a.n) == 0)
		return true; /* in one look: nearly all agree in case too */
	for (size_t i = 0; i < a.n; i++) {
		uint8_t x = a.p[i], y = b.p[i];

		x = x >= 'A' && x <= 'Z' ? (uint8_t)(x + 32) : x;
		y = y >= 'A' && y <= 'Z' ? (uint8_t)(y + 32) : y;
		if (x != y)
			return false;
	}
	return true;
}

/* Does host `a` lie under domain `b`: "mme.x.org" under "x.org"; a domain lies under itself. */
static inline bool view_under(struct view a, struct view b)
{
	struct view tail;

	if (b.n == 0 || a.n < b.n)
		return false;
	tail = (struct view){ a.p + (a.n - b.n), b.n };
	return view_eq_case(tail, b) && (a.n == b.n || a.p[a.n - b.n - 1] == '.');
}

static inline struct view view_first(struct view v, size_t n)
{
	return (struct view){ v.p, n < v.n ? n : v.n };
}

/* Copy into a NUL-terminated buffer of `cap` bytes; false, and an empty text, if it does not fit. */
static inline bool view_text(struct view v, char *to, size_t cap)
{
	if (v.n >= cap) {
		to[0] = 0;
		return false;
	}
	if (v.n > 0)
		memcpy(to, v.p, v.n);
	to[v.n] = 0;
	return true;
}

static inline struct view rd_take(struct rd *r, size_t n)
{
	struct view v = { r->left.p, n };

	if (r->err || n > r->left.n) {
		r->err = r->err ? r->err : ERR_SHORT;
		r->left = (struct view){ 0 };
		return (struct view){ 0 };
	}
	r->left.p += n;
	r->left.n -= n;
	return v;
}

static inline uint64_t rd_be64(struct rd *r, size_t width)
{
	struct view v = rd_take(r, width);
	uint64_t x = 0;

	for (size_t i = 0; i < v.n; i++)
		x = x << 8 | v.p[i];
	return x;
}

static inline uint32_t rd_be(struct rd *r, size_t width)
{
	return (uint32_t)rd_be64(r, width);
}

static inline void wr_view(struct wr *w, struct view v)
{
	if (w->err || v.n > w->cap - w->n) {
		w->err = w->err ? w->err : ERR_FULL;
		return;
	}
	if (v.n > 0)
		memcpy(w->p + w->n, v.p, v.n);
	w->n += v.n;
}

static inline void wr_be(struct wr *w, uint64_t x, size_t width)
{
	uint64_t be = width > 0 ? __builtin_bswap64(x << (64 - 8 * width)) : 0;

	wr_view(w, (struct view){ (const uint8_t *)&be, width });
}

/* Overwrite `width` bytes written before: a length that is known only at the end. */
static inline void wr_at(struct wr *w, size_t at, uint64_t x, size_t width)
{
	struct wr hole = { .p = w->p + at, .cap = width };

	if (!w->err)
		wr_be(&hole, x, width);
}

static inline struct view wr_done(const struct wr *w)
{
	return (struct view){ w->p, w->err ? 0 : w->n };
}
