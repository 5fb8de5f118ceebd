/* BER (X.690): cut off the next element. What TCAP and MAP have in common; rows give class and tag
 * number, so a tag of any length is one number. Pure. */
#pragma once
#include "wire/tab.h"

enum ber_class { BER_UNIVERSAL, BER_APPLICATION, BER_CONTEXT, BER_PRIVATE };

/* Universal tags that rows name. */
enum ber_tag {
	BER_INTEGER = 2,
	BER_OCTETS = 4,
	BER_NULL = 5,
	BER_OID = 6,
	BER_EXTERNAL = 8,
	BER_ENUM = 10,
	BER_SEQUENCE = 16,
};

/* Flags of a slot. */
enum ber_flag {
	BER_CONSTRUCTED = 1,
	BER_INDEFINITE = 2,
	BER_LONGER = 4, /* tag or length take more octets than they need */
};

/* The `take` of a BER protocol: slot.tag is the tag number, slot.space the class, slot.whole the
 * element with its header and, if its length is indefinite, its end of contents. ERR_HEADER: no tag
 * (end of contents where none is due, leading zeros, above 2^28); ERR_LENGTH: a primitive without a
 * length, or a length above 4 octets; ERR_AVP_FLAGS: a string or number in pieces. */
void ber_take(struct slot *s, struct rd *r, const struct field *expected);

/* An INTEGER or ENUMERATED of at most 4 octets, as it is: two's complement; 0 if it has none. */
int32_t ber_int(struct view v);

/* Write an element's header, definite and as short as can be; `tag` below 128. */
void ber_put_head(struct wr *w, enum ber_class class, bool constructed, uint8_t tag, size_t n);
void ber_put(struct wr *w, enum ber_class class, uint8_t tag, struct view value); /* primitive */
/* An INTEGER or ENUMERATED, whatever its tag, as short as can be. */
void ber_put_int(struct wr *w, enum ber_class class, uint8_t tag, uint32_t x);

/* A constructed element whose contents are written next: where they start, for ber_close, which moves them
 * behind their length if that takes more than an octet. ERR_FULL above 64 KB. */
size_t ber_open(struct wr *w, enum ber_class class, uint8_t tag);
void ber_close(struct wr *w, size_t start);
