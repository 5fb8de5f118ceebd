#include "wire/map_put.h"

#include "base/bcd.h"

#define INTERNATIONAL_E164 0x91 /* TS 29.002 17.7.8, AddressString */
#define APN_MAX_OCTETS 100

void map_put_imsi(struct wr *w, enum ber_class class, uint8_t tag, uint64_t imsi)
{
	uint8_t tbcd[BCD_MAX / 2];

	ber_put(w, class, tag, (struct view){ tbcd, bcd_tbcd(imsi, tbcd) });
}

void map_put_number(struct wr *w, enum ber_class class, uint8_t tag, uint64_t number)
{
	uint8_t bytes[1 + BCD_MAX / 2] = { INTERNATIONAL_E164 };

	ber_put(w, class, tag, (struct view){ bytes, 1 + bcd_tbcd(number, bytes + 1) });
}

void map_put_null(struct wr *w, enum ber_class class, uint8_t tag)
{
	ber_put(w, class, tag, (struct view){ 0 });
}

void map_put_apn(struct wr *w, enum ber_class class, uint8_t tag, struct view name)
{
	uint8_t bytes[APN_MAX_OCTETS];
	struct wr out = { .p = bytes, .cap = sizeof bytes };
	size_t from = 0;

	for (size_t i = 0; i <= name.n; i++) {
		if (i < name.n && name.p[i] != '.')
			continue;
		wr_be(&out, i - from, 1);
		wr_view(&out, (struct view){ name.p + from, i - from });
		from = i + 1;
	}
	w->err = w->err ? w->err : out.err;
	ber_put(w, class, tag, wr_done(&out));
}

struct view map_oid(uint8_t number, uint8_t version, uint8_t room[MAP_OID])
{
	const uint8_t oid[MAP_OID] = { 4, 0, 0, 1, 0, number, version };

	memcpy(room, oid, MAP_OID);
	return (struct view){ room, MAP_OID };
}
