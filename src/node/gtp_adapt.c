#include "node/gtp_adapt.h"

#include <stdio.h>

#define INTERNAL CATEGORY_INTERNAL
#define HOME     CATEGORY_HOME
#define VISITED  CATEGORY_VISITED
#define EITHER   GTP_EITHER
#define PATH     GTP_PATH
#define REQUEST  GTP_REQUEST
#define ANSWER   GTP_ANSWER
#define NOTICE   GTP_NOTICE

static const struct gtp_row rows[3][256] = {
#define GTP_OP(version, type, kind, category, op, name) [version][type] = { name, kind, category, OP_##op },
#include "node/gtp_op.tab"
#undef GTP_OP
};

const struct gtp_row *gtp_row(uint8_t version, uint8_t type)
{
	const struct gtp_row *row = version < 3 ? &rows[version][type] : NULL;

	return row && row->name ? row : NULL;
}

/* --- configuration ----------------------------------------------------------------------------------- */

static enum err one_category(struct gtp_conf *conf, struct view word, char why[256])
{
	uint8_t version = word.n > 5 && word.p[3] == '1' ? 1 : 2;
	uint8_t digit = word.n > 7 && word.p[word.n - 2] == '=' ? word.p[word.n - 1] : 0;
	struct view name = { word.p + 5, digit ? word.n - 7 : 0 };
	bool found = false;

	for (size_t type = 0; type < 256 && digit >= '1' && digit <= '3'; type++) {
		const struct gtp_row *row = &rows[version][type];

		if (!row->name || !view_eq_case(view_of(row->name), name))
			continue;
		conf->category[version][type] = (uint8_t)(digit - '0');
		found = memcmp(word.p, version == 1 ? "gtp1:" : "gtp2:", 5) == 0;
	}
	if (found)
		return ERR_OK;
	snprintf(why, 256, "inspect.categories: %.*s: a message of GTP and 1, 2 or 3, as "
		 "gtp2:IdentificationRequest=3", (int)(word.n < 80 ? word.n : 80), (const char *)word.p);
	return ERR_CONFIG;
}

enum err gtp_categories(struct gtp_conf *conf, struct view text, char why[256])
{
	enum err err = ERR_OK;

	while (text.n > 0 && !err) {
		size_t n = 0;

		while (n < text.n && text.p[n] != ' ' && text.p[n] != ',')
			n++;
		if (n > 0)
			err = one_category(conf, view_first(text, n), why);
		n += n < text.n;
		text.p += n;
		text.n -= n;
	}
	return err;
}

/* --- facts ------------------------------------------------------------------------------------------- */

/* Which way: what the visited network says goes to the home network, and the other way round. */
static uint8_t direction_of(uint8_t category, const struct gtp_known *k, bool answer)
{
	bool to_visited = category == CATEGORY_HOME;

	if (category == GTP_EITHER) /* the side of the session that it did not come from */
		to_visited = k->session && k->home != k->outside;
	else if (answer)
		to_visited = !to_visited;
	if (!k->outside)
		return to_visited ? DIR_OUT_TO_VISITED : DIR_OUT_TO_HOME;
	return to_visited ? DIR_TO_VISITED : DIR_TO_HOME;
}

static void take_row(struct facts *f, const struct gtp_conf *conf, const struct gtp_head *h,
		     const struct gtp_row *row, const struct gtp_known *k)
{
	uint8_t category = CATEGORY_INTERNAL;

	f->op = row ? row->op : OP_OTHER;
	f->app_agreed = row != NULL;
	f->answer = row && row->kind == GTP_ANSWER;
	if (row)
		category = row->category;
	if (row && conf->category[h->version < 3 ? h->version : 0][h->type])
		category = conf->category[h->version][h->type];
	/* A message that the operator agreed on with somebody has no operation of its own here. */
	if (category != CATEGORY_INTERNAL && f->op == OP_INTERNAL)
		f->op = category == CATEGORY_HOME ? OP_BEARER : OP_SESSION_CHANGE;
	f->direction = direction_of(category, k, f->answer);
	f->category = category <= CATEGORY_VISITED ? category : CATEGORY_OF_OP;
}

static void put_node(struct facts *f, const struct gtp_tunnel *t)
{
	if (!t->there || f->node_address_n == NODE_MAX)
		return;
	for (uint8_t i = 0; i < f->node_address_n; i++) {
		if (view_eq(f->node_address[i], t->address))
			return;
	}
	f->node_address[f->node_address_n++] = t->address;
}

/* Whoever believes a message sends to the ends that it names: they must be its sender's. Only the answer to
 * Create Bearer names the other side's end too, to say which bearer is meant. */
static void take_nodes(struct facts *f, const struct gtp_head *h, const struct gtp_said *said)
{
	bool mixed = h->version == 2 && h->type == 96;

	put_node(f, &said->control);
	for (size_t i = 0; i < said->user_n; i++) {
		if (!mixed || !said->user[i].gateway)
			put_node(f, &said->user[i]);
	}
}

void gtp_facts(struct facts *f, const struct gtp_conf *conf, const struct gtp_head *h,
	       const struct gtp_row *row, const struct gtp_said *said, const struct gtp_known *k)
{
	memset(f, 0, sizeof *f);
	f->protocol = PROTO_GTPC;
	f->drmp = 255;
	f->clear = true;
	f->outside = k->outside;
	f->form = k->form;
	take_row(f, conf, h, row, k);
	f->peer_plmn = k->peer_plmn;
	f->visited_plmn = said->visited ? said->visited : k->peer_plmn;
	f->rat = said->rat;
	f->serves = h->version == 1 ? SERVES_SGSN : SERVES_MME;
	f->imsi = said->imsi ? said->imsi : k->imsi;
	if (said->imsi && k->session && said->imsi != k->imsi)
		f->form |= FORM_NAMES;
	f->msisdn = said->msisdn;
	f->imei = said->imei;
	f->apn = said->apn;
	f->pdn_type = said->pdn_type;
	f->continues = k->session;
	f->moves = f->op == OP_SESSION_CHANGE && said->control.there && !f->answer;
	f->low_priority = said->low_priority;
	f->session_n = k->session_n;
	f->session_plmn = k->session_plmn;
	f->target = k->target;
	f->group = k->group;
	f->now_ms = k->now_ms;
	if (k->outside)
		take_nodes(f, h, said);
}
