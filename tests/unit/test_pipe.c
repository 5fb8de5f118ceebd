/* The packet path, from frames: what goes on, what does not, what is written into it; and captures, cut
 * anywhere. */
#include "inspect/pipe.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pcap/pcap.h>

#define WALL 1795600000

static const uint8_t key[HASH_KEY] = "a key of a test";
static const uint8_t near[4] = { 10, 99, 0, 1 }, far[4] = { 10, 99, 0, 2 };
static uint8_t frame[4096];
static struct pipe *p;
static struct sessions *sessions;
static uint8_t sent[8][4096];
static size_t sent_n[8], sent_side[8], sends;
static enum drop last;

static void send_frame(void *ctx, unsigned int side, struct view v)
{
	(void)ctx;
	check(sends < 8 && v.n <= sizeof sent[0]);
	memcpy(sent[sends], v.p, v.n);
	sent_n[sends] = v.n;
	sent_side[sends++] = side;
}

static void dropped(void *ctx, enum drop why, const struct session_hit *hit, const struct packet *in)
{
	(void)ctx;
	(void)hit;
	(void)in;
	last = why;
}

static enum pipe_word refuse(void *ctx, unsigned int side, const struct packet *in, struct wr *answer)
{
	(void)ctx;
	(void)side;
	(void)in;
	wr_view(answer, VIEW("no, and why not"));
	return WORD_ANSWER;
}

static void begin(bool mark)
{
	struct session s = { .imsi = 1, .has4 = 1, .pdn_type = 1, .ue4 = { 10, 45, 0, 2 } };
	struct session_end up = { PLANE_USER, { far, 4 }, 7, 1, 5, 1 },
			   down = { PLANE_USER, { near, 4 }, 8, 0, 5, 1 };
	struct pipe_conf conf = { .frags = 4, .mark = mark, .allow = { .sims = 16, .names = 16 } };
	struct pipe_ops ops = { send_frame, refuse, NULL, dropped, NULL };

	pipe_free(p);
	if (sessions)
		sessions_free(sessions);
	conf.sessions = sessions = sessions_new(64, 0, key);
	p = pipe_new(&conf, &ops);
	check(p && sessions);
	check_eq(sessions_open(sessions, &s, VIEW("meters.iot"), WALL), ERR_OK);
	sessions_end_at(sessions, s.id, &up);
	sessions_end_at(sessions, s.id, &down);
	pipe_batch(p, &book_empty, 1000, WALL);
	sends = 0;
	last = DROP_NOT;
}

static void be(uint8_t *to, size_t x, size_t n)
{
	while (n-- > 0) {
		to[n] = (uint8_t)x;
		x >>= 8;
	}
}

static uint16_t sum16(const uint8_t *b, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)(b[i] << 8 | (i + 1 < n ? b[i + 1] : 0));
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static void ip4(uint8_t *to, size_t n, const uint8_t from[4], const uint8_t at[4], uint16_t to_port)
{
	memset(to, 0, 28);
	to[0] = 0x45;
	be(to + 2, n, 2);
	to[8] = 64;
	to[9] = 17;
	memcpy(to + 12, from, 4);
	memcpy(to + 16, at, 4);
	be(to + 10, (uint16_t)~sum16(to, 20, 0), 2);
	be(to + 20, 4000, 2);
	be(to + 22, to_port, 2);
	be(to + 24, n - 20, 2);
}

/* A user packet of `n` octets of payload in tunnel `teid`, behind as many tags. */
static size_t user(size_t tags, uint32_t teid, const uint8_t from[4], const uint8_t to[4], size_t n)
{
	static const uint8_t mac[14] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };
	size_t at = 14 + 4 * tags;
	uint8_t *f = frame + at;

	memcpy(frame, mac, 14);
	for (size_t i = 0; i < tags; i++) {
		be(frame + 12 + 4 * i, 0x8100, 2);
		be(frame + 14 + 4 * i, 5 + i, 2);
		be(frame + 16 + 4 * i, 0x0800, 2);
	}
	ip4(f, 64 + n, near, far, 2152);
	be(f + 28, 0x30ff, 2);
	be(f + 30, 28 + n, 2);
	be(f + 32, teid, 4);
	ip4(f + 36, 28 + n, from, to, 5683);
	memset(f + 64, 'x', n);
	return at + 64 + n;
}

static const uint8_t device[4] = { 10, 45, 0, 2 }, other[4] = { 10, 45, 0, 3 },
		     platform[4] = { 192, 0, 2, 10 };

TEST(a_packet_of_a_known_tunnel_goes_on_and_no_other)
{
	begin(false);
	check_eq(pipe_frame(p, 0, frame, user(0, 7, device, platform, 10), 1), PIPE_PASS);
	check_eq(pipe_frame(p, 0, frame, user(2, 7, device, platform, 10), 1), PIPE_PASS);
	check_eq(pipe_frame(p, 0, frame, user(0, 9, device, platform, 10), 1), PIPE_DROP);
	check_eq(last, DROP_TUNNEL);
	check_eq(pipe_frame(p, 0, frame, user(0, 7, other, platform, 10), 1), PIPE_DROP);
	check_eq(last, DROP_SPOOFED);
	user(0, 7, device, platform, 10);
	frame[42] = 0x20;
	check_eq(pipe_frame(p, 0, frame, 88, 1), PIPE_DROP);
	check_eq(last, DROP_NOT_GTP);
	frame[12] = 0x08;
	frame[13] = 0x06;
	check_eq(pipe_frame(p, 0, frame, 60, 1), PIPE_PASS); /* ARP */
	check_eq(pipe_counts(p)->drop[DROP_TUNNEL], 1);
}

TEST(the_class_of_the_bearer_is_written_and_the_checksum_holds)
{
	size_t n;

	begin(true);
	n = user(1, 7, device, platform, 10);
	frame[18 + 1] = 1; /* ECN */
	be(frame + 18 + 10, 0, 2);
	be(frame + 18 + 10, (uint16_t)~sum16(frame + 18, 20, 0), 2);
	check_eq(pipe_frame(p, 0, frame, n, 1), PIPE_PASS);
	check_eq(frame[18 + 1], 46 << 2 | 1);
	check_eq(sum16(frame + 18, 20, 0), 0xffff);
	check_eq(dscp_of_qci(8), 10);
	check_eq(dscp_of_qci(9), 0);
	check_eq(dscp_of_qci(200), 0);
}

TEST(an_answer_is_the_question_turned_round)
{
	struct packet a;
	size_t n;

	begin(false);
	n = user(1, 7, device, platform, 10);
	be(frame + 18 + 22, 2123, 2);
	check_eq(pipe_frame(p, 0, frame, n, 1), PIPE_DROP);
	check_eq(sends, 1);
	check_eq(sent_side[0], 0);
	check_eq(packet_parse(&a, (struct view){ sent[0], sent_n[0] }, 1), ERR_OK);
	check(view_eq(a.payload, VIEW("no, and why not")));
	check(a.vlan_n == 1 && a.vlan[0] == 5 && a.flow.from_port == 2123 && a.flow.to_port == 4000);
	check(memcmp(a.flow.to + 12, near, 4) == 0 && memcmp(sent[0], frame + 6, 6) == 0);
	check_eq(sum16(a.ip.p, 20, 0), 0xffff);
	check_eq(sum16(a.transport.p, a.transport.n, sum16(a.ip.p + 12, 8, 17 + (uint32_t)a.transport.n)),
		 0xffff);
}

/* Cut the datagram of `whole` into parts of `step` octets; part `i` into `frame`. */
static size_t cut(const uint8_t *whole, size_t n, size_t i, size_t step)
{
	size_t at = i * step, left = n - 34 - at, size = left > step ? step : left;

	memcpy(frame, whole, 34);
	memcpy(frame + 34, whole + 34 + at, size);
	be(frame + 14 + 2, 20 + size, 2);
	be(frame + 14 + 4, 77, 2);
	be(frame + 14 + 6, at / 8 | (left > step ? 0x2000 : 0), 2);
	return 34 + size;
}

TEST(parts_wait_are_judged_whole_and_go_on_as_they_came)
{
	uint8_t whole[2048];
	size_t n, order[] = { 2, 0, 3, 1 };

	begin(false);
	n = user(0, 7, device, platform, 100);
	memcpy(whole, frame, n);
	for (size_t i = 0; i < 4; i++)
		check_eq(pipe_frame(p, 1, frame, cut(whole, n, order[i], 40), 1), PIPE_KEPT);
	check_eq(sends, 4);
	for (size_t i = 0; i < 4; i++) {
		size_t part = cut(whole, n, order[i], 40);

		check(sent_side[i] == 0 && sent_n[i] == part && memcmp(sent[i], frame, part) == 0);
	}
	begin(false); /* the same of nobody's tunnel: none of it */
	n = user(0, 9, device, platform, 100);
	memcpy(whole, frame, n);
	for (size_t i = 0; i < 4; i++)
		check_eq(pipe_frame(p, 1, frame, cut(whole, n, i, 40), 1), i < 3 ? PIPE_KEPT : PIPE_DROP);
	check(sends == 0 && last == DROP_TUNNEL);
}

TEST(parts_that_overlap_end_the_datagram)
{
	uint8_t whole[2048];
	size_t n, part;

	begin(false);
	n = user(0, 7, device, platform, 100);
	memcpy(whole, frame, n);
	check_eq(pipe_frame(p, 1, frame, cut(whole, n, 0, 40), 1), PIPE_KEPT);
	check_eq(pipe_frame(p, 1, frame, cut(whole, n, 0, 40), 1), PIPE_KEPT); /* the same again is no harm */
	part = cut(whole, n, 1, 40);
	be(frame + 14 + 6, 4 | 0x2000, 2);
	check_eq(pipe_frame(p, 1, frame, part, 1), PIPE_DROP);
	check_eq(last, DROP_FRAGMENT);
	for (size_t i = 1; i < 4; i++)
		check_eq(pipe_frame(p, 1, frame, cut(whole, n, i, 40), 1), PIPE_DROP);
	check_eq(sends, 0);
}

TEST(a_million_forged_tunnels_take_no_memory)
{
	begin(false);
	for (uint32_t i = 0; i < 1000000; i++) {
		size_t n = user(0, 1000 + i, device, platform, 0);

		be(frame + 14 + 12, 0x0a630000 + i % 60000, 4);
		check(pipe_frame(p, 0, frame, n, 1) == PIPE_DROP);
	}
	check_eq(pipe_counts(p)->drop[DROP_TUNNEL], 1000000);
	check_eq(sessions_n(sessions), 1);
}

/* --- captures --------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
	static char path[1024];

	snprintf(path, sizeof path, "%s/%s", CAPTURES, name);
	return path;
}

/* The n-th frame's inner packet, or the frame's own, copied: IP from its header on. */
static size_t read_ip(const char *name, bool inner, uint8_t to[][1600], size_t *size, size_t max)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *c = pcap_open_offline(path_of(name), why);
	struct pcap_pkthdr *head;
	const u_char *bytes;
	size_t n = 0;

	check(c != NULL);
	while (n < max && pcap_next_ex(c, &head, &bytes) == 1) {
		struct packet out, in;
		struct gtpu g;

		check_eq(packet_parse(&out, (struct view){ bytes, head->caplen }, pcap_datalink(c)), ERR_OK);
		if (inner) {
			check_eq(gtpu_parse(&g, out.payload), ERR_OK);
			check_eq(packet_ip(&in, g.inner), ERR_OK);
			out = in;
		}
		check(out.ip.n <= 1600);
		memcpy(to[n], out.ip.p, out.ip.n);
		size[n++] = out.ip.n;
	}
	pcap_close(c);
	return n;
}

/* What a router and a NAT between them write: life, checksums, the device's address and port. */
static void even_out(uint8_t *ip)
{
	bool up = ip[16] == 172;

	ip[8] = 0;
	memset(ip + 10, 0, 2);
	memset(ip + (up ? 12 : 16), 0, 4);
	memset(ip + (up ? 20 : 22), 0, 2);
	memset(ip + 26, 0, 2);
}

TEST(what_comes_out_of_the_tunnel_is_what_went_in)
{
	static uint8_t n3[128][1600], n6[128][1600];
	size_t n3_size[128], n6_size[128], a, b, same = 0, other_ = 0;

	a = read_ip("5g-trace/doc/n3_example.pcap", true, n3, n3_size, 128);
	b = read_ip("5g-trace/doc/n6_example.pcap", false, n6, n6_size, 128);
	check(a == 92 && b == 91);
	for (size_t i = 0; i < a; i++)
		even_out(n3[i]);
	for (size_t i = 0; i < b; i++)
		even_out(n6[i]);
	for (size_t i = 0; i < a; i++) {
		for (size_t k = 0; k < b; k++) { /* by direction and identification */
			if (memcmp(n3[i] + 4, n6[k] + 4, 2) != 0 || (n3[i][16] == 172) != (n6[k][16] == 172))
				continue;
			if (n3_size[i] == n6_size[k] && memcmp(n3[i], n6[k], n3_size[i]) == 0)
				same++;
			else
				other_++;
		}
	}
	printf("  %zu packets are in both captures, %zu of them not the same byte for byte\n",
	       same + other_, other_);
	check(same == 79 && other_ == 0);
}

/* Every capture of GTP and tunnels there is, each packet whole and cut at every octet: nothing is read
 * beyond it (AddressSanitizer sees to that), and a cut packet is never one that says more. */
static void cut_everywhere(const char *name, size_t *packets)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *c = pcap_open_offline(path_of(name), why);
	struct pcap_pkthdr *head;
	const u_char *bytes;

	check(c != NULL);
	while (pcap_next_ex(c, &head, &bytes) == 1 && head->caplen <= 4096) {
		for (size_t n = head->caplen; n > 0; n--) {
			uint8_t *copy = malloc(n);

			check(copy != NULL);
			memcpy(copy, bytes, n);
			sends = 0;
			(void)pipe_frame(p, (unsigned int)(n & 1), copy, n, pcap_datalink(c));
			free(copy);
		}
		++*packets;
	}
	pcap_close(c);
}

TEST(captures_cut_at_every_octet_do_no_harm)
{
	static const char *const folders[] = { "gtp", "zeek/testing/btest/Traces/tunnels/gtp" };
	size_t packets = 0;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		DIR *d = opendir(path_of(folders[i]));
		const struct dirent *e;
		char name[512];

		begin(true);
		while (d && (e = readdir(d))) {
			snprintf(name, sizeof name, "%s/%s", folders[i], e->d_name);
			if (strstr(e->d_name, ".pcap"))
				cut_everywhere(name, &packets);
		}
		if (d)
			closedir(d);
	}
	printf("  %zu packets\n", packets);
	check(packets > 50);
}

int main(void)
{
	static const struct test always[] = {
		T(a_packet_of_a_known_tunnel_goes_on_and_no_other),
		T(the_class_of_the_bearer_is_written_and_the_checksum_holds),
		T(an_answer_is_the_question_turned_round),
		T(parts_wait_are_judged_whole_and_go_on_as_they_came), T(parts_that_overlap_end_the_datagram),
		T(a_million_forged_tunnels_take_no_memory), { NULL, NULL },
	};
	static const struct test captures[] = { T(what_comes_out_of_the_tunnel_is_what_went_in),
						T(captures_cut_at_every_octet_do_no_harm), { NULL, NULL } };
	DIR *d = opendir(CAPTURES);

	test_run(always);
	if (!d) {
		printf("no captures in %s: what is compared with them is skipped\n", CAPTURES);
		return 0;
	}
	closedir(d);
	return test_run(captures);
}
