#include "wire/gsup.h"

#include "wire/ipa.h"

#define IMSI_MIN 6
#define IMSI_MAX 15

#define TAB "wire/gsup.tab"
#include "wire/tab_rows.inc"

static void take(struct slot *s, struct rd *r, const struct field *expected)
{
	struct view from = r->left;

	(void)expected;
	s->tag = rd_be(r, 1);
	s->value = rd_take(r, rd_be(r, 1));
	if (!r->err)
		s->whole = (struct view){from.p, s->value.n + 2};
}

const struct proto gsup_proto = {ROWS, .take = take};

__attribute__((constructor)) static void index_rows(void)
{
	tab_index(&gsup_proto);
}

enum err gsup_parse(struct msg *m, uint8_t *type, struct view raw, struct arena *mem)
{
	struct rd r = {.left = raw};
	const struct shape *shape;
	enum err err;

	*type = (uint8_t)rd_be(&r, 1);
	tab_init(m, &gsup_proto, raw);
	if (r.err)
		return r.err;
	shape = tab_shape(&gsup_proto, 0, *type, 0);
	err = tab_parse(m, &gsup_proto, shape, r.left, shape ? TAB_END : TAB_RELAY, mem);
	return shape || err ? err : ERR_UNKNOWN_CMD;
}

uint8_t gsup_type(enum gsup_msg id)
{
	return (uint8_t)shapes[id].code;
}

/* --- reading --- */

uint8_t gsup_u8(struct view v)
{
	return v.n == 1 ? v.p[0] : 0;
}

/* Digits two an octet, the first in the low half, an odd one filled with F. */
uint64_t gsup_imsi(const struct msg *m)
{
	uint64_t imsi = bcd_of_tbcd(tab_get(m, GSUP_IMSI));
	unsigned int n = bcd_n(imsi);

	return n >= IMSI_MIN && n <= IMSI_MAX ? imsi : 0;
}

uint64_t gsup_digits(struct view v)
{
	struct rd r = {.left = v};
	size_t n = rd_be(&r, 1);

	return r.err || n != r.left.n ? 0 : bcd_of_tbcd(r.left);
}

/* --- writing --- */

static void put_length(struct wr *w, size_t at)
{
	size_t n = w->n - at - 1;

	if (!w->err && n > UINT8_MAX)
		w->err = ERR_FULL;
	wr_at(w, at, n, 1);
}

size_t gsup_open(struct wr *w, uint16_t field)
{
	wr_be(w, fields[field].tag, 1);
	wr_be(w, 0, 1);
	return w->n - 1;
}

void gsup_close(struct wr *w, size_t start)
{
	if (!w->err)
		put_length(w, start);
}

void gsup_put(struct wr *w, uint16_t field, struct view v)
{
	size_t at = gsup_open(w, field);

	wr_view(w, v);
	gsup_close(w, at);
}

void gsup_put_u8(struct wr *w, uint16_t field, uint8_t x)
{
	gsup_put(w, field, (struct view){&x, 1});
}

/* libosmocore looks at the tag alone, and writes no value; Wireshark asks for one. */
void gsup_put_mark(struct wr *w, uint16_t field)
{
	gsup_put_u8(w, field, 1);
}

void gsup_put_digits(struct wr *w, uint16_t field, uint64_t digits)
{
	uint8_t tbcd[BCD_MAX / 2];
	size_t n = bcd_tbcd(digits, tbcd), at = gsup_open(w, field);

	wr_be(w, n, 1);
	wr_view(w, (struct view){tbcd, n});
	gsup_close(w, at);
}

void gsup_put_apn(struct wr *w, struct view name)
{
	size_t at = gsup_open(w, GSUP_APN), from = 0;

	for (size_t i = 0; i <= name.n; i++) {
		if (i < name.n && name.p[i] != '.')
			continue;
		wr_be(w, i - from, 1);
		wr_view(w, (struct view){name.p + from, i - from});
		from = i + 1;
	}
	gsup_close(w, at);
}

size_t gsup_begin(struct wr *w, uint8_t type, uint64_t imsi)
{
	size_t start = ipa_begin(w, IPA_OSMO, IPA_OSMO_GSUP);
	uint8_t tbcd[BCD_MAX / 2];

	wr_be(w, type, 1);
	if (imsi != 0)
		gsup_put(w, GSUP_IMSI, (struct view){tbcd, bcd_tbcd(imsi, tbcd)});
	return start;
}

void gsup_end(struct wr *w, size_t start)
{
	ipa_end(w, start);
}
