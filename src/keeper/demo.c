/* The rows of demo.tab, put like anybody's request, so that they obey every rule. */
#include "keeper/keeper_in.h"

#include <stdio.h>

#define DEMO_FIELDS 12

static const struct demo_row {
	enum object object;
	const char *key;
	const char *field[DEMO_FIELDS];
} rows[] = {
#define DEMO(object, key, ...) { OBJ_##object, (key), { __VA_ARGS__ } },
#include "keeper/demo.tab"
#undef DEMO
};

static enum err put(struct keeper *k, const struct demo_row *row, struct say *s)
{
	struct view pair[DEMO_FIELDS];
	struct edit e = { row->object, EDIT_CREATE, view_of(row->key), pair, 0, 0 };
	struct who who = { VIEW("demo"), 0, keeper_wall_ms(), { 0 } };
	uint64_t approval;
	enum err err;

	while (e.pair_n < DEMO_FIELDS && row->field[e.pair_n]) {
		pair[e.pair_n] = view_of(row->field[e.pair_n]);
		e.pair_n++;
	}
	err = store_edit(k->store, &who, &e, &approval, s);
	return err == ERR_EXISTS ? ERR_OK : err;
}

enum err keeper_demo(struct keeper *k, char why[256])
{
	enum err err = store_begin(k->store);
	struct say s = { "" };
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows && !err; i++)
		err = put(k, &rows[i], &s);
	if (err) {
		store_rollback(k->store);
		snprintf(why, 256, "demo: %.60s: %.180s", i > 0 ? rows[i - 1].key : "", s.text);
		return err;
	}
	err = store_commit(k->store);
	return err ? err : keeper_publish(k, why);
}
