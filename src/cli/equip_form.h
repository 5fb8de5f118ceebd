/* Files of bulk equipment lists, line by line: GSMA's IMEI database exchange (SG.18) and CSV. What a
 * form's records are called and where their fields stand are rows (equip_form.c): the order of SG.18's
 * fields is an assumption that --fields replaces. */
#pragma once
#include "records/equip_make.h"

#define EQUIP_RANGE_TACS 100 /* a From-To range wider than that is refused: SG.18's 0009 */
#define EQUIP_FIELDS     16

enum equip_field {
	EF_TYPE, EF_FROM, EF_TO, EF_REASON, EF_ORGANISATION, EF_COUNT, EF_LIST, EF_ACTION, EF_EXPIRES,
	EF_NONE
};

struct equip_form {
	const char *name;
	bool records; /* header, insert, remove, trailer; else CSV with a header line */
	bool delta;   /* what it does not name stays */
	const char *help;
};
extern const struct equip_form equip_forms[];
extern const size_t equip_form_n;

struct equip_parse {
	const struct equip_form *form;
	struct view organisation; /* that the header must name; empty: any */
	uint8_t list;		  /* enum colour, of lines that name none */
	bool list_only;		  /* --list was given: lines of another are refused */
	uint8_t separator;
	uint8_t field[EQUIP_FIELDS]; /* enum equip_field of each column */
	size_t field_n;
	bool header, trailer;
	uint64_t records; /* insert and remove records seen */
};

/* `list`, `fields` (names separated by commas) and `organisation` may be NULL; borrowed. NULL, or what is
 * wrong. */
const char *equip_parse_begin(struct equip_parse *p, const char *form, const char *list,
			      const char *fields, const char *organisation);
/* One line without its end: at most EQUIP_RANGE_TACS entries into `to`. NULL, or why the line is refused;
 * `*fatal`: so is the file. */
const char *equip_parse_line(struct equip_parse *p, struct view line, struct equip_entry *to, size_t *n,
			     bool *fatal);
/* After the last line. NULL, or why the file is refused. */
const char *equip_parse_end(const struct equip_parse *p);
/* The lists that the file states whole, as bits; 0: it is a delta. Known after the header. */
unsigned int equip_parse_full(const struct equip_parse *p);
