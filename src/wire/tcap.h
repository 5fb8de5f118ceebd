/* TCAP (ITU-T Q.773): bytes to fields. What it knows is in tcap.tab. Pure. */
#pragma once
#include "wire/ber.h"

enum tcap_field {
	TCAP_NONE,
#define TAB "wire/tcap.tab"
#include "wire/tab_enum.inc"
#undef TAB
};

enum tcap_msg {
	TCAP_MSG_NONE,
#define TAB "wire/tcap.tab"
#include "wire/tab_msg_enum.inc"
#undef TAB
};

/* Parse one message; what follows it in `raw` is `*rest`, and should be nothing. ERR_UNKNOWN_APP: the
 * TCAP of ANSI (T1.114), which Merlon does not speak; ERR_UNKNOWN_CMD: no message of TCAP. Borrows
 * `raw` and `mem` for the life of `m`. */
enum err MUST_USE tcap_parse(struct msg *m, struct view raw, struct view *rest, struct arena *mem);

/* The AARQ or AARE of a message, or NULL. */
const struct slot *tcap_dialogue(const struct msg *m);
