/* merlon job: bulk changes, by way of the keeper: tried first, then carried out, paused, cancelled.
 */
#include "cli/cli.h"
#include "cli/reach.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "job"
#define BLOCK ((size_t)1 << 20)
#define LOOK_US 200000

struct wish {
	struct reach r;
	struct arg_many filter;
	const char *csv, *note;
	uint64_t pace;
	bool start, wait, failed;
};

static void print_view(struct view v)
{
	fwrite(v.p, 1, v.n, stdout);
	if (v.n > 0 && v.p[v.n - 1] != '\n')
		putchar('\n');
}

static long long number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "";
}

static int call(struct wish *w, const char *mode, const char *id, struct keep *rep)
{
	struct keep req = {.op = KEEP_JOB};

	keep_put_text(&req, KEEP_MODE, view_of(mode));
	keep_put_text(&req, KEEP_NAME, view_of(id ? id : ""));
	return reach_call(&w->r, NAME, &req, rep);
}

/* The job as the keeper has it now; NULL after one clear line. */
static json_t *fetch_job(struct wish *w, const char *id)
{
	struct keep rep;
	json_t *o = NULL;

	if (call(w, "show", id, &rep) == EXIT_DONE)
		o = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	return o;
}

static void print_list(const json_t *of, const char *what, const char *name, const char *n)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(of, what), i, e)
	{
		printf("  %-28s %lld", text(e, name), number(e, n));
		if (json_object_get(e, "of"))
			printf(" of %lld", number(e, "of"));
		printf("%s\n", json_is_true(json_object_get(e, "too_many"))
				   ? ", which needs a second person"
				   : "");
	}
}

static void print_job(const json_t *o)
{
	const json_t *trial = json_object_get(o, "trial");

	printf("job %lld: %s\n", number(o, "id"), text(o, "state"));
	printf("%s: %s%s%s\n", text(o, "object"), text(o, "changes"),
	       text(o, "filter")[0] ? " where " : "", text(o, "filter"));
	printf(
	    "%lld rows: %lld change, %lld stay, %lld would be refused, %lld need a second person\n",
	    number(o, "rows"), number(o, "change"), number(o, "same"), number(o, "bad"),
	    number(o, "second_person"));
	print_list(trial, "effects", "what", "devices");
	print_list(trial, "tenants", "tenant", "touched");
	if (number(o, "started_ms"))
		printf("%lld of %lld done, %lld refused\n", number(o, "done"), number(o, "rows"),
		       number(o, "refused"));
	if (text(o, "why")[0])
		printf("%s\n", text(o, "why"));
}

static int show(struct wish *w, const char *id)
{
	struct keep rep;
	json_t *o;

	if (w->r.json) {
		int code = call(w, "show", id, &rep);

		if (code == EXIT_DONE)
			print_view(rep.text[KEEP_BODY]);
		return code;
	}
	o = fetch_job(w, id);
	if (!o)
		return EXIT_FAILED;
	print_job(o);
	json_decref(o);
	return EXIT_DONE;
}

static bool ended(const char *state, bool running)
{
	static const char *const all[] = {"ready", "asked",	"paused",
					  "done",  "cancelled", "failed"};

	for (size_t i = running ? 2 : 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(state, all[i]) == 0)
			return true;
	}
	return false;
}

/* Until it has been tried, or carried out; how far it is on a terminal. */
static int wait_for(struct wish *w, const char *id, bool running)
{
	json_t *o;
	bool over = false;
	int code = EXIT_DONE;

	while (!over) {
		o = fetch_job(w, id);
		if (!o)
			return EXIT_FAILED;
		over = ended(text(o, "state"), running);
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\r%s: %lld of %lld rows%s", text(o, "state"),
				number(o, running ? "at" : "tried"), number(o, "rows"),
				over ? "\n" : " ");
		if (over && strcmp(text(o, "state"), "failed") == 0)
			code = EXIT_FAILED;
		json_decref(o);
		if (!over)
			usleep(LOOK_US);
	}
	return code;
}

static int act(struct wish *w, const char *mode, const char *id)
{
	struct keep rep;
	int code = call(w, mode, id, &rep);

	if (code == EXIT_DONE && w->wait &&
	    (strcmp(mode, "start") == 0 || strcmp(mode, "approve") == 0))
		code = wait_for(w, id, true);
	return code == EXIT_DONE && (w->wait || w->r.json) ? show(w, id) : code;
}

static int result(struct wish *w, const char *id)
{
	char after[32] = "";
	struct keep rep;
	int code;

	do {
		struct keep req = {.op = KEEP_JOB};

		keep_put_text(&req, KEEP_MODE, w->failed ? VIEW("bad") : VIEW("result"));
		keep_put_text(&req, KEEP_NAME, view_of(id));
		keep_put_text(&req, KEEP_AFTER, view_of(after));
		code = reach_call(&w->r, NAME, &req, &rep);
		if (code != EXIT_DONE)
			return code;
		print_view(rep.text[KEEP_BODY]);
		if (!view_text(rep.text[KEEP_NEXT], after, sizeof after))
			return EXIT_FAILED;
	} while (after[0]);
	return EXIT_DONE;
}

/* --- a new one --- */

static int send_lines(struct wish *w, const char *id, struct view lines, bool last)
{
	struct keep req = {.op = KEEP_JOB}, rep;

	keep_put_text(&req, KEEP_MODE, last ? VIEW("end") : VIEW("rows"));
	keep_put_text(&req, KEEP_NAME, view_of(id));
	keep_put_text(&req, KEEP_LINES, lines);
	return reach_call(&w->r, NAME, &req, &rep);
}

/* The rest of the file, whole lines at a time. */
static int send_file(struct wish *w, const char *id, FILE *f, uint8_t *room)
{
	size_t n = 0, got, whole;
	int code = EXIT_DONE;

	while (code == EXIT_DONE && (got = fread(room + n, 1, BLOCK - n, f)) > 0) {
		const uint8_t *end = memrchr(room, '\n', n + got);

		n += got;
		whole = end ? (size_t)(end - room) + 1 : 0;
		if (whole == 0 && n == BLOCK) {
			fprintf(stderr, "merlon job: a line is too long\n");
			return EXIT_FAILED;
		}
		if (whole > 0)
			code = send_lines(w, id, (struct view){room, whole}, false);
		memmove(room, room + whole, n - whole);
		n -= whole;
	}
	return code == EXIT_DONE ? send_lines(w, id, (struct view){room, n}, true) : code;
}

static int new_job(struct wish *w, int argc, char **argv, const char *header, char id[24])
{
	struct keep req = {.op = KEEP_JOB}, rep;
	char filter[4096] = "";
	json_t *o;
	int code;

	for (size_t i = 0; i < w->filter.n; i++) {
		size_t at = strlen(filter);

		snprintf(filter + at, sizeof filter - at, "%s%s", i ? "\n" : "", w->filter.text[i]);
	}
	keep_put_text(&req, KEEP_MODE, VIEW("new"));
	keep_put_text(&req, KEEP_OBJECT, view_of(argv[0]));
	keep_put_text(&req, KEEP_HEADER, view_of(header));
	keep_put_text(&req, KEEP_LINES, view_of(filter));
	keep_put_text(&req, KEEP_KEY, view_of(w->note ? w->note : ""));
	keep_put_num(&req, KEEP_MOST, w->pace);
	for (int i = 1; i < argc && req.pair_n < KEEP_PAIRS_MAX; i++)
		req.pair[req.pair_n++] = view_of(argv[i]);
	if (req.pair_n > 0)
		req.has |= 1ull << KEEP_PAIR;
	code = reach_call(&w->r, NAME, &req, &rep);
	if (code != EXIT_DONE)
		return code;
	o = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	snprintf(id, 24, "%lld", number(o, "job"));
	json_decref(o);
	return EXIT_DONE;
}

static int from_csv(struct wish *w, int argc, char **argv, char id[24])
{
	FILE *f = strcmp(w->csv, "-") == 0 ? stdin : fopen(w->csv, "re");
	char header[2048] = "";
	uint8_t *room = malloc(BLOCK);
	int code = EXIT_FAILED;

	if (!f || !room || !fgets(header, sizeof header, f))
		fprintf(stderr, "merlon job: %s cannot be read, or is empty\n", w->csv);
	else
		code = new_job(w, argc, argv, header, id);
	if (code == EXIT_DONE)
		code = send_file(w, id, f, room);
	if (f && f != stdin)
		fclose(f);
	free(room);
	return code;
}

static int make(struct wish *w, int argc, char **argv)
{
	char id[24] = "";
	int code;

	if (argc < 1 || !w->csv == !w->filter.n) {
		fprintf(
		    stderr,
		    "merlon job: give an object, and --filter or --csv; see merlon job --help\n");
		return EXIT_USAGE;
	}
	code = w->csv ? from_csv(w, argc, argv, id) : new_job(w, argc, argv, "", id);
	if (code == EXIT_DONE && !w->start && !w->wait && !w->r.json)
		printf("job %s\n", id);
	if (code == EXIT_DONE && (w->start || w->wait))
		code = wait_for(w, id, false);
	if (code == EXIT_DONE && w->start)
		return act(w, "start", id);
	return code == EXIT_DONE && (w->wait || w->r.json) ? show(w, id) : code;
}

static int list(struct wish *w)
{
	struct keep rep;
	int code = call(w, "list", NULL, &rep);
	json_t *all, *o;
	size_t i;

	if (code != EXIT_DONE)
		return code;
	if (w->r.json) {
		print_view(rep.text[KEEP_BODY]);
		return code;
	}
	all = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	json_array_foreach(all, i, o)
	{
		printf("%6lld %-10s %9lld of %9lld rows %8lld refused  %s %s\n", number(o, "id"),
		       text(o, "state"), number(o, "at"), number(o, "rows"), number(o, "refused"),
		       text(o, "object"), text(o, "changes"));
	}
	json_decref(all);
	return code;
}

static int verb(struct wish *w, int n, char **argv)
{
	static const char *const verbs[] = {"start", "pause", "cancel", "approve"};
	const char *id = n == 2 ? argv[1] : NULL;

	if (strcmp(argv[0], "new") == 0)
		return make(w, n - 1, argv + 1);
	if (strcmp(argv[0], "list") == 0)
		return list(w);
	if (id && strcmp(argv[0], "show") == 0)
		return w->wait && wait_for(w, id, true) != EXIT_DONE ? EXIT_FAILED : show(w, id);
	if (id && strcmp(argv[0], "result") == 0)
		return result(w, id);
	for (size_t i = 0; id && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(argv[0], verbs[i]) == 0)
			return act(w, verbs[i], id);
	}
	fprintf(stderr, "merlon job: new, list, or show, start, pause, cancel, approve, result "
			"with a job's number\n");
	return EXIT_USAGE;
}

int cmd_job(int argc, char **argv)
{
	static const struct command me = {
	    "job",
	    "job new OBJECT field=value... --filter name=value | list | show ID | start ID | ...",
	    "Change many records at once. A new job is tried first: it says how many change, what "
	    "they lose,\n"
	    "what would be refused, and whether a second person must agree; nothing is changed "
	    "until it is\n"
	    "started. It goes on where it was when the keeper is started again; no row is done "
	    "twice.\n\n"
	    "  merlon job new subscription life=suspended --filter tenant=meters --filter "
	    "life=active --wait\n"
	    "  merlon job new subscription --csv moves.csv --start --wait\n"
	    "  merlon job list, show ID, start ID, pause ID, cancel ID, approve ID, result ID",
	    cmd_job};
	struct wish w = {0};
	const struct arg row[] = {
	    REACH_ARGS(w.r),
	    {"--filter", ARG_MANY, &w.filter, "F=V",
	     "which records: all that are given must hold; V* begins with", 0, 0},
	    {"--csv", ARG_TEXT, &w.csv, "FILE", "a line a record; its columns are changes too", 0,
	     0},
	    {"--note", ARG_TEXT, &w.note, "TEXT", "why, for whoever looks at it later", 0, 0},
	    {"--pace", ARG_NUMBER, &w.pace, "N", "rows a second at most", 1, 1000000},
	    {"--start", ARG_FLAG, &w.start, "", "of a new job: start it when it has been tried", 0,
	     0},
	    {"--wait", ARG_FLAG, &w.wait, "", "until it has been tried, or carried out", 0, 0},
	    {"--failed", ARG_FLAG, &w.failed, "", "of a result: the rows that were refused", 0, 0},
	};
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n < 1) {
		fprintf(stderr,
			"merlon job: new, list, show, start, pause, cancel, approve or result?\n");
		return EXIT_USAGE;
	}
	code = reach_open(&w.r, me.name, true);
	if (code == EXIT_DONE)
		code = verb(&w, n, argv);
	reach_close(&w.r);
	return code;
}
