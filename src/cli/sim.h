/* The load generator: visited networks with devices that behave, against a real edge (merlon
 * simulate). */
#pragma once
#include "cli/sim_device.h"
#include "cli/sim_hist.h"
#include "loop/loop.h"
#include "node/dia_node.h"

#define SIM_NODE_MAX 64
#define SIM_GROUP_MAX 8
#define SIM_TICK_MS 1
#define SIM_SLOT_MS 10
#define SIM_SLOT_N (1 << 19) /* 87 minutes: longer than any timer here */
#define SIM_SECOND_MAX 7200

enum sim_step { STEP_AIR = 1, STEP_ULR = 2, STEP_ECR = 4, STEP_PUR = 8 };

/* Devices with consecutive IMSIs that are reported together. */
struct sim_group {
	char name[32];
	uint64_t first_imsi; /* as a number, 15 digits */
	uint32_t at, n;	     /* its devices: index from, how many */
	uint64_t woken, done, barred, first_ok, attempts, refused, silent;
	struct hist attach;  /* first AIR of the successful try to the last answer */
	struct hist request; /* each request to its answer, as the MME sees it */
	bool urgent;	     /* says so when it attaches: nodes that heed overload reports let it go */
};

struct sim_second {
	uint32_t offered, ok, refused, silent, held;
};

struct sim_node {
	struct sim *sim;
	struct dia_node *node;
	struct dia_peer *edge;
	struct dia_node_conf conf;
	char host[160], realm[128];
	uint8_t plmn[3];
	bool doic, open;
	uint32_t reduction;	/* percent, from the last overload report */
	uint64_t reduced_until; /* ms */
	uint32_t validity_ms;
	uint64_t reduced;	/* tries that the node itself turned away */
};

struct sim_conf {
	struct endpoint to;
	uint64_t steps, rate, duration_s, window_s, batch, batch_gap_s, ramp_s, doic_percent, seed;
	uint64_t nodes_each, awake_percent, back_off_s;
	bool drain; /* stop as soon as every device that was woken is served, or barred */
	bool loops; /* a device that is done begins again: steady load */
	bool json, quiet;
};

struct sim {
	struct sim_conf conf;
	struct loop *loop;
	struct arena mem;
	struct device *device;
	uint32_t device_n, cursor, active, woken, settled;
	uint32_t *wheel;	    /* heads of lists of devices */
	uint64_t slot_done;	    /* slots handed over, since the start */
	uint64_t start_ms, started; /* of the loop's clock; started: nodes are up */
	bool stopping;		    /* DPR is out */
	uint64_t waited_ms; /* since when nodes try to connect */
	uint64_t stop_ms;
	double owed; /* transactions due by the rate and not begun */
	uint64_t owed_ms; /* up to when that was reckoned */
	struct sim_group group[SIM_GROUP_MAX];
	size_t group_n;
	struct sim_node node[SIM_NODE_MAX];
	size_t node_n;
	struct hist step_time[4];
	uint64_t answers, clr, idr, dsr, other, in_flight, peak;
	struct sim_second second[SIM_SECOND_MAX];
	uint64_t random[2];
	uint8_t out[8192];
};

/* sim_node.c */
bool sim_node_open(struct sim *s, struct sim_node *n, const char *plmn, unsigned int index,
		   bool doic);
/* Send the request of a device's step. False: not possible now (counted as silence). */
bool sim_send(struct sim *s, struct sim_node *n, uint32_t device, enum sim_step step);

/* sim_run.c */
uint32_t sim_random(struct sim *s);
uint64_t sim_us(void);
void sim_wake(struct sim *s, uint32_t device, uint32_t in_ms);
void sim_news(struct sim *s, uint32_t device, enum sim_step step, uint64_t sent_us, uint32_t result,
	      uint32_t experimental);
void sim_silence(struct sim *s, uint32_t device);
void sim_tick(void *ctx);

/* sim_report.c */
void sim_progress(struct sim *s);
void sim_report(struct sim *s);
