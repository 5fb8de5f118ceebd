/* merlon import: subscriptions and equipment lists from CSV, streaming, or from a supplier's delivery.
 * Keys go sealed to the vault
 * first, then the record is made (design.md, Vaults). Every bad row is told with its line and
 * reason. */
#include "base/bcd.h"
#include "cli/cli.h"
#include "cli/csv_key.h"
#include "cli/import_in.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define LINE_BYTES 4096

/* Keys may not lie in another vault than the record says. */
static bool elsewhere(const struct import *m, uint64_t imsi)
{
	for (size_t i = 0; i < m->batch_n && !m->how->partition; i++) {
		if (imsi >= m->batch[i].from && imsi <= m->batch[i].to)
			return true;
	}
	return false;
}

/* The keys of one line, ready for the vault; the reason why not, or NULL. */
static const char *read_keys(struct import *m, const struct csv_keys *c, struct vault_row *row)
{
	row->imsi = bcd_of(c->imsi);
	if (row->imsi == 0 || c->imsi.n > 15)
		return "imsi: must be 6 to 15 digits";
	if (elsewhere(m, row->imsi))
		return "imsi: lies in a range of a partition; give --partition (R-5.1.i)";
	if (m->delivery) {
		const char *reason = delivery_card(m->delivery, c->iccid);

		if (reason)
			return reason;
	}
	return csv_key(m->aka, c, &row->key);
}

/* One line joins the block; a bad one leaves an empty line there, so that numbers stay true. */
static void add_line(struct import *m, struct view line)
{
	struct block *b = import_block(m);
	struct csv_keys keys;
	struct wr rest = b->lines;
	const char *reason = NULL;

	if (b->rows == 0)
		b->line = m->line;
	if (!m->has_keys) {
		wr_view(&b->lines, line);
	} else if (csv_split(&m->header, line, &keys, &rest) != ERR_OK) {
		reason = "more columns than the header has, or a quoted key";
	} else {
		reason = keys.any ? read_keys(m, &keys, &m->key[m->key_n]) : NULL;
		if (!reason) {
			b->lines = rest;
			m->key_n += keys.any;
		}
	}
	if (reason)
		import_refuse(m, m->line, view_of(reason));
	wr_be(&b->lines, '\n', 1);
	b->rows++;
}

static struct view trimmed(const char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	return (struct view){(const uint8_t *)text, n};
}

static uint64_t identity(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? bcd_of(view_of(text)) : 0;
}

static int read_batches(struct import *m)
{
	struct keep req = {.op = KEEP_LIST}, rep;
	json_t *all, *o;
	size_t i;
	int code;

	keep_put_text(&req, KEEP_OBJECT, VIEW("range"));
	keep_put_text(&req, KEEP_MODE, VIEW("json"));
	keep_put_num(&req, KEEP_MOST, KEEP_ROWS_MAX);
	code = reach_call(&m->reach, "import", &req, &rep);
	if (code != EXIT_DONE)
		return code;
	all = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	free(m->batch);
	m->batch = calloc(json_array_size(all) + 1, sizeof *m->batch);
	m->batch_n = 0;
	json_array_foreach(all, i, o)
	{
		json_int_t partition = json_integer_value(json_object_get(o, "partition"));

		if (m->batch && partition > 0)
			m->batch[m->batch_n++] = (struct batch){
			    identity(o, "from"), identity(o, "to"), (uint32_t)partition};
	}
	json_decref(all);
	return m->batch ? EXIT_DONE : EXIT_FAILED;
}

/* One file, one vault: the keys of a partition's cards are sealed to its own home. */
static int open_partition(struct import *m)
{
	uint32_t partition = m->how->partition ? (uint32_t)*m->how->partition : 0;
	char why[256] = "its stores' path is too long";

	if (!conf_stores_of(&m->reach.conf, partition, m->stores) ||
	    spool_pub_get(m->stores, m->pub, why) != ERR_OK) {
		fprintf(stderr, "merlon import: %s (home must have run once)\n", why);
		return EXIT_FAILED;
	}
	return read_batches(m);
}

static bool has_column(struct view header, struct view name)
{
	while (header.n > 0) {
		const uint8_t *comma = memchr(header.p, ',', header.n);
		size_t n = comma ? (size_t)(comma - header.p) : header.n;

		if (view_eq(view_first(header, n), name))
			return true;
		n += comma != NULL;
		header = (struct view){header.p + n, header.n - n};
	}
	return false;
}

static int read_first(struct import *m)
{
	struct view line;

	if (!fgets(m->first, sizeof m->first, m->in)) {
		fprintf(stderr, "merlon import: %s: empty\n", m->path);
		return EXIT_FAILED;
	}
	line = trimmed(m->first);
	m->first[line.n] = 0;
	m->line = 1;
	if (!m->object)
		m->object = strncmp(m->first, "imei,", 5) == 0 ? "equipment" : "subscription";
	if (csv_header(&m->header, line) != ERR_OK) {
		fprintf(stderr, "merlon import: %s:1: more than %d columns\n", m->path,
			CSV_COLUMNS);
		return EXIT_FAILED;
	}
	m->has_keys = strcmp(m->object, "subscription") == 0 && m->header.k >= 0;
	if ((m->has_keys || m->pair[0]) && has_column(line, VIEW("partition"))) {
		fprintf(stderr, "merlon import: %s:1: partition: say --partition, one file for each\n",
			m->path);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int read_lines(struct import *m)
{
	char text[LINE_BYTES];
	int code = EXIT_DONE;

	while (code == EXIT_DONE && fgets(text, sizeof text, m->in)) {
		struct view line = trimmed(text);

		m->line++;
		m->read += strlen(text);
		if (line.n + 1 == sizeof text) {
			import_refuse(m, m->line, VIEW("longer than 4095 bytes"));
			fprintf(stderr, "merlon import: %s:%llu: too long to go on\n", m->path,
				(unsigned long long)m->line);
			code = EXIT_FAILED;
		} else {
			add_line(m, line);
			if (import_block(m)->rows == BLOCK_ROWS ||
			    import_block(m)->lines.n > BLOCK_BYTES)
				code = import_queue(m);
		}
		secret_wipe(text, sizeof text);
	}
	return code == EXIT_DONE ? import_queue(m) : code;
}

static int import_file(struct import *m)
{
	int code;

	m->in = strcmp(m->path, "-") == 0 ? stdin : fopen(m->path, "re");
	if (!m->in) {
		fprintf(stderr, "merlon import: %s: cannot be read\n", m->path);
		return EXIT_FAILED;
	}
	code = delivery_begin(m);
	if (code != EXIT_DONE) {
		if (m->in && m->in != stdin)
			fclose(m->in);
		return delivery_end(m, code);
	}
	setvbuf(m->in, m->text, _IOFBF, sizeof m->text);
	if (fseek(m->in, 0, SEEK_END) == 0) {
		m->size = (uint64_t)ftell(m->in);
		rewind(m->in);
	}
	code = read_first(m);
	if (code == EXIT_DONE && m->has_keys && !m->delivery)
		code = delivery_plain(m);
	if (code == EXIT_DONE && m->has_keys)
		code = open_partition(m);
	if (code == EXIT_DONE)
		code = read_lines(m);
	if (code == EXIT_DONE)
		code = import_drain(m); /* the next file has another header */
	import_progress(m, true);
	if (m->in != stdin)
		fclose(m->in);
	secret_wipe(m->text, sizeof m->text);
	return delivery_end(m, code);
}

/* Keys are in memory here: no core dump, and no swap where that can be had. */
static void keep_to_memory(void)
{
	const struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE);
}

static bool make_room(struct import *m)
{
	m->key = calloc(BLOCK_ROWS + 1, sizeof *m->key);
	m->aka = aka_new();
	m->bad = m->how->bad ? fopen(m->how->bad, "we") : stderr;
	return m->key && m->aka && m->bad && import_begin(m);
}

static void free_room(struct import *m)
{
	import_end(m);
	reach_close(&m->reach);
	if (m->bad && m->bad != stderr)
		fclose(m->bad);
	if (m->key)
		secret_wipe(m->key, (BLOCK_ROWS + 1) * sizeof *m->key);
	free(m->key);
	free(m->batch);
	aka_free(m->aka);
}

int import_files(struct reach *r, const struct import_how *how, int n, char **paths)
{
	static struct import m;
	int code;

	keep_to_memory();
	m = (struct import){.reach = *r, .how = how};
	code = make_room(&m) ? reach_open(&m.reach, "import", true) : EXIT_FAILED;

	if (how->partition)
		snprintf(m.pair, sizeof m.pair, "partition=%u", (unsigned int)*how->partition);
	for (int i = 0; i < n && code == EXIT_DONE; i++) {
		m.path = paths[i];
		m.object = how->object;
		code = import_file(&m);
	}
	if (code == EXIT_DONE && m.reach.json)
		printf("{\"done\":%llu,\"refused\":%llu}\n", (unsigned long long)m.done,
		       (unsigned long long)m.refused);
	else if (code == EXIT_DONE)
		printf("%llu records, %llu lines refused\n", (unsigned long long)m.done,
		       (unsigned long long)m.refused);
	if (code == EXIT_DONE && m.refused > 0)
		code = EXIT_FAILED;
	free_room(&m);
	return code;
}

static const struct command import_command = {
	"import", "import [OPTION]... FILE...",
	"Load CSV files with a header, as they stream: subscriptions "
	"(imsi,iccid,msisdn,eid,alg,k,opc,op,topc,\n"
	"amf,tuak,tenant,profile,priority,imei) or an equipment list (imei,list,reason,expires). "
	"Keys are\n"
	"sealed to the vault and never enter the records; op becomes OPc (of alg tuak TOPc) and is "
	"not stored.\n"
	"tuak: RES in bits and Keccak iterations of a TUAK card, 64:1 when empty. alg xor and comp128-3: "
	"with\n"
	"test yes alone. Every line "
	"refused is told\n"
	"with its reason; the others are loaded.\n\n"
	"A supplier's delivery, CMS signed by it and encrypted for import.certificate, is known by its "
	"bytes:\n"
	"the signer's certificate must be that of a supplier's record whose SAS accreditation has not "
	"ended.\n"
	"Else it is refused, and the journal says why.\n\n"
	"  merlon import subscriptions cards.cms\n\n"
	"With --form, one file of a bulk equipment list (a CEIR's, up to 100 million devices): "
	"not records but a\n"
	"generation of the lists, compared with the one in force and stopped when it would "
	"blacklist a whole TAC\n"
	"or change a list too much. Forms: gsma-full, gsma-delta (SG.18), csv, csv-delta.\n\n"
	"  merlon import --form csv --list black --dry-run ceir.csv",
	cmd_import};

int cmd_import(int argc, char **argv)
{
	struct reach r = {0};
	struct import_how how = {0};
	uint64_t partition = UINT64_MAX;
	const struct arg row[] = {
	    REACH_ARGS(r),
	    {"--object", ARG_TEXT, &how.object, "NAME",
	     "what the lines are, if not told by their header", 0, 0},
	    {"--update", ARG_FLAG, &how.update, "", "change records that exist already", 0, 0},
	    {"--partition", ARG_NUMBER, &partition, "N",
	     "these subscriptions, and their keys, belong to that partition's home", 0, 15},
	    {"--refused", ARG_TEXT, &how.bad, "FILE",
	     "write refused lines there, not to standard error", 0, 0},
	    {"--form", ARG_TEXT, &how.form, "FORM", "a bulk equipment list: what its lines look like", 0, 0},
	    {"--list", ARG_TEXT, &how.list, "LIST", "white, black or grey, of lines that do not say", 0, 0},
	    {"--fields", ARG_TEXT, &how.fields, "NAMES",
	     "order of the fields of SG.18 records (type,from,to,reason)", 0, 0},
	    {"--organisation", ARG_TEXT, &how.organisation, "ID",
	     "Organisation ID that their header must name", 0, 0},
	    {"--supplier", ARG_TEXT, &how.supplier, "NAME", "a delivery must be this supplier's", 0, 0},
	    {"--dry-run", ARG_FLAG, &how.dry, "", "say what would change; change nothing", 0, 0},
	    {"--confirm", ARG_TEXT, &how.confirm, "CODE",
	     "make exactly the change that the range guard stopped with this code", 0, 0},
	};
	int code, n = args_read(&import_command, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n > 1 && strcmp(argv[0], "subscriptions") == 0 && access(argv[0], F_OK) != 0) {
		how.object = "subscription";
		argv++;
		n--;
	}
	if (n == 0) {
		fprintf(stderr, "merlon import: name a file; see merlon import --help\n");
		return EXIT_USAGE;
	}
	if (how.form || how.dry || how.confirm || how.list || how.fields || how.organisation)
		return import_lists(&r, &how, n, argv);
	how.partition = partition == UINT64_MAX ? NULL : &partition;
	return import_files(&r, &how, n, argv);
}
