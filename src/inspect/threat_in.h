/* Judging a flow by its risks, and, where it is encrypted, by all that can be seen of it. */
#pragma once
#include "inspect/threat.h"

#define ENDPOINT_N 16384

struct threat_judged {
	uint32_t threats; /* 1 << enum threat */
	unsigned int score;
	char why[96];
};
struct threat_judged threat_judge(const struct flow *f, const char *name, bool steady);
bool threat_self_signed(uint64_t risks);
bool threat_old_tls(uint64_t risks);
