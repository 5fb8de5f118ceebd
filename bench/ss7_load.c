/* What bench/ss7.py measures with: echo, HLR and load over M3UA. Keys and values as arguments:
 *   echo at=ENDPOINT                  what comes goes back as it came: the bare transport
 *   hlr at=ENDPOINT t=TEMPLATE...     an SGP that answers each MSU with the template of the request's place
 *   load at=ENDPOINT t=TEMPLATE... seconds= window= rate= first= cards= [raw=1]
 * A template is HEX,TID,IMSI: an SCCP message, where its transaction identifier stands and where its IMSI (0:
 * none). The load keeps `window` transactions in flight, or begins `rate` a second, and prints JSON. With
 * raw=1 there is no M3UA handshake: for the echo. */
#include "base/bcd.h"
#include "loop/loop.h"
#include "node/m3ua_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TEMPLATES 4
#define SLOTS     65536u
#define SAMPLES   4000000u
#define TICK_US   100

static struct template {
	uint8_t bytes[300];
	size_t n, tid, imsi;
} templates[TEMPLATES];

static struct bench {
	struct loop *loop;
	struct m3ua_node *node;
	struct conn *conn;
	struct arena mem;
	size_t template_n;
	uint64_t first, cards, seconds, window, rate, raw;
	uint32_t serial, flying;
	uint64_t sent, answers, begun_us, until_us, due, measured_us, counted;
	uint64_t at[SLOTS];
	uint32_t *sample;
	size_t sample_n;
} b;

static uint64_t us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- M3UA --------------------------------------------------------------------------------------- */

static void on_send(void *ctx, uint32_t conn, struct view bytes, uint8_t stream)
{
	struct conn *c = conn_find(b.loop, conn);

	(void)ctx;
	if (c)
		conn_write_on(c, bytes, stream);
}

static void put32(uint8_t *to, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(x >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_imsi(uint8_t *to, uint64_t x)
{
	char d[20];

	snprintf(d, sizeof d, "%015llu", (unsigned long long)x);
	for (int i = 0; i < 7; i++)
		to[i] = (uint8_t)((d[2 * i] - '0') | (d[2 * i + 1] - '0') << 4);
	to[7] = (uint8_t)((d[14] - '0') | 0xf0);
}

/* --- the load ----------------------------------------------------------------------------------- */

/* Each card goes through the templates in turn. */
static void send_one(void)
{
	struct template *t = &templates[b.serial % b.template_n];
	struct m3ua_data d = { 100, 1, M3UA_SCCP, 2, 0, (uint8_t)(b.serial & 15), { t->bytes, t->n } };

	put32(t->bytes + t->tid, b.serial);
	if (t->imsi)
		put_imsi(t->bytes + t->imsi, b.first + b.serial / b.template_n % b.cards);
	b.at[b.serial % SLOTS] = us();
	b.serial++;
	b.sent++;
	b.flying++;
	if (b.raw) {
		static uint8_t bytes[512];
		struct wr w = { .p = bytes, .cap = sizeof bytes };
		size_t start = m3ua_begin(&w, M3UA_TRANSFER);

		m3ua_put_data(&w, &d);
		m3ua_end(&w, start);
		conn_write_on(b.conn, wr_done(&w), (uint8_t)(1 + d.sls));
	} else if (m3ua_node_send(b.node, 0, &d, loop_now(b.loop)) != ERR_OK) {
		fprintf(stderr, "load: not active\n");
		exit(1);
	}
}

static void answered(uint32_t tid)
{
	uint64_t now = us(), took = now - b.at[tid % SLOTS];

	b.answers++;
	b.flying--;
	if (now < b.begun_us || now >= b.until_us)
		return;
	b.counted++;
	if (b.sample_n < SAMPLES)
		b.sample[b.sample_n++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
}

/* The first transaction identifier of a UDT, of four octets: behind the head of its TCAP message. */
static uint32_t tid_of(struct view user)
{
	size_t at = user.n > 5 ? user.p[4] + 5u : 0;

	at += at + 2 < user.n && user.p[at + 1] == 0x81 ? 3 : 2;
	return at + 6 <= user.n ? get32(user.p + at + 2) : 0;
}

static void take_answer(struct view user)
{
	answered(tid_of(user));
}

static void go_on(void)
{
	uint64_t now = us();

	if (now >= b.until_us) {
		if (b.flying == 0 || now > b.until_us + 2000000)
			loop_stop(b.loop);
		return;
	}
	if (b.rate == 0) {
		while (b.flying < b.window)
			send_one();
		return;
	}
	for (uint64_t due = (now - b.due) * b.rate / 1000000; b.sent < due && b.flying < SLOTS / 2;)
		send_one();
}

static void on_tick(void *ctx, int fd)
{
	uint64_t n;

	(void)ctx;
	(void)!read(fd, &n, sizeof n);
	go_on();
}

static void start_load(void)
{
	struct itimerspec every = { .it_interval.tv_nsec = TICK_US * 1000, .it_value.tv_nsec = TICK_US * 1000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

	b.due = us();
	b.begun_us = b.due + 2000000; /* the first seconds are not measured: limits are learned */
	b.until_us = b.begun_us + b.seconds * 1000000;
	if (timerfd_settime(fd, 0, &every, NULL) || loop_watch(b.loop, fd, on_tick, NULL) != ERR_OK)
		exit(1);
	go_on();
}

/* --- the HLR ------------------------------------------------------------------------------------ */

static void answer(const struct m3ua_data *q)
{
	struct template *t = &templates[0];
	struct m3ua_data d = { q->dpc, q->opc, M3UA_SCCP, q->ni, 0, q->sls, { 0 } };

	t = &templates[tid_of(q->user) % b.template_n];
	put32(t->bytes + t->tid, tid_of(q->user));
	d.user = (struct view){ t->bytes, t->n };
	if (m3ua_node_send(b.node, 0, &d, loop_now(b.loop)) != ERR_OK)
		fprintf(stderr, "hlr: lost one\n");
}

static bool is_hlr;

static void on_data(void *ctx, size_t server, uint32_t conn, const struct m3ua_data *d)
{
	(void)ctx;
	(void)server;
	(void)conn;
	if (is_hlr)
		answer(d);
	else
		take_answer(d->user);
}

static void on_state(void *ctx, size_t server, enum m3ua_state s)
{
	(void)ctx;
	(void)server;
	if (s == M3UA_ACTIVE && !is_hlr)
		start_load();
}

static const struct m3ua_actions actions = { .send = on_send, .data = on_data, .state = on_state };

/* --- connections -------------------------------------------------------------------------------- */

static void up(void *ctx, struct conn *c)
{
	(void)ctx;
	conn_set_ppid(c, PPID_M3UA);
	b.conn = c;
	if (!conn_info(c).outbound)
		conn_proven(c);
	if (b.raw && conn_info(c).outbound)
		start_load();
	else if (b.node && m3ua_node_up(b.node, 0, conn_id(c), conn_info(c).outbound, loop_now(b.loop)) != ERR_OK)
		conn_close(c);
}

static void message(void *ctx, struct conn *c, struct view frame)
{
	struct msg m;
	struct m3ua_data d;

	(void)ctx;
	if (!b.node && !b.raw) {
		conn_write_on(c, frame, frame.n > 27 ? (uint8_t)(1 + frame.p[23]) : 0);
	} else if (b.raw) {
		if (m3ua_parse(&m, frame, &b.mem) == ERR_OK && m3ua_data(&m, &d))
			take_answer(d.user);
	} else {
		m3ua_node_frame(b.node, conn_id(c), frame, &b.mem, loop_now(b.loop));
	}
	arena_reset(&b.mem);
	if (b.until_us && b.rate == 0)
		go_on();
}

static void down(void *ctx, struct conn *c, const char *why)
{
	(void)ctx;
	(void)c;
	if (!is_hlr && b.node)
		fprintf(stderr, "load: %s\n", why);
	if (b.node)
		m3ua_node_down(b.node, conn_id(c), loop_now(b.loop));
	if (b.sample)
		loop_stop(b.loop);
}

static const struct conn_ops ops = { m3ua_frame, up, message, down };

static void on_second(void *ctx)
{
	(void)ctx;
	if (b.node)
		m3ua_node_tick(b.node, loop_now(b.loop));
}

/* --- arguments and report ----------------------------------------------------------------------- */

static void take_template(char *text)
{
	struct template *t = &templates[b.template_n++];
	char *tid = strchr(text, ','), *imsi = tid ? strchr(tid + 1, ',') : NULL;

	if (!imsi || b.template_n > TEMPLATES)
		exit(2);
	t->n = (size_t)(tid - text) / 2;
	for (size_t i = 0; i < t->n && i < sizeof t->bytes; i++) {
		unsigned int x = 0;

		sscanf(text + 2 * i, "%2x", &x);
		t->bytes[i] = (uint8_t)x;
	}
	t->tid = strtoul(tid + 1, NULL, 10);
	t->imsi = strtoul(imsi + 1, NULL, 10);
}

static void take_argument(char *text, struct endpoint *at)
{
	static const struct {
		const char *name;
		uint64_t *to;
	} numbers[] = { { "seconds", &b.seconds }, { "window", &b.window }, { "rate", &b.rate },
			{ "first", &b.first }, { "cards", &b.cards }, { "raw", &b.raw } };
	char *value = strchr(text, '=');

	if (!value)
		exit(2);
	*value++ = 0;
	if (strcmp(text, "at") == 0 && endpoint_parse(view_of(value), at) != ERR_OK)
		exit(2);
	if (strcmp(text, "t") == 0)
		take_template(value);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		if (strcmp(text, numbers[i].name) == 0)
			*numbers[i].to = strtoull(value, NULL, 10);
	}
}

static int by_size(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, c = *(const uint32_t *)y;

	return a < c ? -1 : a > c;
}

static void report(void)
{
	qsort(b.sample, b.sample_n, sizeof *b.sample, by_size);
	printf("{\"answers\":%llu,\"lost\":%u,\"per_s\":%.0f,\"p50_us\":%u,\"p99_us\":%u}\n",
	       (unsigned long long)b.answers, b.flying, (double)b.counted / (double)b.seconds,
	       b.sample_n ? b.sample[b.sample_n / 2] : 0, b.sample_n ? b.sample[b.sample_n * 99 / 100] : 0);
}

int main(int argc, char **argv)
{
	static const struct loop_limits limits = { .conn_max = 8, .frame_max = M3UA_FRAME_MAX,
						  .out_max = 64 << 20, .handshake_ms = 10000 };
	static struct m3ua_conf conf = { .server_n = 1, .link_max = 8 };
	struct endpoint at = { 0 };
	bool loads;
	char why[256];

	if (argc < 3)
		return 2;
	b.seconds = 5;
	b.window = 64;
	b.cards = 1;
	for (int i = 2; i < argc; i++)
		take_argument(argv[i], &at);
	loads = strcmp(argv[1], "load") == 0;
	is_hlr = strcmp(argv[1], "hlr") == 0;
	b.loop = loop_new(&limits);
	b.mem = (struct arena){ malloc(1 << 20), 0, 1 << 20 };
	b.sample = loads ? malloc(SAMPLES * sizeof *b.sample) : NULL;
	conf.server[0].role = is_hlr ? M3UA_SGP : M3UA_ASP;
	b.node = is_hlr || (loads && !b.raw) ? m3ua_node_new(&conf, &actions, NULL) : NULL;
	loop_every(b.loop, 100, on_second, NULL);
	if (loads ? loop_prepare(&at, why) != ERR_OK || !loop_connect(b.loop, &at, NULL, &ops, NULL, NULL) :
		    loop_listen(b.loop, &at, NULL, false, &ops, NULL, why) != ERR_OK) {
		fprintf(stderr, "ss7_load: %s\n", why);
		return 1;
	}
	if (!loads) {
		puts("ready");
		fflush(stdout);
	}
	loop_run(b.loop);
	if (loads)
		report();
	return 0;
}
