#include "wire/tcap.h"

#define TAB "wire/tcap.tab"
#include "wire/tab_rows.inc"

static const struct proto tcap = { ROWS, .take = ber_take, .by_group = true,
				   .group_flag = BER_CONSTRUCTED };

__attribute__((constructor)) static void index_rows(void)
{
	tab_index(&tcap);
}

enum err tcap_parse(struct msg *m, struct view raw, struct view *rest, struct arena *mem)
{
	struct rd r = { .left = raw };
	struct slot all = { 0 };
	const struct shape *shape;
	enum err err;

	*rest = (struct view){ 0 };
	tab_init(m, &tcap, raw);
	ber_take(&all, &r, NULL);
	if (r.err)
		return r.err;
	if (all.space == BER_PRIVATE)
		return ERR_UNKNOWN_APP;
	shape = tab_shape(&tcap, all.space, all.tag, 0);
	if (!shape)
		return ERR_UNKNOWN_CMD;
	if (!(all.flags & BER_CONSTRUCTED))
		return ERR_AVP_FLAGS;
	err = tab_parse(m, &tcap, shape, all.value, TAB_END, mem);
	if (m->slot) {
		m->slot->flags = all.flags;
		m->slot->whole = all.whole;
	}
	m->raw = all.whole;
	*rest = r.left;
	return err;
}

const struct slot *tcap_dialogue(const struct msg *m)
{
	const struct slot *pdu = tab_slot(m, TCAP_DIALOGUE, TCAP_EXTERNAL, TCAP_SINGLE);

	return pdu && pdu->n > 0 ? tab_next(m, pdu, NO_FIELD, NULL) : NULL;
}
