/* Whatever comes from a GSUP connection: it ends, what it yields lies inside what it was given, and
 * what was parsed survives emit and parse. */
#include "fuzz/inside.h"
#include "wire/gsup.h"
#include "wire/ipa.h"

#define ROOM ((size_t)64 * 1024)

static void emit_group(struct wr *w, const struct msg *m, const struct slot *group)
{
	const struct slot *s = NULL;

	while ((s = tab_next(m, group, NO_FIELD, s))) {
		size_t at;

		if (s->field == NO_FIELD)
			continue;
		at = gsup_open(w, s->field);
		if (gsup_proto.fields[s->field].rules)
			emit_group(w, m, s);
		else
			wr_view(w, s->value);
		gsup_close(w, at);
	}
}

static size_t known(const struct msg *m)
{
	size_t n = 0;

	for (size_t i = 1; i < m->slot_n; i++)
		n += m->slot[i].field != NO_FIELD;
	return n;
}

static void survives(const struct msg *m, uint8_t type)
{
	static uint8_t bytes[2 * IPA_BODY_MAX], room[ROOM];
	struct arena mem = {room, 0, sizeof room};
	struct wr w = {.p = bytes, .cap = sizeof bytes};
	size_t start = gsup_begin(&w, type, 0);
	struct msg again;
	uint8_t got;

	emit_group(&w, m, NULL);
	gsup_end(&w, start);
	if (w.err || ipa_frame(wr_done(&w)) != w.n)
		abort();
	if (gsup_parse(&again, &got, (struct view){bytes + 4, w.n - 4}, &mem) || got != type ||
	    known(&again) != known(m) || gsup_imsi(&again) != gsup_imsi(m))
		abort();
}

/* A name is one only if it is what its own question and answer would carry again. */
static void named(struct view body, struct view in)
{
	struct view name = ipa_name(body);

	lies_inside(name, in);
	if (name.n > IPA_NAME_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t room[ROOM];
	struct arena mem = {room, 0, sizeof room};
	struct view in = {data, n};
	size_t frame = ipa_frame(in);
	struct ipa ipa;
	struct msg m;
	uint8_t type;

	if (frame == 0 || frame == SIZE_MAX || frame > n) {
		if (ipa_parse(in, &ipa) == ERR_OK)
			abort();
		return 0;
	}
	in.n = frame;
	if (ipa_parse(in, &ipa) != ERR_OK)
		abort();
	lies_inside(ipa.body, in);
	named(ipa.body, in);
	if (ipa.stream != IPA_OSMO || ipa.kind != IPA_OSMO_GSUP)
		return 0;
	if (gsup_parse(&m, &type, ipa.body, &mem) == ERR_OK) {
		inside(&m, in);
		gsup_digits(tab_get(&m, GSUP_IMEI));
		survives(&m, type);
	} else {
		lies_inside(tab_get(&m, GSUP_IMSI), in);
	}
	return 0;
}
