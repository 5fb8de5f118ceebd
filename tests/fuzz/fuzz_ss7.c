/* A conversation over SCCP, whatever it says: reading ends, pools stay bounded, what is told lies inside
 * what came, and every refusal that could be asked for is a message that we can read. The input: for each
 * message two octets of length, the octets; a point code and the time follow from them. */
#include "fuzz/inside.h"
#include "node/map_sms.h"


static const struct network_row nets[] = {
	{ .plmn = 0x99970fffffffffff, .trust = TRUST_OWN, .number = { 0x99970fffffffffff }, .point_code = { 1 } },
	{ .plmn = 0x00101fffffffffff, .trust = TRUST_TRUSTED, .number = { 0x99901fffffffffff } },
};

static const struct network_row *network(void *ctx, uint64_t plmn)
{
	(void)ctx;
	return plmn == nets[0].plmn ? &nets[0] : plmn == nets[1].plmn ? &nets[1] : NULL;
}

static const struct network_row *of_number(void *ctx, uint64_t number)
{
	(void)ctx;
	for (size_t i = 0; i < 2; i++) {
		if (bcd_begins(number, nets[i].number[0]))
			return &nets[i];
	}
	return NULL;
}

/* What a refusal becomes must be an SCCP message with one whole TCAP message in it. */
static void refusal(const struct map_seen *seen, const struct map_ask *ask, uint8_t cause)
{
	static uint8_t bytes[1024], room[32 * 1024];
	struct verdict v = { .act = ACT_REJECT, .cause = cause };
	struct arena mem = { room, 0, sizeof room };
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct msg sccp, tcap;
	struct view rest;

	map_reject(&w, seen, ask, &v);
	if (w.err || w.n == 0)
		return; /* nothing is due, or addresses too long for an answer */
	if (sccp_parse(&sccp, wr_done(&w), &mem) != ERR_OK)
		abort();
	if (tcap_parse(&tcap, tab_get(&sccp, SCCP_DATA), &rest, &mem) != ERR_OK || rest.n > 0)
		abort();
}

/* What is written again for another hop is a whole TCAP message. */
static void again(const struct map_seen *seen)
{
	static uint8_t bytes[2 * JOIN_BYTES], room[64 * 1024];
	static const uint8_t other[8] = { 0x99, 0x79, 0x00, 0x10, 0x32, 0x54, 0x76, 0xf8 };
	struct arena mem = { room, 0, sizeof room };
	struct view tid = { other, 4 }, rest;
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct map_route route;
	struct msg m;

	map_put_again(&w, seen, tid, tid, (struct view){ other, seen->ask_n > 0 ? 8 : 0 });
	if (!w.err && (tcap_parse(&m, wr_done(&w), &rest, &mem) != ERR_OK || rest.n > 0 ||
		       m.shape != seen->tcap.shape))
		abort();
	w = (struct wr){ .p = bytes, .cap = sizeof bytes };
	mem.used = 0;
	if (!map_route_of(seen, &route))
		return;
	map_put_route(&w, seen, (struct view){ other, route.imsi.n }, (struct view){ other, 8 });
	if (!w.err && (tcap_parse(&m, wr_done(&w), &rest, &mem) != ERR_OK || rest.n > 0))
		abort();
}

static void look(struct map_node *n, const struct map_seen *seen)
{
	if (seen->kind <= MAP_ANSWERS && seen->kind != MAP_WAITS && seen->tcap.shape)
		again(seen);
	if (seen->kind == MAP_ASKS && (seen->ask_n == 0 || seen->ask_n > MAP_ASKS_MAX))
		abort();
	for (size_t i = 0; i < seen->ask_n && seen->kind == MAP_ASKS; i++) {
		const struct facts *f = &seen->ask[i].facts;

		if (f->node_n > NODE_MAX || f->op >= OP_N || f->direction > DIR_OUT_TO_HOME)
			abort();
		refusal(seen, &seen->ask[i], (uint8_t)(1 + (seen->ask[i].code + i) % (CAUSE_N - 1)));
	}
	if (seen->kind == MAP_ASKS && seen->ask[0].code % 4)
		map_passed(n, seen, 0);
	else if (seen->kind == MAP_ASKS)
		map_refused(n, seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t key[HASH_KEY] = "fuzzing of SS7!";
	static const struct book book = { .network = network, .network_of_number = of_number };
	static struct map_seen seen;
	static uint8_t room[128 * 1024];
	struct map_conf conf = { .plmn = nets[0].plmn, .dialogue_n = 16, .join_n = 2, .late_ms = 1000 };
	struct map_node *node = map_node_new(&conf, &book, key);
	struct rd r = { .left = { data, n } };
	uint64_t now = 1;

	for (; node && r.left.n > 2; now += 500) {
		struct arena mem = { room, 0, sizeof room };
		size_t want = rd_be(&r, 2);
		struct view v = rd_take(&r, want < r.left.n ? want : r.left.n);

		map_read(node, want & 1, v, &seen, &mem, now);
		look(node, &seen);
	}
	map_node_free(node);
	return 0;
}
