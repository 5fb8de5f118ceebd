/* CSV blocks: every line becomes a record or is told why not. */
#include "records/store_in.h"

#include <stdio.h>

#define COLUMNS_MAX 40
#define ROW_MAX    4096

enum place { PLACE_IGNORE = -1, PLACE_SECRET = -2 };

/* One CSV field, its quotes taken off into `room`. False: quotes that do not close. */
static bool csv_take(struct view *left, struct wr *room, struct view *to)
{
	bool quoted = left->n > 0 && left->p[0] == '"';
	size_t i = quoted, at = room->n;

	while (i < left->n && (quoted || left->p[i] != ',')) {
		if (quoted && left->p[i] == '"') {
			if (i + 1 >= left->n || left->p[i + 1] != '"')
				break;
			i++;
		}
		wr_be(room, left->p[i++], 1);
	}
	if (quoted && (i == left->n || left->p[i++] != '"'))
		return false;
	if (i < left->n && left->p[i] != ',')
		return false;
	i += i < left->n;
	*left = (struct view){ left->p + i, left->n - i };
	*to = (struct view){ room->p + at, room->n - at };
	return true;
}

struct columns {
	struct view name[COLUMNS_MAX];
	int place[COLUMNS_MAX]; /* of the object, or enum place */
	size_t n;
	int key;                /* which of them is the key */
};

/* They go with the key to the vault, and are no secrets. */
static bool beside_key(struct view name)
{
	return view_eq(name, VIEW("amf")) || view_eq(name, VIEW("tuak"));
}

static int place_of(enum object o, struct view name)
{
	static const char *const secrets[] = { "k", "op", "opc", "topc" };

	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
		if (view_eq(name, view_of(secrets[i])))
			return PLACE_SECRET;
	}
	if (beside_key(name))
		return PLACE_IGNORE;
	return model_column(o, name);
}

static struct view trimmed(struct view line)
{
	while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n'))
		line.n--;
	return line;
}

static enum err read_header(const struct import *in, struct columns *c, struct wr *room, struct say *s)
{
	struct view left = trimmed(in->header);

	c->n = 0;
	c->key = -1;
	while (left.n > 0) {
		struct view name;
		int place;

		if (c->n == COLUMNS_MAX || !csv_take(&left, room, &name)) {
			say(s, "header: too many columns, or quotes that do not close");
			return ERR_VALUE;
		}
		place = place_of(in->object, name);
		if (place == PLACE_IGNORE && !beside_key(name)) {
			say(s, "header: \"%.*s\" is no field of %s", (int)(name.n < 60 ? name.n : 60),
			    (const char *)name.p, model_objects[in->object].name);
			return ERR_VALUE;
		}
		if (place == 0)
			c->key = (int)c->n;
		c->name[c->n] = name;
		c->place[c->n++] = place;
	}
	if (c->key < 0) {
		say(s, "header: the column \"%s\" is missing",
		    model_columns[model_objects[in->object].first].name);
		return ERR_MISSING;
	}
	return ERR_OK;
}

/* The line's fields as "name=value". */
static enum err read_line(struct view line, const struct columns *c, struct view *pair, size_t *pair_n,
			  struct view *key, struct say *s)
{
	static _Thread_local uint8_t a[2 * ROW_MAX], b[4 * ROW_MAX];
	struct wr values = { .p = a, .cap = sizeof a }, pairs = { .p = b, .cap = sizeof b };

	for (size_t i = 0; i < c->n; i++) {
		struct view v = { 0 };
		size_t at = pairs.n;

		if (!csv_take(&line, &values, &v)) {
			say(s, "quotes that do not close");
			return ERR_VALUE;
		}
		if (c->place[i] == PLACE_SECRET && v.n > 0) {
			say(s, "%.*s: keys never enter the records; they go to the vault",
			    (int)c->name[i].n, (const char *)c->name[i].p);
			return ERR_REFUSED;
		}
		if ((int)i == c->key)
			*key = v;
		if (c->place[i] <= 0 || *pair_n == EDIT_PAIRS)
			continue;
		wr_view(&pairs, c->name[i]);
		wr_view(&pairs, VIEW("="));
		wr_view(&pairs, v);
		pair[(*pair_n)++] = (struct view){ pairs.p + at, pairs.n - at };
	}
	if (line.n == 0 && !pairs.err && !values.err)
		return ERR_OK;
	say(s, "more fields than the header has columns, or too long");
	return ERR_LENGTH;
}

static enum err one(struct store *st, const struct who *who, struct import *in, const struct columns *c,
		    struct view line, struct say *s)
{
	struct view pair[EDIT_PAIRS];
	struct edit e = { .object = in->object, .mode = in->mode, .pair = pair };
	uint64_t approval;
	enum err err;

	if (line.n > ROW_MAX) {
		say(s, "longer than %d bytes", ROW_MAX);
		return ERR_LENGTH;
	}
	for (size_t i = 0; i < in->fixed_n && i < EDIT_PAIRS; i++)
		pair[e.pair_n++] = in->fixed[i];
	err = read_line(line, c, pair, &e.pair_n, &e.key, s);
	if (err)
		return err;
	return in->edit ? in->edit(in->ctx, who, &e, s) : store_edit(st, who, &e, &approval, s);
}

enum err store_import(struct store *st, const struct who *who, struct import *in, struct say *s)
{
	uint8_t names[2048];
	struct wr room = { .p = names, .cap = sizeof names };
	struct view left = in->lines;
	struct columns c;
	enum err err = read_header(in, &c, &room, s);

	in->done = in->refused = 0;
	if (err)
		return err;
	for (uint64_t at = in->line; left.n > 0; at++) {
		const uint8_t *end = memchr(left.p, '\n', left.n);
		size_t n = end ? (size_t)(end - left.p) : left.n;
		struct view line = trimmed(view_first(left, n));
		struct say reason;

		n += end != NULL;
		left = (struct view){ left.p + n, left.n - n };
		if (line.n == 0)
			continue;
		err = one(st, who, in, &c, line, &reason);
		if (err == ERR_IO) {
			*s = reason;
			return err;
		}
		in->done += err == ERR_OK;
		in->refused += err != ERR_OK;
		if (err)
			in->bad(in->ctx, at, reason.text);
	}
	return ERR_OK;
}
