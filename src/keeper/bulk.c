/* Bulk jobs: asked for over the socket, carried out between requests, a part at a time, each
 * published at once. */
#include "keeper/keeper_in.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum err keeper_bulk_open(struct keeper *k, const struct keeper_conf *conf, char why[256])
{
	const struct jobs_conf c = {conf->job_share ? conf->job_share : 100, conf->job_few};
	enum err err = jobs_open(&k->jobs, k->store, &c);

	if (err)
		snprintf(why, 256, "keeper: jobs: %s", err_text(err));
	return err;
}

int keeper_bulk_wait(const struct keeper *k, int most)
{
	uint64_t now = keeper_wall_ms();

	if (k->jobs_due_ms <= now)
		return 0;
	return k->jobs_due_ms - now < (uint64_t)most ? (int)(k->jobs_due_ms - now) : most;
}

void keeper_bulk_step(struct keeper *k)
{
	uint64_t now = keeper_wall_ms();
	bool changed = false;
	char why[256];
	uint32_t wait;

	if (now < k->jobs_due_ms && k->jobs_due_ms - now < 3600000)
		return;
	wait = jobs_step(k->jobs, now, &changed);
	/* With none to do it is looked for at each tick: a commit may have failed when it was asked
	 * for. */
	k->jobs_due_ms = now + (wait == UINT32_MAX ? 1000 : wait);
	if (changed && keeper_publish(k, why))
		LOG(LOG_ERROR, "keeper.late", KV("error", (const char *)why));
}

static uint64_t number(struct view v)
{
	char text[24] = "";

	return view_text(v, text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

static enum err make(struct ask *a)
{
	const struct keep *q = a->req;
	const struct job_new n = {
	    .object = a->object,
	    .pair = q->pair,
	    .pair_n = q->pair_n,
	    .header = q->text[KEEP_HEADER],
	    .filter = q->text[KEEP_LINES],
	    .note = q->text[KEEP_KEY],
	    .pace = (uint32_t)(q->num[KEEP_MOST] < UINT32_MAX ? q->num[KEEP_MOST] : 0)};
	uint64_t id = 0;
	char text[32];
	enum err err;

	if (!keep_has(q, KEEP_OBJECT)) {
		say(a->say, "object: which records is the job about?");
		return ERR_MISSING;
	}
	err = jobs_new(a->k->jobs, &a->who, &n, &id, a->say);
	snprintf(text, sizeof text, "{\"job\":%llu}", (unsigned long long)id);
	if (!err)
		wr_view(a->body, view_of(text));
	return err;
}

static enum err result(struct ask *a, uint64_t id, bool failed)
{
	uint64_t next = 0;
	enum err err =
	    jobs_result(a->k->jobs, id, a->who.tenant, number(a->req->text[KEEP_AFTER]), failed,
			a->body, &next, a->say);

	if (!err && next) {
		snprintf(a->next, sizeof a->next, "%llu", (unsigned long long)next);
		keep_put_text(a->rep, KEEP_NEXT, view_of(a->next));
	}
	return err;
}

static enum err list(struct ask *a)
{
	uint64_t most = a->req->num[KEEP_MOST];

	return jobs_list(a->k->jobs, a->who.tenant, number(a->req->text[KEEP_AFTER]),
			 most > 0 && most < 200 ? (size_t)most : 100, a->body);
}

enum err keeper_bulk(struct ask *a)
{
	static const struct {
		const char *mode;
		enum job_verb verb;
	} verbs[] = {
	    {"start", JOB_START},
	    {"pause", JOB_PAUSE},
	    {"cancel", JOB_CANCEL},
	    {"approve", JOB_APPROVE},
	};
	struct view mode = a->req->text[KEEP_MODE];
	uint64_t id = number(a->req->text[KEEP_NAME]);

	a->k->jobs_due_ms = 0;
	if (view_eq(mode, VIEW("new")))
		return make(a);
	if (view_eq(mode, VIEW("list")))
		return list(a);
	if (view_eq(mode, VIEW("show")))
		return jobs_show(a->k->jobs, id, a->who.tenant, a->body, a->say);
	if (view_eq(mode, VIEW("rows")) || view_eq(mode, VIEW("end")))
		return jobs_lines(a->k->jobs, &a->who, id, a->req->text[KEEP_LINES],
				  view_eq(mode, VIEW("end")), a->say);
	if (view_eq(mode, VIEW("result")) || view_eq(mode, VIEW("bad")))
		return result(a, id, view_eq(mode, VIEW("bad")));
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (view_eq(mode, view_of(verbs[i].mode)))
			return jobs_do(a->k->jobs, &a->who, id, verbs[i].verb, a->say);
	}
	say(a->say,
	    "mode: new, rows, end, list, show, result, bad, start, pause, cancel or approve");
	return ERR_VALUE;
}
