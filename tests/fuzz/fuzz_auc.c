/* A line of hostapd's to its authentication centre: the identity lies inside it, what was parsed makes the
 * same line again, and every answer repeats the identity, is whole or says FAILURE, and stays printable. */
#include "home/auc_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool true_)
{
	if (!true_)
		abort();
}

static void put_hex(struct wr *w, const uint8_t *p, size_t n, const uint8_t *like)
{
	for (size_t i = 0; i < 2 * n; i++) {
		unsigned int nibble = i & 1 ? p[i / 2] & 15u : p[i / 2] >> 4;
		uint8_t c = (uint8_t)"0123456789abcdef"[nibble];

		if (like[i] >= 'A' && like[i] <= 'F')
			c = (uint8_t)(c - 0x20);
		wr_view(w, (struct view){&c, 1});
	}
}

/* The line as it must have been: letters of hexadecimal as large or small as they came. */
static void same_again(const struct auc_request *q, struct view line)
{
	static const char *const words[] = {"SIM-REQ-AUTH ", "AKA-REQ-AUTH ", "AKA-AUTS "};
	uint8_t room[AUC_LINE_MAX], digit[2] = {' ', (uint8_t)('0' + q->n)};
	struct wr w = {.p = room, .cap = sizeof room};

	wr_view(&w, view_of(words[q->kind]));
	wr_view(&w, q->who);
	if (q->kind == AUC_SIM)
		wr_view(&w, (struct view){digit, 2});
	if (q->kind == AUC_AUTS) {
		wr_view(&w, VIEW(" "));
		put_hex(&w, q->resync + 16, 14, line.p + w.n);
		wr_view(&w, VIEW(" "));
		put_hex(&w, q->resync, 16, line.p + w.n);
	}
	must(view_eq(wr_done(&w), line));
}

static void answer(const struct auc_request *q, const struct auth_result *r, size_t want)
{
	uint8_t room[1024];
	struct wr w = {.p = room, .cap = sizeof room};
	struct view out;

	auc_put(&w, q, r);
	must(!w.err);
	out = wr_done(&w);
	must(out.n == 14 + q->who.n + want && view_eq((struct view){out.p + 14, q->who.n}, q->who));
	for (size_t i = 0; i < out.n; i++)
		must(out.p[i] >= ' ' && out.p[i] < 0x7f);
	w = (struct wr){.p = room, .cap = out.n - 1};
	auc_put(&w, q, r);
	must(w.err == ERR_FULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct auth_result r;
	struct auc_request q;
	struct view line = {data, n};

	if (auc_parse(line, &q))
		return 0;
	must(q.who.n >= 1 && q.who.n <= AUC_WHO_MAX && q.who.p >= data && q.who.p + q.who.n <= data + n);
	must(!q.imsi || (bcd_n(q.imsi) == q.who.n && bcd_n(q.imsi) <= 15));
	same_again(&q, line);
	if (q.kind == AUC_AUTS)
		return 0;
	r = (struct auth_result){.result = RESULT_USER_UNKNOWN};
	answer(&q, &r, 8);
	r.result = RESULT_OK;
	r.gsm = q.kind == AUC_SIM;
	r.utran_n = r.gsm ? q.n : 1;
	memset(r.utran, (int)(n & 0xff), sizeof r.utran);
	r.utran[0].xres_n = (uint8_t)(4 + 4 * (n % 4));
	answer(&q, &r, r.gsm ? r.utran_n * (size_t)59 : 4 * 33 + 1 + 2 * (size_t)r.utran[0].xres_n);
	return 0;
}
