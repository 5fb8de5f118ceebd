/* A slow vendor's HSS, to be protected: one queue, first come first served, and one server whose service time is
 * exponential. It knows every subscriber, and refuses nobody: what it cannot do in time it does too late.
 *
 *   slow_hss PORT MEAN_US [SEED]     Diameter over TCP at 127.0.0.1:PORT, AIR and ULR
 *
 * When it is told to stop (SIGTERM) it prints one line of JSON: what it answered, the longest queue, what did not
 * fit in it, the mean service time drawn, and its own CPU. */
#include "loop/loop.h"
#include "node/dia_node.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>

#define REALM      "epc.mnc070.mcc999.3gppnetwork.org"
#define QUEUE_N    (1u << 17) /* what comes then is dropped: two minutes of work at 1 ms */
#define ANSWER_MAX 512

struct answer {
	uint64_t ends_us;
	uint32_t conn;
	uint16_t n;
	uint8_t bytes[ANSWER_MAX];
};

static struct {
	struct loop *loop;
	struct dia_node *node;
	struct arena mem;
	struct answer *queue;
	size_t head, tail, longest;
	uint64_t free_us, armed_us, answered, dropped, drawn_n, dice[2];
	double mean_us, drawn_us;
	int timer;
} hss;

static const struct dia_node_conf conf = {
	.host = VIEW_INIT("hss." REALM), .realm = VIEW_INIT(REALM), .product = VIEW_INIT("slow HSS"),
	.vendor_id = VENDOR_3GPP, .apps = { DIA_APP_S6A, DIA_APP_S13 }, .app_n = 2, .state_id = 1,
	.watchdog_ms = 30000, .peer_max = 16, .pending_max = 16, .pending_ms = 10000,
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static double chance(void)
{
	uint64_t a = hss.dice[0], b = hss.dice[1]; /* xorshift128+ */

	hss.dice[0] = b;
	a ^= a << 23;
	hss.dice[1] = a ^ b ^ a >> 18 ^ b >> 5;
	return (double)((hss.dice[1] + b) >> 11) / 9007199254740992.0;
}

/* --- the server --- */

static void arm(void)
{
	uint64_t at = hss.head != hss.tail ? hss.queue[hss.head % QUEUE_N].ends_us : 0;
	struct itimerspec when = { .it_value = { (time_t)(at / 1000000), (long)(at % 1000000) * 1000 } };

	if (at != hss.armed_us)
		timerfd_settime(hss.timer, TFD_TIMER_ABSTIME, &when, NULL);
	hss.armed_us = at;
}

static void finish(void)
{
	uint64_t now = now_us();

	for (; hss.head != hss.tail && hss.queue[hss.head % QUEUE_N].ends_us <= now; hss.head++) {
		const struct answer *a = &hss.queue[hss.head % QUEUE_N];
		struct dia_peer *to = dia_node_peer_of_conn(hss.node, a->conn);

		hss.answered++;
		if (to)
			dia_node_send(hss.node, to, (struct view){ a->bytes, a->n });
	}
}

static void timer_went_off(void *ctx, int fd)
{
	uint64_t n;

	(void)ctx;
	if (read(fd, &n, sizeof n) == sizeof n)
		finish();
	hss.armed_us = 0;
	arm();
}

static void enqueue(uint32_t conn, struct view bytes)
{
	struct answer *a = &hss.queue[hss.tail % QUEUE_N];
	double took = -log(1 - chance()) * hss.mean_us;
	uint64_t now = now_us(), start = hss.free_us > now ? hss.free_us : now;

	if (bytes.n == 0 || bytes.n > ANSWER_MAX || hss.tail - hss.head == QUEUE_N) {
		hss.dropped++;
		return;
	}
	a->conn = conn;
	a->n = (uint16_t)bytes.n;
	memcpy(a->bytes, bytes.p, bytes.n);
	hss.free_us = a->ends_us = start + (uint64_t)took;
	hss.drawn_us += took;
	hss.drawn_n++;
	hss.tail++;
	hss.longest = hss.tail - hss.head > hss.longest ? hss.tail - hss.head : hss.longest;
	arm();
}

/* --- what it says --- */

static void put_vector(struct wr *w)
{
	static const uint8_t some[32] = { 0x5a };
	size_t info = dia_open(w, AVP_AUTHENTICATION_INFO), vector = dia_open(w, AVP_E_UTRAN_VECTOR);

	dia_put(w, AVP_RAND, (struct view){ some, 16 });
	dia_put(w, AVP_XRES, (struct view){ some, 8 });
	dia_put(w, AVP_AUTN, (struct view){ some, 16 });
	dia_put(w, AVP_KASME, (struct view){ some, 32 });
	dia_close(w, vector);
	dia_close(w, info);
}

static void put_profile(struct wr *w)
{
	size_t data;

	dia_put_u32(w, AVP_ULA_FLAGS, 1);
	data = dia_open(w, AVP_SUBSCRIPTION_DATA);
	dia_put_u32(w, AVP_SUBSCRIBER_STATUS, 0);
	dia_put_u32(w, AVP_NETWORK_ACCESS_MODE, 2);
	dia_close(w, data);
}

static void on_request(void *ctx, struct dia_peer *from, const struct msg *m, const struct dia_header *h,
		       struct view raw, enum err err)
{
	uint8_t bytes[ANSWER_MAX];
	struct wr w = { .p = bytes, .cap = sizeof bytes };
	struct dia_header a = *h;
	size_t start;

	(void)ctx;
	(void)raw;
	if (err)
		return;
	a.flags = DIA_FLAG_PROXIABLE;
	start = dia_begin(&w, &a);
	dia_put(&w, AVP_SESSION_ID, tab_get(m, AVP_SESSION_ID));
	dia_put_u32(&w, AVP_RESULT_CODE, 2001);
	dia_put_u32(&w, AVP_AUTH_SESSION_STATE, 1);
	dia_put(&w, AVP_ORIGIN_HOST, conf.host);
	dia_put(&w, AVP_ORIGIN_REALM, conf.realm);
	if (h->code == 318)
		put_vector(&w);
	else if (h->code == 316)
		put_profile(&w);
	dia_end(&w, start);
	enqueue(dia_peer_info(from)->conn, wr_done(&w));
}

/* --- a Diameter node like any other --- */

static void on_send(void *ctx, uint32_t conn, struct view bytes)
{
	struct conn *c = conn_find(hss.loop, conn);

	(void)ctx;
	if (c)
		conn_write(c, bytes);
}

static void on_close(void *ctx, uint32_t conn)
{
	struct conn *c = conn_find(hss.loop, conn);

	(void)ctx;
	if (c)
		conn_close(c);
}

static struct dia_admit on_admit(void *ctx, const struct dia_link *link, const struct msg *ce)
{
	(void)ctx;
	(void)link;
	(void)ce;
	return (struct dia_admit){ 2001, DIA_OWN, 0 };
}

static const struct dia_actions actions = {
	.send = on_send,
	.close = on_close,
	.admit = on_admit,
	.request = on_request,
};

static void conn_up(void *ctx, struct conn *c)
{
	struct conn_info i = conn_info(c);
	struct dia_link l = { .conn = conn_id(c), .address = i.address, .local = i.local };

	(void)ctx;
	conn_proven(c);
	dia_node_up(hss.node, &l, NULL, loop_now(hss.loop));
}

static void conn_message(void *ctx, struct conn *c, struct view frame)
{
	(void)ctx;
	dia_node_frame(hss.node, conn_id(c), frame, &hss.mem, loop_now(hss.loop));
	arena_reset(&hss.mem);
}

static void conn_down(void *ctx, struct conn *c, const char *why)
{
	(void)ctx;
	dia_node_down(hss.node, conn_id(c), why, loop_now(hss.loop));
}

static const struct conn_ops diameter = { dia_frame, conn_up, conn_message, conn_down };

static void tick(void *ctx)
{
	(void)ctx;
	dia_node_tick(hss.node, loop_now(hss.loop));
}

static void told_to_stop(int signal)
{
	(void)signal;
	loop_stop(hss.loop);
}

static int begin(const char *port)
{
	static const struct loop_limits limits = { .conn_max = 16, .frame_max = DIA_FRAME_MAX,
						   .out_max = 64 << 20, .handshake_ms = 10000 };
	struct endpoint e;
	char text[64], why[256] = "out of memory";

	snprintf(text, sizeof text, "tcp:127.0.0.1:%s", port);
	hss.loop = loop_new(&limits);
	hss.node = dia_node_new(&conf, &actions, NULL);
	hss.queue = malloc(QUEUE_N * sizeof *hss.queue);
	hss.mem = (struct arena){ malloc(1 << 20), 0, 1 << 20 };
	hss.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (!hss.loop || !hss.node || !hss.queue || !hss.mem.base || hss.timer < 0 ||
	    endpoint_parse(view_of(text), &e) != ERR_OK ||
	    loop_watch(hss.loop, hss.timer, timer_went_off, NULL) != ERR_OK ||
	    loop_listen(hss.loop, &e, NULL, false, &diameter, NULL, why) != ERR_OK) {
		fprintf(stderr, "slow_hss: %s: %s\n", text, why);
		return 1;
	}
	loop_every(hss.loop, 100, tick, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	struct timespec cpu;

	if (argc < 3 || argc > 4 || (hss.mean_us = atof(argv[2])) <= 0) {
		fprintf(stderr, "usage: slow_hss PORT MEAN_US [SEED]\n");
		return 2;
	}
	hss.dice[0] = argc > 3 ? strtoull(argv[3], NULL, 10) + 1 : 1;
	hss.dice[1] = 0x9e3779b97f4a7c15u;
	if (begin(argv[1]))
		return 1;
	signal(SIGTERM, told_to_stop);
	loop_run(hss.loop);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("{\"answered\":%llu,\"longest\":%zu,\"dropped\":%llu,\"mean_us\":%.1f,\"cpu_s\":%.2f}\n",
	       (unsigned long long)hss.answered, hss.longest, (unsigned long long)hss.dropped,
	       hss.drawn_n ? hss.drawn_us / (double)hss.drawn_n : 0,
	       (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
	return 0;
}
