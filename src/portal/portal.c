#include "portal/portal_in.h"

#include "portal/api_in.h"
#include "portal/watching.h"
#include "portal/files.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TICK_MS 100
#define CONN_ADDRESS 256
#define SESSIONS 16384

uint64_t portal_now_s(const struct portal *p)
{
	return loop_wall(p->loop) / 1000;
}

uint32_t portal_wait(struct portal *p, struct web_call *call, enum waits for_what)
{
	struct waiter *w = &p->waiter[web_place(call)];

	*w = (struct waiter){.call = call, .for_what = for_what, .serial = ++p->serial};
	return w->serial;
}

static void gone(void *ctx, struct web_call *call)
{
	struct portal *p = ctx;

	p->waiter[web_place(call)].for_what = WAITS_NOT;
	gate_gone(p, call);
}

static void on_web(void *ctx, int fd)
{
	struct portal *p = ctx;

	(void)fd;
	web_run(p->web);
	desk_flush(p->api->desk);
}

/* A new key signs once the journal has its public half. */
static void turned(struct portal *p, const struct clerk_job *job)
{
	p->turning = false;
	if (job->err)
		return; /* tried again at the next tick */
	oidc_keys_turn(&p->keys);
	LOG(LOG_NOTE, "portal.key_turned", KV("kid", jws_key_id(p->keys.key[0])), KV_CLAUSE("R-3.1.h"));
}

static void on_clerk(void *ctx, int fd)
{
	struct portal *p = ctx;
	struct platforms *fresh = clerk_platforms(p->clerk);
	struct clerk_job job;
	uint64_t n;

	if (read(fd, &n, sizeof n) != sizeof n)
		return;
	if (fresh) {
		platforms_free(p->platforms);
		p->platforms = fresh;
	}
	while (clerk_done(p->clerk, &job)) {
		if (strcmp(job.mode, "receipt") == 0)
			oidc_relay_noted(p, &job);
		else
			turned(p, &job);
	}
	web_run(p->web); /* answers that were waited for */
	p->leaving |= clerk_lost(p->clerk);
}

static void turn_keys(struct portal *p)
{
	struct clerk_job job = {.mode = "oidc-key"};
	struct wr w = {.p = (uint8_t *)job.text, .cap = sizeof job.text - 1};

	if (p->turning || (!p->keys.next && !oidc_keys_due(&p->keys, p->conf.key_days, portal_now_s(p))))
		return;
	jws_key_jwk(p->keys.next, &w);
	snprintf(job.key, sizeof job.key, "%s", jws_key_id(p->keys.next));
	p->turning = clerk_note(p->clerk, &job);
}

static void tick(void *ctx)
{
	struct portal *p = ctx;

	if (p->naf)
		naf_tick(p->naf);
	watching_tick(p->api);
	web_run(p->web);
	desk_flush(p->api->desk);
	if (!p->leaving)
		return;
	LOG(LOG_ERROR, "portal.begins_anew",
	    KV("why", clerk_lost(p->clerk) ? "the keeper is gone" : "the serving copy is another"));
	loop_stop(p->loop);
}

static void every_second(void *ctx)
{
	turn_keys(ctx);
}

static enum err open_clerk(struct portal *p, char why[256])
{
	uint8_t jwk[512];
	struct wr w = {.p = jwk, .cap = sizeof jwk};
	enum err err = clerk_open(&p->clerk, p->conf.keeper, why);

	if (err)
		return err;
	p->platforms = clerk_platforms(p->clerk);
	jws_key_jwk(p->keys.key[0], &w);
	return clerk_note_now(p->clerk, "oidc-key", jws_key_id(p->keys.key[0]), wr_done(&w), why);
}

static enum err open_stores(struct portal *p, char why[256])
{
	enum err err = serving_open(&p->serving, p->conf.data_dir, why);

	if (!err)
		err = oidc_keys_open(&p->keys, p->conf.dir, portal_now_s(p), why);
	if (!err)
		err = open_clerk(p, why);
	if (err)
		return err;
	p->read = serving_reader(p->serving);
	p->sessions = sign_sessions_new(SESSIONS);
	p->relay = relay_new();
	if (!p->read || !p->sessions || !p->relay ||
	    random_bytes(p->nonce_key.b, sizeof p->nonce_key.b) ||
	    random_bytes(p->used_key, sizeof p->used_key)) {
		snprintf(why, 256, "portal: out of memory");
		return ERR_FULL;
	}
	p->book = serving_book(p->read);
	return api_open(p, why);
}

/* Everybody's door: people and programs, pages, and devices' platforms. */
static void request(void *ctx, struct web_call *call, const struct web_request *q)
{
	static const struct view api = VIEW_INIT("/api/v1/");
	struct portal *p = ctx;

	if (q->path.n >= api.n && view_eq(view_first(q->path, api.n), api))
		gate_request(p, call, q);
	else if (oidc_is_at(q->path) || (q->method != WEB_GET && q->method != WEB_HEAD))
		oidc_request(p, call, q);
	else
		files_request(p->files, call, q);
}

static void open_pages(struct portal *p)
{
	char why[256] = "portal.pages: none named";

	p->files = p->conf.pages ? files_open(p->conf.pages, why) : NULL;
	if (!p->files)
		LOG(LOG_NOTE, "portal.no_pages", KV("why", (const char *)why));
}

static enum err open_doors(struct portal *p, char why[256])
{
	const struct web_conf web = {
	    .listen = p->conf.listen,
	    .chain = p->conf.chain,
	    .key = p->conf.key,
	    .conn_max = PORTAL_CONN,
	    .conn_address_max = CONN_ADDRESS,
	    .body_max = PORTAL_BODY,
	    .tls13 = p->conf.tls13,
	    .request = request,
	    .gone = gone,
	    .ctx = p,
	};
	const struct naf_conf naf = {p->loop,	    p->conf.home,     p->conf.host,
				     p->conf.realm, p->conf.bsf_host, p->naf_name};
	enum err err = web_open(&p->web, &web, why);

	if (err)
		return err;
	open_pages(p);
	p->naf = p->conf.home ? naf_new(&naf, &(struct naf_answer){oidc_token_key, p}) : NULL;
	if ((!p->naf && p->conf.home) || loop_watch(p->loop, web_fd(p->web), on_web, p) ||
	    loop_watch(p->loop, clerk_fd(p->clerk), on_clerk, p)) {
		snprintf(why, 256, "portal: out of memory");
		return ERR_FULL;
	}
	loop_every(p->loop, TICK_MS, tick, p);
	loop_every(p->loop, 1000, every_second, p);
	return ERR_OK;
}

enum err portal_start(struct portal **out, const struct portal_conf *conf, char why[256])
{
	static const struct loop_limits limits = {
	    .conn_max = 1, .frame_max = 65536, .out_max = 1 << 20, .handshake_ms = 5000};
	struct portal *p = secret_new(sizeof *p);
	enum err err = ERR_FULL;

	*out = NULL;
	snprintf(why, 256, "portal: out of memory");
	if (!p)
		return ERR_FULL;
	p->conf = *conf;
	p->loop = loop_new(&limits);
	if (p->loop && view_text(view_of(conf->issuer), p->issuer, sizeof p->issuer) &&
	    view_text(view_of(conf->naf), p->naf_name, sizeof p->naf_name))
		err = open_stores(p, why);
	if (!err)
		err = open_doors(p, why);
	if (err) {
		portal_free(p);
		return err;
	}
	*out = p;
	return ERR_OK;
}

void portal_run(struct portal *p)
{
	if (!clerk_start(p->clerk) || !hasher_start(p->api->hasher)) {
		LOG(LOG_ERROR, "portal.begins_anew", KV("why", "no thread can be made"));
		return;
	}
	loop_run(p->loop);
}

void portal_stop(struct portal *p)
{
	loop_stop(p->loop);
}

void portal_free(struct portal *p)
{
	clerk_close(p->clerk);
	if (p->web)
		web_close(p->web);
	p->web = NULL;
	api_close(p->api);
	files_free(p->files);
	naf_free(p->naf);
	sign_sessions_free(p->sessions);
	relay_free(p->relay);
	platforms_free(p->platforms);
	oidc_keys_close(&p->keys);
	if (p->read)
		serving_read_free(p->read);
	if (p->serving)
		serving_close(p->serving);
	if (p->loop)
		loop_free(p->loop);
	secret_free(p);
}
