#include "wire/http_auth.h"

static const struct view names[AUTH_N] = {
    [AUTH_USERNAME] = VIEW_INIT("username"), [AUTH_REALM] = VIEW_INIT("realm"),
    [AUTH_NONCE] = VIEW_INIT("nonce"),	     [AUTH_URI] = VIEW_INIT("uri"),
    [AUTH_RESPONSE] = VIEW_INIT("response"), [AUTH_ALGORITHM] = VIEW_INIT("algorithm"),
    [AUTH_CNONCE] = VIEW_INIT("cnonce"),     [AUTH_OPAQUE] = VIEW_INIT("opaque"),
    [AUTH_QOP] = VIEW_INIT("qop"),	     [AUTH_NC] = VIEW_INIT("nc"),
    [AUTH_AUTS] = VIEW_INIT("auts"),
};

/* tchar (RFC 9110 5.6.2), and for values without quotes what base64 and paths have. */
static bool is_token(uint8_t c, bool value)
{
	static const char more[] = "!#$%&'*+-.^_`|~";
	static const char in_value[] = "/=:@";

	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return true;
	return c &&
	       (memchr(more, c, sizeof more - 1) || (value && memchr(in_value, c, sizeof in_value - 1)));
}

static void skip(struct view *v, bool commas)
{
	while (v->n > 0 && (v->p[0] == ' ' || v->p[0] == '\t' || (commas && v->p[0] == ','))) {
		v->p++;
		v->n--;
	}
}

static struct view word(struct view *v, bool value)
{
	struct view w = {v->p, 0};

	while (v->n > 0 && is_token(v->p[0], value)) {
		v->p++;
		v->n--;
		w.n++;
	}
	return w;
}

/* What follows the scheme; false: it is another. */
static bool after_scheme(struct view header, struct view scheme, struct view *rest)
{
	if (header.n <= scheme.n || !view_eq_case(view_first(header, scheme.n), scheme) ||
	    (header.p[scheme.n] != ' ' && header.p[scheme.n] != '\t'))
		return false;
	*rest = (struct view){header.p + scheme.n, header.n - scheme.n};
	skip(rest, false);
	return true;
}

static enum err quoted(struct view *left, struct view *to)
{
	left->p++;
	left->n--;
	*to = (struct view){left->p, 0};
	while (left->n > 0 && left->p[0] != '"') {
		if (left->p[0] < ' ' || left->p[0] == '\\' || left->p[0] > '~')
			return ERR_VALUE;
		left->p++;
		left->n--;
		to->n++;
	}
	if (left->n == 0)
		return ERR_SHORT;
	left->p++;
	left->n--;
	return ERR_OK;
}

static enum err one(struct view *left, struct http_auth *to)
{
	struct view name = word(left, false), value;
	enum err err = ERR_OK;

	skip(left, false);
	if (name.n == 0 || left->n == 0 || left->p[0] != '=')
		return ERR_VALUE;
	left->p++;
	left->n--;
	skip(left, false);
	if (left->n > 0 && left->p[0] == '"')
		err = quoted(left, &value);
	else
		value = word(left, true);
	if (err)
		return err;
	for (size_t i = 0; i < AUTH_N; i++) {
		if (!view_eq_case(name, names[i]))
			continue;
		if (to->given[i])
			return ERR_REPEATED;
		to->given[i] = true;
		to->param[i] = value;
	}
	return ERR_OK;
}

enum err http_auth_digest(struct view header, struct http_auth *to)
{
	struct view left;

	*to = (struct http_auth){0};
	if (header.n > HTTP_AUTH_MAX)
		return ERR_LENGTH;
	if (!after_scheme(header, VIEW("Digest"), &left))
		return ERR_UNKNOWN;
	skip(&left, true);
	while (left.n > 0) {
		enum err err = one(&left, to);

		if (err)
			return err;
		skip(&left, false);
		if (left.n > 0 && left.p[0] != ',')
			return ERR_VALUE;
		skip(&left, true);
	}
	return ERR_OK;
}

struct view http_auth_bearer(struct view header)
{
	struct view left, token;

	if (header.n > HTTP_AUTH_MAX || !after_scheme(header, VIEW("Bearer"), &left))
		return (struct view){0};
	token = word(&left, true);
	skip(&left, false);
	return left.n == 0 ? token : (struct view){0};
}
