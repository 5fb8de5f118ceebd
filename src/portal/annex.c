/* The checklist as merlon audit last found it, and an annex to an agreement: a tenant's, dated, to
 * be printed, signed with the key that signs tokens (R-1.3.d). */
#include "portal/api_in.h"
#include "portal/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REPORT_MAX ((size_t)1 << 20)

static uint8_t room[REPORT_MAX], paper[2 * REPORT_MAX];

/* The last report; NULL: it has been answered that there is none. */
static json_t *report(struct visit *v)
{
	char path[CONF_PATH];
	json_t *o;

	snprintf(path, sizeof path, "%.3000s/audit.json", v->portal->conf.dir);
	o = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		visit_problem(v, 404, "not-found",
			      "the checklist has not been filled in yet: merlon audit");
		return NULL;
	}
	return o;
}

void audit_show(struct visit *v)
{
	json_t *o = report(v);
	size_t n = o ? json_dumpb(o, (char *)room, REPORT_MAX, JSON_COMPACT) : 0;

	if (!o)
		return;
	json_decref(o);
	if (n > REPORT_MAX)
		visit_problem(v, 503, "unavailable", "the report is too long");
	else
		visit_text(v, 200, (struct view){room, n}, 0);
}

static const char *text(const json_t *o, const char *name)
{
	const char *t = json_string_value(json_object_get(o, name));

	return t ? t : "";
}

static void put(struct wr *w, const char *t)
{
	for (; *t; t++) {
		const char *as = *t == '<'   ? "&lt;"
				 : *t == '>' ? "&gt;"
				 : *t == '&' ? "&amp;"
				 : *t == '"' ? "&quot;"
					     : NULL;

		if (as)
			wr_view(w, view_of(as));
		else
			wr_be(w, (uint8_t)*t, 1);
	}
}

static void cell(struct wr *w, const char *t)
{
	wr_view(w, VIEW("<td>"));
	put(w, t);
	wr_view(w, VIEW("</td>"));
}

static void rows(struct wr *w, const json_t *annex)
{
	const json_t *c;
	size_t i;

	json_array_foreach(json_object_get(annex, "clauses"), i, c)
	{
		wr_view(w, VIEW("<tr>"));
		cell(w, text(c, "clause"));
		cell(w, text(c, "strength"));
		cell(w, text(c, "requirement"));
		cell(w, text(c, "state"));
		cell(w, text(c, "evidence"));
		cell(w, text(c, "when"));
		wr_view(w, VIEW("</tr>\n"));
	}
}

/* For the printer: the browser makes a PDF of it. The signature is of the JSON beside it. */
static void print(struct visit *v, const json_t *annex, struct view token)
{
	struct wr w = {.p = paper, .cap = sizeof paper};
	char head[160];

	wr_view(&w, VIEW("<!DOCTYPE html><html lang=\"en\"><head><meta "
			 "charset=\"utf-8\"><title>Annex: GSMA CLP.14</title>"
			 "</head><body><h1>Annex: security of the network, GSMA CLP.14</h1><p>For "
			 "tenant <b>"));
	put(&w, text(annex, "tenant"));
	wr_view(&w, VIEW("</b>, by "));
	put(&w, text(annex, "operator"));
	wr_view(&w, VIEW(", made "));
	put(&w, text(annex, "made"));
	wr_view(&w, VIEW("; evidence gathered "));
	put(&w, text(annex, "audited"));
	snprintf(head, sizeof head,
		 ".</p><p>%lld shown, %lld not shown, %lld without evidence.</p>",
		 (long long)json_integer_value(json_object_get(annex, "shown")),
		 (long long)json_integer_value(json_object_get(annex, "not_shown")),
		 (long long)json_integer_value(json_object_get(annex, "without_evidence")));
	wr_view(&w, view_of(head));
	wr_view(&w, VIEW("<table "
			 "border=\"1\"><thead><tr><th>Clause</th><th>Strength</th><th>Requirement</"
			 "th><th>State</th>"
			 "<th>Evidence</th><th>When</th></tr></thead><tbody>\n"));
	rows(&w, annex);
	wr_view(&w, VIEW("</tbody></table><h2>Signature</h2><p>ES256 by key "));
	put(&w, jws_key_id(v->portal->keys.key[0]));
	wr_view(
	    &w,
	    VIEW(" (jwks of this portal), over the same in JSON: compact JWS, RFC 7515.</p><pre>"));
	wr_view(&w, token);
	wr_view(&w, VIEW("</pre></body></html>\n"));
	if (w.err)
		visit_problem(v, 503, "unavailable", "the annex is too long");
	else
		visit_answer(v, &(struct web_answer){.status = 200,
						     .type = "text/html; charset=utf-8",
						     .body = wr_done(&w)});
}

static void put_time(json_t *o, const char *name, time_t s)
{
	char when[32];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_set_new(o, name, json_string(when));
}

static void hand_out(struct visit *v, json_t *annex)
{
	char header[160], form[8] = "", *payload = json_dumps(annex, JSON_COMPACT);
	struct wr w = {.p = room, .cap = sizeof room};
	enum err err = ERR_FULL;

	snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":\"annex+jwt\",\"kid\":\"%s\"}",
		 jws_key_id(v->portal->keys.key[0]));
	if (payload)
		err = jws_sign(v->portal->keys.key[0], view_of(header), view_of(payload), &w);
	free(payload);
	visit_query(v, "form", form, sizeof form);
	if (err || w.err)
		visit_problem(v, 503, "unavailable", "the annex cannot be signed now");
	else if (strcmp(form, "jws") == 0)
		visit_answer(v, &(struct web_answer){.status = 200,
						     .type = "application/jose",
						     .body = wr_done(&w)});
	else
		print(v, annex, wr_done(&w));
}

/* The keeper has shown that the tenant is one, and that they may know. */
static void made(struct visit *v, const struct keep *rep)
{
	json_t *o, *annex;
	char tenant[32];

	if (visit_refused(v, rep) || !view_text(v->param[0], tenant, sizeof tenant))
		return;
	o = report(v);
	if (!o)
		return;
	annex = json_pack("{s:s,s:s,s:s}", "annex", "GSMA CLP.14", "tenant", tenant, "operator",
			  v->portal->conf.realm);
	put_time(annex, "made", (time_t)api_now_s(v->portal->api));
	json_object_set(annex, "audited", json_object_get(o, "when"));
	json_object_set(annex, "shown", json_object_get(o, "shown"));
	json_object_set(annex, "not_shown", json_object_get(o, "not_shown"));
	json_object_set(annex, "without_evidence", json_object_get(o, "without_evidence"));
	json_object_set(annex, "clauses", json_object_get(o, "clauses"));
	hand_out(v, annex);
	json_decref(annex);
	json_decref(o);
}

void audit_annex(struct visit *v)
{
	struct keep req = {.op = KEEP_GET};

	if (v->param[0].n > 31) {
		visit_problem(v, 404, "not-found", "there is none of that key");
		return;
	}
	keep_put_text(&req, KEEP_OBJECT, VIEW("tenant"));
	keep_put_text(&req, KEEP_KEY, v->param[0]);
	visit_keep(v, LANE_READ, &req, made);
}
