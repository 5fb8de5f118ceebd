#include "records/model.h"

#include <stdarg.h>
#include <stdio.h>

#define PRIOS     "critical|high|normal|low"
#define SUB_PRIOS PRIOS "|profile"
#define BINDINGS  "alert|refuse|greylist|detach|quarantine"
#define GREYS     "cancel|bar|quarantine|watch"
#define ASSURED   "|sim|bound-device"
#define CASES     "open|escalated|returned|expired"
#define NUM_8     "8"
#define RATS      "utran|geran|wb-eutran|nb-iot|lte-m|nr"
#define SERVICES  "sms-mo|sms-mt|voice|lcs|wifi-sim|wifi-aka|wifi-aka-prime|gba|ussd"
#define ALGS      "|milenage|tuak|xor|comp128-3"
#define LIVES     "inventory|test-ready|active|suspended|retired"
#define TRUSTS    "blocked|throttled|trusted|own"
#define APPS      "s6a|s13|map|gtp"
#define COLOURS   "white|black|grey"
#define MODES     "off|observe|enforce"
#define FORMS     "2ff|3ff|4ff|mff2"
#define PURPOSES  "inspection|sharing|analytics|location"
#define ANSWERS   "alert|block|quarantine"
#define ROLES     "operator-admin|security-engineer|noc-viewer|compliance-officer|tenant-admin|" \
		  "tenant-engineer|tenant-viewer"
#define USERS     "invited|active|disabled"
#define CREDENTIALS "password|totp|passkey|recovery|invitation"
#define SCOPES    "read|write|bulk|events|audit"
#define CARES     "open|acknowledged|closed"
#define ASSESSED  "risk|privacy"
#define INCIDENTS "security|personal-data|outage"
#define GRAVITY   "low|high|critical"
#define WISHES    "access|erasure"
#define ENDINGS   "open|done|refused"
#define RAISED    "critical|high"
#define DECIDED   "proposed|approved|refused"
#define NUM_4     "4"
#define NUM_8     "8"
#define NUM_16    "16"

/* A choice is stored by its place, and the judge's first check is number 1: none is 0. */
#define CHECK(id, stage, name, ...) "|" name
static const char check_names[] =
#include "judge/check.tab"
	;
#undef CHECK
#define CHECKS check_names

/* Bit 1 is the first: none set is a policy of its own. */
#define RADIO(id, name, ...) "|" name
static const char radio_names[] =
#include "crypto/radio.tab"
	;
#undef RADIO
#define RADIOS radio_names

/* Bit 1 is the first, as with the radio. */
#define LEAK(id, name, ...) "|" name
static const char leak_names[] =
#include "judge/leak.tab"
	;
#undef LEAK
#define LEAKS leak_names

const struct column model_columns[COL_N] = {
#define OBJECT(...)
#define COLUMN(object, id, name, kind, flags, min, max, names, def, help) \
	[COL_##id] = { (name), (kind), (flags), (min), (max), (names), (def), (help), OBJ_##object },
#include "records/model.tab"
#undef OBJECT
#undef COLUMN
};

const struct object_row model_objects[OBJ_N] = {
#define OBJECT(id, name, table, first, last, help) \
	[OBJ_##id] = { (name), (table), (help), COL_##first, COL_##last },
#define COLUMN(...)
#include "records/model.tab"
#undef OBJECT
#undef COLUMN
};

static const char *const kind_names[] = {
	[K_TEXT] = "text", [K_DIG] = "digits", [K_NUM] = "number", [K_FLAG] = "flag",
	[K_ENUM] = "choice", [K_BITS] = "choices", [K_TIME] = "time", [K_REF] = "reference",
	[K_DIGS] = "list of digits", [K_NETS] = "list of prefixes", [K_HOST] = "domain",
	[K_IMEI] = "IMEI or TAC", [K_APN] = "APN", [K_REACH] = "list of destinations",
};

void say(struct say *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->text, sizeof s->text, format, args);
	va_end(args);
}

enum object model_object(struct view name)
{
	enum object o = 0;

	while (o < OBJ_N && !view_eq(view_of(model_objects[o].name), name))
		o++;
	return o;
}

unsigned int model_n(enum object o)
{
	return model_objects[o].last - model_objects[o].first + 1;
}

int model_column(enum object o, struct view name)
{
	for (unsigned int i = 0; i < model_n(o); i++) {
		if (view_eq(view_of(model_columns[model_objects[o].first + i].name), name))
			return (int)i;
	}
	return -1;
}

bool model_is_num(enum model_kind kind)
{
	return kind == K_NUM || kind == K_FLAG || kind == K_ENUM || kind == K_BITS ||
	       kind == K_TIME;
}

void row_init(struct row *r, enum object o)
{
	struct say ignored;

	memset(r, 0, offsetof(struct row, room));
	r->object = o;
	for (unsigned int i = 0; i < model_n(o); i++) {
		const char *def = model_columns[model_objects[o].first + i].def;

		if (def[0] && row_set(r, i, view_of(def), &ignored))
			r->cell[i] = (struct cell){ 0 };
	}
	r->given = 0;
}

struct cell *row_cell(struct row *r, enum column_of_all c)
{
	return &r->cell[(unsigned int)c - model_objects[r->object].first];
}

const struct cell *row_at(const struct row *r, enum column_of_all c)
{
	return &r->cell[(unsigned int)c - model_objects[r->object].first];
}

enum err row_complete(const struct row *r, struct say *s)
{
	const struct column *c = &model_columns[model_objects[r->object].first];

	for (unsigned int i = 0; i < model_n(r->object); i++, c++) {
		if (c->flags & F_NEED && !(r->given >> i & 1)) {
			say(s, "%s: missing", c->name);
			return ERR_MISSING;
		}
	}
	return ERR_OK;
}

void model_sql(enum object o, char *to, size_t cap)
{
	const struct object_row *row = &model_objects[o];
	size_t n = (size_t)snprintf(to, cap, "CREATE TABLE IF NOT EXISTS %s ("
				    "id INTEGER PRIMARY KEY, version INTEGER NOT NULL",
				    row->table);

	for (unsigned int i = row->first; i <= row->last && n < cap; i++) {
		const struct column *c = &model_columns[i];

		n += (size_t)snprintf(to + n, cap - n, ", \"%s\" %s%s", c->name,
				      model_is_num(c->kind) ? "INTEGER NOT NULL" : "TEXT",
				      i == row->first || c->flags & F_ONE ? " UNIQUE" : "");
		if (c->kind != K_REF || n >= cap)
			continue;
		n += (size_t)snprintf(to + n, cap - n, " REFERENCES %s(name)", c->names);
	}
	if (n < cap)
		snprintf(to + n, cap - n, ", mac BLOB NOT NULL)");
}

void json_text(struct wr *w, struct view v)
{
	wr_be(w, '"', 1);
	for (size_t i = 0; i < v.n; i++) {
		char b[8];

		if (v.p[i] >= 0x20 && v.p[i] != '"' && v.p[i] != '\\') {
			wr_be(w, v.p[i], 1);
			continue;
		}
		snprintf(b, sizeof b, "\\u%04x", v.p[i]);
		wr_view(w, view_of(b));
	}
	wr_be(w, '"', 1);
}

static void json_name(struct wr *w, const char *name)
{
	json_text(w, view_of(name));
	wr_be(w, ':', 1);
}

void row_json(struct wr *w, const struct row *r, bool hidden)
{
	const struct column *c = &model_columns[model_objects[r->object].first];
	char head[64];

	snprintf(head, sizeof head, "{\"id\":%lld,\"version\":%u", (long long)r->id, r->version);
	wr_view(w, view_of(head));
	for (unsigned int i = 0; i < model_n(r->object); i++, c++) {
		uint8_t room[ROW_ROOM];
		struct wr text = { .p = room, .cap = sizeof room };

		if (c->flags & F_HIDE && !hidden)
			continue;
		row_text(&text, r, i);
		wr_be(w, ',', 1);
		json_name(w, c->name);
		if (c->kind == K_NUM)
			wr_view(w, wr_done(&text));
		else if (c->kind == K_FLAG)
			wr_view(w, r->cell[i].num ? VIEW("true") : VIEW("false"));
		else
			json_text(w, wr_done(&text));
	}
	wr_be(w, '}', 1);
}

void model_json(struct wr *w, enum object o)
{
	const struct object_row *row = &model_objects[o];

	wr_view(w, VIEW("{"));
	json_name(w, "object");
	json_text(w, view_of(row->name));
	wr_view(w, VIEW(","));
	json_name(w, "help");
	json_text(w, view_of(row->help));
	wr_view(w, VIEW(",\"fields\":["));
	for (unsigned int i = row->first; i <= row->last; i++) {
		const struct column *c = &model_columns[i];

		wr_view(w, i == row->first ? VIEW("{") : VIEW(",{"));
		json_name(w, "name");
		json_text(w, view_of(c->name));
		wr_view(w, VIEW(","));
		json_name(w, "kind");
		json_text(w, view_of(kind_names[c->kind]));
		wr_view(w, VIEW(","));
		json_name(w, "choices");
		json_text(w, c->kind == K_ENUM || c->kind == K_BITS || c->kind == K_REF ?
			     view_of(c->names) : VIEW(""));
		wr_view(w, VIEW(","));
		json_name(w, "default");
		json_text(w, view_of(c->def));
		wr_view(w, VIEW(","));
		json_name(w, "help");
		json_text(w, view_of(c->help));
		wr_view(w, VIEW("}"));
	}
	wr_view(w, VIEW("]}"));
}
