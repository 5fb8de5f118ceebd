/* merlon duties, merlon may: what clause 4 asks of us, and what it allows. */
#include "cli/cli.h"
#include "cli/reach.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "";
}

static void print_one(const json_t *o, bool late_only)
{
	time_t due = (time_t)json_integer_value(json_object_get(o, "due_s"));
	bool late = json_is_true(json_object_get(o, "late"));
	char when[32] = "missing";
	struct tm t;

	if (late_only && !late)
		return;
	if (due)
		strftime(when, sizeof when, "%Y-%m-%d %H:%M", gmtime_r(&due, &t));
	printf("%-16s %-5s %-40s %-16s %s (%s)\n", when, late ? "LATE" : "", text(o, "duty"),
	       text(o, "object"), text(o, "key"), text(o, "clause"));
}

int cmd_duties(int argc, char **argv)
{
	static const struct command me = {
	    "duties", "duties [--late] [--json]",
	    "What is due by when, and what is missing: reports of incidents (24 h, 72 h, or as "
	    "their jurisdiction\n"
	    "says), assessments of profiles, agreements, requests of data subjects, nominations. "
	    "With --late\n"
	    "what is past its time alone; exit code 1 if there is any.",
	    cmd_duties};
	struct reach r = {0};
	bool late = false, any = false;
	const struct arg row[] = {
	    REACH_ARGS(r),
	    {"--late", ARG_FLAG, &late, "", "what is past its time alone", 0, 0},
	};
	struct keep req = {.op = KEEP_DUTIES}, rep;
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);
	json_t *all, *o;
	size_t i;

	if (n < 0)
		return code;
	code = reach_open(&r, me.name, true);
	if (code == EXIT_DONE)
		code = reach_call(&r, me.name, &req, &rep);
	if (code == EXIT_DONE) {
		all =
		    json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
		json_array_foreach(all, i, o)
		{
			any |= json_is_true(json_object_get(o, "late"));
			if (!r.json)
				print_one(o, late);
		}
		json_decref(all);
		if (r.json)
			printf("%.*s\n", (int)rep.text[KEEP_BODY].n,
			       (const char *)rep.text[KEEP_BODY].p);
	}
	reach_close(&r);
	return code == EXIT_DONE && late && any ? EXIT_FAILED : code;
}

int cmd_may(int argc, char **argv)
{
	static const struct command me = {
	    "may", "may TENANT PURPOSE [--imsi IMSI] [--country MCC]",
	    "May the data of this tenant's devices be used? PURPOSE: inspection, sharing, "
	    "analytics, location.\n"
	    "By agreements, consents, and what jurisdictions forbid. Exit code 1: no, and why.",
	    cmd_may};
	struct reach r = {0};
	const char *imsi = "", *mcc = "";
	const struct arg row[] = {
	    REACH_ARGS(r),
	    {"--imsi", ARG_TEXT, &imsi, "IMSI", "of this device", 0, 0},
	    {"--country", ARG_TEXT, &mcc, "MCC", "where it is", 0, 0},
	};
	struct keep req = {.op = KEEP_MAY}, rep;
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n != 2) {
		fprintf(stderr, "merlon may: give a tenant and a purpose; see merlon may --help\n");
		return EXIT_USAGE;
	}
	code = reach_open(&r, me.name, true);
	keep_put_text(&req, KEEP_NAME, view_of(argv[0]));
	keep_put_text(&req, KEEP_KEY, view_of(argv[1]));
	keep_put_text(&req, KEEP_AFTER, view_of(imsi));
	keep_put_text(&req, KEEP_HEADER, view_of(mcc));
	if (code == EXIT_DONE)
		code = reach_call(&r, me.name, &req, &rep);
	if (code == EXIT_DONE)
		printf(r.json ? "{\"may\":true}\n" : "yes\n");
	reach_close(&r);
	return code;
}
