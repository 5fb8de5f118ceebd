/* What the session table, and the conversation, know of a message. */
#include "inspect/gtpc_in.h"

#define SESSIONS_LOOKED 16
#define FRESH_S 60

uint8_t gtpc_target(const struct gtpc *g, struct view address)
{
	for (size_t i = 0; i < g->gateway_n; i++) {
		if (address.n <= 16 && memcmp(g->gateway[i].address, address.p, address.n) == 0)
			return (uint8_t)(i + 1);
	}
	return 0;
}

bool gtpc_young(const struct gtpc *g, uint64_t now_ms)
{
	return now_ms < g->first_ms + g->conf.late_ms;
}

/* Of the SIM's sessions: how many there are beside the one that this bearer would replace; or the one that
 * it is about, where a message has no tunnel but an IMSI. */
static uint8_t count(struct gtpc *g, uint64_t imsi, uint8_t ebi, struct session *any)
{
	uint32_t id[SESSIONS_LOOKED];
	size_t n = sessions_of_sim(g->sessions, imsi, id, SESSIONS_LOOKED), others = 0;
	struct session_hit hit;

	for (size_t i = 0; i < n && i < SESSIONS_LOOKED; i++) {
		if (!sessions_peek(g->sessions, id[i], &hit.is))
			continue;
		*any = hit.is;
		others += hit.is.ebi != ebi;
	}
	others = n > SESSIONS_LOOKED ? n : others;
	return (uint8_t)(others < UINT8_MAX ? others + 1 : UINT8_MAX);
}

/* An end that another subscriber's session has: only the node that it lies at may give it anew, and not while
 * it is used, unless it says that it was started again. */
static bool is_taken(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		     const struct gtp_tunnel *t, enum session_plane plane)
{
	struct session_hit hit;
	uint32_t seen_s;

	if (!t->there || !sessions_look(g->sessions, plane, t->address, t->teid, &hit, &seen_s))
		return false;
	if (hit.is.imsi == r->said.imsi || r->said.imsi == 0)
		return false;
	if (!view_eq(t->address, p->from))
		return true;
	return !r->said.has_recovery && seen_s + FRESH_S > gtpc_s(p->now_ms);
}

static uint16_t form_of(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
			bool session)
{
	const struct gtp_said *said = &r->said;
	uint8_t op = r->row ? r->row->op : OP_OTHER;
	uint16_t form = 0;

	if (r->head.rest.n > 0 && !r->head.piggybacks)
		form |= FORM_LAYERS;
	if (op == OP_SESSION_CREATE && r->head.teid == 0) {
		bool taken = is_taken(g, p, r, &said->control, PLANE_CONTROL);

		for (size_t i = 0; i < said->user_n; i++)
			taken |= is_taken(g, p, r, &said->user[i], PLANE_USER);
		form |= taken ? FORM_REUSED : 0u;
	} else if (op >= OP_SESSION_CREATE && op <= OP_BEARER && !session && !gtpc_young(g, p->now_ms) &&
		   (r->head.teid != 0 || said->imsi == 0)) {
		form |= FORM_TUNNEL;
	}
	return form;
}

static uint64_t group_of(const struct gtpc *g, const struct gtpc_packet *p, struct view apn)
{
	uint8_t bytes[16 + GTP_APN];
	struct wr w = { .p = bytes, .cap = sizeof bytes };

	wr_view(&w, p->from);
	for (size_t i = 0; i < apn.n; i++)
		wr_be(&w, apn.p[i] >= 'A' && apn.p[i] <= 'Z' ? apn.p[i] + 32u : apn.p[i], 1);
	return hash_view(g->key, wr_done(&w)) | 1;
}

void gtpc_known(struct gtpc *g, const struct gtpc_packet *p, const struct gtpc_result *r,
		struct gtp_known *k, struct session *is)
{
	const struct gtp_said *said = &r->said;
	uint8_t op = r->row ? r->row->op : OP_OTHER;
	struct session_hit hit = { .up = 0 };

	*is = (struct session){ 0 };
	if (r->head.teid != 0 && op >= OP_SESSION_CREATE && op <= OP_BEARER)
		k->session = sessions_tunnel(g->sessions, PLANE_CONTROL, p->to, r->head.teid,
					     gtpc_s(p->now_ms), &hit);
	if (k->session)
		*is = hit.is;
	if (op == OP_SESSION_CREATE && !k->session && said->imsi)
		k->session_n = count(g, said->imsi, said->ebi, &hit.is);
	else if (!k->session && said->imsi && r->head.teid == 0 && op > OP_SESSION_CREATE && op <= OP_BEARER)
		k->session = count(g, said->imsi, 0, is) > 1;
	if (k->session) {
		k->home = is->home;
		k->imsi = is->imsi;
		k->session_plmn = is->visited;
		k->session_n = 1;
	}
	if (op == OP_SESSION_CREATE) {
		k->target = gtpc_target(g, p->to);
		k->group = said->apn.n > 0 ? group_of(g, p, said->apn) : 0;
	}
	k->form |= form_of(g, p, r, k->session);
	k->now_ms = p->now_ms;
}
