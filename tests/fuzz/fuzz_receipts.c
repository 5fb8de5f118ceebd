/* A journal from somebody's hands: nothing in it verifies, and nothing in it breaks us. The first byte
 * chooses whether each line gets a hash that fits, so that what lies behind the chain is reached too. */
#include "audit/receipt_check.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void told(void *ctx, const struct receipt_told *t)
{
	(void)ctx;
	if (!t->why)
		abort();
}

/* The line with the hash that it should have: what the checker has computed by then. */
static void fitting(struct view line)
{
	static char text[8192];
	struct receipts *r = receipts_new();
	int k =
	    snprintf(text, sizeof text,
		     "{\"seq\":1,\"at_ms\":1,\"actor\":\"a\",\"action\":\"publish\",%.*s,\"hash\":\"",
		     (int)(line.n < 6000 ? line.n : 6000), (const char *)line.p);
	enum err err;

	if (!r)
		abort();
	err = receipts_line(r, (struct view){(const uint8_t *)text, (size_t)k}, told, NULL);
	(void)err;
	snprintf(text + k, sizeof text - (size_t)k, "%s\"}", receipts_head(r));
	receipts_free(r);
	r = receipts_new();
	if (!r)
		abort();
	err = receipts_line(r, view_of(text), told, NULL);
	if (err == ERR_CORRUPT) {
		snprintf(text + k, sizeof text - (size_t)k, "%s\"}", receipts_head(r));
		receipts_free(r);
		r = receipts_new();
		if (r && receipts_line(r, view_of(text), told, NULL) == ERR_OK && receipts_seq(r) != 1)
			abort();
	}
	receipts_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct receipts *r;
	enum err err;

	if (n == 0)
		return 0;
	if (data[0] & 1) {
		fitting((struct view){data + 1, n - 1});
		return 0;
	}
	r = receipts_new();
	if (!r)
		abort();
	err = receipts_line(r, (struct view){data + 1, n - 1}, told, NULL);
	if (err == ERR_OK && receipts_seq(r) != 1)
		abort();
	receipts_free(r);
	return 0;
}
