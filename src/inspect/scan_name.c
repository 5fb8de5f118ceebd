/* What stands before a value: a number is an IMSI because somebody called it one. */
#include "inspect/scan_in.h"

static bool separates(uint8_t c)
{
	return c < 0x20 || c >= 0x7f || c == ',' || c == ';' || c == '{' || c == '}' || c == '&' ||
	       c == '|' || c == '<' || c == '?';
}

void name_before(const struct find *f, size_t value, struct name *to)
{
	size_t i = value;

	to->at = sizeof to->room;
	/* A quote, a bracket, a tag's end may stand between the two. */
	while (i > 0 && to->at > 0 && !separates(f->in.p[i - 1])) {
		uint8_t c = f->in.p[--i];

		to->room[--to->at] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
	}
}

static bool alone(struct view v, size_t at, size_t n)
{
	return (at == 0 || !is_alnum(v.p[at - 1])) && (at + n == v.n || !is_alnum(v.p[at + n]));
}

bool name_has(const struct name *n, const char *const *words)
{
	struct view v = {n->room + n->at, sizeof n->room - n->at};

	for (; *words; words++) {
		bool whole = **words == '=';
		const char *w = *words + whole;
		size_t len = strlen(w);

		for (size_t i = 0; i + len <= v.n; i++) {
			if (v.p[i] == (uint8_t)*w && memcmp(v.p + i, w, len) == 0 &&
			    (!whole || alone(v, i, len)))
				return true;
		}
	}
	return false;
}

bool name_is(const struct name *n, const char *const *words)
{
	struct view v = {n->room + n->at, sizeof n->room - n->at};

	while (v.n > 0 && !is_alnum(v.p[v.n - 1]))
		v.n--;
	for (; *words; words++) {
		size_t len = strlen(*words);

		if (v.n >= len && memcmp(v.p + v.n - len, *words, len) == 0 &&
		    (v.n == len || !is_alnum(v.p[v.n - len - 1])))
			return true;
	}
	return false;
}

size_t value_behind(const struct find *f, size_t at)
{
	size_t i = at, signs = 0;

	while (i < f->in.n && i < at + 12) {
		uint8_t c = f->in.p[i];

		if (c == ':' || c == '=')
			signs++;
		else if (c != '"' && c != '\'' && c != ' ' && c != '>' && c != '\\' && c != '[' && c != '(')
			break;
		if (c == '>' && signs == 0)
			signs++; /* <name>value */
		i++;
	}
	return signs > 0 && i < f->in.n ? i : 0;
}
