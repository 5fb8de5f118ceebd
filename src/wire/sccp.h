/* SCCP, connectionless (ITU-T Q.713): bytes to fields and back. Parameters and messages are in sccp.tab.
 * Pure. */
#pragma once
#include "wire/tab.h"

enum sccp_field {
	SCCP_NONE,
#define TAB "wire/sccp.tab"
#include "wire/tab_enum.inc"
#undef TAB
};

enum sccp_msg {
	SCCP_MSG_NONE,
#define TAB "wire/sccp.tab"
#include "wire/tab_msg_enum.inc"
#undef TAB
};

/* Subsystem numbers that MAP is found at (TS 23.003, Q.713 3.4.2.2). */
enum sccp_ssn {
	SSN_HLR = 6, SSN_VLR = 7, SSN_MSC = 8, SSN_EIR = 9, SSN_AUC = 10, SSN_GMLC = 145, SSN_CAP = 146,
	SSN_SCF = 147, SSN_SGSN = 149, SSN_GGSN = 150
};

enum sccp_plan { PLAN_E164 = 1, PLAN_E212 = 6, PLAN_E214 = 7 };

/* A party address (Q.713 3.4). */
struct sccp_address {
	bool by_ssn;          /* routed on its point code and subsystem, not on its title */
	bool has_pc, has_ssn;
	uint8_t title;        /* global title indicator, 0 (none) .. 4 */
	uint8_t ssn, translation, plan, nature; /* 0: that kind of title does not say */
	uint16_t pc;
	uint8_t digit_n;
	uint8_t digits[32];   /* ASCII; a digit above 9 is a letter a..f */
};

/* Parse a message of 6 kinds; connections (CR, DT1 ...) are ERR_UNKNOWN_CMD. Pointers that lead outside,
 * or parameters that end there, are ERR_SHORT. Fields are slots of `m` as of any table; borrows `raw` and
 * `mem` for the life of `m`. */
enum err MUST_USE sccp_parse(struct msg *m, struct view raw, struct arena *mem);

/* Read an address. ERR_VALUE: a title of a kind that Q.713 does not define. */
enum err MUST_USE sccp_address(struct sccp_address *a, struct view v);

/* Segmentation (Q.713 3.17). */
struct sccp_segment {
	bool first, in_sequence;
	uint8_t left;       /* segments that follow */
	uint32_t reference; /* 24 bits */
};
struct sccp_segment sccp_segment(struct view v);

/* Write a UDT, class 0 without return; up to 254 octets a parameter. Errors stick in `w`. */
void sccp_put_udt(struct wr *w, struct view called, struct view calling, struct view data);
/* The same of any class, and a UDTS with its cause (Q.713 3.12). */
void sccp_put_udt_class(struct wr *w, uint8_t class, struct view called, struct view calling,
			struct view data);
void sccp_put_udts(struct wr *w, uint8_t cause, struct view called, struct view calling, struct view data);

/* Write one XUDT of a message in segments (Q.713 4.18): `left` of them follow. Addresses and data together
 * have SCCP_SEGMENT_ROOM octets, for a pointer is one octet. */
#define SCCP_SEGMENT_ROOM 251
struct sccp_put {
	uint8_t class, hops;
	struct view called, calling, data;
	bool first;
	uint8_t left;
	uint32_t reference;
};
void sccp_put_segment(struct wr *w, const struct sccp_put *x);

/* An address with a global title of kind 4, routed on it, and a subsystem; digits as ASCII. E.164,
 * international, TT 0. */
void sccp_put_title(struct wr *w, uint8_t ssn, struct view digits);
