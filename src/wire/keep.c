#include "wire/keep.h"

enum keep_kind { KEEP_TEXT, KEEP_NUM };

static const struct row {
	const char *name;
	uint16_t tag;
	enum keep_kind kind;
	size_t min, max;
} rows[KEEP_FIELDS] = {
#define FIELD(id, name, tag, kind, min, max, help) [id] = { (name), (tag), (kind), (min), (max) },
#define MSG(...)
#include "wire/keep.tab"
#undef FIELD
#undef MSG
};

#define MUST(id) | (uint64_t)1 << (id)
#define MAY(id)  | (uint64_t)1 << (id)
static const struct shape_row {
	const char *name;
	enum keep_op op;
	uint64_t must, may;
} requests[] = {
#define FIELD(...)
#define MSG(id, name, code, must, may) { (name), (id), 0 must, 0 may },
#include "wire/keep.tab"
#undef FIELD
#undef MSG
};

#define REQUESTS (sizeof requests / sizeof *requests)

static const struct shape_row *request(unsigned int op)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		if ((unsigned int)requests[i].op == op)
			return &requests[i];
	}
	return NULL;
}

const char *keep_op_name(enum keep_op op)
{
	const struct shape_row *r = request(op);

	return r ? r->name : "?";
}

size_t keep_frame(struct view in)
{
	struct rd r = { .left = view_first(in, KEEP_HEAD) };
	uint32_t magic = rd_be(&r, 3);
	size_t n;

	if (r.err)
		return 0;
	rd_take(&r, 5);
	n = rd_be(&r, 4);
	if (r.err)
		return 0;
	if (magic != 0x4d4b01 || n > KEEP_FRAME_MAX - KEEP_HEAD)
		return SIZE_MAX;
	return KEEP_HEAD + n;
}

static enum err take_field(struct keep *k, struct rd *r)
{
	uint32_t tag = rd_be(r, 2);
	size_t n = rd_be(r, 4);
	struct view v = rd_take(r, n);
	unsigned int f = 0;

	if (r->err)
		return r->err;
	while (f < KEEP_FIELDS && rows[f].tag != tag)
		f++;
	if (f == KEEP_FIELDS)
		return ERR_UNKNOWN;
	if (n < rows[f].min || n > rows[f].max)
		return ERR_LENGTH;
	if (f == KEEP_PAIR) {
		if (k->pair_n == KEEP_PAIRS_MAX)
			return ERR_REPEATED;
		k->pair[k->pair_n++] = v;
	} else if (k->has >> f & 1) {
		return ERR_REPEATED;
	}
	k->has |= (uint64_t)1 << f;
	if (rows[f].kind == KEEP_NUM) {
		struct rd num = { .left = v };

		k->num[f] = rd_be64(&num, 8);
	} else if (f != KEEP_PAIR) {
		k->text[f] = v;
	}
	return ERR_OK;
}

#define REPLY_FIELDS (~(uint64_t)0 << KEEP_STATUS)

enum err keep_parse(struct keep *k, struct view frame)
{
	struct rd r = { .left = frame };
	const struct shape_row *row;
	uint32_t magic = rd_be(&r, 3), op = rd_be(&r, 1);
	enum err err = ERR_OK;

	*k = (struct keep){ .reply = (op & 0x80) != 0, .id = rd_be(&r, 4) };
	if (rd_be(&r, 4) != r.left.n || r.err || magic != 0x4d4b01 || frame.n > KEEP_FRAME_MAX)
		return ERR_HEADER;
	row = request(op & 0x7f);
	if (!row)
		return ERR_UNKNOWN_CMD;
	k->op = row->op;
	while (r.left.n > 0 && !err)
		err = take_field(k, &r);
	if (err)
		return err;
	if (k->reply)
		return k->has & ~REPLY_FIELDS ? ERR_NOT_ALLOWED : ERR_OK;
	if (k->has & ~(row->must | row->may))
		return ERR_NOT_ALLOWED;
	return (k->has & row->must) == row->must ? ERR_OK : ERR_MISSING;
}

static void put_field(struct wr *w, unsigned int f, struct view v)
{
	if (v.n < rows[f].min || v.n > rows[f].max)
		w->err = w->err ? w->err : ERR_LENGTH;
	wr_be(w, rows[f].tag, 2);
	wr_be(w, v.n, 4);
	wr_view(w, v);
}

void keep_emit(struct wr *w, const struct keep *k)
{
	size_t at = w->n;

	wr_be(w, 0x4d4b01, 3);
	wr_be(w, (unsigned int)k->op | (k->reply ? 0x80U : 0U), 1);
	wr_be(w, k->id, 4);
	wr_be(w, 0, 4);
	for (unsigned int f = 0; f < KEEP_FIELDS; f++) {
		if (!(k->has >> f & 1) || f == KEEP_PAIR)
			continue;
		if (rows[f].kind == KEEP_TEXT) {
			put_field(w, f, k->text[f]);
			continue;
		}
		wr_be(w, rows[f].tag, 2);
		wr_be(w, 8, 4);
		wr_be(w, k->num[f], 8);
	}
	for (size_t i = 0; i < k->pair_n; i++)
		put_field(w, KEEP_PAIR, k->pair[i]);
	wr_at(w, at + 8, w->n - at - KEEP_HEAD, 4);
}

void keep_put_num(struct keep *k, enum keep_field f, uint64_t num)
{
	k->num[f] = num;
	k->has |= (uint64_t)1 << f;
}

void keep_put_text(struct keep *k, enum keep_field f, struct view text)
{
	if (text.n == 0)
		return;
	k->text[f] = text;
	k->has |= (uint64_t)1 << f;
}
