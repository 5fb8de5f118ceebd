/* merlon audit receipts: every receipt of the journal, verified from the journal alone. */
#include "audit/receipts.h"
#include "audit/audit.h"
#include "audit/receipt_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct run {
	struct reach *reach;
	struct receipts *r;
	json_t *list; /* with --json */
	uint64_t n, bad;
	uint64_t head_seq; /* where the keeper had its head when this began */
	char head[80];
	char fault[160]; /* of the chain; "": none */
};

/* Where the chain must lead to at least. */
static int ask_head(struct run *u)
{
	struct keep req = {.op = KEEP_STATE}, rep;
	int code = reach_call(u->reach, "audit", &req, &rep);
	const json_t *journal;
	json_t *state;

	if (code != EXIT_DONE)
		return code;
	state = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	journal = json_object_get(state, "journal");
	u->head_seq = (uint64_t)jws_num(journal, "seq");
	(void)view_text(jws_text(journal, "head"), u->head, sizeof u->head);
	json_decref(state);
	return EXIT_DONE;
}

static void compare_head(struct run *u)
{
	if (receipts_seq(u->r) == u->head_seq && u->head_seq > 0 &&
	    !view_eq_case(view_of(u->head), view_of(receipts_head(u->r))))
		snprintf(u->fault, sizeof u->fault,
			 "entry %llu: the chain is another than that of the keeper's head",
			 (unsigned long long)u->head_seq);
}

static void when(uint64_t ms, char to[32])
{
	time_t s = (time_t)(ms / 1000);
	struct tm t;

	strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &t));
}

static void told(void *ctx, const struct receipt_told *t)
{
	struct run *u = ctx;
	char at[32];

	u->n++;
	u->bad += t->why != NULL;
	when(t->at_ms, at);
	if (u->list)
		json_array_append_new(u->list, json_pack("{s:I,s:s,s:s,s:s,s:s,s:b,s:s*}", "seq",
							 (json_int_t)t->seq, "at", at, "id", t->id,
							 "platform", t->platform, "sub", t->sub,
							 "verified", t->why == NULL, "why", t->why));
	else if (t->why)
		printf("entry %llu, %s, receipt %s of %s: %s\n", (unsigned long long)t->seq, at, t->id,
		       t->platform[0] ? t->platform : "?", t->why);
}

/* A page: "[", a line an entry with a comma before it, "]". */
static enum err lines(struct run *u, struct view page)
{
	enum err err = ERR_OK;

	while (page.n > 0 && !err) {
		const uint8_t *end = memchr(page.p, '\n', page.n);
		size_t n = end ? (size_t)(end - page.p) : page.n;
		struct view line = view_first(page, n);

		while (line.n > 0 && (line.p[line.n - 1] == ',' || line.p[line.n - 1] == ']'))
			line.n--;
		if (line.n > 0 && line.p[0] == '{')
			err = receipts_line(u->r, line, told, u);
		if (!err)
			compare_head(u);
		n += end != NULL;
		page = (struct view){page.p + n, page.n - n};
	}
	return err;
}

static void progress(const struct run *u)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%llu entries", (unsigned long long)receipts_seq(u->r));
}

static int read_journal(struct run *u)
{
	struct keep req, rep;
	char after[32] = "0";
	enum err err = ERR_OK;
	uint64_t before;
	int code;

	do {
		before = receipts_seq(u->r);
		req = (struct keep){.op = KEEP_JOURNAL};
		keep_put_text(&req, KEEP_AFTER, view_of(after));
		keep_put_num(&req, KEEP_MOST, 1000);
		code = reach_call(u->reach, "audit", &req, &rep);
		if (code != EXIT_DONE)
			return code;
		err = lines(u, rep.text[KEEP_BODY]);
		snprintf(after, sizeof after, "%llu", (unsigned long long)receipts_seq(u->r));
		progress(u);
	} while (!err && receipts_seq(u->r) > before);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (err)
		snprintf(u->fault, sizeof u->fault, "entry %llu: %s",
			 (unsigned long long)(err == ERR_CORRUPT ? receipts_seq(u->r)
								 : receipts_seq(u->r) + 1),
			 err == ERR_CORRUPT
			     ? "the chain does not lead to it: an entry was changed or taken away"
			     : err_text(err));
	else if (receipts_seq(u->r) < u->head_seq)
		snprintf(u->fault, sizeof u->fault,
			 "entry %llu is the last, but the keeper's head is %llu",
			 (unsigned long long)receipts_seq(u->r), (unsigned long long)u->head_seq);
	return EXIT_DONE;
}

static int say(struct run *u)
{
	json_t *o;

	if (u->list) {
		o = json_pack("{s:I,s:I,s:I,s:b,s:s*,s:O,s:s}", "entries",
			      (json_int_t)receipts_seq(u->r), "receipts", (json_int_t)u->n, "bad",
			      (json_int_t)u->bad, "chain", u->fault[0] == 0, "fault",
			      u->fault[0] ? u->fault : NULL, "list", u->list, "clause", "R-3.2.b");
		json_dumpf(o, stdout, JSON_INDENT(1));
		printf("\n");
		json_decref(o);
	} else {
		if (u->fault[0])
			printf("%s\n", u->fault);
		printf("%llu receipts, %llu verified; %llu entries of the journal, chain %s\n",
		       (unsigned long long)u->n, (unsigned long long)(u->n - u->bad),
		       (unsigned long long)receipts_seq(u->r), u->fault[0] ? "broken" : "whole");
	}
	return u->bad || u->fault[0] ? EXIT_FAILED : EXIT_DONE;
}

int audit_receipts(struct reach *reach)
{
	struct run u = {.reach = reach, .r = receipts_new()};
	int code = EXIT_FAILED;

	if (reach->json)
		u.list = json_array();
	if (u.r)
		code = ask_head(&u);
	if (code == EXIT_DONE)
		code = read_journal(&u);
	if (code == EXIT_DONE)
		code = say(&u);
	json_decref(u.list);
	receipts_free(u.r);
	return code;
}
