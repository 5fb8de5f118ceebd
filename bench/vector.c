/* Vectors a second by one core, and what the rest of an AIR's cryptography costs: SQN, random
 * numbers, KASME and the key from the vault's seal. Best of many windows of thread time, over
 * 1000 keys. */
#include "crypto/aka.h"
#include "crypto/seal.h"
#include "crypto/sqn.h"

#include <openssl/evp.h>
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

static double measure(const char *name, void (*step)(unsigned int))
{
	double best = 1e9;

	for (unsigned int r = 0; r < ROUNDS; r++) {
		double from = now();

		for (unsigned int i = 0; i < WINDOW; i++)
			step(i);
		from = now() - from;
		best = from < best ? from : best;
	}
	printf("%-34s %10.0f /s %8.0f ns\n", name, WINDOW / best, best / WINDOW * 1e9);
	return WINDOW / best;
}

int main(void)
{
	int fd = memfd_create("sqn", MFD_CLOEXEC);
	double full, hash, ratio;

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
	measure("vector (MILENAGE f1 to f5*)", vector);
	ratio = measure("vector (TUAK f1 to f5)", tuak);
	hash = measure("two bare SHAKE256", bare);
	measure("SQN", number);
	measure("RAND", random16);
	measure("KASME", kasme);
	measure("key opened", key_open);
	full = measure("all of it: one EPS vector", whole);
	printf("goal: TUAK at least 0.9 of bare SHAKE256: %.2f, %s\n", ratio / hash,
	       ratio >= 0.9 * hash ? "met" : "missed");
	printf("ratio to 20,000 vectors a second: %.1f\n", full / 20000);
	sqn_close(sqn);
	EVP_MD_free(shake);
	EVP_MD_CTX_free(digest);
	seal_key_free(ready);
	aka_free(aka);
	return 0;
}
