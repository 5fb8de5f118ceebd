#include "cli/equip_form.h"

const struct equip_form equip_forms[] = {
	{ "gsma-full", true, false, "SG.18 records, the whole list" },
	{ "gsma-delta", true, true, "SG.18 records, what was put on and taken off" },
	{ "csv", false, false, "columns imei, or from and to; list; the whole list" },
	{ "csv-delta", false, true, "the same with a column action: add or remove" },
};
const size_t equip_form_n = sizeof equip_forms / sizeof *equip_forms;

static const char *const field_names[EF_NONE] = {
	[EF_TYPE] = "type", [EF_FROM] = "from", [EF_TO] = "to", [EF_REASON] = "reason",
	[EF_ORGANISATION] = "organisation", [EF_COUNT] = "count", [EF_LIST] = "list",
	[EF_ACTION] = "action", [EF_EXPIRES] = "expires",
};
static const uint8_t gsma_fields[] = { EF_TYPE, EF_FROM, EF_TO, EF_REASON };

enum record { REC_HEADER, REC_INSERT, REC_REMOVE, REC_TRAILER, REC_N };
static const struct {
	const char *word;
	enum record record;
} words[] = {
	{ "H", REC_HEADER }, { "HDR", REC_HEADER }, { "HEADER", REC_HEADER },
	{ "I", REC_INSERT }, { "INS", REC_INSERT }, { "INSERT", REC_INSERT },
	{ "R", REC_REMOVE }, { "REM", REC_REMOVE }, { "REMOVE", REC_REMOVE },
	{ "T", REC_TRAILER }, { "TRL", REC_TRAILER }, { "TRAILER", REC_TRAILER },
};
static const struct {
	const char *word;
	uint8_t colour;
} colours[] = { { "white", WHITE }, { "black", BLACK }, { "grey", GREY }, { "gray", GREY } };
static const struct {
	const char *word;
	bool off;
} acts[] = { { "add", false }, { "insert", false }, { "remove", true }, { "delete", true } };

#define N(a) (sizeof(a) / sizeof *(a))

static struct view trimmed(struct view v)
{
	while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '"'))
		v = (struct view){ v.p + 1, v.n - 1 };
	while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '"'))
		v.n--;
	return v;
}

/* Cut a line into its cells; SIZE_MAX: too many. */
static size_t cut(struct view line, uint8_t separator, struct view cell[EQUIP_FIELDS])
{
	size_t n = 0;
	bool more = true;

	while (more) {
		const uint8_t *end = line.n ? memchr(line.p, separator, line.n) : NULL;
		size_t len = end ? (size_t)(end - line.p) : line.n;

		if (n == EQUIP_FIELDS)
			return SIZE_MAX;
		cell[n++] = trimmed(view_first(line, len));
		more = end != NULL;
		if (more)
			line = (struct view){ line.p + len + 1, line.n - len - 1 };
	}
	return n;
}

static bool number(struct view v, uint64_t *to)
{
	*to = 0;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9' || i > 17)
			return false;
		*to = *to * 10 + v.p[i] - '0';
	}
	return v.n > 0;
}

/* TS 23.003 B: every second digit from the right doubled. */
static uint8_t check_digit(struct view v)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < 14; i++) {
		unsigned int d = v.p[i] - '0';

		d = i % 2 ? 2 * d : d;
		sum += d / 10 + d % 10;
	}
	return (uint8_t)('0' + (10 - sum % 10) % 10);
}

/* 8 digits are a TAC, 14 a device, 15 with a check digit, 16 with a software version. */
static const char *take_imei(struct view v, uint64_t *first, uint64_t *last)
{
	uint64_t x;

	if (v.n == 0)
		return "0013 IMEI is missing";
	if (v.n > 16)
		return "0012 IMEI is too long";
	if (!number(v, &x))
		return "0011 IMEI is no number";
	if (v.n == 8) {
		*first = x * EQUIP_SERIALS;
		*last = *first + EQUIP_SERIALS - 1;
		return NULL;
	}
	if (v.n < 14)
		return "0009 IMEI is too short: 14, 15 or 16 digits, or a TAC of 8";
	if (v.n == 15 && v.p[14] != check_digit(v))
		return "0012 the check digit is wrong";
	number(view_first(v, 14), first);
	*last = *first;
	return NULL;
}

static const char *take_range(struct view from, struct view to, struct equip_entry *e, size_t *n)
{
	uint64_t first, last, other;
	const char *why = take_imei(from, &first, &last);

	if (!why && to.n > 0)
		why = take_imei(to, &other, &last);
	if (why)
		return why;
	if (last < first)
		return "0009 negative range: To is below From";
	if (last / EQUIP_SERIALS - first / EQUIP_SERIALS >= EQUIP_RANGE_TACS)
		return "0009 the range is wider than 100 TACs";
	while (first <= last) {
		uint64_t end = first / EQUIP_SERIALS * EQUIP_SERIALS + EQUIP_SERIALS - 1;

		end = end < last ? end : last;
		e[*n].first = first;
		e[(*n)++].n = (uint32_t)(end - first + 1);
		first = end + 1;
	}
	return NULL;
}

static struct view field(const struct equip_parse *p, const struct view *cell, size_t n,
			 enum equip_field f)
{
	for (size_t i = 0; i < n && i < p->field_n; i++) {
		if (p->field[i] == f)
			return cell[i];
	}
	return (struct view){ 0 };
}

static bool has(const struct equip_parse *p, enum equip_field f)
{
	for (size_t i = 0; i < p->field_n; i++) {
		if (p->field[i] == f)
			return true;
	}
	return false;
}

/* --- beginning ------------------------------------------------------------------------------ */

static enum equip_field field_of(struct view name)
{
	if (view_eq_case(name, VIEW("imei")))
		return EF_FROM;
	for (unsigned int f = 0; f < EF_NONE; f++) {
		if (view_eq_case(name, view_of(field_names[f])))
			return (enum equip_field)f;
	}
	return EF_NONE;
}

static const char *take_fields(struct equip_parse *p, struct view line, bool strict)
{
	struct view cell[EQUIP_FIELDS];
	size_t n = cut(line, ',', cell);

	if (n == SIZE_MAX)
		return "too many columns";
	for (p->field_n = 0; p->field_n < n; p->field_n++) {
		p->field[p->field_n] = (uint8_t)field_of(cell[p->field_n]);
		if (strict && p->field[p->field_n] == EF_NONE && cell[p->field_n].n > 0)
			return "fields: type, from, to, reason, list, action; empty for what is skipped";
	}
	return has(p, EF_FROM) ? NULL : "no column imei or from";
}

static bool colour_of(struct view v, uint8_t *to)
{
	for (size_t i = 0; i < N(colours); i++) {
		if (!view_eq_case(v, view_of(colours[i].word)))
			continue;
		*to = colours[i].colour;
		return true;
	}
	return false;
}

const char *equip_parse_begin(struct equip_parse *p, const char *form, const char *list,
			      const char *fields, const char *organisation)
{
	*p = (struct equip_parse){ .list = BLACK, .list_only = list != NULL };
	for (size_t i = 0; i < equip_form_n; i++) {
		if (strcmp(form, equip_forms[i].name) == 0)
			p->form = &equip_forms[i];
	}
	if (!p->form)
		return "--form: gsma-full, gsma-delta, csv or csv-delta";
	if (list && !colour_of(view_of(list), &p->list))
		return "--list: white, black or grey";
	if (organisation)
		p->organisation = view_of(organisation);
	memcpy(p->field, gsma_fields, sizeof gsma_fields);
	p->field_n = sizeof gsma_fields;
	if (!fields)
		return NULL;
	if (!p->form->records)
		return "--fields: a CSV file's header says what its columns are";
	return take_fields(p, view_of(fields), true);
}

/* --- records -------------------------------------------------------------------------------- */

static enum record record_of(struct view type)
{
	for (size_t i = 0; i < N(words); i++) {
		if (view_eq_case(type, view_of(words[i].word)))
			return words[i].record;
	}
	return REC_N;
}

/* The first thing after the record type that is neither letter nor digit. */
static const char *take_header(struct equip_parse *p, struct view line)
{
	struct view cell[EQUIP_FIELDS];
	size_t i = 0, n;

	while (i < line.n && ((line.p[i] | 32) >= 'a' && (line.p[i] | 32) <= 'z'))
		i++;
	p->separator = i < line.n ? line.p[i] : ',';
	if (!strchr(",;|\t", p->separator) || p->separator == 0)
		return "0006 no header record at the begin";
	n = cut(line, p->separator, cell);
	if (n == SIZE_MAX || record_of(cell[0]) != REC_HEADER)
		return "0006 no header record at the begin";
	if (n < 2 || cell[1].n == 0)
		return "0004 the header record names no Organisation ID";
	if (p->organisation.n > 0 && !view_eq(cell[1], p->organisation))
		return "0014 the Organisation ID is not the one expected";
	p->header = true;
	return NULL;
}

static const char *take_trailer(struct equip_parse *p, const struct view *cell, size_t n)
{
	uint64_t count;

	if (n > 1 && cell[1].n > 0 && (!number(cell[1], &count) || count != p->records))
		return "0005 the trailer record counts other records than there are";
	p->trailer = true;
	return NULL;
}

static const char *take_record(struct equip_parse *p, struct view line, struct equip_entry *to,
			       size_t *n, bool *fatal)
{
	struct view cell[EQUIP_FIELDS];
	size_t cell_n = cut(line, p->separator, cell);
	enum record r = cell_n == SIZE_MAX ? REC_N : record_of(field(p, cell, cell_n, EF_TYPE));
	struct view reason = cell_n == SIZE_MAX ? line : field(p, cell, cell_n, EF_REASON);
	const char *why;
	uint64_t x;

	if (cell_n == SIZE_MAX)
		return "0012 too many fields";
	if (record_of(cell[0]) == REC_TRAILER) {
		why = take_trailer(p, cell, cell_n);
		*fatal = why != NULL;
		return why;
	}
	p->records++;
	if (r != REC_INSERT && r != REC_REMOVE)
		return "0011 neither an insert nor a remove record";
	if (r == REC_REMOVE && !p->form->delta)
		return "0011 a remove record in a whole list; is it a delta?";
	if (reason.n > 0 && (reason.n > 4 || !number(reason, &x)))
		return "0010 the reason code is no number of up to 4 digits";
	why = take_range(field(p, cell, cell_n, EF_FROM), field(p, cell, cell_n, EF_TO), to, n);
	for (size_t i = 0; i < *n; i++) {
		to[i].list = p->list;
		to[i].off = r == REC_REMOVE;
	}
	return why;
}

/* --- CSV ------------------------------------------------------------------------------------ */

static const char *take_action(const struct equip_parse *p, struct view action, bool *off)
{
	*off = false;
	if (action.n == 0)
		return NULL;
	for (size_t i = 0; i < N(acts); i++) {
		if (!view_eq_case(action, view_of(acts[i].word)))
			continue;
		*off = acts[i].off;
		return *off && !p->form->delta ? "action: a whole list has nothing to remove" : NULL;
	}
	return "action: add or remove";
}

static const char *take_row(struct equip_parse *p, struct view line, struct equip_entry *to, size_t *n)
{
	struct view cell[EQUIP_FIELDS], list;
	size_t cell_n = cut(line, ',', cell);
	uint8_t colour = p->list;
	const char *why;
	bool off;

	if (cell_n == SIZE_MAX || cell_n > p->field_n)
		return "more columns than the header has";
	list = field(p, cell, cell_n, EF_LIST);
	if (has(p, EF_LIST) && !colour_of(list, &colour))
		return "list: white, black or grey";
	if (p->list_only && colour != p->list)
		return "list: another than --list says";
	if (field(p, cell, cell_n, EF_EXPIRES).n > 0)
		return "expires: a bulk list keeps no end; import it without --form";
	why = take_action(p, field(p, cell, cell_n, EF_ACTION), &off);
	if (!why)
		why = take_range(field(p, cell, cell_n, EF_FROM), field(p, cell, cell_n, EF_TO), to, n);
	for (size_t i = 0; i < *n; i++) {
		to[i].list = colour;
		to[i].off = off;
	}
	return why;
}

static const char *take_csv_header(struct equip_parse *p, struct view line)
{
	const char *why = take_fields(p, line, false);

	if (!why && !has(p, EF_LIST) && !p->list_only)
		why = "no column list; say --list";
	p->header = !why;
	return why;
}

/* --- the file ------------------------------------------------------------------------------- */

const char *equip_parse_line(struct equip_parse *p, struct view line, struct equip_entry *to, size_t *n,
			     bool *fatal)
{
	const char *why;

	*n = 0;
	*fatal = false;
	if (!p->header) {
		why = p->form->records ? take_header(p, line) : take_csv_header(p, line);
		*fatal = why != NULL;
		return why;
	}
	if (line.n == 0)
		return NULL;
	if (p->trailer) {
		*fatal = true;
		return "0005 records after the trailer record";
	}
	why = p->form->records ? take_record(p, line, to, n, fatal) : take_row(p, line, to, n);
	if (why)
		*n = 0;
	return why;
}

const char *equip_parse_end(const struct equip_parse *p)
{
	if (!p->header)
		return p->form->records ? "0006 no header record" : "empty";
	if (p->form->records && !p->trailer)
		return "0007 no trailer record: the file is cut short";
	return NULL;
}

unsigned int equip_parse_full(const struct equip_parse *p)
{
	if (p->form->delta)
		return 0;
	return has(p, EF_LIST) && !p->list_only ? (1u << EQUIP_LISTS) - 1 : 1u << p->list;
}
