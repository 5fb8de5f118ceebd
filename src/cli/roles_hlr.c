/* Where home is asked (home.listen, home.gsup_*, home.m3ua, home.map_*), for the role and `merlon check`. */
#include "cli/roles.h"

#include "node/m3ua_node.h"

#include <stdio.h>

static enum err number_of(const char *key, const char *text, uint64_t *to, char why[256])
{
	*to = bcd_of(view_of(text));
	if (!text[0] || (bcd_n(*to) >= 3 && bcd_n(*to) <= 15))
		return ERR_OK;
	snprintf(why, 256, "%s: %.40s is not a number of 3 to 15 digits, without a plus", key, text);
	return ERR_CONFIG;
}

/* As an item of edge.m3ua, but that it has no side and no point codes. */
static enum err link_of(const char *text, struct hlr_link *to, char why[256])
{
	char room[CONF_TEXT_MAX + 8];
	struct ss7_link l;

	snprintf(room, sizeof room, "home %s", text);
	if (!roles_ss7_link(room, &l) || l.point[0] || l.plmn) {
		snprintf(why, 256,
			 "home.m3ua: %.100s is not listen|dial sctp:ADDRESS:PORT, with role=, context=, "
			 "mode= and from= if wanted",
			 text);
		return ERR_CONFIG;
	}
	*to = (struct hlr_link){ .listens = l.listens,
				 .role = l.role,
				 .mode = l.mode,
				 .has_context = l.has_context,
				 .context = l.context,
				 .at = l.at };
	memcpy(to->from, l.from, sizeof to->from);
	return ERR_OK;
}

static enum err hlr_of(const struct conf *c, struct hlr_conf *h, char why[256])
{
	enum err err;

	*h = (struct hlr_conf){ .point = c->home_map_point, .gateway = c->home_map_gateway };
	err = number_of("home.map_number", c->home_map_number, &h->number, why);
	if (!err)
		err = number_of("home.map_smsc", c->home_map_smsc, &h->smsc, why);
	if (!err)
		err = number_of("home.map_ussd", c->home_map_ussd, &h->ussd, why);
	if (!err && c->home_m3ua.n > HLR_LINK_MAX) {
		snprintf(why, 256, "home.m3ua: more than %d", HLR_LINK_MAX);
		err = ERR_CONFIG;
	}
	for (size_t i = 0; i < c->home_m3ua.n && !err; i++)
		err = link_of(c->home_m3ua.text[i], &h->link[h->link_n++], why);
	if (!err && h->link_n > 0 && (h->number == 0 || h->point == 0)) {
		snprintf(why, 256, "home.m3ua needs home.map_number and home.map_point_code");
		err = ERR_CONFIG;
	}
	return err;
}

enum err roles_hlr(const struct conf *c, struct home_conf *h, char why[256])
{
	enum err err = roles_gsup(c, &h->gsup, why);

	return err ? err : hlr_of(c, &h->hlr, why);
}

enum err roles_home_doors(struct role_env *e, char why[256])
{
	struct home_conf *h = &e->home_conf;
	enum err err = roles_endpoints("home.listen", &e->conf.home_listen, e->listen, &h->listen_n, why);

	if (!err)
		err = roles_gba(e, why);
	return err ? err : roles_hlr(&e->conf, h, why);
}
