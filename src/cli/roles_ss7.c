/* edge.m3ua, edge.point_code, edge.titles, edge.map_categories: for the role and for `merlon check`. */
#include "cli/roles.h"

#include <stdio.h>
#include <stdlib.h>

static bool number_to(const char *text, uint32_t max, uint32_t *to)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*to = (uint32_t)n;
	return text[0] >= '0' && text[0] <= '9' && !*end && n <= max;
}

static bool choose(const char *text, const char *const *names, uint8_t first, uint8_t *to)
{
	for (uint8_t i = 0; names[i]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*to = (uint8_t)(first + i);
			return true;
		}
	}
	return false;
}

static bool points_of(char *text, uint32_t point[M3UA_POINTS])
{
	char *one;

	for (size_t i = 0; (one = strsep(&text, "/")); i++) {
		if (i == M3UA_POINTS || !number_to(one, SS7_POINT_MAX, &point[i]) || point[i] == 0)
			return false;
	}
	return true;
}

static bool option(struct ss7_link *l, const char *name, char *value)
{
	static const char *const kinds[] = { "sgp", "asp", "ipsp", NULL };
	static const char *const modes[] = { "override", "loadshare", "broadcast", NULL };

	if (strcmp(name, "role") == 0)
		return choose(value, kinds, M3UA_SGP, &l->role);
	if (strcmp(name, "mode") == 0)
		return choose(value, modes, M3UA_OVERRIDE, &l->mode);
	if (strcmp(name, "points") == 0)
		return points_of(value, l->point);
	if (strcmp(name, "from") == 0)
		return view_text(view_of(value), l->from, sizeof l->from);
	if (strcmp(name, "context") == 0) {
		l->has_context = true;
		return number_to(value, UINT32_MAX, &l->context);
	}
	l->plmn = bcd_of(view_of(value));
	return strcmp(name, "network") == 0 && (bcd_n(l->plmn) == 5 || bcd_n(l->plmn) == 6);
}

/* "outside listen sctp:127.0.0.1:2905 context=1" */
bool roles_ss7_link(const char *text, struct ss7_link *l)
{
	static const char *const sides[] = { "home", "outside", NULL };
	static const char *const hows[] = { "dial", "listen", NULL };
	char room[CONF_TEXT_MAX], *left = room, *word, *value;
	uint8_t side, how;

	*l = (struct ss7_link){ 0 };
	snprintf(room, sizeof room, "%s", text);
	word = strsep(&left, " ");
	if (!choose(word, sides, 0, &side) || !(word = strsep(&left, " ")) || !choose(word, hows, 0, &how) ||
	    !(word = strsep(&left, " ")) || endpoint_parse(view_of(word), &l->at) != ERR_OK ||
	    l->at.link == LINK_TLS)
		return false;
	l->outside = side;
	l->listens = how;
	l->role = how ? M3UA_SGP : M3UA_ASP;
	while ((word = strsep(&left, " "))) {
		value = strchr(word, '=');
		if (!value)
			return false;
		*value++ = 0;
		if (!option(l, word, value))
			return false;
	}
	return true;
}

static bool parse_titles(const char *text, struct ss7_conf *s)
{
	char room[CONF_TEXT_MAX], *left = room, *word, *value;

	snprintf(room, sizeof room, "%s", text);
	while ((word = strsep(&left, " "))) {
		struct ss7_title *t = &s->title[s->title_n];

		value = strchr(word, '=');
		if (!value || s->title_n == SS7_TITLE_MAX)
			return false;
		*value++ = 0;
		if (!number_to(value, SS7_POINT_MAX, &t->point) || t->point == 0 ||
		    !view_text(view_of(strcmp(word, "*") == 0 ? "" : word), t->prefix, sizeof t->prefix) ||
		    strspn(t->prefix, "0123456789") != strlen(t->prefix))
			return false;
		s->title_n++;
	}
	return true;
}

enum err roles_ss7(const struct conf *c, struct ss7_conf *s, char why[256])
{
	*s = (struct ss7_conf){ .point = c->edge_point, .map = { .plmn = c->plmn } };
	for (size_t i = 0; i < c->edge_m3ua.n; i++) {
		if (roles_ss7_link(c->edge_m3ua.text[i], &s->link[s->link_n++]))
			continue;
		snprintf(why, 256,
			 "edge.m3ua: %.80s is not outside|home listen|dial sctp:ADDRESS:PORT, with role=, "
			 "context=, mode=, points=, network= and from= if wanted",
			 c->edge_m3ua.text[i]);
		return ERR_CONFIG;
	}
	for (size_t i = 0; i < c->edge_titles.n; i++) {
		if (parse_titles(c->edge_titles.text[i], s))
			continue;
		snprintf(why, 256, "edge.titles: %.100s is not PREFIX=POINT_CODE, of digits, or *=POINT_CODE",
			 c->edge_titles.text[i]);
		return ERR_CONFIG;
	}
	s->sms_router = bcd_of(view_of(c->edge_sms_router));
	if (c->edge_sms_router[0] && (!s->sms_router || s->point == 0 || s->title_n == 0)) {
		snprintf(why, 256, "edge.sms_router: must be digits, with edge.point_code and edge.titles");
		return ERR_CONFIG;
	}
	return map_categories(&s->map, view_of(c->map_categories), why);
}

void roles_ss7_confine(const struct ss7_conf *s, uint16_t *port, struct sandbox *box)
{
	for (size_t i = 0; i < s->link_n; i++) {
		if (!s->link[i].listens)
			port[box->port_n++] = s->link[i].at.port;
		box->sctp |= s->link[i].at.link == LINK_SCTP;
	}
}
