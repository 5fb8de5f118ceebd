/* A list as it is asked for: filters, order, what is found, whose. And a reader that is used again. */
#include "records/store_page.h"

/* Columns that a table of any size is sorted by, or found by: they have an index. In the order in which
 * a number is looked for. */
static const enum column_of_all indexed[] = {
	COL_SUB_IMSI, COL_SUB_MSISDN, COL_SUB_ICCID, COL_SUB_IMEI, COL_SUB_EID, COL_EQ_IMEI, COL_HOST_IMEI,
	COL_HOLD_IMSI,
};
static bool is_big(enum object o)
{
	return o == OBJ_SUBSCRIPTION || o == OBJ_EQUIPMENT || o == OBJ_HOST || o == OBJ_HOLD;
}

static bool has_index(const struct query *q, unsigned int c)
{
	for (size_t i = 0; i < sizeof indexed / sizeof *indexed; i++) {
		if (indexed[i] == (enum column_of_all)(model_objects[q->o].first + c))
			return true;
	}
	return !is_big(q->o);
}

/* "life=suspended", "imsi=99970*": read like any value, so that a wrong one is told. */
static enum err read_filter(struct query *q, struct view pair, struct row *room, struct say *s)
{
	const uint8_t *is = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
	struct view name = view_first(pair, is ? (size_t)(is - pair.p) : pair.n);
	int c = is ? model_column(q->o, name) : -1;
	struct filter *f = &q->f[q->n];
	enum err err;

	if (c < 0 || column_at(q, (unsigned int)c)->flags & F_HIDE) {
		say(s, "%.*s: no such field of %s", (int)(name.n < 60 ? name.n : 60),
		    (const char *)name.p, model_objects[q->o].name);
		return ERR_VALUE;
	}
	if (q->n == FILTERS_MAX) {
		say(s, "at most %d filters", FILTERS_MAX);
		return ERR_FULL;
	}
	q->n++;
	*f = (struct filter){ .column = (unsigned int)c };
	f->text = (struct view){ is + 1, pair.n - name.n - 1 };
	if (!model_is_num(column_at(q, f->column)->kind)) {
		f->begins = f->text.n > 0 && f->text.p[f->text.n - 1] == '*';
		f->text.n -= f->begins;
		return ERR_OK;
	}
	err = row_set(room, f->column, f->text, s);
	f->num = room->cell[c].num;
	return err;
}

static enum err read_sort(struct query *q, struct view sort, struct say *s)
{
	int c;

	q->down = sort.n > 0 && sort.p[0] == '-';
	if (q->down)
		sort = (struct view){ sort.p + 1, sort.n - 1 };
	c = sort.n > 0 ? model_column(q->o, sort) : 0;
	if (c >= 0 && has_index(q, (unsigned int)c) && !(column_at(q, (unsigned int)c)->flags & F_HIDE)) {
		q->sort = (unsigned int)c;
		return ERR_OK;
	}
	say(s, "sort: %.*s: a list of %s has no such order", (int)(sort.n < 40 ? sort.n : 40),
	    (const char *)sort.p, model_objects[q->o].name);
	return ERR_VALUE;
}

/* A number is looked for under each column that has an index, and the first under which something is
 * found is the list's order. */
static enum err read_find(struct query *q, struct view find, struct say *s)
{
	if (!is_big(q->o)) {
		q->find = find;
		return ERR_OK;
	}
	if (q->n == FILTERS_MAX) {
		say(s, "at most %d filters", FILTERS_MAX);
		return ERR_FULL;
	}
	for (size_t i = 0; i < sizeof indexed / sizeof *indexed; i++) {
		struct query one = *q;

		if (model_columns[indexed[i]].object != q->o)
			continue;
		one.sort = (unsigned int)indexed[i] - model_objects[q->o].first;
		one.f[0] = (struct filter){ one.sort, true, find, 0 };
		if (page_count(&one, 1, 1, NULL) == 0)
			continue;
		q->sort = one.sort;
		break;
	}
	q->f[q->n++] = (struct filter){ q->sort, true, find, 0 };
	return ERR_OK;
}

/* Only what is one tenant's. */
static enum err scope_filter(struct query *q, struct view tenant, struct say *s)
{
	enum column_of_all c = scope_column(q->o);

	if (c == COL_N || q->n == FILTERS_MAX) {
		say(s, c == COL_N ? "%s: there are none of yours" : "%s: too many filters",
		    model_objects[q->o].name);
		return c == COL_N ? ERR_NOT_FOUND : ERR_FULL;
	}
	q->f[q->n++] = (struct filter){ c - model_objects[q->o].first, false, tenant, 0 };
	return ERR_OK;
}

enum err store_list(struct store *st, struct page *p, struct wr *w, struct say *s)
{
	struct query q = { .st = st, .o = p->object, .max = p->max, .bounded = !p->csv };
	struct row room;
	enum err err = read_sort(&q, p->sort, s);

	p->next[0] = 0;
	p->n = 0;
	row_init(&room, p->object);
	for (size_t i = 0; i < p->filter_n && !err; i++)
		err = read_filter(&q, p->filter[i], &room, s);
	if (!err && p->find.n > 0)
		err = read_find(&q, p->find, s);
	if (!err && p->tenant.n > 0)
		err = scope_filter(&q, p->tenant, s);
	if (err)
		return err;
	if (!view_text(p->after, q.after, sizeof q.after))
		return ERR_LENGTH;
	page_choose(&q);
	wr_view(w, p->csv ? VIEW("") : VIEW("["));
	err = page_walk(&q, p, w);
	wr_view(w, p->csv ? VIEW("") : VIEW("]"));
	return err ? err : w->err;
}

/* --- a reader that is used again --- */

void store_reader_rest(struct store *st)
{
	if (store_sql(st, "COMMIT"))
		return; /* logged; store_reader_again will say so too */
}

enum err store_reader_again(struct store *st)
{
	st->anchor = store_anchor_read(st, &st->anchor_seq, st->anchor_head);
	return store_sql(st, "BEGIN") ? ERR_IO : store_load_state(st);
}
