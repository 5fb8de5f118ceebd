/* What the two halves of the token share: asking (token.c), and the child that speaks PKCS#11
 * (token_job.c). */
#pragma once
#include "crypto/token.h"

enum token_op { TOKEN_OP_WRAP, TOKEN_OP_UNWRAP, TOKEN_OP_DESTROY };

struct token_job {
	const struct token_key *key;
	enum token_op op;
	enum token_which which;
	struct view aad, in;
};

struct token_reply {
	enum err err;
	char why[256];
	uint8_t out[TOKEN_WRAP_MAX];
	size_t n;
};

/* Loads the module, logs in, does it, logs out. For a process of its own. */
void token_job_do(const struct token_job *job, struct token_reply *reply);

/* token_pin.c: the PIN, and the memory of one that was refused. */
#define TOKEN_PIN_MAX 64
struct token_pin {
	char text[TOKEN_PIN_MAX + 1];
	size_t n;
};
/* `source`: a path, or file:PATH. ERR_REFUSED and why: it cannot be read, or is the one that was refused. */
enum err MUST_USE token_pin_load(const char *source, const char *refused, struct token_pin *pin,
				 char why[256]);
/* The token refused it; and: it took it. */
void token_pin_refused(const char *refused, const struct token_pin *pin);
void token_pin_taken(const char *refused);
