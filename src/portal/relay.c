#include "portal/relay.h"

#include <stdlib.h>

struct relay {
	struct relay_message m[RELAY_MAX];
};

struct relay *relay_new(void)
{
	return calloc(1, sizeof(struct relay));
}

void relay_free(struct relay *r)
{
	free(r);
}

static bool there(struct relay_message *m, uint64_t now_s)
{
	if (m->id[0] && !m->noting && now_s >= m->at_s + RELAY_KEEP_S)
		memset(m, 0, sizeof *m);
	return m->id[0];
}

struct relay_message *relay_put(struct relay *r, struct view platform, uint64_t imsi, uint64_t now_s)
{
	struct relay_message *to = NULL, *oldest = NULL;
	size_t device = 0, all = 0;

	for (size_t i = 0; i < RELAY_MAX; i++) {
		struct relay_message *m = &r->m[i];

		if (!there(m, now_s)) {
			to = m;
			continue;
		}
		if (m->acked && (!oldest || m->at_s < oldest->at_s))
			oldest = m;
		device += m->imsi == imsi && !m->acked;
		all += view_eq(view_of(m->platform), platform) && !m->acked;
	}
	to = to ? to : oldest; /* a receipt that was there to be read gives way to a message */
	if (!to || device >= RELAY_DEVICE || all >= RELAY_PLATFORM)
		return NULL;
	memset(to, 0, sizeof *to);
	if (!view_text(platform, to->platform, sizeof to->platform))
		return NULL;
	to->imsi = imsi;
	to->at_s = now_s;
	return to;
}

struct relay_message *relay_take(struct relay *r, struct view platform, uint64_t now_s)
{
	struct relay_message *best = NULL;

	for (size_t i = 0; i < RELAY_MAX; i++) {
		struct relay_message *m = &r->m[i];

		if (!there(m, now_s) || m->acked || m->noting ||
		    !view_eq(view_of(m->platform), platform) ||
		    (m->taken_s && now_s < m->taken_s + RELAY_AGAIN_S))
			continue;
		if (!best || m->at_s < best->at_s)
			best = m;
	}
	if (best)
		best->taken_s = now_s;
	return best;
}

struct relay_message *relay_find(struct relay *r, struct view id, uint64_t now_s)
{
	for (size_t i = 0; i < RELAY_MAX; i++) {
		if (there(&r->m[i], now_s) && view_eq(view_of(r->m[i].id), id))
			return &r->m[i];
	}
	return NULL;
}
