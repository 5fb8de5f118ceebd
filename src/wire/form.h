/* Forms as OAuth sends them: application/x-www-form-urlencoded (RFC 6749 Appendix B). Pure. */
#pragma once
#include "base/bytes.h"

struct form_field {
	const char *name;
	struct view value; /* decoded, in the room given */
	bool given;
};

#define FORM_MAX 8192

/* The fields that are asked for; others are passed over. ERR_VALUE: a torn escape, a control character in a
 * field asked for. ERR_REPEATED. ERR_LENGTH. ERR_FULL: the room is too small. */
enum err MUST_USE form_read(struct view body, struct form_field *field, size_t n, struct wr *room);
