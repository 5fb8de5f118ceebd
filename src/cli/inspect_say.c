/* What merlon inspect prints: a line a request, and the sums by check. */
#include "cli/inspect.h"

#include "node/dia_adapt.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const acts[] = {
    [ACT_PASS] = "pass", [ACT_REJECT] = "refuse", [ACT_DROP] = "drop"};

static const char *command_of(const struct judged *j, char text[32])
{
	static const struct {
		uint32_t code;
		const char *name;
	} names[] = {{316, "ULR"}, {317, "CLR"}, {318, "AIR"}, {319, "IDR"}, {320, "DSR"},
		     {321, "PUR"}, {322, "RSR"}, {323, "NOR"}, {324, "ECR"}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (names[i].code == j->h->code &&
		    (j->h->app == DIA_APP_S6A || j->h->app == DIA_APP_S13))
			return names[i].name;
	}
	snprintf(text, 32, "%u/%u", j->h->code, j->h->app);
	return text;
}

void inspect_say_when(uint64_t ms, char text[40])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	if (!gmtime_r(&s, &tm)) {
		snprintf(text, 40, "?");
		return;
	}
	n = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, 40 - n, ".%03uZ", (unsigned int)(ms % 1000));
}

/* A text of the message for a terminal: what could steer one becomes a dot. */
const char *inspect_safe(struct view v, char text[256])
{
	size_t n = v.n < 255 ? v.n : 255;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(v.p[i] >= 0x21 && v.p[i] < 0x7f ? v.p[i] : '.');
	text[n] = 0;
	return text;
}

void inspect_say_verdict(const struct verdict *v, const char *answer)
{
	printf("%s", acts[v->act]);
	if (v->act != ACT_PASS)
		printf(": %s, %s (%s)", check_rows[v->check].name, check_rows[v->check].help,
		       check_rows[v->check].clause);
	if (v->act != ACT_PASS && answer)
		printf("; answered %s", answer);
	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++) {
		if (v->observed >> c & 1)
			printf("; observed %s", check_rows[c].name);
	}
	printf("\n");
}

static void say_text(const struct inspect *in, const struct judged *j)
{
	char when[40], command[32], imsi[BCD_TEXT] = "-", host[256], origin[256];

	inspect_say_when(in->at_ms, when);
	if (j->f && j->f->imsi)
		bcd_text(j->f->imsi, imsi);
	printf("%s  %s  %-5s %-15s  %s", when, j->from->flow->from, command_of(j, command), imsi,
	       inspect_safe(tab_get(j->m, AVP_ORIGIN_HOST), origin));
	if (view_eq_case(view_of(j->from->host), tab_get(j->m, AVP_ORIGIN_HOST)))
		printf("  ");
	else
		printf(" by %s  ", inspect_safe(view_of(j->from->host), host));
	if (!j->v) {
		printf("malformed: %s, answered %u\n", err_text(j->err), dia_result(j->err));
		return;
	}
	inspect_say_verdict(j->v, NULL);
}

void inspect_put_bcd(json_t *o, const char *name, uint64_t id)
{
	char text[BCD_TEXT];

	if (id && bcd_text(id, text) > 0)
		json_object_set_new(o, name, json_string(text));
}

static void put_text(json_t *o, const char *name, struct view v)
{
	char text[256];

	if (v.n > 0)
		json_object_set_new(o, name, json_string(inspect_safe(v, text)));
}

void inspect_put_verdict(json_t *o, const struct verdict *v)
{
	json_t *observed = json_array();

	json_object_set_new(o, "verdict", json_string(acts[v->act]));
	if (v->act != ACT_PASS) {
		json_object_set_new(o, "check", json_string(check_rows[v->check].name));
		json_object_set_new(o, "clause", json_string(check_rows[v->check].clause));
	}
	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++) {
		if (v->observed >> c & 1)
			json_array_append_new(observed, json_string(check_rows[c].name));
	}
	json_object_set_new(o, "observed", observed);
}

static void say_json(const struct inspect *in, const struct judged *j)
{
	char when[40], command[32];
	json_t *o = json_object();

	inspect_say_when(in->at_ms, when);
	json_object_set_new(o, "when", json_string(when));
	json_object_set_new(o, "from", json_string(j->from->flow->from));
	json_object_set_new(o, "to", json_string(j->from->flow->to));
	json_object_set_new(o, "command", json_string(command_of(j, command)));
	put_text(o, "peer_host", view_of(j->from->host));
	put_text(o, "peer_realm", view_of(j->from->realm));
	json_object_set_new(o, "peer_known", json_boolean(j->from->known));
	inspect_put_bcd(o, "network", j->from->plmn);
	put_text(o, "origin_host", tab_get(j->m, AVP_ORIGIN_HOST));
	put_text(o, "origin_realm", tab_get(j->m, AVP_ORIGIN_REALM));
	if (j->f) {
		inspect_put_bcd(o, "imsi", j->f->imsi);
		inspect_put_bcd(o, "imei", j->f->imei);
		inspect_put_bcd(o, "visited", j->f->visited_plmn);
	}
	if (j->v) {
		inspect_put_verdict(o, j->v);
	} else {
		json_object_set_new(o, "verdict", json_string("malformed"));
		json_object_set_new(o, "error", json_string(err_text(j->err)));
		json_object_set_new(o, "result", json_integer(dia_result(j->err)));
	}
	printf(in->requests > 1 ? ",\n" : "\n");
	json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
}

void inspect_begin(const struct inspect *in)
{
	if (in->reach.json)
		printf("{\"requests\":[");
}

void inspect_say(const struct inspect *in, const struct judged *j)
{
	if (in->summary)
		return;
	if (in->reach.json)
		say_json(in, j);
	else
		say_text(in, j);
}

static json_t *sums(const uint64_t n[CHECK_N])
{
	json_t *o = json_object();

	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++) {
		if (n[c] > 0)
			json_object_set_new(o, check_rows[c].name, json_integer((json_int_t)n[c]));
	}
	return o;
}

static void end_json(struct inspect *in, const struct cap_counts *n)
{
	json_t *o = json_pack(
	    "{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "packets", (json_int_t)n->packets,
	    "messages", (json_int_t)n->messages, "requests", (json_int_t)in->requests, "passed",
	    (json_int_t)in->passed, "malformed", (json_int_t)in->malformed, "gaps",
	    (json_int_t)n->gaps, "fragments", (json_int_t)n->fragments, "noise",
	    (json_int_t)n->noise, "refused", sums(in->refused), "observed", sums(in->observed));

	printf("],\n\"summary\":");
	json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
	traffic_end(&in->traffic);
	o = traffic_json(&in->traffic);
	printf(",\n\"traffic\":");
	json_dumpf(o, stdout, JSON_COMPACT);
	printf("}\n");
	json_decref(o);
}

void inspect_end(struct inspect *in, const char *file)
{
	const struct cap_counts *n = cap_counts(in->cap);

	if (in->reach.json) {
		end_json(in, n);
		return;
	}
	printf("\n%s: %llu packets, %llu messages, %llu requests: %llu would pass, %llu "
	       "are malformed\n",
	       file, (unsigned long long)n->packets, (unsigned long long)n->messages,
	       (unsigned long long)in->requests, (unsigned long long)in->passed,
	       (unsigned long long)in->malformed);
	for (enum check c = CHECK_NONE + 1; c < CHECK_N; c++) {
		if (in->refused[c] > 0)
			printf("%10llu refused   %-30s %s\n", (unsigned long long)in->refused[c],
			       check_rows[c].name, check_rows[c].clause);
		if (in->observed[c] > 0)
			printf("%10llu observed  %-30s %s\n", (unsigned long long)in->observed[c],
			       check_rows[c].name, check_rows[c].clause);
	}
	if (n->gaps + n->fragments > 0)
		printf("%llu gaps in the capture, %llu IP fragments left out\n",
		       (unsigned long long)n->gaps, (unsigned long long)n->fragments);
	traffic_end(&in->traffic);
	traffic_say(&in->traffic);
}
