#include "inspect/packet.h"

#include <arpa/inet.h>

#define ETHER_IP4  0x0800
#define ETHER_IP6  0x86dd
#define ETHER_VLAN 0x8100
#define ETHER_QINQ 0x88a8
#define HEADERS_MAX 8 /* of IPv6, extensions */
#define TEREDO_PORT 3544

#define HOP_BY_HOP 0
#define IP_IN_IP   4
#define TCP        6
#define UDP        17
#define DCCP       33
#define IP6_IN_IP  41
#define ROUTING    43
#define FRAGMENT   44
#define AUTH       51
#define ICMP6      58
#define DESTINATION 60
#define SCTP       132
#define UDP_LITE   136

/* --- behind IP -------------------------------------------------------------------------------- */

/* Octets before the payload, as far as they are the same for every packet of the protocol. */
static size_t head_of(uint8_t protocol)
{
	switch (protocol) {
	case TCP:
		return 20;
	case UDP:
	case UDP_LITE:
		return 8;
	case SCTP:
	case DCCP:
		return 12;
	case IPPROTO_ICMP:
	case ICMP6:
		return 4;
	default:
		return 0;
	}
}

static enum err tcp(struct packet *p, const uint8_t *t, size_t n)
{
	size_t head = (size_t)(t[12] >> 4) * 4;

	p->tcp_seq = be32(t + 4);
	p->tcp_ack = be32(t + 8);
	p->tcp_flags = t[13];
	if (head < 20)
		return ERR_HEADER;
	if (head > n) /* its options go on in the next part, where nobody expects them */
		return p->notes & PACKET_MORE ? (p->notes |= PACKET_TINY, ERR_OK) : ERR_SHORT;
	p->payload = (struct view){ t + head, n - head };
	return ERR_OK;
}

static enum err udp(struct packet *p, const uint8_t *t, size_t n)
{
	size_t length = be16(t + 4);

	if (length < 8)
		return ERR_LENGTH;
	if (length > n && !(p->notes & PACKET_MORE))
		return ERR_SHORT;
	p->payload = (struct view){ t + 8, (length < n ? length : n) - 8 };
	return ERR_OK;
}

static enum err transport(struct packet *p)
{
	const uint8_t *t = p->transport.p;
	size_t n = p->transport.n, head = head_of(p->flow.protocol);

	p->payload = p->transport;
	if (p->notes & PACKET_LATER)
		return ERR_OK;
	if (n < head) {
		if (!(p->notes & PACKET_MORE))
			return ERR_SHORT;
		p->notes |= PACKET_TINY;
		return ERR_OK;
	}
	if (head == 4) {
		p->icmp_type = t[0];
		p->icmp_code = t[1];
	} else if (head > 0) {
		p->flow.from_port = be16(t);
		p->flow.to_port = be16(t + 2);
		p->payload = (struct view){ t + head, n - head };
	}
	if (p->flow.protocol == TCP)
		return tcp(p, t, n);
	return p->flow.protocol == UDP ? udp(p, t, n) : ERR_OK;
}

/* --- IP --------------------------------------------------------------------------------------- */

static void set4(uint8_t to[ADDRESS_BYTES], const uint8_t *from)
{
	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, from, 4);
}

/* Loose and strict source routes (RFC 791 3.1). */
static bool routes4(const uint8_t *o, size_t n)
{
	for (size_t i = 0; i < n && o[i] != 0;) {
		if (o[i] == 131 || o[i] == 137)
			return true;
		if (o[i] == 1)
			i++;
		else if (i + 1 < n && o[i + 1] >= 2)
			i += o[i + 1];
		else
			break;
	}
	return false;
}

static enum err part(struct packet *p, uint32_t id, size_t at, bool more)
{
	if (at == 0 && !more)
		return ERR_OK;
	p->notes |= PACKET_FRAGMENT | (at > 0 ? PACKET_LATER : 0) | (more ? PACKET_MORE : 0);
	p->part_id = id;
	p->part_at = (uint16_t)at;
	if (more && (p->transport.n % 8 != 0 || p->transport.n == 0))
		return ERR_LENGTH;
	return at + p->transport.n > 65535 ? ERR_LENGTH : ERR_OK;
}

static enum err ip4(struct packet *p, struct view v)
{
	const uint8_t *b = v.p;
	size_t head, total;
	uint16_t field;
	enum err err;

	if (v.n < 20)
		return ERR_SHORT;
	head = (size_t)(b[0] & 15) * 4;
	total = be16(b + 2);
	if (head < 20 || total < head)
		return ERR_LENGTH;
	if (total > v.n)
		return ERR_SHORT;
	p->ip = view_first(v, total);
	p->transport = (struct view){ b + head, total - head };
	p->tos = b[1];
	p->ttl = b[8];
	p->flow.protocol = b[9];
	p->flow.family = 4;
	set4(p->flow.from, b + 12);
	set4(p->flow.to, b + 16);
	if (head > 20 && routes4(b + 20, head - 20))
		p->notes |= PACKET_SOURCE_ROUTE;
	field = be16(b + 6);
	err = part(p, be16(b + 4), (size_t)(field & 0x1fff) * 8, field & 0x2000);
	return err ? err : transport(p);
}

/* The length of an extension header; 0: it is none. */
static size_t extension(uint8_t next, const uint8_t *h)
{
	if (next == HOP_BY_HOP || next == ROUTING || next == DESTINATION)
		return ((size_t)h[1] + 1) * 8;
	if (next == AUTH)
		return ((size_t)h[1] + 2) * 4;
	return next == FRAGMENT ? 8 : 0;
}

static enum err extensions(struct packet *p, uint8_t next)
{
	struct view *t = &p->transport;
	enum err err;

	for (size_t i = 0; i < HEADERS_MAX; i++) {
		const uint8_t *h = t->p;
		size_t n;

		if (t->n < 8 && (next == HOP_BY_HOP || next == ROUTING || next == DESTINATION ||
				 next == FRAGMENT || next == AUTH))
			return ERR_SHORT;
		n = t->n < 8 ? 0 : extension(next, h);
		if (n == 0) {
			p->flow.protocol = next;
			return transport(p);
		}
		if (n > t->n) /* a chain that leaves the first part says nothing of the ports */
			return ERR_SHORT;
		*t = (struct view){ h + n, t->n - n };
		if (next == ROUTING && h[2] == 0)
			p->notes |= PACKET_SOURCE_ROUTE;
		if (next == FRAGMENT) {
			err = part(p, be32(h + 4), be16(h + 2) & 0xfff8, h[3] & 1);
			p->flow.protocol = h[0];
			if (err || p->notes & PACKET_LATER)
				return err ? err : transport(p);
		}
		next = h[0];
	}
	return ERR_HEADER;
}

static enum err ip6(struct packet *p, struct view v)
{
	const uint8_t *b = v.p;
	size_t length;

	if (v.n < 40)
		return ERR_SHORT;
	length = be16(b + 4);
	if (length > v.n - 40)
		return ERR_SHORT;
	p->ip = view_first(v, 40 + length);
	p->transport = (struct view){ b + 40, length };
	p->tos = (uint8_t)((b[0] & 15) << 4 | b[1] >> 4);
	p->ttl = b[7];
	p->flow.family = 6;
	memcpy(p->flow.from, b + 8, ADDRESS_BYTES);
	memcpy(p->flow.to, b + 24, ADDRESS_BYTES);
	return extensions(p, b[6]);
}

/* A mapped address in a packet of IPv6 would pass for one of IPv4; none belongs on the wire. */
static enum err unmapped(const struct packet *p)
{
	return address_is4(p->flow.from) || address_is4(p->flow.to) ? ERR_VALUE : ERR_OK;
}

static enum err any_ip(struct packet *p, struct view ip)
{
	enum err err;

	if (ip.n == 0)
		return ERR_SHORT;
	if (ip.p[0] >> 4 == 4)
		return ip4(p, ip);
	if (ip.p[0] >> 4 != 6)
		return ERR_VERSION;
	err = ip6(p, ip);
	return err ? err : unmapped(p);
}

enum err packet_ip(struct packet *p, struct view ip)
{
	*p = (struct packet){ .frame = ip };
	return any_ip(p, ip);
}

/* --- the link layer --------------------------------------------------------------------------- */

/* Where the type of what follows stands, and where that begins; 0: straight away. */
static const struct layer {
	int link;
	uint8_t type_at, begins;
} layers[] = {
	{ PACKET_ETHERNET, 12, 14 }, { PACKET_NULL, 0, 4 },	  { PACKET_RAW, 0, 0 },
	{ PACKET_RAW_FILE, 0, 0 },   { PACKET_LOOP, 0, 4 },	  { PACKET_COOKED, 14, 16 },
	{ PACKET_IPV4, 0, 0 },	     { PACKET_IPV6, 0, 0 },	  { PACKET_COOKED2, 0, 20 },
};

static const struct layer *layer_of(int link)
{
	for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
		if (layers[i].link == link)
			return &layers[i];
	}
	return NULL;
}

bool packet_knows(int link)
{
	return layer_of(link) != NULL;
}

enum err packet_parse(struct packet *p, struct view frame, int link)
{
	const struct layer *l = layer_of(link);
	size_t at;
	uint16_t type;

	*p = (struct packet){ .frame = frame };
	if (!l)
		return ERR_UNKNOWN;
	if (frame.n < l->begins)
		return ERR_UNKNOWN;
	at = l->begins;
	type = l->type_at || link == PACKET_COOKED2 ? be16(frame.p + l->type_at) : ETHER_IP4;
	while ((type == ETHER_VLAN || type == ETHER_QINQ) && p->vlan_n < 2) {
		if (frame.n < at + 4)
			return ERR_UNKNOWN;
		p->vlan[p->vlan_n++] = be16(frame.p + at) & 0xfff;
		type = be16(frame.p + at + 2);
		at += 4;
	}
	if (type != ETHER_IP4 && type != ETHER_IP6)
		return ERR_UNKNOWN;
	return any_ip(p, (struct view){ frame.p + at, frame.n - at });
}

/* --- tunnels, addresses ----------------------------------------------------------------------- */

/* Before the packet there may be an authentication (0x0001) and an origin (0x0000): RFC 4380 5.1.1. */
static struct view teredo(struct view v)
{
	if (v.n >= 4 && v.p[0] == 0 && v.p[1] == 1) {
		size_t n = 4 + (size_t)v.p[2] + v.p[3] + 9;

		v = n <= v.n ? (struct view){ v.p + n, v.n - n } : (struct view){ 0 };
	}
	if (v.n >= 8 && v.p[0] == 0 && v.p[1] == 0)
		v = (struct view){ v.p + 8, v.n - 8 };
	return v;
}

bool packet_tunnel(const struct packet *p, struct packet *in)
{
	struct view v = p->payload;

	if (p->notes & PACKET_LATER)
		return false;
	if (p->flow.protocol == UDP &&
	    (p->flow.to_port == TEREDO_PORT || p->flow.from_port == TEREDO_PORT)) {
		v = teredo(v);
		return v.n >= 40 && v.p[0] >> 4 == 6 && packet_ip(in, v) == ERR_OK;
	}
	if (p->flow.protocol != IP6_IN_IP && p->flow.protocol != IP_IN_IP)
		return false;
	return packet_ip(in, v) == ERR_OK;
}

struct packet_flow packet_back(const struct packet_flow *f)
{
	struct packet_flow b = { .from_port = f->to_port, .to_port = f->from_port, .protocol = f->protocol,
				 .family = f->family };

	memcpy(b.from, f->to, sizeof b.from);
	memcpy(b.to, f->from, sizeof b.to);
	return b;
}

bool address_in(const uint8_t a[ADDRESS_BYTES], const uint8_t prefix[ADDRESS_BYTES], unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (whole > 0 && memcmp(a, prefix, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ prefix[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

void address_text(const uint8_t a[ADDRESS_BYTES], char text[ADDRESS_TEXT])
{
	text[0] = 0;
	if (address_is4(a))
		inet_ntop(AF_INET, a + 12, text, ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, a, text, ADDRESS_TEXT);
}
