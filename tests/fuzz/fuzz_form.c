/* Forms: values lie in the room, hold no control character, and stay what they are when they are escaped
 * whole and read again. */
#include "wire/form.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void again(struct view v)
{
	static char text[3 * FORM_MAX + 8];
	static uint8_t room[FORM_MAX];
	struct form_field f[] = {{.name = "a"}};
	struct wr w = {.p = room, .cap = sizeof room};
	size_t at = 2;

	memcpy(text, "a=", 2);
	for (size_t i = 0; i < v.n; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%%%02X", v.p[i]);
	if (at > FORM_MAX)
		return;
	if (form_read((struct view){(const uint8_t *)text, at}, f, 1, &w) != ERR_OK ||
	    !view_eq(f[0].value, v))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t room[FORM_MAX];
	struct form_field f[] = {{.name = "a"}, {.name = "audience"}, {.name = "grant_type"}};
	struct wr w = {.p = room, .cap = sizeof room};

	if (form_read((struct view){data, n}, f, 3, &w) != ERR_OK)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		const struct view v = f[i].value;

		if (v.n > 0 && (v.p < room || v.p + v.n > room + sizeof room || !f[i].given))
			abort();
		for (size_t k = 0; k < v.n; k++) {
			if (v.p[k] < ' ' || v.p[k] == 0x7f)
				abort();
		}
		again(v);
	}
	return 0;
}
