/* May this device use the network, and with this SIM (TS 29.272 6.2.1; R-5.1.1.2.b, R-5.7.3.a)? */
#include "home/procedure.h"

#define IMEI_N 14 /* TAC and serial number; a 15th digit is a check digit */

/* A meter's SIM found in a phone is stolen, whatever the colour of the phone. A profile that only
 * wants to know, and a subscription that must not be cut off, get grey: served and followed. */
static enum colour stranger(const struct sub_row *sub, const struct profile_row *p)
{
	if (sub->prio == PRIO_CRITICAL || (p && p->binding == BINDING_ALERT))
		return GREY;
	return BLACK;
}

static bool in_other_device(const struct sub_row *sub, uint64_t imei)
{
	return sub && sub->imei != 0 && !bcd_begins(imei, sub->imei);
}

void check_device(const struct home_self *self, const struct book *book, uint64_t imei,
		  uint64_t imsi, uint64_t wall_ms, struct check_result *out)
{
	uint64_t device = bcd_first(imei, IMEI_N);
	const struct equip_row *e = device ? book->equip(book->ctx, device, wall_ms / 1000) : NULL;
	const struct sub_row *sub = imsi ? book->sub(book->ctx, imsi) : NULL;
	bool known = e || (sub && sub->imei != 0 && device != 0 && bcd_begins(device, sub->imei));

	memset(out, 0, sizeof *out);
	if (device == 0) {
		out->result = RESULT_MISSING;
		return;
	}
	out->colour = e ? e->colour : WHITE;
	if (out->colour != BLACK && in_other_device(sub, device)) {
		out->bound = true;
		out->colour = (uint8_t)stranger(sub, book->profile(book->ctx, sub->profile));
	} else if (!known && !self->unknown_equipment_ok) {
		out->result = RESULT_NO_EQUIPMENT;
	}
}
