/* What the files of a page share (store_list.c: what is asked; store_page.c: along which index). */
#pragma once
#include "records/store_in.h"

#define FILTERS_MAX 10

struct filter {
	unsigned int column;
	bool begins;
	struct view text;
	int64_t num;
};

struct walk {
	enum column_of_all column;
	const char *index;
	int64_t not; /* a number that it leaves out, for nearly all rows have it; -1: none */
};

/* What a page is asked of. */
struct query {
	struct store *st;
	enum object o;
	struct filter f[FILTERS_MAX];
	size_t n;
	unsigned int sort; /* column */
	bool down, bounded; /* bounded: in windows, until the time is up */
	struct view find;  /* in any text, of small tables */
	char after[ROW_ROOM];
	const struct walk *walk; /* the index to go along; NULL: that of `sort` */
	size_t inside;		 /* the first filters, which that index answers */
	size_t max;
};

static inline const struct column *column_at(const struct query *q, unsigned int c)
{
	return &model_columns[model_objects[q->o].first + c];
}

/* At most `most` of the rows that meet the first `n` filters, along that index (NULL: that of q->sort); -1:
 * SQLite fails. */
int64_t page_count(const struct query *q, size_t n, size_t most, const struct walk *walk);
/* Which index to go along, the filters in that order. */
void page_choose(struct query *q);
/* The page, from q->after on. ERR_IO. */
enum err MUST_USE page_walk(struct query *q, struct page *p, struct wr *w);
