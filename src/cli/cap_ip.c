/* From the link layer to what lies behind IP. */
#include "cli/cap_in.h"

#include <netinet/in.h>

#define TAGS_MAX 2 /* VLAN */
#define EXT_MAX 8  /* IPv6 extension headers */
#define ETHER_IP4 0x0800
#define ETHER_IP6 0x86dd
#define ETHER_VLAN 0x8100
#define ETHER_QINQ 0x88a8

static void ip4(struct cap *c, struct rd *r)
{
	struct end from = {.family = 4}, to = {.family = 4};
	size_t head = (rd_be(r, 1) & 15) * 4, total, options;
	struct rd body;
	uint16_t fragment;
	uint8_t protocol;
	struct view v;

	rd_take(r, 1);
	total = rd_be(r, 2);
	rd_take(r, 2);
	fragment = (uint16_t)rd_be(r, 2);
	rd_take(r, 1);
	protocol = (uint8_t)rd_be(r, 1);
	rd_take(r, 2);
	v = rd_take(r, 4);
	if (v.n == 4)
		memcpy(from.address, v.p, 4);
	v = rd_take(r, 4);
	if (v.n == 4)
		memcpy(to.address, v.p, 4);
	options = head < 20 ? SIZE_MAX : head - 20;
	rd_take(r, options);
	if (r->err) {
		c->counts.foreign++;
		return;
	}
	if (fragment & 0x3fff) {
		c->counts.fragments++;
		return;
	}
	/* Ethernet pads short packets; some stacks leave the length to the card (0). */
	body = (struct rd){.left = r->left};
	if (total >= head)
		body.left = view_first(r->left, total - head);
	cap_transport(c, &from, &to, protocol, &body);
}

static void ip6(struct cap *c, struct rd *r)
{
	struct end from = {.family = 6}, to = {.family = 6};
	size_t length;
	struct rd body;
	uint8_t next;
	struct view v;

	rd_take(r, 4);
	length = rd_be(r, 2);
	next = (uint8_t)rd_be(r, 1);
	rd_take(r, 1);
	v = rd_take(r, 16);
	if (v.n == 16)
		memcpy(from.address, v.p, 16);
	v = rd_take(r, 16);
	if (v.n == 16)
		memcpy(to.address, v.p, 16);
	body =
	    (struct rd){.left = length > 0 ? view_first(r->left, length) : r->left, .err = r->err};
	for (size_t i = 0; i < EXT_MAX && !body.err; i++) {
		if (next == IPPROTO_FRAGMENT) {
			c->counts.fragments++;
			return;
		}
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		next = (uint8_t)rd_be(&body, 1);
		rd_take(&body, ((size_t)rd_be(&body, 1) + 1) * 8 - 2);
	}
	if (body.err)
		c->counts.foreign++;
	else
		cap_transport(c, &from, &to, next, &body);
}

static void ip(struct cap *c, struct rd *r)
{
	uint8_t version = r->left.n > 0 ? r->left.p[0] >> 4 : 0;

	if (version == 4)
		ip4(c, r);
	else if (version == 6)
		ip6(c, r);
	else
		c->counts.foreign++;
}

bool cap_knows(int link)
{
	return link == CAP_NULL || link == CAP_ETHERNET || link == CAP_RAW ||
	       link == CAP_RAW_FILE || link == CAP_LOOP || link == CAP_COOKED || link == CAP_IPV4 ||
	       link == CAP_IPV6 || link == CAP_COOKED2;
}

/* What lies before IP; false: something else follows. */
static bool link_layer(int link, struct rd *r)
{
	uint32_t type = ETHER_IP4;

	if (link == CAP_NULL || link == CAP_LOOP) {
		rd_take(r, 4);
	} else if (link == CAP_ETHERNET) {
		rd_take(r, 12);
		type = rd_be(r, 2);
	} else if (link == CAP_COOKED) {
		rd_take(r, 14);
		type = rd_be(r, 2);
	} else if (link == CAP_COOKED2) {
		type = rd_be(r, 2);
		rd_take(r, 18);
	}
	for (size_t i = 0; i < TAGS_MAX && (type == ETHER_VLAN || type == ETHER_QINQ); i++) {
		rd_take(r, 2);
		type = rd_be(r, 2);
	}
	return !r->err && (type == ETHER_IP4 || type == ETHER_IP6);
}

void cap_packet(struct cap *c, int link, struct view packet, uint64_t at_ms)
{
	struct rd r = {.left = packet};

	c->counts.packets++;
	c->at_ms = at_ms;
	if (link_layer(link, &r))
		ip(c, &r);
	else
		c->counts.foreign++;
}
