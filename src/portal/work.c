/* Bulk jobs, and what clause 4 asks for, over the API: all of it is the keeper's (records/jobs.h,
 * store_duties). */
#include "portal/api_in.h"
#include "portal/route.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_ROOM (KEEP_BODY_MAX + 256)

static void as_items(struct visit *v, const struct keep *rep)
{
	static uint8_t page[BODY_ROOM];
	struct wr w = {.p = page, .cap = sizeof page};

	if (visit_refused(v, rep))
		return;
	wr_view(&w, VIEW("{\"items\":"));
	wr_view(&w, rep->text[KEEP_BODY]);
	wr_view(&w, VIEW("}"));
	visit_text(v, 200, wr_done(&w), 0);
}

static void as_it_is(struct visit *v, const struct keep *rep)
{
	if (!visit_refused(v, rep))
		visit_text(v, 200, rep->text[KEEP_BODY], 0);
}

static void done(struct visit *v, const struct keep *rep)
{
	if (!visit_refused(v, rep))
		visit_answer(v, &(struct web_answer){.status = 204});
}

/* The job that the path names; false: it has been answered. */
static bool about(struct visit *v, struct keep *req, const char *mode)
{
	*req = (struct keep){.op = KEEP_JOB};
	keep_put_text(req, KEEP_MODE, view_of(mode));
	if (v->param[0].n == 0 || v->param[0].n > 20) {
		visit_problem(v, 404, "not-found", "there is no job of that number");
		return false;
	}
	keep_put_text(req, KEEP_NAME, v->param[0]);
	return true;
}

void job_list(struct visit *v)
{
	struct keep req = {.op = KEEP_JOB};
	char before[24];

	keep_put_text(&req, KEEP_MODE, VIEW("list"));
	if (visit_query(v, "before", before, sizeof before))
		keep_put_text(&req, KEEP_AFTER, view_of(before));
	visit_keep(v, LANE_READ, &req, as_items);
}

/* --- a new one --- */

/* What a tenant's person may change, singly or in bulk. */
static bool theirs(struct view name)
{
	static const char *const names[] = {"imsi", "profile", "imei", "tacs", "host", "life"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (view_eq(name, view_of(names[i])))
			return true;
	}
	return false;
}

static struct view line_of(struct view *left, uint8_t end)
{
	const uint8_t *at = left->n > 0 ? memchr(left->p, end, left->n) : NULL;
	size_t n = at ? (size_t)(at - left->p) : left->n;
	struct view line = view_first(*left, n);

	n += at != NULL;
	*left = (struct view){left->p + n, left->n - n};
	return line;
}

static bool may_change(const struct visit *v, struct view header, const struct keep *req)
{
	if (!v->who.tenant[0])
		return true;
	if (strcmp(visit_field(v, "object"), "subscription") != 0)
		return false;
	while (header.n > 0 && header.p[header.n - 1] < ' ')
		header.n--;
	while (header.n > 0) {
		if (!theirs(line_of(&header, ',')))
			return false;
	}
	for (size_t i = 0; i < req->pair_n; i++) {
		struct view left = req->pair[i];

		if (!theirs(line_of(&left, '=')))
			return false;
	}
	return true;
}

static void answer_job(struct visit *v)
{
	visit_json(v, 201, json_pack("{s:s}", "job", v->note));
}

static void rows_taken(struct visit *v, const struct keep *rep)
{
	if (!visit_refused(v, rep))
		answer_job(v);
}

/* The number is the body's; the rest of its CSV follows, if it was whole. */
static void made(struct visit *v, const struct keep *rep)
{
	struct keep req = {.op = KEEP_JOB};
	struct view csv = view_of(visit_field(v, "csv"));
	json_t *o;

	if (visit_refused(v, rep))
		return;
	o = json_loadb((const char *)rep->text[KEEP_BODY].p, rep->text[KEEP_BODY].n, 0, NULL);
	snprintf(v->note, 24, "%lld", (long long)json_integer_value(json_object_get(o, "job")));
	json_decref(o);
	line_of(&csv, '\n');
	if (csv.n == 0) {
		answer_job(v);
		return;
	}
	keep_put_text(&req, KEEP_MODE, VIEW("end"));
	keep_put_text(&req, KEEP_NAME, view_of(v->note));
	keep_put_text(&req, KEEP_LINES, csv);
	visit_keep(v, LANE_WRITE, &req, rows_taken);
}

void job_make(struct visit *v)
{
	struct keep req = {.op = KEEP_JOB};
	struct view changes = view_of(visit_field(v, "changes")),
		    csv = view_of(visit_field(v, "csv")), header = line_of(&csv, '\n');

	keep_put_text(&req, KEEP_MODE, VIEW("new"));
	keep_put_text(&req, KEEP_OBJECT, view_first(view_of(visit_field(v, "object")), 16));
	keep_put_text(&req, KEEP_KEY, view_first(view_of(visit_field(v, "note")), 64));
	keep_put_text(&req, KEEP_HEADER, header);
	keep_put_text(&req, KEEP_LINES, view_of(visit_field(v, "filter")));
	keep_put_num(&req, KEEP_MOST, strtoul(visit_field(v, "pace"), NULL, 10));
	while (changes.n > 0 && req.pair_n < KEEP_PAIRS_MAX) {
		struct view pair = line_of(&changes, '\n');

		if (pair.n > 1)
			req.pair[req.pair_n++] = pair;
	}
	if (req.pair_n > 0)
		req.has |= (uint64_t)1 << KEEP_PAIR;
	if (!may_change(v, header, &req))
		visit_problem(
		    v, 403, "field",
		    "your role changes profile, imei, tacs, host and life of subscriptions");
	else
		visit_keep(v, LANE_WRITE, &req, made);
}

/* More lines of its CSV, as they are; ?last=1 with the last. */
void job_rows(struct visit *v)
{
	struct keep req;
	char last[8];

	if (!about(v, &req, visit_query(v, "last", last, sizeof last) ? "end" : "rows"))
		return;
	keep_put_text(&req, KEEP_LINES, v->q->body);
	visit_keep(v, LANE_WRITE, &req, done);
}

void job_show(struct visit *v)
{
	struct keep req;

	if (about(v, &req, "show"))
		visit_keep(v, LANE_READ, &req, as_it_is);
}

/* It waits for a second person now: that is no refusal. */
static void started(struct visit *v, const struct keep *rep)
{
	char why[256];

	if (rep->num[KEEP_STATUS] != ERR_APPROVAL) {
		done(v, rep);
		return;
	}
	view_text(rep->text[KEEP_REASON], why, sizeof why);
	visit_json(v, 202, json_pack("{s:s}", "detail", why));
}

static void act(struct visit *v, const char *mode)
{
	struct keep req;

	if (about(v, &req, mode))
		visit_keep(v, LANE_WRITE, &req, started);
}

void job_start(struct visit *v)
{
	act(v, "start");
}

void job_pause(struct visit *v)
{
	act(v, "pause");
}

void job_cancel(struct visit *v)
{
	act(v, "cancel");
}

void job_approve(struct visit *v)
{
	act(v, "approve");
}

static void as_csv(struct visit *v, const struct keep *rep)
{
	struct web_answer a = {
	    .status = 200, .type = "text/csv; charset=utf-8", .body = rep->text[KEEP_BODY]};
	char next[72];

	if (visit_refused(v, rep))
		return;
	if (view_text(rep->text[KEEP_NEXT], next, sizeof next) && next[0]) {
		a.header[0].name = "X-Next";
		a.header[0].value = next;
	}
	visit_answer(v, &a);
}

/* A page of what became of its rows; X-Next: ask on with ?after=. */
void job_result(struct visit *v)
{
	struct keep req;
	char text[24];

	if (!about(v, &req, visit_query(v, "failed", text, sizeof text) ? "bad" : "result"))
		return;
	if (visit_query(v, "after", text, sizeof text))
		keep_put_text(&req, KEEP_AFTER, view_of(text));
	visit_keep(v, LANE_LIST, &req, as_csv);
}

/* --- clause 4 --- */

void duty_list(struct visit *v)
{
	struct keep req = {.op = KEEP_DUTIES};

	visit_keep(v, LANE_LIST, &req, as_items);
}

static void allowed(struct visit *v, const struct keep *rep)
{
	enum err err = rep->num[KEEP_STATUS] < ERR_COUNT ? (enum err)rep->num[KEEP_STATUS] : ERR_IO;
	char why[256];

	if (err != ERR_OK && err != ERR_REFUSED) {
		visit_refused(v, rep);
		return;
	}
	view_text(rep->text[KEEP_REASON], why, sizeof why);
	visit_json(v, 200, json_pack("{s:b,s:s}", "may", err == ERR_OK, "why", err ? why : ""));
}

void use_may(struct visit *v)
{
	struct keep req = {.op = KEEP_MAY};
	char tenant[64] = "", purpose[64] = "", imsi[32] = "", mcc[8] = "";

	visit_query(v, "tenant", tenant, sizeof tenant);
	visit_query(v, "purpose", purpose, sizeof purpose);
	visit_query(v, "imsi", imsi, sizeof imsi);
	visit_query(v, "country", mcc, sizeof mcc);
	if (!tenant[0] || !purpose[0]) {
		visit_problem(v, 400, "missing", "tenant, purpose");
		return;
	}
	keep_put_text(&req, KEEP_NAME, view_of(tenant));
	keep_put_text(&req, KEEP_KEY, view_of(purpose));
	keep_put_text(&req, KEEP_AFTER, view_of(imsi));
	keep_put_text(&req, KEEP_HEADER, view_of(mcc));
	visit_keep(v, LANE_WRITE, &req, allowed);
}
