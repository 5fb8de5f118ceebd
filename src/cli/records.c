/* merlon show, list, set, delete, approve, export: records by way of the keeper. */
#include "cli/cli.h"
#include "cli/reach.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define OBJECTS "subscription, profile, tenant, network, equipment, rule, range, supplier, batch, platform"

static void print_view(struct view v)
{
	fwrite(v.p, 1, v.n, stdout);
	if (v.n > 0 && v.p[v.n - 1] != '\n')
		putchar('\n');
}

static void print_value(const char *key, const json_t *v)
{
	char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

	printf("%-16s %s\n", key, text ? text : json_string_value(v));
	free(text);
}

static void print_object(struct view body)
{
	json_t *o = json_loadb((const char *)body.p, body.n, 0, NULL), *v;
	const char *key;

	if (!json_is_object(o))
		print_view(body);
	else
		json_object_foreach(o, key, v) print_value(key, v);
	json_decref(o);
}

int cmd_show(int argc, char **argv)
{
	static const struct command me = {"show", "show OBJECT KEY [--json]",
					  "Show one record. Objects: " OBJECTS ".", cmd_show};
	struct reach r = {0};
	const struct arg row[] = {REACH_ARGS(r)};
	struct keep req = {.op = KEEP_GET}, rep;
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n != 2) {
		fprintf(stderr, "merlon show: give an object and a key; see merlon show --help\n");
		return EXIT_USAGE;
	}
	code = reach_open(&r, me.name, true);
	keep_put_text(&req, KEEP_OBJECT, view_of(argv[0]));
	keep_put_text(&req, KEEP_KEY, view_of(argv[1]));
	if (code == EXIT_DONE)
		code = reach_call(&r, me.name, &req, &rep);
	if (code == EXIT_DONE && r.json)
		print_view(rep.text[KEEP_BODY]);
	else if (code == EXIT_DONE)
		print_object(rep.text[KEEP_BODY]);
	reach_close(&r);
	return code;
}

/* All pages of a list: CSV, or JSON as the keeper writes it. */
static int print_pages(struct reach *r, const char *command, enum keep_op op, int argc, char **argv)
{
	struct keep rep;
	char after[80] = "";
	int code;

	do {
		struct keep req = {.op = op};

		keep_put_text(&req, KEEP_OBJECT, view_of(argv[0]));
		keep_put_num(&req, KEEP_MOST, 5000);
		keep_put_text(&req, KEEP_AFTER, view_of(after));
		if (op == KEEP_LIST)
			keep_put_text(&req, KEEP_MODE, r->json ? VIEW("json") : VIEW("csv"));
		for (int i = 1; i < argc && req.pair_n < KEEP_PAIRS_MAX; i++)
			req.pair[req.pair_n++] = view_of(argv[i]);
		if (req.pair_n > 0)
			req.has |= 1ull << KEEP_PAIR;
		code = reach_call(r, command, &req, &rep);
		if (code != EXIT_DONE)
			return code;
		print_view(rep.text[KEEP_BODY]);
		if (!view_text(rep.text[KEEP_NEXT], after, sizeof after))
			return EXIT_FAILED;
	} while (after[0]);
	return EXIT_DONE;
}

static int list_or_export(const struct command *me, enum keep_op op, int argc, char **argv)
{
	struct reach r = {0};
	const struct arg row[] = {REACH_ARGS(r)};
	int code, n = args_read(me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n < 1) {
		fprintf(stderr, "merlon %s: name an object: " OBJECTS "\n", me->name);
		return EXIT_USAGE;
	}
	code = reach_open(&r, me->name, true);
	if (code == EXIT_DONE)
		code = print_pages(&r, me->name, op, n, argv);
	reach_close(&r);
	return code;
}

int cmd_list(int argc, char **argv)
{
	static const struct command me = {
	    "list", "list OBJECT [field=value]... [--json]",
	    "List records, as CSV or JSON; only those whose fields are as given.\n"
	    "Objects: " OBJECTS ".",
	    cmd_list};

	return list_or_export(&me, KEEP_LIST, argc, argv);
}

int cmd_export(int argc, char **argv)
{
	static const struct command me = {
	    "export", "export OBJECT [field=value]...",
	    "Write records as CSV that merlon import takes back. Keys never leave.", cmd_export};

	return list_or_export(&me, KEEP_EXPORT, argc, argv);
}

static int change(struct reach *r, const struct command *me, enum keep_op op, int n, char **argv)
{
	struct keep req = {.op = op}, rep;
	char why[256];
	enum err err;

	keep_put_text(&req, KEEP_OBJECT, view_of(argv[0]));
	keep_put_text(&req, KEEP_KEY, view_of(argv[1]));
	for (int i = 2; i < n && req.pair_n < KEEP_PAIRS_MAX; i++)
		req.pair[req.pair_n++] = view_of(argv[i]);
	if (req.pair_n > 0)
		req.has |= 1ull << KEEP_PAIR;
	err = client_call(r->client, &req, &rep, why);
	if (!err && client_status(&rep) == ERR_APPROVAL) {
		fprintf(stderr,
			"merlon %s: a second person must approve this: merlon approve %llu\n",
			me->name, (unsigned long long)rep.num[KEEP_APPROVAL]);
		return EXIT_FAILED;
	}
	if (!err && client_status(&rep) == ERR_OK) {
		if (r->json)
			printf("{\"done\":true,\"feed\":%llu}\n",
			       (unsigned long long)rep.num[KEEP_FEED]);
		return EXIT_DONE;
	}
	fprintf(stderr, "merlon %s: %.*s\n", me->name, err ? 255 : (int)rep.text[KEEP_REASON].n,
		err ? why : (const char *)rep.text[KEEP_REASON].p);
	return EXIT_FAILED;
}

static int set_or_delete(const struct command *me, enum keep_op op, int argc, char **argv)
{
	struct reach r = {0};
	const struct arg row[] = {REACH_ARGS(r)};
	int code, n = args_read(me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n < 2 || (op == KEEP_SET && n > 2 + KEEP_PAIRS_MAX) || (op == KEEP_DELETE && n != 2)) {
		fprintf(stderr, "merlon %s: give an object and a key; see merlon %s --help\n",
			me->name, me->name);
		return EXIT_USAGE;
	}
	code = reach_open(&r, me->name, true);
	if (code == EXIT_DONE)
		code = change(&r, me, op, n, argv);
	reach_close(&r);
	return code;
}

int cmd_set(int argc, char **argv)
{
	static const struct command me = {
	    "set", "set OBJECT KEY field=value...",
	    "Create or change a record; signalling follows at once (CLR, IDR or DSR to the serving "
	    "node).\n"
	    "Objects: " OBJECTS ".\n\n"
	    "  merlon set subscription 999700000000001 life=suspended\n"
	    "  merlon set profile meter apn1=meters.iot:ipv4:9:15:100000:100000\n"
	    "  merlon set rule quiet check=plausibility.velocity mode=observe plmn=00101",
	    cmd_set};

	return set_or_delete(&me, KEEP_SET, argc, argv);
}

int cmd_delete(int argc, char **argv)
{
	static const struct command me = {"delete", "delete OBJECT KEY",
					  "Delete a record that nothing needs.", cmd_delete};

	return set_or_delete(&me, KEEP_DELETE, argc, argv);
}

int cmd_approve(int argc, char **argv)
{
	static const struct command me = {"approve", "approve [ID]",
					  "Without ID: list what waits for a second person. With "
					  "it: approve. The person who asked cannot.",
					  cmd_approve};
	struct reach r = {0};
	const struct arg row[] = {REACH_ARGS(r)};
	struct keep req = {.op = KEEP_PENDING}, rep;
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n > 0) {
		req.op = KEEP_CONFIRM;
		keep_put_num(&req, KEEP_APPROVE, strtoull(argv[0], NULL, 10));
	}
	code = reach_open(&r, me.name, true);
	if (code == EXIT_DONE)
		code = reach_call(&r, me.name, &req, &rep);
	if (code == EXIT_DONE)
		print_view(rep.text[KEEP_BODY]);
	reach_close(&r);
	return code;
}
