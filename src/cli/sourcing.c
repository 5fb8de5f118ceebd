/* merlon sourcing: what is past its end, or was never what it should be, of those who make our cards, of the
 * cards, their keys and algorithms, and of device types: one line a finding (R-5.1.1.2.a, R-5.2.a,
 * .l). */
#include "cli/cli.h"
#include "cli/reach.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAGE 5000

struct sourcing {
	struct reach reach;
	json_t *supplier, *batch, *profile; /* all of them, by name */
	char now[32];
	uint64_t lines, found;
	time_t told;
};

static const char *text(const json_t *o, const char *name)
{
	const char *value = json_string_value(json_object_get(o, name));

	return value ? value : "";
}

/* Times are written so that they sort as text (2026-11-25T10:00:00Z); empty is never. */
static bool past(const struct sourcing *s, const char *until)
{
	return until[0] && strcmp(until, s->now) <= 0;
}

static void finding(struct sourcing *s, const char *object, const char *key, const char *clause,
		    const char *what, const char *of)
{
	json_t *o;

	s->found++;
	if (!s->reach.json) {
		printf("%-12s %-20s %-12s %s%s%s\n", object, key, clause, what, of[0] ? " " : "", of);
		return;
	}
	o = json_pack("{s:s,s:s,s:s,s:s,s:s}", "object", object, "key", key, "clause", clause, "finding",
		      what, "of", of);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void progress(struct sourcing *s, bool last)
{
	if (!isatty(STDERR_FILENO) || s->reach.json || (!last && time(NULL) == s->told))
		return;
	s->told = time(NULL);
	fprintf(stderr, "\r%llu lines%s", (unsigned long long)s->lines, last ? "\n" : "");
}

/* All records of a kind, page by page. */
static int each(struct sourcing *s, const char *object, void (*take)(struct sourcing *s, json_t *o))
{
	char after[80] = "";
	struct keep rep;
	json_t *page, *o;
	size_t i;

	do {
		struct keep req = {.op = KEEP_LIST};
		int code;

		keep_put_text(&req, KEEP_OBJECT, view_of(object));
		keep_put_text(&req, KEEP_MODE, VIEW("json"));
		keep_put_num(&req, KEEP_MOST, PAGE);
		keep_put_text(&req, KEEP_AFTER, view_of(after));
		code = reach_call(&s->reach, "sourcing", &req, &rep);
		if (code != EXIT_DONE)
			return code;
		page = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
		if (!view_text(rep.text[KEEP_NEXT], after, sizeof after))
			after[0] = 0;
		json_array_foreach(page, i, o) take(s, o);
		json_decref(page);
	} while (after[0]);
	return EXIT_DONE;
}

/* --- what has an end -------------------------------------------------------------------------- */

static void take_supplier(struct sourcing *s, json_t *o)
{
	const char *name = text(o, "name"), *until = text(o, "sas_until");

	json_object_set(s->supplier, name, o);
	if (!until[0])
		finding(s, "supplier", name, "R-5.2.4.l", "no SAS accreditation is recorded", "");
	else if (past(s, until))
		finding(s, "supplier", name, "R-5.2.4.l", "its SAS accreditation ended", until);
}

static void certified(struct sourcing *s, const char *object, const char *key, const json_t *o)
{
	if (!text(o, "certificate")[0])
		finding(s, object, key, "R-5.2.4.l", "no security certification is recorded", "");
	else if (past(s, text(o, "certified_until")))
		finding(s, object, key, "R-5.2.4.l", "its certification ended", text(o, "certified_until"));
}

static void take_batch(struct sourcing *s, json_t *o)
{
	json_object_set(s->batch, text(o, "name"), o);
	certified(s, "batch", text(o, "name"), o);
	if (past(s, text(o, "keys_until")))
		finding(s, "batch", text(o, "name"), "R-5.2.a", "its keys are past their end",
			text(o, "keys_until"));
}

static void take_profile(struct sourcing *s, json_t *o)
{
	json_object_set(s->profile, text(o, "name"), o);
}

/* Types that are allowed: single devices are not certified. */
static void take_type(struct sourcing *s, json_t *o)
{
	if (strlen(text(o, "imei")) == 8 && strcmp(text(o, "list"), "white") == 0)
		certified(s, "equipment", text(o, "imei"), o);
}

/* Numbers of one length sort as text. */
static const json_t *batch_of(const struct sourcing *s, const char *iccid)
{
	const char *name;
	json_t *o;

	json_object_foreach(s->batch, name, o)
	{
		const char *from = text(o, "iccid_from");

		if (iccid[0] && strlen(iccid) == strlen(from) && strcmp(iccid, from) >= 0 &&
		    strcmp(iccid, text(o, "iccid_to")) <= 0)
			return o;
	}
	return NULL;
}

/* "milenage=2035-12-31" of sourcing.algorithms; "" = it has no end. */
static const char *end_of(const struct sourcing *s, const char *alg)
{
	const struct conf_list *list = &s->reach.conf.algorithms;
	size_t n = strlen(alg);

	for (size_t i = 0; i < list->n; i++) {
		if (strncmp(list->text[i], alg, n) == 0 && list->text[i][n] == '=')
			return list->text[i] + n + 1;
	}
	return "";
}

static bool is_yes(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name)) || strcmp(text(o, name), "yes") == 0;
}

static void take_line(struct sourcing *s, json_t *o)
{
	const char *imsi = text(o, "imsi"), *alg = text(o, "alg");
	const json_t *batch = batch_of(s, text(o, "iccid")), *profile;

	s->lines++;
	progress(s, false);
	if (strcmp(text(o, "life"), "retired") == 0)
		return;
	profile = json_object_get(s->profile, text(o, "profile"));
	if (past(s, end_of(s, alg)))
		finding(s, "subscription", imsi, "R-5.2.a", "its algorithm is past its end:", alg);
	if (batch && past(s, text(batch, "keys_until")))
		finding(s, "subscription", imsi, "R-5.2.a", "its keys are past their end: batch",
			text(batch, "name"));
	if (is_yes(profile, "tamper") && (!batch || strcmp(text(batch, "form"), "mff2") != 0))
		finding(s, "subscription", imsi, "R-5.1.1.2.a",
			"tampering is a threat, and its card can be taken out:",
			batch ? text(batch, "form") : "no batch");
}

static int report(struct sourcing *s)
{
	static const struct {
		const char *object;
		void (*take)(struct sourcing *s, json_t *o);
	} kinds[] = {{"supplier", take_supplier},
		     {"batch", take_batch},
		     {"profile", take_profile},
		     {"equipment", take_type},
		     {"subscription", take_line}};
	time_t now = time(NULL);
	struct tm tm;
	int code = EXIT_DONE;

	gmtime_r(&now, &tm);
	strftime(s->now, sizeof s->now, "%Y-%m-%dT%H:%M:%SZ", &tm);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && code == EXIT_DONE; i++)
		code = each(s, kinds[i].object, kinds[i].take);
	progress(s, true);
	if (code == EXIT_DONE && !s->reach.json)
		printf("%llu lines, %llu findings\n", (unsigned long long)s->lines,
		       (unsigned long long)s->found);
	return code == EXIT_DONE && s->found > 0 ? EXIT_FAILED : code;
}

int cmd_sourcing(int argc, char **argv)
{
	static const struct command me = {"sourcing", "sourcing [--json]",
					  "Report what is past its end, or has none recorded: SAS "
					  "accreditations of suppliers, certifications of\n"
					  "batches and of device types (white TACs), keys of batches, "
					  "algorithms (sourcing.algorithms), and cards\n"
					  "that can be taken out where the profile says that tampering is a "
					  "threat. One line a finding; exit code 1\n"
					  "if there is any.",
					  cmd_sourcing};
	struct sourcing s = {0};
	const struct arg row[] = {REACH_ARGS(s.reach)};
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n > 0) {
		fprintf(stderr, "merlon sourcing: takes no arguments; see merlon sourcing --help\n");
		return EXIT_USAGE;
	}
	s.supplier = json_object();
	s.batch = json_object();
	s.profile = json_object();
	code = reach_open(&s.reach, me.name, true);
	if (code == EXIT_DONE)
		code = report(&s);
	reach_close(&s.reach);
	json_decref(s.supplier);
	json_decref(s.batch);
	json_decref(s.profile);
	return code;
}
