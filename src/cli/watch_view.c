/* merlon watch: a live view in the terminal. */
#include "cli/cli.h"
#include "cli/fetch.h"
#include "cli/reach.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NETWORK_MAX 40

struct network {
	char name[8];
	json_int_t arrived, passed, refused, appointed;
};

struct picture {
	struct network network[NETWORK_MAX];
	size_t n;
	json_int_t limit, in_flight, overload, passed[4], refused[4], wave_n, slot_ms;
	json_int_t wave[128];
};

static const char *const class_names[] = {"critical", "high", "normal", "low"};

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void read_networks(struct picture *p, const json_t *role)
{
	const json_t *list = json_object_get(role, "networks"), *n;
	size_t i;

	json_array_foreach(list, i, n)
	{
		struct network *x = &p->network[p->n];

		if (p->n == NETWORK_MAX)
			return;
		snprintf(x->name, sizeof x->name, "%s",
			 json_string_value(json_object_get(n, "network")));
		x->arrived = number(n, "arrived");
		x->passed = number(n, "passed");
		x->refused = number(n, "refused");
		x->appointed = number(n, "appointed");
		p->n++;
	}
}

static void read_role(struct picture *p, const json_t *role)
{
	const json_t *wave = json_object_get(role, "wave"), *x;
	size_t i;

	if (json_array_size(wave) == 0)
		return;
	p->limit = number(role, "limit");
	p->in_flight = number(role, "in_flight");
	p->overload = number(role, "overload_percent");
	p->slot_ms = number(role, "wave_slot_ms");
	json_array_foreach(wave, i, x)
	{
		if (i < sizeof p->wave / sizeof *p->wave)
			p->wave[i] = json_integer_value(x);
	}
	p->wave_n = (json_int_t)json_array_size(wave);
	read_networks(p, role);
}

/* The value of one line of Prometheus text, "name{...class="x"} 12". */
static json_int_t metric(const char *text, const char *name, const char *class)
{
	char label[64];
	const char *at = text;

	snprintf(label, sizeof label, "class=\"%s\"}", class);
	while ((at = strstr(at, name))) {
		const char *end = strchr(at, '\n'), *hit = strstr(at, label);

		if (hit && end && hit < end && at[strlen(name)] == '{')
			return strtoll(hit + strlen(label), NULL, 10);
		at += strlen(name);
	}
	return 0;
}

static bool look(const char *address, struct picture *p, char why[256])
{
	char *live = fetch(address, "/live.json", why),
	     *text = live ? fetch(address, "/metrics", why) : NULL;
	json_t *root = live ? json_loads(live, 0, NULL) : NULL;
	const json_t *role;
	size_t i;

	memset(p, 0, sizeof *p);
	json_array_foreach(json_object_get(root, "roles"), i, role) read_role(p, role);
	for (size_t c = 0; c < 4 && text; c++) {
		p->passed[c] = metric(text, "merlon_edge_passed_total", class_names[c]);
		p->refused[c] = metric(text, "merlon_edge_refused_class_total", class_names[c]);
	}
	json_decref(root);
	free(live);
	free(text);
	return root && text;
}

static void draw_wave(const struct picture *p)
{
	static const char *const bar[] = {" ", ".", ":", "-", "=", "+", "*", "#"};
	json_int_t top = 1;

	for (json_int_t i = 0; i < p->wave_n; i++)
		top = p->wave[i] > top ? p->wave[i] : top;
	printf("\nreturns expected, %lld s to come, highest %lld a slot of %lld s\n  |",
	       (long long)(p->wave_n * p->slot_ms / 1000), (long long)(top == 1 ? p->wave[0] : top),
	       (long long)p->slot_ms / 1000);
	for (json_int_t i = 0; i < p->wave_n && i < 72; i++)
		printf("%s", bar[p->wave[i] * 7 / top]);
	printf("|\n");
}

static void draw(const struct picture *now, const struct picture *was)
{
	printf("target: %lld in flight of %lld allowed, overload report %lld %%\n\n%-10s %12s %12s "
	       "%10s %10s\n",
	       (long long)now->in_flight, (long long)now->limit, (long long)now->overload, "class",
	       "admitted", "refused", "adm/s", "ref/s");
	for (size_t c = 0; c < 4; c++)
		printf("%-10s %12lld %12lld %10lld %10lld\n", class_names[c],
		       (long long)now->passed[c], (long long)now->refused[c],
		       (long long)(now->passed[c] - was->passed[c]),
		       (long long)(now->refused[c] - was->refused[c]));
	printf("\n%-10s %12s %12s %12s %12s %10s\n", "partner", "arrived", "admitted", "refused",
	       "appointed", "arr/s");
	for (size_t i = 0; i < now->n; i++) {
		const struct network *n = &now->network[i];

		printf("%-10s %12lld %12lld %12lld %12lld %10lld\n", n->name, (long long)n->arrived,
		       (long long)n->passed, (long long)n->refused, (long long)n->appointed,
		       (long long)(i < was->n ? n->arrived - was->network[i].arrived : 0));
	}
	draw_wave(now);
}

static int show_json(const char *address)
{
	char why[256], *live = fetch(address, "/live.json", why);

	if (!live) {
		fprintf(stderr, "merlon watch: %s\n", why);
		return EXIT_FAILED;
	}
	fputs(live, stdout);
	free(live);
	return EXIT_DONE;
}

static int show_live(const char *address, bool once)
{
	static struct picture now, was;
	char why[256];

	for (;;) {
		was = now;
		if (!look(address, &now, why)) {
			fprintf(stderr, "merlon watch: %s\n", why);
			return EXIT_FAILED;
		}
		if (was.limit == 0)
			was = now;
		if (!once && isatty(STDOUT_FILENO))
			printf("\033[H\033[J");
		draw(&now, &was);
		fflush(stdout);
		if (once)
			return EXIT_DONE;
		sleep(1);
	}
}

int cmd_watch(int argc, char **argv)
{
	static const struct command me = {"watch", "watch [--config FILE] [--once] [--json]",
					  "Live view: arrivals, admitted and refused by class and "
					  "partner, appointments booked and the wave\n"
					  "of returns that they predict.",
					  cmd_watch};
	static struct reach r;
	bool once = false;
	const struct arg row[] = {
	    REACH_ARGS(r),
	    {"--once", ARG_FLAG, &once, "", "print once and end", 0, 0},
	};
	int code;

	if (args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code) < 0)
		return code;
	code = reach_open(&r, me.name, false);
	if (code != EXIT_DONE)
		return code;
	return r.json ? show_json(r.conf.watch_listen) : show_live(r.conf.watch_listen, once);
}
