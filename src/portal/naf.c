#include "portal/naf.h"

#include "base/bcd.h"
#include "base/log.h"
#include "crypto/gba.h"
#include "node/dia_adapt.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_SIZE ((size_t)256 << 10)
#define NTP_EPOCH 2208988800u /* Diameter's Time begins in 1900 */
#define PENDING_MAX 256
#define ANSWER_MS 5000

struct naf {
	struct naf_conf conf;
	struct naf_answer answer;
	struct dia_node_conf me;
	struct dia_node *node;
	struct dia_peer *home;
	bool open;
	uint32_t session;
	struct arena mem;
	uint8_t id[GBA_NAME_MAX + 5]; /* NAF_Id */
	size_t id_n;
};

struct asked {
	uint32_t place, serial;
};

/* --- loop to node --- */

static void conn_up(void *ctx, struct conn *c)
{
	struct naf *n = ctx;
	struct conn_info i = conn_info(c);
	struct dia_link l = {conn_id(c), true,	       i.link == LINK_TLS, i.address,
			     i.local,	 i.cert_names, i.cert_name_n};

	dia_node_up(n->node, &l, n->home, loop_now(n->conf.loop));
}

static void conn_message(void *ctx, struct conn *c, struct view frame)
{
	struct naf *n = ctx;

	dia_node_frame(n->node, conn_id(c), frame, &n->mem, loop_now(n->conf.loop));
	arena_reset(&n->mem);
}

static void conn_down(void *ctx, struct conn *c, const char *why)
{
	struct naf *n = ctx;

	if (dia_node_peer_of_conn(n->node, conn_id(c)))
		dia_node_down(n->node, conn_id(c), why, loop_now(n->conf.loop));
	else
		dia_node_dial_failed(n->node, n->home, why, loop_now(n->conf.loop));
}

static const struct conn_ops diameter = {dia_frame, conn_up, conn_message, conn_down};

/* --- node to loop --- */

static void on_send(void *ctx, uint32_t conn, struct view bytes)
{
	struct naf *n = ctx;
	struct conn *c = conn_find(n->conf.loop, conn);

	if (c)
		conn_write(c, bytes);
}

static void on_close(void *ctx, uint32_t conn)
{
	struct naf *n = ctx;
	struct conn *c = conn_find(n->conf.loop, conn);

	if (c)
		conn_close(c);
}

static void on_dial(void *ctx, struct dia_peer *peer)
{
	struct naf *n = ctx;

	n->home = peer;
	if (!loop_connect(n->conf.loop, n->conf.home, NULL, &diameter, n, n))
		dia_node_dial_failed(n->node, peer, "out of connections", loop_now(n->conf.loop));
}

static struct dia_admit on_admit(void *ctx, const struct dia_link *link, const struct msg *ce)
{
	(void)ctx;
	(void)link;
	(void)ce;
	return (struct dia_admit){2001, DIA_HOME, 0}; /* it is we who dialled */
}

static void on_up(void *ctx, struct dia_peer *peer)
{
	struct naf *n = ctx;

	(void)peer;
	n->open = true;
	LOG(LOG_NOTE, "portal.home_up", KV("host", n->conf.home_host));
}

static void on_down(void *ctx, struct dia_peer *peer, const char *why)
{
	struct naf *n = ctx;

	(void)peer;
	n->open = false;
	LOG(LOG_NOTE, "portal.home_down", KV("host", n->conf.home_host), KV("why", why));
}

static void on_request(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
		       struct view raw, enum err err)
{
	struct naf *n = ctx;
	uint8_t room[2048];
	struct wr w = {.p = room, .cap = sizeof room};

	dia_refuse(&w, &n->me, m, h, raw, err ? err : ERR_UNKNOWN_CMD, err ? dia_result(err) : 3001);
	dia_node_send(n->node, from, wr_done(&w));
}

/* "IMSI@domain" of our own home: it made it. */
static uint64_t imsi_of(struct view impi)
{
	const uint8_t *at = impi.n > 0 ? memchr(impi.p, '@', impi.n) : NULL;

	return at ? bcd_of(view_first(impi, (size_t)(at - impi.p))) : 0;
}

static void on_answer(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
		      struct view raw, enum err err, struct dia_pending *p)
{
	struct naf *n = ctx;
	struct naf_key key = {0};
	struct view material;
	uint32_t result = 3002;
	struct dia_outcome o;
	struct asked a;

	(void)from;
	(void)h;
	(void)raw;
	memcpy(&a, p->user, sizeof a);
	if (!err) {
		o = dia_outcome(m);
		material = tab_get(m, AVP_ME_KEY_MATERIAL);
		result = o.experimental ? o.experimental : o.result;
		key.imsi = imsi_of(tab_get(m, AVP_USER_NAME));
		key.expires_s = dia_u32(tab_get(m, AVP_KEY_EXPIRYTIME)) - NTP_EPOCH;
		if (o.ok && material.n == sizeof key.key.b)
			memcpy(key.key.b, material.p, material.n);
		else if (o.ok)
			result = 3002;
	}
	n->answer.fn(n->answer.ctx, a.place, a.serial, result, &key);
	secret_wipe(&key, sizeof key);
}

static void on_lost(void *ctx, struct dia_pending *p, const char *why)
{
	static const struct naf_key none;
	struct naf *n = ctx;
	struct asked a;

	(void)why;
	memcpy(&a, p->user, sizeof a);
	n->answer.fn(n->answer.ctx, a.place, a.serial, 3002, &none);
}

static const struct dia_actions actions = {
    .send = on_send,
    .close = on_close,
    .dial = on_dial,
    .admit = on_admit,
    .peer_up = on_up,
    .peer_down = on_down,
    .request = on_request,
    .answer = on_answer,
    .lost = on_lost,
};

struct naf *naf_new(const struct naf_conf *conf, const struct naf_answer *answer)
{
	struct naf *n = calloc(1, sizeof *n);
	struct wr id;

	if (!n)
		return NULL;
	n->conf = *conf;
	n->answer = *answer;
	id = (struct wr){.p = n->id, .cap = sizeof n->id};
	wr_view(&id, view_of(conf->name));
	wr_view(&id, (struct view){gba_ua_digest, sizeof gba_ua_digest});
	n->id_n = id.n;
	n->me = (struct dia_node_conf){
	    .host = view_of(conf->host),
	    .realm = view_of(conf->realm),
	    .product = VIEW("Merlon"),
	    .vendor_id = VENDOR_3GPP,
	    .apps = {DIA_APP_ZN},
	    .app_n = 1,
	    .state_id = (uint32_t)(loop_wall(conf->loop) / 1000),
	    .watchdog_ms = 30000,
	    .peer_max = 2,
	    .pending_max = PENDING_MAX,
	    .pending_ms = ANSWER_MS,
	};
	n->mem = (struct arena){.base = malloc(ARENA_SIZE), .cap = ARENA_SIZE};
	n->node = dia_node_new(&n->me, &actions, n);
	if (n->node)
		n->home = dia_node_peer(n->node, DIA_HOME, (struct view){0}, n);
	if (n->mem.base && n->home && !id.err)
		return n;
	naf_free(n);
	return NULL;
}

void naf_free(struct naf *n)
{
	if (!n)
		return;
	if (n->node)
		dia_node_free(n->node);
	free(n->mem.base);
	free(n);
}

void naf_tick(struct naf *n)
{
	dia_node_tick(n->node, loop_now(n->conf.loop));
}

void naf_stop(struct naf *n)
{
	(void)dia_node_stop(n->node, 0, loop_now(n->conf.loop));
}

static void put_request(struct naf *n, struct wr *w, struct view btid)
{
	struct dia_header h = {DIA_FLAG_REQUEST | DIA_FLAG_PROXIABLE, 310, DIA_APP_ZN, 0,
			       dia_node_end_to_end(n->node)};
	size_t start = dia_begin(w, &h), group;
	char session[320];

	snprintf(session, sizeof session, "%.255s;%u;%u", n->conf.host, n->me.state_id, ++n->session);
	dia_put_text(w, AVP_SESSION_ID, session);
	group = dia_open(w, AVP_VENDOR_SPECIFIC_APPLICATION_ID);
	dia_put_u32(w, AVP_VENDOR_ID, VENDOR_3GPP);
	dia_put_u32(w, AVP_AUTH_APPLICATION_ID, DIA_APP_ZN);
	dia_close(w, group);
	dia_put(w, AVP_ORIGIN_HOST, n->me.host);
	dia_put(w, AVP_ORIGIN_REALM, n->me.realm);
	dia_put(w, AVP_DESTINATION_REALM, n->me.realm);
	dia_put_text(w, AVP_DESTINATION_HOST, n->conf.home_host);
	dia_put(w, AVP_TRANSACTION_IDENTIFIER, btid);
	dia_put(w, AVP_NAF_HOSTNAME, (struct view){n->id, n->id_n});
	dia_end(w, start);
}

bool naf_ask(struct naf *n, struct view btid, uint32_t place, uint32_t serial)
{
	struct dia_pending p = {.app = DIA_APP_ZN, .code = 310};
	struct asked a = {place, serial};
	uint8_t room[2048];
	struct wr w = {.p = room, .cap = sizeof room};

	if (!n->open)
		return false;
	put_request(n, &w, btid);
	memcpy(p.user, &a, sizeof a);
	return !w.err && dia_node_request(n->node, n->home, &w, &p, loop_now(n->conf.loop)) == ERR_OK;
}
