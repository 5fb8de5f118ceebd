/* merlon run: every role of one configuration, under one supervisor. */
#include "cli/cli.h"
#include "cli/reach.h"
#include "cli/supervise.h"
#include "loop/wipe.h"
#include "portal/selfsign.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct run {
	const char *file, *data_dir;
	bool demo;
	struct arg_many role;
};

/* Where the demo's files lie: beside an installed merlon, or in the checkout that it is run from.
 */
static const char *share_file(const char *name, char path[512])
{
	const char *dir = access("share/demo", R_OK) == 0 ? "share" : MERLON_SHARE;

	snprintf(path, 512, "%s/demo/%s", dir, name);
	return path;
}

/* The demo's subscriptions are loaded once: what someone has changed since stays. */
static bool has_subscriptions(struct reach *r)
{
	struct keep req = {.op = KEEP_STATE}, rep;
	json_int_t n = 1;
	json_t *state;

	if (reach_open(r, "run", true) == EXIT_DONE &&
	    reach_call(r, "run", &req, &rep) == EXIT_DONE) {
		state =
		    json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
		n = json_integer_value(
		    json_object_get(json_object_get(state, "records"), "subscription"));
		json_decref(state);
	}
	reach_close(r);
	return n > 0;
}

static void load_demo(const struct run *run)
{
	struct reach r = {.file = run->file, .data_dir = run->data_dir};
	char subs[512], gear[512];
	char *path[2] = {subs, gear};
	static const struct import_how how = {0};

	share_file("subscriptions.csv", subs);
	share_file("equipment.csv", gear);
	if (!has_subscriptions(&r) && import_files(&r, &how, 2, path) != EXIT_DONE)
		fprintf(stderr, "merlon: the demo's subscriptions could not be loaded whole\n");
}

static void print_list(const char *name, const struct conf_list *list)
{
	printf("  %-10s", name);
	for (size_t i = 0; i < list->n; i++)
		printf(" %s", list->text[i]);
	printf("\n");
}

/* Where people go, and how they know that it is ours: the certificate's fingerprint, and at the first
 * start the one-time link, which is for a person's eyes: what is no terminal may be a log. */
static void print_portal(const struct conf *c, bool eyes)
{
	char path[CONF_TEXT_MAX + 32], text[512] = "", print[FINGERPRINT_TEXT];
	FILE *f;

	printf("  %-10s https://%s/  API /api/v1/openapi.json\n", "portal:", c->portal_listen);
	snprintf(path, sizeof path, "%s/portal/tls.chain", c->data_dir);
	if (fingerprint(c->portal_chain[0] ? c->portal_chain : path, print))
		printf("  %-10s SHA-256 %s\n", "", print);
	snprintf(path, sizeof path, "%s/portal/setup-link", c->data_dir);
	f = fopen(path, "re");
	if (f && fgets(text, sizeof text, f))
		printf("  %-10s %s%s             (once; it makes the first operator-admin)\n", "set up:",
		       eyes ? text : path, eyes ? "" : "\n");
	if (f)
		fclose(f);
}

static bool has_role(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->roles.n; i++) {
		if (strcmp(c->roles.text[i], name) == 0)
			return true;
	}
	return false;
}

static void print_hints(const struct run *run, const struct conf *c)
{
	char with[600] = "";

	if (run->file)
		snprintf(with, sizeof with, " --config %.250s", run->file);
	if (run->data_dir)
		snprintf(with + strlen(with), 300, " --data %.250s", run->data_dir);
	printf("\nTry, in another terminal:\n"
	       "  merlon list subscription%s\n"
	       "  merlon simulate --rate 100 --duration 10\n"
	       "  merlon set subscription 999700000000001 life=suspended%s\n"
	       "  merlon watch%s%.250s\n"
	       "  merlon audit%s\n"
	       "  curl http://%s/metrics\n"
	       "Events: %s\n"
	       "Ctrl-C stops.\n",
	       with, with, run->file ? " --config " : "", run->file ? run->file : "", with,
	       c->watch_listen, c->watch_events);
}

static void up(const struct conf *c, void *ctx)
{
	const struct run *run = ctx;

	if (run->role.n > 0) {
		printf("merlon %s: up:", MERLON_VERSION);
		for (size_t i = 0; i < run->role.n; i++)
			printf(" %s", run->role.text[i]);
		printf("\n");
		fflush(stdout);
		return;
	}
	if (run->demo)
		load_demo(run);
	printf("merlon %s is up: network %s\n", MERLON_VERSION, c->realm);
	print_list("partners:", &c->edge_listen);
	print_list("home:", &c->home_listen);
	printf("  %-10s http://%s/metrics /healthz /readyz /live.json\n",
	       "watch:", c->watch_listen);
	if (has_role(c, "portal"))
		print_portal(c, run->demo || isatty(STDOUT_FILENO));
	print_hints(run, c);
	fflush(stdout);
}

int cmd_run(int argc, char **argv)
{
	static const struct command me = {
	    "run", "run [--config FILE] [--data DIR] [--demo] [--role NAME]...",
	    "Start the roles of a configuration, each a process with its own user and sandbox, and "
	    "keep them\n"
	    "running. SIGHUP reloads, SIGTERM or Ctrl-C stops. Without a configuration: defaults.",
	    cmd_run};
	struct run run = {0};
	const struct arg row[] = {
	    {"--config", ARG_TEXT, &run.file, "FILE", "the configuration (/etc/merlon/merlon.yaml)",
	     0, 0},
	    {"--data", ARG_TEXT, &run.data_dir, "DIR",
	     "the data directory, if another than configured", 0, 0},
	    {"--role", ARG_MANY, &run.role, "NAME",
	     "start this role alone, others elsewhere, as merlon prepare has made it ready; may be "
	     "repeated",
	     0, 0},
	    {"--demo", ARG_FLAG, &run.demo, "", "load the demo network: partners, tenants, 30 SIMs",
	     0, 0},
	};
	struct supervise s = {.up = up, .ctx = &run};
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (!wipe_prepare())
		fprintf(stderr, "merlon: OpenSSL was used before: the signer cannot wipe what it frees\n");
	if (n > 0) {
		fprintf(stderr, "merlon run: takes no arguments; see merlon run --help\n");
		return EXIT_USAGE;
	}
	s.file = run.file = conf_file(run.file);
	s.data_dir = run.data_dir;
	s.demo = run.demo;
	s.role = run.role.text;
	s.role_n = run.role.n;
	return supervise(&s);
}
