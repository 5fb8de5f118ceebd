/* Ciphers of the radio, beside what intel-ipsec-mb itself does with the same texts: SNOW 3G and ZUC many at
 * once, and one text at a time of each algorithm. Best of many windows of thread time. */
#include "crypto/radio.h"

#include <intel-ipsec-mb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LANES  16
#define TEXT   1500u
#define ROUNDS 300u
#define TIMES  100u

static uint8_t key[LANES][16], text[LANES][TEXT], out[LANES][TEXT], mac[LANES][4];
static struct radio *radio;
static IMB_MGR *mb;
static uint32_t octets;

static void must(enum err err)
{
	if (err) {
		fprintf(stderr, "bench: %s\n", err_text(err));
		exit(1);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill(struct radio_job job[LANES], bool sign)
{
	for (uint32_t i = 0; i < LANES; i++)
		job[i] = (struct radio_job){{.key = key[i], .count = i},
					    text[i], sign ? mac[i] : out[i], octets};
}

static void many(enum radio_id id)
{
	struct radio_job job[LANES];
	bool sign = radio_rows[id].kind == RADIO_INTEGRITY;

	fill(job, sign);
	must(sign ? radio_mac_many(radio, id, job, LANES) : radio_cipher_many(radio, id, job, LANES));
}

static void single(enum radio_id id)
{
	struct radio_in in = {.key = key[0]};

	must(radio_rows[id].kind == RADIO_INTEGRITY
		 ? radio_mac(radio, id, &in, text[0], 8 * (size_t)octets, mac[0])
		 : radio_cipher(radio, id, &in, text[0], 8 * (size_t)octets, out[0]));
}

/* The library alone, with keys and counters as new each time as they are to us. */
static void theirs(enum radio_id id)
{
	static _Alignas(64) snow3g_key_schedule_t snow[LANES];
	static _Alignas(16) uint8_t ivs[LANES][16];
	const snow3g_key_schedule_t *sched[LANES];
	const void *keys[LANES], *iv[LANES], *src[LANES];
	void *dst[LANES], *tag[LANES];
	uint32_t n[LANES];

	for (uint32_t i = 0; i < LANES; i++) {
		keys[i] = key[i];
		iv[i] = ivs[i];
		src[i] = text[i];
		dst[i] = out[i];
		tag[i] = mac[i];
		n[i] = id == RADIO_EIA3 ? 8 * octets : octets;
		sched[i] = &snow[i];
		if (id == RADIO_EEA1) {
			IMB_SNOW3G_INIT_KEY_SCHED(mb, key[i], &snow[i]);
			snow3g_f8_iv_gen(i, 0, 0, ivs[i]);
		} else {
			zuc_eea3_iv_gen(i, 0, 0, ivs[i]);
		}
	}
	if (id == RADIO_EEA1)
		IMB_SNOW3G_F8_N_BUFFER_MULTIKEY(mb, sched, iv, src, dst, n, LANES);
	else if (id == RADIO_EEA3)
		IMB_ZUC_EEA3_N_BUFFER(mb, keys, iv, src, dst, n, LANES);
	else
		IMB_ZUC_EIA3_N_BUFFER(mb, keys, iv, src, n, (uint32_t **)tag, LANES);
}

/* Gbit/s of `lanes` texts a step. Ours and theirs in turns, so that a slow moment of the machine is
 * shared. */
static void measure(enum radio_id id, void (*const step[2])(enum radio_id), unsigned int lanes,
		    double gbit[2])
{
	double best[2] = {1e9, 1e9};

	for (unsigned int r = 0; r < 2 * ROUNDS; r++) {
		double from = now(), *b = &best[r % 2];

		for (unsigned int i = 0; step[r % 2] && i < TIMES; i++)
			step[r % 2](id);
		from = now() - from;
		*b = from < *b ? from : *b;
	}
	for (unsigned int k = 0; k < 2; k++)
		gbit[k] = 8.0 * octets * lanes * TIMES / best[k] / 1e9;
}

int main(void)
{
	static const enum radio_id wide[] = {RADIO_EEA1, RADIO_EEA3, RADIO_EIA3};
	static const uint32_t sizes[] = {64, 256, TEXT};
	double gbit[2], worst = 1e9;

	radio = radio_new();
	mb = alloc_mb_mgr(0);
	must(radio && mb ? ERR_OK : ERR_FULL);
	init_mb_mgr_auto(mb, NULL);
	must(random_bytes(key, sizeof key));
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			octets = sizes[k];
			measure(wide[i], (void (*const[])(enum radio_id)){many, theirs}, LANES, gbit);
			printf("%s, 16 at once, %4u octets %8.2f Gbit/s, the library %8.2f, %.2f\n",
			       radio_rows[wide[i]].name, octets, gbit[0], gbit[1],
			       gbit[0] / gbit[1]);
			if (k > 0 && gbit[0] / gbit[1] < worst)
				worst = gbit[0] / gbit[1];
		}
	}
	octets = 256;
	for (unsigned int id = 0; id < RADIO_N; id++) {
		struct radio_in in = {.key = key[0]};

		if (radio_cipher(radio, id, &in, text[0], 8, out[0]) &&
		    radio_mac(radio, id, &in, text[0], 8, out[0]))
			continue;
		measure(id, (void (*const[])(enum radio_id)){single, NULL}, 1, gbit);
		printf("%s, one of 256 octets %8.3f Gbit/s\n", radio_rows[id].name, gbit[0]);
	}
	printf("goal: SNOW 3G and ZUC at least 0.9 of the library from 256 octets: %.2f, %s\n", worst,
	       worst >= 0.9 ? "met" : "missed");
	radio_free(radio);
	free_mb_mgr(mb);
	return 0;
}
