/* Where to listen or connect, as people write it. */
#include "loop/inside.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const link_names[] = { [LINK_TCP] = "tcp", [LINK_TLS] = "tls", [LINK_SCTP] = "sctp" };

#define LINK_N (sizeof link_names / sizeof *link_names)

static bool take_port(struct view v, uint16_t *port)
{
	uint32_t x = 0;

	if (v.n == 0 || v.n > 5)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		x = x * 10 + (uint32_t)(v.p[i] - '0');
	}
	*port = (uint16_t)x;
	return x <= UINT16_MAX;
}

/* Cut off what stands before the first `mark`; false, and nothing cut, if there is none. */
static bool cut(struct view *v, char mark, struct view *before)
{
	const uint8_t *at = v->n ? memchr(v->p, mark, v->n) : NULL;

	if (!at)
		return false;
	*before = (struct view){ v->p, (size_t)(at - v->p) };
	*v = (struct view){ at + 1, v->n - before->n - 1 };
	return true;
}

static bool take_address(struct view v, struct endpoint *e)
{
	uint8_t raw[16];
	char *to = e->address[e->address_n];

	if (e->address_n == 4)
		return false;
	if (v.n > 2 && v.p[0] == '[' && v.p[v.n - 1] == ']')
		v = (struct view){ v.p + 1, v.n - 2 };
	else if (memchr(v.p, ':', v.n))
		return false;
	if (!view_text(v, to, sizeof e->address[0]))
		return false;
	e->address_n++;
	return inet_pton(strchr(to, ':') ? AF_INET6 : AF_INET, to, raw) == 1;
}

/* ":PORT" lies behind the last colon, which an IPv6 address in brackets cannot hide. */
static bool take_addresses(struct view v, struct endpoint *e)
{
	struct view one;
	size_t colon = v.n;

	while (colon > 0 && v.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || !take_port((struct view){ v.p + colon, v.n - colon }, &e->port))
		return false;
	v.n = colon - 1;
	while (cut(&v, ',', &one))
		if (one.n == 0 || !take_address(one, e))
			return false;
	return v.n > 0 && take_address(v, e) && (e->link == LINK_SCTP || e->address_n == 1);
}

/* "udp=9900" or "udp=9900/9899": our UDP port and the peer's (RFC 6951). */
static bool take_option(struct view v, struct endpoint *e)
{
	struct view name, own;

	if (!cut(&v, '=', &name) || !view_eq(name, VIEW("udp")) || e->link != LINK_SCTP)
		return false;
	if (!cut(&v, '/', &own))
		own = v;
	return take_port(own, &e->udp) && take_port(v, &e->udp_peer) && e->udp && e->udp_peer;
}

enum err endpoint_parse(struct view text, struct endpoint *e)
{
	struct view link, addresses;
	size_t i = 0;

	*e = (struct endpoint){ 0 };
	if (!cut(&text, ':', &link))
		return ERR_VALUE;
	while (i < LINK_N && !view_eq(link, view_of(link_names[i])))
		i++;
	if (i == LINK_N)
		return ERR_VALUE;
	e->link = (uint8_t)i;
	if (!cut(&text, '?', &addresses))
		return take_addresses(text, e) ? ERR_OK : ERR_VALUE;
	return take_addresses(addresses, e) && take_option(text, e) ? ERR_OK : ERR_VALUE;
}

void endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT])
{
	size_t n = (size_t)snprintf(text, ENDPOINT_TEXT, "%s:", link_names[e->link]);

	for (size_t i = 0; i < e->address_n; i++)
		n += (size_t)snprintf(text + n, ENDPOINT_TEXT - n,
				      strchr(e->address[i], ':') ? "%s[%s]" : "%s%s", i ? "," : "",
				      e->address[i]);
	n += (size_t)snprintf(text + n, ENDPOINT_TEXT - n, ":%u", e->port);
	if (e->udp)
		snprintf(text + n, ENDPOINT_TEXT - n, "?udp=%u/%u", e->udp, e->udp_peer);
}

socklen_t endpoint_sockaddr(const struct endpoint *e, size_t i, struct sockaddr_storage *to)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(e->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(e->port) };

	*to = (struct sockaddr_storage){ 0 };
	if (strchr(e->address[i], ':')) {
		if (inet_pton(AF_INET6, e->address[i], &v6.sin6_addr) != 1)
			return 0;
		memcpy(to, &v6, sizeof v6);
		return sizeof v6;
	}
	if (inet_pton(AF_INET, e->address[i], &v4.sin_addr) != 1)
		return 0;
	memcpy(to, &v4, sizeof v4);
	return sizeof v4;
}

const char *error_text(int error)
{
	const char *text = strerrordesc_np(error);

	return text ? text : "unknown error";
}

/* "tcp:127.0.0.1:3868: address already in use" */
enum err loop_why(char why[256], const struct endpoint *e, const char *what, int error)
{
	char where[ENDPOINT_TEXT], line[512];
	int n;

	endpoint_text(e, where);
	n = snprintf(line, sizeof line, "%s: %s%s", where, what, what[0] && error ? ": " : "");
	if (error)
		snprintf(line + n, sizeof line - (size_t)n, "%s", error_text(error));
	if (error)
		line[n] = (char)tolower((unsigned char)line[n]);
	view_text(view_first(view_of(line), 255), why, 256);
	return ERR_IO;
}
