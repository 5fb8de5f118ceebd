/* The edge's parts that need no network: who may connect, the directory, held refusals, kept bytes.
 */
#include "edge/admit.h"
#include "edge/directory.h"
#include "edge/hold.h"
#include "edge/keep.h"
#include "unit/test.h"

#include <pthread.h>

/* .b: an address belongs to a network, or not. */
TEST(addresses_are_held_against_prefixes)
{
	static const struct {
		const char *address, *prefix;
		bool in;
	} row[] = {
	    {"127.0.0.1", "127.0.0.0/8", true},
	    {"128.0.0.1", "127.0.0.0/8", false},
	    {"10.1.2.3", "10.1.2.3", true},
	    {"10.1.2.4", "10.1.2.3", false},
	    {"10.1.2.3", "10.1.2.0/31", false},
	    {"10.1.2.1", "10.1.2.0/31", true},
	    {"192.0.2.1", "0.0.0.0/0", true},
	    {"2001:db8::1", "2001:db8::/32", true},
	    {"2001:db9::1", "2001:db8::/32", false},
	    {"::1", "::1", true},
	    {"::1", "127.0.0.0/8", false},
	    {"10.0.0.1", "10.0.0.0/", false},
	    {"10.0.0.1", "10.0.0.0/33", false},
	    {"10.0.0.1", "10.0.0.0/x", false},
	    {"x", "0.0.0.0/0", false},
	    {"10.0.0.1", "", false},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		check_eq(address_within(view_of(row[i].address), view_of(row[i].prefix)),
			 row[i].in);
}

TEST(a_host_has_one_seat_until_it_leaves)
{
	struct directory *d = directory_new(4);
	struct seat a = {0, DIA_PARTNER, false, 7}, b = {1, DIA_PARTNER, false, 7}, got;
	struct seat agent = {0, DIA_PARTNER, true, 9};
	uint64_t plmn = bcd_of(VIEW("00101"));

	check(directory_put(d, VIEW("mme1.example.org"), plmn, a));
	check(!directory_put(d, VIEW("MME1.example.org"), plmn, b)); /* names have no case */
	check(directory_find(d, VIEW("mme1.EXAMPLE.org"), &got));
	check(got.worker == 0 && got.conn == 7 && got.kind == DIA_PARTNER);
	directory_remove(d, VIEW("mme1.example.org"), b); /* not its seat: stays */
	check(directory_find(d, VIEW("mme1.example.org"), &got));
	directory_remove(d, VIEW("mme1.example.org"), a);
	check(!directory_find(d, VIEW("mme1.example.org"), &got));
	check(directory_put(d, VIEW("mme1.example.org"), plmn, b));
	check(directory_of_network(d, plmn, false, 12345, &got) && got.worker == 1);
	check(!directory_of_network(d, bcd_of(VIEW("00102")), false, 0, &got));
	check(!directory_of_network(d, plmn, true, 0, &got)); /* no agent: it reaches only itself */
	check(directory_put(d, VIEW("dra.example.org"), plmn, agent));
	for (uint32_t turn = 0; turn < 4; turn++)
		check(directory_of_network(d, plmn, true, turn, &got) && got.conn == agent.conn && got.relay);
	directory_free(d);
}

TEST(a_full_directory_takes_nobody_more)
{
	struct directory *d = directory_new(2);
	struct seat s = {0, DIA_PARTNER, false, 1};

	check(directory_put(d, VIEW("a.x"), 1, s));
	check(directory_put(d, VIEW("b.x"), 1, s));
	check(!directory_put(d, VIEW("c.x"), 1, s));
	directory_remove(d, VIEW("a.x"), s);
	check(directory_put(d, VIEW("c.x"), 1, s));
	directory_free(d);
}

static struct directory *shared;
static _Atomic bool ended;

static void *churn(void *ctx)
{
	struct seat s = {3, DIA_OWN, false, 33};

	(void)ctx;
	for (int i = 0; i < 200000; i++) {
		directory_put(shared, VIEW("a.x"), 9, s);
		directory_remove(shared, VIEW("a.x"), s);
	}
	ended = true;
	return NULL;
}

/* Readers without locks see a whole seat or none. */
TEST(a_reader_never_sees_half_a_seat)
{
	pthread_t t;
	struct seat got;
	uint64_t seen = 0;

	shared = directory_new(8);
	check(pthread_create(&t, NULL, churn, NULL) == 0);
	while (!ended) {
		if (!directory_find(shared, VIEW("a.x"), &got))
			continue;
		check(got.worker == 3 && got.kind == DIA_OWN && got.conn == 33);
		seen++;
	}
	pthread_join(t, NULL);
	printf("%llu seats seen whole\n", (unsigned long long)seen);
	directory_free(shared);
}

struct sent {
	uint32_t conn[8];
	size_t n;
};

static void send_held(void *ctx, uint32_t conn, struct view answer)
{
	struct sent *s = ctx;

	check_eq(answer.n, 4);
	s->conn[s->n++] = conn;
}

TEST(a_held_answer_leaves_when_it_is_due_and_not_before)
{
	struct hold *h = hold_new(3);
	struct sent s = {0};

	hold_due(h, 100000, send_held, &s);
	check(hold_put(h, 1, VIEW("abcd"), 100500));
	check(hold_put(h, 2, VIEW("abcd"), 100100));
	check(hold_put(h, 3, VIEW("abcd"), 104000));
	check(!hold_put(h, 4, VIEW("abcd"), 100100)); /* no room: it goes at once */
	hold_due(h, 100090, send_held, &s);
	check_eq(s.n, 0);
	hold_due(h, 100120, send_held, &s);
	check(s.n == 1 && s.conn[0] == 2);
	check(hold_put(h, 5, VIEW("abcd"), 100500)); /* its place is free again */
	hold_due(h, 100600, send_held, &s);
	check_eq(s.n, 3);
	hold_due(h, 110000, send_held, &s);
	check(s.n == 4 && s.conn[3] == 3);
	hold_free(h);
}

TEST(kept_bytes_come_back_until_dropped)
{
	static uint8_t long_one[KEEP_BYTES + 1];
	struct keep *k = keep_new(2);
	uint32_t a = keep_put(k, VIEW("first")), b = keep_put(k, VIEW("second"));

	check(view_eq(keep_get(k, a), VIEW("first")));
	check_eq(keep_put(k, VIEW("third")), KEEP_NONE);
	keep_drop(k, a);
	check_eq(keep_put(k, (struct view){long_one, sizeof long_one}), KEEP_NONE);
	check(keep_put(k, VIEW("third")) == a);
	check(view_eq(keep_get(k, b), VIEW("second")));
	check_eq(keep_get(k, KEEP_NONE).n, 0);
	keep_free(k);
}

/* --- who may connect (R-5.6.1.h) ------------------------------------------------------------ */

static struct network_row net;

static const struct network_row *of_realm(void *ctx, struct view realm)
{
	(void)ctx;
	return view_eq_case(realm, view_of(net.realm)) ? &net : NULL;
}

static uint8_t room[1 << 18], bytes[2048];

static void make_cer(struct msg *m, const char *host, const char *realm)
{
	struct dia_header h = {DIA_FLAG_REQUEST, 257, 0, 1, 1}, got;
	struct wr w = {.p = bytes, .cap = sizeof bytes};
	static struct arena mem = {room, 0, sizeof room};
	size_t start = dia_begin(&w, &h);
	static const uint8_t address[] = {0, 1, 127, 0, 0, 1};

	dia_put_text(&w, AVP_ORIGIN_HOST, host);
	dia_put_text(&w, AVP_ORIGIN_REALM, realm);
	dia_put(&w, AVP_HOST_IP_ADDRESS, (struct view){address, sizeof address});
	dia_put_u32(&w, AVP_VENDOR_ID, 10415);
	dia_put_text(&w, AVP_PRODUCT_NAME, "x");
	dia_end(&w, start);
	arena_reset(&mem);
	check_eq(dia_parse(m, &got, wr_done(&w), DIA_END, &mem), ERR_OK);
}

#define REALM "epc.mnc001.mcc001.3gppnetwork.org"

TEST(only_a_network_of_record_may_connect_and_only_as_itself)
{
	static const struct view cert = VIEW_INIT("mme1." REALM), other = VIEW_INIT("mme2." REALM);
	static const struct {
		const char *host, *realm, *address;
		const struct view *cert;
		bool clear, clear_ok;
		uint32_t want;
	} row[] = {
	    {"mme1." REALM, REALM, "127.0.0.1", NULL, true, true, 2001},
	    {"mme1." REALM, REALM, "10.0.0.1", NULL, true, true, 3010},
	    {"mme1." REALM, REALM, "127.0.0.1", NULL, true, false, 5017},
	    {"mme1." REALM, REALM, "127.0.0.1", NULL, false, true, 5017},
	    {"mme1." REALM, REALM, "10.9.9.9", &cert, false, false, 2001},
	    {"mme1." REALM, REALM, "10.9.9.9", &other, false, false, 3010},
	    {"mme1.evil.org", REALM, "127.0.0.1", NULL, true, true, 3010},
	    {"mme1.evil.org", "evil.org", "127.0.0.1", NULL, true, true, 3010},
	    {"hss.own.org", "own.org", "127.0.0.1", NULL, true, true, 3010},
	    {"mme.own.org", "own.org", "192.168.1.1", NULL, true, true, 2001},
	};
	struct edge_conf conf = {
	    .realm = VIEW("own.org"), .own = {VIEW("192.168.0.0/16")}, .own_n = 1};
	struct book book = {.network_of_realm = of_realm};
	const char *why;
	struct msg m;

	snprintf(net.realm, sizeof net.realm, "%s", REALM);
	snprintf(net.address[0], sizeof net.address[0], "127.0.0.0/8");
	net.trust = TRUST_TRUSTED;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct dia_link link = {.secure = row[i].cert != NULL,
					.address = view_of(row[i].address),
					.cert_names = row[i].cert,
					.cert_name_n = row[i].cert != NULL};

		net.clear_ok = row[i].clear_ok;
		make_cer(&m, row[i].host, row[i].realm);
		check_eq(admit_peer(&conf, row[i].clear, &book, &link, &m, &why).result,
			 row[i].want);
	}
}

TESTS(T(addresses_are_held_against_prefixes), T(a_host_has_one_seat_until_it_leaves),
      T(a_full_directory_takes_nobody_more), T(a_reader_never_sees_half_a_seat),
      T(a_held_answer_leaves_when_it_is_due_and_not_before), T(kept_bytes_come_back_until_dropped),
      T(only_a_network_of_record_may_connect_and_only_as_itself))
