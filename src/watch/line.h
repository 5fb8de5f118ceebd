/* One event as it travels: a flat JSON object of texts and numbers on one line, as log_write makes
 * it. Pure. */
#pragma once
#include "base/bytes.h"

/* What the store indexes an event by. Views into the line, without their quotes; empty: not there.
 * Texts are as escaped as they were. */
struct event_line {
	uint64_t at_us, seq, n; /* n: how many of the kind; 1 where it does not say */
	uint8_t level;		/* enum log_level */
	struct view role, name, check, clause, network, tenant, subject;
};

/* The next field of the object, `left` behind its opening brace. False: there is none; ERR_VALUE in
 * *err when what is there is no field. */
bool line_next(struct view *left, struct view *key, struct view *value, enum err *err);
/* The line (with or without its end) into its parts. ERR_VALUE: not of that form, or without time,
 * role or event. */
enum err MUST_USE line_parse(struct view line, struct event_line *e);
/* The value of one field; empty: not there. */
struct view line_find(struct view line, struct view key);
