#include "cli/csv.h"

/* What is left of a line: after its last comma there is one cell more, even an empty one. */
struct line {
	struct view left;
	bool more;
};

static struct view cell_of(struct line *l, size_t n)
{
	struct view v = view_first(l->left, n);

	l->more = n < l->left.n;
	n += l->more;
	l->left = (struct view){l->left.p + n, l->left.n - n};
	return v;
}

static struct view cell(struct line *l)
{
	const uint8_t *comma = l->left.n ? memchr(l->left.p, ',', l->left.n) : NULL;

	return cell_of(l, comma ? (size_t)(comma - l->left.p) : l->left.n);
}

enum err csv_header(struct csv_header *h, struct view line)
{
	const struct {
		const char *name;
		int *to;
	} row[] = {{"imsi", &h->imsi}, {"iccid", &h->iccid}, {"alg", &h->alg}, {"k", &h->k}, {"opc", &h->opc},
		   {"op", &h->op},     {"topc", &h->topc}, {"amf", &h->amf},
		   {"tuak", &h->tuak}, {"test", &h->test}};

	struct line l = {line, true};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		*row[i].to = -1;
	for (h->n = 0; l.more; h->n++) {
		struct view name = cell(&l);

		if (h->n == CSV_COLUMNS)
			return ERR_LENGTH;
		for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
			if (view_eq(name, view_of(row[i].name)))
				*row[i].to = h->n;
		}
	}
	return ERR_OK;
}

/* A quoted cell may hold commas; only its end matters here. */
static struct view cell_as_is(struct line *l)
{
	const struct view *left = &l->left;
	size_t i = 1;

	if (left->n == 0 || left->p[0] != '"')
		return cell(l);
	while (i < left->n && left->p[i] != '"')
		i++;
	while (i < left->n && left->p[i] != ',')
		i++;
	return cell_of(l, i);
}

enum err csv_split(const struct csv_header *h, struct view line, struct csv_keys *keys,
		   struct wr *rest)
{
	const int at[] = {h->imsi, h->iccid, h->alg, h->k, h->opc, h->op, h->topc, h->amf, h->tuak, h->test};
	struct view *to[] = {&keys->imsi, &keys->iccid, &keys->alg, &keys->k, &keys->opc,
			     &keys->op,	  &keys->topc, &keys->amf,  &keys->tuak,  &keys->test};

	struct line l = {line, true};

	*keys = (struct csv_keys){0};
	for (int c = 0; l.more; c++) {
		struct view v = cell_as_is(&l);
		bool secret = c == h->k || c == h->opc || c == h->op || c == h->topc ||
			      c == h->amf || c == h->tuak;

		if (c >= h->n)
			return ERR_LENGTH;
		if (secret && v.n > 0 && v.p[0] == '"')
			return ERR_VALUE;
		for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
			if (c == at[i])
				*to[i] = v;
		}
		if (c > 0)
			wr_be(rest, ',', 1);
		if (!secret)
			wr_view(rest, v);
	}
	keys->any = keys->k.n + keys->opc.n + keys->op.n + keys->topc.n > 0;
	return rest->err ? ERR_LENGTH : ERR_OK;
}

bool csv_hex(struct view text, uint8_t *out, size_t n)
{
	if (text.n != 2 * n)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		int d = c >= '0' && c <= '9'		     ? c - '0'
			: (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
							     : -1;

		if (d < 0)
			return false;
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | d : d << 4);
	}
	return true;
}
