/* Full inspection of a capture held in memory, on one core: flows and nDPI, content, threats. Beside it,
 * bench/ scan.sh runs ndpiReader on the same file. bench_content FILE [ROUNDS] */
#include "inspect/content.h"
#include "inspect/gtpu.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct held {
	uint8_t *p;
	uint32_t n;
	uint64_t at_us;
};

static struct held *held;
static size_t held_n;
static int link_of;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void hold(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, why);
	struct pcap_pkthdr *head;
	const u_char *bytes;
	size_t cap = 0;

	if (!p) {
		fprintf(stderr, "bench_content: %s\n", why);
		exit(1);
	}
	link_of = pcap_datalink(p);
	while (pcap_next_ex(p, &head, &bytes) == 1) {
		if (held_n == cap)
			held = realloc(held, (cap = cap ? 2 * cap : 4096) * sizeof *held);
		if (!held)
			exit(1);
		held[held_n] =
		    (struct held){malloc(head->caplen + 1u), head->caplen,
				  (uint64_t)head->ts.tv_sec * 1000000 + (uint64_t)head->ts.tv_usec};
		memcpy(held[held_n++].p, bytes, head->caplen);
	}
	pcap_close(p);
}

/* One pass; CPU seconds, without what a start costs. */
static double once(struct content *c, uint64_t *bytes)
{
	double began = now();

	*bytes = 0;
	for (size_t i = 0; i < held_n; i++) {
		struct packet p, in;
		struct gtpu g;

		*bytes += held[i].n;
		if (packet_parse(&p, (struct view){held[i].p, held[i].n}, link_of))
			continue;
		if (p.flow.protocol == 17 && p.flow.to_port == GTPU_PORT && !gtpu_parse(&g, p.payload) &&
		    g.type == GTPU_PACKET && !packet_ip(&in, g.inner))
			p = in;
		content_packet(c, &p, NULL, true, held[i].at_us);
	}
	content_end(c, held_n ? held[held_n - 1].at_us : 0);
	return now() - began;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
	double best = 1e9, sum = 0;
	uint64_t bytes = 0, flows = 0, scanned = 0;

	if (argc < 2)
		return 2;
	hold(argv[1]);
	for (int k = 0; k < rounds; k++) {
		struct content *c = content_new(&(struct content_conf){.passive = true});
		double t = c ? once(c, &bytes) : 1;

		sum += t;
		best = t < best ? t : best;
		if (!c)
			return 1;
		flows = flows_counts(content_flows(c))->made;
		scanned = content_counts(c)->scanned_bytes;
		content_free(c);
	}
	printf("%s: %zu packets, %llu flows, %llu bytes of them scanned\n", argv[1], held_n,
	       (unsigned long long)flows, (unsigned long long)scanned);
	printf("full inspection: %.0f packets/s, %.3f Gbit/s (best of %d: %.0f packets/s), %.2f us a flow, "
	       "all told\n",
	       (double)held_n * rounds / sum, (double)bytes * 8 * rounds / sum / 1e9, rounds,
	       (double)held_n / best, flows ? sum / rounds / (double)flows * 1e6 : 0);
	printf("a flow after its verdict: %zu bytes\n", sizeof(struct flow));
	return 0;
}
