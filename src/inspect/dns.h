/* DNS over UDP: the question and the addresses that answer it (RFC 1035, 3596). Pure. */
#pragma once
#include "base/bytes.h"

#define DNS_PORT 53
#define DNS_NAME 256
#define DNS_ADDRESSES 16

struct dns {
	uint16_t id, type;     /* type: asked for, 1 A, 28 AAAA */
	bool answer, ok;       /* ok: of an answer, that it is one without error */
	char name[DNS_NAME];   /* asked for, in small letters; "" = the root */
	size_t address_n;
	uint8_t address[DNS_ADDRESSES][16]; /* IPv4 as ::ffff:a.b.c.d */
	uint32_t ttl_s[DNS_ADDRESSES];      /* the least on the way from the name */
};

/* A message of one question. Addresses count that belong to the name, or to what it is an alias for, in the
 * order of the chain; others are nobody's business. ERR_SHORT, ERR_LENGTH, ERR_VALUE: no such message. */
enum err MUST_USE dns_parse(struct dns *d, struct view message);
