/* M3UA (RFC 4666): bytes to fields and back. What it knows is in m3ua.tab. Pure. */
#pragma once
#include "wire/tab.h"

#define M3UA_HEADER    8
#define M3UA_FRAME_MAX 65536 /* far above an MSU's 272 octets, or 4 KB of a long one */

enum m3ua_service { M3UA_SCCP = 3 }; /* service indicators that we read */

enum m3ua_field {
	M3UA_NONE,
#define TAB "wire/m3ua.tab"
#include "wire/tab_enum.inc"
#undef TAB
};

enum m3ua_msg {
	M3UA_MSG_NONE,
#define TAB "wire/m3ua.tab"
#include "wire/tab_msg_enum.inc"
#undef TAB
};

/* Protocol Data (RFC 4666 3.3.1): the routing label, and what the user part said. */
struct m3ua_data {
	uint32_t opc, dpc;
	uint8_t si, ni, mp, sls;
	struct view user; /* borrows the message */
};

/* Framing: length of the message at `in`; 0 = need more; SIZE_MAX = no M3UA. */
size_t m3ua_frame(struct view in);

/* Parse a whole message. ERR_VERSION: not version 1; ERR_UNKNOWN_CMD: no such class and type. Borrows `raw`
 * and `mem` for the life of `m`. */
enum err MUST_USE m3ua_parse(struct msg *m, struct view raw, struct arena *mem);

/* The Protocol Data of a DATA message; false: it has none. */
bool m3ua_data(const struct msg *m, struct m3ua_data *out);

/* Write messages. Errors stick in `w`. m3ua_begin returns where the message starts, m3ua_end needs it. */
size_t m3ua_begin(struct wr *w, enum m3ua_msg id);
void m3ua_put(struct wr *w, enum m3ua_field field, struct view v);
void m3ua_put_u32(struct wr *w, enum m3ua_field field, uint32_t x);
void m3ua_put_data(struct wr *w, const struct m3ua_data *d);
void m3ua_end(struct wr *w, size_t start);
