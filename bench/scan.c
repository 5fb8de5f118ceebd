/* The content scanner: how fast, and what it finds and misses. Reads leak corpora (u16 length, u32 mask of
 * scan_truth rows, payload), text files line by line, or makes a corpus of its own.
 *     bench_scan corpus FILE | lines FILE... | speed FILE [LEVEL] */
#include "inspect/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What a bit of a corpus's mask means (leak-kinds.txt). */
static const struct {
	const char *name;
	enum scan_form form;
} truth[] = {{"SSN", FORM_SSN},		  {"NMEA-GGA", FORM_GGA},	{"NMEA-RMC", FORM_RMC},
	     {"lat/lon-kv", FORM_LATLON}, {"dec-pair", FORM_PAIR},	{"card", FORM_CARD},
	     {"email", FORM_EMAIL},	  {"IMSI", FORM_IMSI},		{"IMEI", FORM_IMEI},
	     {"JWT", FORM_JWT},		  {"AWS-AKIA", FORM_AWS},	{"PEM-priv", FORM_PEM},
	     {"BasicAuth", FORM_BASIC},	  {"password=", FORM_PASSWORD}, {"E164", FORM_E164},
	     {"US-phone", FORM_US_PHONE}, {"Bearer", FORM_BEARER},	{"IBAN", FORM_IBAN},
	     {"URL-creds", FORM_URL},	  {"Azure-SAS", FORM_AZURE},	{"ICCID", FORM_ICCID},
	     {"GH-token", FORM_GITHUB}};
#define TRUTHS (sizeof truth / sizeof *truth)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* a core, whoever else wants it */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint8_t *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	long end;

	if (!f || fseek(f, 0, SEEK_END) != 0 || (end = ftell(f)) <= 0) {
		fprintf(stderr, "bench_scan: %s: cannot be read\n", path);
		exit(1);
	}
	rewind(f);
	p = malloc((size_t)end);
	if (!p || fread(p, 1, (size_t)end, f) != (size_t)end)
		exit(1);
	fclose(f);
	*n = (size_t)end;
	return p;
}

struct corpus {
	uint8_t *bytes;
	size_t n, at;
};

static bool next(struct corpus *c, struct view *payload, uint32_t *mask)
{
	uint16_t n;

	if (c->at + 6 > c->n)
		return false;
	memcpy(&n, c->bytes + c->at, 2);
	memcpy(mask, c->bytes + c->at + 2, 4);
	c->at += 6;
	if (n > c->n - c->at)
		return false;
	*payload = (struct view){c->bytes + c->at, n};
	c->at += n;
	return true;
}

static uint32_t found(struct scanner *s, struct view payload, uint64_t other[FORM_N])
{
	struct scan_hit hit[SCAN_HITS];
	size_t n = scan(s, payload, hit);
	uint32_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < TRUTHS && truth[k].form != hit[i].form)
			k++;
		if (k < TRUTHS)
			mask |= 1u << k;
		else
			other[hit[i].form]++;
	}
	return mask;
}

static bool verbose;

static void tell(const char *what, uint32_t bits, struct view payload)
{
	for (size_t k = 0; k < TRUTHS && verbose; k++) {
		if (bits >> k & 1)
			printf("  %s %s: %.*s\n", what, truth[k].name, (int)payload.n,
			       (const char *)payload.p);
	}
}

static int corpus(const char *path)
{
	struct corpus c = {.at = 0};
	uint64_t right[TRUTHS] = {0}, missed[TRUTHS] = {0}, wrong[TRUTHS] = {0}, other[FORM_N] = {0},
		 payloads = 0;
	struct scanner *s = scanner_new(SCAN_AVX512, true);
	struct view p;
	uint32_t mask;
	int bad = 0;

	c.bytes = slurp(path, &c.n);
	while (s && next(&c, &p, &mask)) {
		uint32_t got = found(s, p, other);

		payloads++;
		for (size_t k = 0; k < TRUTHS; k++) {
			right[k] += got >> k & mask >> k & 1;
			missed[k] += ~got >> k & mask >> k & 1;
			wrong[k] += got >> k & ~mask >> k & 1;
		}
		tell("missed", mask & ~got, p);
		tell("wrong", got & ~mask, p);
	}
	printf("%s: %llu payloads, %zu bytes\n%-12s %7s %7s %7s %8s %9s\n", path,
	       (unsigned long long)payloads, c.n, "class", "found", "missed", "false", "recall",
	       "precision");
	for (size_t k = 0; k < TRUTHS; k++) {
		double recall =
		    right[k] + missed[k] ? (double)right[k] / (double)(right[k] + missed[k]) : 1;
		double precision =
		    right[k] + wrong[k] ? (double)right[k] / (double)(right[k] + wrong[k]) : 1;

		printf("%-12s %7llu %7llu %7llu %8.4f %9.4f%s\n", truth[k].name,
		       (unsigned long long)right[k], (unsigned long long)missed[k],
		       (unsigned long long)wrong[k], recall, precision,
		       recall < 0.99 || precision < 0.98 ? "  MISSED" : "");
		bad |= recall < 0.99 || precision < 0.98;
	}
	for (size_t k = 0; k < FORM_N; k++) {
		if (other[k])
			printf("  also %s: %llu\n", scan_forms[k].name, (unsigned long long)other[k]);
	}
	scanner_free(s);
	free(c.bytes);
	return bad;
}

/* Once over the file, again until `least_s` seconds are gone. */
static double once(struct scanner *s, struct corpus *c, double least_s, uint64_t *bytes, uint64_t *payloads)
{
	struct scan_hit hit[SCAN_HITS];
	double began = now(), ended;
	struct view p;
	uint32_t mask;

	*bytes = *payloads = 0;
	do {
		c->at = 0;
		while (next(c, &p, &mask)) {
			scan(s, p, hit);
			*bytes += p.n;
			++*payloads;
		}
		ended = now();
	} while (ended - began < least_s);
	return ended - began;
}

static int speed(const char *path, int level)
{
	static const char *const names[] = {"portable", "sse2", "avx2", "avx512"};
	struct corpus c = {.at = 0};

	c.bytes = slurp(path, &c.n);
	for (int l = SCAN_PORTABLE; l < SCAN_LEVELS; l++) {
		struct scanner *s = scanner_new((enum scan_level)l, l != SCAN_PORTABLE);
		double best = 0, mean = 0;
		uint64_t bytes = 0, payloads = 0;

		for (int k = 0;
		     s && k < 5 && scanner_level(s) == (enum scan_level)l && (level < 0 || l == level);
		     k++) {
			double t = once(s, &c, 0.3, &bytes, &payloads), rate = (double)bytes / t / 1e9;

			mean += rate / 5;
			best = rate > best ? rate : best;
		}
		if (payloads)
			printf("%-9s %5.2f GB/s (best of 5 %.2f), %3.0f ns a payload of %.0f bytes\n",
			       names[l], mean, best, (double)bytes / (double)payloads / mean,
			       (double)bytes / (double)payloads);
		scanner_free(s);
	}
	free(c.bytes);
	return 0;
}

/* Each line is a payload; what is found, by form. */
static int lines(int n, char **paths)
{
	struct scanner *s = scanner_new(SCAN_AVX512, true);
	uint64_t forms[FORM_N] = {0}, count = 0, bytes = 0;

	for (int i = 0; i < n && s; i++) {
		size_t size, at = 0;
		uint8_t *p = slurp(paths[i], &size);

		while (at < size) {
			uint8_t *end = memchr(p + at, '\n', size - at);
			struct view line = {p + at, end ? (size_t)(end - p) - at + 1 : size - at};
			struct scan_hit hit[SCAN_HITS];
			size_t hits = scan(s, line, hit);

			for (size_t k = 0; k < hits; k++) {
				forms[hit[k].form]++;
				if (verbose)
					printf("%s: %s: %.*s\n", paths[i], scan_forms[hit[k].form].name,
					       (int)hit[k].n, (const char *)line.p + hit[k].at);
			}
			at += line.n;
			count++;
			bytes += line.n;
		}
		free(p);
	}
	printf("%llu lines, %llu bytes\n", (unsigned long long)count, (unsigned long long)bytes);
	for (size_t k = 0; k < FORM_N; k++) {
		if (forms[k])
			printf("%8llu %s\n", (unsigned long long)forms[k], scan_forms[k].name);
	}
	scanner_free(s);
	return 0;
}

int main(int argc, char **argv)
{
	verbose = getenv("VERBOSE") != NULL;
	if (argc > 2 && strcmp(argv[1], "corpus") == 0)
		return corpus(argv[2]);
	if (argc > 2 && strcmp(argv[1], "speed") == 0)
		return speed(argv[2], argc > 3 ? (int)strtol(argv[3], NULL, 10) : -1);
	if (argc > 2 && strcmp(argv[1], "lines") == 0)
		return lines(argc - 2, argv + 2);
	fprintf(stderr, "bench_scan corpus FILE | speed FILE [LEVEL] | lines FILE...\n");
	return 2;
}
