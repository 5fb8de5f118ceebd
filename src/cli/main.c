/* merlon(1): one command for everything. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    {"run", "run [--config FILE]", "start the roles of a configuration", cmd_run},
    {"check", "check [--config FILE]", "say whether a configuration would be taken", cmd_check},
    {"prepare", "prepare [--config FILE]", "make a data directory ready for roles started one by one", cmd_prepare},
    {"import", "import FILE...", "load subscriptions or equipment lists", cmd_import},
    {"export", "export KIND", "write records as CSV or JSON lines", cmd_export},
    {"show", "show OBJECT KEY", "show one record", cmd_show},
    {"list", "list OBJECT [field=value]...", "list records", cmd_list},
    {"set", "set OBJECT KEY field=value...", "create or change a record", cmd_set},
    {"delete", "delete OBJECT KEY", "delete a record", cmd_delete},
    {"approve", "approve [ID]", "list what waits for a second person; approve it", cmd_approve},
    {"duties", "duties", "deadlines, assessments, agreements: what is due, what is missing", cmd_duties},
    {"subject", "subject IMSI", "everything kept about one subscriber", cmd_subject},
    {"may", "may TENANT PURPOSE", "may a tenant's data be used for it?", cmd_may},
    {"job", "job new|list|show|start...", "change many records at once", cmd_job},
    {"watch", "watch", "live view of traffic, refusals and appointments", cmd_watch},
    {"events", "events [name=value]...", "what happened: the event store, or the stream", cmd_events},
    {"alarms", "alarms", "what asks for somebody now", cmd_alarms},
    {"simulate", "simulate [OPTION]...", "play visited networks and storms", cmd_simulate},
    {"inspect", "inspect FILE", "say what would be refused in a capture", cmd_inspect},
    {"audit", "audit [--clause R-x]", "fill in the CLP.14 checklist from the running system", cmd_audit},
    {"backup", "backup DIRECTORY", "copy everything, consistent, while it runs", cmd_backup},
    {"restore", "restore DIRECTORY", "put a backup back", cmd_restore},
    {"sourcing", "sourcing", "report accreditations, certifications, keys and algorithms past their end", cmd_sourcing},
    {"vault", "vault status|rotate", "the vault's master key: what it is, another in its place", cmd_vault},
    {"version", "version", "print the version", cmd_version},
    {"reference", "reference PAGE", NULL, cmd_reference}, /* hidden: for ./do docs */
};
const size_t command_n = sizeof commands / sizeof *commands;

static int usage(FILE *to, int code)
{
	fprintf(to, "usage: merlon COMMAND [OPTION]...\n\n");
	for (size_t i = 0; i < command_n; i++) {
		if (commands[i].summary)
			fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
	}
	fprintf(to,
		"\nmerlon COMMAND --help says more. Exit codes: 0 done, 1 failed, 2 wrong use,\n"
		"3 configuration refused.\n");
	return code;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, EXIT_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return usage(stdout, EXIT_DONE);
	if (strcmp(argv[1], "--version") == 0)
		return cmd_version(1, argv + 1);
	for (size_t i = 0; i < command_n; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "merlon: %s is not a command; see merlon --help\n", argv[1]);
	return EXIT_USAGE;
}
