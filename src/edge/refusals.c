#include "edge/refusals.h"

#include "base/log.h"
#include "base/metric.h"

static const char *const prio_names[PRIO_N] = {
    [PRIO_CRITICAL] = "critical",
    [PRIO_HIGH] = "high",
    [PRIO_NORMAL] = "normal",
    [PRIO_LOW] = "low",
};

static const char *const protocol_names[] = {
    [PROTO_DIAMETER] = "diameter",
    [PROTO_MAP] = "map",
    [PROTO_GTPC] = "gtp",
};

static const char *const op_names[OP_N] = {
    [OP_OTHER] = "other",	  [OP_AUTH_INFO] = "AIR",   [OP_UPDATE_LOCATION] = "ULR",
    [OP_PURGE] = "PUR",		  [OP_NOTIFY] = "NOR",	    [OP_CANCEL_LOCATION] = "CLR",
    [OP_INSERT_DATA] = "IDR",	  [OP_DELETE_DATA] = "DSR", [OP_RESET] = "RSR",
    [OP_CHECK_EQUIPMENT] = "ECR", [OP_RESTORE] = "restore",  [OP_AUTH_FAILURE] = "auth_failure",
    [OP_SERVICE] = "service",	  [OP_PRESENT] = "present", [OP_EVENT] = "event",
    [OP_SMS_MO] = "sms_mo",	  [OP_SMS_MT] = "sms_mt",   [OP_SMS_ROUTE] = "sms_route",
    [OP_SMS_STATUS] = "sms_status", [OP_SMS_ALERT] = "sms_alert", [OP_ROAMING_NUMBER] = "roaming_number",
    [OP_SUBSCRIBER_INFO] = "subscriber_info", [OP_LOCATE] = "locate", [OP_TRACE] = "trace",
    [OP_HOME_SERVICE] = "home_service", [OP_INTERNAL] = "internal",
    [OP_SESSION_CREATE] = "session_create", [OP_SESSION_CHANGE] = "session_change",
    [OP_SESSION_END] = "session_end", [OP_BEARER] = "bearer", [OP_PATH] = "path",
};

static struct refusal *row_of(struct refusals *r, const struct facts *f, enum check check,
			      uint8_t prio, bool observed)
{
	for (size_t i = 0; i < r->n; i++) {
		struct refusal *x = &r->row[i];

		if (x->plmn == f->peer_plmn && x->check == check && x->prio == prio &&
		    x->protocol == f->protocol && x->observed == observed)
			return x;
	}
	if (r->n == REFUSAL_MAX)
		return NULL;
	r->row[r->n] = (struct refusal){.plmn = f->peer_plmn,
					.imsi = f->imsi,
					.check = (uint16_t)check,
					.prio = prio,
					.observed = observed,
					.op = f->op,
					.protocol = f->protocol};
	view_text(view_first(f->origin_host, HOST_MAX_BYTES - 1), r->row[r->n].host,
		  HOST_MAX_BYTES);
	return &r->row[r->n++];
}

void refusals_add(struct refusals *r, const struct facts *f, enum check check, uint8_t prio,
		  bool observed)
{
	struct refusal *x = row_of(r, f, check, prio, observed);

	if (x)
		x->n++;
	else
		r->lost++;
	metric_add(observed ? M_EDGE_OBSERVED : M_EDGE_REFUSED, check, 1);
	if (!observed)
		metric_add(M_EDGE_REFUSED_CLASS, prio, 1);
}

static void write_row(const struct refusal *x)
{
	const struct check_row *c = &check_rows[x->check];
	char plmn[BCD_TEXT];

	bcd_text(x->plmn, plmn);
	LOG(LOG_NOTE, x->observed ? "edge.observed" : "edge.refused", KV_CLAUSE(c->clause),
	    kv_text("check", c->name), kv_text("network", plmn),
	    kv_text("protocol", protocol_names[x->protocol]),
	    kv_text("class", prio_names[x->prio]), kv_text("command", op_names[x->op]),
	    kv_num("n", x->n), kv_id("imsi", x->imsi), kv_text("origin_host", x->host));
}

void refusals_flush(struct refusals *r)
{
	for (size_t i = 0; i < r->n; i++)
		write_row(&r->row[i]);
	if (r->lost > 0)
		LOG(LOG_NOTE, "edge.refusals_not_listed", kv_num("n", r->lost));
	r->n = 0;
	r->lost = 0;
}
