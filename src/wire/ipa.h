/* The multiplex that Osmocom's network elements speak over TCP (ip.access): a length of two octets,
 * a stream, a body; and its own little protocol for identities and liveliness, CCM. Pure. */
#pragma once
#include "base/bytes.h"

#define IPA_HEAD 3
#define IPA_BODY_MAX 4096 /* of a message that we accept; the header could say 64 KiB */

enum ipa_stream { IPA_CCM = 0xfe, IPA_OSMO = 0xee };
enum ipa_osmo { IPA_OSMO_GSUP = 5 }; /* the first octet of a body of stream IPA_OSMO */

enum ipa_ccm {
	IPA_PING = 0,
	IPA_PONG = 1,
	IPA_ID_GET = 4,
	IPA_ID_RESP = 5,
	IPA_ID_ACK = 6,
};

enum ipa_tag { IPA_TAG_SERIAL = 0, IPA_TAG_UNIT_NAME = 1 }; /* of an identity */

/* Framing for loop/: length of the message at `in`; 0 = need more; SIZE_MAX = another stream, an
 * empty body, or one above IPA_BODY_MAX. */
size_t ipa_frame(struct view in);
/* May a message be longer than we accept, and else in order? Tells the two reasons of SIZE_MAX
 * apart. */
bool ipa_oversize(struct view in);

struct ipa {
	uint8_t stream;	  /* enum ipa_stream */
	uint8_t kind;	  /* enum ipa_ccm, or enum ipa_osmo */
	struct view body; /* what follows */
};

/* Take a whole frame apart. ERR_HEADER: its length or stream makes no sense. */
enum err MUST_USE ipa_parse(struct view frame, struct ipa *to);

/* The name in the body of an IPA_ID_RESP: the serial number, else the unit's name, without the NUL
 * it may end with. Empty when there is none, when it is no host name (RFC 6733 4.3.1) or above 64
 * octets, or when the body is malformed. */
#define IPA_NAME_MAX 64
struct view ipa_name(struct view body);

/* Write a message: begin, then its body, then end. */
size_t ipa_begin(struct wr *w, enum ipa_stream stream, uint8_t kind);
void ipa_end(struct wr *w, size_t start);
/* The question for those two names. */
void ipa_put_id_get(struct wr *w);
