/* Refusals: what an error or a verdict becomes on the wire (RFC 6733 §7, TS 29.272 §7.4). */
#include "node/dia_adapt.h"

#define RESULT_MAX_BAD   1024 /* a larger AVP to blame is not sent back */
#define NO_STATE         1    /* Auth-Session-State NO_STATE_MAINTAINED: S6a and S13 keep none */
#define AVP_HEADER       8
#define FLAGS_NOT_PLAIN  0x9f /* a vendor, or reserved bits */
#define PROXIES_MAX      32
#define PROXY_INFO_MAX   1024
#define CODE_PROXY_STATE 33
#define CODE_SESSION_ID  263
#define CODE_PROXY_HOST  280
#define CODE_PROXY_INFO  284
#define CODE_ULR         316
#define CODE_AIR         318

struct code {
	uint16_t code;
	bool experimental;
};

struct cause_row {
	struct code access, s6a, s13; /* access: AIR and ULR */
	int8_t diagnostic;
	const char *text;
};

#define BASE(code) { (code), false }
#define EXP(code)  { (code), true }
static const struct cause_row causes[CAUSE_N] = {
	[CAUSE_NONE] = { BASE(5012), BASE(5012), BASE(5012), -1, "unable to comply" },
#define CAUSE(id, access, diagnostic, s6a, s13, text) \
	[CAUSE_##id] = { access, s6a, s13, diagnostic, text },
#include "node/dia_cause.tab"
#undef CAUSE
};

/* One AVP off the bytes of a request that may not have been parsed to its end. */
struct cut {
	uint32_t code, flags;
	struct view value, whole;
};

static bool cut(struct rd *r, struct cut *c)
{
	struct rd head = { .left = r->left };
	uint32_t len;

	c->code = rd_be(&head, 4);
	c->flags = rd_be(&head, 1);
	len = rd_be(&head, 3);
	c->whole = rd_take(r, ((size_t)len + 3) & ~(size_t)3);
	if (head.err || r->err || len < AVP_HEADER)
		return false;
	c->value = (struct view){ c->whole.p + AVP_HEADER, len - AVP_HEADER };
	return true;
}

static bool plain(const struct cut *c, uint32_t code, size_t min, size_t max)
{
	return c->code == code && !(c->flags & FLAGS_NOT_PLAIN) && c->value.n >= min &&
	       c->value.n <= max;
}

/* What is wrong in a request shall not be wrong in its answer. */
static bool session_ok(const struct cut *c)
{
	return plain(c, CODE_SESSION_ID, 1, 255) && kind_ok(TEXT, NULL, c->value);
}

static bool proxy_ok(const struct cut *c)
{
	struct rd r = { .left = c->value };
	struct cut in;
	unsigned int hosts = 0, states = 0;

	if (!plain(c, CODE_PROXY_INFO, 0, PROXY_INFO_MAX))
		return false;
	while (r.left.n > 0) {
		if (!cut(&r, &in))
			return false;
		if (plain(&in, CODE_PROXY_HOST, 1, 255) && kind_ok(IDENTITY, NULL, in.value))
			hosts++;
		else if (plain(&in, CODE_PROXY_STATE, 0, PROXY_INFO_MAX))
			states++;
		else
			return false;
	}
	return hosts == 1 && states == 1;
}

static bool copy_session(struct wr *w, struct view raw)
{
	struct rd r = { .left = raw };
	struct cut c;

	rd_take(&r, DIA_HEADER);
	while (r.left.n > 0 && cut(&r, &c)) {
		if (!session_ok(&c))
			continue;
		wr_view(w, c.whole);
		return true;
	}
	return false;
}

static void copy_proxies(struct wr *w, struct view raw)
{
	struct rd r = { .left = raw };
	unsigned int room = PROXIES_MAX;
	struct cut c;

	rd_take(&r, DIA_HEADER);
	while (r.left.n > 0 && room > 0 && cut(&r, &c)) {
		if (!proxy_ok(&c))
			continue;
		wr_view(w, c.whole);
		room--;
	}
}

static struct dia_header answer(const struct dia_header *h, uint32_t result)
{
	struct dia_header a = *h;

	a.flags = h->flags & DIA_FLAG_PROXIABLE;
	if (result / 1000 == 3) /* protocol errors only: RFC 6733 §7.1.3 */
		a.flags |= DIA_FLAG_ERROR;
	return a;
}

static void error_bit(struct wr *w, size_t start, struct dia_header *a)
{
	a->flags |= DIA_FLAG_ERROR;
	wr_at(w, start + 4, a->flags, 1);
}

static void put_vendor_app(struct wr *w, uint32_t app)
{
	size_t group = dia_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);

	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, app);
	dia_close(w, group);
}

static bool ours(uint32_t app)
{
	return app == DIA_APP_S6A || app == DIA_APP_S13 || app == DIA_APP_SWX;
}

static void put_origin(struct wr *w, const struct dia_node_conf *me)
{
	dia_put(w, AVP_ORIGIN_HOST, me->host);
	dia_put(w, AVP_ORIGIN_REALM, me->realm);
}

/* Protocol errors have a grammar of their own (§7.2), and so has an answer that its command's own
 * grammar has no words for: without the Session-Id that the request should have had, say. */
void dia_refuse(struct wr *w, const struct dia_node_conf *me, const struct msg *m,
		const struct dia_header *h, struct view raw, enum err err, uint32_t result)
{
	struct dia_header a;
	size_t start;
	bool full;

	result = result ? result : dia_result(err);
	a = answer(h, result);
	start = dia_begin(w, &a);
	if (!copy_session(w, raw) && ours(h->app))
		error_bit(w, start, &a);
	full = ours(h->app) && !(a.flags & DIA_FLAG_ERROR);
	if (full)
		put_vendor_app(w, h->app);
	dia_put_u32(w, AVP_RESULT_CODE, result);
	if (full)
		dia_put_u32(w, AVP_AUTH_SESSION_STATE, NO_STATE);
	put_origin(w, me);
	if (err)
		dia_put_text(w, AVP_ERROR_MESSAGE, err_text(err));
	if (err && m->bad.n > 0 && m->bad.n <= RESULT_MAX_BAD)
		dia_put(w, AVP_FAILED_AVP, m->bad);
	copy_proxies(w, raw);
	dia_end(w, start);
}

/* --- a verdict ------------------------------------------------------------------------------ */

static struct code code_of(const struct cause_row *row, const struct dia_header *h)
{
	if (h->app == DIA_APP_S13)
		return row->s13;
	if (h->app != DIA_APP_S6A)
		return row->access.experimental ? (struct code)BASE(5003) : row->access;
	return h->code == CODE_AIR || h->code == CODE_ULR ? row->access : row->s6a;
}

static void put_result(struct wr *w, struct code c)
{
	size_t group;

	if (!c.experimental) {
		dia_put_u32(w, AVP_RESULT_CODE, c.code);
		return;
	}
	group = dia_open(w, AVP_EXPERIMENTAL_RESULT);
	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_EXPERIMENTAL_RESULT_CODE, c.code);
	dia_close(w, group);
}

/* An overload report (RFC 7683 §5.2): only to who said that it understands one. For the host if the
 * request named one, else for the realm. */
static void put_overload(struct wr *w, const struct msg *m, const struct overload *o)
{
	if (tab_get(m, AVP_OC_SUPPORTED_FEATURES).n > 0)
		dia_put_overload(w, o, tab_get(m, AVP_DESTINATION_HOST).n > 0);
}

/* Some MMEs drop an error ULA that lacks what a good one has, and the device hangs (facts of
 * Open5GS). So it gets all of it, and nothing that can be used: barred, every radio forbidden, no
 * bandwidth, an APN of a name that cannot exist (RFC 6761 §6.4). */
static void put_empty_profile(struct wr *w)
{
	size_t data, profile, apn, qos, arp, ambr;

	dia_put_u32(w, AVP_ULA_FLAGS, 1);
	data = dia_open(w, AVP_SUBSCRIPTION_DATA);
	dia_put_u32(w, AVP_SUBSCRIBER_STATUS, 1);
	dia_put_u32(w, AVP_OPERATOR_DETERMINED_BARRING, 1);
	dia_put_u32(w, AVP_NETWORK_ACCESS_MODE, 2);
	dia_put_u32(w, AVP_ACCESS_RESTRICTION_DATA, 0x1fff);
	ambr = dia_open(w, AVP_AMBR);
	dia_put_u32(w, AVP_MAX_REQUESTED_BANDWIDTH_UL, 1);
	dia_put_u32(w, AVP_MAX_REQUESTED_BANDWIDTH_DL, 1);
	dia_close(w, ambr);
	profile = dia_open(w, AVP_APN_CONFIGURATION_PROFILE);
	dia_put_u32(w, AVP_CONTEXT_IDENTIFIER, 1);
	dia_put_u32(w, AVP_ALL_APN_CONFIGURATIONS_INCLUDED_INDICATOR, 0);
	apn = dia_open(w, AVP_APN_CONFIGURATION);
	dia_put_u32(w, AVP_CONTEXT_IDENTIFIER, 1);
	dia_put_u32(w, AVP_PDN_TYPE, 0);
	dia_put_text(w, AVP_SERVICE_SELECTION, "barred.invalid");
	qos = dia_open(w, AVP_EPS_SUBSCRIBED_QOS_PROFILE);
	dia_put_u32(w, AVP_QOS_CLASS_IDENTIFIER, 9);
	arp = dia_open(w, AVP_ALLOCATION_RETENTION_PRIORITY);
	dia_put_u32(w, AVP_PRIORITY_LEVEL, 15);
	dia_close(w, arp);
	dia_close(w, qos);
	dia_close(w, apn);
	dia_close(w, profile);
	dia_close(w, data);
}

static void put_rest(struct wr *w, const struct msg *m, const struct dia_header *h,
		     const struct verdict *v, const struct dia_reply *r)
{
	const struct cause_row *row = &causes[v->cause < CAUSE_N ? v->cause : CAUSE_NONE];
	struct code c = code_of(row, h);
	bool access = h->app == DIA_APP_S6A && (h->code == CODE_AIR || h->code == CODE_ULR);

	if (r->overload)
		put_overload(w, m, r->overload);
	if (c.experimental && access && row->diagnostic >= 0)
		dia_put_u32(w, AVP_ERROR_DIAGNOSTIC, (uint32_t)row->diagnostic);
	if (c.experimental && r->compat && h->app == DIA_APP_S6A && h->code == CODE_ULR)
		put_empty_profile(w);
	dia_put_text(w, AVP_ERROR_MESSAGE, row->text);
	copy_proxies(w, m->raw);
}

void dia_reject(struct wr *w, const struct dia_node_conf *me, const struct msg *m,
		const struct dia_header *h, const struct verdict *v, const struct dia_reply *r)
{
	struct code c = code_of(&causes[v->cause < CAUSE_N ? v->cause : CAUSE_NONE], h);
	struct dia_header a = answer(h, c.experimental ? 0 : c.code);
	size_t start = dia_begin(w, &a);
	bool full;

	if (!copy_session(w, m->raw) && ours(h->app))
		error_bit(w, start, &a);
	full = ours(h->app) && !(a.flags & DIA_FLAG_ERROR);
	if (full)
		put_vendor_app(w, h->app);
	put_result(w, c);
	if (full)
		dia_put_u32(w, AVP_AUTH_SESSION_STATE, NO_STATE);
	put_origin(w, me);
	put_rest(w, m, h, v, r);
	dia_end(w, start);
}
