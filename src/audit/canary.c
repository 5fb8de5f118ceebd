/* Canaries: forbidden messages on the real interface, and what came back. */
#include "audit/audit.h"

#include "base/bcd.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_MS 4000
#define ADMIT_MS 5000 /* until a new network record has reached the edge */
#define CX 16777216

static const struct {
	const char *plmn, *name;
} nodes[FROM_N] = {
    [FROM_MME] = {CANARY_PLMN, "audit-mme"},
    [FROM_OTHER] = {CANARY_PLMN, "audit-other"},
    [FROM_FAR] = {FAR_PLMN, "audit-mme"},
    [FROM_BLOCKED] = {BLOCKED_PLMN, "audit-mme"},
};

static const struct {
	uint32_t code, app;
} said[SAY_N] = {
    [SAY_AIR] = {318, DIA_APP_S6A},
    [SAY_ULR] = {316, DIA_APP_S6A},
    [SAY_PUR] = {321, DIA_APP_S6A},
    [SAY_NOR] = {323, DIA_APP_S6A},
    [SAY_CLR] = {317, DIA_APP_S6A},
    [SAY_IDR] = {319, DIA_APP_S6A},
    [SAY_DSR] = {320, DIA_APP_S6A},
    [SAY_ECR] = {324, DIA_APP_S13},
    [SAY_CX] = {303, CX},
    [SAY_ECR_AS_S6A] = {324, DIA_APP_S6A},
    [SAY_AIR_UTRAN] = {318, DIA_APP_S6A},
};

void canary_imsi(const struct audit *a, enum who who, char text[16])
{
	char plmn[BCD_TEXT];
	int n = 0;

	if (who == WHO_FOREIGN || who == WHO_ROAMER) {
		snprintf(text, 16, "%s0000000001", who == WHO_FOREIGN ? BLOCKED_PLMN : CANARY_PLMN);
		return;
	}
	bcd_text(a->reach->conf.plmn, plmn);
	n = snprintf(text, 16, "%s", plmn);
	for (; n < 13; n++)
		text[n] = '9';
	snprintf(text + 13, 3, "%02u", (unsigned int)who);
}

/* "mme.@other" and its like, with the name filled in. */
static const char *filled(const struct audit *a, const char *text, char room[256])
{
	static const char *const names[] = {"@own", "@home", "@edge", "@other"};
	const char *values[] = {a->reach->conf.realm, a->reach->conf.home_host,
				a->reach->conf.edge_host, a->other_realm};
	const char *at = strchr(text, '@');

	for (size_t i = 0; at && i < sizeof names / sizeof *names; i++) {
		if (strcmp(at, names[i]) != 0)
			continue;
		snprintf(room, 256, "%.*s%.200s", (int)(at - text), text, values[i]);
		return room;
	}
	return text;
}

static void put(struct audit *a, struct wr *w, const struct canary *c, uint16_t avp,
		const char *text)
{
	char room[256];

	if (text && c->without != avp)
		dia_put_text(w, avp, filled(a, text, room));
}

static void put_app(struct wr *w, uint32_t app)
{
	size_t group = dia_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);

	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, app);
	dia_close(w, group);
}

static void put_device(struct wr *w, const char *imei)
{
	size_t group = dia_open(w, AVP_TERMINAL_INFORMATION);

	dia_put_text(w, AVP_IMEI, imei);
	dia_put_text(w, AVP_SOFTWARE_VERSION, "01");
	dia_close(w, group);
}

static void put_vectors(struct wr *w, uint16_t group_avp)
{
	size_t group = dia_open(w, group_avp);

	dia_put_u32(w, AVP_NUMBER_OF_REQUESTED_VECTORS, 1);
	dia_put_u32(w, AVP_IMMEDIATE_RESPONSE_PREFERRED, 1);
	dia_close(w, group);
}

/* What is the message's own. */
static void put_body(struct wr *w, const struct canary *c, const char *plmn)
{
	uint8_t visited[3];
	size_t group;

	if (c->say == SAY_ULR || c->say == SAY_ECR || c->say == SAY_ECR_AS_S6A)
		put_device(w, c->imei ? c->imei : IMEI_GOOD);
	if (c->say == SAY_ULR) {
		dia_put_u32(w, AVP_RAT_TYPE, c->rat ? c->rat : 1004);
		dia_put_u32(w, AVP_ULR_FLAGS, 34);
	}
	if (c->say == SAY_AIR)
		put_vectors(w, AVP_REQUESTED_EUTRAN_AUTHENTICATION_INFO);
	if (c->say == SAY_AIR_UTRAN)
		put_vectors(w, AVP_REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO);
	if (c->say == SAY_ULR || c->say == SAY_AIR || c->say == SAY_AIR_UTRAN) {
		plmn_tbcd(bcd_of(view_of(c->visited ? c->visited : plmn)), visited);
		dia_put(w, AVP_VISITED_PLMN_ID, (struct view){visited, sizeof visited});
	}
	if (c->say == SAY_PUR)
		dia_put_u32(w, AVP_PUR_FLAGS, 1);
	if (c->say == SAY_NOR)
		dia_put_u32(w, AVP_NOR_FLAGS, 0);
	if (c->say == SAY_CLR)
		dia_put_u32(w, AVP_CANCELLATION_TYPE, 2);
	if (c->say == SAY_DSR)
		dia_put_u32(w, AVP_DSR_FLAGS, 2);
	if (c->say == SAY_IDR) {
		group = dia_open(w, AVP_SUBSCRIPTION_DATA);
		dia_put_u32(w, AVP_SUBSCRIBER_STATUS, 0);
		dia_close(w, group);
	}
}

static struct view write_message(struct audit *a, const struct canary *c, const struct probe *p)
{
	bool to_visited = c->say == SAY_CLR || c->say == SAY_IDR || c->say == SAY_DSR;
	struct dia_header h = {DIA_FLAG_REQUEST | DIA_FLAG_PROXIABLE, said[c->say].code,
			       said[c->say].app, 0, (uint32_t)getpid() << 12 | ++a->session};
	struct wr w = {.p = a->out, .cap = sizeof a->out};
	char session[224], imsi[16];
	size_t start = dia_begin(&w, &h);

	snprintf(session, sizeof session, "%.160s;%u;%u;audit", probe_host(p), (uint32_t)getpid(),
		 a->session);
	canary_imsi(a, c->who, imsi);
	put(a, &w, c, AVP_SESSION_ID, session);
	put_app(&w, said[c->say].app);
	dia_put_u32(&w, AVP_AUTH_SESSION_STATE, 1);
	put(a, &w, c, AVP_ORIGIN_HOST, c->origin_host ? c->origin_host : probe_host(p));
	put(a, &w, c, AVP_ORIGIN_REALM, c->origin_realm ? c->origin_realm : probe_realm(p));
	put(a, &w, c, AVP_DESTINATION_HOST,
	    c->dest_host ? c->dest_host
	    : to_visited ? "@edge"
			 : NULL);
	put(a, &w, c, AVP_DESTINATION_REALM, c->dest_realm ? c->dest_realm : "@own");
	put(a, &w, c, AVP_USER_NAME, imsi);
	put_body(&w, c, nodes[c->from].plmn);
	put(a, &w, c, AVP_ROUTE_RECORD, c->route);
	for (uint16_t i = 0; i < c->bomb; i++)
		dia_put_u32(&w, AVP_CLASS, i);
	dia_end(&w, start);
	return wr_done(&w);
}

static void realm_of(const char *plmn, char realm[64])
{
	snprintf(realm, 64, "epc.mnc0%.2s.mcc%.3s.3gppnetwork.org", plmn + 3, plmn);
}

struct probe *canary_node(struct audit *a, enum from from)
{
	uint64_t until = audit_wall_ms() + ADMIT_MS;
	char host[96], realm[64];
	uint32_t result;
	enum err err;

	if (a->node[from] || a->node_why[from][0])
		return a->node[from];
	realm_of(nodes[from].plmn, realm);
	snprintf(host, sizeof host, "%s.%s", nodes[from].name, realm);
	do {
		err = probe_open(&a->node[from], &a->to, host, realm, &result, a->node_why[from]);
		if (err == ERR_REFUSED)
			usleep(100000);
	} while (err == ERR_REFUSED && audit_wall_ms() < until);
	if (!err)
		a->node_why[from][0] = 0;
	return a->node[from];
}

/* Gone for now: the next canary connects anew. */
static void forget(struct audit *a, enum from from)
{
	probe_close(a->node[from]);
	a->node[from] = NULL;
}

enum err canary_send(struct audit *a, const struct canary *c)
{
	struct probe *p = canary_node(a, c->from);
	struct view v;

	if (!p)
		return ERR_NOT_FOUND;
	v = write_message(a, c, p);
	return v.n == 0 ? ERR_FULL : probe_send(p, v);
}

enum err canary_ask(struct audit *a, const struct canary *c)
{
	struct probe *p = canary_node(a, c->from);
	struct view v;
	enum err err;

	if (!p)
		return ERR_NOT_FOUND;
	v = write_message(a, c, p);
	err = v.n == 0 ? ERR_FULL : probe_ask(p, v, &a->answer, ANSWER_MS);
	if (err == ERR_IO)
		forget(a, c->from);
	return err;
}

const char *canary_heard(const struct audit *a, enum err err, char text[64])
{
	if (err)
		snprintf(text, 64, "%s", err == ERR_AGAIN ? "no answer" : err_text(err));
	else if (a->answer.experimental)
		snprintf(text, 64, "experimental %u", a->answer.experimental);
	else
		snprintf(text, 64, "%u", a->answer.result);
	return text;
}

static bool is_expected(const struct audit *a, int32_t expect)
{
	if (expect < 0)
		return a->answer.experimental == (uint32_t)-expect;
	return a->answer.experimental == 0 && a->answer.result == (uint32_t)expect;
}

/* A peer that must not even become one. */
static enum state try_peer(struct audit *a, const struct attempt *t, struct proof *p)
{
	char host[256], realm[256], why[PROBE_TEXT];
	struct probe *stranger = NULL;
	uint32_t result;
	enum err err = probe_open(&stranger, &a->to, filled(a, t->canary.origin_host, host),
				  filled(a, t->canary.origin_realm, realm), &result, why);

	if (!err) {
		probe_close(stranger);
		return proof(p, NOT_SHOWN, "%s: it was let in", t->what);
	}
	if (err != ERR_REFUSED)
		return proof(p, WITHOUT, "%s", why);
	return proof(p, result == (uint32_t)t->expect ? SHOWN : NOT_SHOWN, "%s: refused with %u",
		     t->what, result);
}

static const char *text_of(const json_t *rule, const char *field)
{
	const char *text = json_string_value(json_object_get(rule, field));

	return text ? text : "";
}

/* A rule that treats the canary apart from everybody would make it a liar. */
static bool set_apart(const struct audit *a, const json_t *rule)
{
	const char *plmn = text_of(rule, "plmn"), *from = text_of(rule, "imsi_from");
	const char *host = text_of(rule, "host");
	char first[16];

	canary_imsi(a, WHO_PLAIN, first);
	return strcmp(plmn, CANARY_PLMN) == 0 || strcmp(plmn, FAR_PLMN) == 0 ||
	       strcmp(plmn, BLOCKED_PLMN) == 0 || strncmp(from, first, 13) == 0 ||
	       strstr(host, "audit-");
}

/* The exceptions that the records make to a check; `*apart`: the name of one about the canary
 * itself. */
static size_t exceptions(const struct audit *a, const char *check, const char **apart)
{
	const json_t *rule;
	size_t i, n = 0;

	*apart = NULL;
	json_array_foreach(a->rules, i, rule)
	{
		if (strcmp(text_of(rule, "check"), check) != 0)
			continue;
		n += text_of(rule, "plmn")[0] || text_of(rule, "imsi_from")[0] ||
		     text_of(rule, "host")[0];
		if (set_apart(a, rule))
			*apart = text_of(rule, "name");
	}
	return n;
}

bool canary_counted(struct audit *a, const char *check, bool *known)
{
	char number[16];
	char *page = sight_page(a);
	uint64_t before, after;

	snprintf(number, sizeof number, "%u", (unsigned int)check_find(view_of(check)));
	before = sight_metric(a->page, "merlon_edge_refused_total", "check", number);
	after = sight_metric(page, "merlon_edge_refused_total", "check", number);
	*known = a->page && page;
	free(page);
	return after > before;
}

static enum state try_refusal(struct audit *a, const struct attempt *t, struct proof *p,
			      const char *heard)
{
	const char *apart = NULL;
	bool known = false, ours;
	size_t n;

	if (!is_expected(a, t->expect))
		return proof(p, NOT_SHOWN, "%s: answered %s, %s did not refuse", t->what, heard,
			     t->check);
	n = exceptions(a, t->check, &apart);
	if (apart)
		return proof(p, NOT_SHOWN, "%s: rule %s treats the canary apart", t->check, apart);
	ours = canary_counted(a, t->check, &known);
	if (known && !ours)
		return proof(p, NOT_SHOWN, "%s: answered %s, but not by %s", t->what, heard,
			     t->check);
	if (n > 0)
		return proof(p, SHOWN, "%s: refused, %s (%zu exceptions)", t->what, heard, n);
	return proof(p, SHOWN, "%s: refused, %s", t->what, heard);
}

enum state canary_try(struct audit *a, const struct attempt *t, struct proof *p)
{
	char heard[64];
	enum err err;

	if (t->check && strcmp(t->check, "cer") == 0)
		return try_peer(a, t, p);
	err = canary_ask(a, &t->canary);
	if (err == ERR_NOT_FOUND)
		return proof(p, WITHOUT, "%s", a->node_why[t->canary.from]);
	canary_heard(a, err, heard);
	if (err)
		return proof(p, NOT_SHOWN, "%s: %s", t->what, heard);
	if (t->check)
		return try_refusal(a, t, p, heard);
	return proof(p, is_expected(a, t->expect) ? SHOWN : NOT_SHOWN, "%s: %s", t->what, heard);
}
