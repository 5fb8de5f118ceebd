/* A flow judged when it is decided and when it ends. Points for what malware's flows have in common; each
 * alone is found in honest traffic too, so that only several together are a finding (R-5.8.2.f). */
#include "inspect/threat_in.h"

#include <math.h>
#include <ndpi_api.h>
#include <stdio.h>

#define SUSPECT 50

static const struct {
	ndpi_risk_enum risk;
	unsigned int points;
	const char *why;
} points[] = {
    {NDPI_TLS_SELFSIGNED_CERTIFICATE, 25, "self-signed"},
    {NDPI_TLS_CERTIFICATE_EXPIRED, 15, "certificate expired"},
    {NDPI_TLS_CERTIFICATE_MISMATCH, 20, "certificate of another name"},
    {NDPI_TLS_CERT_VALIDITY_TOO_LONG, 10, "certificate for too long"},
    {NDPI_TLS_OBSOLETE_VERSION, 10, "old TLS"},
    {NDPI_TLS_WEAK_CIPHER, 10, "weak cipher"},
    {NDPI_TLS_MISSING_SNI, 15, "no server name"},
    {NDPI_TLS_UNCOMMON_ALPN, 10, "uncommon ALPN"},
    {NDPI_KNOWN_PROTOCOL_ON_NON_STANDARD_PORT, 15, "unusual port"},
    {NDPI_SUSPICIOUS_DGA_DOMAIN, 30, "generated name"},
    {NDPI_RISKY_DOMAIN, 20, "risky domain"},
    {NDPI_TLS_SUSPICIOUS_EXTENSION, 15, "suspicious extension"},
    {NDPI_SUSPICIOUS_ENTROPY, 10, "entropy"},
};

static bool has(uint64_t risks, ndpi_risk_enum risk)
{
	return risks >> risk & 1;
}

bool threat_self_signed(uint64_t risks)
{
	return has(risks, NDPI_TLS_SELFSIGNED_CERTIFICATE);
}

bool threat_old_tls(uint64_t risks)
{
	return has(risks, NDPI_TLS_OBSOLETE_VERSION);
}

/* The first 8 octets of JA3s that abuse.ch lists and that no browser has: Emotet, TrickBot, Tofsee. */
static bool bad_client(uint64_t client)
{
	static const uint64_t bad[] = {0x4d7a28d6f2263ed6, 0x6734f37431670b3a, 0x51c64c77e60f3980};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (bad[i] == client)
			return true;
	}
	return false;
}

static void more(struct threat_judged *j, unsigned int n, const char *why)
{
	size_t at = strlen(j->why);

	j->score += n;
	snprintf(j->why + at, sizeof j->why - at, "%s%s", at ? ", " : "", why);
}

/* Says little, and more than it hears: a beacon's size, or exfiltration's. */
static void by_size(struct threat_judged *j, const struct flow *f)
{
	if (f->packets[0] + f->packets[1] >= 8 && f->bytes[0] > 8 * f->bytes[1] && f->bytes[0] > 65536)
		more(j, 15, "says far more than it hears");
}

static void judge_encrypted(struct threat_judged *j, const struct flow *f, bool steady)
{
	for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
		if (has(f->risks, points[i].risk))
			more(j, points[i].points, points[i].why);
	}
	if (steady)
		more(j, 20, "steady pace");
	by_size(j, f);
	if (j->score >= SUSPECT && f->tls)
		j->threats |= 1u << THREAT_TLS_SUSPECT;
}

struct threat_judged threat_judge(const struct flow *f, const char *name, bool steady)
{
	struct threat_judged j = {0};

	if (has(f->risks, NDPI_URL_POSSIBLE_RCE_INJECTION) || has(f->risks, NDPI_POSSIBLE_EXPLOIT)) {
		j.threats |= 1u << THREAT_EXPLOIT;
		more(&j, 0, "payload of an exploit");
	}
	if (has(f->risks, NDPI_MALICIOUS_JA3) || has(f->risks, NDPI_MALICIOUS_SHA1_CERTIFICATE) ||
	    bad_client(f->client)) {
		j.threats |= 1u << THREAT_BAD_CLIENT;
		more(&j, 60, "fingerprint of malware");
	}
	if (has(f->risks, NDPI_SUSPICIOUS_DGA_DOMAIN) && !(f->bits & FLOW_ENCRYPTED)) {
		j.threats |= 1u << THREAT_DGA;
		more(&j, 0, "generated name");
	}
	if (f->bits & FLOW_ENCRYPTED)
		judge_encrypted(&j, f, steady);
	else if (steady && !name[0] && f->protocol == 0 && f->app == 0)
		j.threats |= 1u << THREAT_BEACON, more(&j, 0, "steady pace, unknown protocol, no name");
	return j;
}

unsigned int endpoint_devices(const struct endpoint *e)
{
	unsigned int set =
	    (unsigned int)(__builtin_popcountll(e->devices[0]) + __builtin_popcountll(e->devices[1]));

	return set >= 128 ? 1000 : (unsigned int)(-128.0 * log(1.0 - set / 128.0) + 0.5);
}

/* What share of its flows was bad counts, not how many: many devices talk to a good one. */
unsigned int endpoint_score(const struct endpoint *e, char why[96])
{
	double flows = e->flows ? e->flows : 1, bad = e->bad / flows;
	unsigned int lost = 0;
	size_t at = 0;

	why[0] = 0;
	if (e->bad) {
		lost += 10 + (unsigned int)(60 * (bad > 1 ? 1 : bad));
		at += (size_t)snprintf(why + at, 96 - at, "%u threats; ", e->bad);
	}
	if (e->self_signed) {
		lost += 20;
		at += (size_t)snprintf(why + at, 96 - at, "self-signed; ");
	}
	if (e->old_tls) {
		lost += 10;
		at += (size_t)snprintf(why + at, 96 - at, "old TLS; ");
	}
	if (e->beacons && !e->name) {
		lost += 15;
		at += (size_t)snprintf(why + at, 96 - at, "steady calls, no name; ");
	}
	if (e->leaks) {
		lost += 10;
		snprintf(why + at, 96 - at, "%u leaks to it; ", e->leaks);
	}
	return lost < 100 ? 100 - lost : 0;
}
