/* GTP-C screening from memory: bench_gtpc [SECONDS]. Sessions are made, moved and ended over GTPv2, a thousand at a time;
 * every message goes through the whole firewall, with the judge's every check, in one thread. */
#include <time.h>

#include "unit/gtpc_world.h"

#define SIMS  20000
#define KINDS 6 /* messages of a session's life, answers too */

static struct gtpc_world *x;

static uint64_t imsi_of(uint32_t n)
{
	uint64_t digits = 0;

	for (unsigned int i = 0; i < 10; i++, n /= 10)
		digits |= (uint64_t)(n % 10) << 4 * i;
	return 0x99970ull << 44 | digits << 4 | 15;
}

static const struct sub_row *find_sub(void *ctx, uint64_t imsi)
{
	struct world *w = ctx;

	w->sub[3] = (struct sub_row){ .imsi = imsi, .life = LIFE_ACTIVE, .prio = PRIO_NORMAL, .tenant = 1 };
	return &w->sub[3];
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* others share the machine */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void take(bool up, const struct gtp_make *s, struct view v)
{
	struct gtpc_packet p = { .payload = v, .from_port = 2123, .to_port = 2123, .now_ms = x->now_ms };

	p.from = (struct view){ up ? s->visited : s->gateway, 4 };
	p.to = (struct view){ up ? s->gateway : s->visited, 4 };
	p.side = up ? GTPC_OUTSIDE : GTPC_INSIDE;
	check_eq(gtpc_take(x->g, &p, &x->out), GTPC_FORWARD);
}

static struct view message(size_t k, const struct gtp_make *s)
{
	static uint8_t bytes[256];
	struct wr w = { .p = bytes, .cap = sizeof bytes };

	switch (k) {
	case 0: return make_csr(&w, s);
	case 1: return make_csa(&w, s);
	case 2: return make_short(&w, s, 34, true);
	case 3: return make_short(&w, s, 35, false);
	case 4: return make_short(&w, s, 36, true);
	default: return make_short(&w, s, 37, false);
	}
}

/* Messages are made beforehand, a block of sessions at a time; only what the firewall takes is timed. */
#define BLOCK 1000

static struct {
	uint8_t bytes[240];
	size_t n;
	bool up;
} made[BLOCK * KINDS];
static struct gtp_make who[BLOCK];

static void make_block(uint32_t from, uint32_t *seq)
{
	for (uint32_t i = 0; i < BLOCK; i++) {
		struct gtp_make s = gtpc_make();

		s.imsi = imsi_of((from + i) % SIMS);
		s.visited_teid = 0x10000 + (from + i) * 2;
		s.gateway_teid = 0x40000000 + (from + i) * 2;
		s.recovery = -1;
		s.ue[1] = (uint8_t)(from >> 8);
		s.ue[2] = (uint8_t)(i >> 8);
		s.ue[3] = (uint8_t)i;
		who[i] = s;
		for (size_t k = 0; k < KINDS; k++) {
			struct view v;

			s.seq = k % 2 == 0 ? ++*seq & 0xffffff : s.seq;
			v = message(k, &s);
			made[k * BLOCK + i].n = v.n;
			made[k * BLOCK + i].up = k % 2 == 0;
			memcpy(made[k * BLOCK + i].bytes, v.p, v.n);
		}
	}
}

static void play(size_t i, size_t k, uint64_t *bytes)
{
	const uint8_t *p = made[k * BLOCK + i].bytes;
	size_t n = made[k * BLOCK + i].n;

	take(made[k * BLOCK + i].up, &who[i], (struct view){ p, n });
	*bytes += n + 42;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 3, spent = 0;
	uint64_t messages = 0, bytes = 0;
	uint32_t seq = 0;

	x = gtpc_world_new(&(struct gtpc_conf){ .waiting_max = 65536 });
	x->w->book.sub = find_sub;
	sessions_free(x->sessions);
	gtpc_free(x->g);
	x->sessions = sessions_new(1u << 20, 0, world_key);
	x->g = gtpc_new(&(struct gtpc_conf){ .waiting_max = 65536 }, &x->w->book, x->w->seen, x->sessions, world_key);
	check(x->sessions && x->g);
	for (uint32_t from = 0; spent < seconds; from += BLOCK) {
		double begun;

		make_block(from, &seq);
		begun = now_s();
		for (size_t i = 0; i < BLOCK * 2; i++)
			play(i / 2, i % 2, &bytes);
		for (size_t i = 0; i < BLOCK * (KINDS - 2); i++)
			play(i / (KINDS - 2), 2 + i % (KINDS - 2), &bytes);
		spent += now_s() - begun;
		messages += BLOCK * KINDS;
		x->now_ms += 100;
	}
	printf("GTP-C screening from memory, one core: %.2f Mpps, %.2f Gbit/s, %.0f ns a message (%llu messages, %zu octets "
	       "in the mean)\n", (double)messages / spent / 1e6, (double)bytes * 8 / spent / 1e9,
	       spent * 1e9 / (double)messages, (unsigned long long)messages, (size_t)(bytes / messages));
	return 0;
}
