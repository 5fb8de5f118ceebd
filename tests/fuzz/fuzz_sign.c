/* What edge asks of the signer and what comes back: views inside the message, what parses survives emit and
 * parse, and whatever is called a handshake has the marks of one. */
#include "loop/sign.h"

#include <stdlib.h>

static void must(bool true_)
{
	if (!true_)
		abort();
}

static bool inside(struct view v, const uint8_t *data, size_t n)
{
	return v.n == 0 || (v.p >= data && v.p + v.n <= data + n);
}

static void request(const uint8_t *data, size_t n)
{
	static uint8_t room[SIGN_MESSAGE_MAX];
	struct wr w = { .p = room, .cap = sizeof room };
	struct sign_request r;
	enum sign_form form;

	if (sign_parse_request((struct view){ data, n }, &r) != ERR_OK)
		return;
	must(inside(r.key, data, n) && inside(r.content, data, n) && r.key.n == SIGN_KEY_ID);
	sign_emit_request(&w, &r);
	must(view_eq(wr_done(&w), (struct view){ data, n }));
	form = sign_form(r.content);
	if (form == SIGN_TLS13)
		must(r.content.n >= 130 && memcmp(r.content.p + 63, " TLS 1.3, ", 10) == 0);
	if (form == SIGN_EXCHANGE)
		must(r.content.n >= 100 && r.content.p[64] == 3);
	if (form == SIGN_VERIFY)
		must(r.content.n >= 32 && r.content.p[0] == 1);
}

static void reply(const uint8_t *data, size_t n)
{
	uint8_t room[SIGN_SIGNATURE_MAX + 8];
	struct wr w = { .p = room, .cap = sizeof room };
	struct sign_reply r;

	if (sign_parse_reply((struct view){ data, n }, &r) != ERR_OK)
		return;
	must(inside(r.signature, data, n) && r.signature.n <= SIGN_SIGNATURE_MAX);
	must((r.answer == SIGN_SIGNED) == (r.signature.n > 0));
	sign_emit_reply(&w, &r);
	must(view_eq(wr_done(&w), (struct view){ data, n }));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	request(data, n);
	reply(data, n);
	return 0;
}
