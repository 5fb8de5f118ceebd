/* What is about the whole: approvals, the journal, the model, this API's own description. */
#include "portal/api_in.h"
#include "portal/route.h"

#include <stdlib.h>

static void items(struct visit *v, const struct keep *rep)
{
	static uint8_t page[KEEP_BODY_MAX + 256];
	struct wr w = {.p = page, .cap = sizeof page};

	if (visit_refused(v, rep))
		return;
	wr_view(&w, VIEW("{\"items\":"));
	wr_view(&w, rep->text[KEEP_BODY]);
	if (rep->text[KEEP_NEXT].n > 0) {
		wr_view(&w, VIEW(",\"next\":"));
		json_text(&w, rep->text[KEEP_NEXT]);
	}
	wr_view(&w, VIEW("}"));
	visit_text(v, 200, wr_done(&w), 0);
}

static void as_it_is(struct visit *v, const struct keep *rep)
{
	/* A journal that does not hold is an answer too: its body says what was found. */
	if (rep->num[KEEP_STATUS] == ERR_CORRUPT && rep->text[KEEP_BODY].n > 0)
		visit_text(v, 200, rep->text[KEEP_BODY], 0);
	else if (!visit_refused(v, rep))
		visit_text(v, 200, rep->text[KEEP_BODY], 0);
}

void approval_list(struct visit *v)
{
	struct keep req = {.op = KEEP_PENDING};

	visit_keep(v, LANE_READ, &req, items);
}

static void approved(struct visit *v, const struct keep *rep)
{
	if (!visit_refused(v, rep))
		visit_answer(v, &(struct web_answer){.status = 204});
}

void approval_take(struct visit *v)
{
	struct keep req = {.op = KEEP_CONFIRM};
	char text[24];

	if (!view_text(v->param[0], text, sizeof text) || strspn(text, "0123456789") != strlen(text)) {
		visit_problem(v, 404, "not-found", "there is none that waits");
		return;
	}
	keep_put_num(&req, KEEP_APPROVE, strtoull(text, NULL, 10));
	visit_keep(v, LANE_WRITE, &req, approved);
}

void journal_list(struct visit *v)
{
	struct keep req = {.op = KEEP_JOURNAL};
	char after[24];

	keep_put_num(&req, KEEP_MOST, 500);
	if (visit_query(v, "after", after, sizeof after))
		keep_put_text(&req, KEEP_AFTER, view_of(after));
	visit_keep(v, LANE_LIST, &req, items);
}

void journal_verify(struct visit *v)
{
	struct keep req = {.op = KEEP_VERIFY};

	visit_keep(v, LANE_LIST, &req, as_it_is);
}

void state_show(struct visit *v)
{
	struct keep req = {.op = KEEP_STATE};

	visit_keep(v, LANE_READ, &req, as_it_is);
}

void model_show(struct visit *v)
{
	struct keep req = {.op = KEEP_MODEL};

	visit_keep_own(v, LANE_READ, &req, v->who.user, as_it_is); /* nobody's records */
}

void openapi_show(struct visit *v)
{
	const struct api *a = v->portal->api;

	visit_answer(
	    v, &(struct web_answer){.status = 200,
				    .type = "application/json",
				    .body = {(const uint8_t *)a->description_text, a->description_n}});
}
