/* From the configuration to home's bootstrapping server. */
#include "cli/roles.h"

#include <stdio.h>

enum err roles_http(const char *key, const char *text, struct endpoint *to, char why[256])
{
	char at[CONF_TEXT_MAX + 8];

	snprintf(at, sizeof at, "tcp:%s", text);
	if (endpoint_parse(view_of(at), to) == ERR_OK)
		return ERR_OK;
	snprintf(why, 256, "%s: %.100s is not ADDRESS:PORT", key, text);
	return ERR_CONFIG;
}

static enum err nafs(const struct conf_list *list, struct bsf_conf *to, char why[256])
{
	for (to->naf_n = 0; to->naf_n < list->n; to->naf_n++) {
		const char *text = list->text[to->naf_n], *mark = strchr(text, '=');

		if (!mark || mark == text || !mark[1] || to->naf_n == BSF_NAF_MAX) {
			snprintf(why, 256, "gba.nafs: %.100s is not FQDN=ORIGIN-HOST", text);
			return ERR_CONFIG;
		}
		to->naf[to->naf_n].fqdn = (struct view){(const uint8_t *)text, (size_t)(mark - text)};
		to->naf[to->naf_n].host = view_of(mark + 1);
	}
	return ERR_OK;
}

static enum err certificate(struct role_env *e, char why[256])
{
	const struct conf *c = &e->conf;
	enum err err;

	if (!c->gba_chain[0] != !c->gba_key[0]) {
		snprintf(why, 256, "gba.chain and gba.key go together: give both or none");
		return ERR_CONFIG;
	}
	if (!c->gba_chain[0])
		return ERR_OK;
	err = tls_read_file("chain", c->gba_chain, &e->gba.chain, why);
	if (!err)
		err = tls_read_file("key", c->gba_key, &e->gba.key, why);
	e->gba.conf.chain = &e->gba.chain;
	e->gba.conf.key = &e->gba.key;
	return err;
}

enum err roles_gba(struct role_env *e, char why[256])
{
	const struct conf *c = &e->conf;
	struct bsf_conf *b = &e->gba.conf;
	enum err err;

	if (!c->gba_listen[0])
		return ERR_OK;
	*b = (struct bsf_conf){.listen = &e->gba.at,
			       .name = view_of(c->gba_name),
			       .lifetime_s = c->gba_lifetime_s,
			       .a_minute = c->gba_rate,
			       .subscribers = c->gba_subscribers};
	err = roles_http("gba.listen", c->gba_listen, &e->gba.at, why);
	if (!err)
		err = nafs(&c->gba_nafs, b, why);
	if (!err)
		err = certificate(e, why);
	e->home_conf.bsf = b;
	return err;
}

void roles_gba_forget(struct role_env *e)
{
	tls_forget(&e->gba.chain);
	tls_forget(&e->gba.key);
	e->gba.conf.chain = e->gba.conf.key = NULL;
}
