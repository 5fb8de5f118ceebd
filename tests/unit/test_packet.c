/* Packets, from bytes. */
#include "inspect/packet.h"
#include "unit/test.h"

static uint8_t bytes[4096];

static struct view hex(const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned int x;

		if (*text == ' ')
			continue;
		check(sscanf(text, "%2x", &x) == 1);
		bytes[n++] = (uint8_t)x;
		text++;
	}
	return (struct view){ bytes, n };
}

#define ETH4 "020000000001 020000000002 0800 "
#define ETH6 "020000000001 020000000002 86dd "
#define IP6_A "20010db8000000000000000000000001"
#define IP6_B "20010db8000000000000000000000002"
#define UDP_OK "868dc350 000c0000 61626364"

static const struct {
	const char *what, *hex;
	enum err err;
	uint16_t from_port, to_port;
	uint32_t notes;
	const char *payload;
} cases[] = {
	{ "UDP", ETH4 "45000020 00010000 40110000 c0000201 c0000202 " UDP_OK, ERR_OK, 34445, 50000, 0,
	  "abcd" },
	{ "padding of the frame is no payload",
	  ETH4 "45000020 00010000 40110000 c0000201 c0000202 " UDP_OK " 0000000000000000", ERR_OK, 34445,
	  50000, 0,
	  "abcd" },
	{ "one tag", "020000000001 020000000002 8100 0064 0800 "
		     "45000020 00010000 40110000 c0000201 c0000202 " UDP_OK, ERR_OK, 34445, 50000, 0,
	  "abcd" },
	{ "two tags", "020000000001 020000000002 88a8 0064 8100 0065 0800 "
		      "45000020 00010000 40110000 c0000201 c0000202 " UDP_OK, ERR_OK, 34445, 50000, 0,
	  "abcd" },
	{ "three tags are nobody's", "020000000001 020000000002 88a8 0064 8100 0065 8100 0066 0800 "
		      "45000020 00010000 40110000 c0000201 c0000202 " UDP_OK, ERR_UNKNOWN, 0, 0, 0, "" },
	{ "ARP", "ffffffffffff 020000000002 0806 0001", ERR_UNKNOWN, 0, 0, 0, "" },
	{ "TCP with options", ETH4 "4500002e 00010000 40060000 c0000201 c0000202 "
			      "0050c350 00000001 00000002 6018ffff 00000000 020405b4 7879", ERR_OK, 80,
	  50000, 0, "xy" },
	{ "TCP header longer than the packet", ETH4 "45000028 00010000 40060000 c0000201 c0000202 "
			      "0050c350 00000001 00000002 f018ffff 00000000", ERR_SHORT, 0, 0, 0, "" },
	{ "TCP header too short", ETH4 "45000028 00010000 40060000 c0000201 c0000202 "
			      "0050c350 00000001 00000002 4018ffff 00000000", ERR_HEADER, 0, 0, 0, "" },
	{ "loose source route", ETH4 "46000024 00010000 40110000 c0000201 c0000202 83030400 " UDP_OK,
	  ERR_OK, 34445,
	  50000, PACKET_SOURCE_ROUTE, "abcd" },
	{ "first part", ETH4
	  "45000024 00012000 40110000 c0000201 c0000202 868dc350 05000000 6162636465666768", ERR_OK,
	  34445, 50000, PACKET_FRAGMENT | PACKET_MORE, "abcdefgh" },
	{ "first part of 8 of TCP's 20", ETH4
	  "4500001c 00012000 40060000 c0000201 c0000202 0050c350 00000001",
	  ERR_OK, 0, 0, PACKET_FRAGMENT | PACKET_MORE | PACKET_TINY, NULL },
	{ "later part", ETH4 "4500001c 00010001 40060000 c0000201 c0000202 6162636465666768", ERR_OK, 0, 0,
	  PACKET_FRAGMENT | PACKET_LATER, "abcdefgh" },
	{ "a part that is not the last, of no multiple of 8", ETH4
	  "4500001b 00012000 40110000 c0000201 c0000202 "
	  "868dc350 000700", ERR_LENGTH, 0, 0, 0, "" },
	{ "beyond 65535", ETH4 "4500001c 00011fff 40110000 c0000201 c0000202 6162636465666768", ERR_LENGTH,
	  0, 0, 0,
	  "" },
	{ "UDP shorter than its header", ETH4
	  "4500001c 00010000 40110000 c0000201 c0000202 868dc350 00070000",
	  ERR_LENGTH, 0, 0, 0, "" },
	{ "UDP longer than the packet", ETH4 "4500001c 00010000 40110000 c0000201 c0000202 868dc350 00090000",
	  ERR_SHORT, 0, 0, 0, "" },
	{ "IPv6", ETH6 "60000000 000c 11 40 " IP6_A IP6_B UDP_OK, ERR_OK, 34445, 50000, 0, "abcd" },
	{ "IPv6, hop by hop", ETH6 "60000000 0014 00 40 " IP6_A IP6_B "1100010400000000" UDP_OK, ERR_OK,
	  34445, 50000,
	  0, "abcd" },
	{ "IPv6, type 0 route", ETH6 "60000000 0014 2b 40 " IP6_A IP6_B "1100000000000000" UDP_OK, ERR_OK,
	  34445,
	  50000, PACKET_SOURCE_ROUTE, "abcd" },
	{ "IPv6, later part", ETH6 "60000000 0010 2c 40 " IP6_A IP6_B "1100000800000001 6162636465666768",
	  ERR_OK, 0, 0,
	  PACKET_FRAGMENT | PACKET_LATER, "abcdefgh" },
	{ "IPv6, an atomic fragment is whole", ETH6 "60000000 0014 2c 40 " IP6_A IP6_B
	  "1100000000000001" UDP_OK,
	  ERR_OK, 34445, 50000, 0, "abcd" },
	{ "IPv6, nine extensions", ETH6 "60000000 0054 3c 40 " IP6_A IP6_B
	  "3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 "
	  "3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 "
	  "1100010400000000" UDP_OK, ERR_HEADER, 0, 0, 0, "" },
	{ "IPv6, from a mapped address", ETH6
	  "60000000 000c 11 40 00000000000000000000ffffc0000201" IP6_B UDP_OK,
	  ERR_VALUE, 0, 0, 0, "" },
	{ "no IP of any version", ETH4 "55000020 00010000 40110000 c0000201 c0000202 " UDP_OK, ERR_VERSION,
	  0, 0, 0,
	  "" },
};

TEST(packets_are_read_as_their_headers_say)
{
	struct packet p;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view v = hex(cases[i].hex);

		printf("  %s\n", cases[i].what);
		check_eq(packet_parse(&p, v, PACKET_ETHERNET), cases[i].err);
		if (cases[i].err)
			continue;
		check_eq(p.flow.from_port, cases[i].from_port);
		check_eq(p.flow.to_port, cases[i].to_port);
		check_eq(p.notes, cases[i].notes);
		if (cases[i].payload)
			check(view_eq(p.payload, view_of(cases[i].payload)));
	}
}

TEST(a_packet_cut_anywhere_is_none)
{
	struct packet p;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view v = hex(cases[i].hex);
		size_t whole;

		if (packet_parse(&p, v, PACKET_ETHERNET) != ERR_OK)
			continue;
		whole = (size_t)(p.ip.p - v.p) + p.ip.n;
		for (size_t n = 0; n < whole; n++)
			check(packet_parse(&p, view_first(v, n), PACKET_ETHERNET) != ERR_OK);
	}
}

TEST(an_address_lies_in_its_prefix)
{
	struct packet p;
	uint8_t a[ADDRESS_BYTES] = { [10] = 0xff, [11] = 0xff, [12] = 192, [15] = 1 };
	char text[ADDRESS_TEXT];

	check_eq(packet_parse(&p, hex(cases[0].hex), PACKET_ETHERNET), ERR_OK);
	check(address_in(p.flow.from, a, 96 + 22));
	check(!address_in(p.flow.from, a, 96 + 24));
	check(address_in(p.flow.from, a, 0));
	check(address_in(a, a, 128));
	address_text(p.flow.from, text);
	check(strcmp(text, "192.0.2.1") == 0);
	check(address_is4(p.flow.to));
}

TEST(what_a_tunnel_of_the_device_carries)
{
	static const char *const tunnels[] = {
		ETH4 "45000048 00010000 40290000 c0000201 c0000202 60000000 000c 11 40 " IP6_A IP6_B UDP_OK,
		ETH4 "45000050 00010000 40110000 c0000201 c0000202 c3500dd8 003c0000 60000000 000c 11 40 "
		     IP6_A IP6_B UDP_OK,
		ETH4 "45000058 00010000 40110000 c0000201 c0000202 c3500dd8 00440000 0000000000000000 "
		     "60000000 000c 11 40 " IP6_A IP6_B UDP_OK,
		ETH4 "45000034 00010000 40040000 c0000201 c0000202 "
		     "45000020 00010000 40110000 c0000203 c0000204 " UDP_OK,
	};
	struct packet p, in;

	for (size_t i = 0; i < sizeof tunnels / sizeof *tunnels; i++) {
		check_eq(packet_parse(&p, hex(tunnels[i]), PACKET_ETHERNET), ERR_OK);
		check(packet_tunnel(&p, &in));
		check_eq(in.flow.to_port, 50000);
		check(view_eq(in.payload, VIEW("abcd")));
	}
	check_eq(packet_parse(&p, hex(cases[0].hex), PACKET_ETHERNET), ERR_OK);
	check(!packet_tunnel(&p, &in));
}

TESTS(T(packets_are_read_as_their_headers_say), T(a_packet_cut_anywhere_is_none),
      T(an_address_lies_in_its_prefix), T(what_a_tunnel_of_the_device_carries))
