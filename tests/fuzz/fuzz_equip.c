/* Files of bulk equipment lists, whatever their lines hold: the first byte is the form. What comes out
 * are entries that the maker takes, all of one TAC each. */
#include "cli/equip_form.h"
#include "fuzz/inside.h"

#include <stdlib.h>

#define CHECK(cond) ((cond) ? (void)0 : abort())

static void check_entries(const struct equip_parse *p, const struct equip_entry *e, size_t n)
{
	unsigned int full = equip_parse_full(p);

	CHECK(n <= EQUIP_RANGE_TACS);
	for (size_t i = 0; i < n; i++) {
		CHECK(e[i].n > 0 && e[i].n <= EQUIP_SERIALS && e[i].list < EQUIP_LISTS);
		CHECK(e[i].first % EQUIP_SERIALS + e[i].n <= EQUIP_SERIALS);
		CHECK(e[i].first / EQUIP_SERIALS < 100000000);
		CHECK(!full || (!e[i].off && (full >> e[i].list & 1)));
		CHECK(i == 0 || e[i].first == e[i - 1].first + e[i - 1].n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct equip_entry entry[EQUIP_RANGE_TACS];
	static const char *const fields[] = { NULL, "type,from,to,reason", "type,,reason,from,to" };
	struct view left = { data + 1, size - 1 };
	struct equip_parse p;
	bool fatal = false;

	if (size < 2)
		return 0;
	if (equip_parse_begin(&p, equip_forms[data[0] % equip_form_n].name, data[0] & 16 ? "grey" : NULL,
			      equip_forms[data[0] % equip_form_n].records ? fields[data[0] / 32 % 3] : NULL,
			      NULL))
		return 0;
	while (left.n > 0 && !fatal) {
		const uint8_t *end = memchr(left.p, '\n', left.n);
		size_t n = end ? (size_t)(end - left.p) : left.n, entries;

		if (equip_parse_line(&p, view_first(left, n), entry, &entries, &fatal))
			CHECK(entries == 0);
		check_entries(&p, entry, entries);
		n += end != NULL;
		left = (struct view){ left.p + n, left.n - n };
	}
	(void)equip_parse_end(&p);
	return 0;
}
