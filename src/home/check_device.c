/* May this device use the network, and with this SIM (TS 29.272 6.2.1; R-5.1.1.2.b, R-5.7.3.a)? */
#include "home/procedure.h"

#define IMEI_N 14 /* TAC and serial number; a 15th digit is a check digit */

/* A meter's SIM found in a phone is stolen, whatever the colour of the phone. A profile that only
 * wants to know, or deals with it otherwise, and a subscription that must not be cut off, get grey: the
 * device is followed, and goes on to the update, where that is done. */
static enum colour stranger(enum reaction r)
{
	return r == REACT_REFUSE || r == REACT_DETACH ? BLACK : GREY;
}

void check_device(const struct home_self *self, const struct book *book, uint64_t imei,
		  uint64_t imsi, uint64_t wall_ms, struct check_result *out)
{
	uint64_t device = bcd_first(imei, IMEI_N);
	const struct equip_row *e = device ? book->equip(book->ctx, device, wall_ms / 1000) : NULL;
	const struct sub_row *sub = imsi ? book->sub(book->ctx, imsi) : NULL;
	enum bound bound = sub ? binding_look(sub, device, sub->host ? book_host(book, device) : NULL)
			       : BOUND_FREE;
	bool known = e || bound == BOUND_OWN;

	memset(out, 0, sizeof *out);
	if (device == 0) {
		out->result = RESULT_MISSING;
		return;
	}
	out->colour = e ? e->colour : WHITE;
	if (sub && out->colour == WHITE && binding_grey(sub, wall_ms / 1000))
		out->colour = GREY;
	if (out->colour != BLACK && bound == BOUND_STRANGER) {
		out->bound = true;
		out->colour = (uint8_t)stranger(
		    binding_reaction(sub, book->profile(book->ctx, sub->profile), bound));
	} else if (!known && !self->unknown_equipment_ok) {
		out->result = RESULT_NO_EQUIPMENT;
	}
}
