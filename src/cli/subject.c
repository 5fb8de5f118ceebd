/* merlon subject: everything kept about one subscriber, for whoever has a right to it (R-4.a). */
#include "cli/cli.h"
#include "cli/reach.h"
#include "cli/supervise.h"

#include "base/bcd.h"
#include "base/log.h"
#include "records/events_read.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE ((size_t)4 << 20)

/* What the keeper answers, as JSON; null where there is nothing. */
static json_t *ask(struct reach *r, struct keep *req)
{
	struct keep rep;
	char why[256];
	json_t *o = NULL;

	if (client_call(r->client, req, &rep, why) == ERR_OK && client_status(&rep) == ERR_OK)
		o = json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
	return o ? o : json_null();
}

static json_t *record(struct reach *r, const char *object, const char *imsi)
{
	struct keep req = {.op = KEEP_GET};

	keep_put_text(&req, KEEP_OBJECT, view_of(object));
	keep_put_text(&req, KEEP_KEY, view_of(imsi));
	return ask(r, &req);
}

static json_t *list(struct reach *r, const char *object, const char *imsi)
{
	struct keep req = {.op = KEEP_LIST};
	char filter[32];

	snprintf(filter, sizeof filter, "imsi=%s", imsi);
	keep_put_text(&req, KEEP_OBJECT, view_of(object));
	keep_put_text(&req, KEEP_MODE, VIEW("json"));
	req.pair[req.pair_n++] = view_of(filter);
	req.has |= 1ull << KEEP_PAIR;
	return ask(r, &req);
}

static json_t *journal(struct reach *r, const char *imsi)
{
	struct keep req = {.op = KEEP_JOURNAL};

	keep_put_text(&req, KEEP_OBJECT, VIEW("subscription"));
	keep_put_text(&req, KEEP_KEY, view_of(imsi));
	keep_put_num(&req, KEEP_MOST, 5000);
	return ask(r, &req);
}

/* Events name subscribers as this site does. */
static json_t *events(const struct reach *r, const char *imsi)
{
	struct events_query q = {.max = EVENTS_MAX};
	struct wr w = {.p = malloc(PAGE), .cap = PAGE};
	struct events_read *read = NULL;
	uint8_t key[16] = {0};
	char who[64], why[256];
	uint64_t last;
	size_t n;
	json_t *o = NULL;

	if (w.p && prepare_data(&r->conf, key, why) == ERR_OK &&
	    events_read_open(&read, r->conf.watch_store, why) == ERR_OK) {
		log_init("subject", key, LOG_ERROR);
		log_clear_identities(r->conf.log_identities == 1);
		log_identity(bcd_of(view_of(imsi)), who, sizeof who);
		q.subject = view_of(who);
		if (events_read_list(read, &q, &w, &last, &n) == ERR_OK)
			o = json_loadb((const char *)w.p, w.n, 0, NULL);
	}
	events_read_close(read);
	free(w.p);
	return o ? o : json_null();
}

int cmd_subject(int argc, char **argv)
{
	static const struct command me = {
	    "subject", "subject IMSI",
	    "Print, as JSON, everything that is kept about one subscriber: the subscription, its "
	    "case, what its\n"
	    "host reported, consents, requests, what the journal says of it, events. Keys are "
	    "never shown. For\n"
	    "who must not be kept any more see the record subject-request.",
	    cmd_subject};
	struct reach r = {0};
	const struct arg row[] = {REACH_ARGS(r)};
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);
	json_t *o;

	if (n < 0)
		return code;
	if (n != 1 || strspn(argv[0], "0123456789") != strlen(argv[0]) || strlen(argv[0]) > 15) {
		fprintf(stderr, "merlon subject: give an IMSI; see merlon subject --help\n");
		return EXIT_USAGE;
	}
	code = reach_open(&r, me.name, true);
	if (code == EXIT_DONE) {
		o = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "imsi", argv[0], "subscription",
			      record(&r, "subscription", argv[0]), "hold",
			      record(&r, "hold", argv[0]), "hosts", list(&r, "host", argv[0]),
			      "consents", list(&r, "consent", argv[0]), "requests",
			      list(&r, "subject-request", argv[0]), "journal", journal(&r, argv[0]),
			      "events", events(&r, argv[0]));
		if (!o || json_dumpf(o, stdout, JSON_INDENT(1)) != 0)
			code = EXIT_FAILED;
		putchar('\n');
		json_decref(o);
	}
	reach_close(&r);
	return code;
}
