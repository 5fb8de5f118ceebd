/* Scans, log-ins by the dozen, steady calls, end points. All tables are direct: a newer key takes an old
 * one's place, so that a flood of forged sources costs memory nobody has to find. */
#include "inspect/threat.h"
#include "inspect/threat_in.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_N 16384
#define SWEEP_S 300 /* what is tried within that long belongs together */
#define STEADY_N 16384

#define WIDE_MIN 16 /* hosts that did not answer on one port */
#define DEEP_MIN 24 /* ports of one host that did not */
#define PING_MIN 24
#define LOGIN_MIN 12 /* connections to a log-in port of one host */

struct sweep {
	uint64_t key, tried[4], answered[4];
	uint32_t since_s, n;
};

/* Starts of flows from one source to one place: Welford's mean and variance of what is between. */
struct steady {
	uint64_t key, last_us;
	double mean, m2;
	uint32_t n;
};

struct threats {
	uint8_t key[HASH_KEY];
	struct sweep *sweep;
	struct steady *steady;
	struct endpoint *endpoint;
};

struct threats *threats_new(const uint8_t key[HASH_KEY])
{
	struct threats *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	memcpy(t->key, key, sizeof t->key);
	t->sweep = calloc(SWEEP_N, sizeof *t->sweep);
	t->steady = calloc(STEADY_N, sizeof *t->steady);
	t->endpoint = calloc(ENDPOINT_N, sizeof *t->endpoint);
	if (!t->sweep || !t->steady || !t->endpoint) {
		threats_free(t);
		return NULL;
	}
	return t;
}

void threats_free(struct threats *t)
{
	if (!t)
		return;
	free(t->sweep);
	free(t->steady);
	free(t->endpoint);
	free(t);
}

static uint64_t address_hash(const struct threats *t, const uint8_t a[ADDRESS_BYTES])
{
	return hash_view(t->key, (struct view){a, ADDRESS_BYTES});
}

/* --- sweeps ------------------------------------------------------------------------------------- */

static struct sweep *sweep_of(struct threats *t, uint64_t source, uint64_t what, uint32_t now_s)
{
	uint64_t key = hash_u64(t->key, source, what);
	struct sweep *s = &t->sweep[key % SWEEP_N];

	if (s->key != key || now_s - s->since_s > SWEEP_S)
		*s = (struct sweep){.key = key, .since_s = now_s};
	return s;
}

static void mark(uint64_t bits[4], uint64_t h)
{
	bits[h >> 6 & 3] |= 1ull << (h & 63);
}

/* Linear counting (Whang 1990) of those tried and not answered. */
static unsigned int unanswered(const struct sweep *s)
{
	unsigned int set = 0;

	for (int i = 0; i < 4; i++)
		set += (unsigned int)__builtin_popcountll(s->tried[i] & ~s->answered[i]);
	return set >= 256 ? 2000 : (unsigned int)(-256.0 * log(1.0 - set / 256.0) + 0.5);
}

static size_t add(struct threat_seen *seen, size_t n, enum threat threat, const char *why,
		  unsigned int number)
{
	if (n == THREATS_AT_ONCE)
		return n;
	seen[n].threat = threat;
	snprintf(seen[n].why, sizeof seen[n].why, why, number);
	return n + 1;
}

static bool to_many(const uint8_t a[ADDRESS_BYTES])
{
	if (address_is4(a))
		return a[12] >= 224 || a[15] == 255;
	return a[0] == 0xff;
}

static bool log_in_port(uint16_t port)
{
	static const uint16_t ports[] = {21, 22, 23, 2222, 2323, 3389, 5900, 1433, 3306};

	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		if (ports[i] == port)
			return true;
	}
	return false;
}

#define SYN 0x02
#define RST 0x04
#define ACK 0x10

/* A SYN: tried, on one port of many hosts, and on many ports of one. */
static size_t on_syn(struct threats *t, const struct packet *p, uint64_t source, uint32_t now_s,
		     struct threat_seen *seen)
{
	uint64_t to = address_hash(t, p->flow.to);
	struct sweep *wide = sweep_of(t, source, p->flow.to_port, now_s), *deep, *login;
	size_t n = 0;

	mark(wide->tried, to);
	wide->n++;
	/* Mirai makes its own SYN, without options. */
	if (address_is4(p->flow.to) && p->tcp_seq == be32(p->flow.to + 12) && p->tcp_seq &&
	    p->transport.n == 20)
		n = add(seen, n, THREAT_MIRAI_SCAN, "SYN to port %u, its sequence number is the address",
			p->flow.to_port);
	if (unanswered(wide) >= WIDE_MIN)
		n = add(seen, n, THREAT_SCAN_WIDE, "about %u hosts that do not answer", unanswered(wide));
	deep = sweep_of(t, source, to, now_s);
	mark(deep->tried, hash_u64(t->key, p->flow.to_port, 1));
	deep->n++;
	if (unanswered(deep) >= DEEP_MIN)
		n = add(seen, n, THREAT_SCAN_DEEP, "about %u ports that do not answer", unanswered(deep));
	if (!log_in_port(p->flow.to_port))
		return n;
	login = sweep_of(t, source, to ^ p->flow.to_port, now_s);
	if (++login->n >= LOGIN_MIN && unanswered(login) == 0)
		n = add(seen, n, THREAT_BRUTE_FORCE, "%u connections within five minutes", login->n);
	return n;
}

static size_t on_ping(struct threats *t, const struct packet *p, uint64_t source, uint32_t now_s,
		      struct threat_seen *seen)
{
	struct sweep *ping = sweep_of(t, source, 1ull << 32, now_s);

	mark(ping->tried, address_hash(t, p->flow.to));
	if (unanswered(ping) >= PING_MIN)
		return add(seen, 0, THREAT_PING_SWEEP, "about %u hosts that do not answer",
			   unanswered(ping));
	return 0;
}

/* Somebody answers `source`: a SYN-ACK, or an echo reply. */
static void on_answer(struct threats *t, const struct packet *p, uint64_t source, uint32_t now_s, bool ping)
{
	uint64_t from = address_hash(t, p->flow.from);

	mark(sweep_of(t, source, ping ? 1ull << 32 : p->flow.from_port, now_s)->answered, from);
	if (!ping)
		mark(sweep_of(t, source, from, now_s)->answered, hash_u64(t->key, p->flow.from_port, 1));
}

/* --- payloads of botnets --------------------------------------------------------------------------- */

static bool holds(struct view v, const char *text)
{
	return memmem(v.p, v.n, text, strlen(text)) != NULL;
}

static const struct {
	enum threat threat;
	const char *text, *why;
} marks_of[] = {
    {THREAT_BOT_COMMAND, "/bin/busybox ", "loader: /bin/busybox"},
    {THREAT_BOT_COMMAND, "MIRAI: applet not found", "loader: Mirai's answer"},
    {THREAT_BOT_COMMAND, "tftp -g -r ", "loader: tftp"},
    {THREAT_BOT_COMMAND, "/tmp;wget http", "loader: wget"},
    {THREAT_EXPLOIT, "/ctrlt/DeviceUpgrade_1", "CVE-2017-17215"},
    {THREAT_EXPLOIT, "/GponForm/diag_Form", "CVE-2018-10561"},
    {THREAT_EXPLOIT, "/picsdesc.xml", "CVE-2014-8361"},
    {THREAT_EXPLOIT, "/setup.cgi?next_file=", "Netgear command injection"},
    {THREAT_EXPLOIT, "/shell?cd+/tmp", "JAWS command injection"},
    {THREAT_EXPLOIT, "<NewNTPServer1>`", "TR-064 command injection"},
    {THREAT_EXPLOIT, "${jndi:", "CVE-2021-44228"},
};

/* Only what a flow begins with, and what is typed: a loader's lines are short. */
static size_t on_payload(const struct packet *p, const struct flow *f, struct threat_seen *seen, size_t n)
{
	if (f->bits & FLOW_ENCRYPTED || p->payload.n < 8 ||
	    (f->packets[0] + f->packets[1] > 12 && p->payload.n > 256))
		return n;
	for (size_t i = 0; i < sizeof marks_of / sizeof *marks_of; i++) {
		if (holds(p->payload, marks_of[i].text))
			return add(seen, n, marks_of[i].threat, marks_of[i].why, 0);
	}
	return n;
}

/* --- steady calls ---------------------------------------------------------------------------------- */

static struct steady *steady_of(struct threats *t, uint64_t source, const struct packet_flow *to)
{
	uint64_t key = hash_u64(t->key, source, address_hash(t, to->to) ^ to->to_port);
	struct steady *s = &t->steady[key % STEADY_N];

	if (s->key != key)
		*s = (struct steady){.key = key};
	return s;
}

static void call_begins(struct steady *s, uint64_t now_us)
{
	double gap = (double)(now_us - s->last_us) / 1e6, d;

	if (s->last_us == 0 || now_us < s->last_us) {
		s->last_us = now_us;
		return;
	}
	if (gap < 1)
		return; /* a page's connections come together */
	s->last_us = now_us;
	s->n++;
	d = gap - s->mean;
	s->mean += d / s->n;
	s->m2 += d * (gap - s->mean);
}

/* Eight calls and more, at least five seconds apart, the deviation within a tenth of the mean. */
static bool is_steady(const struct steady *s)
{
	return s->n >= 8 && s->mean >= 5 && sqrt(s->m2 / s->n) < 0.1 * s->mean;
}

/* The one that called, whichever way the packet goes. */
static struct packet_flow called(const struct packet *p, bool back)
{
	return back ? packet_back(&p->flow) : p->flow;
}

size_t threats_packet(struct threats *t, const struct packet *p, const struct flow *f, bool back,
		      uint64_t now_us, struct threat_seen seen[THREATS_AT_ONCE])
{
	uint32_t now_s = (uint32_t)(now_us / 1000000);
	uint64_t source = f->imsi ? f->imsi : address_hash(t, back ? p->flow.to : p->flow.from);
	bool tcp = p->flow.protocol == 6, icmp = p->flow.protocol == 1 || p->flow.protocol == 58;
	struct packet_flow way = called(p, back);
	size_t n = 0;

	if (p->notes & PACKET_LATER || to_many(p->flow.to))
		return 0;
	if (tcp && (p->tcp_flags & (SYN | ACK)) == SYN && !back)
		n = on_syn(t, p, source, now_s, seen);
	else if (tcp && (p->tcp_flags & (SYN | ACK | RST)) == (SYN | ACK) && back)
		on_answer(t, p, source, now_s, false);
	else if (icmp && (p->icmp_type == 8 || p->icmp_type == 128) && !back)
		n = on_ping(t, p, source, now_s, seen);
	else if (icmp && (p->icmp_type == 0 || p->icmp_type == 129) && back)
		on_answer(t, p, source, now_s, true);
	if (flow_is_new(f) && !icmp)
		call_begins(steady_of(t, source, &way), now_us);
	return on_payload(p, f, seen, n);
}

/* --- flows ----------------------------------------------------------------------------------------- */

static struct packet_flow ends_of(const struct flow *f)
{
	return f->bits & FLOW_SWAPPED ? packet_back(&f->ends) : f->ends;
}

static struct endpoint *endpoint_of(struct threats *t, const uint8_t address[ADDRESS_BYTES])
{
	struct endpoint *e = &t->endpoint[address_hash(t, address) % ENDPOINT_N];

	if (e->used && memcmp(e->address, address, ADDRESS_BYTES) != 0)
		return NULL; /* the place is another's: reputations are not mixed */
	memcpy(e->address, address, ADDRESS_BYTES);
	e->used = 1;
	return e;
}

void threats_blame(struct threats *t, const uint8_t address[ADDRESS_BYTES], bool leak)
{
	struct endpoint *e = endpoint_of(t, address);

	if (e && leak)
		e->leaks++;
	else if (e)
		e->bad++;
}

static void remember(struct threats *t, const struct flow *f, const struct packet_flow *way,
		     uint64_t source, bool steady)
{
	struct endpoint *e = endpoint_of(t, way->to);

	if (!e || to_many(way->to))
		return;
	e->devices[source >> 6 & 1] |= 1ull << (source & 63);
	e->flows++;
	e->port = way->to_port;
	e->name = f->name ? f->name : e->name;
	e->self_signed += threat_self_signed(f->risks);
	e->old_tls += threat_old_tls(f->risks);
	e->beacons += steady && !f->name;
}

size_t threats_flow(struct threats *t, const struct flow *f, const char *name, bool ended,
		    struct threat_seen seen[THREATS_AT_ONCE])
{
	struct packet_flow way = ends_of(f);
	uint64_t source = f->imsi ? f->imsi : address_hash(t, way.from);
	bool steady = is_steady(steady_of(t, source, &way));
	struct threat_judged j = threat_judge(f, name, steady);
	struct endpoint *e;
	size_t n = 0;
	char why[96];

	if (!ended)
		remember(t, f, &way, source, steady);
	for (unsigned int k = 0; k < THREAT_N; k++) {
		if (j.threats >> k & 1 && n < THREATS_AT_ONCE) {
			n = add(seen, n, (enum threat)k, "%u", 0);
			snprintf(seen[n - 1].why, sizeof seen[n - 1].why, "%.63s", j.why);
			threats_blame(t, way.to, false);
		}
	}
	e = endpoint_of(t, way.to);
	if (e && endpoint_devices(e) >= 3 && endpoint_score(e, why) < 40 && n < THREATS_AT_ONCE) {
		n = add(seen, n, THREAT_BAD_ENDPOINT, "%u", 0);
		snprintf(seen[n - 1].why, sizeof seen[n - 1].why, "%.63s", why);
	}
	return n;
}

static int worse(const void *a, const void *b)
{
	const struct endpoint *x = *(const struct endpoint *const *)a,
			      *y = *(const struct endpoint *const *)b;
	char why[96];
	unsigned int i = endpoint_score(x, why), j = endpoint_score(y, why);

	return i < j ? -1 : i > j ? 1 : x->flows < y->flows ? 1 : x->flows > y->flows ? -1 : 0;
}

size_t threats_endpoints(const struct threats *t, const struct endpoint **to, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < ENDPOINT_N && n < max; i++) {
		if (t->endpoint[i].used && t->endpoint[i].flows)
			to[n++] = &t->endpoint[i];
	}
	qsort(to, n, sizeof *to, worse);
	return n;
}
