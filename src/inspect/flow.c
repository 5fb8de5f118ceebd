/* The flow table: buckets of eight, the oldest makes way; names beside it; the cache of verdicts. */
#include "inspect/flow_in.h"

#include <stdlib.h>

#define WAY 8
#define NAME_N 8192
#define NAME_TRIES 8
#define CACHE_N 16384
#define CACHE_S 600   /* a verdict is remembered so long */
#define CACHE_LOOK 64 /* and each so many flows, one is looked at all the same */
#define IDLE_S 120    /* a flow that begins anew after that is another */

struct cached {
	uint64_t key, risks, client;
	uint32_t at_s, name, uses;
	uint16_t protocol, app, tls;
	uint8_t bits;
};

struct flows {
	struct flows_conf conf;
	struct flow *flow;
	size_t mask; /* of buckets */
	struct dpi *dpi;
	char (*names)[64];
	struct cached *cache;
	struct flows_counts n;
};

struct flows *flows_new(const struct flows_conf *conf)
{
	struct flows *f = calloc(1, sizeof *f);
	size_t buckets = 64;

	if (!f)
		return NULL;
	f->conf = *conf;
	while (buckets * WAY < conf->max)
		buckets *= 2;
	f->mask = buckets - 1;
	f->flow = calloc(buckets * WAY, sizeof *f->flow);
	f->names = calloc(NAME_N, sizeof *f->names);
	f->cache = calloc(CACHE_N, sizeof *f->cache);
	f->dpi = dpi_new(conf->undecided_max);
	if (!f->flow || !f->names || !f->cache || !f->dpi) {
		flows_free(f);
		return NULL;
	}
	return f;
}

void flows_free(struct flows *f)
{
	if (!f)
		return;
	dpi_free(f->dpi);
	free(f->cache);
	free(f->names);
	free(f->flow);
	free(f);
}

size_t flows_bytes(const struct flows *f)
{
	return sizeof *f + (f->mask + 1) * WAY * sizeof *f->flow + NAME_N * sizeof *f->names +
	       CACHE_N * sizeof *f->cache + dpi_bytes(f->dpi);
}

/* --- names ------------------------------------------------------------------------------------ */

/* A name is kept once; where all places near it are taken, the flow has none. */
static uint32_t name_of(struct flows *f, const char *name)
{
	size_t at;

	if (!name[0] || strlen(name) >= sizeof f->names[0])
		return 0;
	at = hash_view(f->conf.key, view_of(name)) % (NAME_N - NAME_TRIES - 1) + 1;
	for (size_t i = 0; i < NAME_TRIES; i++) {
		if (!f->names[at + i][0])
			memcpy(f->names[at + i], name, strlen(name));
		if (strcmp(f->names[at + i], name) == 0)
			return (uint32_t)(at + i);
	}
	return 0;
}

const char *flows_name(const struct flows *f, uint32_t name)
{
	return name < NAME_N ? f->names[name] : "";
}

const char *flows_protocol(struct flows *f, uint16_t protocol, uint16_t app, char text[64])
{
	return dpi_protocol(f->dpi, protocol, app, text);
}

const struct flows_counts *flows_counts(const struct flows *f)
{
	return &f->n;
}

/* --- verdicts ---------------------------------------------------------------------------------- */

static struct packet_flow ends_of(const struct flow *w)
{
	return w->bits & FLOW_SWAPPED ? packet_back(&w->ends) : w->ends;
}

/* The place of what was decided for such a flow; NULL: strangers are not alike. */
static struct cached *cache_of(struct flows *f, const struct flow *w, uint64_t *key)
{
	struct packet_flow way = ends_of(w);
	struct {
		uint8_t to[ADDRESS_BYTES];
		uint32_t tenant, tac;
		uint16_t port, protocol;
	} what = {.tenant = w->tenant, .tac = w->tac, .port = way.to_port, .protocol = way.protocol};

	if (!w->tenant && !w->tac)
		return NULL;
	memcpy(what.to, way.to, sizeof what.to);
	*key = hash_view(f->conf.key, (struct view){(const uint8_t *)&what, sizeof what});
	return &f->cache[*key % CACHE_N];
}

static bool from_cache(struct flows *f, struct flow *w, uint32_t now_s)
{
	uint64_t key = 0;
	struct cached *c = cache_of(f, w, &key);

	if (!c || c->key != key || now_s - c->at_s > CACHE_S || ++c->uses % CACHE_LOOK == 0)
		return false;
	w->protocol = c->protocol;
	w->app = c->app;
	w->tls = c->tls;
	w->risks = c->risks;
	w->client = c->client;
	w->name = c->name;
	w->bits |= (uint8_t)(c->bits | FLOW_DECIDED | FLOW_CACHED);
	f->n.cached++;
	return true;
}

static void to_cache(struct flows *f, const struct flow *w)
{
	uint64_t key = 0;
	struct cached *c = cache_of(f, w, &key);

	if (c)
		*c = (struct cached){.key = key,
				     .risks = w->risks,
				     .client = w->client,
				     .at_s = w->last_s,
				     .name = w->name,
				     .protocol = w->protocol,
				     .app = w->app,
				     .tls = w->tls,
				     .bits = w->bits & FLOW_ENCRYPTED};
}

static void take_verdict(struct flows *f, struct flow *w, const struct dpi_verdict *v)
{
	w->protocol = v->protocol;
	w->app = v->app;
	w->tls = v->tls;
	w->risks = v->risks;
	w->client = v->client;
	w->name = name_of(f, v->name);
	w->bits |= (uint8_t)(FLOW_DECIDED | (v->encrypted ? FLOW_ENCRYPTED : 0));
	dpi_give(f->dpi, w->pool);
	w->pool = 0;
	f->n.decided++;
	if (w->packets[0] + w->packets[1] > 3 || v->sure)
		to_cache(f, w); /* a lone SYN says nothing of the next flow */
}

static void decided(struct flows *f, struct flow *w)
{
	uint16_t id = w->app ? w->app : w->protocol;

	f->n.by_protocol[id < 512 ? id : 0]++;
	for (uint64_t r = w->risks; r; r &= r - 1)
		f->n.by_risk[__builtin_ctzll(r)]++;
	if (f->conf.decided)
		f->conf.decided(f->conf.ctx, w);
}

static void ended(struct flows *f, struct flow *w)
{
	struct dpi_verdict v;

	if (w->pool) {
		dpi_give_up(f->dpi, w->pool, &v);
		take_verdict(f, w, &v);
		decided(f, w);
	}
	if (f->conf.gone)
		f->conf.gone(f->conf.ctx, w);
	*w = (struct flow){0};
}

void flows_end(struct flows *f)
{
	for (size_t i = 0; i < (f->mask + 1) * WAY; i++) {
		if (f->flow[i].first_us)
			ended(f, &f->flow[i]);
	}
}

/* --- the table --------------------------------------------------------------------------------- */

static bool swapped(const struct packet_flow *f)
{
	int c = memcmp(f->from, f->to, ADDRESS_BYTES);

	return c > 0 || (c == 0 && f->from_port > f->to_port);
}

static bool same(const struct flow *w, const struct packet_flow *ends, uint64_t imsi)
{
	return w->first_us && w->imsi == imsi && memcmp(&w->ends, ends, sizeof *ends) == 0;
}

/* The flow's place, or the one that makes way for it: an empty one, else the oldest. */
static struct flow *place(struct flows *f, const struct packet_flow *ends, uint64_t imsi)
{
	uint64_t h = hash_view(f->conf.key, (struct view){(const uint8_t *)ends, sizeof *ends}) ^ imsi;
	struct flow *b = &f->flow[(h & f->mask) * WAY], *way = b;

	for (size_t i = 0; i < WAY; i++) {
		if (same(&b[i], ends, imsi))
			return &b[i];
		if (way->first_us && (!b[i].first_us || b[i].last_s < way->last_s))
			way = &b[i];
	}
	return way;
}

static void begin(struct flows *f, struct flow *w, const struct packet_flow *ends, const struct flow_of *of,
		  bool turned)
{
	if (w->first_us) {
		f->n.evicted += !same(w, ends, of->imsi);
		ended(f, w);
	}
	*w = (struct flow){.ends = *ends, .imsi = of->imsi, .tenant = of->tenant, .tac = of->tac};
	w->bits = (uint8_t)((turned ? FLOW_SWAPPED : 0) | (of->up ? FLOW_UP : 0));
	f->n.made++;
}

bool flow_is_new(const struct flow *f)
{
	return f->packets[0] + f->packets[1] == 1;
}

static void inspect(struct flows *f, struct flow *w, const struct packet *p, uint64_t now_us)
{
	struct dpi_verdict v;

	f->n.inspected++;
	if (!dpi_packet(f->dpi, w->pool, p, now_us, &v))
		return;
	take_verdict(f, w, &v);
	decided(f, w);
}

static void count(struct flow *w, const struct packet *p, bool back, uint64_t now_us)
{
	uint32_t n = (uint32_t)p->ip.n;

	w->first_us = w->first_us ? w->first_us : now_us ? now_us : 1;
	w->last_s = (uint32_t)(now_us / 1000000);
	w->packets[back]++;
	w->bytes[back] += w->bytes[back] + n < n ? UINT32_MAX - w->bytes[back] : n;
	w->bits |= back ? FLOW_SEEN_BACK : 0;
}

struct flow *flows_packet(struct flows *f, const struct packet *p, const struct flow_of *of,
			  uint64_t now_us, bool *back)
{
	bool turned = swapped(&p->flow), anew;
	struct packet_flow ends = turned ? packet_back(&p->flow) : p->flow;
	uint32_t now_s = (uint32_t)(now_us / 1000000);
	struct flow *w = place(f, &ends, of->imsi);

	anew = !same(w, &ends, of->imsi) || (now_s > w->last_s && now_s - w->last_s > IDLE_S);
	if (anew)
		begin(f, w, &ends, of, turned);
	*back = turned != !!(w->bits & FLOW_SWAPPED);
	count(w, p, *back, now_us);
	if (anew && from_cache(f, w, now_s)) {
		decided(f, w);
	} else if (anew) {
		w->pool = dpi_take(f->dpi);
		f->n.no_room += !w->pool;
	}
	if (w->pool && !(p->notes & PACKET_LATER))
		inspect(f, w, p, now_us);
	return w;
}
