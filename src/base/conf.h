/* Configuration: YAML held against rows. From the rows come the checks, the error text with file
 * and line, the defaults, the commented sample and the manual. An unknown key is an error. */
#pragma once
#include "base/bytes.h"

#include <stdio.h>

enum conf_kind {
	CONF_TEXT,   /* char[CONF_TEXT_MAX] */
	CONF_NUMBER, /* uint32_t, min..max */
	CONF_BOOL,   /* bool */
	CONF_CHOICE, /* uint32_t: the index of one of the words in `choices` */
	CONF_LIST,   /* struct conf_list */
	CONF_DIGITS, /* uint64_t (base/bcd.h), min..max digits */
};

#define CONF_TEXT_MAX 256
#define CONF_LIST_MAX 8

struct conf_list {
	char text[CONF_LIST_MAX][CONF_TEXT_MAX];
	size_t n;
};

struct conf_row {
	const char *key; /* "edge.listen" */
	enum conf_kind kind;
	size_t offset; /* in the struct that is filled */
	uint32_t min, max;
	const char *preset;  /* default, as YAML; a list as "a, b" */
	const char *choices; /* "off|observe|enforce" */
	const char *unit;    /* "ms"; "" = none */
	bool reload;	     /* takes effect on reload; else only after a restart */
	const char *help;
};

/* Fill `out` from the defaults, then from `yaml`. ERR_CONFIG with "FILE:LINE: KEY ..." in `why`. */
enum err MUST_USE conf_load(const struct conf_row *rows, size_t n, struct view yaml,
			    const char *file, void *out, char why[256]);

/* The first key that differs between two filled structs and needs a restart; NULL: none does. */
const char *conf_needs_restart(const struct conf_row *rows, size_t n, const void *a, const void *b);

/* Take over the keys that a reload may change. */
void conf_take(const struct conf_row *rows, size_t n, void *to, const void *from);

/* The sample configuration: every key, its help, its default. */
void conf_sample(const struct conf_row *rows, size_t n, FILE *to);
