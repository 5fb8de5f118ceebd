/* merlon import --form: bulk equipment lists (a CEIR's). Lines become entries here, entries a plan and a
 * generation with the keeper; nothing is written that its range guard would stop. */
#include "cli/cli.h"
#include "cli/equip_form.h"
#include "cli/reach.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 65536 /* entries sent at once */
#define BAD_SHOWN 20 /* lines refused that are told when there is no file for them */

struct load {
	struct reach *reach;
	const struct import_how *how;
	const char *path;
	struct equip_parse parse;
	struct equip_entry *entry;
	size_t n;
	uint8_t *bytes;
	FILE *in, *bad;
	uint64_t line, refused, size, read;
	bool begun;
	time_t told;
};

static int call(struct load *m, struct view mode, struct keep *req, struct keep *rep)
{
	req->op = KEEP_LISTS;
	keep_put_text(req, KEEP_MODE, mode);
	return reach_call(m->reach, "import", req, rep);
}

static int say(struct load *m, struct view mode)
{
	struct keep req = {.op = KEEP_LISTS}, rep;

	return call(m, mode, &req, &rep);
}

static int begin(struct load *m)
{
	struct keep req = {.op = KEEP_LISTS}, rep;
	const char *slash = strrchr(m->path, '/'), *name = slash ? slash + 1 : m->path;
	unsigned int full = equip_parse_full(&m->parse);
	int code;

	keep_put_text(&req, KEEP_NAME, view_first(view_of(name), 64));
	if (full)
		keep_put_num(&req, KEEP_MOST, full);
	code = call(m, VIEW("begin"), &req, &rep);
	m->begun = code == EXIT_DONE;
	return code;
}

static int by_place(const void *a, const void *b)
{
	const struct equip_entry *x = a, *y = b;
	unsigned int p = x->list * 2u + x->off, q = y->list * 2u + y->off;

	if (p != q)
		return p < q ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

/* Neighbours together: the keeper fills one bitmap after the other. */
static int send_block(struct load *m)
{
	struct keep req = {.op = KEEP_LISTS}, rep;
	struct wr w = {.p = m->bytes, .cap = (BLOCK + EQUIP_RANGE_TACS) * EQUIP_ENTRY_BYTES};
	bool sorted = true;

	if (m->n == 0)
		return EXIT_DONE;
	for (size_t i = 1; i < m->n && sorted; i++)
		sorted = by_place(&m->entry[i - 1], &m->entry[i]) <= 0;
	if (!sorted)
		qsort(m->entry, m->n, sizeof *m->entry, by_place);
	for (size_t i = 0; i < m->n; i++)
		equip_entry_put(&w, &m->entry[i]);
	m->n = 0;
	keep_put_text(&req, KEEP_LINES, wr_done(&w));
	return call(m, VIEW("more"), &req, &rep);
}

static void progress(struct load *m, const char *what)
{
	if (!isatty(STDERR_FILENO) || m->reach->json || time(NULL) == m->told)
		return;
	m->told = time(NULL);
	fprintf(stderr, "\r%s  %3u %%  %llu lines, %llu refused ", what,
		m->size ? (unsigned int)(m->read * 100 / m->size) : 100, (unsigned long long)m->line,
		(unsigned long long)m->refused);
}

static void refuse(struct load *m, const char *why)
{
	m->refused++;
	if (m->how->bad || m->refused <= BAD_SHOWN)
		fprintf(m->bad, "%s:%llu: %s\n", m->path, (unsigned long long)m->line, why);
	else if (m->refused == BAD_SHOWN + 1)
		fprintf(m->bad, "%s: more lines are refused; --refused FILE names them all\n", m->path);
}

static int take_line(struct load *m, const char *text, size_t len)
{
	struct view line = {(const uint8_t *)text, len};
	const char *why;
	bool fatal, headed = m->parse.header;
	size_t n;

	m->line++;
	m->read += len;
	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	why = equip_parse_line(&m->parse, line, m->entry + m->n, &n, &fatal);
	if (fatal) {
		fprintf(stderr, "merlon import: %s:%llu: %s\n", m->path, (unsigned long long)m->line, why);
		return EXIT_FAILED;
	}
	if (why)
		refuse(m, why);
	if (!headed)
		return begin(m);
	m->n += n;
	if (m->n < BLOCK)
		return EXIT_DONE;
	progress(m, "reading");
	return send_block(m);
}

static int read_all(struct load *m)
{
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	int code = EXIT_DONE;
	const char *why;

	while (code == EXIT_DONE && (len = getline(&text, &cap, m->in)) >= 0)
		code = take_line(m, text, (size_t)len);
	free(text);
	if (code != EXIT_DONE)
		return code;
	why = ferror(m->in) ? "cannot be read to its end" : equip_parse_end(&m->parse);
	if (why) {
		fprintf(stderr, "merlon import: %s: %s\n", m->path, why);
		return EXIT_FAILED;
	}
	return send_block(m);
}

/* --- what the keeper says ------------------------------------------------------------------- */

/* The keeper works on a thread of its own; ask until it has something to say. */
static int await(struct load *m, const char *what, json_t **said)
{
	const struct timespec nap = {.tv_nsec = 50000000};
	struct keep rep;
	int code;

	do {
		struct keep req = {.op = KEEP_LISTS};

		nanosleep(&nap, NULL);
		code = call(m, VIEW("wait"), &req, &rep);
		progress(m, what);
	} while (code == EXIT_DONE && !keep_has(&rep, KEEP_BODY));
	if (isatty(STDERR_FILENO) && !m->reach->json)
		fprintf(stderr, "\r%60s\r", "");
	if (code != EXIT_DONE)
		return code;
	*said = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	return *said ? EXIT_DONE : EXIT_FAILED;
}

static long long num(const json_t *o, const char *name)
{
	return (long long)json_integer_value(json_object_get(o, name));
}

static const char *text(const json_t *o, const char *name)
{
	const char *t = json_string_value(json_object_get(o, name));

	return t ? t : "";
}

static void print_plan(const json_t *plan)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(plan, "lists"), i, o)
		printf("%-5s  %lld -> %lld devices (+%lld -%lld, %lld TACs touched), "
		       "whole TACs %lld -> %lld\n",
		       text(o, "list"), num(o, "before"), num(o, "after"), num(o, "added"),
		       num(o, "removed"), num(o, "tacs"), num(o, "whole_before"), num(o, "whole_after"));
	if (num(plan, "not_there") > 0)
		printf("%lld devices to be taken off were on no list (0003)\n", num(plan, "not_there"));
	json_array_foreach(json_object_get(plan, "top"), i, o)
		printf("  TAC %s  %-5s  +%lld -%lld  (%lld -> %lld)\n", text(o, "tac"), text(o, "list"),
		       num(o, "added"), num(o, "removed"), num(o, "before"), num(o, "after"));
	json_array_foreach(json_object_get(plan, "findings"), i, o)
		printf("STOP   %s\n", text(o, "text"));
	if (num(plan, "finding_n") > (long long)json_array_size(json_object_get(plan, "findings")))
		printf("STOP   and %lld more\n",
		       num(plan, "finding_n") -
			   (long long)json_array_size(json_object_get(plan, "findings")));
}

static void print_json(const struct load *m, const json_t *plan, const json_t *written)
{
	char *p = json_dumps(plan, JSON_COMPACT), *w = written ? json_dumps(written, JSON_COMPACT) : NULL;

	printf("{\"lines\":%llu,\"refused\":%llu,\"plan\":%s,\"written\":%s}\n", (unsigned long long)m->line,
	       (unsigned long long)m->refused, p ? p : "null", w ? w : "null");
	free(p);
	free(w);
}

static bool may(const struct load *m, const json_t *plan)
{
	if (num(plan, "finding_n") == 0)
		return true;
	if (m->how->confirm && strcmp(m->how->confirm, text(plan, "code")) == 0)
		return true;
	if (m->how->confirm)
		fprintf(stderr, "merlon import: --confirm %s: that was another change; this one is %s\n",
			m->how->confirm, text(plan, "code"));
	fprintf(stderr,
		"merlon import: %s by the range guard; nothing %s changed. If it is meant: --confirm %s\n",
		m->how->dry ? "would be stopped" : "stopped", m->how->dry ? "is" : "was",
		text(plan, "code"));
	return false;
}

static int keep(struct load *m, const json_t *plan, json_t **written)
{
	struct keep req = {.op = KEEP_LISTS}, rep;
	int code;

	keep_put_num(&req, KEEP_APPROVE, strtoull(text(plan, "code"), NULL, 16));
	code = call(m, VIEW("keep"), &req, &rep);
	return code == EXIT_DONE ? await(m, "writing", written) : code;
}

static int plan_and_keep(struct load *m)
{
	json_t *plan = NULL, *written = NULL;
	int code = say(m, VIEW("plan"));

	if (code == EXIT_DONE)
		code = await(m, "comparing", &plan);
	if (code != EXIT_DONE)
		return code;
	if (!m->reach->json)
		print_plan(plan);
	if (!may(m, plan))
		code = EXIT_FAILED;
	if (code == EXIT_DONE && !m->how->dry) {
		code = keep(m, plan, &written);
		m->begun = false; /* over, either way */
	}
	if (m->reach->json)
		print_json(m, plan, written);
	else if (written)
		printf("generation %lld: %llu lines, %llu refused\n", num(written, "generation"),
		       (unsigned long long)m->line, (unsigned long long)m->refused);
	json_decref(plan);
	json_decref(written);
	return code;
}

static int load(struct load *m)
{
	int code;

	m->in = strcmp(m->path, "-") == 0 ? stdin : fopen(m->path, "re");
	if (!m->in) {
		fprintf(stderr, "merlon import: 0008 %s: cannot be opened\n", m->path);
		return EXIT_FAILED;
	}
	if (fseek(m->in, 0, SEEK_END) == 0) {
		m->size = (uint64_t)ftell(m->in);
		rewind(m->in);
	}
	code = read_all(m);
	if (m->in != stdin)
		fclose(m->in);
	if (code == EXIT_DONE)
		code = plan_and_keep(m);
	if (m->begun && m->reach->client)
		say(m, VIEW("drop"));
	return code == EXIT_DONE && m->refused > 0 ? EXIT_FAILED : code;
}

int import_lists(struct reach *r, const struct import_how *how, int n, char **paths)
{
	struct load m = {.reach = r, .how = how, .path = paths[0]};
	const char *why = n > 1 ? "--form takes one file at a time" :
			  how->form ? equip_parse_begin(&m.parse, how->form, how->list, how->fields,
							how->organisation) :
				      "--list, --fields, --organisation, --dry-run, --confirm: with --form";
	int code = EXIT_FAILED;

	if (why) {
		fprintf(stderr, "merlon import: %s\n", why);
		return EXIT_USAGE;
	}
	m.entry = calloc(BLOCK + EQUIP_RANGE_TACS, sizeof *m.entry);
	m.bytes = malloc((BLOCK + EQUIP_RANGE_TACS) * EQUIP_ENTRY_BYTES);
	m.bad = how->bad ? fopen(how->bad, "we") : stderr;
	if (m.entry && m.bytes && m.bad)
		code = reach_open(r, "import", true);
	else
		fprintf(stderr, "merlon import: out of memory, or %s cannot be written\n",
			how->bad ? how->bad : "-");
	if (code == EXIT_DONE)
		code = load(&m);
	reach_close(r);
	if (m.bad && m.bad != stderr)
		fclose(m.bad);
	free(m.entry);
	free(m.bytes);
	return code;
}
