/* What an SMS router does to MAP (TS 23.040 home routing): it hides who and where a subscriber is behind a
 * correlation identifier, and stands between the centre and the node that serves. Pure. */
#pragma once
#include "node/map_adapt.h"

/* The result of sendRoutingInfoForSM: views borrow the message. */
struct map_route {
	struct view imsi;   /* TBCD */
	struct view node;   /* AddressString */
	bool sgsn;          /* the node is an SGSN */
};

/* False: the message has no such result, or one that names nobody. */
bool map_route_of(const struct map_seen *seen, struct map_route *out);

/* Write the TCAP message again with another result: `given` (TBCD, as long as the IMSI was) and `number`, an
 * AddressString. Errors in w->err. */
void map_put_route(struct wr *w, const struct map_seen *seen, struct view given, struct view number);

/* Write the TCAP message again with other transaction identifiers, where it has such, and with `imsi` in the
 * place of the one in its first request, if it is not empty: as long as that (ERR_LENGTH). */
void map_put_again(struct wr *w, const struct map_seen *seen, struct view otid, struct view dtid,
		   struct view imsi);
