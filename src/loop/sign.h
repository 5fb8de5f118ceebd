/* Signatures made in another process, so that a role which speaks TLS holds no private key. Here: the
 * messages between the two, what may be signed at all, and the asking side.
 *
 * A message is one datagram of a SOCK_SEQPACKET pair. Asked: serial 4, key 8, scheme 2, then the whole
 * content, not its digest, so that the signer sees what it signs. Answered: serial 4, answer 1, the
 * signature. Numbers are big-endian. */
#pragma once
#include "base/bytes.h"

#define SIGN_KEY_ID	   8
#define SIGN_CONTENT_MAX   49152 /* a TLS 1.2 handshake with two long chains */
#define SIGN_MESSAGE_MAX   (SIGN_CONTENT_MAX + 14)
#define SIGN_SIGNATURE_MAX 1024 /* RSA of 8192 bits */

enum sign_key { SIGN_KEY_EC, SIGN_KEY_ED25519, SIGN_KEY_RSA, SIGN_KEY_RSAPSS };
enum sign_padding { SIGN_PAD_NONE, SIGN_PAD_PSS, SIGN_PAD_PKCS1 };

struct sign_scheme {
	uint16_t code;
	const char *name;
	enum sign_key key;
	enum sign_padding padding;
	const char *digest; /* "": none apart */
	bool in13;
};

enum sign_answer {
#define SCHEME(...)
#define ANSWER(id, text) SIGN_##id,
#include "loop/sign.tab"
#undef ANSWER
#undef SCHEME
	SIGN_ANSWER_N
};

/* What a content is. Nothing but these is signed:
 * TLS13: 64 spaces, a context of RFC 8446 §4.4.3, a zero, a transcript hash.
 * EXCHANGE: two randoms and the ECDHE parameters of a ServerKeyExchange (RFC 8422 §5.4), of our groups.
 * VERIFY: the messages from ClientHello to ClientKeyExchange (RFC 5246 §7.4.8). */
enum sign_form { SIGN_NO_FORM, SIGN_TLS13, SIGN_EXCHANGE, SIGN_VERIFY };
enum sign_form sign_form(struct view content);

struct sign_request {
	uint32_t serial;
	struct view key; /* SIGN_KEY_ID bytes: the start of SHA-256 over the SubjectPublicKeyInfo */
	uint16_t scheme;
	struct view content;
};

struct sign_reply {
	uint32_t serial;
	enum sign_answer answer;
	struct view signature; /* empty unless SIGNED */
};

/* Views lie inside the message. ERR_SHORT, ERR_LENGTH, ERR_VALUE. */
enum err MUST_USE sign_parse_request(struct view message, struct sign_request *r);
enum err MUST_USE sign_parse_reply(struct view message, struct sign_reply *r);
void sign_emit_request(struct wr *w, const struct sign_request *r);
void sign_emit_reply(struct wr *w, const struct sign_reply *r);

/* By code; by what a key is asked to do. NULL: none. */
const struct sign_scheme *sign_scheme(uint16_t code);
const struct sign_scheme *sign_scheme_of(enum sign_key key, enum sign_padding padding, const char *digest);
const char *sign_answer_text(enum sign_answer answer);

/* --- the asking side ------------------------------------------------------------------------- */

#define SIGN_WAIT_MS 500 /* that a caller may be held up at most */

struct sign_line;

/* Takes the descriptor; -1: none yet. NULL: out of memory. */
struct sign_line *sign_line_new(int fd);
void sign_line_free(struct sign_line *l);
/* A new descriptor, taken, for the one before: the signer was started again. Any thread. */
void sign_line_take(struct sign_line *l, int fd);
/* Ask, and wait SIGN_WAIT_MS at most; after an answer that did not come the next callers fail at once for
 * a while. Any thread, one asks at a time. ERR_AGAIN: nobody answers; ERR_REFUSED: the signer says no;
 * sign_why then says what. `signature` has room for SIGN_SIGNATURE_MAX bytes. */
enum err MUST_USE sign_ask(struct sign_line *l, const struct sign_request *r, uint8_t *signature, size_t *n);

/* Why the last sign_ask of this thread failed, NULL after one that did not. sign_why_clear forgets. */
const char *sign_why(void);
void sign_why_clear(void);

/* A private key for OpenSSL that holds the public half of `spki` (SubjectPublicKeyInfo, DER) and asks `line`
 * (borrowed for its life) for each signature: RSA, RSA-PSS, ECDSA, Ed25519. EVP_PKEY_free; NULL: not such
 * a key. */
struct evp_pkey_st *sign_key(struct view spki, struct sign_line *line);
/* `id` of a SubjectPublicKeyInfo. */
void sign_key_id(struct view spki, uint8_t id[SIGN_KEY_ID]);
