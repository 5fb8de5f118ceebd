/* The checklist, clause by clause: a table for people, JSON for programs. */
#include "audit/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOTHING_TRIES "nothing in this version tries it"

struct clause {
	const char *id, *strength, *text;
	enum state state;
	uint64_t at_ms;
	int one; /* the attempt that decided */
	size_t tries, shown;
};

static const char *const words[] = {
    [SHOWN] = "shown", [NOT_SHOWN] = "not shown", [WITHOUT] = "without evidence"};

static FILE *open_list(void)
{
	FILE *f = fopen("share/" REPORT_LIST, "re");

	return f ? f : fopen(MERLON_SHARE "/" REPORT_LIST, "re");
}

/* Cut a line of the checklist; false: none. */
static bool read_clause(char *line, struct clause *c)
{
	char *rest = line;

	line[strcspn(line, "\r\n")] = 0;
	c->id = strsep(&rest, "\t");
	c->strength = strsep(&rest, "\t");
	c->text = strsep(&rest, "\t");
	return c->text && strncmp(c->id, "R-", 2) == 0;
}

static void judge(const struct report *r, struct clause *c)
{
	c->state = clause_state(r->proofs, c->id, &c->at_ms, &c->one);
	c->tries = c->shown = 0;
	for (size_t i = 0; i < attempt_n; i++) {
		if (!attempt_serves(&attempts[i], c->id))
			continue;
		c->tries++;
		c->shown += r->proofs[i].state == SHOWN;
	}
}

static void age_text(uint64_t ms, char text[24])
{
	uint64_t s = ms / 1000;

	if (s < 90)
		snprintf(text, 24, "%llu s", (unsigned long long)s);
	else if (s < 5400)
		snprintf(text, 24, "%llu min", (unsigned long long)(s / 60));
	else
		snprintf(text, 24, "%llu h", (unsigned long long)(s / 3600));
}

static void print_row(const struct report *r, const struct clause *c)
{
	static const char *const colours[] = {
	    [SHOWN] = "\033[32m", [NOT_SHOWN] = "\033[31m", [WITHOUT] = "\033[33m"};
	bool colour = isatty(STDOUT_FILENO);
	char age[24] = "-";

	if (c->one >= 0 && c->state != WITHOUT)
		age_text(r->now_ms > c->at_ms ? r->now_ms - c->at_ms : 0, age);
	printf("%-12s %s%-16s%s %7s  ", c->id, colour ? colours[c->state] : "", words[c->state],
	       colour ? "\033[0m" : "", age);
	if (c->one < 0)
		printf("%s\n", c->text);
	else if (c->state == SHOWN && c->tries > 1)
		printf("%zu of %zu tries; %s\n", c->shown, c->tries, r->proofs[c->one].text);
	else
		printf("%s: %s\n", attempts[c->one].name, r->proofs[c->one].text);
	if (r->only || c->state == NOT_SHOWN) {
		for (size_t i = 0; i < attempt_n; i++) {
			if (attempt_serves(&attempts[i], c->id) &&
			    (r->only || r->proofs[i].state == NOT_SHOWN))
				printf("             %-16s          %s: %s\n",
				       words[r->proofs[i].state], attempts[i].name,
				       r->proofs[i].text);
		}
	}
}

static json_t *time_json(uint64_t ms)
{
	char text[32];
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *clause_json(const struct report *r, const struct clause *c)
{
	json_t *evidence = json_array(), *o;

	for (size_t i = 0; i < attempt_n; i++) {
		const struct proof *p = &r->proofs[i];

		if (!attempt_serves(&attempts[i], c->id))
			continue;
		json_array_append_new(evidence,
				      json_pack("{s:s,s:s,s:s,s:s,s:o}", "try", attempts[i].name,
						"how", attempts[i].how, "state", words[p->state],
						"evidence", p->text, "when", time_json(p->at_ms)));
	}
	o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "clause", c->id, "strength", c->strength,
		      "requirement", c->text, "state", words[c->state], "how",
		      c->one < 0 ? "none" : attempts[c->one].how, "evidence",
		      c->one < 0 ? NOTHING_TRIES : r->proofs[c->one].text);
	if (c->one >= 0) {
		json_object_set_new(o, "when", time_json(c->at_ms));
		json_object_set_new(
		    o, "age_s",
		    json_integer(
			(json_int_t)(r->now_ms > c->at_ms ? (r->now_ms - c->at_ms) / 1000 : 0)));
	}
	json_object_set_new(o, "tries", evidence);
	return o;
}

static json_t *report_json(const struct report *r, json_t *clauses)
{
	return json_pack("{s:o,s:i,s:i,s:i,s:o}", "when", time_json(r->now_ms), "shown", (int)r->n[SHOWN],
			 "not_shown", (int)r->n[NOT_SHOWN], "without_evidence", (int)r->n[WITHOUT],
			 "clauses", clauses);
}

/* Whole or not at all: the portal reads it at any moment. */
static void publish(const char *path, const json_t *o)
{
	char new[4200];

	snprintf(new, sizeof new, "%.4095s.new", path);
	if (json_dump_file(o, new, JSON_COMPACT) != 0 || chmod(new, 0644) != 0 || rename(new, path) != 0)
		unlink(new); /* there is no portal here */
}

int report_print(struct report *r)
{
	FILE *f = open_list();
	json_t *clauses = json_array(), *o;
	char line[2048];
	struct clause c;

	if (!f) {
		fprintf(stderr, "merlon audit: the checklist %s is neither in share nor in %s\n",
			REPORT_LIST, MERLON_SHARE);
		json_decref(clauses);
		return EXIT_FAILED;
	}
	while (fgets(line, sizeof line, f)) {
		if (!read_clause(line, &c) || (r->only && strcmp(r->only, c.id) != 0))
			continue;
		judge(r, &c);
		r->n[c.state]++;
		json_array_append_new(clauses, clause_json(r, &c));
		if (!r->json)
			print_row(r, &c);
	}
	fclose(f);
	o = report_json(r, clauses);
	if (r->json && json_dumpf(o, stdout, JSON_INDENT(1)) == 0)
		putchar('\n');
	if (r->publish && !r->only)
		publish(r->publish, o);
	json_decref(o);
	if (r->only && r->n[0] + r->n[1] + r->n[2] == 0) {
		fprintf(stderr, "merlon audit: %s is no clause of the checklist\n", r->only);
		return EXIT_USAGE;
	}
	if (!r->json && !r->only)
		printf("\n%zu shown, %zu not shown, %zu without evidence\n", r->n[SHOWN],
		       r->n[NOT_SHOWN], r->n[WITHOUT]);
	return r->n[NOT_SHOWN] > 0 ? EXIT_FAILED : EXIT_DONE;
}
