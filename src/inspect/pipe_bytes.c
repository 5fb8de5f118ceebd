/* What the packet path writes: answers, and the class of a packet. */
#include "inspect/pipe.h"

#include <netinet/in.h>

static uint32_t sum(uint32_t s, struct view v)
{
	for (size_t i = 0; i + 1 < v.n; i += 2)
		s += be16(v.p + i);
	if (v.n % 2)
		s += (uint32_t)v.p[v.n - 1] << 8;
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void put_udp(struct wr *w, const struct packet *p, struct view payload)
{
	bool four = p->flow.family == 4;
	size_t at = w->n, skip = four ? 12 : 0;
	uint32_t s = IPPROTO_UDP + (uint32_t)payload.n + 8;
	uint16_t check;

	wr_be(w, p->flow.to_port, 2);
	wr_be(w, p->flow.from_port, 2);
	wr_be(w, payload.n + 8, 2);
	wr_be(w, 0, 2);
	wr_view(w, payload);
	if (w->err)
		return;
	s = sum(s, (struct view){ p->flow.to + skip, ADDRESS_BYTES - skip });
	s = sum(s, (struct view){ p->flow.from + skip, ADDRESS_BYTES - skip });
	check = fold(sum(s, (struct view){ w->p + at, w->n - at }));
	wr_at(w, at + 6, check ? check : 0xffff, 2);
}

static void put_ip4(struct wr *w, const struct packet *p, struct view payload)
{
	size_t at = w->n;

	wr_be(w, 0x4500u | (p->tos & 0xfcu), 2);
	wr_be(w, payload.n + 28, 2);
	wr_be(w, 0x00004000, 4); /* no id, whole (RFC 6864) */
	wr_be(w, 64u << 8 | IPPROTO_UDP, 2);
	wr_be(w, 0, 2);
	wr_view(w, (struct view){ p->flow.to + 12, 4 });
	wr_view(w, (struct view){ p->flow.from + 12, 4 });
	if (!w->err)
		wr_at(w, at + 10, fold(sum(0, (struct view){ w->p + at, 20 })), 2);
}

static void put_ip6(struct wr *w, const struct packet *p, struct view payload)
{
	wr_be(w, 0x60000000u | (uint32_t)(p->tos & 0xfc) << 20, 4);
	wr_be(w, payload.n + 8, 2);
	wr_be(w, IPPROTO_UDP << 8 | 64u, 2);
	wr_view(w, (struct view){ p->flow.to, ADDRESS_BYTES });
	wr_view(w, (struct view){ p->flow.from, ADDRESS_BYTES });
}

void pipe_answer(struct wr *w, const struct packet *p, struct view payload)
{
	size_t before = 14 + 4 * (size_t)p->vlan_n;
	const uint8_t *f = p->frame.p;

	while (before < p->frame.n && before < 22 &&
	       (be16(f + before - 2) == 0x8100 || be16(f + before - 2) == 0x88a8))
		before += 4; /* of a datagram in parts, whose tags the whole does not tell */
	if (p->frame.n < before) {
		w->err = ERR_SHORT;
		return;
	}
	wr_view(w, (struct view){ f + 6, 6 });
	wr_view(w, (struct view){ f, 6 });
	wr_view(w, (struct view){ f + 12, before - 12 });
	if (p->flow.family == 4)
		put_ip4(w, p, payload);
	else
		put_ip6(w, p, payload);
	put_udp(w, p, payload);
}

uint8_t dscp_of_qci(uint8_t qci)
{
	static const uint8_t dscp[] = { [1] = 46, [2] = 46, [3] = 46, [4] = 34, [5] = 26, [6] = 28, [7] = 18,
					[8] = 10 }; /* EF, AF41, AF31, AF32, AF21, AF11; 9: best effort */

	if (qci == 65 || qci == 66 || qci == 69) /* mission critical: voice, push to talk, signalling */
		return 46;
	return qci < sizeof dscp ? dscp[qci] : 0;
}

void dscp_write(uint8_t *ip, uint8_t dscp)
{
	uint16_t old = be16(ip), new;
	uint32_t s;

	if (ip[0] >> 4 == 6) {
		ip[0] = (uint8_t)(0x60 | dscp >> 2);
		ip[1] = (uint8_t)((ip[1] & 0x3f) | dscp << 6);
		return;
	}
	ip[1] = (uint8_t)(dscp << 2 | (ip[1] & 3));
	new = be16(ip);
	s = (uint32_t)(uint16_t)~be16(ip + 10) + (uint16_t)~old + new; /* RFC 1624 */
	s = fold(s);
	ip[10] = (uint8_t)(s >> 8);
	ip[11] = (uint8_t)s;
}
