/* merlon reference: what the tables say, as Markdown and as manual pages. For `./do docs`; hidden. */
#include "cli/cli.h"
#include "cli/conf.h"

#include "base/metric.h"
#include "judge/judge.h"
#include "records/model.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const yes_no[] = {"no", "yes"};

/* "a|b" as "a, b": a bar would end a cell. What is empty between bars is left out. */
static void print_choices(const char *names)
{
	const char *comma = "";

	while (*names) {
		size_t n = strcspn(names, "|");

		if (n > 0)
			printf("%s`%.*s`", comma, (int)n, names);
		comma = n > 0 ? ", " : comma;
		names += n + (names[n] != 0);
	}
}

static void print_code(const char *text)
{
	if (text[0])
		printf("`%s`", text);
}

/* --- configuration.md ------------------------------------------------------------------------- */

static void conf_values(const struct conf_row *r)
{
	switch (r->kind) {
	case CONF_TEXT:
		printf("text");
		break;
	case CONF_NUMBER:
		printf("%u to %u%s%s", r->min, r->max, r->unit[0] ? " " : "", r->unit);
		break;
	case CONF_BOOL:
		printf("`true`, `false`");
		break;
	case CONF_CHOICE:
		print_choices(r->choices);
		break;
	case CONF_LIST:
		printf("list, up to %d", CONF_LIST_MAX);
		break;
	case CONF_DIGITS:
		printf("%u to %u digits", r->min, r->max);
		break;
	}
}

static size_t section(const char *key)
{
	const char *dot = strchr(key, '.');

	return dot ? (size_t)(dot - key) : 0;
}

static void print_configuration(void)
{
	const char *was = NULL;

	for (const struct conf_row *r = conf_rows; r < conf_rows + conf_row_n; r++) {
		size_t n = section(r->key);

		if (!was || section(was) != n || strncmp(was, r->key, n) != 0) {
			printf("%s## %.*s\n\n", was ? "\n" : "", n > 0 ? (int)n : 9,
			       n > 0 ? r->key : "top level");
			printf("| key | values | default | reload | meaning |\n|---|---|---|---|---|\n");
		}
		was = r->key;
		printf("| `%s` | ", r->key);
		conf_values(r);
		printf(" | ");
		print_code(r->preset);
		printf(" | %s | %s |\n", yes_no[r->reload], r->help);
	}
}

/* --- records.md ------------------------------------------------------------------------------- */

static const char *const kind_text[] = {
	[K_FLAG] = "`yes`, `no`",
	[K_TIME] = "date, date and time, or seconds since 1970",
	[K_NETS] = "address prefixes",
	[K_HOST] = "domain name",
	[K_IMEI] = "IMEI of 14 to 16 digits, or TAC of 8",
	[K_APN] = "`name:pdn:qci:arp:ul:dl`",
	[K_REACH] = "destinations, `[PROTOCOL:]WHERE[:PORT[-PORT]]`",
};

static void column_values(const struct column *c)
{
	if (c->kind == K_REF)
		printf("key of a %s", c->names);
	else if (strcmp(c->name, "check") == 0)
		printf("a check of [screening.md](screening.md)");
	else if (c->kind == K_ENUM || c->kind == K_BITS)
		print_choices(c->names);
	else if (c->kind == K_TEXT || c->kind == K_DIG || c->kind == K_NUM || c->kind == K_DIGS)
		printf(c->min == c->max ? "%lld" : "%lld to %lld", (long long)c->min, (long long)c->max);
	else
		printf("%s", kind_text[c->kind]);
	if (c->kind == K_TEXT)
		printf(" bytes");
	else if (c->kind == K_DIG || c->kind == K_DIGS)
		printf(" digits");
	if (c->kind == K_BITS)
		printf("; several, with a space between");
	if (c->kind == K_DIGS || c->kind == K_NETS || c->kind == K_REACH)
		printf("; up to %s, with a space between", c->names);
}

static void print_records(void)
{
	for (enum object o = 0; o < OBJ_N; o++) {
		const struct object_row *row = &model_objects[o];

		printf("%s## %s\n\n%c%s.\n\n", o > 0 ? "\n" : "", row->name,
		       toupper((unsigned char)row->help[0]), row->help + 1);
		printf("| field | values | default | meaning |\n|---|---|---|---|\n");
		for (unsigned int i = row->first; i <= row->last; i++) {
			const struct column *c = &model_columns[i];

			printf("| `%s` | ", c->name);
			column_values(c);
			printf(" | ");
			print_code(c->def);
			printf("%s | %s%s%s |\n", c->flags & F_NEED ? "needed" : "", c->help,
			       i == row->first ? "; the key" : "",
			       c->flags & F_ONE ? "; no two alike" : "");
		}
	}
}

/* --- screening.md ----------------------------------------------------------------------------- */

struct heard {
	bool of_3gpp;
	unsigned int code;
};

#define EXP(n) {true, (n)}
#define BASE(n) {false, (n)}
static const struct heard heard[CAUSE_N] = {
#define CAUSE(id, first, ...) [CAUSE_##id] = first,
#include "node/dia_cause.tab"
#undef CAUSE
};

static const char *const stage_names[] = {
	[STAGE_PARTNER] = "partner: who speaks, and may it",
	[STAGE_CATEGORY] = "category: what may come over an interconnect (FS.11, FS.19)",
	[STAGE_PLAUSIBILITY] = "plausibility: does it fit what was seen before",
	[STAGE_SUBSCRIBER] = "subscriber: what this SIM may do",
	[STAGE_LOAD] = "load: how much",
	[STAGE_STEERING] = "steering: where we want our SIMs",
};
static const char *const mode_names[] = {"off", "observe", "enforce"};

static void print_checks(void)
{
	for (unsigned int turn = 1; turn < CHECK_N; turn++) {
		unsigned int c = check_order[turn];
		const struct check_row *r = &check_rows[c];
		const struct heard *h = &heard[r->cause];

		if (turn == 1 || check_rows[check_order[turn - 1]].stage != r->stage) {
			printf("%s## %s\n\n", turn > 1 ? "\n" : "", stage_names[r->stage]);
			printf("| no. | check | refuses | answer | default | clause |\n"
			       "|---|---|---|---|---|---|\n");
		}
		printf("| %u | `%s` | %s | %s%u | %s | %s |\n", c, r->name, r->help,
		       h->of_3gpp ? "exp. " : "", h->code, mode_names[r->mode], r->clause);
	}
}

/* --- metrics.md ------------------------------------------------------------------------------- */

static void print_metrics(void)
{
	printf("| name | kind | label | meaning |\n|---|---|---|---|\n");
	for (const struct metric_row *r = metric_rows; r < metric_rows + M_COUNT; r++) {
		printf("| `%s` | %s | ", r->name, r->kind == COUNTER ? "counter" : "gauge");
		if (r->label[0])
			printf("`%s`: ", r->label);
		for (const char *const *v = r->values; v && *v; v++)
			printf("%s%s", v == r->values ? "" : ", ", *v);
		printf("%s | %s |\n", r->label[0] && !r->values ? "a number" : "", r->help);
	}
}

/* --- manual pages ----------------------------------------------------------------------------- */

static void print_head(const char *name, const char *part, const char *what)
{
	printf(".\\\" Made by ./do docs from the tables of the source.\n"
	       ".TH %s %s \"\" \"merlon %s\"\n.SH NAME\n%s \\- %s\n",
	       name, part, MERLON_VERSION, name, what);
}

/* Every command's own --help is its section: args_read prints it to standard output. */
static void print_man_1(void)
{
	char help[] = "--help";

	print_head("merlon", "1", "IoT HSS and signalling gateway");
	printf(".SH SYNOPSIS\n.B merlon\n.I COMMAND\n[\\fIOPTION\\fR]...\n.SH COMMANDS\n");
	for (size_t i = 0; i < command_n; i++) {
		char name[16];
		char *argv[] = {name, help, NULL};

		if (!commands[i].summary)
			continue;
		snprintf(name, sizeof name, "%s", commands[i].name);
		printf(".SS %s\n.EX\n", name);
		commands[i].run(2, argv);
		printf(".EE\n");
	}
	printf(".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nfailed\n.TP\n2\nwrong use\n.TP\n3\n"
	       "configuration refused\n"
	       ".SH FILES\n.TP\n.I /etc/merlon/merlon.yaml\nthe configuration, merlon.yaml(5)\n"
	       ".TP\n.I /var/lib/merlon\nrecords, registrations, vault, events\n"
	       ".SH SEE ALSO\n.BR merlon.yaml (5)\n");
}

static void print_man_5(void)
{
	print_head("merlon.yaml", "5", "configuration of merlon");
	printf(".SH DESCRIPTION\nYAML. A key with a dot is a key in a section: \\fBedge.listen\\fR is\n"
	       ".B listen\nunder\n.BR edge .\nAn unknown key is an error. A key marked [reload] is "
	       "taken over at SIGHUP, the others after a restart.\n.SH KEYS\n");
	for (const struct conf_row *r = conf_rows; r < conf_rows + conf_row_n; r++) {
		printf(".TP\n.B %s\n%s", r->key, r->help);
		if (r->kind == CONF_NUMBER)
			printf(" (%u to %u%s%s)", r->min, r->max, r->unit[0] ? " " : "", r->unit);
		if (r->choices[0])
			printf(" (%s)", r->choices);
		printf(".%s%s%s%s\n", r->preset[0] ? " Default: " : "", r->preset,
		       r->preset[0] ? "." : "", r->reload ? " [reload]" : "");
	}
	printf(".SH SEE ALSO\n.BR merlon (1)\n");
}

int cmd_reference(int argc, char **argv)
{
	static const struct command me = {"reference", "reference PAGE",
					  "Print a reference page from the tables: configuration, "
					  "records, checks, metrics, api,\nmerlon.1 or merlon.yaml.5.",
					  cmd_reference};
	static const struct {
		const char *name;
		void (*print)(void);
	} page[] = {
		{"configuration", print_configuration}, {"records", print_records},
		{"checks", print_checks},		{"metrics", print_metrics},
		{"api", print_api},
		{"merlon.1", print_man_1},		{"merlon.yaml.5", print_man_5},
	};
	int code, n = args_read(&me, NULL, 0, argc, argv, &code);

	if (n < 0)
		return code;
	for (size_t i = 0; n == 1 && i < sizeof page / sizeof *page; i++) {
		if (strcmp(argv[0], page[i].name) != 0)
			continue;
		page[i].print();
		return EXIT_DONE;
	}
	fprintf(stderr, "merlon reference: name a page; see merlon reference --help\n");
	return EXIT_USAGE;
}
