/* The base protocol's own messages: capabilities exchange, watchdog, disconnect (RFC 6733 §5.3-5.5). */
#include "node/inside.h"

#include <arpa/inet.h>

#define BASE_MAX 2048
#define FIRMWARE 1

/* On connections that we dial we may go by a name of our own: one host name, one connection (§2.1),
 * and each worker dials. */
static void put_origin(struct wr *w, const struct dia_node *n, const struct dia_conn *c)
{
	bool dialled = c->link.outbound && n->conf.dial_host.n > 0;

	dia_put(w, AVP_ORIGIN_HOST, dialled ? n->conf.dial_host : n->conf.host);
	dia_put(w, AVP_ORIGIN_REALM, n->conf.realm);
}

/* Address (RFC 6733 §4.3.1): family and bytes. A receiver may not survive a wrong length, so what is
 * no address of a known family becomes 0.0.0.0. */
static void put_address(struct wr *w, struct view text)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	uint8_t b[18] = { 0, 1 };
	size_t len = 6;
	char s[64];

	if (view_text(text, s, sizeof s) && inet_pton(AF_INET, s, b + 2) != 1 &&
	    inet_pton(AF_INET6, s, b + 2) == 1) {
		if (memcmp(b + 2, mapped, sizeof mapped) == 0) {
			memcpy(b + 2, b + 14, 4);
		} else {
			b[1] = 2;
			len = 18;
		}
	}
	dia_put(w, AVP_HOST_IP_ADDRESS, (struct view){ b, len });
}

static void put_app(struct wr *w, uint32_t app)
{
	size_t group;

	if (app == DIA_APP_RELAY) {
		dia_put_u32(w, AVP_AUTH_APPLICATION_ID, app);
		return;
	}
	group = dia_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);
	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, app);
	dia_close(w, group);
}

static void put_capabilities(struct wr *w, const struct dia_node *n, const struct dia_conn *c)
{
	put_origin(w, n, c);
	put_address(w, c->link.local);
	dia_put_u32(w, AVP_VENDOR_ID, n->conf.vendor_id);
	dia_put(w, AVP_PRODUCT_NAME, n->conf.product);
	dia_put_u32(w, AVP_ORIGIN_STATE_ID, n->conf.state_id);
	dia_put_u32(w, AVP_SUPPORTED_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_INBAND_SECURITY_ID, 0); /* TLS, if any, is up already: §13 */
	for (uint32_t i = 0; i < n->conf.app_n; i++)
		put_app(w, n->conf.apps[i]);
	dia_put_u32(w, AVP_FIRMWARE_REVISION, FIRMWARE);
}

static struct dia_header request(struct dia_node *n, uint32_t code)
{
	return (struct dia_header){ .flags = DIA_FLAG_REQUEST, .code = code, .hop_by_hop = n->hop++,
				    .end_to_end = n->end++ };
}

static struct dia_header answer(const struct dia_header *req)
{
	struct dia_header h = *req;

	h.flags = 0;
	return h;
}

static void finish(struct dia_node *n, struct dia_conn *c, struct wr *w, size_t start)
{
	dia_end(w, start);
	dia_conn_send(n, c, w);
}

void dia_base_send_cer(struct dia_node *n, struct dia_conn *c)
{
	uint8_t bytes[BASE_MAX];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = request(n, DIA_CODE_CE);
	size_t start = dia_begin(&w, &h);

	c->ce_hop = h.hop_by_hop;
	c->ce_end = h.end_to_end;
	put_capabilities(&w, n, c);
	finish(n, c, &w, start);
}

void dia_base_send_cea(struct dia_node *n, struct dia_conn *c, uint32_t result)
{
	uint8_t bytes[BASE_MAX];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = { .code = DIA_CODE_CE, .hop_by_hop = c->ce_hop, .end_to_end = c->ce_end };
	size_t start;

	h.flags = result / 1000 == 3 ? DIA_FLAG_ERROR : 0;
	start = dia_begin(&w, &h);
	dia_put_u32(&w, AVP_RESULT_CODE, result);
	put_capabilities(&w, n, c);
	finish(n, c, &w, start);
}

void dia_base_send_dwr(struct dia_node *n, struct dia_conn *c)
{
	uint8_t bytes[BASE_MAX];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = request(n, DIA_CODE_DW);
	size_t start = dia_begin(&w, &h);

	c->dwr_hop = h.hop_by_hop;
	put_origin(&w, n, c);
	dia_put_u32(&w, AVP_ORIGIN_STATE_ID, n->conf.state_id);
	finish(n, c, &w, start);
}

void dia_base_send_dwa(struct dia_node *n, struct dia_conn *c, const struct dia_header *req)
{
	uint8_t bytes[BASE_MAX];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = answer(req);
	size_t start = dia_begin(&w, &h);

	dia_put_u32(&w, AVP_RESULT_CODE, RESULT_SUCCESS);
	put_origin(&w, n, c);
	dia_put_u32(&w, AVP_ORIGIN_STATE_ID, n->conf.state_id);
	finish(n, c, &w, start);
}

void dia_base_send_dpr(struct dia_node *n, struct dia_conn *c, uint32_t cause)
{
	uint8_t bytes[BASE_MAX];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = request(n, DIA_CODE_DP);
	size_t start = dia_begin(&w, &h);

	put_origin(&w, n, c);
	dia_put_u32(&w, AVP_DISCONNECT_CAUSE, cause);
	finish(n, c, &w, start);
}

void dia_base_send_dpa(struct dia_node *n, struct dia_conn *c, const struct dia_header *req)
{
	uint8_t bytes[BASE_MAX];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header h = answer(req);
	size_t start = dia_begin(&w, &h);

	dia_put_u32(&w, AVP_RESULT_CODE, RESULT_SUCCESS);
	put_origin(&w, n, c);
	finish(n, c, &w, start);
}

static bool offered(const struct dia_node *n, uint32_t app)
{
	for (uint32_t i = 0; i < n->conf.app_n; i++) {
		if (n->conf.apps[i] == app || n->conf.apps[i] == DIA_APP_RELAY)
			return true;
	}
	return false;
}

static void take_app(const struct dia_node *n, struct dia_ce *ce, uint32_t app)
{
	if (app == DIA_APP_RELAY)
		ce->relay = true;
	else if (offered(n, app) && ce->app_n < DIA_APP_MAX)
		ce->apps[ce->app_n++] = app;
}

bool dia_base_read_ce(const struct dia_node *n, const struct msg *m, struct dia_ce *ce)
{
	const struct slot *in = m->slot + m->slot->first;
	struct view host = view_first(tab_get(m, AVP_ORIGIN_HOST), DIA_TEXT_MAX - 1);
	struct view realm = view_first(tab_get(m, AVP_ORIGIN_REALM), DIA_TEXT_MAX - 1);

	*ce = (struct dia_ce){ .state_id = dia_u32(tab_get(m, AVP_ORIGIN_STATE_ID)) };
	view_text(host, ce->host, sizeof ce->host);
	view_text(realm, ce->realm, sizeof ce->realm);
	ce->host_v = (struct view){ (const uint8_t *)ce->host, host.n };
	ce->realm_v = (struct view){ (const uint8_t *)ce->realm, realm.n };
	for (size_t i = 0; i < m->slot->n; i++) {
		const struct slot *group = &in[i];

		if (group->field == AVP_AUTH_APPLICATION_ID)
			take_app(n, ce, dia_u32(group->value));
		if (group->field != AVP_VENDOR_SPECIFIC_APPLICATION_ID)
			continue;
		for (size_t k = 0; k < group->n; k++) {
			const struct slot *s = &m->slot[group->first + k];

			if (s->field == AVP_AUTH_APPLICATION_ID)
				take_app(n, ce, dia_u32(s->value));
		}
	}
	return ce->relay || ce->app_n > 0;
}
