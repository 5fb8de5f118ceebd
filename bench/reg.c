/* Durable registrations a second: how many puts share one commit, beside one bare fdatasync each.
 *   bench_reg [folder] [seconds for each line]   prints puts a second, and each line's ratio to
 * fdatasync */
#include "records/reg.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One row appended and synced at a time, which is what an answer would cost without a committer. */
static double bare(const char *dir, double seconds)
{
	struct reg_row row = { .flags = REG_MME };
	double began = now();
	char path[256];
	int fd;
	size_t n = 0;

	snprintf(path, sizeof path, "%s/bare", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (; now() - began < seconds; n++)
		if (write(fd, &row, sizeof row) != sizeof row || fdatasync(fd) != 0)
			exit(1);
	close(fd);
	unlink(path);
	return (double)n / (now() - began);
}

/* Keep `window` puts waiting; they join whatever commit comes next. */
static double put(struct reg_worker *w, size_t window, double seconds)
{
	struct reg_row row = { .flags = REG_MME };
	double began = now();
	size_t waiting = 0, n = 0;
	uint64_t token, x = 88172645463325252u;
	enum err e;

	while (now() - began < seconds) {
		struct pollfd p = { .fd = reg_done_fd(w), .events = POLLIN };

		for (; waiting < window; waiting++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			row.imsi = 1 + (x >> 33) % 1000000;
			if (reg_put(w, &row, 0))
				exit(1);
		}
		poll(&p, 1, 1000);
		for (; reg_done(w, &token, &e); waiting--, n++)
			if (e)
				exit(1);
	}
	began = now() - began;
	for (; waiting > 0; waiting -= reg_done(w, &token, &e))
		;
	return (double)n / began;
}

int main(int argc, char **argv)
{
	static const size_t windows[] = { 1, 64, 512, 4096 };
	char base[128], why[256];
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 3, one;
	struct reg *r;

	snprintf(base, sizeof base, "%.90s/merlon-reg-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!mkdtemp(base) || reg_open(&r, base, why)) {
		fprintf(stderr, "cannot make a store under %s\n", base);
		return 1;
	}
	one = bare(base, seconds);
	printf("fdatasync, one row each   %9.0f puts/s   1.0\n", one);
	for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
		double rate = put(reg_worker(r), windows[i], seconds);

		printf("%4zu puts waiting         %9.0f puts/s  %4.1f\n", windows[i], rate,
		       rate / one);
	}
	reg_close(r);
	printf("store left in %s\n", base);
	return 0;
}
