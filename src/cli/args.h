/* Command lines: rows give the options, their checks and the --help text. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum arg_kind { ARG_FLAG, ARG_TEXT, ARG_NUMBER, ARG_MANY };

struct arg_many {
	const char *text[16];
	size_t n;
};

struct arg {
	const char *name; /* "--rate" */
	enum arg_kind kind;
	void *to;	   /* bool, const char *, uint64_t, struct arg_many */
	const char *value; /* "N": what help calls it */
	const char *help;
	uint64_t min, max; /* of a number */
};

struct command {
	const char *name, *usage, *summary;
	int (*run)(int argc, char **argv);
};

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG };

/* Read options into their places, move what is left to the front of argv. Returns how many are
 * left, or -1 when there is nothing more to do: `*exit_code` is then EXIT_DONE (help was asked for
 * and printed) or EXIT_USAGE (one clear line was printed). argv[0] is the command's name and is not
 * counted. */
int args_read(const struct command *c, const struct arg *rows, size_t n, int argc, char **argv,
	      int *exit_code);
