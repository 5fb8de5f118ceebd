/* Values of records, as clients and CSV files bring them. The first byte names a column. What is
 * accepted has one canonical text: written and read again, it is the same; and as JSON it is one
 * line. */
#include "records/model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct view text_of(const struct row *r, unsigned int column, uint8_t *room, size_t cap)
{
	struct wr w = { .p = room, .cap = cap };

	row_text(&w, r, column);
	if (w.err)
		abort();
	return wr_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t one[ROW_ROOM], two[ROW_ROOM], json[8 * ROW_ROOM];
	struct wr w = { .p = json, .cap = sizeof json };
	static struct row r, again;
	const struct column *c;
	unsigned int column;
	struct view text;
	struct say s;

	if (n == 0)
		return 0;
	c = &model_columns[data[0] % COL_N];
	column = (unsigned int)(c - model_columns) - model_objects[c->object].first;
	row_init(&r, c->object);
	row_init(&again, c->object);
	if (row_set(&r, column, (struct view){ data + 1, n - 1 }, &s))
		return 0;
	text = text_of(&r, column, one, sizeof one);
	if (text.n > 0 && row_set(&again, column, text, &s))
		abort();
	if (text.n > 0 && !view_eq(text, text_of(&again, column, two, sizeof two)))
		abort();
	row_json(&w, &r, true);
	if (w.err || memchr(json, '\n', w.n))
		abort();
	return 0;
}
