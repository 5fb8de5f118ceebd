#include "inspect/drop.h"

const struct drop_row drop_rows[DROP_N] = {
#define DROP(id, name, clause, help) [DROP_##id] = { name, clause, help },
#include "inspect/drop.tab"
#undef DROP
};
