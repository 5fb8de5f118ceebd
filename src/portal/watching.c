/* What watch keeps, shown: events, found and as they come; alarms; the figures of now and of the
 * last hours. Read on a connection of our own to the event store (records/events_read.h), which
 * gives up after a moment. */
#include "portal/watching.h"
#include "portal/api_in.h"
#include "portal/route.h"

#include "base/bcd.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE ((size_t)1 << 20)
#define ROWS 100
#define ROWS_MAX 500
#define HOLD_MS 10000 /* how long a stream waits for something to tell */

static uint8_t page[PAGE], stream[PAGE];

static struct events_read *store(struct visit *v)
{
	struct events_read *r = v->portal->api->events;

	if (!r)
		visit_problem(v, 503, "unavailable", "there is no event store: does watch run?");
	return r;
}

/* The query's parameters; a number of a subscription is looked for as events write it. */
struct wanted {
	struct events_query q;
	char room[12][128];
};

static bool wanted(struct visit *v, struct wanted *w)
{
	static const char *const names[] = {"role",    "event",	 "check", "clause",
					    "network", "tenant", "imsi",  "level",
					    "from",    "to",	 "after", "before"};
	char limit[8] = "";

	*w = (struct wanted){.q = {.max = ROWS}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *to = w->room[i];

		if (!visit_query(v, names[i], to, sizeof w->room[i]) || !to[0])
			continue;
		if (i == 6 && strspn(to, "0123456789") == strlen(to) && strlen(to) <= 15)
			log_identity(bcd_of(view_of(to)), to, sizeof w->room[i]);
		if (events_query_set(&w->q, view_of(names[i]), view_of(to)) != ERR_OK) {
			visit_problem(v, 400, "value", names[i]);
			return false;
		}
	}
	if (visit_query(v, "limit", limit, sizeof limit))
		w->q.max = strtoul(limit, NULL, 10);
	if (w->q.max < 1 || w->q.max > ROWS_MAX) {
		visit_problem(v, 400, "value", "limit: 1 to 500");
		return false;
	}
	if (v->who.tenant[0])
		w->q.tenant = view_of(v->who.tenant);
	return true;
}

static void list(struct visit *v, struct events_query *q)
{
	struct events_read *r = store(v);
	struct wr w = {.p = page, .cap = PAGE};
	char next[48];
	uint64_t last;
	size_t n;

	if (!r)
		return;
	q->newest = q->after == 0;
	wr_view(&w, VIEW("{\"items\":"));
	if (events_read_list(r, q, &w, &last, &n) != ERR_OK) {
		visit_problem(v, 503, "unavailable", "the event store cannot be read now");
		return;
	}
	snprintf(next, sizeof next, ",\"next\":%llu}", (unsigned long long)last);
	if (n < q->max)
		snprintf(next, sizeof next, ",\"next\":null}");
	wr_view(&w, view_of(next));
	visit_text(v, 200, wr_done(&w), 0);
}

void event_list(struct visit *v)
{
	struct wanted w;

	if (wanted(v, &w))
		list(v, &w.q);
}

/* Of one subscription, which the keeper has shown to be theirs. */
static void of_sim(struct visit *v, const struct keep *rep)
{
	struct events_query q = {.max = ROWS};
	char who[64], imsi[32];

	if (visit_refused(v, rep) || !view_text(v->param[0], imsi, sizeof imsi))
		return;
	log_identity(bcd_of(view_of(imsi)), who, sizeof who);
	q.subject = view_of(who);
	list(v, &q);
}

void event_of_sim(struct visit *v)
{
	struct keep req = {.op = KEEP_GET};

	if (v->param[0].n > 15) {
		visit_problem(v, 404, "not-found", "there is none of that key");
		return;
	}
	keep_put_text(&req, KEEP_OBJECT, VIEW("subscription"));
	keep_put_text(&req, KEEP_KEY, v->param[0]);
	visit_keep(v, LANE_READ, &req, of_sim);
}

void alarm_list(struct visit *v)
{
	struct events_read *r = store(v);
	struct wr w = {.p = page, .cap = PAGE};
	char all[8];

	if (!r)
		return;
	wr_view(&w, VIEW("{\"items\":"));
	if (events_read_alarms(r, !visit_query(v, "all", all, sizeof all), ROWS_MAX, &w) != ERR_OK)
		visit_problem(v, 503, "unavailable", "the event store cannot be read now");
	wr_view(&w, VIEW("}"));
	visit_text(v, 200, wr_done(&w), 0);
}

void live_show(struct visit *v)
{
	struct events_read *r = store(v);
	struct wr w = {.p = page, .cap = PAGE};
	enum err err = r ? events_read_live(r, &w) : ERR_OK;

	if (!r)
		return;
	if (err)
		visit_problem(v, 503, "unavailable", "there are no figures yet");
	else
		visit_text(v, 200, wr_done(&w), 0);
}

void live_seconds(struct visit *v)
{
	struct events_read *r = store(v);
	struct wr w = {.p = page, .cap = PAGE};
	char after[24] = "0";
	uint64_t from = api_now_s(v->portal->api) - 600;

	if (!r)
		return;
	if (visit_query(v, "after", after, sizeof after))
		from = strtoull(after, NULL, 10);
	wr_view(&w, VIEW("{\"items\":"));
	if (events_read_seconds(r, from, 3600, &w) != ERR_OK)
		visit_problem(v, 503, "unavailable", "the event store cannot be read now");
	wr_view(&w, VIEW("}"));
	visit_text(v, 200, wr_done(&w), 0);
}

/* --- as they come (Server-Sent Events): an answer with what has come since the last one, which
 * waits while there is nothing; the browser asks again by itself, with the number of the last event
 * it has --- */

struct live {
	uint64_t until_ms, after;
	char network[16], check[64], name[64];
	bool errors;
};

static struct live *live_of(struct visit *v)
{
	return (struct live *)(void *)v->note;
}

/* "{...},\n{...}" to the form of a stream; how many. */
static void to_stream(struct view list, struct wr *w)
{
	while (list.n > 0) {
		const uint8_t *end = memchr(list.p, '\n', list.n);
		size_t n = end ? (size_t)(end - list.p) : list.n;
		struct view line = view_first(list, n);
		char id[48];

		n += end != NULL;
		list = (struct view){list.p + n, list.n - n};
		while (line.n > 0 && line.p[line.n - 1] != '}')
			line.n--;
		if (line.n < 7 || line.p[0] != '{')
			continue;
		snprintf(id, sizeof id,
			 "id: %llu\ndata: ", strtoull((const char *)line.p + 6, NULL, 10));
		wr_view(w, view_of(id));
		wr_view(w, line);
		wr_view(w, VIEW("\n\n"));
	}
}

static void send_stream(struct visit *v, struct view body)
{
	visit_answer(
	    v, &(struct web_answer){.status = 200, .type = "text/event-stream", .body = body});
}

/* False: there is nothing to tell yet. */
static bool tell(struct visit *v, bool last_chance)
{
	struct live *l = live_of(v);
	struct events_query q = {.after = l->after,
				 .network = view_of(l->network),
				 .check = view_of(l->check),
				 .name = view_of(l->name),
				 .errors = l->errors,
				 .max = ROWS_MAX};
	struct wr w = {.p = page, .cap = PAGE / 2}, s = {.p = stream, .cap = PAGE};
	uint64_t last;
	size_t n = 0;

	if (v->who.tenant[0])
		q.tenant = view_of(v->who.tenant);
	if (events_read_list(v->portal->api->events, &q, &w, &last, &n) != ERR_OK)
		n = 0;
	if (n == 0 && !last_chance)
		return false;
	wr_view(&s, n > 0 ? VIEW("retry: 100\n") : VIEW("retry: 100\n: nothing yet\n\n"));
	if (n > 0)
		to_stream(wr_done(&w), &s);
	send_stream(v, wr_done(&s));
	return true;
}

static void hello(struct visit *v)
{
	char text[128];

	snprintf(text, sizeof text, "retry: 100\nid: %llu\nevent: hello\ndata: {}\n\n",
		 (unsigned long long)events_read_last(v->portal->api->events));
	send_stream(v, view_of(text));
}

void event_live(struct visit *v)
{
	struct live *l = live_of(v);
	struct view since = web_header(v->call, "Last-Event-ID");
	struct api *a = v->portal->api;
	char text[24] = "", level[8] = "";
	size_t i = 0;

	if (!store(v))
		return;
	if (!view_text(since, text, sizeof text) || !text[0])
		visit_query(v, "after", text, sizeof text);
	if (!text[0]) {
		hello(v);
		return;
	}
	*l = (struct live){.until_ms = loop_now(v->portal->loop) + HOLD_MS,
			   .after = strtoull(text, NULL, 10)};
	visit_query(v, "network", l->network, sizeof l->network);
	visit_query(v, "check", l->check, sizeof l->check);
	visit_query(v, "event", l->name, sizeof l->name);
	l->errors = visit_query(v, "level", level, sizeof level) && strcmp(level, "error") == 0;
	while (i < LIVE_STREAMS && visit_of(a, a->stream[i]))
		i++;
	if (!tell(v, i == LIVE_STREAMS) && i < LIVE_STREAMS)
		a->stream[i] = visit_tag(v);
}

void watching_tick(struct api *a)
{
	uint64_t now = loop_now(a->portal->loop);
	bool changed = a->events && events_read_changed(a->events);

	for (size_t i = 0; i < LIVE_STREAMS && a->events; i++) {
		struct visit *v = a->stream[i] ? visit_of(a, a->stream[i]) : NULL;

		if (!v || ((changed || now >= live_of(v)->until_ms) &&
			   tell(v, now >= live_of(v)->until_ms)))
			a->stream[i] = 0;
	}
}
