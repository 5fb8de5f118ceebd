/* The messages between a role and the signer, and what may be signed: RFC 8446 §4.4.3, RFC 8422 §5.4,
 * RFC 5246 §7.4.8. */
#include "loop/sign.h"

#define EC SIGN_KEY_EC
#define ED25519 SIGN_KEY_ED25519
#define RSA SIGN_KEY_RSA
#define RSAPSS SIGN_KEY_RSAPSS
#define NONE SIGN_PAD_NONE
#define PSS SIGN_PAD_PSS
#define PKCS1 SIGN_PAD_PKCS1

static const struct sign_scheme schemes[] = {
#define SCHEME(code, name, key, padding, digest, in13) { code, name, key, padding, digest, in13 },
#define ANSWER(...)
#include "loop/sign.tab"
#undef SCHEME
#undef ANSWER
};

static const char *const answers[SIGN_ANSWER_N] = {
#define SCHEME(...)
#define ANSWER(id, text) [SIGN_##id] = text,
#include "loop/sign.tab"
#undef SCHEME
#undef ANSWER
};

const char *sign_answer_text(enum sign_answer answer)
{
	return (size_t)answer < SIGN_ANSWER_N ? answers[answer] : "?";
}

const struct sign_scheme *sign_scheme(uint16_t code)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (schemes[i].code == code)
			return &schemes[i];
	}
	return NULL;
}

const struct sign_scheme *sign_scheme_of(enum sign_key key, enum sign_padding padding, const char *digest)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		const struct sign_scheme *s = &schemes[i];

		if (s->key == key && s->padding == padding && strcmp(s->digest, digest) == 0)
			return s;
	}
	return NULL;
}

/* --- forms ------------------------------------------------------------------------------------ */

static bool is_tls13(struct view v)
{
	static const char context[][34] = { "TLS 1.3, server CertificateVerify",
					    "TLS 1.3, client CertificateVerify" };
	const size_t head = 64 + sizeof context[0]; /* with the zero behind the text */

	if (v.n != head + 32 && v.n != head + 48)
		return false;
	for (size_t i = 0; i < 64; i++) {
		if (v.p[i] != ' ')
			return false;
	}
	return memcmp(v.p + 64, context[0], sizeof context[0]) == 0 ||
	       memcmp(v.p + 64, context[1], sizeof context[1]) == 0;
}

static bool is_exchange(struct view v)
{
	static const struct {
		uint16_t curve;
		uint8_t point_n;
		bool plain; /* an uncompressed point of SEC 1 */
	} groups[] = { { 0x001d, 32, false }, { 0x0017, 65, true }, { 0x0018, 97, true } };
	struct rd r = { .left = v };
	uint32_t type, curve, n;

	rd_take(&r, 64);
	type = rd_be(&r, 1);
	curve = rd_be(&r, 2);
	n = rd_be(&r, 1);
	for (size_t i = 0; !r.err && type == 3 && i < sizeof groups / sizeof *groups; i++) {
		if (groups[i].curve == curve && groups[i].point_n == n && r.left.n == n)
			return !groups[i].plain || r.left.p[0] == 4;
	}
	return false;
}

/* Every message of a client's handshake before its CertificateVerify, in this order. */
static bool is_verify(struct view v)
{
	static const struct {
		uint8_t type;
		bool optional;
	} flight[] = { { 1, false },  { 2, false },  { 11, false }, { 22, true },  { 12, false },
		       { 13, false }, { 14, false }, { 11, false }, { 16, false } };
	struct rd r = { .left = v };

	for (size_t i = 0; i < sizeof flight / sizeof *flight; i++) {
		if (flight[i].optional && r.left.n > 0 && r.left.p[0] != flight[i].type)
			continue;
		if (rd_be(&r, 1) != flight[i].type)
			return false;
		rd_take(&r, rd_be(&r, 3));
		if (r.err)
			return false;
	}
	return r.left.n == 0;
}

enum sign_form sign_form(struct view content)
{
	if (is_tls13(content))
		return SIGN_TLS13;
	if (is_exchange(content))
		return SIGN_EXCHANGE;
	return is_verify(content) ? SIGN_VERIFY : SIGN_NO_FORM;
}

/* --- messages ---------------------------------------------------------------------------------- */

enum err sign_parse_request(struct view message, struct sign_request *r)
{
	struct rd in = { .left = message };

	r->serial = rd_be(&in, 4);
	r->key = rd_take(&in, SIGN_KEY_ID);
	r->scheme = (uint16_t)rd_be(&in, 2);
	r->content = in.left;
	if (!in.err && (in.left.n == 0 || in.left.n > SIGN_CONTENT_MAX))
		return ERR_LENGTH;
	return in.err;
}

enum err sign_parse_reply(struct view message, struct sign_reply *r)
{
	struct rd in = { .left = message };
	uint32_t answer;

	r->serial = rd_be(&in, 4);
	answer = rd_be(&in, 1);
	r->answer = answer < SIGN_ANSWER_N ? (enum sign_answer)answer : SIGN_FAILED;
	r->signature = in.left;
	if (in.err)
		return in.err;
	if (answer >= SIGN_ANSWER_N)
		return ERR_VALUE;
	return in.left.n > SIGN_SIGNATURE_MAX || (in.left.n > 0) != (r->answer == SIGN_SIGNED) ?
		       ERR_LENGTH : ERR_OK;
}

void sign_emit_request(struct wr *w, const struct sign_request *r)
{
	wr_be(w, r->serial, 4);
	wr_view(w, view_first(r->key, SIGN_KEY_ID));
	wr_be(w, r->scheme, 2);
	wr_view(w, r->content);
}

void sign_emit_reply(struct wr *w, const struct sign_reply *r)
{
	wr_be(w, r->serial, 4);
	wr_be(w, r->answer, 1);
	wr_view(w, r->signature);
}
