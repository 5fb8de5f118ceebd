#include "wire/gtp1.h"

#define TAB "wire/gtp1.tab"
#include "wire/tab_rows.inc"
#include "wire/tab_engine.h"

/* Lengths of the TV elements (29.060 table 37). */
static const uint8_t fixed[GTP1_TLV] = {
	[1] = 1,  [2] = 8,  [3] = 6,  [4] = 4,  [5] = 4,  [8] = 1,  [9] = 28, [11] = 1, [12] = 3, [13] = 1,
	[14] = 1, [15] = 1, [16] = 4, [17] = 4, [18] = 5, [19] = 1, [20] = 1, [21] = 1, [22] = 9, [23] = 1,
	[24] = 1, [25] = 2, [26] = 2, [27] = 2, [28] = 2, [29] = 1, [127] = 4,
};

static void take(struct slot *s, struct rd *r, const struct field *expected)
{
	size_t len;

	(void)expected;
	s->tag = rd_be(r, 1);
	if (s->tag >= GTP1_TLV)
		len = rd_be(r, 2);
	else if (fixed[s->tag] > 0)
		len = fixed[s->tag];
	else
		len = SIZE_MAX; /* what follows cannot be told */
	s->value = rd_take(r, len);
}

static const struct proto gtp1 = { ROWS, .take = take };

__attribute__((constructor)) static void index_rows(void)
{
	tab_index(&gtp1);
}

enum err gtp1_parse(struct msg *m, const struct gtp_head *h, struct arena *mem)
{
	struct how how = { .p = &gtp1, .take = take };
	const struct shape *shape = tab_shape(&gtp1, 0, h->type, 0);

	tab_init(m, &gtp1, h->body);
	return shape ? tab_run(how, m, shape, h->body, mem) : ERR_OK;
}
