/* Server assignment (TS 29.273 8.1.2.2.2): which AAA server serves a SIM over access that is not 3GPP's. */
#include "home/device.h"
#include "home/told.h"

enum serves { NOBODY, THIS_ONE, ANOTHER };

static enum serves who_serves(const struct reg_row *reg, struct view host)
{
	if (!(reg->flags & REG_AAA))
		return NOBODY;
	return node_is(reg_aaa_node(reg), host) ? THIS_ONE : ANOTHER;
}

enum result aaa_check(const struct reg_row *reg, struct view host, bool failed)
{
	return who_serves(reg, host) == ANOTHER && !failed ? RESULT_OTHER_AAA : RESULT_OK;
}

static enum result take_on(const struct home_rows *rows, const struct assign_request *q, uint64_t wall_ms,
			   struct assign_result *out)
{
	struct reg_node *n = &out->reg.mme; /* reg_aaa_node() */

	memset(n, 0, sizeof *n);
	if (!view_text(q->host, n->host, sizeof n->host) || !view_text(q->realm, n->realm, sizeof n->realm))
		return RESULT_UNABLE; /* a name longer than any that TS 23.003 makes */
	n->at_ms = wall_ms;
	out->reg.flags = REG_AAA;
	told_aaa_set(&out->reg, rows->sub, rows->profile);
	out->store = out->data = true;
	return RESULT_OK;
}

/* What it asks for again: as the row says now, and noted as told. */
static enum result tell_again(const struct home_rows *rows, enum serves by, struct assign_result *out)
{
	if (by != THIS_ONE)
		return by == NOBODY ? RESULT_NOT_REGISTERED : RESULT_OTHER_AAA;
	told_aaa_set(&out->reg, rows->sub, rows->profile);
	out->store = out->data = true;
	return RESULT_OK;
}

/* A failed authentication of a device that was not registered leaves nothing to undo. */
static enum result let_go(const struct home_rows *rows, const struct assign_request *q, enum serves by,
			  struct assign_result *out)
{
	bool failed = q->type == ASSIGN_AUTH_FAILED || q->type == ASSIGN_AUTH_TIMEOUT;

	if (by == ANOTHER)
		return RESULT_OTHER_AAA;
	if (by == NOBODY && !rows->sub)
		return RESULT_USER_UNKNOWN;
	if (by == NOBODY)
		return failed ? RESULT_OK : RESULT_NOT_REGISTERED;
	out->reg.flags &= (uint8_t)~REG_AAA;
	out->store = true;
	return RESULT_OK;
}

void assign_server(const struct home_rows *rows, const struct assign_request *q, uint64_t wall_ms,
		   struct assign_result *out)
{
	enum serves by = who_serves(rows->reg, q->host);

	memset(out, 0, sizeof *out);
	out->reg = *rows->reg;
	switch (q->type) {
	case ASSIGN_REGISTER:
	case ASSIGN_DATA:
	case ASSIGN_RESTORE:
		out->result = wifi_check(rows, SERVICE_WIFI, wall_ms);
		if (!out->result && device_refused(rows))
			out->result = RESULT_DEVICE;
		if (!out->result && q->type == ASSIGN_REGISTER)
			out->result = by == ANOTHER ? RESULT_OTHER_AAA : take_on(rows, q, wall_ms, out);
		else if (!out->result)
			out->result = tell_again(rows, by, out);
		break;
	case ASSIGN_DEREGISTER:
	case ASSIGN_ADMINISTRATIVE:
	case ASSIGN_AUTH_FAILED:
	case ASSIGN_AUTH_TIMEOUT:
		out->result = let_go(rows, q, by, out);
		break;
	default:
		out->result = RESULT_ASSIGNMENT;
		break;
	}
}

enum sync aaa_plan(const struct home_rows *rows, uint64_t wall_ms)
{
	if (!(rows->reg->flags & REG_AAA))
		return SYNC_NONE;
	if (wifi_check(rows, SERVICE_WIFI, wall_ms) || device_refused(rows))
		return SYNC_CANCEL;
	return rows->reg->told == told_aaa(rows->sub, rows->profile) ? SYNC_NONE : SYNC_INSERT;
}
