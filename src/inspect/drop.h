/* Why packets are dropped: rows in drop.tab. */
#pragma once

enum drop {
#define DROP(id, name, clause, help) DROP_##id,
#include "inspect/drop.tab"
#undef DROP
	DROP_N
};

struct drop_row {
	const char *name, *clause, *help;
};

extern const struct drop_row drop_rows[DROP_N];
