/* What a SIM may send and receive: from packets and a profile to a verdict. */
#include "inspect/allow.h"
#include "inspect/dns.h"
#include "inspect/gtpu.h"
#include "records/model.h"
#include "unit/test.h"

#include <arpa/inet.h>

#define DEVICE "10.45.0.2"
#define IMSI 0x99970000000001ffu /* any number will do */

static struct sub_row sub;
static struct profile_row profile;
static uint8_t bytes[4096];

static const struct sub_row *find_sub(void *ctx, uint64_t imsi)
{
	(void)ctx;
	return imsi == sub.imsi ? &sub : NULL;
}

static const struct profile_row *find_profile(void *ctx, uint32_t id)
{
	(void)ctx;
	return id == profile.id ? &profile : NULL;
}

static struct allow *a;
static struct sessions *sessions;
static struct session_hit hit;
static struct book book;
static uint64_t now_ms = 1000000, wall_s = 1795600000;

static void later(uint64_t ms)
{
	now_ms += ms;
	wall_s += ms / 1000;
	allow_batch(a, &book, sessions, now_ms, wall_s);
}

static void begin(const char *reach)
{
	static const uint8_t key[HASH_KEY] = "a key of a test";
	struct allow_conf conf = { .sims = 64, .names = 64, .pool_n = 1,
				   .pool[0] = { { [10] = 0xff, [11] = 0xff, 10, 45 }, 112 } };
	struct view left = view_of(reach), w;

	book = book_empty;
	book.sub = find_sub;
	book.profile = find_profile;
	sub = (struct sub_row){ .imsi = IMSI, .profile = 7, .life = LIFE_ACTIVE };
	profile = (struct profile_row){ .id = 7, .version = 1, .ul_bps = 8000000, .dl_bps = 8000000 };
	while ((w = model_word(&left)).n > 0)
		check_eq(model_reach(w, &profile.reach[profile.reach_n++]), ERR_OK);
	allow_free(a);
	a = allow_new(&conf);
	if (!sessions)
		sessions = sessions_new(16, 0, key);
	check(a && sessions);
	hit = (struct session_hit){
		.is = { .imsi = IMSI, .id = 1, .life = 1, .has4 = 1, .ue4 = { 10, 45, 0, 2 } }
	};
	later(1000);
}

static size_t ip4(const char *from, const char *to, uint8_t protocol, size_t n)
{
	memset(bytes, 0, 20);
	bytes[0] = 0x45;
	bytes[2] = (uint8_t)((n + 20) >> 8);
	bytes[3] = (uint8_t)(n + 20);
	bytes[8] = 64;
	bytes[9] = protocol;
	check(inet_pton(AF_INET, from, bytes + 12) == 1 && inet_pton(AF_INET, to, bytes + 16) == 1);
	return n + 20;
}

static enum drop ask(size_t n)
{
	struct packet p;

	check_eq(packet_ip(&p, (struct view){ bytes, n }), ERR_OK);
	hit.up = address_in(p.flow.from, (const uint8_t[16]){ [10] = 0xff, [11] = 0xff, 10, 45 }, 112);
	return allow_check(a, &hit, &p, n);
}

static enum drop udp(const char *from, const char *to, uint16_t from_port, uint16_t to_port,
		     struct view payload)
{
	size_t n = ip4(from, to, 17, payload.n + 8);
	const uint8_t head[] = { (uint8_t)(from_port >> 8),
				 (uint8_t)from_port,
				 (uint8_t)(to_port >> 8),
				 (uint8_t)to_port,
				 (uint8_t)((payload.n + 8) >> 8),
				 (uint8_t)(payload.n + 8),
				 0,
				 0 };

	memcpy(bytes + 20, head, sizeof head);
	if (payload.n > 0)
		memcpy(bytes + 28, payload.p, payload.n);
	return ask(n);
}

TEST(only_what_the_profile_names_is_reached)
{
	static const struct {
		const char *from, *to;
		uint16_t from_port, to_port;
		enum drop drop;
	} cases[] = {
		{ DEVICE, "192.0.2.10", 5000, 5683, DROP_NOT },
		{ "192.0.2.10", DEVICE, 5683, 5000, DROP_NOT },
		{ DEVICE, "192.0.2.10", 5000, 5684, DROP_REACH },
		{ DEVICE, "198.51.100.1", 5000, 5683, DROP_REACH },
		{ "198.51.100.1", DEVICE, 5683, 5000, DROP_REACH },
		{ "10.45.0.3", "192.0.2.10", 5000, 5683, DROP_SPOOFED },
		{ DEVICE, "10.45.0.3", 5000, 5683, DROP_PEER },
		{ "192.0.2.10", "10.45.0.3", 5683, 5000, DROP_SPOOFED },
	};

	begin("udp:192.0.2.0/24:5683 10.45.0.0/16");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %s:%d > %s:%d\n", cases[i].from, cases[i].from_port, cases[i].to, cases[i].to_port);
		check_eq(udp(cases[i].from, cases[i].to, cases[i].from_port, cases[i].to_port, VIEW("x")),
			 cases[i].drop);
	}
	profile.peers = 1;
	check_eq(udp(DEVICE, "10.45.0.3", 5000, 5683, VIEW("x")), DROP_NOT);
	begin("");
	check_eq(udp(DEVICE, "198.51.100.1", 5000, 5683, VIEW("x")), DROP_NOT);
}

TEST(who_is_suspended_or_held_sends_nothing)
{
	begin("");
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 5683, VIEW("x")), DROP_NOT);
	sub.life = LIFE_SUSPENDED;
	later(2000);
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 5683, VIEW("x")), DROP_INACTIVE);
	sub.life = LIFE_ACTIVE;
	sub.flags = SUB_GREY;
	sub.grey_until = (uint32_t)wall_s + 100;
	later(2000);
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 5683, VIEW("x")), DROP_QUARANTINE);
	profile.grey = GREY_WATCH;
	later(2000);
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 5683, VIEW("x")), DROP_NOT);
	allow_hold(a, IMSI, (uint32_t)wall_s + 10);
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 5683, VIEW("x")), DROP_QUARANTINE);
	allow_hold(a, IMSI, 0);
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 5683, VIEW("x")), DROP_NOT);
}

TEST(rate_and_volume_have_an_end)
{
	size_t passed = 0;
	uint8_t big[1000] = { 0 };

	begin("");
	profile.ul_bps = 1000000;
	for (int ms = 0; ms < 5000; ms++) { /* 8 Mbit/s are offered, 1 Mbit/s and a burst of a second pass */
		later(1);
		passed += udp(DEVICE, "192.0.2.10", 5000, 5683, (struct view){ big, sizeof big }) == DROP_NOT;
	}
	passed = passed * 1028 * 8;
	check(passed > 4500000 && passed < 6500000);
	begin("");
	profile.day_mb = 1;
	profile.ul_bps = 0;
	for (passed = 0; udp(DEVICE, "192.0.2.10", 5000, 5683, (struct view){ big, sizeof big }) == DROP_NOT;)
		passed++;
	check_eq(passed, 1000000 / 1028);
	wall_s += 86400;
	later(1);
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 5683, (struct view){ big, sizeof big }), DROP_NOT);
}

/* --- names ------------------------------------------------------------------------------------ */

#define QUESTION                                                                                           \
	"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06"                                             \
	"broker\x07"                                                                                       \
	"example\x00\x00\x01\x00\x01"
#define ANSWER(ip)                                                                                         \
	"\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\x06"                                             \
	"Broker\x07"                                                                                       \
	"example\x00\x00\x01\x00\x01"                                                                      \
	"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01"                                             \
	"a\xc0\x13"                                                                                        \
	"\xc0\x2c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" ip

TEST(a_name_is_what_the_devices_own_answer_says)
{
	begin("udp:192.0.2.53:53 tcp:broker.example:8883 udp:broker.example:5683");
	check_eq(udp(DEVICE, "203.0.113.9", 5000, 5683, VIEW("x")), DROP_REACH);
	/* an answer that was not asked for */
	check_eq(udp("192.0.2.53", DEVICE, 53, 6000, VIEW(ANSWER("\xcb\x00\x71\x09"))), DROP_NOT);
	check_eq(udp(DEVICE, "203.0.113.9", 5000, 5683, VIEW("x")), DROP_REACH);
	/* asked, and answered by another */
	check_eq(udp(DEVICE, "192.0.2.53", 6000, 53, VIEW(QUESTION)), DROP_NOT);
	check_eq(udp("198.51.100.7", DEVICE, 53, 6000, VIEW(ANSWER("\xcb\x00\x71\x09"))), DROP_REACH);
	check_eq(udp(DEVICE, "203.0.113.9", 5000, 5683, VIEW("x")), DROP_REACH);
	/* asked and answered, by way of an alias */
	check_eq(udp("192.0.2.53", DEVICE, 53, 6000, VIEW(ANSWER("\xcb\x00\x71\x09"))), DROP_NOT);
	check_eq(udp(DEVICE, "203.0.113.9", 5000, 5683, VIEW("x")), DROP_NOT);
	check_eq(udp(DEVICE, "203.0.113.9", 5000, 5684, VIEW("x")), DROP_REACH);
	/* it ends with its time */
	later(70000);
	check_eq(udp(DEVICE, "203.0.113.9", 5000, 5683, VIEW("x")), DROP_REACH);
}

TEST(a_name_does_not_lead_inside)
{
	begin("udp:192.0.2.53:53 broker.example");
	check_eq(udp(DEVICE, "192.0.2.53", 6000, 53, VIEW(QUESTION)), DROP_NOT);
	check_eq(udp("192.0.2.53", DEVICE, 53, 6000, VIEW(ANSWER("\xc0\xa8\x00\x01"))), DROP_NOT);
	check_eq(udp(DEVICE, "192.168.0.1", 5000, 5683, VIEW("x")), DROP_REACH);
}

TEST(another_name_opens_nothing)
{
	begin("udp:192.0.2.53:53 *.broker.example other.example");
	check_eq(udp(DEVICE, "192.0.2.53", 6000, 53, VIEW(QUESTION)), DROP_NOT);
	check_eq(udp("192.0.2.53", DEVICE, 53, 6000, VIEW(ANSWER("\xcb\x00\x71\x09"))), DROP_NOT);
	check_eq(udp(DEVICE, "203.0.113.9", 5000, 5683, VIEW("x")), DROP_REACH);
	begin("udp:192.0.2.53:53 *.example");
	check_eq(udp(DEVICE, "192.0.2.53", 6000, 53, VIEW(QUESTION)), DROP_NOT);
	check_eq(udp("192.0.2.53", DEVICE, 53, 6000, VIEW(ANSWER("\xcb\x00\x71\x09"))), DROP_NOT);
	check_eq(udp(DEVICE, "203.0.113.9", 5000, 5683, VIEW("x")), DROP_NOT);
}

/* --- what is bent ----------------------------------------------------------------------------- */

static enum drop part(uint16_t at, bool more, size_t n, uint8_t id)
{
	size_t whole = ip4(DEVICE, "192.0.2.10", 17, n);

	memset(bytes + 20, 0, n);
	bytes[5] = id;
	bytes[6] = (uint8_t)((at / 8) >> 8 | (more ? 0x20 : 0));
	bytes[7] = (uint8_t)(at / 8);
	if (at == 0) {
		bytes[20] = bytes[22] = 0x16; /* port 5683 */
		bytes[21] = bytes[23] = 0x33;
		bytes[24] = 1; /* of 256 octets */
	}
	return ask(whole);
}

TEST(parts_follow_the_first_and_write_over_nothing)
{
	begin("udp:192.0.2.0/24:5683");
	check_eq(part(16, false, 24, 1), DROP_FRAGMENT); /* before its first */
	check_eq(part(0, true, 16, 2), DROP_NOT);
	check_eq(part(16, false, 24, 2), DROP_NOT);
	check_eq(part(0, true, 16, 3), DROP_NOT);
	check_eq(part(8, false, 24, 3), DROP_FRAGMENT); /* into the first */
	check_eq(part(16, false, 24, 3), DROP_FRAGMENT); /* and no more of it */
	check_eq(part(0, true, 16, 4), DROP_NOT);
	check_eq(part(0, true, 24, 4), DROP_FRAGMENT); /* another first */
	profile.reach[0].port_from = profile.reach[0].port_to = 7;
	check_eq(part(0, true, 16, 5), DROP_REACH);
	check_eq(part(16, false, 24, 5), DROP_FRAGMENT);
}

TEST(gtp_inside_is_refused_and_what_only_looks_like_it_is_not)
{
	static const uint8_t message[] = { 0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0 };

	begin("");
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 2152, (struct view){ message, sizeof message }),
		 DROP_GTP_INSIDE);
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 2123, (struct view){ message, sizeof message }),
		 DROP_GTP_INSIDE);
	check_eq(udp(DEVICE, "192.0.2.10", 5000, 2152, (struct view){ message, 11 }), DROP_NOT);
	check_eq(udp(DEVICE, "192.0.2.10", 2152, 53, (struct view){ message, sizeof message }), DROP_NOT);
	check_eq(udp("192.0.2.10", DEVICE, 53, 2152, VIEW("nothing like it")), DROP_NOT);
}

TEST(a_tunnel_of_the_device_leads_nowhere_else)
{
	static const uint8_t in[] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 45, 0, 2, 198, 51, 100, 1,
				      0, 9, 0, 9, 0, 8, 0, 0 };
	size_t n;

	begin("192.0.2.0/24");
	n = ip4(DEVICE, "192.0.2.10", 4, sizeof in);
	memcpy(bytes + 20, in, sizeof in);
	check_eq(ask(n), DROP_REACH);
	bytes[20 + 16] = 192;
	bytes[20 + 17] = 0;
	bytes[20 + 18] = 2;
	check_eq(ask(n), DROP_NOT);
}

/* --- GTP-U ------------------------------------------------------------------------------------ */

TEST(gtpu_is_what_its_header_says)
{
	static const struct {
		const char *what;
		struct view bytes;
		enum err err;
		uint32_t teid;
		size_t inner;
	} cases[] = {
		{ "plain", VIEW_INIT("\x30\xff\x00\x02\x00\x00\x00\x07xy"), ERR_OK, 7, 2 },
		{ "sequence", VIEW_INIT("\x32\xff\x00\x06\x00\x00\x00\x07\x00\x01\x00\x00xy"), ERR_OK, 7,
		  2 },
		{ "extension",
		  VIEW_INIT("\x34\xff\x00\x0a\x00\x00\x00\x07\x00\x00\x00\x85\x01\x10\x05\x00xy"), ERR_OK,
		  7, 2 },
		{ "two extensions",
		  VIEW_INIT("\x34\xff\x00\x0e\x00\x00\x00\x07\x00\x00\x00\xc0\x01\x00\x00\x85"
			    "\x01\x10\x05\x00xy"),
		  ERR_OK, 7, 2 },
		{ "extension of no length",
		  VIEW_INIT("\x34\xff\x00\x0a\x00\x00\x00\x07\x00\x00\x00\x85\x00\x10\x05\x00xy"),
		  ERR_LENGTH, 0, 0 },
		{ "extension that leads out",
		  VIEW_INIT("\x34\xff\x00\x0a\x00\x00\x00\x07\x00\x00\x00\x85\x02\x10\x05\x00xy"),
		  ERR_LENGTH, 0, 0 },
		{ "extension that must be known",
		  VIEW_INIT("\x34\xff\x00\x0a\x00\x00\x00\x07\x00\x00\x00\xc5\x01\x10\x05\x00"
			    "xy"),
		  ERR_UNKNOWN, 0, 0 },
		{ "something behind", VIEW_INIT("\x30\xff\x00\x02\x00\x00\x00\x07xyz"), ERR_LENGTH, 0, 0 },
		{ "cut", VIEW_INIT("\x30\xff\x00\x03\x00\x00\x00\x07xy"), ERR_SHORT, 0, 0 },
		{ "GTP'", VIEW_INIT("\x20\xff\x00\x02\x00\x00\x00\x07xy"), ERR_VERSION, 0, 0 },
		{ "GTPv2", VIEW_INIT("\x48\x20\x00\x06\x00\x00\x00\x07xy"), ERR_VERSION, 0, 0 },
		{ "GTP-C", VIEW_INIT("\x30\x10\x00\x02\x00\x00\x00\x07xy"), ERR_UNKNOWN, 0, 0 },
	};
	struct gtpu g;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("  %s\n", cases[i].what);
		check_eq(gtpu_parse(&g, cases[i].bytes), cases[i].err);
		if (cases[i].err)
			continue;
		check_eq(g.teid, cases[i].teid);
		check_eq(g.inner.n, cases[i].inner);
		for (size_t n = 0; n < cases[i].bytes.n; n++)
			check(gtpu_parse(&g, view_first(cases[i].bytes, n)) != ERR_OK);
	}
}

TESTS(T(only_what_the_profile_names_is_reached), T(who_is_suspended_or_held_sends_nothing),
      T(rate_and_volume_have_an_end), T(a_name_is_what_the_devices_own_answer_says),
      T(a_name_does_not_lead_inside), T(another_name_opens_nothing),
      T(parts_follow_the_first_and_write_over_nothing),
      T(gtp_inside_is_refused_and_what_only_looks_like_it_is_not),
      T(a_tunnel_of_the_device_leads_nowhere_else), T(gtpu_is_what_its_header_says))
