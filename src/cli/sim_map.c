/* merlon simulate --map: options, and the life of a run. */
#include "cli/sim_map.h"

#include "cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_mix(const char *mix, struct sim_map_conf *c)
{
	static const struct {
		const char *name;
		uint32_t steps;
	} row[] = {
	    {"attach", 1 << MAP_SAI | 1 << MAP_UGL},
	    {"attach-cs", 1 << MAP_SAI | 1 << MAP_UL},
	    {"vectors", 1 << MAP_SAI},
	    {"update", 1 << MAP_UGL},
	    {"purge", 1 << MAP_PURGE},
	    {"route", 1 << MAP_SRI},
	    {"attacks", 0},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		if (strcmp(mix, row[i].name) == 0) {
			c->steps = row[i].steps;
			c->attacks = row[i].steps == 0;
			return true;
		}
	}
	return false;
}

/* "name=999700000000001:1000" */
static bool add_group(struct sim_map *s, const char *text)
{
	struct sim_map_group *g = &s->group[s->group_n];
	const char *equal = strchr(text, '='), *colon = strchr(text, ':');
	char *end;

	if (!equal || !colon || s->group_n == SIM_MAP_GROUPS ||
	    (size_t)(equal - text) >= sizeof g->name || colon - equal < 6 || colon - equal > 16)
		return false;
	memcpy(g->name, text, (size_t)(equal - text));
	g->digits = (int)(colon - equal - 1);
	g->first = strtoull(equal + 1, &end, 10);
	if (end != colon)
		return false;
	g->n = (uint32_t)strtoul(colon + 1, &end, 10);
	if (*end || g->n == 0 || g->n > 10000000)
		return false;
	g->at = s->device_n;
	s->device_n += g->n;
	s->group_n++;
	return true;
}

static int wrong(const char *what)
{
	fprintf(stderr, "merlon simulate: %s; see merlon simulate --help\n", what);
	return EXIT_USAGE;
}

static int take_options(struct sim_map *s, const struct sim_map_options *o)
{
	static const char *const one = "trackers=999700000000001:1";

	s->conf = (struct sim_map_conf){.prefix = o->prefix,
					.point = o->point,
					.hlr_point = o->hlr_point,
					.context = o->context,
					.has_context = o->has_context,
					.rate = o->rate,
					.duration_s = o->duration,
					.json = o->json,
					.quiet = o->quiet};
	s->conf.hlr = bcd_of(view_of(o->hlr));
	if (!parse_mix(o->mix, &s->conf))
		return wrong(
		    "--map must be attach, attach-cs, vectors, update, purge, route or attacks");
	if (endpoint_parse(view_of(o->to), &s->conf.to) != ERR_OK || s->conf.to.link == LINK_TLS)
		return wrong("--to must be sctp:ADDRESS:PORT (or tcp:)");
	if (s->conf.hlr == 0 || strlen(o->prefix) < 3 || strlen(o->prefix) > 12 ||
	    !bcd_of(view_of(o->prefix)))
		return wrong("--hlr and --titles must be digits");
	if (o->group_n == 0 && !add_group(s, one))
		return wrong("out of memory");
	for (size_t i = 0; i < o->group_n; i++) {
		if (!add_group(s, o->groups[i]))
			return wrong("--group must be NAME=DIGITS:COUNT");
	}
	return EXIT_DONE;
}

static bool make(struct sim_map *s)
{
	static const struct loop_limits limits = {
	    .conn_max = 4, .frame_max = M3UA_FRAME_MAX, .out_max = 64 << 20, .handshake_ms = 10000};

	s->loop = loop_new(&limits);
	s->device = calloc(s->device_n, sizeof *s->device);
	s->attack = calloc(sim_attack_n, sizeof *s->attack);
	s->mem = (struct arena){malloc(1 << 20), 0, 1 << 20};
	s->left = s->device_n;
	for (size_t g = 0; s->device && g < s->group_n; g++) {
		for (uint32_t i = 0; i < s->group[g].n; i++)
			s->device[s->group[g].at + i].group = (uint8_t)g;
	}
	return s->loop && s->device && s->attack && s->mem.base && sim_map_open(s);
}

static int play(struct sim_map *s)
{
	loop_every(s->loop, 1, sim_map_tick, s);
	sim_map_dial(s);
	loop_run(s->loop);
	if (s->failed)
		return EXIT_FAILED;
	if (s->conf.attacks)
		return sim_attack_report(s) ? EXIT_DONE : EXIT_FAILED;
	sim_map_report(s);
	return s->answers > 0 ? EXIT_DONE : EXIT_FAILED;
}

int sim_map_play(const struct sim_map_options *o)
{
	struct sim_map *s = calloc(1, sizeof *s);
	char why[256] = "";
	int code = s ? take_options(s, o) : EXIT_FAILED;

	if (code == EXIT_DONE && loop_prepare(&s->conf.to, why)) {
		fprintf(stderr, "merlon simulate: %s\n", why);
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE)
		code = make(s) ? play(s) : wrong("out of memory");
	if (s) {
		m3ua_node_free(s->node);
		loop_free(s->loop);
		free(s->device);
		free(s->attack);
		free(s->mem.base);
		free(s);
	}
	return code;
}
