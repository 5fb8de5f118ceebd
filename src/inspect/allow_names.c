/* Names of a profile: what they stand for is learned from the answers that the SIM itself asked for, and held
 * for as long as they say. An answer counts when its question passed here before: so neither a stranger nor
 * another device can open a way; and when it is no address inside of a network (rebinding). */
#include "inspect/allow_in.h"
#include "inspect/dns.h"

#define ANSWER_S 10   /* a question waits so long */
#define TTL_LEAST 60  /* connections are opened a little after the answer */
#define TTL_MOST 86400

static const struct {
	uint8_t bits;
	uint8_t address[ADDRESS_BYTES];
} inside[] = {
#define V4(a, b, n) { 96 + (n), { [10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b) } }
	V4(0, 0, 8), V4(10, 0, 8), V4(100, 64, 10), V4(127, 0, 8), V4(169, 254, 16), V4(172, 16, 12),
	V4(192, 168, 16), V4(224, 0, 3),
	{ 127, { 0 } }, /* :: and ::1 */
	{ 7, { 0xfc } }, { 10, { 0xfe, 0x80 } }, { 8, { 0xff } },
};

static bool is_inside(const uint8_t a[ADDRESS_BYTES])
{
	for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
		if (address_in(a, inside[i].address, inside[i].bits))
			return true;
	}
	return false;
}

static bool of_devices(const struct allow *a, const uint8_t address[ADDRESS_BYTES])
{
	for (size_t i = 0; i < a->conf.pool_n; i++) {
		if (address_in(address, a->conf.pool[i].address, a->conf.pool[i].bits))
			return true;
	}
	return false;
}

static size_t name_set(const struct allow *a, uint64_t imsi, const uint8_t address[ADDRESS_BYTES])
{
	uint64_t word[2];

	memcpy(word, address, sizeof word);
	return hash_u64(a->conf.key, imsi ^ word[0], word[1]) % a->name_sets * WAYS;
}

uint16_t allow_named(const struct allow *a, const struct allow_ask *q, const uint8_t address[ADDRESS_BYTES])
{
	const struct allow_name *n = &a->name[name_set(a, q->sim->imsi, address)];

	for (size_t i = 0; i < WAYS; i++) {
		if (n[i].imsi == q->sim->imsi && n[i].until_s >= a->now_s && n[i].profile == q->profile->id &&
		    n[i].version == q->profile->version && memcmp(n[i].address, address, ADDRESS_BYTES) == 0)
			return n[i].rows;
	}
	return 0;
}

static void remember(struct allow *a, const struct allow_ask *q, const uint8_t address[ADDRESS_BYTES],
		     uint16_t rows, uint32_t ttl_s)
{
	struct allow_name *set = &a->name[name_set(a, q->sim->imsi, address)], *n = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].imsi == q->sim->imsi && memcmp(set[i].address, address, ADDRESS_BYTES) == 0) {
			n = &set[i];
			break;
		}
		if (set[i].until_s < n->until_s)
			n = &set[i];
	}
	ttl_s = ttl_s < TTL_LEAST ? TTL_LEAST : ttl_s > TTL_MOST ? TTL_MOST : ttl_s;
	*n = (struct allow_name){ .imsi = q->sim->imsi, .until_s = a->now_s + ttl_s,
				  .profile = q->profile->id, .version = q->profile->version, .rows = rows };
	memcpy(n->address, address, ADDRESS_BYTES);
}

static struct allow_query *query_of(struct allow *a, const struct allow_ask *q, uint16_t port, uint16_t id)
{
	return &a->query[hash_u64(a->conf.key, q->sim->imsi, (uint64_t)port << 16 | id) % QUERIES];
}

static void learn(struct allow *a, const struct allow_ask *q, const struct dns *d)
{
	const struct profile_row *p = q->profile;
	uint16_t rows = 0;

	for (size_t i = 0; i < p->reach_n; i++) {
		const struct reach_row *r = &p->reach[i];
		struct view name = view_of(d->name), want = view_of(r->name);
		bool fits = r->below ? view_under(name, want) && name.n > want.n : view_eq(name, want);

		rows |= (uint16_t)(r->family == 0 && fits ? 1u << i : 0);
	}
	for (size_t i = 0; i < d->address_n && rows; i++) {
		if (!of_devices(a, d->address[i]) && (a->conf.private_names || !is_inside(d->address[i])))
			remember(a, q, d->address[i], rows, d->ttl_s[i]);
	}
}

void allow_dns(struct allow *a, const struct allow_ask *q)
{
	uint16_t port = q->hit->up ? q->p->flow.from_port : q->p->flow.to_port;
	struct allow_query *asked;
	struct dns d;
	uint64_t name;

	if (dns_parse(&d, q->p->payload) != ERR_OK || d.answer == q->hit->up)
		return;
	asked = query_of(a, q, port, d.id);
	name = hash_view(a->conf.key, view_of(d.name)) ^ d.type;
	if (!d.answer) {
		*asked = (struct allow_query){ .imsi = q->sim->imsi, .name = name, .port = port, .id = d.id,
					       .at_s = a->now_s };
		memcpy(asked->server, q->other, ADDRESS_BYTES);
		return;
	}
	if (asked->imsi != q->sim->imsi || asked->port != port || asked->id != d.id || asked->name != name ||
	    asked->at_s + ANSWER_S < a->now_s || memcmp(asked->server, q->other, ADDRESS_BYTES) != 0)
		return;
	asked->imsi = 0; /* one answer */
	if (d.ok)
		learn(a, q, &d);
}
