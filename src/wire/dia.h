/* Diameter: bytes to fields and back (RFC 6733). What it knows is in dia.tab: AVPs, commands, the
 * values allowed; what a peer hears of an error is in dia_err.tab. Pure. */
#pragma once
#include "wire/tab.h"

#define DIA_FLAG_REQUEST    0x80
#define DIA_FLAG_PROXIABLE  0x40
#define DIA_FLAG_ERROR      0x20
#define DIA_FLAG_RETRANSMIT 0x10
#define DIA_HEADER          20

#define DIA_APP_BASE  0
#define DIA_APP_S6A   16777251
#define DIA_APP_S13   16777252
#define DIA_APP_ZN    16777220
#define DIA_APP_SWX   16777265
#define DIA_APP_RELAY 0xffffffff
#define VENDOR_3GPP   10415

#define DIA_FRAME_MAX 65536 /* what the nodes accept; the header could say 16 MiB */

enum dia_field {
	AVP_NONE,
#define TAB "wire/dia.tab"
#include "wire/tab_enum.inc"
#undef TAB
};

/* The commands, in the order of dia.tab: shape->id. */
enum dia_msg {
	DIA_MSG_NONE,
#define TAB "wire/dia.tab"
#include "wire/tab_msg_enum.inc"
#undef TAB
};

/* The rows of dia.tab: names for people, and messages for tests to make. */
extern const struct proto dia_proto;

struct dia_header {
	uint8_t flags;
	uint32_t code, app, hop_by_hop, end_to_end;
};

/* How strictly to hold a message against its row. An end point refuses what the row does not know
 * or allow. A relay keeps and forwards what it need not understand: unknown M-bit AVPs, commands
 * without a row (shape NULL: only slots), and whatever is in AVPs that the message's row does not
 * name (slot->opaque); what it reads must still be in range, and there once. */
enum dia_strict { DIA_END, DIA_RELAY };

/* Framing for loop/: length of the message at `in`; 0 = need more; SIZE_MAX = no Diameter (version
 * not 1, length < 20, not a multiple of 4, above DIA_FRAME_MAX). */
size_t dia_frame(struct view in);

/* Parse a whole frame. On an error `m->culprit` and `m->bad` serve Failed-AVP: the AVP to blame as
 * received; for a missing one, or one that could not be cut, made with its minimum length of zeros
 * (RFC 6733 7.5); empty if none is to blame. `h` is filled whenever 20 bytes were there, and then
 * Session-Id, Origin-Host and Proxy-Info can be looked up, unjudged, as far as they could be cut.
 * Limits: SLOTS_MAX AVPs in all, DEPTH_MAX deep; beyond: ERR_FULL (5012 for this message).
 * Borrows `raw` and `mem` for the life of `m`; `m` itself must stay where it is. */
enum err MUST_USE dia_parse(struct msg *m, struct dia_header *h, struct view raw,
			    enum dia_strict strict, struct arena *mem);

uint32_t dia_u32(struct view v); /* 0 if it is not 4 bytes */
uint64_t dia_u64(struct view v); /* 0 if it is not 8 bytes */

/* The Result-Code for an error (dia_err.tab), 5012 for those that have none of their own. */
uint32_t dia_result(enum err e);

/* Write messages. Errors stick in `w`, so a handler may put everything and look once. `w` may
 * already hold earlier messages: dia_begin returns where this one starts, dia_end needs it. V and M
 * are set as the row says. */
size_t dia_begin(struct wr *w, const struct dia_header *h);
void dia_end(struct wr *w, size_t start);
size_t dia_open(struct wr *w, uint16_t avp); /* a group */
void dia_close(struct wr *w, size_t start);
void dia_put(struct wr *w, uint16_t avp, struct view v);
void dia_put_text(struct wr *w, uint16_t avp, const char *text);
void dia_put_u32(struct wr *w, uint16_t avp, uint32_t x);
void dia_put_u64(struct wr *w, uint16_t avp, uint64_t x);
void dia_copy(struct wr *w, const struct slot *s); /* as received, with its padding */

/* Write over the hop-by-hop identifier of a finished message. */
void dia_set_hop_by_hop(uint8_t *message, uint32_t id);
