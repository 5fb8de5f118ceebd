/* merlon inspect: SS7. M3UA to MAP, MAP to facts, facts to the same judge. */
#include "cli/inspect.h"

#include "wire/m3ua.h"

#include <stdio.h>

#define DIALOGUES 65536
#define JOINS     256
#define LATE_MS   60000 /* what a capture begins in the middle of is not held against it */

bool inspect_open_ss7(struct inspect *in)
{
	static const uint8_t key[HASH_KEY] = "inspect of SS7!";
	struct map_conf conf = {.plmn = in->reach.conf.plmn,
				.dialogue_n = DIALOGUES,
				.join_n = JOINS,
				.late_ms = LATE_MS};
	char why[256];

	if (map_categories(&conf, view_of(in->reach.conf.map_categories), why) != ERR_OK) {
		fprintf(stderr, "merlon inspect: %s\n", why);
		return false;
	}
	in->map = map_node_new(&conf, in->book, key);
	return in->map != NULL;
}

/* Each request of the message; the first that is refused decides for all of it. */
static void judge_asks(struct inspect *in, struct judged_map *j)
{
	const struct map_seen *seen = j->seen;
	bool refused = false;
	uint8_t partition = 0;

	for (size_t i = 0; i < seen->ask_n; i++) {
		struct verdict v = judge_request(in->judge, &seen->ask[i].facts);

		in->requests++;
		inspect_count(in, &v);
		partition = i == 0 ? v.partition : partition;
		j->ask = &seen->ask[i];
		j->v = &v;
		inspect_say_map(in, j);
		if (v.act != ACT_PASS && !refused)
			inspect_answer(in, j); /* one answer a message */
		refused |= v.act != ACT_PASS;
	}
	if (refused)
		map_refused(in->map, seen);
	else
		map_passed(in->map, seen, partition);
}

static void learn(struct inspect *in, const struct map_seen *seen)
{
	char origin[BCD_TEXT];
	struct facts f;

	map_asked_facts(&seen->about, origin, &f);
	judge_done(in->judge, &f, seen->about.partition, seen->ok, seen->busy, in->at_ms);
}

static void read_msu(struct inspect *in, const struct cap_flow *f, const struct m3ua_data *d)
{
	static struct map_seen seen;
	struct judged_map j = {.flow = f, .seen = &seen, .opc = d->opc, .dpc = d->dpc};

	map_read(in->map, d->opc, d->user, &seen, &in->mem, in->at_ms);
	in->ss7_messages++;
	switch (seen.kind) {
	case MAP_ASKS:
		judge_asks(in, &j);
		break;
	case MAP_ANSWERS:
		learn(in, &seen);
		break;
	case MAP_MALFORMED:
		in->requests++;
		in->malformed++;
		inspect_say_map(in, &j);
		break;
	case MAP_ANSI:
		in->ss7_ansi++;
		break;
	case MAP_IS_NOTHING:
	case MAP_WAITS:
		break;
	}
}

void inspect_m3ua(void *ctx, struct cap_flow *f, struct view message, uint64_t at_ms)
{
	struct inspect *in = ctx;
	struct m3ua_data d;
	static struct msg m;

	in->at_ms = at_ms;
	if (inspect_renew(in) != ERR_OK)
		return;
	if (m3ua_parse(&m, message, &in->mem) == ERR_OK && m3ua_data(&m, &d) && d.si == M3UA_SCCP)
		read_msu(in, f, &d);
	arena_reset(&in->mem);
}
