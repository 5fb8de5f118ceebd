/* What commands do beside the records, and the journal is to know: who changed a vault's master key, whose
 * file of keys was taken in or refused. */
#include "keeper/keeper_in.h"

#include "base/log.h"

static const struct note {
	const char *mode, *action, *object, *clause;
} notes[] = {
    {"rotating", "rotate", "vault", "R-2.b"}, /* begun */
    {"rotated", "rotated", "vault", "R-2.b"}, /* done */
    {"taken", "import", "delivery", "R-5.1.1.4.c"},
    {"sign-in", "sign-in", "session", "R-5.8.6.a"}, /* of a person, and what of it was refused */
    {"oidc-key", "publish", "key", "R-3.1.h"}, /* that tokens and receipts are signed with */
    {"receipt", "acknowledge", "receipt", "R-3.2.b"},
    {"refused", "refuse", "delivery", "R-5.1.1.4.c"},
};

/* The client's own words, as a JSON string: nobody's client writes JSON into the journal. */
static struct view detail_of(const struct ask *a, uint8_t *room, size_t cap)
{
	struct wr w = {.p = room, .cap = cap};

	wr_view(&w, VIEW("{\"text\":"));
	json_text(&w, a->req->text[KEEP_HEADER]);
	wr_view(&w, VIEW("}"));
	return w.err ? VIEW("{}") : wr_done(&w);
}

enum err keeper_note(struct ask *a)
{
	uint8_t room[16384];
	struct view key = a->req->text[KEEP_KEY], mode = a->req->text[KEEP_MODE];

	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
		const struct note *n = &notes[i];

		if (!view_eq(mode, view_of(n->mode)))
			continue;
		LOG(LOG_NOTE, "keeper.noted", KV("action", n->action), KV("object", n->object),
		    KV("key", key), KV("actor", a->who.actor), KV("text", a->req->text[KEEP_HEADER]),
		    KV_CLAUSE(n->clause));
		return store_note(a->k->store, &a->who, view_of(n->action), view_of(n->object), key,
				  detail_of(a, room, sizeof room));
	}
	say(a->say, "mode: nothing that the journal notes");
	return ERR_VALUE;
}
