#include "cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const struct command *c, const struct arg *rows, size_t n)
{
	printf("usage: merlon %s\n\n%s\n", c->usage, c->summary);
	if (n > 0)
		printf("\n");
	for (const struct arg *a = rows; a < rows + n; a++) {
		char left[64];

		snprintf(left, sizeof left, "%s%s%s", a->name, a->kind == ARG_FLAG ? "" : " ",
			 a->kind == ARG_FLAG ? "" : a->value);
		printf("  %-28s %s\n", left, a->help);
	}
	printf("  %-28s %s\n", "--help", "this text");
}

static bool complain(const struct command *c, const char *option, const char *what)
{
	fprintf(stderr, "merlon %s: %s %s; see merlon %s --help\n", c->name, option, what, c->name);
	return false;
}

static bool set_number(const struct command *c, const struct arg *a, const char *text)
{
	char *end, range[96];
	unsigned long long x = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || x < a->min || x > a->max) {
		snprintf(range, sizeof range, "must be a number from %llu to %llu",
			 (unsigned long long)a->min, (unsigned long long)a->max);
		return complain(c, a->name, range);
	}
	*(uint64_t *)a->to = x;
	return true;
}

static bool set_value(const struct command *c, const struct arg *a, const char *text)
{
	struct arg_many *many = a->to;

	if (a->kind == ARG_NUMBER)
		return set_number(c, a, text);
	if (a->kind == ARG_TEXT) {
		*(const char **)a->to = text;
		return true;
	}
	if (many->n == sizeof many->text / sizeof *many->text)
		return complain(c, a->name, "is given too often");
	many->text[many->n++] = text;
	return true;
}

/* "--name value" and "--name=value". Moves *i past the value. */
static bool set_option(const struct command *c, const struct arg *rows, size_t n, int argc,
		       char **argv, int *i)
{
	const char *word = argv[*i], *equal = strchr(word, '=');
	size_t len = equal ? (size_t)(equal - word) : strlen(word);

	for (const struct arg *a = rows; a < rows + n; a++) {
		if (strlen(a->name) != len || strncmp(a->name, word, len) != 0)
			continue;
		if (a->kind == ARG_FLAG) {
			*(bool *)a->to = true;
			return !equal || complain(c, a->name, "takes no value");
		}
		if (equal)
			return set_value(c, a, equal + 1);
		if (*i + 1 == argc)
			return complain(c, a->name, "needs a value");
		return set_value(c, a, argv[++*i]);
	}
	return complain(c, word, "is not an option");
}

int args_read(const struct command *c, const struct arg *rows, size_t n, int argc, char **argv,
	      int *exit_code)
{
	int left = 0;
	bool options = true;

	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options &&
			   (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
			print_help(c, rows, n);
			*exit_code = EXIT_DONE;
			return -1;
		} else if (options && argv[i][0] == '-' && argv[i][1] == '-') {
			if (!set_option(c, rows, n, argc, argv, &i)) {
				*exit_code = EXIT_USAGE;
				return -1;
			}
		} else {
			argv[left++] = argv[i];
		}
	}
	return left;
}
