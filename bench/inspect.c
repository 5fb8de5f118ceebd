/* The packet path on one core: from memory, and over veth beside a forwarder that looks at nothing.
 *   inspect memory SECONDS              forward, screen, allow: packets and bits a second
 *   inspect wire SECONDS IN M0 M1 OUT [xdp]   a generator on IN; M0 to M1 by the bare forwarder, then with
 * the allowlist 10000 SIMs with a session each; every packet is one of another SIM, 190 octets of payload
 * in UDP in GTP-U. */
#include "inspect/gtpc.h"
#include "inspect/pipe.h"
#include "loop/nic.h"
#include "records/model.h"
#include "unit/gtp_make.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIMS 10000
#define FRAMES 16384
#define PAYLOAD 190
#define FRAME (14 + 20 + 8 + 8 + 20 + 8 + PAYLOAD)

static uint8_t frames[FRAMES][FRAME], out[FRAMES][FRAME];
static struct sub_row subs[SIMS];
static struct profile_row profile = { .id = 7, .version = 1 };
static struct sessions *sessions;
static const uint8_t key[HASH_KEY] = "a key of a bench";

static double now_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const struct sub_row *find_sub(void *ctx, uint64_t imsi)
{
	(void)ctx;
	return imsi >= 1 && imsi <= SIMS ? &subs[imsi - 1] : NULL;
}

static const struct profile_row *find_profile(void *ctx, uint32_t id)
{
	(void)ctx;
	return id == 7 ? &profile : NULL;
}

static void be(uint8_t *p, uint64_t x, size_t n)
{
	while (n-- > 0) {
		p[n] = (uint8_t)x;
		x >>= 8;
	}
}

static void ip4(uint8_t *p, size_t n, uint32_t from, uint32_t to)
{
	memset(p, 0, 28);
	p[0] = 0x45;
	be(p + 2, n, 2);
	p[8] = 64;
	p[9] = 17;
	be(p + 12, from, 4);
	be(p + 16, to, 4);
	be(p + 24, n - 20, 2);
}

static void make_frame(uint8_t *f, uint32_t sim)
{
	static const uint8_t ether[14] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };
	uint8_t *in = f + 50;

	memcpy(f, ether, 14);
	ip4(f + 14, FRAME - 14, 0x0a630001, 0x0a630002);
	be(f + 34, 2152, 2);
	be(f + 36, 2152, 2);
	f[42] = 0x30;
	f[43] = 255;
	be(f + 44, FRAME - 50, 2);
	be(f + 46, sim + 1, 4);
	ip4(in, FRAME - 50, 0x0a2d0000 + sim + 1, 0xc000020a);
	be(in + 20, 40000 + sim % 20000, 2);
	be(in + 22, 5683, 2);
	memset(in + 28, 'x', PAYLOAD);
}

static void make_world(void)
{
	static const char *const reach[] = { "udp:198.51.100.0/24:53", "tcp:203.0.113.0/24:8883",
					     "tcp:[2001:db8::/32]:443", "*.platform.example",
					     "udp:192.0.2.0/24:5683" };
	const uint8_t gateway[4] = { 10, 99, 0, 2 }, visited[4] = { 10, 99, 0, 1 };

	for (size_t i = 0; i < sizeof reach / sizeof *reach; i++) {
		if (model_reach(view_of(reach[i]), &profile.reach[profile.reach_n++]) != ERR_OK)
			abort();
	}
	sessions = sessions_new(SIMS * 2, 0, key);
	for (uint32_t i = 0; i < SIMS; i++) {
		struct session s = { .imsi = i + 1, .profile = 7, .has4 = 1, .pdn_type = 1, .qci = 9 };
		struct session_end up = { PLANE_USER, { gateway, 4 }, i + 1, 1, 5, 9 };
		struct session_end down = { PLANE_USER, { visited, 4 }, i + 1, 0, 5, 9 };

		subs[i] = (struct sub_row){ .imsi = i + 1, .profile = 7, .life = LIFE_ACTIVE };
		be(s.ue4, 0x0a2d0000 + i + 1, 4);
		if (sessions_open(sessions, &s, VIEW("meters.iot"), 1795600000) != ERR_OK)
			abort();
		sessions_end_at(sessions, s.id, &up);
		sessions_end_at(sessions, s.id, &down);
	}
	for (uint32_t i = 0; i < FRAMES; i++)
		make_frame(frames[i], i * 7919 % SIMS);
}

static struct pipe *make_pipe(struct book *book)
{
	struct pipe_conf conf = { .sessions = sessions, .frags = 64,
				  .allow = { .sims = SIMS * 4, .names = 4096, .pool_n = 1,
					     .pool[0] = { { [10] = 0xff, [11] = 0xff, 10, 45 }, 112 } } };
	struct pipe_ops ops = { 0 };

	*book = book_empty;
	book->sub = find_sub;
	book->profile = find_profile;
	return pipe_new(&conf, &ops);
}

static void print(const char *what, uint64_t packets, double octets, double seconds, double of)
{
	double pps = (double)packets / seconds;

	printf("%-34s %8.3f Mpps %8.2f Gbit/s %8.0f ns a packet", what, pps / 1e6, octets * 8 / seconds / 1e9,
	       1e9 / pps);
	if (of > 0)
		printf("   %5.1f %% of bare", 100 * pps / of);
	putchar('\n');
}

/* --- from memory ------------------------------------------------------------------------------ */

static double memory(const char *what, struct pipe *p, const struct book *book, double seconds, double of)
{
	double from = now_s(CLOCK_THREAD_CPUTIME_ID), gone;
	uint64_t n = 0, passed = 0, wall = 1795600000;

	do {
		for (size_t b = 0; b < FRAMES; b += 256) {
			if (p)
				pipe_batch(p, book, (uint64_t)(now_s(CLOCK_MONOTONIC) * 1000), wall);
			for (size_t i = b; i < b + 256; i++) {
				struct view v[PIPE_AHEAD];

				for (size_t k = 0; p && i % PIPE_AHEAD == 0 && k < PIPE_AHEAD; k++)
					v[k] = (struct view){ frames[i + k], FRAME };
				if (p && i % PIPE_AHEAD == 0)
					pipe_ahead(p, v, PIPE_AHEAD);
				if (p && pipe_frame(p, 0, frames[i], FRAME, PACKET_ETHERNET) != PIPE_PASS)
					continue;
				memcpy(out[i], frames[i], FRAME);
				passed++;
			}
		}
		n += FRAMES;
		gone = now_s(CLOCK_THREAD_CPUTIME_ID) - from; /* others may have the core too */
	} while (gone < seconds);
	if (passed != n) {
		printf("%s: only %llu of %llu passed\n", what, (unsigned long long)passed,
		       (unsigned long long)n);
		exit(1);
	}
	print(what, n, (double)n * FRAME, gone, of);
	return (double)n / gone;
}

static int from_memory(double seconds)
{
	struct book book;
	struct pipe *p = make_pipe(&book);
	double bare;

	if (!p)
		return 1;
	printf("from memory, one core, %d octets a frame, %d SIMs:\n", FRAME, SIMS);
	bare = memory("forward only (a copy)", NULL, NULL, seconds, 0);
	(void)bare;
	memory("allowlist", p, &book, seconds, 0);
	pipe_free(p);
	return 0;
}

/* --- over veth -------------------------------------------------------------------------------- */

static enum nic_kind kind = NIC_PACKET; /* of the forwarder */

static struct nic *open_nic(const char *name, enum nic_kind how)
{
	struct nic_conf conf = { name, how, 16, false, NULL };
	struct nic *n;
	char why[256];

	if (nic_open(&n, &conf, why) == ERR_OK)
		return n;
	fprintf(stderr, "inspect: %s\n", why);
	exit(1);
}

static void generate(const char *name)
{
	struct nic *n = open_nic(name, NIC_PACKET);

	for (size_t i = 0;; i = (i + 1) % FRAMES) {
		struct nic_frame f = { frames[i], FRAME, NULL };

		while (!nic_write(n, &f))
			nic_flush(n);
		if (i % 256 == 255)
			nic_flush(n);
	}
}

static uint64_t received(struct nic *n)
{
	struct nic_counts c;

	nic_counts(n, &c);
	return c.arrived;
}

struct wire {
	struct nic *nic[2], *end;
	struct pipe *pipe;
	const struct book *book;
};

static void look_ahead(const struct pipe *p, const struct nic_frame *f, size_t n)
{
	struct view v[PIPE_AHEAD];
	size_t k = n < PIPE_AHEAD ? n : PIPE_AHEAD;

	for (size_t i = 0; i < k; i++)
		v[i] = (struct view){ f[i].p, f[i].n };
	pipe_ahead(p, v, k);
}

static void forward(struct wire *w, double seconds)
{
	double until = now_s(CLOCK_MONOTONIC) + seconds, now = 0;
	struct nic_frame f[256];

	while (now < until) {
		now = now_s(CLOCK_MONOTONIC);
		if (w->pipe)
			pipe_batch(w->pipe, w->book, (uint64_t)(now * 1000), 1795600000);
		for (unsigned int side = 0; side < 2; side++) {
			size_t n = nic_read(w->nic[side], f, 256);

			for (size_t i = 0; i < n; i++) {
				if (w->pipe && i % PIPE_AHEAD == 0)
					look_ahead(w->pipe, f + i, n - i);
				if (!w->pipe ||
				    pipe_frame(w->pipe, side, f[i].p, f[i].n, PACKET_ETHERNET) == PIPE_PASS)
					(void)nic_write(w->nic[!side], &f[i]);
			}
			nic_done(w->nic[side]);
			nic_flush(w->nic[!side]);
		}
	}
}

struct rate {
	double packets, wall, cpu;
};

/* What came out at the far end, in seconds of the clock and of the forwarder's own processor time. */
static void measure(struct wire *w, double seconds, struct rate *to)
{
	double wall, cpu;
	uint64_t from;

	forward(w, 0.3);
	from = received(w->end);
	wall = now_s(CLOCK_MONOTONIC);
	cpu = now_s(CLOCK_THREAD_CPUTIME_ID);
	forward(w, seconds);
	to->packets += (double)(received(w->end) - from);
	to->wall += now_s(CLOCK_MONOTONIC) - wall;
	to->cpu += now_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
}

static void print_rate(const char *what, const struct rate *r, const struct rate *bare)
{
	printf(
	    "%-34s %8.3f Mpps on the wire; %8.3f Mpps, %6.2f Gbit/s a core of its own (%5.1f %% of bare)\n",
	    what, r->packets / r->wall / 1e6, r->packets / r->cpu / 1e6,
	    r->packets * FRAME * 8 / r->cpu / 1e9, 100 * r->packets / r->cpu / (bare->packets / bare->cpu));
}

static int over_veth(double seconds, char **name)
{
	struct wire w = { { open_nic(name[1], kind), open_nic(name[2], kind) },
			  open_nic(name[3], NIC_PACKET),
			  NULL,
			  NULL };
	struct rate bare = { 0, 0, 0 }, allow = { 0, 0, 0 };
	struct book book;
	struct pipe *p = make_pipe(&book);
	pid_t child;

	if (!p)
		return 1;
	child = fork();
	if (child == 0)
		generate(name[0]);
	printf("over veth, %s, the generator beside it, %d octets a frame, %d SIMs:\n",
	       kind == NIC_XDP ? "AF_XDP" : "TPACKET_V3", FRAME, SIMS);
	for (int i = 0; i < 4; i++) { /* in turn: the machine is not the same from one second to the next */
		w.pipe = NULL;
		measure(&w, seconds / 4, &bare);
		w.pipe = p;
		w.book = &book;
		measure(&w, seconds / 4, &allow);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	print_rate("bare forwarder", &bare, &bare);
	print_rate("allowlist", &allow, &bare);
	return 0;
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;

	make_world();
	if (argc > 1 && strcmp(argv[1], "memory") == 0)
		return from_memory(seconds);
	kind = argc == 8 && strcmp(argv[7], "xdp") == 0 ? NIC_XDP : NIC_PACKET;
	if (argc >= 7 && strcmp(argv[1], "wire") == 0)
		return over_veth(seconds, argv + 3);
	fprintf(stderr, "inspect memory SECONDS | inspect wire SECONDS IN M0 M1 OUT [xdp]\n");
	return 2;
}
