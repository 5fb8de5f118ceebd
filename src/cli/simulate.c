/* merlon simulate: visited networks with devices that obey their timers, in an open loop. */
#include "cli/cli.h"
#include "cli/sim.h"
#include "cli/sim_map.h"

#include "base/bcd.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command me = {
    "simulate",
    "simulate [OPTION]...",
    "Play visited networks against an edge: devices authenticate (AIR), register (ULR) and are "
    "checked\n"
    "(ECR), and behave after a refusal as TS 24.301 makes them: T3411 five times, then T3402; an "
    "MME that\n"
    "heeds overload reports holds them back with T3346. Prints percentiles by command and "
    "group.\n\n"
    "With --map it plays a partner's VLR, SGSN, MSC and others over SS7 (M3UA): attach "
    "(sendAuthenticationInfo,\n"
    "updateGprsLocation), attach-cs (updateLocation), vectors, update, purge, route "
    "(sendRoutingInfoForSM; the\n"
    "group's numbers are MSISDNs), or attacks: a list of FS.11's; it fails if one is answered.\n\n"
    "Scenarios: docomo (2021: forced re-registration in batches, released too fast) and kddi "
    "(2022: a\n"
    "registration flood from all devices at once).",
    cmd_simulate,
};

struct options {
	const char *to, *mix, *scenario, *map, *titles, *hlr;
	struct arg_many networks, groups, urgent;
	uint64_t point, hlr_point, context;
	uint64_t rate, ramp, duration, window, nodes, doic, batch, gap, seed, awake, back_off;
	bool json, quiet, drain;
};

static bool parse_mix(const char *mix, uint64_t *steps)
{
	static const struct {
		const char *name;
		uint64_t steps;
	} row[] = {
	    {"attach", STEP_AIR | STEP_ULR | STEP_ECR},
	    {"air", STEP_AIR},
	    {"ulr", STEP_ULR},
	    {"ecr", STEP_ECR},
	    {"air+ulr", STEP_AIR | STEP_ULR},
	    {"pur", STEP_PUR},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		if (strcmp(mix, row[i].name) == 0) {
			*steps = row[i].steps;
			return true;
		}
	}
	return false;
}

/* "name=999700000000001:1000" */
static bool add_group(struct sim *s, const char *text)
{
	struct sim_group *g = &s->group[s->group_n];
	const char *equal = strchr(text, '='), *colon = strchr(text, ':');
	char *end;

	if (!equal || !colon || colon < equal || s->group_n == SIM_GROUP_MAX ||
	    (size_t)(equal - text) >= sizeof g->name || colon - equal != 16)
		return false;
	memcpy(g->name, text, (size_t)(equal - text));
	g->first_imsi = strtoull(equal + 1, &end, 10);
	if (end != colon)
		return false;
	g->n = (uint32_t)strtoul(colon + 1, &end, 10);
	if (*end || g->n == 0 || g->n > 20000000)
		return false;
	g->at = s->device_n;
	s->device_n += g->n;
	s->group_n++;
	return true;
}

static bool mark_urgent(struct sim *s, const char *name)
{
	for (size_t i = 0; i < s->group_n; i++) {
		if (strcmp(s->group[i].name, name) == 0) {
			s->group[i].urgent = true;
			return true;
		}
	}
	return false;
}

static bool add_nodes(struct sim *s, const struct options *o)
{
	uint64_t all = o->networks.n * o->nodes;

	for (uint64_t i = 0; i < all; i++) {
		const char *plmn = o->networks.text[i / o->nodes];
		bool doic = i * 100 < o->doic * all;

		if (strlen(plmn) < 5 || strlen(plmn) > 6 || s->node_n == SIM_NODE_MAX ||
		    !sim_node_open(s, &s->node[s->node_n], plmn, (unsigned int)(i % o->nodes),
				   doic))
			return false;
		s->node_n++;
	}
	return true;
}

static bool make_devices(struct sim *s)
{
	s->device = calloc(s->device_n, sizeof *s->device);
	s->wheel = malloc(SIM_SLOT_N * sizeof *s->wheel);
	s->mem = (struct arena){malloc(1 << 20), 0, 1 << 20};
	if (!s->device || !s->wheel || !s->mem.base)
		return false;
	memset(s->wheel, 0xff, SIM_SLOT_N * sizeof *s->wheel);
	for (size_t g = 0; g < s->group_n; g++) {
		for (uint32_t i = 0; i < s->group[g].n; i++)
			s->device[s->group[g].at + i].group = (uint8_t)g;
	}
	return true;
}

static void every_second(void *ctx)
{
	sim_progress(ctx);
}

/* docomo: 200,000 at once, the next batch too soon. kddi: everyone within the window. */
static bool apply_scenario(struct options *o)
{
	if (!o->scenario)
		return true;
	o->rate = 0;
	o->mix = "attach";
	if (strcmp(o->scenario, "docomo") == 0) {
		o->batch = o->batch ? o->batch : 20000;
		o->gap = o->gap ? o->gap : 10;
		o->window = 2;
		return true;
	}
	if (strcmp(o->scenario, "kddi") == 0) {
		o->window = o->window ? o->window : 5;
		o->batch = 0;
		return true;
	}
	return false;
}

static int wrong(const char *what)
{
	fprintf(stderr, "merlon simulate: %s; see merlon simulate --help\n", what);
	return EXIT_USAGE;
}

static void take_options(struct sim *s, const struct options *o)
{
	s->conf.rate = o->rate;
	s->conf.loops = o->rate > 0;
	s->conf.duration_s = o->duration;
	s->conf.window_s = o->window;
	s->conf.batch = o->batch;
	s->conf.batch_gap_s = o->gap;
	s->conf.ramp_s = o->ramp;
	s->conf.awake_percent = o->awake;
	s->conf.back_off_s = o->back_off;
	s->conf.drain = o->drain && o->rate == 0;
	s->conf.json = o->json;
	s->conf.quiet = o->quiet;
	s->random[0] = o->seed + 1;
	s->random[1] = 0x9e3779b97f4a7c15u;
}

static int open_run(struct sim *s, struct options *o)
{
	static const struct loop_limits limits = {.conn_max = SIM_NODE_MAX,
						  .frame_max = DIA_FRAME_MAX,
						  .out_max = 64 << 20,
						  .handshake_ms = 10000};

	if (!apply_scenario(o))
		return wrong("--scenario must be docomo or kddi");
	if (endpoint_parse(view_of(o->to), &s->conf.to) != ERR_OK)
		return wrong("--to must be tcp:ADDRESS:PORT or sctp:ADDRESS:PORT");
	if (!parse_mix(o->mix, &s->conf.steps))
		return wrong("--mix must be attach, air, ulr, ecr, air+ulr or pur");
	if (o->groups.n == 0)
		o->groups = (struct arg_many){{"meters=999700000000001:10"}, 1};
	if (o->networks.n == 0)
		o->networks = (struct arg_many){{"00101"}, 1};
	for (size_t i = 0; i < o->groups.n; i++) {
		if (!add_group(s, o->groups.text[i]))
			return wrong("--group must be NAME=15-DIGIT-IMSI:COUNT");
	}
	for (size_t i = 0; i < o->urgent.n; i++) {
		if (!mark_urgent(s, o->urgent.text[i]))
			return wrong("--urgent must name a --group");
	}
	take_options(s, o);
	s->loop = loop_new(&limits);
	if (!s->loop || !make_devices(s) || !add_nodes(s, o))
		return wrong("out of memory, or a --network is not 5 or 6 digits");
	return EXIT_DONE;
}

static void free_run(struct sim *s)
{
	for (size_t i = 0; i < s->node_n; i++)
		dia_node_free(s->node[i].node);
	loop_free(s->loop);
	free(s->device);
	free(s->wheel);
	free(s->mem.base);
	free(s);
}

static int play(struct sim *s)
{
	loop_every(s->loop, SIM_TICK_MS, sim_tick, s);
	loop_every(s->loop, 1000, every_second, s);
	loop_run(s->loop);
	sim_report(s);
	return s->answers > 0 ? EXIT_DONE : EXIT_FAILED;
}

#define NO_CONTEXT UINT64_MAX

static int play_map(const struct options *o)
{
	const struct sim_map_options map = {
	    .mix = o->map,
	    .to = o->to ? o->to : "sctp:127.0.0.1:2905",
	    .prefix = o->titles,
	    .hlr = o->hlr,
	    .groups = o->groups.text,
	    .group_n = o->groups.n,
	    .point = o->point,
	    .hlr_point = o->hlr_point,
	    .context = o->context,
	    .has_context = o->context != NO_CONTEXT,
	    .rate = o->rate,
	    .duration = o->duration,
	    .json = o->json,
	    .quiet = o->quiet,
	};

	return sim_map_play(&map);
}

static struct options given = {
    .titles = "99901",
    .hlr = "999700000",
    .point = 100,
    .hlr_point = 1,
    .context = NO_CONTEXT,
    .mix = "attach",
    .duration = 10,
    .nodes = 1,
    .seed = 1,
    .awake = 100,
};

static const struct arg rows[] = {
    {"--to", ARG_TEXT, &given.to, "ENDPOINT",
     "the edge (tcp:127.0.0.1:3868; with --map sctp:127.0.0.1:2905)", 0, 0},
    {"--network", ARG_MANY, &given.networks, "PLMN",
     "a visited network, 5 or 6 digits; may be given again", 0, 0},
    {"--nodes", ARG_NUMBER, &given.nodes, "N", "MMEs of each network (1)", 1, 32},
    {"--group", ARG_MANY, &given.groups, "NAME=IMSI:N",
     "N devices from IMSI on; may be given again", 0, 0},
    {"--mix", ARG_TEXT, &given.mix, "MIX", "attach, air, ulr, ecr, air+ulr, pur (attach)", 0,
     0},
    {"--rate", ARG_NUMBER, &given.rate, "N", "begin N procedures a second, round after round",
     1, 1000000},
    {"--ramp", ARG_NUMBER, &given.ramp, "S", "with --rate: reach it within S seconds (0)", 0, 3600},
    {"--window", ARG_NUMBER, &given.window, "S",
     "without --rate: every device begins once within S seconds", 0, 3600},
    {"--duration", ARG_NUMBER, &given.duration, "S", "stop after S seconds (10)", 1, 7200},
    {"--scenario", ARG_TEXT, &given.scenario, "NAME", "docomo or kddi", 0, 0},
    {"--batch", ARG_NUMBER, &given.batch, "N", "docomo: devices a batch (20000)", 1, 10000000},
    {"--gap", ARG_NUMBER, &given.gap, "S", "docomo: seconds between batches (10)", 1, 3600},
    {"--doic", ARG_NUMBER, &given.doic, "PERCENT",
     "share of nodes that heed overload reports (0)", 0, 100},
    {"--urgent", ARG_MANY, &given.urgent, "NAME",
     "a group that such nodes let go all the same; may be given again", 0, 0},
    {"--awake", ARG_NUMBER, &given.awake, "PERCENT", "without --rate: share of the devices that begin (100)",
     1, 100},
    {"--back-off", ARG_NUMBER, &given.back_off, "S",
     "who is refused comes back at random within S seconds, not by T3411 and T3402", 1, 5000},
    {"--drain", ARG_FLAG, &given.drain, "", "without --rate: stop as soon as all are served or barred", 0, 0},
    {"--seed", ARG_NUMBER, &given.seed, "N", "of the random numbers (1)", 0, UINT32_MAX},
    {"--map", ARG_TEXT, &given.map, "MIX",
     "over SS7: attach, attach-cs, vectors, update, purge, route or attacks", 0, 0},
    {"--titles", ARG_TEXT, &given.titles, "DIGITS",
     "--map: what the titles of the partner's nodes begin with (99901)", 0, 0},
    {"--hlr", ARG_TEXT, &given.hlr, "NUMBER", "--map: title of the HLR (999700000)", 0, 0},
    {"--point", ARG_NUMBER, &given.point, "N", "--map: point code of the partner (100)", 1, 16777215},
    {"--hlr-point", ARG_NUMBER, &given.hlr_point, "N", "--map: point code it sends to (1)", 1, 16777215},
    {"--context", ARG_NUMBER, &given.context, "N", "--map: routing context; left out: none is said", 0, UINT32_MAX},
    {"--json", ARG_FLAG, &given.json, "", "print the result as JSON", 0, 0},
    {"--quiet", ARG_FLAG, &given.quiet, "", "no progress line", 0, 0},
};

int cmd_simulate(int argc, char **argv)
{
	struct sim *s;
	int code;

	if (args_read(&me, rows, sizeof rows / sizeof *rows, argc, argv, &code) < 0)
		return code;
	if (given.map)
		return play_map(&given);
	given.to = given.to ? given.to : "tcp:127.0.0.1:3868";
	s = calloc(1, sizeof *s);
	if (!s)
		return EXIT_FAILED;
	code = open_run(s, &given);
	if (code == EXIT_DONE)
		code = play(s);
	free_run(s);
	return code;
}
