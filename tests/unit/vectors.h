/* Published test sets in tests/vectors, read as JSON. */
#pragma once
#include "unit/test.h"

#include <jansson.h>

static inline json_t *vectors_open(const char *name)
{
	char path[512];
	json_error_t fault;
	json_t *all;

	snprintf(path, sizeof path, "%s/%s", VECTORS, name);
	all = json_load_file(path, 0, &fault);
	if (!all)
		fprintf(stderr, "%s: %s\n", path, fault.text);
	check(all);
	return all;
}

static inline uint64_t vectors_num(const json_t *set, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(set, name));
}

/* Octets of a text of hexadecimal digits; the number of them. */
static inline size_t vectors_hex(const json_t *set, const char *name, uint8_t *to, size_t max)
{
	const char *text = json_string_value(json_object_get(set, name));
	size_t n;

	check(text);
	n = strlen(text) / 2;
	check(n <= max && strlen(text) % 2 == 0);
	for (size_t i = 0; i < n; i++) {
		unsigned int x;

		check(sscanf(text + 2 * i, "%2x", &x) == 1);
		to[i] = (uint8_t)x;
	}
	return n;
}
