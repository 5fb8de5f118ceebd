/* What inspection finds, told: the kind, where to, and the shape of it; never the value. */
#include "base/log.h"
#include "inspect/inspect_in.h"

static const char *const answers[] = { "alert", "block", "quarantine" };

void inspect_found(void *worker, const struct finding *f)
{
	char to[ADDRESS_TEXT];

	(void)worker;
	address_text(f->up ? f->to : f->from, to);
	LOG(LOG_NOTE, rule_is_leak(f->rule) ? "inspect.leak" : "inspect.threat",
	    KV_CLAUSE(rule_clause(f->rule)), kv_text("what", rule_name(f->rule)), kv_id("imsi", f->imsi),
	    kv_num("tenant", f->tenant), kv_num("profile", f->profile), kv_text("other", to),
	    kv_num("port", f->port), kv_text("direction", f->up ? "up" : "down"), kv_num("n", f->count),
	    kv_text("answer", answers[f->answer < 3 ? f->answer : 0]), kv_text("shape", f->evidence));
}
