/* Greylistings that home has begun and the records do not show yet: the keeper is asked, by datagram, until
 * they do. Which they are stands in the registrations (REG_HOLD_WANTED), so a restart finds them again. */
#pragma once
#include "base/bytes.h"

#define HOLDS_MAX 1024

struct home_worker;

struct holds {
	int fd; /* -1: none */
	char path[108];
	bool waits; /* told that nobody takes them */
	size_t n;
	struct hold_wish {
		uint64_t imsi, due_ms;
	} wish[HOLDS_MAX];
};

/* data_dir/holds.sock; need not be there yet. ERR_IO, ERR_CONFIG. */
enum err MUST_USE holds_open(struct holds *h, const char *data_dir, char why[256]);
void holds_close(struct holds *h);

/* Ask for this one, now and until it is there. False: no room; its registration keeps it. */
bool holds_want(struct home_worker *w, uint64_t imsi);
/* A step, every tick. */
void holds_due(struct home_worker *w);
