/* Inspection of packets: agreements, leaks, threats, answers with their cap and their undo. */
#include "inspect/content.h"
#include "unit/test.h"

#define SEC 1000000ull
#define T0 (1700000000ull * SEC)

static struct agreement_row agreement = {
    .id = 1, .tenant = 7, .purposes = PURPOSE_INSPECTION, .signed_s = 1000};
static size_t agreement_n = 1;
static struct profile_row profile;

static const struct agreement_row *agreements(void *ctx, size_t *n)
{
	(void)ctx;
	*n = agreement_n;
	return &agreement;
}

static const struct profile_row *profile_by(void *ctx, uint32_t id)
{
	(void)ctx;
	return id == profile.id ? &profile : NULL;
}

static size_t told;

static void tell(void *ctx, const struct finding *f)
{
	(void)ctx;
	check(f->count > 0);
	told++;
}

static struct book book;

static struct content *begin(void)
{
	struct content_conf conf = {.book = &book, .flow_max = 4096, .undecided_max = 256, .told = tell};
	struct content *c;

	book = book_empty;
	book.agreements = agreements;
	book.profile = profile_by;
	profile = (struct profile_row){.id = 3, .tenant = 7, .touch_max = 2};
	agreement_n = 1;
	told = 0;
	c = content_new(&conf);
	check(c != NULL);
	return c;
}

static struct session sim(unsigned int k)
{
	char imsi[16];

	snprintf(imsi, sizeof imsi, "99970%010u", k);
	return (struct session){.imsi = bcd_of(view_of(imsi)),
				.imei = bcd_of(VIEW("35316609000001")),
				.tenant = 7,
				.profile = 3};
}

struct ends {
	uint8_t from, to; /* last octet of 10.0.0.x; 200 and above: 203.0.113.x */
	uint16_t from_port, to_port;
};

static uint8_t room[2048];

static void put16(uint8_t *p, unsigned int x)
{
	p[0] = (uint8_t)(x >> 8);
	p[1] = (uint8_t)x;
}

static void address(uint8_t *p, uint8_t last)
{
	static const uint8_t ours[3] = {10, 0, 0}, theirs[3] = {203, 0, 113};

	memcpy(p, last >= 200 ? theirs : ours, 3);
	p[3] = last;
}

/* An IPv4 packet of TCP (flags) or, flags 0xff, UDP. */
static struct packet made(struct ends e, uint8_t flags, uint32_t seq, struct view payload)
{
	bool udp = flags == 0xff;
	size_t head = 20 + (udp ? 8u : 20u);
	struct packet p;

	memset(room, 0, sizeof room);
	room[0] = 0x45;
	put16(room + 2, (unsigned int)(head + payload.n));
	room[8] = 64;
	room[9] = udp ? 17 : 6;
	address(room + 12, e.from);
	address(room + 16, e.to);
	put16(room + 20, e.from_port);
	put16(room + 22, e.to_port);
	if (udp) {
		put16(room + 24, (unsigned int)(8 + payload.n));
	} else {
		put16(room + 24, seq >> 16);
		put16(room + 26, seq & 0xffff);
		room[32] = 0x50;
		room[33] = flags;
	}
	if (payload.n > 0)
		memcpy(room + head, payload.p, payload.n);
	check_eq(packet_ip(&p, (struct view){room, head + payload.n}), ERR_OK);
	return p;
}

static enum content_act send_text(struct content *c, const struct session *s, struct ends e,
				  const char *text, uint64_t at)
{
	struct packet p = made(e, 0xff, 0, view_of(text));

	return content_packet(c, &p, s, true, at);
}

static const struct ends up = {5, 201, 40000, 5683};
#define LEAK "{\"imsi\":\"262019876543210\",\"x\":1}"

static const struct finding *only(struct content *c)
{
	const struct finding *f[4];

	check_eq(findings_list(content_findings(c), f, 4), 1);
	return f[0];
}

TEST(a_leak_is_told_with_its_sim_its_place_and_without_its_value)
{
	struct content *c = begin();
	struct session s = sim(1);
	const struct finding *f;

	for (unsigned int i = 0; i < 5; i++)
		check_eq(send_text(c, &s, up, LEAK, T0 + i * SEC), CONTENT_PASS);
	f = only(c);
	check_eq(f->imsi, s.imsi);
	check_eq(f->tenant, 7);
	check_eq(f->rule, LEAK_IMSI);
	check_eq(f->count, 5);
	check_eq(f->port, 5683);
	check(f->up && f->to[15] == 201 && f->from[15] == 5);
	check(strcmp(f->evidence, "999999999999999") == 0);
	check_eq(told, 1);
	content_free(c);
}

TEST(a_tenant_without_an_agreement_is_not_inspected)
{
	struct content *c = begin();
	struct session s = sim(1), nobody = {.imsi = bcd_of(VIEW("262010000000001"))};

	agreement_n = 0;
	check_eq(send_text(c, &s, up, LEAK, T0), CONTENT_PASS);
	check_eq(content_counts(c)->not_agreed, 1);
	agreement_n = 1;
	check_eq(send_text(c, &nobody, up, LEAK, T0 + 5 * SEC), CONTENT_PASS);
	check_eq(content_counts(c)->not_agreed, 2);
	check_eq(content_counts(c)->inspected, 0);
	check_eq(findings_n(content_findings(c)), 0);
	check_eq(send_text(c, &s, up, LEAK, T0 + 9 * SEC), CONTENT_PASS); /* signed by now */
	check_eq(findings_n(content_findings(c)), 1);
	agreement.ends_s = 1700000000;
	check_eq(send_text(c, &s, up, LEAK, T0 + 20 * SEC), CONTENT_PASS);
	check_eq(content_counts(c)->not_agreed, 3);
	agreement.ends_s = 0;
	content_free(c);
}

TEST(what_a_service_is_meant_to_send_is_no_leak)
{
	struct content *c = begin();
	struct session s = sim(1);

	profile.leaks_ok = 1u << LEAK_IMSI;
	send_text(c, &s, up, LEAK, T0);
	check_eq(findings_n(content_findings(c)), 0);
	content_free(c);
}

TEST(a_flow_is_blocked_by_profile_and_freed_in_one_step)
{
	struct content *c = begin();
	struct session s = sim(1);
	struct ends other = {5, 202, 40001, 80};

	profile.on_leak = ANSWER_BLOCK;
	check_eq(send_text(c, &s, up, "hello world", T0), CONTENT_PASS);
	check_eq(send_text(c, &s, up, LEAK, T0 + SEC), CONTENT_DROP);
	check_eq(send_text(c, &s, up, "hello world", T0 + 2 * SEC), CONTENT_DROP);
	check_eq(send_text(c, &s, other, "hello world", T0 + 2 * SEC), CONTENT_PASS);
	check_eq(only(c)->answer, ANSWER_BLOCK);
	check_eq(findings_undo(content_findings(c), LEAK_IMSI, T0 + 3 * SEC), 1);
	check_eq(send_text(c, &s, up, "hello world", T0 + 4 * SEC), CONTENT_PASS);
	check_eq(send_text(c, &s, up, LEAK, T0 + 5 * SEC), CONTENT_PASS); /* for an hour it only tells */
	check(only(c)->undone && only(c)->answer == ANSWER_ALERT);
	content_free(c);
}

TEST(a_rule_quarantines_no_more_sims_an_hour_than_the_profile_says)
{
	struct content *c = begin();
	struct session s[5];
	size_t dropped = 0, capped = 0;
	const struct finding *f[8];

	profile.on_leak = ANSWER_QUARANTINE;
	for (unsigned int i = 0; i < 5; i++) {
		s[i] = sim(i + 1);
		dropped += send_text(c, &s[i], up, LEAK, T0 + i * SEC) == CONTENT_DROP;
	}
	check_eq(dropped, 2);
	check_eq(findings_list(content_findings(c), f, 8), 5);
	for (size_t i = 0; i < 5; i++)
		capped += f[i]->capped;
	check_eq(capped, 3);
	/* All of a SIM in quarantine is dropped, wherever it goes; an hour later there is room again. */
	check_eq(send_text(c, &s[0], (struct ends){5, 209, 1, 53}, "something else", T0 + 9 * SEC),
		 CONTENT_DROP);
	check_eq(send_text(c, &s[4], up, LEAK, T0 + 3700 * SEC), CONTENT_DROP);
	check_eq(findings_undo(content_findings(c), FINDING_RULES, T0 + 3701 * SEC), 3);
	for (size_t i = 0; i < 5; i++)
		check_eq(send_text(c, &s[i], (struct ends){5, 209, 2, 53}, "something", T0 + 3702 * SEC),
			 CONTENT_PASS);
	content_free(c);
}

TEST(a_profile_that_wants_less_takes_back_what_was_done)
{
	struct content *c = begin();
	struct session s = sim(1), other = sim(2);

	profile.on_leak = ANSWER_QUARANTINE;
	check_eq(send_text(c, &s, up, LEAK, T0), CONTENT_DROP);
	check_eq(send_text(c, &other, up, LEAK, T0), CONTENT_DROP);
	profile.on_leak = ANSWER_ALERT;
	check_eq(send_text(c, &s, up, "hello world", T0 + SEC), CONTENT_PASS);
	check_eq(send_text(c, &other, up, LEAK, T0 + SEC), CONTENT_PASS);
	content_free(c);
}

static bool has_threat(struct content *c, enum threat t)
{
	const struct finding *f[64];
	size_t n = findings_list(content_findings(c), f, 64);

	for (size_t i = 0; i < n; i++) {
		if (f[i]->rule == RULE_OF_THREAT(t))
			return true;
	}
	return false;
}

TEST(mirais_scanner_is_known_by_one_packet)
{
	struct content *c = begin();
	struct session s = sim(1);
	struct packet p = made((struct ends){5, 222, 40000, 2323}, 2, 0xcb0071de, (struct view){0});

	profile.on_threat = ANSWER_QUARANTINE;
	check_eq(content_packet(c, &p, &s, true, T0), CONTENT_DROP);
	check(has_threat(c, THREAT_MIRAI_SCAN));
	p = made((struct ends){6, 222, 40000, 2323}, 2, 0xcb0071df, (struct view){0});
	s = sim(2);
	check_eq(content_packet(c, &p, &s, true, T0), CONTENT_PASS);
	content_free(c);
}

TEST(scans_are_told_and_answered_calls_are_none)
{
	struct content *c = begin();
	struct session s = sim(1), good = sim(2);
	struct packet p;

	for (unsigned int i = 0; i < 40; i++) {
		p = made((struct ends){5, (uint8_t)(200 + i), 40000, 445}, 2, 77, (struct view){0});
		content_packet(c, &p, &s, true, T0 + i * SEC);
		p = made((struct ends){6, (uint8_t)(200 + i), 40000, 443}, 2, 78, (struct view){0});
		content_packet(c, &p, &good, true, T0 + i * SEC);
		p = made((struct ends){(uint8_t)(200 + i), 6, 443, 40000}, 0x12, 79, (struct view){0});
		content_packet(c, &p, &good, false, T0 + i * SEC);
	}
	check(has_threat(c, THREAT_SCAN_WIDE) && !has_threat(c, THREAT_SCAN_DEEP));
	check_eq(only(c)->imsi, s.imsi);
	for (unsigned int i = 0; i < 60; i++) {
		p = made((struct ends){5, 250, 40000, (uint16_t)(1000 + i)}, 2, 77, (struct view){0});
		content_packet(c, &p, &s, true, T0 + 60 * SEC);
	}
	check(has_threat(c, THREAT_SCAN_DEEP));
	content_free(c);
}

TEST(a_loaders_commands_are_told)
{
	struct content *c = begin();
	struct session s = sim(1);
	struct packet p = made((struct ends){201, 5, 40000, 23}, 0x18, 7, VIEW("/bin/busybox ECCHI\r\n"));

	content_packet(c, &p, &s, false, T0);
	check(has_threat(c, THREAT_BOT_COMMAND));
	content_free(c);
}

/* A request for the time: nDPI knows it by one packet. */
static struct packet ntp(uint16_t port)
{
	static const uint8_t request[48] = {0x23, 2, 10, 0xe9};

	return made((struct ends){5, 201, port, 123}, 0xff, 0, (struct view){request, sizeof request});
}

TEST(a_verdict_is_remembered_for_devices_of_a_type)
{
	struct content *c = begin();
	struct session s = sim(1);
	char name[64];
	bool back;

	for (uint16_t i = 0; i < 50; i++) {
		struct packet p = ntp((uint16_t)(40000 + i));
		struct flow *f;

		s = sim(i);
		check_eq(content_packet(c, &p, &s, true, T0 + i * 1000), CONTENT_PASS);
		f = flows_packet(content_flows(c), &p, &(struct flow_of){s.imsi, 7, 35316609, true},
				 T0 + i * 1000, &back);
		check(f->bits & FLOW_DECIDED && !back);
		check(strcmp(flows_protocol(content_flows(c), f->protocol, f->app, name), "NTP") == 0);
	}
	check_eq(flows_counts(content_flows(c))->made, 50);
	check_eq(flows_counts(content_flows(c))->cached, 49);
	content_free(c);
}

TEST(a_flood_of_forged_flows_takes_no_more_memory)
{
	struct content *c = begin();
	size_t bytes = flows_bytes(content_flows(c));
	struct packet p;

	for (unsigned int i = 0; i < 60000; i++) {
		p = made((struct ends){(uint8_t)(i % 199), (uint8_t)(200 + i % 50), (uint16_t)i,
				       (uint16_t)(i * 7)},
			 2, i, (struct view){0});
		content_packet(c, &p, NULL, true, T0 + i * 1000);
	}
	check_eq(flows_bytes(content_flows(c)), bytes);
	check(flows_counts(content_flows(c))->evicted > 30000);
	content_end(c, T0 + 100 * SEC);
	content_free(c);
}

TESTS(T(a_leak_is_told_with_its_sim_its_place_and_without_its_value),
      T(a_tenant_without_an_agreement_is_not_inspected), T(what_a_service_is_meant_to_send_is_no_leak),
      T(a_flow_is_blocked_by_profile_and_freed_in_one_step),
      T(a_profile_that_wants_less_takes_back_what_was_done),
      T(a_rule_quarantines_no_more_sims_an_hour_than_the_profile_says),
      T(mirais_scanner_is_known_by_one_packet), T(scans_are_told_and_answered_calls_are_none),
      T(a_loaders_commands_are_told), T(a_verdict_is_remembered_for_devices_of_a_type),
      T(a_flood_of_forged_flows_takes_no_more_memory))
