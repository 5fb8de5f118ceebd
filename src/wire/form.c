#include "wire/form.h"

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (uint8_t)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err decode(struct view v, struct wr *to)
{
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high = v.n - i > 2 ? digit(v.p[i + 1]) : -1;
			int low = v.n - i > 2 ? digit(v.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return ERR_VALUE;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (c < ' ' || c == 0x7f)
			return ERR_VALUE;
		wr_be(to, c, 1);
	}
	return to->err;
}

static enum err one(struct view pair, struct form_field *field, size_t n, struct wr *room)
{
	const uint8_t *is = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
	struct view name = is ? view_first(pair, (size_t)(is - pair.p)) : pair;
	enum err err;

	for (size_t i = 0; i < n; i++) {
		size_t at = room->n;

		if (!view_eq(name, view_of(field[i].name)))
			continue;
		if (field[i].given)
			return ERR_REPEATED;
		err = decode(is ? (struct view){is + 1, pair.n - name.n - 1} : (struct view){0}, room);
		if (err)
			return err;
		field[i].given = true;
		field[i].value = (struct view){room->p + at, room->n - at};
	}
	return ERR_OK;
}

enum err form_read(struct view body, struct form_field *field, size_t n, struct wr *room)
{
	enum err err = body.n > FORM_MAX ? ERR_LENGTH : ERR_OK;

	while (body.n > 0 && !err) {
		const uint8_t *end = memchr(body.p, '&', body.n);
		size_t len = end ? (size_t)(end - body.p) : body.n;

		err = one(view_first(body, len), field, n, room);
		len += end != NULL;
		body = (struct view){body.p + len, body.n - len};
	}
	return err;
}
