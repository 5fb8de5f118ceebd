/* Inspection of one packet: flow, leaks, threats, answer. */
#include "inspect/content.h"

#include <stdio.h>
#include <stdlib.h>

#define AGREED_N 1024
#define AGREED_S 1 /* an agreement is looked up again so often */

struct agreed {
	uint32_t tenant, at_s;
	bool yes;
};

struct content {
	struct content_conf conf;
	struct scanner *scanner;
	struct flows *flows;
	struct findings *findings;
	struct threats *threats;
	struct content_counts n;
	struct agreed agreed[AGREED_N];
	/* Of the packet that is being looked at: flows that are decided in its course are judged by it. */
	uint64_t now_us, imsi;
	const struct profile_row *profile;
};

/* --- findings ---------------------------------------------------------------------------------------- */

static void to_finding(const struct flow *f, struct finding *to)
{
	struct packet_flow way = f->bits & FLOW_SWAPPED ? packet_back(&f->ends) : f->ends;
	bool device_began = f->bits & FLOW_UP || !f->imsi;

	if (!device_began)
		way = packet_back(&way);
	*to = (struct finding){.imsi = f->imsi, .tenant = f->tenant, .port = way.to_port, .up = 1};
	memcpy(to->from, way.from, ADDRESS_BYTES);
	memcpy(to->to, way.to, ADDRESS_BYTES);
}

static const struct profile_row *profile_of(struct content *c, const struct session *s)
{
	const struct book *b = c->conf.book;

	return s && b ? b->profile(b->ctx, s->profile) : NULL;
}

/* The profile of a flow's SIM; NULL for one that made way for another's packet, and can only be told of. */
static const struct profile_row *profile_for(const struct content *c, const struct flow *f)
{
	return c->imsi == f->imsi ? c->profile : NULL;
}

static void carry_out(struct content *c, struct flow *f, const struct finding *seen, enum answer asked)
{
	const struct profile_row *r = profile_for(c, f);
	uint32_t most = r ? r->touch_max : 0;
	enum answer answer = findings_add(c->findings, seen, asked, most, c->now_us);

	if (answer == ANSWER_ALERT)
		return;
	f->bits |= FLOW_BLOCKED;
	f->rule = seen->rule;
	f->undone = (uint8_t)findings_undone(c->findings, seen->rule);
}

static bool of_many(enum threat t)
{
	return t == THREAT_MIRAI_SCAN || t == THREAT_SCAN_WIDE || t == THREAT_PING_SWEEP;
}

static void on_threats(struct content *c, struct flow *f, const struct threat_seen *seen, size_t n)
{
	const struct profile_row *r = profile_for(c, f);
	struct finding w;

	for (size_t i = 0; i < n; i++) {
		to_finding(f, &w);
		w.rule = (uint8_t)RULE_OF_THREAT(seen[i].threat);
		if (of_many(seen[i].threat))
			memset(w.to, 0, sizeof w.to); /* whoever else it tries: one finding */
		if (seen[i].threat == THREAT_SCAN_DEEP)
			w.port = 0;
		snprintf(w.evidence, sizeof w.evidence, "%s", seen[i].why);
		c->n.threats++;
		carry_out(c, f, &w, r ? (enum answer)r->on_threat : ANSWER_ALERT);
	}
}

static void on_decided(void *ctx, struct flow *f)
{
	struct content *c = ctx;
	struct threat_seen seen[THREATS_AT_ONCE];

	on_threats(c, f, seen, threats_flow(c->threats, f, flows_name(c->flows, f->name), false, seen));
}

static void on_gone(void *ctx, struct flow *f)
{
	struct content *c = ctx;
	struct threat_seen seen[THREATS_AT_ONCE];

	/* Timing and size are known at the end only. */
	if (f->bits & FLOW_ENCRYPTED)
		on_threats(c, f, seen,
			   threats_flow(c->threats, f, flows_name(c->flows, f->name), true, seen));
}

static void leaks(struct content *c, struct flow *f, const struct packet *p, bool up)
{
	struct scan_hit hit[SCAN_HITS];
	uint32_t fine = c->profile ? c->profile->leaks_ok : 0;
	size_t n = scan(c->scanner, p->payload, hit);
	struct finding w;

	c->n.scanned_bytes += p->payload.n;
	for (size_t i = 0; i < n; i++) {
		enum leak leak = scan_forms[hit[i].form].leak;

		if (fine >> leak & 1)
			continue;
		to_finding(f, &w);
		w.rule = (uint8_t)leak;
		w.form = hit[i].form;
		w.up = f->imsi ? up : memcmp(p->flow.from, w.from, ADDRESS_BYTES) == 0;
		scan_shape(p->payload, &hit[i], w.evidence);
		if (hit[i].country[0])
			snprintf(w.evidence + strlen(w.evidence), 4, " %.2s", hit[i].country);
		c->n.leaks++;
		threats_blame(c->threats, w.to, true);
		carry_out(c, f, &w, c->profile ? (enum answer)c->profile->on_leak : ANSWER_ALERT);
	}
}

/* --- a packet ------------------------------------------------------------------------------------------
 */

static bool agreed(struct content *c, const struct session *s, uint32_t now_s)
{
	struct agreed *a;

	if (!s || !c->conf.book)
		return true;
	if (!s->tenant)
		return false; /* nobody's: nobody agreed */
	a = &c->agreed[s->tenant % AGREED_N];
	if (a->tenant != s->tenant || now_s - a->at_s > AGREED_S)
		*a = (struct agreed){s->tenant, now_s,
				     book_agreed(c->conf.book, s->tenant, PURPOSE_INSPECTION, now_s)};
	return a->yes;
}

/* What the profile, as it now is, wants for a rule. Where it no longer wants what was done, that is taken
 * back: "merlon set profile NAME on_leak=alert" undoes all that leaks have led to, in one step. */
static enum answer wanted(const struct content *c, unsigned int rule)
{
	const struct profile_row *r = c->profile;

	if (!r)
		return ANSWER_QUARANTINE; /* nobody to ask: what was done stays */
	if (rule_is_leak(rule))
		return r->leaks_ok >> rule & 1 ? ANSWER_ALERT : (enum answer)r->on_leak;
	return (enum answer)r->on_threat;
}

static bool blocked(struct content *c, struct flow *f)
{
	if (f->bits & FLOW_BLOCKED && (f->undone != (uint8_t)findings_undone(c->findings, f->rule) ||
				       wanted(c, f->rule) == ANSWER_ALERT))
		f->bits &= (uint8_t)~FLOW_BLOCKED;
	return f->bits & FLOW_BLOCKED;
}

static bool quarantined(struct content *c)
{
	unsigned int rule;

	if (!findings_quarantined(c->findings, c->imsi, &rule))
		return false;
	if (wanted(c, rule) == ANSWER_QUARANTINE)
		return true;
	findings_release(c->findings, c->imsi, rule);
	return false;
}

static void look(struct content *c, struct flow *f, const struct packet *p, bool back, bool up)
{
	struct threat_seen seen[THREATS_AT_ONCE];

	on_threats(c, f, seen, threats_packet(c->threats, p, f, back, c->now_us, seen));
	if (!(f->bits & FLOW_ENCRYPTED) && p->payload.n >= 8)
		leaks(c, f, p, up);
}

enum content_act content_packet(struct content *c, const struct packet *p, const struct session *s, bool up,
				uint64_t now_us)
{
	uint32_t now_s = (uint32_t)(now_us / 1000000);
	struct flow_of of = {.up = up};
	struct flow *f;
	bool back, drop;

	c->n.packets++;
	c->n.bytes += p->ip.n;
	if (!agreed(c, s, now_s)) {
		c->n.not_agreed++;
		return CONTENT_PASS;
	}
	if (s) {
		of.imsi = s->imsi;
		of.tenant = s->tenant;
		of.tac = (uint32_t)(bcd_first(s->imei, 8) >> 32);
	}
	c->now_us = now_us;
	c->profile = profile_of(c, s);
	c->imsi = of.imsi;
	c->n.inspected++;
	f = flows_packet(c->flows, p, &of, now_us, &back);
	if (!blocked(c, f))
		look(c, f, p, back, up);
	drop = !c->conf.passive && (blocked(c, f) || quarantined(c));
	c->n.dropped += drop;
	return drop ? CONTENT_DROP : CONTENT_PASS;
}

void content_end(struct content *c, uint64_t now_us)
{
	c->now_us = now_us;
	c->profile = NULL;
	flows_end(c->flows);
}

void content_book(struct content *c, const struct book *book)
{
	c->conf.book = book;
}

struct content *content_new(const struct content_conf *conf)
{
	struct content *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->conf = *conf;
	c->scanner = scanner_new(SCAN_AVX512, true);
	c->threats = threats_new(c->conf.key);
	c->findings =
	    findings_new(&(struct findings_conf){.max = conf->finding_max ? conf->finding_max : 4096,
						 .key = c->conf.key,
						 .told = conf->told,
						 .ctx = conf->ctx});
	c->flows = flows_new(
	    &(struct flows_conf){.max = conf->flow_max ? conf->flow_max : 65536,
				 .undecided_max = conf->undecided_max ? conf->undecided_max : 4096,
				 .key = c->conf.key,
				 .decided = on_decided,
				 .gone = on_gone,
				 .ctx = c});
	if (c->scanner && c->threats && c->findings && c->flows)
		return c;
	content_free(c);
	return NULL;
}

void content_free(struct content *c)
{
	if (!c)
		return;
	flows_free(c->flows);
	findings_free(c->findings);
	threats_free(c->threats);
	scanner_free(c->scanner);
	free(c);
}

const struct content_counts *content_counts(const struct content *c)
{
	return &c->n;
}

struct findings *content_findings(struct content *c)
{
	return c->findings;
}

struct flows *content_flows(struct content *c)
{
	return c->flows;
}

struct threats *content_threats(struct content *c)
{
	return c->threats;
}
