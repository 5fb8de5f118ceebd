/* The data model as rows (model.tab): which objects there are, which columns they have, what a
 * column may hold, and how a value is read from text and written as text. Pure. */
#pragma once
#include "base/bcd.h"

#define COLUMN_MAX 32   /* columns of one object */
#define ROW_ROOM   4096 /* bytes of text of one row */
#define SAY_MAX    256

enum object {
#define OBJECT(id, ...) OBJ_##id,
#define COLUMN(...)
#include "records/model.tab"
#undef OBJECT
#undef COLUMN
	OBJ_N
};

enum column_of_all {
#define OBJECT(...)
#define COLUMN(object, id, ...) COL_##id,
#include "records/model.tab"
#undef OBJECT
#undef COLUMN
	COL_N
};

enum model_kind {
	K_TEXT,  /* min..max bytes, no control characters */
	K_DIG,   /* min..max digits */
	K_NUM,   /* min..max */
	K_FLAG,  /* yes, no */
	K_ENUM,  /* one of names */
	K_BITS,  /* some of names, separated by a space */
	K_TIME,  /* 2026-11-25, 2026-11-25T10:00:00Z or seconds since 1970; empty = 0 */
	K_REF,   /* the key of another object */
	K_DIGS,  /* up to `names` numbers of min..max digits */
	K_NETS,  /* up to `names` address prefixes */
	K_HOST,  /* a domain name, in small letters */
	K_IMEI,  /* 8 digits (TAC), or 14 to 16, of which 14 are kept */
	K_APN,   /* name:pdn:qci:arp:ul:dl */
	K_REACH, /* up to `names` destinations, [PROTOCOL:]WHERE[:PORT[-PORT]] */
};

/* F_LATER: not among the columns of the first release. A store without it gets it, with its default; so it
 * is neither F_NEED nor F_ONE. F_HIDE: the journal says that it changed, never what it is. Nobody but the
 * keeper fills in F_BY, who made the record, F_LAST, who changed it last, and F_AT, when it was made. */
enum column_flag { F_NEED = 1, F_ONE = 2, F_LATER = 4, F_HIDE = 8, F_BY = 16, F_LAST = 32, F_AT = 64 };

/* The choices of USER_ROLE, USER_STATE, CRED_KIND, in their order. */
enum user_role {
	ROLE_OPERATOR_ADMIN, ROLE_SECURITY, ROLE_NOC, ROLE_COMPLIANCE,
	ROLE_TENANT_ADMIN, ROLE_TENANT_ENGINEER, ROLE_TENANT_VIEWER, ROLE_N
};
enum user_state { USER_INVITED, USER_ACTIVE, USER_DISABLED };
enum cred_kind { CRED_PASSWORD, CRED_TOTP, CRED_PASSKEY, CRED_RECOVERY, CRED_INVITE };

struct column {
	const char *name;
	enum model_kind kind;
	unsigned int flags;
	int64_t min, max;
	const char *names; /* K_ENUM, K_BITS: "a|b"; K_REF: the object; K_DIGS, K_NETS, K_REACH: how many */
	const char *def, *help;
	enum object object;
};

struct object_row {
	const char *name, *table, *help;
	unsigned int first, last; /* columns; `first` is the key */
};

extern const struct object_row model_objects[OBJ_N];
extern const struct column model_columns[COL_N];

/* One record, checked: a cell for each column, a number or a text according to its kind. */
struct cell {
	int64_t num;
	struct view text; /* into the row's room, or borrowed */
};
struct row {
	enum object object;
	int64_t id;         /* 0 = not stored yet */
	uint32_t version;   /* grows with every change */
	uint32_t given;     /* columns that were set, bits */
	bool tampered;      /* stored otherwise than Merlon wrote it */
	struct cell cell[COLUMN_MAX];
	uint8_t mac[32];
	size_t used;
	char room[ROW_ROOM];
};

/* Why something was refused, for a person. */
struct say {
	char text[SAY_MAX];
};
void say(struct say *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The object of that name; OBJ_N if there is none. */
enum object model_object(struct view name);
/* How many columns it has. */
unsigned int model_n(enum object o);
/* The column's place within its object; -1 if there is none. */
int model_column(enum object o, struct view name);
/* A stored kind: is it a number? */
bool model_is_num(enum model_kind kind);

/* An empty record with every default. */
void row_init(struct row *r, enum object o);
/* Read one value. ERR_VALUE with the reason in `s`; the row is then unchanged. */
enum err MUST_USE row_set(struct row *r, unsigned int column, struct view text, struct say *s);
/* Is every column that must be filled filled? */
enum err MUST_USE row_complete(const struct row *r, struct say *s);
/* Write one value as row_set reads it. */
void row_text(struct wr *w, const struct row *r, unsigned int column);
struct cell *row_cell(struct row *r, enum column_of_all c);
const struct cell *row_at(const struct row *r, enum column_of_all c);
static inline struct view row_key(const struct row *r)
{
	return r->cell[0].text;
}

/* An APN as K_APN writes it, in its parts. ERR_VALUE with the reason. */
struct model_apn {
	struct view name;
	uint32_t pdn, qci, arp, ul, dl;
};
enum err MUST_USE model_apn(struct view text, struct model_apn *a, struct say *s);
/* One destination of K_REACH. ERR_VALUE. */
struct reach_row;
enum err MUST_USE model_reach(struct view text, struct reach_row *to);
/* The next word of a list separated by spaces, commas or semicolons; empty at the end. */
struct view model_word(struct view *left);

/* "CREATE TABLE ..." of an object, into `to`. */
void model_sql(enum object o, char *to, size_t cap);
/* JSON: a string with quotes; a row as an object, numbers as numbers, lists as texts. */
void json_text(struct wr *w, struct view v);
void row_json(struct wr *w, const struct row *r, bool hidden); /* hidden: with F_HIDE columns */
/* The object's columns as JSON: name, kind, names, default, help. */
void model_json(struct wr *w, enum object o);
