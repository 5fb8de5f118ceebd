/* MAP partners with devices that register over 2G and 3G, against an edge or an HLR, and the attacks of FS.11
 * (merlon simulate --map). */
#pragma once
#include "cli/sim_hist.h"
#include "home/hlr_in.h"
#include "loop/loop.h"
#include "node/m3ua_node.h"

#define SIM_MAP_GROUPS 8
#define SIM_MAP_SILENCE_US 10000000u /* then nothing comes any more */

enum sim_map_step { MAP_SAI, MAP_UGL, MAP_UL, MAP_PURGE, MAP_SRI, MAP_STEPS };

struct sim_map_group {
	char name[32];
	uint64_t first; /* IMSI, or with MAP_SRI a number */
	int digits;
	uint32_t at, n;
	uint64_t attempts, done, refused, silent;
	struct hist time; /* of all steps */
};

struct sim_map_device {
	uint64_t began_us, asked_us;
	uint8_t round;
	uint8_t step; /* enum sim_map_step + 1; 0: idle */
	uint8_t group;
	bool over; /* without a rate: it has had its turn */
};

struct sim_map_conf {
	struct endpoint to;
	const char *prefix; /* of the titles of the partner's nodes */
	uint64_t hlr;	    /* title of who is asked */
	uint64_t point, hlr_point, context, rate, duration_s;
	bool has_context, json, quiet, attacks;
	uint32_t steps; /* 1 << enum sim_map_step */
};

struct sim_map_attack {
	bool sent, over;
	uint8_t outcome; /* enum attack_outcome */
	uint8_t code;
};

struct sim_map {
	struct sim_map_conf conf;
	struct loop *loop;
	struct m3ua_node *node;
	struct conn *conn;
	struct arena mem;
	bool up, leaving, failed;
	struct sim_map_group group[SIM_MAP_GROUPS];
	size_t group_n;
	struct sim_map_device *device;
	uint32_t device_n, cursor, active, left;
	uint64_t start_us, stop_us, owed_us, sweep_us;
	double owed;
	struct hist time[MAP_STEPS];
	uint64_t errors[256]; /* by MAP error code; 255: abort or reject */
	uint64_t answers, inserted, cancelled, deleted, reset;
	struct sim_map_attack *attack;
	uint8_t tcap[2048], sccp[512];
};

/* Reads options into *s, plays, reports. An exit code of args.h. */
struct sim_map_options {
	const char *mix, *to, *prefix, *hlr, *const *groups;
	size_t group_n;
	uint64_t point, hlr_point, context, rate, duration;
	bool has_context, json, quiet;
};
int sim_map_play(const struct sim_map_options *o);

/* sim_map_link.c */
bool sim_map_open(struct sim_map *s);
void sim_map_dial(struct sim_map *s);
/* From a node of ours, `ssn`, to `ssn_to` of the title: what is in `w`. */
void sim_map_send(struct sim_map *s, uint8_t ssn, uint8_t ssn_to, const struct wr *w);
/* sim_map_run.c: a message for one of our nodes. */
void sim_map_heard(struct sim_map *s, uint8_t own_ssn, uint8_t peer_ssn, const struct hlr_heard *h);
void sim_map_tick(void *ctx);
/* The number of one of our nodes. */
uint64_t sim_map_number(const struct sim_map *s, uint8_t ssn);
/* sim_map_report.c */
void sim_map_report(struct sim_map *s);

/* sim_attack.c: the list; one that came back is noted, and true: its identifier is an attack's. */
extern const size_t sim_attack_n;
void sim_attack_send(struct sim_map *s);
bool sim_attack_heard(struct sim_map *s, const struct hlr_heard *h);
bool sim_attack_report(const struct sim_map *s); /* true: all were stopped */
