/* merlon events, merlon alarms: what the event store holds, read as the portal reads it. */
#include "cli/cli.h"
#include "cli/reach.h"
#include "records/events_read.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE ((size_t)4 << 20)
#define LOOK_US 200000

struct asked {
	struct reach r;
	struct events_read *read;
	struct events_query q;
	uint64_t most;
	bool follow, all;
	uint8_t *room;
};

static void print_field(const char *key, const json_t *v)
{
	char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

	printf(" %s=%s", key, text ? text : json_string_value(v));
	free(text);
}

/* A line a person reads: its number, its time, who, what, and the rest as it is. */
static void print_line(const json_t *e)
{
	static const char *const head[] = {"id", "time", "seq", "role", "level", "event"};
	const char *key;
	const json_t *v;
	size_t i;

	printf("%lld %.3f %s %s %s", (long long)json_integer_value(json_object_get(e, "id")),
	       json_number_value(json_object_get(e, "time")),
	       json_string_value(json_object_get(e, "role")),
	       json_string_value(json_object_get(e, "level")),
	       json_string_value(json_object_get(e, "event")));
	for (void *at = json_object_iter((json_t *)(uintptr_t)e); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)e, at)) {
		key = json_object_iter_key(at);
		v = json_object_iter_value(at);
		for (i = 0; i < sizeof head / sizeof *head && strcmp(head[i], key) != 0; i++)
			;
		if (i == sizeof head / sizeof *head)
			print_field(key, v);
	}
	putchar('\n');
}

static void print_events(const struct asked *a, struct view page)
{
	json_t *list, *e;
	size_t i;

	if (a->r.json) {
		for (size_t k = 1; k + 1 < page.n; k++) { /* without the brackets: JSON lines */
			if (page.p[k] == ',' && page.p[k + 1] == '\n')
				continue;
			if (k > 1 || page.p[k] != '\n')
				putchar(page.p[k]);
		}
		if (page.n > 2)
			putchar('\n');
		return;
	}
	list = json_loadb((const char *)page.p, page.n, 0, NULL);
	json_array_foreach(list, i, e) print_line(e);
	json_decref(list);
}

static int read_pages(struct asked *a)
{
	uint64_t last = 0, left = a->most;
	size_t n;

	do {
		struct wr w = {.p = a->room, .cap = PAGE};

		a->q.max = left < EVENTS_MAX ? (size_t)left : EVENTS_MAX;
		if (events_read_list(a->read, &a->q, &w, &last, &n) != ERR_OK) {
			fprintf(stderr, "merlon events: the store cannot be read\n");
			return EXIT_FAILED;
		}
		print_events(a, wr_done(&w));
		left -= n;
		if (last && a->q.newest)
			a->q.before = last;
		else if (last)
			a->q.after = last;
	} while (n > 0 && left > 0);
	fflush(stdout);
	return EXIT_DONE;
}

/* The store is the stream: what was written since is what came. */
static int follow(struct asked *a)
{
	int code = EXIT_DONE;

	a->most = UINT64_MAX;
	if (!a->q.after)
		a->q.after = events_read_last(a->read);
	while (code == EXIT_DONE && !ferror(stdout)) {
		if (events_read_changed(a->read))
			code = read_pages(a);
		usleep(LOOK_US);
	}
	return code;
}

static int open_store(struct asked *a, const char *command)
{
	char why[256];
	int code = reach_open(&a->r, command, false);

	if (code != EXIT_DONE)
		return code;
	a->room = malloc(PAGE);
	if (a->room && events_read_open(&a->read, a->r.conf.watch_store, why) == ERR_OK)
		return EXIT_DONE;
	fprintf(stderr, "merlon %s: %s\n", command, a->room ? why : "out of memory");
	return EXIT_FAILED;
}

static void close_store(struct asked *a)
{
	events_read_close(a->read);
	free(a->room);
	reach_close(&a->r);
}

static bool read_filters(struct asked *a, int n, char **argv)
{
	for (int i = 0; i < n; i++) {
		const char *is = strchr(argv[i], '=');
		struct view name = {(const uint8_t *)argv[i], is ? (size_t)(is - argv[i]) : 0};

		if (is && events_query_set(&a->q, name, view_of(is + 1)) == ERR_OK)
			continue;
		fprintf(stderr, "merlon events: %s is no filter; see merlon events --help\n",
			argv[i]);
		return false;
	}
	return true;
}

int cmd_events(int argc, char **argv)
{
	static const struct command me = {
	    "events", "events [name=value]... [--most N] [--follow] [--json]",
	    "Print what the event store holds, the newest first; with --follow what comes, as it "
	    "comes.\n"
	    "Filters: role, event, check, clause, network, tenant, imsi (as events write it), "
	    "level=error,\n"
	    "from and to (seconds since 1970), after and before (numbers of events). \"value*\": "
	    "begins with.\n\n"
	    "  merlon events network=00103 --most 20\n"
	    "  merlon events event=edge.refused check=plausibility.* --follow",
	    cmd_events};
	struct asked a = {.most = 100};
	const struct arg row[] = {
	    REACH_ARGS(a.r),
	    {"--most", ARG_NUMBER, &a.most, "N", "how many at most (100)", 1, 100000000},
	    {"--follow", ARG_FLAG, &a.follow, "", "go on with what comes", 0, 0},
	};
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (!read_filters(&a, n, argv))
		return EXIT_USAGE;
	code = open_store(&a, me.name);
	a.q.newest = !a.follow && !a.q.after;
	if (code == EXIT_DONE)
		code = a.follow ? follow(&a) : read_pages(&a);
	close_store(&a);
	return code;
}

static void print_alarms(struct view page)
{
	json_t *list = json_loadb((const char *)page.p, page.n, 0, NULL), *e;
	size_t i;

	json_array_foreach(list, i, e)
	{
		printf("%-9s %-20s %-32s %8lld times  %s%s\n",
		       json_string_value(json_object_get(e, "severity")),
		       json_string_value(json_object_get(e, "alarm")),
		       json_string_value(json_object_get(e, "subject")),
		       (long long)json_integer_value(json_object_get(e, "n")),
		       json_string_value(json_object_get(e, "help")),
		       json_integer_value(json_object_get(e, "cleared_us")) ? " (cleared)" : "");
	}
	if (json_array_size(list) == 0)
		printf("no alarm\n");
	json_decref(list);
}

int cmd_alarms(int argc, char **argv)
{
	static const struct command me = {
	    "alarms", "alarms [--all] [--json]",
	    "Print the alarms that are open; with --all those that were cleared too. Who looks "
	    "after one is a\n"
	    "record: merlon set alarm ID state=acknowledged assigned=NAME",
	    cmd_alarms};
	struct asked a = {.most = 1000};
	const struct arg row[] = {
	    REACH_ARGS(a.r),
	    {"--all", ARG_FLAG, &a.all, "", "those that were cleared too", 0, 0},
	};
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);
	struct wr w;

	if (n < 0)
		return code;
	code = open_store(&a, me.name);
	w = (struct wr){.p = a.room, .cap = PAGE};
	if (code == EXIT_DONE && events_read_alarms(a.read, !a.all, (size_t)a.most, &w) != ERR_OK) {
		fprintf(stderr, "merlon alarms: the store cannot be read\n");
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE && a.r.json)
		printf("%.*s\n", (int)w.n, (const char *)w.p);
	else if (code == EXIT_DONE)
		print_alarms(wr_done(&w));
	close_store(&a);
	return code;
}
