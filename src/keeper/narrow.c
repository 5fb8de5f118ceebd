/* A client that gives up what it does not need. The portal faces strangers, and its connection was
 * opened for it by a supervisor that may do everything: after this it may read which platforms there
 * are, and note what was signed. */
#include "keeper/keeper_in.h"

bool keeper_narrows(const struct keep *req)
{
	return req->op == KEEP_NARROW && view_eq(req->text[KEEP_MODE], VIEW("portal"));
}

bool keeper_allows(const char *user, const struct keep *req)
{
	struct view object = req->text[KEEP_OBJECT], mode = req->text[KEEP_MODE];

	if (strcmp(user, KEEPER_PORTAL) != 0 || req->op == KEEP_NARROW)
		return true;
	if (req->op == KEEP_LIST)
		return req->pair_n == 0 &&
		       (view_eq(object, VIEW("tenant")) || view_eq(object, VIEW("platform")));
	return req->op == KEEP_NOTE &&
	       (view_eq(mode, VIEW("oidc-key")) || view_eq(mode, VIEW("receipt")));
}

enum err keeper_narrow(struct ask *a)
{
	if (keeper_narrows(a->req))
		return ERR_OK;
	say(a->say, "mode: portal");
	return ERR_VALUE;
}
