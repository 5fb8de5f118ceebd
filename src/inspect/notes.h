/* What was dropped, told once a second: so many, why, and one of them. */
#pragma once
#include "inspect/drop.h"
#include "inspect/packet.h"
#include "inspect/session.h"

#define NOTES_MAX 64

struct note {
	uint32_t n, profile;
	uint8_t why; /* enum drop */
	uint64_t imsi;
	struct packet_flow flow;
};

struct notes {
	struct note note[NOTES_MAX];
	size_t n;
	uint64_t lost;
};

/* `hit`, `p` may be NULL. */
void notes_add(struct notes *n, enum drop why, const struct session_hit *hit, const struct packet *p);
/* As events, and forget them. */
void notes_flush(struct notes *n);
