#include "wire/ber.h"

#define CONSTRUCTED  0x20
#define TAG_FOLLOWS  31
#define TAG_OCTETS   4
#define LENGTH_MAX   4
#define LENGTH_OPEN  SIZE_MAX

static void fail(struct rd *r, enum err err)
{
	r->err = r->err ? r->err : err;
}

/* A tag number of several octets, seven bits in each (X.690 8.1.2.4). */
static uint32_t long_tag(struct rd *r, uint8_t *flags)
{
	uint32_t tag = 0, octet = 0x80;

	for (unsigned int i = 0; octet & 0x80 && !r->err; i++) {
		octet = rd_be(r, 1);
		if (i == TAG_OCTETS || (i == 0 && octet == 0x80))
			fail(r, ERR_HEADER);
		tag = tag << 7 | (octet & 0x7f);
	}
	if (tag < TAG_FOLLOWS)
		*flags |= BER_LONGER;
	return tag;
}

/* LENGTH_OPEN for the indefinite form (X.690 8.1.3). */
static size_t length(struct rd *r, uint8_t *flags)
{
	uint32_t first = rd_be(r, 1);
	size_t octets = first & 0x7f, n;

	if (first < 0x80)
		return first;
	if (octets == 0)
		return LENGTH_OPEN;
	if (octets > LENGTH_MAX) {
		fail(r, ERR_LENGTH);
		return 0;
	}
	n = rd_be(r, octets);
	if (n < 0x80 || n >> (8 * (octets - 1)) == 0)
		*flags |= BER_LONGER;
	return n;
}

static void head(struct slot *s, struct rd *r)
{
	uint32_t first = rd_be(r, 1);

	s->space = first >> 6;
	s->flags = first & CONSTRUCTED ? BER_CONSTRUCTED : 0;
	s->tag = first & TAG_FOLLOWS;
	if (s->tag == TAG_FOLLOWS)
		s->tag = long_tag(r, &s->flags);
}

/* The octets before the end of contents that closes the element begun, in one pass: what is open
 * inside is counted, what has a length is jumped over. */
static size_t open_length(struct rd *r)
{
	size_t all = r->left.n, open = 1, before = 0;

	while (open > 0 && !r->err) {
		struct slot s = { 0 };
		size_t n;

		before = all - r->left.n;
		head(&s, r);
		n = length(r, &s.flags);
		if (n == LENGTH_OPEN) {
			open++;
			if (!(s.flags & BER_CONSTRUCTED))
				fail(r, ERR_LENGTH);
		} else if (s.tag == 0 && s.space == BER_UNIVERSAL) {
			open--;
			if (n != 0 || s.flags) /* 8.1.5: two zero octets, no other form */
				fail(r, ERR_HEADER);
		} else {
			rd_take(r, n);
		}
	}
	return before;
}

/* Strings in pieces (X.690 8.7.3) are what nobody sends and what a filter would have to glue: of the
 * universal types only these are made of others. */
static bool may_be_constructed(const struct slot *s)
{
	return s->space != BER_UNIVERSAL || s->tag == BER_SEQUENCE || s->tag == BER_SEQUENCE + 1 ||
	       s->tag == BER_EXTERNAL;
}

void ber_take(struct slot *s, struct rd *r, const struct field *expected)
{
	const uint8_t *start = r->left.p;
	size_t n;

	(void)expected;
	head(s, r);
	n = length(r, &s->flags);
	if (s->tag == 0 && s->space == BER_UNIVERSAL)
		fail(r, ERR_HEADER);
	if (s->flags & BER_CONSTRUCTED && !may_be_constructed(s))
		fail(r, ERR_AVP_FLAGS);
	if (n == LENGTH_OPEN && !r->err) {
		struct rd ahead = *r;

		if (!(s->flags & BER_CONSTRUCTED))
			fail(r, ERR_LENGTH);
		s->flags |= BER_INDEFINITE;
		n = open_length(&ahead);
		fail(r, ahead.err);
		s->value = rd_take(r, n);
		rd_take(r, 2);
	} else {
		s->value = rd_take(r, n);
	}
	if (!r->err)
		s->whole = (struct view){ start, (size_t)(r->left.p - start) };
}

int32_t ber_int(struct view v)
{
	uint32_t x;
	struct rd r = { .left = v };

	if (v.n == 0 || v.n > 4)
		return 0;
	x = v.p[0] & 0x80 && v.n < 4 ? UINT32_MAX << (8 * v.n) : 0;
	return (int32_t)(x | rd_be(&r, v.n));
}

void ber_put_head(struct wr *w, enum ber_class class, bool constructed, uint8_t tag, size_t n)
{
	wr_be(w, (unsigned int)class << 6 | (constructed ? CONSTRUCTED : 0u) |
		 (tag < TAG_FOLLOWS ? tag : (unsigned int)TAG_FOLLOWS), 1);
	if (tag >= TAG_FOLLOWS)
		wr_be(w, tag, 1);
	if (n < 0x80) {
		wr_be(w, n, 1);
	} else if (n <= UINT8_MAX) {
		wr_be(w, 0x81, 1);
		wr_be(w, n, 1);
	} else {
		wr_be(w, 0x82, 1);
		wr_be(w, n, 2);
	}
}

void ber_put(struct wr *w, enum ber_class class, uint8_t tag, struct view value)
{
	ber_put_head(w, class, false, tag, value.n);
	wr_view(w, value);
}

void ber_put_int(struct wr *w, enum ber_class class, uint8_t tag, uint32_t x)
{
	size_t n = 1;

	while (n < 5 && (uint64_t)x >> (8 * n - 1) != 0) /* the first bit is the sign */
		n++;
	ber_put_head(w, class, false, tag, n);
	wr_be(w, x, n);
}

size_t ber_open(struct wr *w, enum ber_class class, uint8_t tag)
{
	ber_put_head(w, class, true, tag, 0);
	return w->n;
}

void ber_close(struct wr *w, size_t start)
{
	size_t n = w->n - start, more = n < 0x80 ? 0 : n <= UINT8_MAX ? 1 : 2;

	if (w->err || n > UINT16_MAX || more > w->cap - w->n) {
		w->err = w->err ? w->err : ERR_FULL;
		return;
	}
	if (more > 0)
		memmove(w->p + start + more, w->p + start, n);
	wr_at(w, start - 1, more > 0 ? 0x80 | more : n, 1);
	wr_at(w, start, n, more);
	w->n += more;
}
