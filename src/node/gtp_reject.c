/* A refusal in the words of GTP-C. */
#include "judge/calendar.h"
#include "node/gtp_adapt.h"

#define V2_CAUSE   2
#define V2_TIMER   156
#define V1_CAUSE   1
#define V1_BACKOFF 202
#define V2_APN_CONGESTION 113
#define V1_APN_CONGESTION 229

static const uint8_t causes[CAUSE_N][2] = {
#define CAUSE(id, v2, v1) [CAUSE_##id] = { v2, v1 },
#include "node/gtp_cause.tab"
#undef CAUSE
};

/* Who sends what only one network's nodes may say is told nothing: neither that we are here. */
static bool is_answered(const struct gtp_row *row, const struct verdict *v)
{
	return row && row->kind == GTP_REQUEST && v->act == ACT_REJECT && row->op != OP_PATH &&
	       row->op != OP_INTERNAL;
}

uint8_t gtp_cause(const struct gtp_head *h, const struct gtp_row *row, const struct verdict *v)
{
	if (!is_answered(row, v) || v->cause >= CAUSE_N)
		return 0;
	if (v->backoff_ms > 0 && row->op == OP_SESSION_CREATE)
		return h->version == 2 ? V2_APN_CONGESTION : V1_APN_CONGESTION;
	return causes[v->cause][h->version == 2 ? 0 : 1];
}

void gtp_reject(struct wr *w, const struct gtp_head *h, const struct gtp_row *row, uint32_t teid,
		const struct verdict *v)
{
	uint8_t cause[2] = { gtp_cause(h, row, v), 0 };
	uint8_t timer = calendar_epc_octet((v->backoff_ms + 999) / 1000);
	bool backs_off = cause[0] == (h->version == 2 ? V2_APN_CONGESTION : V1_APN_CONGESTION);
	size_t start;

	if (cause[0] == 0)
		return;
	if (h->version == 2) {
		start = gtp2_begin(w, (uint8_t)(h->type + 1), &teid, h->seq);
		gtp2_put(w, V2_CAUSE, 0, (struct view){ cause, 2 });
		if (backs_off)
			gtp2_put(w, V2_TIMER, 0, (struct view){ &timer, 1 });
		gtp_end(w, start, GTP_HEAD_V2);
		return;
	}
	start = gtp1_begin(w, (uint8_t)(h->type + 1), teid, (uint16_t)h->seq);
	gtp1_put(w, V1_CAUSE, (struct view){ cause, 1 });
	if (backs_off)
		gtp1_put(w, V1_BACKOFF, (struct view){ &timer, 1 });
	gtp_end(w, start, GTP_HEAD_V1);
}

bool gtp_busy(const struct gtp_head *h, uint8_t cause)
{
	if (h->version == 2)
		return cause == 73 || cause == 84 || cause == 91 || cause == V2_APN_CONGESTION ||
		       cause == 120;
	return cause == 199 || cause == 211 || cause == 212 || cause == V1_APN_CONGESTION;
}
