/* Where devices may send to, [PROTOCOL:]WHERE[:PORT[-PORT]]: tcp:192.0.2.0/24:443, udp:[2001:db8::/32]:5683,
 * *.example.com:8883, icmp:192.0.2.1. */
#include "judge/book.h"
#include "records/model.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "any", 0 }, { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP },
	{ "icmp", IPPROTO_ICMP },
};

static bool take_protocol(struct view *v, uint8_t *to)
{
	*to = 0;
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
		size_t n = strlen(protocols[i].name);

		if (v->n > n && v->p[n] == ':' &&
		    view_eq_case(view_first(*v, n), view_of(protocols[i].name))) {
			*to = protocols[i].number;
			*v = (struct view){ v->p + n + 1, v->n - n - 1 };
			return true;
		}
	}
	return false;
}

static bool number(struct view v, uint32_t max, uint32_t *to)
{
	*to = 0;
	if (v.n < 1 || v.n > 5)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		*to = *to * 10 + v.p[i] - '0';
	}
	return *to <= max;
}

/* What stands behind the last colon outside of brackets. */
static bool take_ports(struct view *v, struct reach_row *to)
{
	uint32_t from, until;
	size_t at = v->n, dash;
	struct view p;

	to->port_to = 65535;
	while (at > 0 && v->p[at - 1] != ':' && v->p[at - 1] != ']')
		at--;
	if (at == 0 || v->p[at - 1] == ']')
		return at == 0 || at == v->n;
	p = (struct view){ v->p + at, v->n - at };
	*v = view_first(*v, at - 1);
	for (dash = 0; dash < p.n && p.p[dash] != '-'; dash++)
		;
	if (!number(view_first(p, dash), 65535, &from))
		return false;
	until = from;
	if (dash < p.n && !number((struct view){ p.p + dash + 1, p.n - dash - 1 }, 65535, &until))
		return false;
	to->port_from = (uint16_t)from;
	to->port_to = (uint16_t)until;
	return from > 0 && from <= until;
}

static bool prefix(struct view v, int family, struct reach_row *to)
{
	size_t slash = 0;
	uint32_t most = family == AF_INET ? 32 : 128, bits = most;
	uint8_t *at = to->address + (family == AF_INET ? 12 : 0);
	char text[INET6_ADDRSTRLEN];

	while (slash < v.n && v.p[slash] != '/')
		slash++;
	if (slash < v.n && !number((struct view){ v.p + slash + 1, v.n - slash - 1 }, most, &bits))
		return false;
	if (!view_text(view_first(v, slash), text, sizeof text) || inet_pton(family, text, at) != 1)
		return false;
	if (family == AF_INET)
		to->address[10] = to->address[11] = 0xff;
	to->family = family == AF_INET ? 4 : 6;
	to->bits = (uint8_t)(family == AF_INET ? bits + 96 : bits);
	return true;
}

static bool name(struct view v, struct reach_row *to)
{
	size_t label = 0;

	if (v.n > 2 && v.p[0] == '*' && v.p[1] == '.') {
		to->below = 1;
		v = (struct view){ v.p + 2, v.n - 2 };
	}
	if (v.n == 0 || v.n >= sizeof to->name)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i] >= 'A' && v.p[i] <= 'Z' ? (uint8_t)(v.p[i] + 32) : v.p[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

		if (!word && (c != '.' || label == 0))
			return false;
		label = word ? label + 1 : 0;
		to->name[i] = (char)c;
	}
	/* "192.0.2" is a mistake, not a name: the last label of a name is not all digits (RFC 3696 2). */
	for (size_t i = v.n - label; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return true;
	}
	return false;
}

enum err model_reach(struct view v, struct reach_row *to)
{
	*to = (struct reach_row){ 0 };
	(void)take_protocol(&v, &to->protocol);
	if (!take_ports(&v, to) || v.n == 0)
		return ERR_VALUE;
	if (to->port_from > 0 && to->protocol == IPPROTO_ICMP)
		return ERR_VALUE;
	if (v.p[0] == '[' && v.n > 2 && v.p[v.n - 1] == ']')
		return prefix((struct view){ v.p + 1, v.n - 2 }, AF_INET6, to) ? ERR_OK : ERR_VALUE;
	if (prefix(v, AF_INET, to))
		return ERR_OK;
	memset(to->address, 0, sizeof to->address);
	return name(v, to) ? ERR_OK : ERR_VALUE;
}
