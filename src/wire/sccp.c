#include "wire/sccp.h"

#define TAB "wire/sccp.tab"
#include "wire/tab_rows.inc"

static const struct proto sccp = { ROWS };

__attribute__((constructor)) static void index_rows(void)
{
	tab_index(&sccp);
}

#define FIELDS_MAX 7

/* What stands where: fixed octets, then a pointer to each variable part, then one to the options. */
static const struct layout {
	uint8_t type;
	uint8_t fixed[2];  /* fields of one octet */
	uint8_t pointer;   /* octets of a pointer; the data's length has as many */
	bool options;
} layouts[] = {
	[SCCP_UDT] = { 0x09, { SCCP_CLASS }, 1, false },
	[SCCP_UDTS] = { 0x0a, { SCCP_CAUSE }, 1, false },
	[SCCP_XUDT] = { 0x11, { SCCP_CLASS, SCCP_HOPS }, 1, true },
	[SCCP_XUDTS] = { 0x12, { SCCP_CAUSE, SCCP_HOPS }, 1, true },
	[SCCP_LUDT] = { 0x13, { SCCP_CLASS, SCCP_HOPS }, 2, true },
	[SCCP_LUDTS] = { 0x14, { SCCP_CAUSE, SCCP_HOPS }, 2, true },
};

static const uint16_t variable[] = { SCCP_CALLED, SCCP_CALLING, SCCP_DATA };

/* A parameter as a slot of the message, held against its row; empty ones are not there. */
static enum err keep(struct msg *m, uint16_t field, struct view v)
{
	const struct field *f = &fields[field];
	struct slot *s = &m->slot[m->slot_n];

	if (m->slot_n > FIELDS_MAX)
		return ERR_FULL;
	*s = (struct slot){ .field = field, .tag = f->tag, .value = v, .whole = v, .depth = 1 };
	m->slot_n++;
	m->slot->n++;
	if (v.n >= f->min && v.n <= f->max)
		return ERR_OK;
	m->culprit = field;
	m->blamed = *s;
	return ERR_LENGTH;
}

/* Pointers and lengths of two octets come low octet first (Q.713 2.3). */
static size_t take_size(struct rd *r, size_t width)
{
	size_t low = rd_be(r, 1);

	return width == 1 ? low : low | (size_t)rd_be(r, 1) << 8;
}

/* What a pointer leads to: it counts from its own first octet, in a long message from its last
 * (Q.713 2.3). 0 leads to nothing. */
static struct rd at_pointer(struct rd *r, size_t width)
{
	size_t far = take_size(r, width);
	struct rd to = { .left = r->left, .err = r->err };

	if (!to.err && far == 0)
		to.err = ERR_VALUE;
	rd_take(&to, far - 1);
	return to;
}

static enum err take_options(struct msg *m, struct rd r)
{
	static const uint16_t known[] = { SCCP_SEGMENT, SCCP_IMPORTANCE };
	uint32_t seen = 0, name;
	enum err err = ERR_OK;

	while (!err && (name = rd_be(&r, 1)) != 0) {
		struct view v = rd_take(&r, rd_be(&r, 1));

		for (size_t i = 0; i < sizeof known / sizeof *known && !r.err && !err; i++) {
			if (fields[known[i]].tag != name)
				continue;
			err = seen >> i & 1 ? ERR_REPEATED : keep(m, known[i], v);
			seen |= 1u << i;
		}
	}
	return err ? err : r.err;
}

static enum err take_all(struct msg *m, const struct layout *l, struct rd r)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < sizeof l->fixed && l->fixed[i] && !err; i++)
		err = keep(m, l->fixed[i], rd_take(&r, 1));
	for (size_t i = 0; i < sizeof variable / sizeof *variable && !err; i++) {
		struct rd part = at_pointer(&r, l->pointer);
		struct view v = rd_take(&part, take_size(&part, variable[i] == SCCP_DATA ? l->pointer : 1u));

		err = part.err ? part.err : keep(m, variable[i], v);
	}
	if (!err && l->options) {
		struct rd at = r;

		if (take_size(&at, l->pointer) != 0)
			err = take_options(m, at_pointer(&r, l->pointer));
		else
			err = at.err;
	}
	return err ? err : r.err;
}

enum err sccp_parse(struct msg *m, struct view raw, struct arena *mem)
{
	struct rd r = { .left = raw };
	uint32_t type = rd_be(&r, 1);
	const struct shape *shape = tab_shape(&sccp, 0, type, 0);

	tab_init(m, &sccp, raw);
	if (r.err)
		return r.err;
	if (!shape)
		return ERR_UNKNOWN_CMD;
	m->shape = shape;
	m->slot = arena_take(mem, sizeof *m->slot, FIELDS_MAX + 1);
	if (!m->slot)
		return ERR_FULL;
	memset(m->slot, 0, sizeof *m->slot * (FIELDS_MAX + 1));
	m->slot_cap = FIELDS_MAX + 1;
	m->slot_n = 1;
	m->slot->first = 1;
	m->slot->value = m->slot->whole = raw;
	return take_all(m, &layouts[shape->id], r);
}

static void take_digits(struct sccp_address *a, struct view v, bool odd)
{
	size_t n = v.n * 2 - (odd && v.n > 0);

	for (size_t i = 0; i < n && i < sizeof a->digits; i++) {
		uint8_t d = i % 2 ? v.p[i / 2] >> 4 : v.p[i / 2] & 15;

		if (d == 15 && i + 1 == n)
			return; /* a filler, or ST: an end */
		a->digits[a->digit_n++] = (uint8_t)(d < 10 ? '0' + d : 'a' + d - 10);
	}
}

/* A global title (Q.713 3.4.2.3): what precedes its digits. */
static enum err take_title(struct sccp_address *a, struct rd *r)
{
	bool odd = false;
	uint8_t x;

	switch (a->title) {
	case 1:
		x = (uint8_t)rd_be(r, 1);
		odd = x & 0x80;
		a->nature = x & 0x7f;
		break;
	case 2:
		a->translation = (uint8_t)rd_be(r, 1);
		break;
	case 3:
	case 4:
		a->translation = (uint8_t)rd_be(r, 1);
		x = (uint8_t)rd_be(r, 1);
		a->plan = x >> 4;
		odd = (x & 15) == 1;
		a->nature = a->title == 4 ? (uint8_t)(rd_be(r, 1) & 0x7f) : 0;
		break;
	default:
		return ERR_VALUE;
	}
	if (r->err)
		return r->err;
	if (r->left.n > sizeof a->digits / 2)
		return ERR_LENGTH;
	take_digits(a, r->left, odd);
	return ERR_OK;
}

enum err sccp_address(struct sccp_address *a, struct view v)
{
	struct rd r = { .left = v };
	uint32_t x = rd_be(&r, 1);

	*a = (struct sccp_address){ .by_ssn = x & 0x40, .title = x >> 2 & 15, .has_pc = x & 1,
				    .has_ssn = x & 2 };
	if (a->has_pc) {
		uint32_t low = rd_be(&r, 1), high = rd_be(&r, 1);

		a->pc = (uint16_t)((high << 8 | low) & 0x3fff);
	}
	if (a->has_ssn)
		a->ssn = (uint8_t)rd_be(&r, 1);
	if (r.err)
		return r.err;
	return a->title ? take_title(a, &r) : ERR_OK;
}

struct sccp_segment sccp_segment(struct view v)
{
	struct rd r = { .left = v };
	uint32_t x = rd_be(&r, 1);

	return (struct sccp_segment){ .first = x & 0x80, .in_sequence = x & 0x40, .left = x & 15,
				      .reference = rd_be(&r, 3) };
}

static void put_unit(struct wr *w, uint8_t type, uint8_t class, const struct view part[3])
{
	struct view called = part[0], calling = part[1], data = part[2];

	if (called.n > 254 || calling.n > 254 || data.n > 254 || called.n + calling.n > 250)
		w->err = w->err ? w->err : ERR_LENGTH;
	wr_be(w, type, 1);
	wr_be(w, class, 1);
	wr_be(w, 3, 1);
	wr_be(w, 3 + called.n, 1);
	wr_be(w, 3 + called.n + calling.n, 1);
	wr_be(w, called.n, 1);
	wr_view(w, called);
	wr_be(w, calling.n, 1);
	wr_view(w, calling);
	wr_be(w, data.n, 1);
	wr_view(w, data);
}

void sccp_put_udt(struct wr *w, struct view called, struct view calling, struct view data)
{
	sccp_put_udt_class(w, 0, called, calling, data);
}

void sccp_put_udt_class(struct wr *w, uint8_t class, struct view called, struct view calling,
			struct view data)
{
	put_unit(w, layouts[SCCP_UDT].type, class, (struct view[]){ called, calling, data });
}

void sccp_put_udts(struct wr *w, uint8_t cause, struct view called, struct view calling, struct view data)
{
	put_unit(w, layouts[SCCP_UDTS].type, cause, (struct view[]){ called, calling, data });
}

void sccp_put_segment(struct wr *w, const struct sccp_put *x)
{
	const struct view part[] = { x->called, x->calling, x->data };
	size_t at = 4; /* from a pointer to what it leads to */

	if (part[0].n + part[1].n + part[2].n > SCCP_SEGMENT_ROOM)
		w->err = w->err ? w->err : ERR_LENGTH;
	wr_be(w, layouts[SCCP_XUDT].type, 1);
	wr_be(w, x->class, 1);
	wr_be(w, x->hops, 1);
	for (size_t i = 0; i < 3; i++) {
		wr_be(w, at, 1);
		at += part[i].n;
	}
	wr_be(w, at, 1);
	for (size_t i = 0; i < 3; i++) {
		wr_be(w, part[i].n, 1);
		wr_view(w, part[i]);
	}
	wr_be(w, fields[SCCP_SEGMENT].tag, 1);
	wr_be(w, 4, 1);
	wr_be(w, (x->first ? 0x80u : 0) | 0x40u | (x->left & 15u), 1);
	wr_be(w, x->reference, 3);
	wr_be(w, 0, 1);
}

void sccp_put_title(struct wr *w, uint8_t ssn, struct view digits)
{
	wr_be(w, 0x12, 1); /* title of kind 4, subsystem, no point code, routed on the title */
	wr_be(w, ssn, 1);
	wr_be(w, 0, 1);
	wr_be(w, PLAN_E164 << 4 | (digits.n % 2 ? 1 : 2), 1);
	wr_be(w, 4, 1);
	for (size_t i = 0; i < digits.n; i += 2)
		wr_be(w, (digits.p[i] & 15u) | (i + 1 < digits.n ? (digits.p[i + 1] & 15u) << 4 : 0), 1);
}
