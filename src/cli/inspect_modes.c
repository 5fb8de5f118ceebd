/* merlon inspect --modes: how a network's cells protect our devices, by the records of its security mode
 * procedures (CLP.14 5.2.1 to 5.2.4). A CSV with a header: imsi, rat, ciphering, integrity, and cell if
 * known. */
#include "base/bcd.h"
#include "cli/cli.h"
#include "cli/inspect.h"
#include "crypto/policy.h"

#include <jansson.h>
#include <stdio.h>

enum column { C_IMSI, C_RAT, C_CIPHERING, C_INTEGRITY, C_CELL, COLUMN_MAX };
static const char *const column_names[COLUMN_MAX] = {"imsi", "rat", "ciphering", "integrity", "cell"};

static const struct {
	const char *name;
	unsigned int generation;
	uint16_t bit;
} rats[] = {{"geran", 2, RAT_GERAN},	  {"utran", 3, RAT_UTRAN},   {"wb-eutran", 4, RAT_WB_EUTRAN},
	    {"nb-iot", 4, RAT_NB_IOT},	  {"lte-m", 4, RAT_LTE_M},   {"nr", 4, RAT_NR}};

struct modes {
	struct inspect *in;
	uint32_t allowed;
	bool forced; /* by --allow */
	int at[COLUMN_MAX];
	uint64_t rows, bad, found[POLICY_N];
	const char *path;
};

static bool read_header(struct modes *m, struct view line)
{
	for (int c = 0; c < COLUMN_MAX; c++)
		m->at[c] = -1;
	for (int c = 0; line.n > 0; c++) {
		const uint8_t *comma = memchr(line.p, ',', line.n);
		size_t n = comma ? (size_t)(comma - line.p) : line.n;

		for (int k = 0; k < COLUMN_MAX; k++) {
			if (view_eq_case(view_first(line, n), view_of(column_names[k])))
				m->at[k] = c;
		}
		n += comma != NULL;
		line = (struct view){line.p + n, line.n - n};
	}
	return m->at[C_IMSI] >= 0 && m->at[C_RAT] >= 0 && m->at[C_CIPHERING] >= 0 && m->at[C_INTEGRITY] >= 0;
}

static void split(const struct modes *m, struct view line, struct view cell[COLUMN_MAX])
{
	memset(cell, 0, COLUMN_MAX * sizeof *cell);
	for (int c = 0; line.n > 0; c++) {
		const uint8_t *comma = memchr(line.p, ',', line.n);
		size_t n = comma ? (size_t)(comma - line.p) : line.n;

		for (int k = 0; k < COLUMN_MAX; k++) {
			if (m->at[k] == c)
				cell[k] = view_first(line, n);
		}
		n += comma != NULL;
		line = (struct view){line.p + n, line.n - n};
	}
}

/* A radio technology that the profile bars is wrong however it is protected. */
static enum policy_finding judge(const struct modes *m, const struct profile_row *p, size_t rat,
				 const struct view cell[COLUMN_MAX])
{
	/* --allow stands in for the policies of all profiles. */
	bool own = p && !m->forced;
	struct policy policy = {own && p->algorithms ? p->algorithms : m->allowed, own ? p->generation : 2};

	if (p && !(p->rats & rats[rat].bit))
		policy.generation = UINT8_MAX;
	return policy_judge(&policy, rats[rat].generation, radio_find(cell[C_CIPHERING]),
			    radio_find(cell[C_INTEGRITY]));
}

static const struct profile_row *profile_of(const struct modes *m, uint64_t imsi)
{
	const struct book *book = m->in->book;
	const struct sub_row *sub = book->sub(book->ctx, imsi);

	return sub ? book->profile(book->ctx, sub->profile) : NULL;
}

static const char *text_of(struct view v, char to[64])
{
	size_t n = v.n < 63 ? v.n : 63;

	for (size_t i = 0; i < n; i++)
		to[i] = (char)(v.p[i] >= 0x20 && v.p[i] < 0x7f ? v.p[i] : '.');
	to[n] = 0;
	return to;
}

static void say_finding(const struct modes *m, uint64_t line, const struct profile_row *p,
			const struct view cell[COLUMN_MAX], enum policy_finding f)
{
	enum radio_id id = radio_find(cell[f == POLICY_INTEGRITY || f == POLICY_OPEN ? C_INTEGRITY
										   : C_CIPHERING]);
	const struct policy_row *row = &policy_rows[f];
	const char *why = id < RADIO_N && f != POLICY_OLD ? radio_rows[id].why : "";
	char text[COLUMN_MAX][64];
	json_t *o;

	for (int k = 0; k < COLUMN_MAX; k++)
		text_of(cell[k], text[k]);
	if (!m->in->reach.json) {
		printf("%s:%llu: %s %s %s %s%s%s, profile %s: %s%s%s%s%s%s\n", m->path,
		       (unsigned long long)line, text[C_IMSI], text[C_RAT], text[C_CIPHERING],
		       text[C_INTEGRITY], text[C_CELL][0] ? " cell " : "", text[C_CELL], p ? p->name : "-",
		       row->text, *why ? ": " : "", why, *row->clause ? " (" : "", row->clause,
		       *row->clause ? ")" : "");
		return;
	}
	o = json_pack("{s:I,s:s,s:s,s:s}", "line", (json_int_t)line, "finding", row->name, "why", why,
		      "clause", row->clause);
	for (int k = 0; o && k < COLUMN_MAX; k++)
		json_object_set_new(o, column_names[k], json_string(text[k]));
	if (o && p)
		json_object_set_new(o, "profile", json_string(p->name));
	json_dumpf(o, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(o);
}

static void judge_line(struct modes *m, uint64_t line, struct view text)
{
	struct view cell[COLUMN_MAX];
	const struct profile_row *p;
	enum policy_finding f;
	uint64_t imsi;
	size_t rat = 0;

	split(m, text, cell);
	imsi = bcd_of(cell[C_IMSI]);
	while (rat < sizeof rats / sizeof *rats && !view_eq_case(cell[C_RAT], view_of(rats[rat].name)))
		rat++;
	if (bcd_n(imsi) < 6 || rat == sizeof rats / sizeof *rats) {
		m->bad++;
		fprintf(stderr, "merlon inspect: %s:%llu: %s\n", m->path, (unsigned long long)line,
			bcd_n(imsi) < 6 ? "imsi: must be 6 to 15 digits"
					: "rat: must be geran, utran, wb-eutran, nb-iot, lte-m or nr");
		return;
	}
	if (inspect_renew(m->in) != ERR_OK) {
		m->bad++;
		fprintf(stderr, "merlon inspect: the serving copy is damaged\n");
		return;
	}
	m->rows++;
	p = profile_of(m, imsi);
	f = judge(m, p, rat, cell);
	m->found[f]++;
	if (f != POLICY_NONE && !m->in->summary)
		say_finding(m, line, p, cell, f);
}

static void say_sum(const struct modes *m)
{
	json_t *o = json_pack("{s:I,s:I}", "records", (json_int_t)m->rows, "unreadable",
			      (json_int_t)m->bad);

	for (int f = 0; f < POLICY_N; f++)
		json_object_set_new(o, policy_rows[f].name, json_integer((json_int_t)m->found[f]));
	if (m->in->reach.json) {
		json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		printf("\n");
	} else {
		printf("%llu records, %llu lines not readable\n", (unsigned long long)m->rows,
		       (unsigned long long)m->bad);
		for (int f = 0; f < POLICY_N; f++) {
			if (m->found[f])
				printf("%8llu  %-10s %s\n", (unsigned long long)m->found[f],
				       policy_rows[f].name, policy_rows[f].text);
		}
	}
	json_decref(o);
}

static struct view trimmed(const char *line)
{
	return (struct view){(const uint8_t *)line, strcspn(line, "\r\n")};
}

int inspect_modes(struct inspect *in, const char *path, const char *allow)
{
	struct modes m = {.in = in, .allowed = policy_default(), .forced = allow != NULL, .path = path};
	uint64_t number = 1;
	char line[1024];
	struct view bad;
	FILE *f;

	if (allow && policy_read(view_of(allow), &m.allowed, &bad)) {
		fprintf(stderr, "merlon inspect: --allow: \"%.*s\" is no algorithm, as EEA2, UIA1, A5/4\n",
			(int)bad.n, (const char *)bad.p);
		return EXIT_USAGE;
	}
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof line, f) || !read_header(&m, trimmed(line))) {
		fprintf(stderr, "merlon inspect: %s: %s\n", path,
			f ? "its first line must name imsi, rat, ciphering, integrity"
			  : "cannot be read");
		if (f)
			fclose(f);
		return EXIT_FAILED;
	}
	while (fgets(line, sizeof line, f))
		judge_line(&m, ++number, trimmed(line));
	fclose(f);
	say_sum(&m);
	return m.bad ? EXIT_FAILED : EXIT_DONE;
}
