/* Storm control of one protected target: who may come in now, and when the others may come back. One
 * set of atomics, shared by all workers; no lock (design.md, 'Storm control'; .e). */
#pragma once
#include "judge/judge.h"

/* What configuration says of the target; 0 takes the default in brackets. */
struct admission_conf {
	uint32_t ceiling;      /* requests in flight at most, for each lane of commands (1024) */
	uint32_t floor;        /* the learned limit never falls below (16) */
	uint32_t reserve;      /* beyond the limit, for critical work alone (as much as the floor) */
	uint32_t rate;         /* requests a second it is said to carry (learned) */
	uint32_t delay_max_ms; /* a refusal is held at most this long (500) */
};

/* NULL without memory. The key is copied; nodes that shall keep each other's appointments share it. */
struct admission *admission_new(const struct admission_conf *conf, const uint8_t key[HASH_KEY]);
void admission_free(struct admission *a);

struct admission_ask {
	uint64_t imsi, partner, now_ms;
	uint64_t group;    /* all that one back-off silences; 0: a back-off is for this device alone */
	uint32_t tenant;
	uint8_t op, prio;  /* enum op, enum prio */
	bool begun;        /* continues a procedure that was admitted: it is allowed to finish */
};

struct admission_say {
	bool admit;
	uint32_t delay_ms, backoff_ms; /* of a refusal */
};
struct admission_say admission_judge(struct admission *a, const struct admission_ask *ask);

/* One of a group was turned away, and the group may be told to stay away: for how long, in ms and in a value
 * that GTP-C can encode. The group then has an appointment. 0: it has none, there are too many groups. */
uint32_t admission_silence(struct admission *a, const struct admission_ask *ask);

/* A request goes to the target; its answer came, or none did (busy). Each begin has one end, with the
 * same op and asked_ms; one that is lost all the same is forgotten after some minutes. */
struct admission_answer {
	uint64_t asked_ms, answered_ms;
	uint8_t op;
	bool busy;
};
void admission_begin(struct admission *a, uint8_t op, uint64_t now_ms);
void admission_end(struct admission *a, const struct admission_answer *answer);

/* The target's own word (OC-OLR, loss algorithm, RFC 7683 §5.2): pass on that much less of what would be
 * passed on, the lowest class first; critical work goes all the same. A reduction of 0 ends it. */
void admission_heed(struct admission *a, uint32_t reduction, uint32_t validity_s, uint64_t now_ms);

/* Is a storm on? Steering by rejection rests meanwhile. */
bool admission_stormy(const struct admission *a);

/* The report for nodes that heed us: how much to hold back, and over how long to spread that. */
struct overload admission_overload(const struct admission *a, uint64_t now_ms);

/* For watch and tests. Counts since the start, by class. */
struct admission_state {
	uint64_t offered[PRIO_N], admitted[PRIO_N], refused[PRIO_N]; /* first messages of procedures */
	uint64_t due;         /* admitted at or after their appointment */
	uint64_t epoch_ms;    /* of the calendar; 0: no appointments are out */
	uint32_t limit[3];    /* AIR, ULR, the others */
	uint32_t flying[3];
	uint32_t rate;        /* requests a second that the target is held to carry; 0: not learned */
};
void admission_look(const struct admission *a, struct admission_state *out);

/* Devices booked to return in the 2 s slot that holds `at_ms`. */
uint32_t admission_booked(const struct admission *a, uint64_t at_ms);
