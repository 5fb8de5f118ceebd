/* GTPv1-C: bytes to fields (TS 29.060). What it knows is in gtp1.tab. */
#pragma once
#include "wire/gtp.h"
#include "wire/tab.h"

#define GTP1_TLV 128 /* types from here on say their length; those before have one of their own */

enum gtp1_field {
	IE1_NONE,
#define TAB "wire/gtp1.tab"
#include "wire/tab_enum.inc"
#undef TAB
};

enum gtp1_msg {
	GTP1_MSG_NONE,
#define TAB "wire/gtp1.tab"
#include "wire/tab_msg_enum.inc"
#undef TAB
};

/* The information elements behind a header of version 1. A type that gtp1.tab has no message for is not
 * split, and m->shape is NULL. A duplicate beyond what a row allows, an unknown TV type: an error. */
enum err MUST_USE gtp1_parse(struct msg *m, const struct gtp_head *h, struct arena *mem);
