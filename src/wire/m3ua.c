#include "wire/m3ua.h"

#define VERSION     1
#define PARAM_HEAD  4
#define LABEL       12 /* OPC, DPC, SI, NI, MP, SLS */

#define TAB "wire/m3ua.tab"
#include "wire/tab_rows.inc"

/* A parameter's length counts its head, not its padding (RFC 4666 3.2); the last may lack the padding. */
static void take(struct slot *s, struct rd *r, const struct field *expected)
{
	const uint8_t *start = r->left.p;
	size_t n, pad;

	(void)expected;
	s->tag = rd_be(r, 2);
	n = rd_be(r, 2);
	if (!r->err && n < PARAM_HEAD)
		r->err = ERR_LENGTH;
	s->value = rd_take(r, n - PARAM_HEAD);
	pad = -n & 3;
	rd_take(r, pad < r->left.n ? pad : r->left.n);
	if (!r->err)
		s->whole = (struct view){ start, (size_t)(r->left.p - start) };
}

static const struct proto m3ua = { ROWS, .take = take };

__attribute__((constructor)) static void index_rows(void)
{
	tab_index(&m3ua);
}

size_t m3ua_frame(struct view in)
{
	struct rd r = { .left = in };
	size_t n;

	if (in.n < M3UA_HEADER)
		return 0;
	rd_take(&r, 4);
	n = rd_be(&r, 4);
	if (in.p[0] != VERSION || n < M3UA_HEADER || n > M3UA_FRAME_MAX)
		return SIZE_MAX;
	return n <= in.n ? n : 0;
}

enum err m3ua_parse(struct msg *m, struct view raw, struct arena *mem)
{
	struct rd r = { .left = raw };
	uint32_t version = rd_be(&r, 1), class, type, n;
	const struct shape *shape;

	rd_take(&r, 1);
	class = rd_be(&r, 1);
	type = rd_be(&r, 1);
	n = rd_be(&r, 4);
	tab_init(m, &m3ua, raw);
	if (r.err)
		return r.err;
	if (version != VERSION)
		return ERR_VERSION;
	if (n != raw.n)
		return ERR_LENGTH;
	shape = tab_shape(&m3ua, class, type, 0);
	return shape ? tab_parse(m, &m3ua, shape, r.left, TAB_END, mem) : ERR_UNKNOWN_CMD;
}

bool m3ua_data(const struct msg *m, struct m3ua_data *out)
{
	struct rd r = { .left = tab_get(m, M3UA_DATA) };

	out->opc = rd_be(&r, 4);
	out->dpc = rd_be(&r, 4);
	out->si = (uint8_t)rd_be(&r, 1);
	out->ni = (uint8_t)rd_be(&r, 1);
	out->mp = (uint8_t)rd_be(&r, 1);
	out->sls = (uint8_t)rd_be(&r, 1);
	out->user = r.left;
	return !r.err;
}

size_t m3ua_begin(struct wr *w, enum m3ua_msg id)
{
	size_t start = w->n;

	wr_be(w, VERSION << 8, 2);
	wr_be(w, shapes[id].space, 1);
	wr_be(w, shapes[id].code, 1);
	wr_be(w, 0, 4);
	return start;
}

static void put_head(struct wr *w, enum m3ua_field field, size_t n)
{
	wr_be(w, fields[field].tag, 2);
	wr_be(w, n + PARAM_HEAD, 2);
}

static void put_pad(struct wr *w, size_t n)
{
	wr_be(w, 0, -n & 3);
}

void m3ua_put(struct wr *w, enum m3ua_field field, struct view v)
{
	put_head(w, field, v.n);
	wr_view(w, v);
	put_pad(w, v.n);
}

void m3ua_put_u32(struct wr *w, enum m3ua_field field, uint32_t x)
{
	put_head(w, field, 4);
	wr_be(w, x, 4);
}

void m3ua_put_data(struct wr *w, const struct m3ua_data *d)
{
	put_head(w, M3UA_DATA, LABEL + d->user.n);
	wr_be(w, d->opc, 4);
	wr_be(w, d->dpc, 4);
	wr_be(w, d->si, 1);
	wr_be(w, d->ni, 1);
	wr_be(w, d->mp, 1);
	wr_be(w, d->sls, 1);
	wr_view(w, d->user);
	put_pad(w, d->user.n);
}

void m3ua_end(struct wr *w, size_t start)
{
	if (!w->err)
		wr_at(w, start + 4, w->n - start, 4);
}
