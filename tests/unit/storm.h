/* A storm in virtual time: devices, the nodes of the networks they visit, and one protected target, around
 * the judge as the edge runs it, or around something simpler to compare with. */
#pragma once
#include "judge/admission.h"

#define STORM_DEVICES  1000000u
#define STORM_CAPACITY 1000.0 /* requests a second: the target works 1 ms on each, exponentially spread */
#define STORM_ATTACHES (STORM_CAPACITY / 2) /* an attach is an AIR and a ULR */
#define STORM_S        60     /* how long new devices keep coming */
#define STORM_SECONDS  4000

enum storm_control {
	STORM_JUDGE,
	STORM_NONE,    /* all is passed on */
	STORM_BUCKET,  /* a token bucket of the target's rate, whoever asks */
	STORM_UNIFORM, /* the same for first messages, and who is refused comes back within five minutes */
	STORM_CONTROL_N
};

struct storm_conf {
	enum storm_control control;
	uint32_t times;        /* what comes, to what the target carries */
	double heeding;        /* share of the nodes that do as an overload report says */
	uint32_t until_s;      /* stop then; 0: when every device is served */
	uint64_t seed;
	bool cold;             /* the edge has just been started: it knows nothing of the target */
};

/* By second: attaches begun and served, requests passed to the target, refused, and held back by nodes. */
struct storm_second {
	uint32_t tries[PRIO_N], served[PRIO_N], passed[PRIO_N], refused[PRIO_N], held, comes;
};

struct storm_result {
	uint32_t devices[PRIO_N], first_ok[PRIO_N], served[PRIO_N];
	uint64_t judged, wasted;    /* requests judged; answers that came when the device had given up */
	uint32_t longest, last_s;   /* requests waiting at the target; when the last device was served */
	uint32_t over_s, calm_s;    /* the last second in which more was tried than the target carries, and the last refusal */
	double p99_ms[PRIO_N];      /* of requests at the target: waiting and work */
	double goodput;             /* of the target's capacity, in the storm */
	struct storm_second second[STORM_SECONDS];
	struct admission_state state;
};

/* Plays one storm; the result is overwritten by the next. With the judge it goes on until an attach rate of
 * half of what the target carries, of the lowest class, has run for five seconds, 30 s after the end (of the
 * storm if until_s is given, else of the last attach): `again` is what was refused of it. */
const struct storm_result *storm_play(const struct storm_conf *conf, uint32_t *again, bool *calm);

/* Writes the picture of docs/storm.svg. */
bool storm_draw(const char *path);
