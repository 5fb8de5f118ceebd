/* TCAP (ITU-T Q.773) with its dialogue portion: fields to bytes. Errors stick in the `wr`. Pure. */
#pragma once
#include "wire/tcap.h"

/* A message being written: what is open in it. */
struct tcap_out {
	struct wr *w;
	size_t at[8];
	uint8_t n;
};

/* Begin a message: `otid` and `dtid` as its type has them, else empty. */
void tcap_start(struct tcap_out *o, struct wr *w, enum tcap_msg type, struct view otid, struct view dtid);

/* Open an element in what is open; close the innermost; close all: the message is whole. */
void tcap_open(struct tcap_out *o, enum ber_class class, uint8_t tag);
void tcap_close(struct tcap_out *o);
void tcap_end(struct tcap_out *o);

/* The dialogue portion. An AARE is of the context that was asked for, or, refusing it for good, of the one
 * that is offered in its place (TS 29.002 5.4; diagnostic: application-context-name-not-supported). */
void tcap_put_aarq(struct tcap_out *o, struct view oid);
void tcap_put_aare(struct tcap_out *o, struct view oid, bool accept);
/* Of an abort by the user of TCAP. */
void tcap_put_abrt(struct tcap_out *o);
/* p-abortCause (Q.773 table 12). */
enum tcap_cause {
	TCAP_UNKNOWN_TYPE,
	TCAP_UNKNOWN_ID,
	TCAP_BAD_FORMAT,
	TCAP_WRONG_PORTION,
	TCAP_NO_RESOURCES
};
void tcap_put_cause(struct tcap_out *o, enum tcap_cause cause);

/* The component portion, then one component in it, its parameter to be written next: the operation's
 * argument, its result (with none: tcap_put_done), an error's parameter. What was opened stays open. */
void tcap_open_components(struct tcap_out *o);
void tcap_open_invoke(struct tcap_out *o, uint8_t id, uint8_t op);
void tcap_open_result(struct tcap_out *o, uint8_t id, uint8_t op);
void tcap_put_done(struct tcap_out *o, uint8_t id);
void tcap_open_error(struct tcap_out *o, uint8_t id, uint8_t code);
/* A reject: its problem's group and number (Q.773 tables 24, 25); TCAP_OF_INVOKE is an invoke's. */
enum tcap_problem_of { TCAP_GENERAL, TCAP_OF_INVOKE, TCAP_OF_RESULT, TCAP_OF_ERROR };
enum tcap_problem { TCAP_UNKNOWN_OP = 1, TCAP_MISTYPED = 2 };
void tcap_put_reject(struct tcap_out *o, uint8_t id, enum tcap_problem_of of, uint8_t problem);
