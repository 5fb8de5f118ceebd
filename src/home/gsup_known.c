/* Which nodes may speak GSUP, and from where. */
#include "home/gsup.h"

#include "wire/kind.h"

#include <stdio.h>

static bool take_word(struct view *left, struct view *word)
{
	size_t n = 0;

	while (left->n > 0 && left->p[0] == ' ')
		*left = (struct view){left->p + 1, left->n - 1};
	while (n < left->n && left->p[n] != ' ')
		n++;
	*word = view_first(*left, n);
	*left = (struct view){left->p + n, left->n - n};
	return n > 0;
}

static enum err add_name(struct gsup_conf *c, struct view word)
{
	if (word.n > IPA_NAME_MAX || !kind_ok(IDENTITY, NULL, word))
		return ERR_VALUE;
	if (c->known_n == GSUP_KNOWN_MAX)
		return ERR_FULL;
	view_text(word, c->known[c->known_n++].name, sizeof c->known[0].name);
	return ERR_OK;
}

/* A prefix is one if the address it begins with lies in it. */
static enum err add_prefix(struct gsup_conf *c, struct view word)
{
	const uint8_t *slash = word.n ? memchr(word.p, '/', word.n) : NULL;
	struct view base = {word.p, slash ? (size_t)(slash - word.p) : word.n};

	if (word.n >= sizeof c->from[0] || !address_within(base, word))
		return ERR_VALUE;
	if (c->from_n == GSUP_FROM_MAX)
		return ERR_FULL;
	view_text(word, c->from[c->from_n++], sizeof c->from[0]);
	return ERR_OK;
}

enum err gsup_known_add(struct gsup_conf *c, struct view text)
{
	size_t first = c->known_n, prefix = c->from_n;
	bool from = false;
	enum err err = ERR_OK;
	struct view word;

	while (!err && take_word(&text, &word)) {
		if (view_eq(word, VIEW("from")))
			from = true;
		else
			err = from ? add_prefix(c, word) : add_name(c, word);
	}
	if (!err && (c->known_n == first || (from && c->from_n == prefix)))
		err = ERR_VALUE;
	for (size_t i = first; i < c->known_n; i++) {
		c->known[i].first = (uint8_t)prefix;
		c->known[i].n = (uint8_t)(c->from_n - prefix);
	}
	return err;
}

static bool within(const struct gsup_conf *c, const struct gsup_known *k, struct view address)
{
	for (size_t i = k->first; i < (size_t)k->first + k->n; i++) {
		if (address_within(address, view_of(c->from[i])))
			return true;
	}
	return k->n == 0 &&
	       (address_within(address, VIEW("127.0.0.0/8")) || address_within(address, VIEW("::1")));
}

bool gsup_known_from(const struct gsup_conf *c, struct view name, struct view address)
{
	for (size_t i = 0; i < c->known_n; i++) {
		if ((name.n == 0 || view_eq(name, view_of(c->known[i].name))) &&
		    within(c, &c->known[i], address))
			return true;
	}
	return false;
}
