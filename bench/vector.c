/* Vectors a second by one core, and what the rest of an AIR's cryptography costs: SQN, random
 * numbers, KASME and the key from the vault's seal. Best of many windows of thread time, over
 * 1000 keys. */
#include "crypto/aka.h"
#include "crypto/seal.h"
#include "crypto/sqn.h"

#include <immintrin.h>
#include <openssl/evp.h>
#include <osmocom/crypt/auth.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define KEYS   1000u
#define WINDOW 20000u
#define ROUNDS 40u

static struct aka_key keys[KEYS];
static uint8_t sealed[KEYS][AKA_KEY_SHORT + SEAL_EXTRA];
static struct secret32 master;
static struct seal_key *ready;
static struct aka_key tuaks[KEYS];
static EVP_MD *shake;
static EVP_MD_CTX *digest;
static struct aka *aka;
static struct sqn *sqn;
static uint64_t wall_ms = SQN_EPOCH_MS;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(enum err err)
{
	if (err) {
		fprintf(stderr, "bench: %s\n", err_text(err));
		exit(1);
	}
}

static void vector(unsigned int i)
{
	static const uint8_t rand[16] = { 1 };
	struct aka_vector v;

	must(aka_vector(aka, &keys[i % KEYS], rand, i, &v));
}

static void tuak(unsigned int i)
{
	static const uint8_t rand[16] = { 1 };
	struct aka_vector v;

	must(aka_vector(aka, &tuaks[i % KEYS], rand, i, &v));
}

/* What TUAK's two calls of Keccak cost alone. */
static void bare(unsigned int i)
{
	uint8_t in[96] = { (uint8_t)i }, out[136];

	for (unsigned int k = 0; k < 2; k++) {
		bool ok = EVP_DigestInit_ex2(digest, shake, NULL) == 1 &&
			  EVP_DigestUpdate(digest, in, sizeof(in)) == 1 &&
			  EVP_DigestFinalXOF(digest, out, sizeof(out)) == 1;

		must(ok ? ERR_OK : ERR_IO);
	}
}

/* One step of AES-128's key schedule; the constant must be one at compile time. */
#define EXPAND(to, from, constant)                                                                 \
	do {                                                                                       \
		__m128i mix_ = _mm_xor_si128((from), _mm_slli_si128((from), 4));                   \
		__m128i sub_ = _mm_aeskeygenassist_si128((from), (constant));                      \
                                                                                                   \
		mix_ = _mm_xor_si128(mix_, _mm_slli_si128(mix_, 8));                               \
		(to) = _mm_xor_si128(mix_, _mm_shuffle_epi32(sub_, 0xff));                         \
	} while (0)

/* The bound of any MILENAGE: the processor's own key schedule, one block, then five side by side. */
__attribute__((target("aes,sse4.1"))) static void bound(unsigned int i)
{
	const struct aka_key *key = &keys[i % KEYS];
	__m128i k[11], x, b[5];

	k[0] = _mm_loadu_si128((const __m128i *)(const void *)key->k.b);
	EXPAND(k[1], k[0], 0x01);
	EXPAND(k[2], k[1], 0x02);
	EXPAND(k[3], k[2], 0x04);
	EXPAND(k[4], k[3], 0x08);
	EXPAND(k[5], k[4], 0x10);
	EXPAND(k[6], k[5], 0x20);
	EXPAND(k[7], k[6], 0x40);
	EXPAND(k[8], k[7], 0x80);
	EXPAND(k[9], k[8], 0x1b);
	EXPAND(k[10], k[9], 0x36);
	x = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)key->opc.b), k[0]);
	for (unsigned int r = 1; r < 10; r++)
		x = _mm_aesenc_si128(x, k[r]);
	x = _mm_aesenclast_si128(x, k[10]);
	for (int n = 0; n < 5; n++)
		b[n] = _mm_xor_si128(_mm_xor_si128(x, _mm_set1_epi32(n)), k[0]);
	for (unsigned int r = 1; r < 10; r++) {
		for (unsigned int n = 0; n < 5; n++)
			b[n] = _mm_aesenc_si128(b[n], k[r]);
	}
	for (unsigned int n = 0; n < 5; n++)
		x = _mm_xor_si128(x, _mm_aesenclast_si128(b[n], k[10]));
	__asm__ volatile("" : : "x"(x)); /* it is wanted, whatever the compiler thinks */
}

static void osmocom(unsigned int i)
{
	static const uint8_t rand[16] = { 1 };
	struct osmo_sub_auth_data d = { .type = OSMO_AUTH_TYPE_UMTS, .algo = OSMO_AUTH_ALG_MILENAGE };
	struct osmo_auth_vector v = { 0 };

	memcpy(d.u.umts.k, keys[i % KEYS].k.b, 16);
	memcpy(d.u.umts.opc, keys[i % KEYS].opc.b, 16);
	d.u.umts.sqn = i;
	must(osmo_auth_gen_vec(&v, &d, rand) ? ERR_VALUE : ERR_OK);
}

static void goal(const char *name, double got, double want)
{
	printf("goal: %s, at least %.2f: %.2f, %s\n", name, want, got, got >= want ? "met" : "missed");
}

static void number(unsigned int i)
{
	uint64_t seq;

	if (i == 0)
		must(sqn_reserve(sqn, wall_ms += 10000));
	must(sqn_issue(sqn, 1 + i % KEYS, wall_ms, 0, 1, &seq));
}

static void random16(unsigned int i)
{
	uint8_t b[16];

	(void)i;
	must(aka_rand(aka, b));
}

static void key_open(unsigned int i)
{
	uint8_t plain[AKA_KEY_SHORT];
	struct view in = { sealed[i % KEYS], sizeof(sealed[0]) };

	must(unseal_with(ready, VIEW("imsi"), in, plain));
	secret_wipe(plain, sizeof(plain));
}

static void kasme(unsigned int i)
{
	struct aka_vector v = { .rand = { (uint8_t)i } };
	uint8_t out[32];

	must(aka_kasme(aka, &v, (const uint8_t[]){ 0x99, 0xf9, 0x07 }, out));
}

static void whole(unsigned int i)
{
	struct aka_vector v;
	uint8_t rand[16], out[32];
	uint64_t seq;

	if (i == 0)
		must(sqn_reserve(sqn, wall_ms += 10000));
	key_open(i);
	must(aka_rand(aka, rand));
	must(sqn_issue(sqn, 1 + i % KEYS, wall_ms, 0, 1, &seq));
	must(aka_vector(aka, &keys[i % KEYS], rand, seq << 5, &v));
	must(aka_kasme(aka, &v, (const uint8_t[]){ 0x99, 0xf9, 0x07 }, out));
}

struct part {
	const char *name;
	void (*step)(unsigned int);
	double best; /* seconds a window */
};

/* In turns: a slow moment of the machine falls on all alike. */
static void measure(struct part *p, size_t n)
{
	for (unsigned int r = 0; r < ROUNDS * n; r++) {
		struct part *it = &p[r % n];
		double from = now();

		for (unsigned int i = 0; i < WINDOW; i++)
			it->step(i);
		from = now() - from;
		it->best = it->best > 0 && it->best < from ? it->best : from;
	}
	for (size_t k = 0; k < n; k++)
		printf("%-34s %10.0f /s %8.0f ns\n", p[k].name, WINDOW / p[k].best,
		       p[k].best / WINDOW * 1e9);
}

static void report(void)
{
	enum { MILENAGE, BOUND, TUAK, SHAKE, WHOLE, OTHER };
	struct part p[] = {
		{ .name = "vector (MILENAGE f1 to f5*)", .step = vector },
		{ .name = "AES instructions for it alone", .step = bound },
		{ .name = "vector (TUAK f1 to f5)", .step = tuak },
		{ .name = "two bare SHAKE256", .step = bare },
		{ .name = "all of it: one EPS vector", .step = whole },
		{ .name = "libosmocore's vector (MILENAGE)", .step = osmocom },
		{ .name = "SQN", .step = number },
		{ .name = "RAND", .step = random16 },
		{ .name = "KASME", .step = kasme },
		{ .name = "key opened", .step = key_open },
	};

	measure(p, sizeof(p) / sizeof(*p));
	goal("MILENAGE beside the AES instructions alone", p[BOUND].best / p[MILENAGE].best, 0.65);
	goal("TUAK beside bare SHAKE256", p[SHAKE].best / p[TUAK].best, 0.9);
	goal("MILENAGE beside libosmocore", p[OTHER].best / p[MILENAGE].best, 6);
	printf("ratio to 20,000 vectors a second: %.1f\n", WINDOW / p[WHOLE].best / 20000);
}

int main(void)
{
	int fd = memfd_create("sqn", MFD_CLOEXEC);

	aka = aka_new();
	must(aka ? ERR_OK : ERR_KEY);
	must(sqn_open(&sqn, fd, wall_ms));
	must(random_bytes(&master, sizeof(master)));
	must(random_bytes(keys, sizeof(keys)));
	shake = EVP_MD_fetch(NULL, "SHAKE256", NULL);
	digest = EVP_MD_CTX_new();
	must(shake && digest ? ERR_OK : ERR_FULL);
	ready = seal_key_new(&master);
	must(ready ? ERR_OK : ERR_KEY);
	for (unsigned int i = 0; i < KEYS; i++) {
		uint8_t plain[AKA_KEY_MAX];

		tuaks[i] = keys[i];
		tuaks[i].alg = AKA_TUAK;
		tuaks[i].size = AKA_TUAK_SIZE(32);
		keys[i].alg = AKA_MILENAGE;
		must(seal(&master, VIEW("imsi"), (struct view){ plain, aka_key_put(&keys[i], plain) },
			  sealed[i]));
	}
	report();
	sqn_close(sqn);
	EVP_MD_free(shake);
	EVP_MD_CTX_free(digest);
	seal_key_free(ready);
	aka_free(aka);
	return 0;
}
