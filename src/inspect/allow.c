#include "inspect/allow_in.h"
#include "inspect/dns.h"
#include "inspect/gtpu.h"

#include <netinet/in.h>
#include <stdlib.h>

#define PART_S 30      /* a datagram is whole within that (RFC 791 3.2, 8200 4.5: 60) */
#define LOOK_S 1       /* how old what was looked up may be */
#define DAY_S 86400
#define PLACES 65536 /* sessions whose SIM is found without a search */
#define BURST_LEAST (64 * 1024 * 8) /* bits: a few full packets at any rate */

_Static_assert(sizeof(struct allow_sim) <= 128, "two cache lines a SIM");

struct allow *allow_new(const struct allow_conf *conf)
{
	struct allow *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->conf = *conf;
	a->sim_sets = conf->sims / WAYS + 1;
	a->name_sets = conf->names / WAYS + 1;
	a->sim = calloc(a->sim_sets * WAYS, sizeof *a->sim);
	a->place = calloc(PLACES, sizeof *a->place);
	a->name = calloc(a->name_sets * WAYS, sizeof *a->name);
	if (a->sim && a->name && a->place)
		return a;
	allow_free(a);
	return NULL;
}

void allow_free(struct allow *a)
{
	if (!a)
		return;
	free(a->sim);
	free(a->place);
	free(a->name);
	free(a);
}

void allow_batch(struct allow *a, const struct book *book, struct sessions *sessions, uint64_t now_ms,
		 uint64_t wall_s)
{
	a->book = book;
	a->sessions = sessions;
	a->now_ms = now_ms;
	a->now_s = (uint32_t)wall_s;
	a->batch++;
}

/* --- whose it is ------------------------------------------------------------------------------ */

/* Its own memory, or that of the one of its set that was silent longest. */
static struct allow_sim *search(struct allow *a, uint64_t imsi)
{
	struct allow_sim *set = &a->sim[hash_u64(a->conf.key, imsi, 1) % a->sim_sets * WAYS], *s = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].imsi == imsi)
			return &set[i];
		if (set[i].seen_s < s->seen_s)
			s = &set[i];
	}
	*s = (struct allow_sim){ .imsi = imsi, .life = LIFE_ACTIVE };
	return s;
}

static struct allow_sim *sim_of(struct allow *a, const struct session *is)
{
	uint32_t *place = &a->place[is->id % PLACES];

	if (a->sim[*place].imsi != is->imsi)
		*place = (uint32_t)(search(a, is->imsi) - a->sim);
	return &a->sim[*place];
}

void allow_ahead(const struct allow *a, uint32_t session)
{
	const struct allow_sim *s = &a->sim[a->place[session % PLACES]];

	__builtin_prefetch(s);
	__builtin_prefetch((const uint8_t *)s + 64);
}

static void look_up(struct allow *a, struct allow_sim *s)
{
	const struct sub_row *sub = a->book->sub(a->book->ctx, s->imsi);

	s->looked_s = a->now_s;
	s->profile = sub ? sub->profile : 0;
	s->life = sub ? sub->life : LIFE_ACTIVE;
	s->flags = sub ? sub->flags : 0;
	s->grey_until = sub ? sub->grey_until : 0;
}

/* Rows stay for a batch: one look-up in each. */
static const struct profile_row *profile_of(struct allow *a, uint32_t id)
{
	size_t i = id % PROFILES;

	if (id == 0)
		return NULL;
	if (a->profile[i].id != id || a->profile[i].batch != a->batch) {
		a->profile[i].id = id;
		a->profile[i].batch = a->batch;
		a->profile[i].row = a->book->profile(a->book->ctx, id);
	}
	return a->profile[i].row;
}

void allow_hold(struct allow *a, uint64_t imsi, uint32_t until_s)
{
	search(a, imsi)->hold_until_s = until_s;
}

/* A greylisted SIM whose profile does not merely watch it: its quarantine APN alone is left. */
static bool quarantined(const struct allow *a, const struct allow_ask *q)
{
	char apn[SESSION_APN];

	if (!q->profile || !(q->sim->flags & SUB_GREY) || q->sim->grey_until <= a->now_s ||
	    q->profile->grey == GREY_WATCH)
		return false;
	if (q->profile->grey != GREY_QUARANTINE || !q->profile->quarantine.name[0])
		return true;
	return !sessions_apn(a->sessions, q->hit->is.id, q->hit->is.life, apn) ||
	       strcmp(apn, q->profile->quarantine.name) != 0;
}

static enum drop standing(const struct allow *a, const struct allow_ask *q)
{
	if (q->sim->hold_until_s > a->now_s || quarantined(a, q))
		return DROP_QUARANTINE;
	return q->sim->life == LIFE_ACTIVE || q->sim->life == LIFE_TEST_READY ? DROP_NOT : DROP_INACTIVE;
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool link_local(const uint8_t a[ADDRESS_BYTES])
{
	static const uint8_t prefix[ADDRESS_BYTES] = { 0xfe, 0x80 }, none[ADDRESS_BYTES];

	return address_in(a, prefix, 10) || memcmp(a, none, ADDRESS_BYTES) == 0;
}

/* Neighbours, routers, groups: between the device and its gateway, and no further (RFC 4861, 2710, 3810). */
static bool of_the_link(const struct packet *p)
{
	uint8_t t = p->icmp_type;

	return p->flow.protocol == IPPROTO_ICMPV6 && !(p->notes & PACKET_FRAGMENT) &&
	       ((t >= 130 && t <= 137) || t == 143) && (p->ttl == 255 || t < 133 || t == 143) &&
	       (link_local(p->flow.from) || link_local(p->flow.to) || p->flow.to[0] == 0xff);
}

static bool is_device(const struct session *s, const uint8_t a[ADDRESS_BYTES])
{
	if (address_is4(a))
		return s->has4 ? memcmp(a + 12, s->ue4, 4) == 0 : !s->has6;
	return s->has6 ? memcmp(a, s->ue6, 8) == 0 : !s->has4;
}

static bool other_device(const struct allow *a, const uint8_t address[ADDRESS_BYTES])
{
	struct view v = address_is4(address) ? (struct view){ address + 12, 4 }
					     : (struct view){ address, ADDRESS_BYTES };
	struct session ignored;

	for (size_t i = 0; i < a->conf.pool_n; i++) {
		if (address_in(address, a->conf.pool[i].address, a->conf.pool[i].bits))
			return true;
	}
	return a->sessions && sessions_device(a->sessions, v, a->now_s, &ignored);
}

/* --- where to --------------------------------------------------------------------------------- */

static bool row_fits(const struct reach_row *r, uint8_t protocol, uint16_t port)
{
	bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;

	if (r->protocol && r->protocol != protocol && !(r->protocol == IPPROTO_ICMP && icmp))
		return false;
	return port >= r->port_from && port <= r->port_to;
}

static bool reaches(const struct allow *a, const struct allow_ask *q, const uint8_t address[ADDRESS_BYTES],
		    uint8_t protocol, uint16_t port)
{
	const struct profile_row *p = q->profile;
	bool names = false;
	uint16_t rows;

	for (size_t i = 0; i < p->reach_n; i++) {
		const struct reach_row *r = &p->reach[i];

		names |= r->family == 0;
		if (r->family != 0 && row_fits(r, protocol, port) && address_in(address, r->address, r->bits))
			return true;
	}
	rows = names ? allow_named(a, q, address) : 0;
	for (size_t i = 0; i < p->reach_n && rows; i++) {
		if (rows >> i & 1 && row_fits(&p->reach[i], protocol, port))
			return true;
	}
	return false;
}

/* What a router says of a packet of the device's own: unreachable, too big, too late (RFC 792, 4443). What it
 * quotes may be cut short. */
static bool quotes(const struct packet *p, struct packet_flow *f)
{
	bool error4 = p->flow.protocol == IPPROTO_ICMP && (p->icmp_type == 3 || p->icmp_type == 11);
	bool error6 = p->flow.protocol == IPPROTO_ICMPV6 && p->icmp_type >= 1 && p->icmp_type <= 4;
	struct view v = p->payload;
	size_t head;

	if ((!error4 && !error6) || p->notes & PACKET_FRAGMENT || v.n < 8 + (error4 ? 28u : 48u))
		return false;
	v = (struct view){ v.p + 8, v.n - 8 };
	head = error4 ? (size_t)(v.p[0] & 15) * 4 : 40;
	*f = (struct packet_flow){ .protocol = error4 ? v.p[9] : v.p[6] };
	if (head < 20 || v.n < head + 4)
		return false;
	if (error4) {
		f->to[10] = f->to[11] = f->from[10] = f->from[11] = 0xff;
		memcpy(f->from + 12, v.p + 12, 4);
		memcpy(f->to + 12, v.p + 16, 4);
	} else {
		memcpy(f->from, v.p + 8, ADDRESS_BYTES);
		memcpy(f->to, v.p + 24, ADDRESS_BYTES);
	}
	f->to_port = be16(v.p + head + 2);
	return true;
}

/* Of a tunnel the device keeps with somebody: what is inside must be allowed too. */
static enum drop where(const struct allow *a, const struct allow_ask *q, const struct packet *p, int depth)
{
	const uint8_t *other = q->hit->up ? p->flow.to : p->flow.from;
	uint16_t port = q->hit->up ? p->flow.to_port : p->flow.from_port;
	struct packet_flow quoted;
	struct packet in;
	bool error = !q->hit->up && quotes(p, &quoted) && is_device(&q->hit->is, quoted.from);

	if (error) {
		other = quoted.to;
		port = quoted.to_port;
	}
	if (!(q->profile && q->profile->peers) && other_device(a, other))
		return DROP_PEER;
	if (q->profile && q->profile->reach_n > 0 &&
	    !reaches(a, q, other, error ? quoted.protocol : p->flow.protocol, port))
		return DROP_REACH;
	if (packet_tunnel(p, &in))
		return depth < 2 ? where(a, q, &in, depth + 1) : DROP_REACH;
	return DROP_NOT;
}

/* --- parts of datagrams ----------------------------------------------------------------------- */

static struct allow_part *part_of(struct allow *a, const struct allow_ask *q)
{
	uint64_t h = hash_u64(a->conf.key, q->sim->imsi, (uint64_t)q->p->part_id << 8 | q->hit->up);

	return &a->part[h % PARTS];
}

static bool same_datagram(const struct allow_part *x, const struct allow_ask *q, uint32_t now_s)
{
	const struct packet *p = q->p;

	return x->imsi == q->sim->imsi && x->id == p->part_id && x->protocol == p->flow.protocol &&
	       x->at_s + PART_S >= now_s && memcmp(x->to, p->flow.to, ADDRESS_BYTES) == 0 &&
	       memcmp(x->from, p->flow.from, ADDRESS_BYTES) == 0;
}

/* Later parts follow the first, and may not write over it: a second first part, or one that begins within
 * what was judged, ends the datagram. */
static enum drop later_part(struct allow *a, const struct allow_ask *q)
{
	struct allow_part *x = part_of(a, q);

	if (!same_datagram(x, q, a->now_s) || !x->ok)
		return DROP_FRAGMENT;
	if (q->p->part_at >= x->end)
		return DROP_NOT;
	x->ok = 0;
	return DROP_FRAGMENT;
}

static enum drop first_part(struct allow *a, const struct allow_ask *q, enum drop drop)
{
	struct allow_part *x = part_of(a, q);
	bool again = same_datagram(x, q, a->now_s);

	if (q->p->notes & PACKET_TINY)
		drop = DROP_FRAGMENT;
	if (again && (!x->ok || x->end != q->p->transport.n))
		drop = DROP_FRAGMENT;
	*x = (struct allow_part){ .imsi = q->sim->imsi, .id = q->p->part_id, .at_s = a->now_s,
				  .end = (uint16_t)q->p->transport.n, .protocol = q->p->flow.protocol,
				  .ok = drop == DROP_NOT };
	memcpy(x->to, q->p->flow.to, ADDRESS_BYTES);
	memcpy(x->from, q->p->flow.from, ADDRESS_BYTES);
	return drop;
}

/* --- how much --------------------------------------------------------------------------------- */

/* The profile's rate, in a bucket of a second's worth. */
static bool in_rate(struct bucket *b, uint64_t bps, uint64_t now_ms, size_t octets)
{
	uint64_t most = bps > BURST_LEAST ? bps : BURST_LEAST, gone = now_ms - b->at_ms;

	if (bps == 0)
		return true;
	if (b->at_ms == 0 || gone >= 1000)
		b->bits = (int64_t)most;
	else
		b->bits += (int64_t)(bps * gone / 1000);
	if (b->bits > (int64_t)most)
		b->bits = (int64_t)most;
	if (gone > 0 || b->at_ms == 0)
		b->at_ms = now_ms;
	if (b->bits < (int64_t)octets * 8)
		return false;
	b->bits -= (int64_t)octets * 8;
	return true;
}

static enum drop how_much(struct allow *a, const struct allow_ask *q, size_t octets)
{
	const struct profile_row *p = q->profile;
	struct allow_sim *s = q->sim;

	if (s->day != a->now_s / DAY_S) {
		s->day = a->now_s / DAY_S;
		s->octets = 0;
	}
	if (p && p->day_mb > 0 && s->octets + octets > (uint64_t)p->day_mb * 1000000)
		return DROP_VOLUME;
	if (p && !in_rate(&s->bucket[q->hit->up], q->hit->up ? p->ul_bps : p->dl_bps, a->now_ms, octets))
		return DROP_RATE;
	s->octets += octets;
	return DROP_NOT;
}

/* --- all of it -------------------------------------------------------------------------------- */

static enum drop shape(const struct allow_ask *q)
{
	const struct packet *p = q->p;
	uint16_t to = p->flow.to_port;

	if (p->notes & PACKET_SOURCE_ROUTE)
		return DROP_ROUTE;
	if (!is_device(&q->hit->is, q->hit->up ? p->flow.from : p->flow.to))
		return DROP_SPOOFED;
	if (p->flow.protocol == IPPROTO_UDP && gtp_like(p->payload) &&
	    (to == GTPU_PORT || to == GTPC_PORT || to == GTP_PRIME_PORT))
		return DROP_GTP_INSIDE;
	return DROP_NOT;
}

/* What was allowed a moment ago is allowed; a datagram in parts is looked at each time. */
static bool known_way(const struct allow *a, const struct allow_ask *q)
{
	const struct allow_sim *s = q->sim;

	return s->last_s == a->now_s && s->last_port == q->other_port && s->last_session == q->hit->is.life &&
	       s->last_protocol == q->p->flow.protocol && !(q->p->notes & PACKET_FRAGMENT) &&
	       (q->p->flow.protocol == IPPROTO_TCP || q->p->flow.protocol == IPPROTO_UDP) &&
	       memcmp(s->last, q->other, ADDRESS_BYTES) == 0;
}

static void keep_way(const struct allow *a, const struct allow_ask *q)
{
	struct allow_sim *s = q->sim;
	struct packet in;

	if (packet_tunnel(q->p, &in))
		return;
	s->last_s = a->now_s;
	s->last_port = q->other_port;
	s->last_session = q->hit->is.life;
	s->last_protocol = q->p->flow.protocol;
	memcpy(s->last, q->other, ADDRESS_BYTES);
}

static enum drop judge(struct allow *a, const struct allow_ask *q)
{
	enum drop drop = standing(a, q);

	if (drop || of_the_link(q->p))
		return drop;
	drop = shape(q);
	if (drop)
		return drop;
	if (q->p->notes & PACKET_LATER)
		return later_part(a, q);
	if (known_way(a, q))
		return DROP_NOT;
	drop = where(a, q, q->p, 0);
	if (q->p->notes & PACKET_FRAGMENT)
		return first_part(a, q, drop);
	if (!drop)
		keep_way(a, q);
	return drop;
}

enum drop allow_check(struct allow *a, const struct session_hit *hit, const struct packet *p, size_t octets)
{
	struct allow_ask q = { .hit = hit, .p = p, .sim = sim_of(a, &hit->is) };
	enum drop drop;

	q.other = hit->up ? p->flow.to : p->flow.from;
	q.other_port = hit->up ? p->flow.to_port : p->flow.from_port;
	q.sim->seen_s = a->now_s;
	if (a->now_s - q.sim->looked_s >= LOOK_S)
		look_up(a, q.sim);
	q.profile = profile_of(a, q.sim->profile);
	drop = judge(a, &q);
	if (!drop)
		drop = how_much(a, &q, octets);
	if (!drop && q.profile && p->flow.protocol == IPPROTO_UDP && q.other_port == DNS_PORT &&
	    !(p->notes & PACKET_FRAGMENT))
		allow_dns(a, &q);
	return drop;
}
