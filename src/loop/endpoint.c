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

static bool take_address(struct view v, char list[4][48], uint8_t *list_n)
{
	uint8_t raw[16];
	char *to = list[*list_n];

	if (*list_n == 4)
		return false;
	if (v.n > 2 && v.p[0] == '[' && v.p[v.n - 1] == ']')
		v = (struct view){ v.p + 1, v.n - 2 };
	else if (memchr(v.p, ':', v.n))
		return false;
	/* what stands behind a NUL is not read */
	if (!view_text(v, to, sizeof list[0]) || memchr(to, 0, v.n))
		return false;
	++*list_n;
	return inet_pton(strchr(to, ':') ? AF_INET6 : AF_INET, to, raw) == 1;
}

static bool take_list(struct view v, char list[4][48], uint8_t *list_n)
{
	struct view one;

	while (cut(&v, ',', &one))
		if (one.n == 0 || !take_address(one, list, list_n))
			return false;
	return v.n > 0 && take_address(v, list, list_n);
}

/* ":PORT" lies behind the last colon, which an IPv6 address in brackets cannot hide. */
static bool take_addresses(struct view v, struct endpoint *e)
{
	size_t colon = v.n;

	while (colon > 0 && v.p[colon - 1] != ':')
		colon--;
	if (colon < 2 || !take_port((struct view){ v.p + colon, v.n - colon }, &e->port))
		return false;
	v.n = colon - 1;
	return take_list(v, e->address, &e->address_n) && (e->link == LINK_SCTP || e->address_n == 1);
}

/* "udp=9900" or "udp=9900/9899": our UDP port and the peer's (RFC 6951); "from=ADDRESS,...". */
static bool take_option(struct view v, struct endpoint *e)
{
	struct view name, own;

	if (!cut(&v, '=', &name))
		return false;
	if (view_eq(name, VIEW("from")))
		return e->from_n == 0 && take_list(v, e->from, &e->from_n) &&
		       (e->link == LINK_SCTP || e->from_n == 1);
	if (!view_eq(name, VIEW("udp")) || e->link != LINK_SCTP || e->udp)
		return false;
	if (!cut(&v, '/', &own))
		own = v;
	return take_port(own, &e->udp) && take_port(v, &e->udp_peer) && e->udp && e->udp_peer;
}

static bool take_options(struct view v, struct endpoint *e)
{
	struct view one;

	while (cut(&v, '&', &one))
		if (!take_option(one, e))
			return false;
	return take_option(v, e);
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
	return take_addresses(addresses, e) && take_options(text, e) ? ERR_OK : ERR_VALUE;
}

static size_t put_list(char *to, size_t cap, const char list[4][48], size_t list_n)
{
	size_t n = 0;

	for (size_t i = 0; i < list_n; i++)
		n += (size_t)snprintf(to + n, cap - n, strchr(list[i], ':') ? "%s[%s]" : "%s%s",
				      i ? "," : "", list[i]);
	return n;
}

/* Everything fits: 2 * 4 addresses of 50 and some words are less than ENDPOINT_TEXT. */
void endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT])
{
	size_t n = (size_t)snprintf(text, ENDPOINT_TEXT, "%s:", link_names[e->link]);

	n += put_list(text + n, ENDPOINT_TEXT - n, e->address, e->address_n);
	n += (size_t)snprintf(text + n, ENDPOINT_TEXT - n, ":%u", e->port);
	if (e->udp)
		n += (size_t)snprintf(text + n, ENDPOINT_TEXT - n, "?udp=%u/%u", e->udp, e->udp_peer);
	if (e->from_n > 0) {
		n += (size_t)snprintf(text + n, ENDPOINT_TEXT - n, e->udp ? "&from=" : "?from=");
		(void)put_list(text + n, ENDPOINT_TEXT - n, e->from, e->from_n);
	}
}

static socklen_t sockaddr_of(const char *address, uint16_t port, struct sockaddr_storage *to)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	*to = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
		memcpy(to, &v6, sizeof v6);
		return sizeof v6;
	}
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		memcpy(to, &v4, sizeof v4);
		return sizeof v4;
	}
	return 0;
}

socklen_t endpoint_sockaddr(const struct endpoint *e, struct sockaddr_storage *to)
{
	return sockaddr_of(e->address[0], e->port, to);
}

socklen_t endpoint_from(const struct endpoint *e, struct sockaddr_storage *to)
{
	return e->from_n ? sockaddr_of(e->from[0], 0, to) : 0;
}

int endpoint_family(const struct endpoint *e)
{
	for (size_t i = 0; i < e->address_n; i++)
		if (strchr(e->address[i], ':'))
			return AF_INET6;
	return AF_INET;
}

size_t sockaddrs_pack(const char address[][48], size_t n, uint16_t port, uint8_t *to)
{
	struct sockaddr_storage one;
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		size_t one_n = sockaddr_of(address[i], port, &one);

		if (one_n == 0)
			return 0;
		memcpy(to + used, &one, one_n);
		used += one_n;
	}
	return used;
}

const char *error_text(int error)
{
	const char *text = strerrordesc_np(error);

	return text ? text : "unknown error";
}

/* "tcp:127.0.0.1:3868: address already in use" */
enum err loop_why(char why[256], const struct endpoint *e, const char *what, int error)
{
	char where[ENDPOINT_TEXT], line[ENDPOINT_TEXT + 256];
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

/* Text to bytes; the number of bytes, 4 or 16, or 0. */
static size_t address_bytes(struct view text, uint8_t out[16])
{
	char s[64];

	if (!view_text(text, s, sizeof s))
		return 0;
	if (inet_pton(AF_INET, s, out) == 1)
		return 4;
	return inet_pton(AF_INET6, s, out) == 1 ? 16 : 0;
}

bool address_within(struct view address, struct view prefix)
{
	const uint8_t *slash = prefix.n ? memchr(prefix.p, '/', prefix.n) : NULL;
	struct view base = {prefix.p, slash ? (size_t)(slash - prefix.p) : prefix.n};
	uint8_t a[16], b[16];
	size_t n = address_bytes(address, a), bits = n * 8;

	if (n == 0 || address_bytes(base, b) != n)
		return false;
	if (slash) {
		bits = 0;
		if (slash + 1 == prefix.p + prefix.n)
			return false;
		for (const uint8_t *d = slash + 1; d < prefix.p + prefix.n; d++) {
			if (*d < '0' || *d > '9' || bits > 128)
				return false;
			bits = bits * 10 + (size_t)(*d - '0');
		}
	}
	if (bits > n * 8)
		return false;
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}
