/* The parts of bench/million.sh that a script is too slow for:
 *   bench_million gen FIRST N PROFILE M   N cards from IMSI FIRST as CSV, the first M of PROFILE
 *   bench_million numbers FIRST N BEFORE  new numbers for N cards, for `merlon import --update`
 *   bench_million look DATA FIRST N       random look-ups in the serving copy, as edge and home do
 *   bench_million feed DATA               the number of the last change that the copy holds */
#include "records/serving.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKS 1000000u

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static int gen(uint64_t first, uint64_t n, const char *profile, uint64_t of_it)
{
	printf("imsi,iccid,msisdn,eid,alg,k,opc,op,topc,amf,tenant,profile,priority,imei\n");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t a = mix(first + i), b = mix(a), c = mix(b), d = mix(c);

		printf("%" PRIu64 ",8999971%012" PRIu64 ",99971%09" PRIu64 ",,milenage,%016" PRIx64
		       "%016" PRIx64 ",%016" PRIx64 "%016" PRIx64 ",,,8000,meters,%s,,\n",
		       first + i, i, i, a, b, c, d, i < of_it ? profile : "meter");
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

static int numbers(uint64_t first, uint64_t n, const char *before)
{
	printf("imsi,msisdn\n");
	for (uint64_t i = 0; i < n; i++)
		printf("%" PRIu64 ",%s%09" PRIu64 "\n", first + i, before, i);
	return fflush(stdout) == 0 ? 0 : 1;
}

static struct serving_read *reader(const char *dir)
{
	struct serving *s;
	struct serving_read *r;
	char why[256];

	if (serving_open(&s, dir, why)) {
		fprintf(stderr, "bench_million: %s\n", why);
		exit(1);
	}
	r = serving_reader(s);
	if (!r || serving_renew(r, now_ns() / 1000000)) {
		fprintf(stderr, "bench_million: no state of the serving copy\n");
		exit(1);
	}
	return r;
}

static uint64_t imsi_of(uint64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%015" PRIu64, number);
	return bcd_of(view_of(text));
}

static int look(const char *dir, uint64_t first, uint64_t n)
{
	struct serving_read *r = reader(dir);
	const struct book *book = serving_book(r);
	static uint64_t imsi[1000];
	uint64_t spent = 0, found = 0, x = 1;

	for (unsigned int done = 0; done < LOOKS; done += 1000) {
		uint64_t began;

		for (int i = 0; i < 1000; i++)
			imsi[i] = imsi_of(first + (x = mix(x + 1)) % n);
		if (serving_renew(r, now_ns() / 1000000))
			return 1;
		began = now_ns();
		for (int i = 0; i < 1000; i++) {
			const struct sub_row *sub = book->sub(book->ctx, imsi[i]);

			found += sub && book->profile(book->ctx, sub->profile);
		}
		spent += now_ns() - began;
	}
	printf("%" PRIu64 " ns, %" PRIu64 " of %u found\n", spent / LOOKS, found, LOOKS);
	return found == LOOKS ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "gen") == 0)
		return gen(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argv[4],
			   strtoull(argv[5], NULL, 10));
	if (argc == 5 && strcmp(argv[1], "numbers") == 0)
		return numbers(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argv[4]);
	if (argc == 5 && strcmp(argv[1], "look") == 0)
		return look(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "feed") == 0) {
		printf("%" PRIu64 "\n", serving_last(reader(argv[2])));
		return 0;
	}
	fprintf(stderr, "usage: see the head of bench/million.c\n");
	return 2;
}
