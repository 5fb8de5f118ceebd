/* A packet as it lies in a frame: Ethernet and VLAN tags, IPv4 and IPv6, then the ports of TCP, UDP, SCTP.
 * Pure: every view lies inside the bytes given. RFC 791, 8200, 768, 9293; IEEE 802.1Q. */
#pragma once
#include "base/bytes.h"

/* What a frame begins with, as pcap numbers it (DLT_...). */
enum packet_link {
	PACKET_NULL = 0, PACKET_ETHERNET = 1, PACKET_RAW = 12, PACKET_RAW_FILE = 101, PACKET_LOOP = 108,
	PACKET_COOKED = 113, PACKET_IPV4 = 228, PACKET_IPV6 = 229, PACKET_COOKED2 = 276
};

#define ADDRESS_BYTES 16 /* an IPv4 address is ::ffff:a.b.c.d (RFC 4291 2.5.5.2) */

/* Who speaks to whom. No padding: may be compared and hashed as bytes. */
struct packet_flow {
	uint8_t from[ADDRESS_BYTES], to[ADDRESS_BYTES];
	uint16_t from_port, to_port; /* 0: the protocol has none, or a later fragment does not say */
	uint8_t protocol;            /* what the IP headers carry, IPPROTO_... */
	uint8_t family;              /* 4 or 6 */
	uint16_t zero;
};

enum packet_note {
	PACKET_FRAGMENT = 1,     /* part of a datagram */
	PACKET_LATER = 2,        /* of it, not the first part: no ports */
	PACKET_MORE = 4,         /* of it, not the last part */
	PACKET_TINY = 8,         /* the first part ends within the header behind IP (RFC 1858, 7112) */
	PACKET_SOURCE_ROUTE = 16 /* says by where it wants to go: IPv4 options, type 0 of IPv6 (RFC 5095) */
};

struct packet {
	struct view frame;     /* as given */
	struct view ip;        /* from the IP header to the end that its length says */
	struct view transport; /* behind the IP headers */
	struct view payload;   /* behind the header of TCP, UDP, SCTP; else `transport` */
	struct packet_flow flow;
	uint32_t notes;        /* enum packet_note */
	uint32_t part_id;      /* of a fragment */
	uint16_t part_at;      /* of a fragment: octets before it */
	uint8_t tos, ttl;
	uint8_t tcp_flags;     /* of TCP */
	uint8_t icmp_type, icmp_code;
	uint8_t vlan_n;
	uint16_t vlan[2];      /* outermost first */
	uint32_t tcp_seq, tcp_ack;
};

/* From a frame. ERR_UNKNOWN: no IP in it (ARP and its like). ERR_SHORT, ERR_LENGTH, ERR_VALUE, ERR_HEADER: it
 * says it is IP, and is not well-formed. `p` is whole only when ERR_OK is returned. */
enum err MUST_USE packet_parse(struct packet *p, struct view frame, int link);
/* The same from an IP header on: what a tunnel carries. */
enum err MUST_USE packet_ip(struct packet *p, struct view ip);
/* Does packet_parse know this link layer? */
bool packet_knows(int link);

/* What a tunnel of the device's own carries: 6in4 (RFC 4213), IP in IP (RFC 2003), Teredo (RFC 4380). False:
 * `p` is no such tunnel, or what it carries is no IP. */
bool packet_tunnel(const struct packet *p, struct packet *in);

/* The other direction of a flow. */
struct packet_flow packet_back(const struct packet_flow *f);

static inline bool address_is4(const uint8_t a[ADDRESS_BYTES])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a, mapped, sizeof mapped) == 0;
}
/* Does `a` lie in the first `bits` bits of `prefix`? Both as above: an IPv4 prefix has 96 more. */
bool address_in(const uint8_t a[ADDRESS_BYTES], const uint8_t prefix[ADDRESS_BYTES], unsigned int bits);
/* "192.0.2.1", "2001:db8::1". */
#define ADDRESS_TEXT 48
void address_text(const uint8_t a[ADDRESS_BYTES], char text[ADDRESS_TEXT]);

static inline uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}
