/* The dialogues that pass, and what their answers teach. */
#include "node/map_inside.h"

static uint64_t address_id(const struct sccp_address *a)
{
	uint64_t number = map_title_number(a);

	return number ? number : (uint64_t)a->pc << 8 | a->ssn;
}

/* A message finds its dialogue by the identifier of the one it is for; one who has begun is found by his
 * own. */
struct map_dialogue *map_dialogue_of(struct map_node *n, const struct map_seen *seen, uint64_t now_ms)
{
	struct view dtid = tab_get(&seen->tcap, TCAP_DTID), otid = tab_get(&seen->tcap, TCAP_OTID);
	struct map_dialogue *d = NULL;

	if (dtid.n > 0)
		d = map_dialogue_find(n->dialogues,
				      map_dialogue_key(n->dialogues, dtid, address_id(&seen->called)),
				      now_ms);
	if (d && otid.n > 0) {
		uint64_t own = map_dialogue_key(n->dialogues, otid, address_id(&seen->calling));

		if (own != d->key[0])
			map_dialogue_join(n->dialogues, d, own);
	}
	return d;
}

struct map_dialogue *map_opened(struct map_node *n, const struct map_seen *seen, uint64_t about,
				uint64_t now_ms)
{
	struct view otid = tab_get(&seen->tcap, TCAP_OTID);
	uint64_t key = map_dialogue_key(n->dialogues, otid, address_id(&seen->calling));
	struct map_dialogue *d = map_dialogue_begin(n->dialogues, key, now_ms);

	d->outside = seen->outside;
	d->context = seen->context;
	d->version = seen->version;
	d->imsi = about;
	return d;
}

void map_passed(struct map_node *n, const struct map_seen *seen, uint8_t partition)
{
	const struct map_ask *a = &seen->ask[0];
	const struct facts *f = &a->facts;
	struct map_dialogue *d = seen->dialogue;

	if (seen->ask_n == 0 ||
	    (seen->tcap.shape->id != TCAP_BEGIN && (!d || d->asked || d->outside != seen->outside)))
		return;
	if (seen->tcap.shape->id == TCAP_BEGIN)
		d = map_opened(n, seen, f->imsi, f->now_ms);
	d->imsi = f->imsi;
	d->msisdn = f->msisdn;
	d->imei = f->imei;
	d->origin = f->serves ? f->node[0] : f->origin_number;
	d->visited_plmn = f->visited_plmn;
	d->peer_plmn = f->peer_plmn;
	d->op = f->op;
	d->direction = f->direction;
	d->serves = f->serves;
	d->rat = f->rat;
	d->invoke = a->invoke;
	d->code = (uint8_t)a->code;
	d->partition = partition;
	d->began_ms = f->now_ms;
	d->asked = true;
}

struct lost {
	void (*tell)(void *ctx, const struct map_dialogue *d);
	void *ctx;
	uint64_t now_ms;
	uint32_t ms;
};

static void look(void *ctx, struct map_dialogue *d)
{
	const struct lost *l = ctx;

	if (!d->asked || !map_aged(d->began_ms, l->now_ms, l->ms))
		return;
	d->asked = false;
	l->tell(l->ctx, d);
}

void map_lost(struct map_node *n, uint64_t wall_ms, uint32_t ms,
	      void (*lost)(void *ctx, const struct map_dialogue *d), void *ctx)
{
	struct lost l = { lost, ctx, wall_ms, ms };

	map_dialogue_sweep(n->dialogues, look, &l);
}

void map_refused(struct map_node *n, const struct map_seen *seen)
{
	if (seen->dialogue)
		map_dialogue_end(n->dialogues, seen->dialogue);
}

void map_asked_facts(const struct map_dialogue *d, char origin[BCD_TEXT], struct facts *f)
{
	bcd_text(d->origin, origin);
	*f = (struct facts){ .protocol = PROTO_MAP,
			     .op = d->op,
			     .direction = d->direction,
			     .serves = d->serves,
			     .rat = d->rat,
			     .outside = d->outside,
			     .imsi = d->imsi,
			     .imei = d->imei,
			     .visited_plmn = d->visited_plmn,
			     .peer_plmn = d->peer_plmn,
			     .now_ms = d->began_ms,
			     .drmp = 255,
			     .origin_host = view_of(origin) };
}
