/* The same world as the edge's SS7 sees it: requests and answers are MAP in TCAP in SCCP, octets that the
 * adapter reads, and refusals are written as it writes them. */
#include "node/map_adapt.h"
#include "unit/storm_world.h"
#include "unit/test.h"

#define EPOCH_MS 1700000000000
#define OWN      0x99970fffffffffffu
#define PARTNER  0x00101fffffffffffu
#define SYSTEM_FAILURE 34

static const uint8_t key[HASH_KEY] = "fedcba987654321";

/* sendAuthenticationInfo and updateGprsLocation, version 3, from +99901300 to +9997001, and how they end:
 * where their transaction identifier stands, where their IMSI. Written by tests/attacks/ss7.py. */
static struct message {
	size_t tid, imsi;
	uint8_t bytes[160];
} messages[] = {
	{ 30, 80,
	  {
	  0x09, 0x00, 0x03, 0x0c, 0x15, 0x09, 0x12, 0x06, 0x00, 0x11, 0x04, 0x99, 0x79, 0x00, 0x01, 0x09,
	  0x12, 0x95, 0x00, 0x12, 0x04, 0x99, 0x09, 0x31, 0x00, 0x44, 0x62, 0x42, 0x48, 0x04, 0x11, 0x22,
	  0x33, 0x44, 0x6b, 0x1e, 0x28, 0x1c, 0x06, 0x07, 0x00, 0x11, 0x86, 0x05, 0x01, 0x01, 0x01, 0xa0,
	  0x11, 0x60, 0x0f, 0x80, 0x02, 0x07, 0x80, 0xa1, 0x09, 0x06, 0x07, 0x04, 0x00, 0x00, 0x01, 0x00,
	  0x0e, 0x03, 0x6c, 0x1a, 0xa1, 0x18, 0x02, 0x01, 0x01, 0x02, 0x01, 0x38, 0x30, 0x10, 0x80, 0x08,
	  0x99, 0x79, 0x50, 0x00, 0x00, 0x00, 0x00, 0xf0, 0x02, 0x01, 0x01, 0x83, 0x01, 0x00 } },
	{ 30, 80,
	  {
	  0x09, 0x00, 0x03, 0x0c, 0x15, 0x09, 0x12, 0x06, 0x00, 0x11, 0x04, 0x99, 0x79, 0x00, 0x01, 0x09,
	  0x12, 0x95, 0x00, 0x12, 0x04, 0x99, 0x09, 0x31, 0x00, 0x4c, 0x62, 0x4a, 0x48, 0x04, 0x11, 0x22,
	  0x33, 0x44, 0x6b, 0x1e, 0x28, 0x1c, 0x06, 0x07, 0x00, 0x11, 0x86, 0x05, 0x01, 0x01, 0x01, 0xa0,
	  0x11, 0x60, 0x0f, 0x80, 0x02, 0x07, 0x80, 0xa1, 0x09, 0x06, 0x07, 0x04, 0x00, 0x00, 0x01, 0x00,
	  0x20, 0x03, 0x6c, 0x22, 0xa1, 0x20, 0x02, 0x01, 0x01, 0x02, 0x01, 0x17, 0x30, 0x18, 0x04, 0x08,
	  0x99, 0x79, 0x50, 0x00, 0x00, 0x00, 0x00, 0xf0, 0x04, 0x05, 0x91, 0x99, 0x09, 0x31, 0x00, 0x04,
	  0x05, 0x04, 0xc0, 0x00, 0x02, 0x07 } },
	{ 30, 0,
	  {
	  0x09, 0x00, 0x03, 0x0c, 0x15, 0x09, 0x12, 0x95, 0x00, 0x12, 0x04, 0x99, 0x09, 0x31, 0x00, 0x09,
	  0x12, 0x06, 0x00, 0x11, 0x04, 0x99, 0x79, 0x00, 0x01, 0x42, 0x64, 0x40, 0x49, 0x04, 0x11, 0x22,
	  0x33, 0x44, 0x6b, 0x2a, 0x28, 0x28, 0x06, 0x07, 0x00, 0x11, 0x86, 0x05, 0x01, 0x01, 0x01, 0xa0,
	  0x1d, 0x61, 0x1b, 0x80, 0x02, 0x07, 0x80, 0xa1, 0x09, 0x06, 0x07, 0x04, 0x00, 0x00, 0x01, 0x00,
	  0x0e, 0x03, 0xa2, 0x03, 0x02, 0x01, 0x00, 0xa3, 0x05, 0xa1, 0x03, 0x02, 0x01, 0x00, 0x6c, 0x0c,
	  0xa2, 0x0a, 0x02, 0x01, 0x01, 0x30, 0x05, 0x02, 0x01, 0x38, 0xa3, 0x00 } },
	{ 30, 0,
	  {
	  0x09, 0x00, 0x03, 0x0c, 0x15, 0x09, 0x12, 0x95, 0x00, 0x12, 0x04, 0x99, 0x09, 0x31, 0x00, 0x09,
	  0x12, 0x06, 0x00, 0x11, 0x04, 0x99, 0x79, 0x00, 0x01, 0x49, 0x64, 0x47, 0x49, 0x04, 0x11, 0x22,
	  0x33, 0x44, 0x6b, 0x2a, 0x28, 0x28, 0x06, 0x07, 0x00, 0x11, 0x86, 0x05, 0x01, 0x01, 0x01, 0xa0,
	  0x1d, 0x61, 0x1b, 0x80, 0x02, 0x07, 0x80, 0xa1, 0x09, 0x06, 0x07, 0x04, 0x00, 0x00, 0x01, 0x00,
	  0x20, 0x03, 0xa2, 0x03, 0x02, 0x01, 0x00, 0xa3, 0x05, 0xa1, 0x03, 0x02, 0x01, 0x00, 0x6c, 0x13,
	  0xa2, 0x11, 0x02, 0x01, 0x01, 0x30, 0x0c, 0x02, 0x01, 0x17, 0x30, 0x07, 0x04, 0x05, 0x91, 0x99,
	  0x79, 0x00, 0xf1 } },
};

enum { ASK_VECTORS, ASK_UPDATE, TELL_VECTORS, TELL_UPDATE };

static struct map_node *node;
static struct map_seen seen;
static uint8_t room[64 * 1024];

static const struct sub_row *find_sub(void *ctx, uint64_t imsi)
{
	struct storm_world *w = ctx;
	uint32_t n = 0;

	for (unsigned int i = 0; i < 10; i++)
		n = n * 10 + (uint32_t)(imsi >> (40 - 4 * i) & 15);
	w->sub = (struct sub_row){ .imsi = imsi, .life = LIFE_ACTIVE, .prio = storm_prio_of(n) };
	return &w->sub;
}

static const struct profile_row *find_profile(void *ctx, uint32_t no)
{
	static const struct profile_row all = { .rats = RAT_UTRAN | RAT_GERAN };

	(void)ctx;
	(void)no;
	return &all;
}

static const struct network_row own = { .plmn = OWN, .trust = TRUST_OWN, .number = { 0x99970fffffffffffu } };
static const struct network_row partner = { .plmn = PARTNER, .trust = TRUST_TRUSTED, .steer_weight = 1000,
					    .number = { 0x99901fffffffffffu } };

static const struct network_row *find_network(void *ctx, uint64_t plmn)
{
	(void)ctx;
	return plmn == OWN ? &own : plmn == PARTNER ? &partner : NULL;
}

static const struct network_row *of_number(void *ctx, uint64_t number)
{
	(void)ctx;
	if (bcd_begins(number, own.number[0]))
		return &own;
	return bcd_begins(number, partner.number[0]) ? &partner : NULL;
}

static const struct range_row *find_range(void *ctx, uint64_t imsi)
{
	static const struct range_row ours;

	(void)ctx;
	(void)imsi;
	return &ours;
}

uint64_t storm_world_ms(double at)
{
	return EPOCH_MS + (uint64_t)(at * 1000);
}

/* 99970 and ten digits, low half first, the last half filled up. */
static void put_imsi(uint8_t *to, uint32_t n)
{
	uint8_t d[16] = { 9, 9, 9, 7, 0, [15] = 15 };

	for (unsigned int i = 0; i < 10; i++, n /= 10)
		d[14 - i] = (uint8_t)(n % 10);
	for (size_t i = 0; i < 8; i++)
		to[i] = (uint8_t)(d[2 * i] | d[2 * i + 1] << 4);
}

static struct view message(size_t which, uint32_t device, enum op op)
{
	struct message *m = &messages[which];
	uint32_t tid = device * 2 + (op == OP_UPDATE_LOCATION);
	size_t n = m->bytes[4] + 5u;

	for (size_t i = 0; i < 4; i++)
		m->bytes[m->tid + i] = (uint8_t)(tid >> (24 - 8 * i));
	if (m->imsi)
		put_imsi(m->bytes + m->imsi, device);
	return (struct view){ m->bytes, n + m->bytes[n - 1] };
}

static void look_at_refusal(const struct verdict *v)
{
	uint8_t bytes[300], more[16 * 1024];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct arena mem = { more, 0, sizeof more };
	struct msg sccp, tcap;
	struct view rest;
	const struct slot *error;

	map_reject(&w, &seen, &seen.ask[0], v);
	check_eq(w.err, ERR_OK);
	check_eq(sccp_parse(&sccp, wr_done(&w), &mem), ERR_OK);
	check_eq(tcap_parse(&tcap, tab_get(&sccp, SCCP_DATA), &rest, &mem), ERR_OK);
	error = tab_slot(&tcap, TCAP_COMPONENTS, TCAP_ERROR);
	check(error != NULL);
	check_eq(ber_int(tab_next(&tcap, error, TCAP_LOCAL, NULL)->value), SYSTEM_FAILURE);
}

struct verdict storm_world_ask(struct storm_world *w, uint32_t device, enum op op, double at)
{
	struct view v = message(op == OP_UPDATE_LOCATION ? ASK_UPDATE : ASK_VECTORS, device, op);
	struct map_from from = { .opc = 100, .outside = true };
	struct arena mem = { room, 0, sizeof room };
	struct verdict verdict;

	map_read_from(node, &from, v, &seen, &mem, storm_world_ms(at));
	check_eq(seen.kind, MAP_ASKS);
	check_eq(seen.ask[0].facts.op, op);
	verdict = judge_request(w->judge, &seen.ask[0].facts);
	if (verdict.act == ACT_PASS) {
		map_passed(node, &seen, verdict.partition);
	} else {
		look_at_refusal(&verdict);
		map_refused(node, &seen);
	}
	return verdict;
}

void storm_world_done(struct storm_world *w, uint32_t device, enum op op, double asked, double at)
{
	struct view v = message(op == OP_UPDATE_LOCATION ? TELL_UPDATE : TELL_VECTORS, device, op);
	struct map_from from = { .opc = 1, .outside = false };
	struct arena mem = { room, 0, sizeof room };
	char origin[BCD_TEXT];
	struct facts f;

	map_read_from(node, &from, v, &seen, &mem, storm_world_ms(at));
	check_eq(seen.kind, MAP_ANSWERS);
	check(seen.ok);
	map_asked_facts(&seen.about, origin, &f);
	check_eq(f.op, op);
	check_eq(f.now_ms, storm_world_ms(asked));
	judge_done(w->judge, &f, seen.about.partition, true, false, storm_world_ms(at));
}

void storm_world_open(struct storm_world *w)
{
	struct map_conf conf = { .plmn = OWN, .dialogue_n = 1u << 18, .join_n = 16 };

	w->book = book_empty;
	w->book.ctx = w;
	w->book.sub = find_sub;
	w->book.profile = find_profile;
	w->book.network = find_network;
	w->book.network_of_number = of_number;
	w->book.range = find_range;
	w->seen = sightings_new(1u << 20, key);
	w->target = admission_new(&(struct admission_conf){ 0 }, key);
	w->judge = judge_new(&w->book, w->seen, &w->target, 1, key);
	node = map_node_new(&conf, &w->book, key);
	check(w->seen && w->target && w->judge && node);
	judge_identity(w->judge, VIEW("edge.example"), VIEW("example"));
}

void storm_world_close(struct storm_world *w)
{
	map_node_free(node);
	judge_free(w->judge);
	admission_free(w->target);
	sightings_free(w->seen);
}
