/* home.gsup_*, for the role and for `merlon check`. */
#include "cli/roles.h"

#include <stdio.h>

enum err roles_gsup(const struct conf *c, struct gsup_conf *g, char why[256])
{
	enum err err = ERR_OK;

	*g = (struct gsup_conf){.rate = c->gsup_rate, .idle_ms = c->gsup_idle_ms};
	if (c->gsup_listen.n > GSUP_LISTEN_MAX) {
		snprintf(why, 256, "home.gsup_listen: more than %d", GSUP_LISTEN_MAX);
		return ERR_CONFIG;
	}
	err = roles_endpoints("home.gsup_listen", &c->gsup_listen, g->listen, &g->listen_n, why);
	for (size_t i = 0; i < g->listen_n && !err; i++) {
		if (g->listen[i].link == LINK_TCP)
			continue;
		snprintf(why, 256, "home.gsup_listen: GSUP knows tcp: only");
		return ERR_CONFIG;
	}
	for (size_t i = 0; i < c->gsup_nodes.n && !err; i++) {
		if (gsup_known_add(g, view_of(c->gsup_nodes.text[i])) == ERR_OK)
			continue;
		snprintf(why, 256,
			 "home.gsup_nodes: %.100s is not NAME... or NAME... from PREFIX..., at most %d "
			 "names and %d prefixes in all",
			 c->gsup_nodes.text[i], GSUP_KNOWN_MAX, GSUP_FROM_MAX);
		return ERR_CONFIG;
	}
	return err;
}
