/* What the bytes of a field must look like. */
#pragma once
#include "base/bytes.h"

enum kind {
	KIND_ANY,
	BYTES,    /* anything */
	TEXT,     /* UTF-8 without control characters */
	DIGITS,   /* ASCII digits */
	IMSI,     /* 6 to 15 ASCII digits (TS 23.003 2.2) */
	TBCD,     /* digits two an octet, an odd one filled with F (TS 29.002) */
	ISDN,     /* AddressString: nature and plan, then digits as TBCD (TS 29.002 17.7.8) */
	PLMN,     /* MCC and MNC in 3 octets (TS 29.272 7.3.9) */
	IDENTITY, /* a host or realm name (RFC 6733 4.3.1) */
	ADDRESS,  /* family and address of that length (RFC 6733 4.3.1) */
	NUMBER,   /* big-endian, `among` says which */
	ENUM,     /* the same, from a list the standard closes */
	U64,
	GROUP
};

struct range {
	uint32_t from, to; /* { 1, 0 } ends a list */
};

/* Is any value of the right length one of this kind? */
static inline bool kind_any(enum kind kind, const struct range *among)
{
	return kind == KIND_ANY || kind == BYTES || kind == U64 || kind == GROUP ||
	       ((kind == NUMBER || kind == ENUM) && !among);
}

/* Is `v` what `kind` says? Its length has been checked. `among` may be NULL: any number. */
bool kind_ok(enum kind kind, const struct range *among, struct view v);
