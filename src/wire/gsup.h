/* GSUP: bytes to fields and back. What it knows is in gsup.tab. Messages travel in wire/ipa.h.
 * Pure. */
#pragma once
#include "base/bcd.h"
#include "wire/tab.h"

enum gsup_field {
	GSUP_NONE,
#define TAB "wire/gsup.tab"
#include "wire/tab_enum.inc"
#undef TAB
};

/* The messages, in the order of gsup.tab: shape->id. */
enum gsup_msg {
	GSUP_MSG_NONE,
#define TAB "wire/gsup.tab"
#include "wire/tab_msg_enum.inc"
#undef TAB
};

extern const struct proto gsup_proto;

/* Of TS 24.008 10.5.5.14, those that a home register has a use for. */
enum gsup_cause {
	GSUP_CAUSE_IMSI_UNKNOWN = 2,
	GSUP_CAUSE_NO_SERVICE = 8,
	GSUP_CAUSE_PLMN = 11,
	GSUP_CAUSE_ROAMING = 13,
	GSUP_CAUSE_NETWORK = 17,
	GSUP_CAUSE_CONGESTION = 22,
	GSUP_CAUSE_BAD_FIELD = 96,
	GSUP_CAUSE_NO_SUCH_MESSAGE = 97,
};

/* Types of a message come by fours: request, error, result. */
#define GSUP_IS_REQUEST(type) (((type) & 3) == 0)
#define GSUP_ERROR_OF(type) ((uint8_t)(((type) & 0xfc) | 1))

/* Parse a message, without the IPA header. Fields without a row are passed over. `type` is filled
 * whenever an octet was there, and after an error the IMSI can be looked up, unjudged, as far as it
 * could be cut. ERR_UNKNOWN_CMD: no such row; its fields are cut all the same. Borrows `raw` and
 * `mem`. */
enum err MUST_USE gsup_parse(struct msg *m, uint8_t *type, struct view raw, struct arena *mem);

/* Write: type, IMSI, and what the caller puts. Errors stick in `w`; a field above 255 octets is
 * ERR_FULL. A whole message in its IPA header: gsup_begin returns where it starts, gsup_end needs
 * it. `type` may be one without a row (the error that answers an unknown request). `imsi` 0: none.
 */
size_t gsup_begin(struct wr *w, uint8_t type, uint64_t imsi);
void gsup_end(struct wr *w, size_t start);
size_t gsup_open(struct wr *w, uint16_t field); /* a group */
void gsup_close(struct wr *w, size_t start);
void gsup_put(struct wr *w, uint16_t field, struct view v);
void gsup_put_u8(struct wr *w, uint16_t field, uint8_t x);
void gsup_put_mark(struct wr *w, uint16_t field); /* one that says all by being there */
/* A number of a subscriber or device as GSUP has them: how many octets, then the digits, two an
 * octet. */
void gsup_put_digits(struct wr *w, uint16_t field, uint64_t digits);
/* An APN as labels (TS 23.003 9.1). */
void gsup_put_apn(struct wr *w, struct view name);

uint8_t gsup_u8(struct view v);		 /* 0 if it is not 1 octet */
uint64_t gsup_imsi(const struct msg *m); /* 0: none that is one */
uint64_t gsup_digits(struct view v);	 /* what gsup_put_digits wrote; 0: no such thing */
uint8_t gsup_type(enum gsup_msg id);
