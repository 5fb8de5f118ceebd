/* What roles print, a diagnostic or an assertion's last words, on our standard error. */
#include "cli/house.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PER_S 65536 /* bytes: more is a flood */

bool said_open(struct seat *s)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) != 0)
		return false;
	s->said_out = pair[0];
	s->said_in = pair[1];
	return fcntl(s->said_out, F_SETFL, O_NONBLOCK) == 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void said_relay(struct seat *s)
{
	uint64_t now = now_ms();
	char text[4096];
	ssize_t n;

	if (now - s->said_ms >= 1000) {
		s->said_ms = now;
		s->said_n = 0;
	}
	for (int i = 0; i < 16 && (n = read(s->said_out, text, sizeof text)) > 0; i++) {
		s->said_n += (size_t)n;
		if (s->said_n <= PER_S)
			(void)!write(STDERR_FILENO, text, (size_t)n);
	}
}
