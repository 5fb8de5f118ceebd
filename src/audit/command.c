/* merlon audit: try everything, say what came of it. */
#include "audit/audit.h"
#include "audit/receipts.h"

#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
	struct reach reach;
	const char *clause, *cert, *key;
	bool keep_nothing;
};

/* The partner's side of the edge: clear TCP where it is listened for and allowed, else TLS. */
static int choose_listener(struct audit *a, const struct options *o)
{
	const struct conf *c = &a->reach->conf;
	bool tls = o->cert && o->key;

	for (size_t i = 0; i < c->edge_listen.n; i++) {
		if (endpoint_parse(view_of(c->edge_listen.text[i]), &a->to.at) != ERR_OK)
			continue;
		if ((a->to.at.link == LINK_TCP && c->edge_clear && !tls) ||
		    (a->to.at.link == LINK_TLS && tls)) {
			a->to.cert = o->cert;
			a->to.key = o->key;
			a->to.ca = c->tls_ca;
			return EXIT_DONE;
		}
	}
	fprintf(stderr, "merlon audit: edge.listen has no %s\n",
		tls ? "tls: address"
		    : "tcp: address that takes partners in clear; give --cert and --key of a test "
		      "partner");
	return EXIT_USAGE;
}

static void read_rules(struct audit *a)
{
	struct keep req = {.op = KEEP_LIST}, rep;
	char why[256];

	keep_put_text(&req, KEEP_OBJECT, VIEW("rule"));
	keep_put_text(&req, KEEP_MODE, VIEW("json"));
	keep_put_num(&req, KEEP_MOST, 9999);
	if (keeping_call(a, &req, &rep, why) == ERR_OK)
		a->rules =
		    json_loadb((const char *)rep.text[KEEP_BODY].p, rep.text[KEEP_BODY].n, 0, NULL);
}

static void progress(size_t i)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (i < attempt_n)
		fprintf(stderr, "\r\033[K%3zu %%  %s", i * 100 / attempt_n, attempts[i].what);
	else
		fprintf(stderr, "\r\033[K");
}

static int try_all(struct audit *a, const struct options *o)
{
	struct proof *proofs = calloc(attempt_n, sizeof *proofs);
	char shown[CONF_TEXT_MAX + 32];
	struct report r = {.only = o->clause, .json = o->reach.json, .proofs = proofs};
	uint64_t since_ms = audit_wall_ms();
	char path[CONF_TEXT_MAX + 16];
	int code;

	if (!proofs)
		return EXIT_FAILED;
	for (size_t i = 0; i < attempt_n; i++) {
		progress(i);
		audit_try(a, &attempts[i], &proofs[i]);
	}
	progress(attempt_n);
	snprintf(path, sizeof path, "%s/audit.jsonl", a->reach->conf.data_dir);
	evidence_recall(path, since_ms, proofs);
	if (!o->keep_nothing && !evidence_keep(path, since_ms, proofs))
		fprintf(stderr, "merlon audit: %s: this evidence could not be kept\n", path);
	r.now_ms = audit_wall_ms();
	snprintf(shown, sizeof shown, "%s/portal/audit.json", o->reach.conf.data_dir);
	r.publish = o->keep_nothing ? NULL : shown;
	code = report_print(&r);
	if (!a->node[FROM_MME] && code == EXIT_DONE) {
		fprintf(stderr, "merlon audit: the edge was not reached: %s\n",
			a->node_why[FROM_MME]);
		code = EXIT_FAILED;
	}
	free(proofs);
	return code;
}

static void finish(struct audit *a)
{
	for (enum from f = 0; f < FROM_N; f++) {
		if (a->node[f])
			probe_close(a->node[f]);
	}
	json_decref(a->rules);
	free(a->page);
	aka_free(a->aka);
	secret_free(a); /* it held keys */
}

static int audit(struct options *o)
{
	struct audit *a = secret_new(sizeof *a);
	struct stat st;
	int code;

	if (!a)
		return EXIT_FAILED;
	a->reach = &o->reach;
	a->aka = aka_new();
	snprintf(a->other_realm, sizeof a->other_realm, "epc.mnc0%s.mcc%.3s.3gppnetwork.org",
		 &BLOCKED_PLMN[3], BLOCKED_PLMN);
	if (stat(o->reach.conf.watch_events, &st) == 0)
		a->events_at = (uint64_t)st.st_size;
	code = a->aka ? choose_listener(a, o) : EXIT_FAILED;
	if (code == EXIT_DONE)
		code = reserve_make(a);
	if (code == EXIT_DONE) {
		read_rules(a);
		code = try_all(a, o);
	}
	finish(a);
	return code;
}

int cmd_audit(int argc, char **argv)
{
	static const struct command me = {
	    "audit", "audit [receipts] [--clause R-x] [--json]",
	    "Fill in the CLP.14 checklist from the running system: by canaries (forbidden messages "
	    "of a reserved\n"
	    "test partner about reserved test SIMs, on the real interface), by requests to the "
	    "keeper, and by what\n"
	    "can be seen of the roles. A clause is shown, not shown, or without evidence. Exit "
	    "code 1 when one is\n"
	    "not shown. Evidence is kept in DATA_DIR/audit.jsonl and counts for a day;\n"
	    "the portal shows the last report, and signs an annex for a tenant.\n"
	    "receipts: verify instead, from the journal alone, what devices and platforms signed: its chain "
	    "and both\n"
	    "signatures of each receipt. Exit code 1 when one does not verify.",
	    cmd_audit};
	struct options o = {0};
	const struct arg row[] = {
	    REACH_ARGS(o.reach),
	    {"--clause", ARG_TEXT, &o.clause, "R-x", "report this clause only, with all its tries",
	     0, 0},
	    {"--cert", ARG_TEXT, &o.cert, "FILE",
	     "certificate chain of a test partner, for a tls: listener", 0, 0},
	    {"--key", ARG_TEXT, &o.key, "FILE", "its private key", 0, 0},
	    {"--no-keep", ARG_FLAG, &o.keep_nothing, "", "do not write this evidence down", 0, 0},
	};
	int code, n = args_read(&me, row, sizeof row / sizeof *row, argc, argv, &code);

	if (n < 0)
		return code;
	if (n > 1 || (n == 1 && strcmp(argv[0], "receipts") != 0)) {
		fprintf(stderr, "merlon audit: takes no argument but receipts; see merlon audit --help\n");
		return EXIT_USAGE;
	}
	code = reach_open(&o.reach, me.name, true);
	if (code == EXIT_DONE)
		code = n == 1 ? audit_receipts(&o.reach) : audit(&o);
	reach_close(&o.reach);
	return code;
}
