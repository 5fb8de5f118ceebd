#include "inspect/notes.h"

#include "base/log.h"

void notes_add(struct notes *n, enum drop why, const struct session_hit *hit, const struct packet *p)
{
	uint32_t profile = hit ? hit->is.profile : 0;
	struct note *x;

	for (size_t i = 0; i < n->n; i++) {
		if (n->note[i].why == why && n->note[i].profile == profile) {
			n->note[i].n++;
			return;
		}
	}
	if (n->n == NOTES_MAX) {
		n->lost++;
		return;
	}
	x = &n->note[n->n++];
	*x = (struct note){ .n = 1, .profile = profile, .why = (uint8_t)why, .imsi = hit ? hit->is.imsi : 0 };
	if (p)
		x->flow = p->flow;
}

static void write_note(const struct note *x)
{
	const struct drop_row *row = &drop_rows[x->why];
	char from[ADDRESS_TEXT] = "", to[ADDRESS_TEXT] = "";

	if (x->flow.family) {
		address_text(x->flow.from, from);
		address_text(x->flow.to, to);
	}
	LOG(LOG_NOTE, "inspect.dropped", KV_CLAUSE(row->clause), kv_text("reason", row->name),
	    kv_num("n", x->n), kv_num("profile", x->profile), kv_id("imsi", x->imsi), kv_text("from", from),
	    kv_text("to", to), kv_num("protocol", x->flow.protocol), kv_num("port", x->flow.to_port));
}

void notes_flush(struct notes *n)
{
	for (size_t i = 0; i < n->n; i++)
		write_note(&n->note[i]);
	if (n->lost > 0)
		LOG(LOG_NOTE, "inspect.drops_not_listed", kv_num("n", n->lost));
	n->n = 0;
	n->lost = 0;
}
