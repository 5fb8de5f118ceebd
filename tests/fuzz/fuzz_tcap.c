/* Whatever comes: parsing ends, and what it yields lies inside what it was given, survives being written and
 * parsed again; and so do the arguments of what it asks. */
#include "fuzz/ber_again.h"
#include "wire/map.h"
#include "wire/tcap.h"

static uint8_t room[3][64 * 1024], bytes[1 << 17];

static void survives(const struct msg *a)
{
	struct arena mem = { room[1], 0, sizeof room[1] };
	struct wr body = { .p = bytes, .cap = sizeof bytes / 2 }, all = { .p = bytes + sizeof bytes / 2,
									  .cap = sizeof bytes / 2 };
	struct view rest;
	struct msg b;

	for (const struct slot *s = NULL; (s = tab_next(a, NULL, NO_FIELD, s));)
		ber_again(&body, a, s);
	ber_put_head(&all, (enum ber_class)a->shape->space, true, (uint8_t)a->shape->code, body.n);
	wr_view(&all, wr_done(&body));
	if (body.err || all.err)
		return; /* longer than any message, written in nested layers */
	if (tcap_parse(&b, wr_done(&all), &rest, &mem) != ERR_OK || rest.n > 0)
		abort();
	ber_same(a, &b);
}

static void arguments(const struct msg *m, struct view in)
{
	const struct slot *all = tab_slot(m, TCAP_COMPONENTS);

	for (const struct slot *s = NULL; all && (s = tab_next(m, all, TCAP_INVOKE, s));) {
		const struct slot *op = tab_next(m, s, TCAP_LOCAL, NULL),
				  *arg = tab_next(m, s, TCAP_PARAMETER, NULL);
		struct arena mem = { room[2], 0, sizeof room[2] };
		struct msg a;

		if (op && map_parse(&a, (uint32_t)ber_int(op->value),
				    arg ? arg->whole : (struct view){ 0 }, &mem) == ERR_OK)
			inside(&a, in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena mem = { room[0], 0, sizeof room[0] };
	struct view in = { data, n }, rest;
	struct msg m;

	if (n > UINT16_MAX || tcap_parse(&m, in, &rest, &mem) != ERR_OK)
		return 0;
	lies_inside(rest, in);
	inside(&m, in);
	survives(&m);
	arguments(&m, in);
	return 0;
}
