/* Messages of GTP-C as nodes send them, for tests and benches: sessions of a SIM over GTPv2 or GTPv1. */
#pragma once
#include "base/bcd.h"
#include "wire/gtp1.h"
#include "wire/gtp2.h"

/* One session, and who the two nodes are. TEIDs follow from it. */
struct gtp_make {
	uint64_t imsi, msisdn;
	uint32_t seq, visited_teid, gateway_teid; /* of the control plane; the user plane has that + 1 */
	uint8_t visited[4], gateway[4], ue[4];
	uint8_t plmn[3];
	uint8_t ebi, rat, cause; /* cause: 0: accepted */
	const char *apn;
	int recovery;  /* -1: none */
	bool lapi;
};

static inline void make_tbcd(uint64_t id, uint8_t to[8])
{
	for (int i = 0; i < 8; i++) {
		uint8_t pair = (uint8_t)(id >> (56 - 8 * i));

		to[i] = (uint8_t)(pair << 4 | pair >> 4);
	}
}

static inline struct view make_apn(const char *text, uint8_t to[GTP_APN])
{
	size_t n = strlen(text), label = 0;

	memcpy(to + 1, text, n);
	for (size_t i = 0; i <= n; i++) {
		if (i < n && text[i] != '.')
			continue;
		to[label] = (uint8_t)(i - label);
		label = i + 1;
	}
	return (struct view){ to, n + 1 };
}

static inline void make_fteid(struct wr *w, uint8_t instance, uint8_t interface, uint32_t teid,
			      const uint8_t address[4])
{
	uint8_t v[9] = { (uint8_t)(0x80 | interface), (uint8_t)(teid >> 24), (uint8_t)(teid >> 16),
			 (uint8_t)(teid >> 8), (uint8_t)teid };

	memcpy(v + 5, address, 4);
	gtp2_put(w, 87, instance, (struct view){ v, sizeof v });
}

static inline void make_u8(struct wr *w, uint8_t type, uint8_t value)
{
	gtp2_put(w, type, 0, (struct view){ &value, 1 });
}

static inline void make_bearer(struct wr *w, const struct gtp_make *s, bool gateway, uint8_t instance)
{
	static const uint8_t qos[22] = { 0x0c << 2, 9 };
	uint8_t bytes[64], accepted[2] = { 16, 0 };
	struct wr in = { .p = bytes, .cap = sizeof bytes };

	make_u8(&in, 73, s->ebi);
	if (gateway)
		gtp2_put(&in, 2, 0, (struct view){ accepted, 2 });
	make_fteid(&in, instance, gateway ? 5 : 4, (gateway ? s->gateway_teid : s->visited_teid) + 1,
		   gateway ? s->gateway : s->visited);
	if (!gateway)
		gtp2_put(&in, 80, 0, (struct view){ qos, sizeof qos });
	gtp2_put(w, 93, 0, wr_done(&in));
}

static inline struct view make_csr(struct wr *w, const struct gtp_make *s)
{
	uint8_t digits[8], labels[GTP_APN], place[8] = { 8 };
	uint32_t none = 0;
	size_t start = gtp2_begin(w, 32, &none, s->seq);

	make_tbcd(s->imsi, digits);
	gtp2_put(w, 1, 0, (struct view){ digits, 8 });
	make_tbcd(s->msisdn, digits);
	if (s->msisdn)
		gtp2_put(w, 76, 0, (struct view){ digits, (bcd_n(s->msisdn) + 1) / 2 });
	memcpy(place + 1, s->plmn, 3);
	gtp2_put(w, 86, 0, (struct view){ place, 6 });
	gtp2_put(w, 83, 0, (struct view){ s->plmn, 3 });
	make_u8(w, 82, s->rat);
	make_fteid(w, 0, 6, s->visited_teid, s->visited);
	gtp2_put(w, 71, 0, make_apn(s->apn, labels));
	make_u8(w, 128, 0);
	make_u8(w, 99, 1);
	gtp2_put(w, 79, 0, VIEW("\1\0\0\0\0"));
	make_bearer(w, s, false, 2);
	if (s->recovery >= 0)
		make_u8(w, 3, (uint8_t)s->recovery);
	if (s->lapi)
		make_u8(w, 157, 1);
	gtp_end(w, start, GTP_HEAD_V2);
	return wr_done(w);
}

static inline struct view make_csa(struct wr *w, const struct gtp_make *s)
{
	uint8_t cause[2] = { s->cause ? s->cause : 16, 0 }, paa[5] = { 1 };
	size_t start = gtp2_begin(w, 33, &s->visited_teid, s->seq);

	gtp2_put(w, 2, 0, (struct view){ cause, 2 });
	if (!s->cause) {
		make_fteid(w, 1, 7, s->gateway_teid, s->gateway);
		memcpy(paa + 1, s->ue, 4);
		gtp2_put(w, 79, 0, (struct view){ paa, 5 });
		make_bearer(w, s, true, 2);
	}
	gtp_end(w, start, GTP_HEAD_V2);
	return wr_done(w);
}

/* A message about the session that holds little: its type, and whose TEID heads it. */
static inline struct view make_short(struct wr *w, const struct gtp_make *s, uint8_t type, bool to_gateway)
{
	uint32_t teid = to_gateway ? s->gateway_teid : s->visited_teid;
	uint8_t cause[2] = { s->cause ? s->cause : 16, 0 };
	size_t start = gtp2_begin(w, type, &teid, s->seq);

	if (type == 34) { /* the bearer, and that it moves: control plane and bearer lie at `visited` now */
		make_fteid(w, 0, 6, s->visited_teid, s->visited);
		gtp2_put(w, 83, 0, (struct view){ s->plmn, 3 });
		make_u8(w, 82, s->rat);
		make_bearer(w, s, false, 1);
	} else if (type == 36 || type == 99) {
		make_u8(w, 73, s->ebi);
	} else {
		gtp2_put(w, 2, 0, (struct view){ cause, 2 });
	}
	gtp_end(w, start, GTP_HEAD_V2);
	return wr_done(w);
}

static inline struct view make_echo(struct wr *w, uint8_t type, uint32_t seq, uint8_t recovery)
{
	size_t start = gtp2_begin(w, type, NULL, seq);

	make_u8(w, 3, recovery);
	gtp_end(w, start, GTP_HEAD_V2);
	return wr_done(w);
}

/* --- GTPv1 ------------------------------------------------------------------------------------------- */

static inline void make1_u32(struct wr *w, uint8_t type, uint32_t value)
{
	uint8_t v[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };

	gtp1_put(w, type, (struct view){ v, 4 });
}

static inline void make1_u8(struct wr *w, uint8_t type, uint8_t value)
{
	gtp1_put(w, type, (struct view){ &value, 1 });
}

static inline struct view make1_create(struct wr *w, const struct gtp_make *s)
{
	uint8_t digits[8], labels[GTP_APN], rai[6], number[9] = { 0x91 };
	size_t start = gtp1_begin(w, 16, 0, (uint16_t)s->seq);

	make_tbcd(s->imsi, digits);
	gtp1_put(w, 2, (struct view){ digits, 8 });
	memset(rai, 1, sizeof rai);
	memcpy(rai, s->plmn, 3);
	gtp1_put(w, 3, (struct view){ rai, 6 });
	if (s->recovery >= 0)
		make1_u8(w, 14, (uint8_t)s->recovery);
	make1_u8(w, 15, 0xfc);
	make1_u32(w, 16, s->visited_teid + 1);
	make1_u32(w, 17, s->visited_teid);
	make1_u8(w, 20, s->ebi);
	gtp1_put(w, 128, VIEW("\361\41"));
	gtp1_put(w, 131, make_apn(s->apn, labels));
	gtp1_put(w, 133, (struct view){ s->visited, 4 });
	gtp1_put(w, 133, (struct view){ s->visited, 4 });
	make_tbcd(s->msisdn, number + 1);
	if (s->msisdn)
		gtp1_put(w, 134, (struct view){ number, 1 + (bcd_n(s->msisdn) + 1) / 2 });
	gtp1_put(w, 135, VIEW("\1\13\222\37"));
	make1_u8(w, 151, s->rat);
	gtp_end(w, start, GTP_HEAD_V1);
	return wr_done(w);
}

static inline struct view make1_created(struct wr *w, const struct gtp_make *s)
{
	uint8_t eua[6] = { 0xf1, 0x21 };
	size_t start = gtp1_begin(w, 17, s->visited_teid, (uint16_t)s->seq);

	make1_u8(w, 1, s->cause ? s->cause : 128);
	if (!s->cause) {
		make1_u32(w, 16, s->gateway_teid + 1);
		make1_u32(w, 17, s->gateway_teid);
		make1_u32(w, 127, 1);
		memcpy(eua + 2, s->ue, 4);
		gtp1_put(w, 128, (struct view){ eua, 6 });
		gtp1_put(w, 133, (struct view){ s->gateway, 4 });
		gtp1_put(w, 133, (struct view){ s->gateway, 4 });
	}
	gtp_end(w, start, GTP_HEAD_V1);
	return wr_done(w);
}

static inline struct view make1_short(struct wr *w, const struct gtp_make *s, uint8_t type, bool to_gateway)
{
	size_t start = gtp1_begin(w, type, to_gateway ? s->gateway_teid : s->visited_teid, (uint16_t)s->seq);

	if (type == 20)
		make1_u8(w, 19, 0xff);
	if (type == 18) {
		make1_u32(w, 16, s->visited_teid + 1);
		make1_u32(w, 17, s->visited_teid);
	}
	if (type == 18 || type == 20)
		make1_u8(w, 20, s->ebi);
	else
		make1_u8(w, 1, s->cause ? s->cause : 128);
	if (type == 18) {
		gtp1_put(w, 133, (struct view){ s->visited, 4 });
		gtp1_put(w, 133, (struct view){ s->visited, 4 });
	}
	gtp_end(w, start, GTP_HEAD_V1);
	return wr_done(w);
}
