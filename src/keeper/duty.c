/* Duties: asked for, and once an hour looked at, so that what is late becomes an event and an
 * alarm. */
#include "keeper/keeper_in.h"

#include "base/log.h"

#include <stdio.h>

#define HOUR_MS 3600000

enum err keeper_duties(struct ask *a)
{
	return store_duties(a->k->store, a->who.now_ms / 1000, a->who.tenant, a->body, NULL,
			    NULL);
}

/* KEEP_NAME: the tenant, KEEP_KEY: the purpose; if said, KEEP_AFTER: whose (IMSI), KEEP_HEADER:
 * where (MCC). */
enum err keeper_may(struct ask *a)
{
	const struct keep *q = a->req;
	const struct use u = {q->text[KEEP_NAME], q->text[KEEP_KEY], q->text[KEEP_AFTER],
			      q->text[KEEP_HEADER]};

	if (a->who.tenant.n > 0 && !view_eq(a->who.tenant, u.tenant))
		return ERR_NOT_FOUND;
	return store_may(a->k->store, &a->who, &u, a->say);
}

static void late(void *ctx, const char *duty, struct view key, uint64_t due_s)
{
	char text[128];

	(void)ctx;
	snprintf(text, sizeof text, "%s: %.*s", duty, (int)(key.n < 80 ? key.n : 80),
		 (const char *)key.p);
	LOG(LOG_ERROR, "records.duty_late", KV("duty", (const char *)text), KV("due", due_s),
	    KV_CLAUSE("R-5.8.3.g"));
}

void keeper_duty_tick(struct keeper *k, uint64_t now_ms)
{
	struct wr w = {.p = k->body, .cap = KEEP_BODY_MAX};

	if (k->duty_ms && now_ms - k->duty_ms < HOUR_MS)
		return;
	k->duty_ms = now_ms;
	if (store_duties(k->store, now_ms / 1000, (struct view){0}, &w, late, NULL))
		LOG(LOG_ERROR, "keeper.job", KV("error", "duties cannot be looked at"));
	jobs_prune(k->jobs, now_ms);
}
