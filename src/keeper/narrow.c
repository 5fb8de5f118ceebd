/* A client that gives up what it does not need. The portal faces strangers, and its connections were
 * opened for it by a supervisor that may do everything. After "portal" one may read which platforms there
 * are, and note what was signed. After "api" one acts in the names of the people who are signed in, whom
 * each request names: records, approvals and the journal, nothing of the machine's. */
#include "keeper/keeper_in.h"

const char *keeper_narrows(const struct keep *req)
{
	if (req->op != KEEP_NARROW)
		return NULL;
	return view_eq(req->text[KEEP_MODE], VIEW("portal")) ? KEEPER_PORTAL
	       : view_eq(req->text[KEEP_MODE], VIEW("api"))  ? KEEPER_API
							     : NULL;
}

static bool portal_may(const struct keep *req)
{
	struct view object = req->text[KEEP_OBJECT], mode = req->text[KEEP_MODE];

	if (req->op == KEEP_LIST)
		return req->pair_n == 0 &&
		       (view_eq(object, VIEW("tenant")) || view_eq(object, VIEW("platform")));
	return req->op == KEEP_NOTE &&
	       (view_eq(mode, VIEW("oidc-key")) || view_eq(mode, VIEW("receipt")));
}

static bool api_may(const struct keep *req)
{
	static const uint32_t ops = 1U << KEEP_GET | 1U << KEEP_LIST | 1U << KEEP_SET | 1U << KEEP_DELETE |
				    1U << KEEP_CONFIRM | 1U << KEEP_JOURNAL | 1U << KEEP_PENDING |
				    1U << KEEP_MODEL | 1U << KEEP_STATE | 1U << KEEP_VERIFY |
				    1U << KEEP_JOB | 1U << KEEP_DUTIES | 1U << KEEP_MAY;

	if (req->op == KEEP_NOTE)
		return view_eq(req->text[KEEP_MODE], VIEW("sign-in")) && req->text[KEEP_ACTOR].n > 0;
	return (unsigned int)req->op < 32 && ops >> req->op & 1 && req->text[KEEP_ACTOR].n > 0;
}

bool keeper_allows(const char *user, const struct keep *req)
{
	const char *to = keeper_narrows(req);

	if (req->op == KEEP_NARROW) /* once: from one to the other would be no narrowing */
		return user[0] != '(' || !to || strcmp(to, user) == 0;
	if (strcmp(user, KEEPER_PORTAL) == 0)
		return portal_may(req);
	return strcmp(user, KEEPER_API) != 0 || api_may(req);
}

enum err keeper_narrow(struct ask *a)
{
	if (keeper_narrows(a->req))
		return ERR_OK;
	say(a->say, "mode: portal or api");
	return ERR_VALUE;
}
