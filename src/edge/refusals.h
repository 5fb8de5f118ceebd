/* Refusals become events: aggregated each second by (network, check, class), with a sample. One a
 * worker. */
#pragma once
#include "judge/judge.h"

#define REFUSAL_MAX 256

struct refusal {
	uint64_t plmn, imsi; /* imsi, host: of the first one this second */
	uint32_t n;
	uint16_t check;
	uint8_t prio, observed, op, protocol; /* observed: it passed, the check only observes */
	char host[HOST_MAX_BYTES];
};

struct refusals {
	struct refusal row[REFUSAL_MAX];
	size_t n;
	uint64_t lost; /* found no row this second */
};

void refusals_add(struct refusals *r, const struct facts *f, enum check check, uint8_t prio,
		  bool observed);
/* Write what has gathered, and begin again. Every second. */
void refusals_flush(struct refusals *r);
