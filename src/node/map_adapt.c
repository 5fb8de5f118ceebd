/* One SCCP message as facts. */
#include "node/map_inside.h"

#include <stdlib.h>

#define NATURE_NATIONAL 3
#define UNSEGMENTED     240 /* octets of addresses and data that one UDT carries (Q.713, a 272 octet MSU) */
#define RESOURCE_LIMIT  51  /* MAP errors that say: too busy (TS 29.002 17.6.1) */
#define SYSTEM_FAILURE  34
#define INFORM_SC       63  /* rides behind the result of sendRoutingInfoForSM, and wants no answer */

struct map_node *map_node_new(const struct map_conf *conf, const struct book *book,
			      const uint8_t key[HASH_KEY])
{
	struct map_node *n = calloc(1, sizeof *n);

	if (!n)
		return NULL;
	n->conf = *conf;
	n->book = book;
	n->join = sccp_join_new(conf->join_n, key);
	n->dialogues = map_dialogues_new(conf->dialogue_n, key);
	if (n->join && n->dialogues)
		return n;
	map_node_free(n);
	return NULL;
}

void map_node_free(struct map_node *n)
{
	if (!n)
		return;
	sccp_join_free(n->join);
	map_dialogues_free(n->dialogues);
	free(n);
}

/* --- who speaks to whom ----------------------------------------------------------------------- */

uint64_t map_title_number(const struct sccp_address *a)
{
	return bcd_of((struct view){ a->digits, a->digit_n });
}

static const struct network_row *network_of(const struct map_node *n, const struct sccp_address *a)
{
	uint64_t number = map_title_number(a);

	if (number == 0 || a->nature == NATURE_NATIONAL)
		return NULL;
	if (a->plan == PLAN_E212)
		return book_home(n->book, number);
	return n->book->network_of_number ? n->book->network_of_number(n->book->ctx, number) : NULL;
}

static bool from_point(const struct network_row *row, uint32_t opc)
{
	if (!row || row->point_code[0] == 0)
		return true;
	for (size_t i = 0; i < POINT_CODES; i++) {
		if (row->point_code[i] == opc)
			return true;
	}
	return false;
}

/* Ours speaks when it comes from a point code of ours; where the record names none, when our title speaks
 * to another network's. What claims our title and asks us comes from outside, whatever it says. */
static bool is_inside(const struct map_node *n, const struct map_seen *seen, uint32_t opc)
{
	const struct network_row *own = n->book->network(n->book->ctx, n->conf.plmn);
	const struct network_row *from = network_of(n, &seen->calling), *to = network_of(n, &seen->called);

	if (!from || from->trust != TRUST_OWN)
		return false;
	if (own && own->point_code[0] != 0)
		return from_point(own, opc);
	return !to || to->trust != TRUST_OWN;
}

/* --- the dialogue ------------------------------------------------------------------------------ */

static void take_context(struct map_seen *seen)
{
	const struct slot *pdu = tcap_dialogue(&seen->tcap);
	const struct slot *ac = pdu ? tab_next(&seen->tcap, pdu, TCAP_CONTEXT, NULL) : NULL;
	const struct slot *oid = ac ? tab_next(&seen->tcap, ac, TCAP_CONTEXT_OID, NULL) : NULL;

	if (oid && !map_context(oid->value, &seen->context, &seen->version))
		seen->context = UINT8_MAX; /* another application's, CAP's for one */
	if (!oid && seen->dialogue && seen->tcap.shape->id != TCAP_BEGIN) {
		seen->context = seen->dialogue->context;
		seen->version = seen->dialogue->version;
	} else if (!oid && seen->tcap.shape->id == TCAP_BEGIN) {
		seen->version = 1; /* no dialogue portion: phase 1 (TS 29.002 17.1.1) */
	}
}

/* The IMSI that a dialogue is opened about (TS 29.002 17.4: destinationReference). */
static uint64_t opened_about(const struct map_seen *seen, struct arena *mem)
{
	const struct slot *pdu = tcap_dialogue(&seen->tcap);
	const struct slot *user = pdu ? tab_next(&seen->tcap, pdu, TCAP_USER, NULL) : NULL;
	const struct slot *ext = user ? tab_next(&seen->tcap, user, TCAP_USER_EXTERNAL, NULL) : NULL;
	const struct slot *value = ext ? tab_next(&seen->tcap, ext, TCAP_USER_VALUE, NULL) : NULL;
	struct msg open;
	struct view dest;
	uint8_t plan;
	uint64_t about;

	if (!value || map_open_parse(&open, value->value, mem) != ERR_OK)
		return 0;
	dest = tab_get(&open, MAP_DEST_REF);
	about = map_number(dest, &plan);
	return plan == PLAN_E212 ? about : 0;
}

/* --- requests ---------------------------------------------------------------------------------- */

/* The operation's number: the last arc, if it comes as a global one. */
static uint32_t code_of(const struct msg *m, const struct slot *invoke, uint16_t *form)
{
	const struct slot *local = tab_next(m, invoke, TCAP_LOCAL, NULL);
	const struct slot *global = tab_next(m, invoke, TCAP_GLOBAL, NULL);

	if (local)
		return (uint32_t)ber_int(local->value);
	*form |= FORM_CODE;
	return global && global->value.n > 0 ? global->value.p[global->value.n - 1] : UINT32_MAX;
}

static uint8_t direction_of(const struct facts *f)
{
	bool to_visited = f->category == CATEGORY_HOME || f->op == OP_SMS_MT;

	if (!f->outside)
		return to_visited ? DIR_OUT_TO_VISITED : DIR_OUT_TO_HOME;
	return to_visited ? DIR_TO_VISITED : DIR_TO_HOME;
}

static void take_row(const struct map_node *n, struct map_seen *seen, struct map_ask *a)
{
	/* Until phase 3 one operation carried messages both ways: in this context it is what 44 is now. */
	uint32_t code = a->code == 46 && seen->context == 25 ? 44 : a->code;
	const struct map_row *row = map_row(code);
	struct facts *f = &a->facts;
	bool begins = seen->tcap.shape->id == TCAP_BEGIN || seen->tcap.shape->id == TCAP_UNIDIRECTIONAL;

	a->known = row != NULL && seen->context != UINT8_MAX;
	f->app_agreed = a->known;
	f->category = CATEGORY_INTERNAL;
	f->op = OP_OTHER;
	if (a->known) {
		uint8_t other = code < sizeof n->conf.category ? n->conf.category[code] : 0;

		f->op = row->op;
		f->category = other ? other : row->category;
		f->form |= map_form_of_context(row, seen, begins);
	}
	f->direction = direction_of(f);
	if (f->op == OP_UPDATE_LOCATION)
		f->rat = RAT_IS_2G_OR_3G;
}

/* A request behind the first message: one that fits what the dialogue was begun for, and can be answered. */
static bool is_late(const struct map_node *n, const struct map_seen *seen, const struct map_ask *a,
		    uint64_t now_ms)
{
	uint16_t id = seen->tcap.shape->id;

	if (id == TCAP_BEGIN || id == TCAP_UNIDIRECTIONAL)
		return false;
	if (id == TCAP_END)
		return a->code != INFORM_SC;
	if (!seen->dialogue)
		return map_aged(n->first_ms, now_ms, n->conf.late_ms);
	return false;
}

static void take_dialogue(struct facts *f, const struct map_dialogue *d)
{
	if (!d)
		return;
	f->form |= f->imsi && d->imsi && f->imsi != d->imsi ? FORM_NAMES : 0u;
	f->imsi = f->imsi ? f->imsi : d->imsi;
	f->msisdn = f->msisdn ? f->msisdn : d->msisdn;
	f->continues = f->outside && !d->outside;
}

static void take_places(const struct map_node *n, const struct map_seen *seen, struct map_ask *a,
			const struct map_from *by)
{
	const struct network_row *from = network_of(n, &seen->calling), *serving;
	const struct network_row *to = network_of(n, &seen->called);
	struct facts *f = &a->facts;
	bool named = f->serves == SERVES_VLR || f->serves == SERVES_SGSN;

	f->peer_plmn = from && from_point(from, by->opc) ? from->plmn : 0;
	if (f->outside && from && from->trust == TRUST_OWN)
		f->peer_plmn = from->plmn; /* who claims to be us is not to pass for a stranger */
	if (by->plmn && f->peer_plmn != by->plmn)
		f->peer_plmn = 0; /* an association of one network's speaks for that one */
	f->origin_number = seen->calling_number;
	f->dest_number = seen->called_number;
	if (seen->called.plan == PLAN_E212 && to && to->trust == TRUST_OWN)
		f->dest_number = 0;
	f->visited_plmn = f->peer_plmn;
	if (named && n->book->network_of_number) {
		serving = n->book->network_of_number(n->book->ctx, f->node[0]);
		f->visited_plmn = serving ? serving->plmn : 0;
	}
	bcd_text(named ? f->node[0] : f->origin_number, a->origin);
	f->origin_host = view_of(a->origin);
	if (seen->called.plan == PLAN_E214 && f->imsi && !map_title_fits(&seen->called, f->imsi))
		f->form |= FORM_NAMES;
}

/* Read one invoke. An operation that nobody may ask need not be read further: its code refuses it. */
static enum err take_invoke(struct map_node *n, struct map_seen *seen, const struct slot *invoke,
			    uint16_t form, struct arena *mem)
{
	struct map_ask *a = &seen->ask[seen->ask_n];
	const struct slot *id = tab_next(&seen->tcap, invoke, TCAP_INVOKE_ID, NULL);
	const struct slot *argument = tab_next(&seen->tcap, invoke, TCAP_PARAMETER, NULL);
	enum err err = ERR_OK;

	*a = (struct map_ask){ .facts = { .protocol = PROTO_MAP, .drmp = 255, .clear = true, .form = form,
					  .outside = seen->outside } };
	a->code = code_of(&seen->tcap, invoke, &a->facts.form);
	a->invoke = id && id->value.n > 0 ? id->value.p[0] : 0;
	take_row(n, seen, a);
	if (a->known) {
		err = map_parse(&seen->argument, a->code, argument ? argument->whole : (struct view){ 0 },
				mem);
		if (!err || a->facts.category == CATEGORY_INTERNAL) {
			map_take_argument(&a->facts, &seen->argument, a->facts.category == CATEGORY_VISITED);
			a->facts.form |= map_form_of_encoding(&seen->argument);
			err = ERR_OK;
		}
	}
	seen->ask_n++;
	return err;
}

static void complete(struct map_node *n, struct map_seen *seen, const struct map_from *from, uint64_t about,
		     uint64_t now_ms)
{
	for (size_t i = 0; i < seen->ask_n; i++) {
		struct map_ask *a = &seen->ask[i];
		struct facts *f = &a->facts;

		f->now_ms = now_ms;
		f->form |= about && f->imsi && about != f->imsi ? FORM_NAMES : 0u;
		f->imsi = f->imsi ? f->imsi : about;
		take_dialogue(f, seen->dialogue);
		f->form |= is_late(n, seen, a, now_ms) ? FORM_LATE : 0u;
		take_places(n, seen, a, from);
	}
}

/* Several requests in one message: only a home network's data for one subscriber comes like that. */
static bool is_several(const struct map_seen *seen, size_t invokes)
{
	if (invokes < 2)
		return false;
	for (size_t i = 0; i < seen->ask_n; i++) {
		if (seen->ask[i].facts.op != OP_INSERT_DATA)
			return true;
	}
	return invokes > MAP_ASKS_MAX || seen->tcap.shape->id != TCAP_CONTINUE;
}

static enum err take_invokes(struct map_node *n, struct map_seen *seen, uint16_t form, struct arena *mem)
{
	const struct slot *all = tab_slot(&seen->tcap, TCAP_COMPONENTS);
	size_t invokes = 0;
	enum err err = ERR_OK;

	for (const struct slot *s = NULL; all && (s = tab_next(&seen->tcap, all, TCAP_INVOKE, s)) && !err;) {
		invokes++;
		if (seen->ask_n < MAP_ASKS_MAX)
			err = take_invoke(n, seen, s, form, mem);
	}
	for (size_t i = 0; i < seen->ask_n; i++)
		seen->ask[i].facts.form |= is_several(seen, invokes) ? FORM_SEVERAL : 0u;
	return err;
}

/* --- answers ----------------------------------------------------------------------------------- */

static const struct slot *answer_to(const struct msg *m, uint8_t invoke)
{
	const struct slot *all = tab_slot(m, TCAP_COMPONENTS);

	for (const struct slot *s = NULL; all && (s = tab_next(m, all, NO_FIELD, s));) {
		const struct slot *id = tab_next(m, s, TCAP_INVOKE_ID, NULL);

		if (s->field != TCAP_INVOKE && s->field != TCAP_RESULT_MORE && id && id->value.n > 0 &&
		    id->value.p[0] == invoke)
			return s;
	}
	return NULL;
}

static void take_answer(struct map_seen *seen)
{
	struct map_dialogue *d = seen->dialogue;
	const struct slot *s;
	int32_t code = 0;

	if (!d || !d->asked || d->outside == seen->outside)
		return;
	s = answer_to(&seen->tcap, d->invoke);
	if (!s && seen->tcap.shape->id == TCAP_CONTINUE)
		return;
	if (s && s->field == TCAP_ERROR)
		code = ber_int(tab_next(&seen->tcap, s, TCAP_LOCAL, NULL)
				   ? tab_next(&seen->tcap, s, TCAP_LOCAL, NULL)->value
				   : (struct view){ 0 });
	seen->kind = MAP_ANSWERS;
	seen->ok = s && s->field == TCAP_RESULT;
	seen->busy = code == SYSTEM_FAILURE || code == RESOURCE_LIMIT;
	seen->about = *d;
	d->asked = false;
}

/* --- the whole --------------------------------------------------------------------------------- */

static bool fails(struct map_seen *seen, const char *layer, enum err err)
{
	if (!err)
		return false;
	seen->kind = err == ERR_UNKNOWN_APP ? MAP_ANSI : MAP_MALFORMED;
	seen->err = err;
	seen->layer = layer;
	return true;
}

/* Service messages, and those of connections, are not ours to judge. */
static bool take_sccp(struct map_node *n, struct view raw, const struct map_from *from, bool known,
		      struct map_seen *seen, struct arena *mem)
{
	enum err err = sccp_parse(&seen->sccp, raw, mem);

	if (err == ERR_UNKNOWN_CMD)
		return false;
	err = err ? err : sccp_address(&seen->called, tab_get(&seen->sccp, SCCP_CALLED));
	err = err ? err : sccp_address(&seen->calling, tab_get(&seen->sccp, SCCP_CALLING));
	if (fails(seen, "SCCP", err))
		return false;
	seen->calling_number = map_title_number(&seen->calling);
	seen->called_number = map_title_number(&seen->called);
	seen->outside = known ? from->outside : !is_inside(n, seen, from->opc);
	return tab_slot(&seen->sccp, SCCP_CLASS) != NULL;
}

static struct view whole_of(struct map_node *n, struct map_seen *seen, uint16_t *form, uint64_t now_ms)
{
	struct joined j = sccp_join_take(n->join, &seen->sccp, now_ms);
	size_t ends = tab_get(&seen->sccp, SCCP_CALLED).n + tab_get(&seen->sccp, SCCP_CALLING).n;

	if (j.state == JOIN_WAITS)
		seen->kind = MAP_WAITS;
	if (j.state == JOIN_BROKEN)
		(void)fails(seen, "SCCP", ERR_VALUE);
	if (j.split && j.data.n + ends <= UNSEGMENTED)
		*form |= FORM_SPLIT;
	seen->split = j.split;
	seen->whole = j.data;
	return j.data;
}

static void take_tcap(struct map_node *n, const struct map_from *from, uint16_t form, struct map_seen *seen,
		      struct arena *mem, uint64_t now_ms)
{
	uint64_t about;
	enum err err;

	form |= map_form_of_encoding(&seen->tcap);
	seen->dialogue = map_dialogue_of(n, seen, now_ms);
	take_context(seen);
	about = opened_about(seen, mem);
	err = take_invokes(n, seen, form, mem);
	if (fails(seen, "MAP", err))
		return;
	take_answer(seen);
	if (seen->ask_n > 0) {
		complete(n, seen, from, about, now_ms);
		seen->kind = MAP_ASKS;
	} else if (seen->tcap.shape->id == TCAP_BEGIN) {
		/* Begun without a request, which follows (TS 29.002 17.1.6: a long context). */
		map_opened(n, seen, about, now_ms);
	}
	if (seen->dialogue && (seen->tcap.shape->id == TCAP_END || seen->tcap.shape->id == TCAP_ABORT))
		map_dialogue_end(n->dialogues, seen->dialogue);
}

static void read_by(struct map_node *n, const struct map_from *from, bool known, struct view sccp,
		    struct map_seen *out, struct arena *mem, uint64_t wall_ms)
{
	struct view rest, data;
	uint16_t form = 0;

	memset(out, 0, sizeof *out);
	n->first_ms = n->first_ms ? n->first_ms : wall_ms;
	if (!take_sccp(n, sccp, from, known, out, mem))
		return;
	data = whole_of(n, out, &form, wall_ms);
	if (out->kind != MAP_IS_NOTHING)
		return;
	if (fails(out, "TCAP", tcap_parse(&out->tcap, data, &rest, mem)))
		return;
	form |= rest.n > 0 ? FORM_LAYERS : 0u;
	take_tcap(n, from, form, out, mem, wall_ms);
}

void map_read(struct map_node *n, uint32_t opc, struct view sccp, struct map_seen *out, struct arena *mem,
	      uint64_t wall_ms)
{
	read_by(n, &(struct map_from){ .opc = opc }, false, sccp, out, mem, wall_ms);
}

void map_read_from(struct map_node *n, const struct map_from *from, struct view sccp, struct map_seen *out,
		   struct arena *mem, uint64_t wall_ms)
{
	read_by(n, from, true, sccp, out, mem, wall_ms);
}
