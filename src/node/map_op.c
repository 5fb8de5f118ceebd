/* The operations as rows, and what can be read off a message beside them. */
#include "node/map_inside.h"

#include <stdio.h>

static const struct map_row rows[] = {
#define MAP_OP(code, category_, op_, to_, oldest_, ...) \
	[code] = { CATEGORY_##category_, OP_##op_, (oldest_), true, (to_), { __VA_ARGS__ } },
#include "node/map_op.tab"
#undef MAP_OP
};

const char *const map_form_names[16] = {
	"code", "context", "version", "several", "late", "layers", "split", "lengths", "identities",
};

const struct map_row *map_row(uint32_t code)
{
	return code < sizeof rows / sizeof *rows && rows[code].known ? &rows[code] : NULL;
}

const char *map_op_name(uint32_t code)
{
	const struct shape *s = map_operation(code);

	return s ? s->name : NULL;
}

static uint32_t code_of(struct view name)
{
	for (uint32_t code = 0; code < sizeof rows / sizeof *rows; code++) {
		if (rows[code].known && view_eq_case(name, view_of(map_op_name(code))))
			return code;
	}
	return UINT32_MAX;
}

static enum err one_category(struct map_conf *conf, struct view word, char why[256])
{
	const uint8_t *equals = memchr(word.p, '=', word.n);
	struct view name = { word.p, equals ? (size_t)(equals - word.p) : word.n };
	uint32_t code = code_of(name);
	uint8_t digit = word.n == name.n + 2 ? word.p[word.n - 1] : 0;

	if (code == UINT32_MAX || digit < '1' || digit > '4') {
		snprintf(why, 256, "edge.map_categories: %.*s: a MAP operation and 1, 2, 3 or 4 (4: SMS), as "
			 "sendIdentification=3", (int)(word.n < 80 ? word.n : 80), (const char *)word.p);
		return ERR_CONFIG;
	}
	conf->category[code] = (uint8_t)(digit - '0');
	return ERR_OK;
}

enum err map_categories(struct map_conf *conf, struct view text, char why[256])
{
	enum err err = ERR_OK;

	while (text.n > 0 && !err) {
		size_t n = 0;

		while (n < text.n && text.p[n] != ' ' && text.p[n] != ',')
			n++;
		if (n > 0)
			err = one_category(conf, view_first(text, n), why);
		n += n < text.n;
		text = (struct view){ text.p + n, text.n - n };
	}
	return err;
}

/* --- what an argument says ------------------------------------------------------------------- */

enum role {
	NO_ROLE,
	ROLE_IMSI,
	ROLE_MSISDN,
	ROLE_IMEI,
	ROLE_VLR,
	ROLE_SGSN,
	ROLE_VISITED,
	ROLE_HOME,
	ROLE_SMS
};

static const uint8_t roles[] = {
	[MAP_IMSI] = ROLE_IMSI, [MAP_IMSI_0] = ROLE_IMSI, [MAP_IMSI_1] = ROLE_IMSI, [MAP_IMSI_2] = ROLE_IMSI,
	[MAP_IMSI_3] = ROLE_IMSI, [MAP_IMSI_9] = ROLE_IMSI,
	[MAP_MSISDN] = ROLE_MSISDN, [MAP_MSISDN_0] = ROLE_MSISDN, [MAP_MSISDN_1] = ROLE_MSISDN,
	[MAP_MSISDN_2] = ROLE_MSISDN, [MAP_MSISDN_3] = ROLE_MSISDN,
	[MAP_IMEI] = ROLE_IMEI, [MAP_IMEI_2] = ROLE_IMEI, [MAP_IMEI_5] = ROLE_IMEI,
	[MAP_VLR] = ROLE_VLR, [MAP_VLR_0] = ROLE_VLR, [MAP_VLR_1] = ROLE_VLR,
	[MAP_SGSN] = ROLE_SGSN, [MAP_SGSN_1] = ROLE_SGSN, [MAP_SGSN_2] = ROLE_SGSN,
	[MAP_MSC] = ROLE_VISITED, [MAP_NODE] = ROLE_VISITED, [MAP_ORIGIN] = ROLE_VISITED,
	[MAP_HLR] = ROLE_HOME, [MAP_SCF_0] = ROLE_HOME, [MAP_MLC] = ROLE_HOME,
	[MAP_SC_OA] = ROLE_SMS, [MAP_SC_2] = ROLE_SMS,
};

static void take_node(struct facts *f, struct view address)
{
	uint64_t number = map_number(address, NULL);

	if (f->node_n < NODE_MAX)
		f->node[f->node_n++] = number ? number : bcd_of(VIEW("0"));
}

/* IMEI and its software version: 14 digits count (TS 29.002 IMEI). */
static uint64_t imei_of(struct view v)
{
	return bcd_first(map_imsi(view_first(v, 7)), 14);
}

/* The one that serves stands first. */
static void take_serving(struct facts *f, enum serves serves, struct view address)
{
	uint64_t before = f->node[0];

	f->serves = (uint8_t)serves;
	take_node(f, address);
	if (f->node_n > 1) {
		f->node[0] = f->node[f->node_n - 1];
		f->node[f->node_n - 1] = before;
	}
}

static void take_field(struct facts *f, enum role role, struct view v, bool visits)
{
	switch (role) {
	case ROLE_IMSI:
		f->form |= f->imsi && f->imsi != map_imsi(v) ? FORM_NAMES : 0u;
		f->imsi = f->imsi ? f->imsi : map_imsi(v);
		break;
	case ROLE_MSISDN:
		f->msisdn = f->msisdn ? f->msisdn : map_number(v, NULL);
		break;
	case ROLE_IMEI:
		f->imei = f->imei ? f->imei : imei_of(v);
		break;
	case ROLE_VLR:
	case ROLE_SGSN:
		if (visits)
			take_serving(f, role == ROLE_VLR ? SERVES_VLR : SERVES_SGSN, v);
		break;
	case ROLE_VISITED:
		if (visits)
			take_node(f, v);
		break;
	case ROLE_HOME:
		if (!visits && f->category == CATEGORY_HOME)
			take_node(f, v);
		break;
	case ROLE_SMS:
		if (f->category == CATEGORY_SMS)
			take_node(f, v);
		break;
	case NO_ROLE:
		break;
	}
}

void map_take_argument(struct facts *f, const struct msg *argument, bool visits)
{
	static const uint8_t auts[] = { MAP_AUTS };

	for (size_t i = 1; i < argument->slot_n; i++) {
		const struct slot *s = &argument->slot[i];

		f->resync |= s->field == auts[0];
		if (s->field < sizeof roles && s->value.n > 0)
			take_field(f, (enum role)roles[s->field], s->value, visits);
	}
}

/* --- forms ------------------------------------------------------------------------------------ */

static uint16_t to_of(uint8_t ssn)
{
	switch (ssn) {
	case SSN_HLR:
		return TO_HLR;
	case SSN_VLR:
		return TO_VLR;
	case SSN_MSC:
		return TO_MSC;
	case SSN_EIR:
		return TO_EIR;
	case SSN_AUC:
		return TO_AUC;
	case SSN_SCF:
		return TO_SCF;
	case SSN_GMLC:
		return TO_GMLC;
	case SSN_SGSN:
		return TO_SGSN;
	case SSN_GGSN:
		return TO_GGSN;
	default:
		return 0;
	}
}

static bool belongs(const struct map_row *row, uint8_t context)
{
	for (size_t i = 0; i < MAP_CONTEXTS; i++) {
		if (row->context[i] != 0 && row->context[i] == context)
			return true;
	}
	return false;
}

uint16_t map_form_of_context(const struct map_row *row, const struct map_seen *seen, bool begins)
{
	uint16_t form = 0;

	if (seen->context != 0 && !belongs(row, seen->context))
		form |= FORM_CONTEXT;
	if (begins && seen->called.has_ssn && seen->called.ssn != 0 && !(row->to & to_of(seen->called.ssn)))
		form |= FORM_CONTEXT;
	if (seen->version != 0 && seen->version < row->oldest)
		form |= FORM_VERSION;
	return form;
}

uint16_t map_form_of_encoding(const struct msg *m)
{
	uint16_t form = 0;

	for (size_t i = 0; i < m->slot_n; i++)
		form |= m->slot[i].flags & BER_LONGER ? FORM_LENGTHS : 0;
	return form;
}

bool map_title_fits(const struct sccp_address *a, uint64_t imsi)
{
	char text[BCD_TEXT];
	size_t n = bcd_text(imsi, text);

	for (size_t mnc = 5; mnc <= 6 && mnc < n; mnc++) { /* the MCC and an MNC of two or three digits */
		for (size_t head = 2; head <= 9 && head < a->digit_n; head++) {
			size_t tail = a->digit_n - head;

			if (tail <= n - mnc && memcmp(a->digits + head, text + mnc, tail) == 0)
				return true;
		}
	}
	return false;
}
