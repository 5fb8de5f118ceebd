#include "crypto/master.h"

#include <stdio.h>

static const char scheme[] = "pkcs11:";

bool master_is_token(const char *where)
{
	return strncmp(where, scheme, sizeof scheme - 1) == 0;
}

static bool put(char to[TOKEN_WHERE], const char *a, const char *b)
{
	return snprintf(to, TOKEN_WHERE, "%s%s", a, b) < TOKEN_WHERE;
}

enum err master_open(struct master *m, const char *where, const char *pin, const char *dir, char why[256])
{
	*m = (struct master){.token = master_is_token(where)};
	if (!m->token)
		return seal_master_load(where, &m->key, why);
	if (put(m->at.uri, where, "") && put(m->at.pin, pin ? pin : "", "") &&
	    (!dir || put(m->at.refused, dir, "/pin-refused")))
		return token_check(where, why);
	snprintf(why, 256, "master key %.180s: too long", where);
	return ERR_CONFIG;
}

void master_wipe(struct master *m)
{
	secret_wipe(m, sizeof *m);
}

enum err master_wrap(const struct master *m, enum token_which which, struct view aad,
		     const struct secret32 *in, uint8_t out[MASTER_WRAP_MAX], size_t *n, char why[256])
{
	why[0] = 0;
	if (m->token)
		return token_wrap(&m->at, which, aad, in, out, n, why);
	*n = MASTER_WRAP_FILE;
	return seal(&m->key, aad, (struct view){in->b, sizeof in->b}, out);
}

enum err master_unwrap(const struct master *m, struct view aad, struct view wrapped, struct secret32 *out,
		       char why[256])
{
	why[0] = 0;
	if ((wrapped.n == MASTER_WRAP_FILE) == m->token)
		return ERR_KEY;
	if (m->token)
		return token_unwrap(&m->at, aad, wrapped, out, why);
	return wrapped.n == MASTER_WRAP_FILE ? unseal(&m->key, aad, wrapped, out->b) : ERR_KEY;
}
