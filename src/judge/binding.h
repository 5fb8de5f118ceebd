/* Is this SIM in the device it belongs to, and what follows if not (R-5.1.1.2.b, R-5.7.3.a)? A subscription
 * is bound to one device (IMEI), to types of device (TACs), or to a host: the product that the device is
 * built into, as it reports itself (DHIR, TS.34). What it is bound to must hold altogether. Pure. */
#pragma once
#include "judge/book.h"

enum bound {
	BOUND_FREE,     /* it is not bound */
	BOUND_OWN,      /* in the device it belongs to */
	BOUND_UNKNOWN,  /* nobody says which device, or which host, it is in: not known is not bad */
	BOUND_STRANGER, /* in another one */
};

/* `imei`: 14 digits, 0 = not said. `host`: what that device has reported, NULL = nothing. */
enum bound binding_look(const struct sub_row *sub, uint64_t imei, const struct host_row *host);

enum reaction {
	REACT_NONE,
	REACT_ALERT,      /* told, and served */
	REACT_REFUSE,
	REACT_GREYLIST,   /* a case is opened (records: hold); what it gets until it ends: profile.grey */
	REACT_QUARANTINE, /* served with the quarantine APN alone */
	REACT_DETACH,     /* refused, and withdrawn from where it is served */
	REACT_N
};

/* By the profile; a critical subscription is only told of (R-5.1.g). A quarantine without an APN for it is a
 * refusal. */
enum reaction binding_reaction(const struct sub_row *sub, const struct profile_row *p, enum bound bound);

/* Is a greylisting in force? Never for a critical subscription. */
bool binding_grey(const struct sub_row *sub, uint64_t now_s);

/* How far an identity is assured (R-3.1.j), in this order. What a profile asks for: profile.assurance. */
enum assurance {
	ASSURED_IMEI,  /* a device says who it is */
	ASSURED_SIM,   /* a SIM has proved it (AKA) */
	ASSURED_BOUND, /* and is in the device it belongs to */
	ASSURED_CERT,  /* a certificate has proved it */
};
enum assurance binding_assurance(bool authenticated, enum bound bound, bool certificate);

/* The number by which a host is known: of "maker/model", or of its unique id. 0 for an empty text. */
uint64_t binding_host(struct view text);
