/* What the files of the HLR share. */
#pragma once
#include "home/hlr.h"
#include "home/hlr_talk.h"
#include "home/worker.h"
#include "node/sccp_join.h"
#include "wire/map_put.h"
#include "wire/sccp.h"
#include "wire/tcap_put.h"

enum hlr_error {
	HLR_UNKNOWN_SUBSCRIBER = 1,
	HLR_ABSENT_SM = 6,
	HLR_ROAMING = 8,
	HLR_NO_TELESERVICE = 11,
	HLR_CALL_BARRED = 13,
	HLR_ILLEGAL_SS = 16,
	HLR_FACILITY = 21,
	HLR_ABSENT = 27,
	HLR_DELIVERY = 32,
	HLR_LIST_FULL = 33,
	HLR_SYSTEM_FAILURE = 34,
	HLR_DATA_MISSING = 35,
	HLR_UNEXPECTED = 36,
	HLR_UNIDENTIFIED = 5
};
/* An error with a cause in its parameter. */
#define HLR_CAUSED(error, cause) ((error) | ((cause) + 1) << 8)

enum hlr_op { HLR_OP_CANCEL = 3, HLR_OP_INSERT = 7, HLR_OP_DELETE = 8, HLR_OP_RESET = 37 };
enum hlr_context { HLR_AC_CANCEL = 2, HLR_AC_RESET = 10, HLR_AC_DATA = 16 };

enum hlr_label {
	HLR_LABEL_SAI, HLR_LABEL_UL, HLR_LABEL_UGL, HLR_LABEL_RESTORE, HLR_LABEL_PURGE, HLR_LABEL_IMEI,
	HLR_LABEL_SMS, HLR_LABEL_USSD, HLR_LABEL_REPORT, HLR_LABEL_OTHER
};
enum hlr_sent { HLR_SENT_ISD, HLR_SENT_DSD, HLR_SENT_CL, HLR_SENT_RESET };
enum hlr_drop {
	HLR_DROP_SCCP, HLR_DROP_TCAP, HLR_DROP_ADDRESS, HLR_DROP_UNMATCHED, HLR_DROP_FULL, HLR_DROP_LATE,
	HLR_DROP_SEGMENT, HLR_DROP_UNSENT
};

/* One of the links: a listener, or what we dial. */
struct hlr_end {
	struct home_worker *w;
	uint32_t conn;	  /* dialled; 0: none */
	uint64_t dial_ms; /* not before */
	uint8_t index;
};

struct hlr {
	const struct hlr_conf *conf;
	struct hlr_talks *talks;
	struct sccp_join *join;
	struct m3ua_node *m3ua; /* NULL: in tests that have no link */
	/* Send one SCCP message; the way is `to`. */
	void (*send)(struct home_worker *w, const struct hlr_route *to, struct view sccp);
	uint32_t reference; /* of messages in segments */
	struct hlr_end end[HLR_LINK_MAX];
	bool leaving;
	uint8_t sccp[SCCP_SEGMENT_ROOM + 64];
};

/* --- hlr_hear.c: one TCAP message, as far as an HLR reads it. Pure --- */
struct hlr_heard {
	struct msg tcap, arg;
	uint16_t type;	   /* enum tcap_msg */
	struct view otid, dtid;
	struct view oid;   /* of the context named; empty: no dialogue portion */
	uint16_t pdu;	   /* TCAP_AARQ, TCAP_AARE, TCAP_ABRT; 0: no dialogue portion */
	bool refused;	   /* an AARE that refuses */
	uint8_t context, version; /* version 1, context 0: no dialogue portion; 0, 0: not MAP's */
	uint16_t component; /* of the first: TCAP_INVOKE .. TCAP_REJECT; 0: none */
	uint16_t component_n;
	uint8_t invoke;
	uint8_t op;	    /* of an invoke or result; HLR_NO_OP: none, or no local one */
	uint8_t code;	    /* of an error */
	struct view parameter; /* the whole element; empty: none */
};
#define HLR_NO_OP 255
/* ERR_OK, or what is wrong with the message; its identifiers are there as far as they could be read.
 * Borrows. */
enum err MUST_USE hlr_hear(struct hlr_heard *h, struct view tcap, struct arena *mem);
/* Parse the argument of an invoke into h->arg. */
enum err MUST_USE hlr_hear_argument(struct hlr_heard *h, struct arena *mem);
/* The IMSI that the dialogue is about by its map-open (TS 29.002 17.4); 0: none. */
uint64_t hlr_destination(const struct hlr_heard *h, struct arena *mem);

/* --- hlr_message.c: what is asked, and what is answered. Pure --- */

/* What an answer must repeat: the other end's identifier, the context it named, its request. */
struct hlr_head {
	struct view dtid, otid; /* otid: ours, when the dialogue goes on */
	struct view oid;	/* to be accepted; empty: no dialogue portion */
	uint8_t version, invoke, op;
};

struct hlr_serve {
	uint8_t op, context, from, to;
	uint8_t label;
};
extern const struct hlr_serve hlr_serves[];
extern const size_t hlr_serve_n;
/* The row of an operation in a context; context 0 (version 1): of the operation. NULL: none. */
const struct hlr_serve *hlr_serve_of(uint8_t op, uint8_t context);
/* The version that is offered for a context which is not served in this one; 0: the context is not at all, or
 * is in that. */
uint8_t hlr_offer(uint8_t context, uint8_t version);
/* Is a context served in that version? */
bool hlr_context_served(uint8_t context, uint8_t version);

bool hlr_sai_read(const struct hlr_heard *h, struct auth_request *q, uint8_t ssn, uint8_t resync[30]);
/* What registers. False: something is missing or no number. */
struct hlr_asks {
	uint64_t imsi, imei, node, msc;
	uint16_t rats;
	uint8_t kind; /* REG_SGSN, REG_VLR */
};
bool hlr_update_read(const struct hlr_heard *h, struct hlr_asks *q);
uint64_t hlr_purge_read(const struct hlr_heard *h, uint8_t *kind, uint64_t *node); /* the IMSI */
uint64_t hlr_imei_read(const struct hlr_heard *h);

uint16_t hlr_error_of(enum result result, uint8_t op);

/* Whole messages into `w`. */
void hlr_error_write(struct wr *w, const struct hlr_head *h, uint16_t error);
void hlr_reject_write(struct wr *w, const struct hlr_head *h, uint8_t problem);
void hlr_abort_write(struct wr *w, struct view dtid, enum tcap_cause cause);
/* Refuse a dialogue: another version of its context is offered (0: none). */
void hlr_offer_write(struct wr *w, const struct hlr_head *h, uint8_t context, uint8_t version);
void hlr_done_write(struct wr *w, const struct hlr_head *h); /* a result without a parameter */
void hlr_accept_write(struct wr *w, const struct hlr_head *h); /* the dialogue goes on: go ahead */
void hlr_close_write(struct wr *w, struct view dtid); /* it is over */
/* Of `r` as many vectors as fit `room` octets; false: none. `r` says how many then. */
bool hlr_sai_write(struct wr *w, const struct hlr_head *h, struct auth_result *r, size_t room);
void hlr_updated_write(struct wr *w, const struct hlr_head *h, uint64_t hlr_number);
void hlr_purged_write(struct wr *w, const struct hlr_head *h, uint32_t freeze);
void hlr_imei_write(struct wr *w, const struct hlr_head *h, uint8_t colour);
void hlr_route_sm_write(struct wr *w, const struct hlr_head *h, uint64_t imsi, uint64_t node, bool sgsn);

/* --- hlr_data.c: subscriber data. Pure --- */
struct hlr_data {
	const struct home_rows *rows;
	uint8_t kind, version;
	bool named; /* the IMSI is in it: no dialogue says who it is */
};
/* The argument of an insertSubscriberData: of the profile what stands from part `from` on (1: all from the
 * first; 2 and on: contexts) and fits. The part that comes next; 0: it was the last. */
uint8_t hlr_isd_put(struct wr *w, const struct hlr_data *d, uint8_t from);
/* Of a deleteSubscriberData: contexts that were withdrawn, services that the profile has not. False: there is
 * nothing to delete. */
bool hlr_dsd_put(struct wr *w, const struct hlr_data *d, const struct s6a_deletion *gone);
/* Does the node's answer to an insertSubscriberData name a bar of the profile that it cannot carry out? */
bool hlr_bar_refused(struct view result, uint32_t odb);
void hlr_cancel_put(struct wr *w, uint64_t imsi, enum cancellation type, uint8_t version);

/* --- a node's name in the registration: NODE_MAP and its number; the realm is the MSC's number --- */
void hlr_node_name(char host[REG_HOST], uint64_t number);
uint64_t hlr_node_number(const struct reg_node *n);
#define HLR_FEATURES(version) ((uint64_t)0x1ff | (uint64_t)(version) << 60) /* it carries out every bar */
static inline uint8_t hlr_node_version(const struct reg_node *n)
{
	return (uint8_t)(n->features >> 60);
}

/* --- hlr_answer.c --- */
/* One request being answered. */
struct hlr_asked {
	struct home_worker *w;
	const struct hlr_serve *row;
	const struct hlr_route *route;
	const struct hlr_heard *heard;
	struct hlr_head head;
	uint8_t ssn;	     /* who asks, by its address; 0: not said */
	uint64_t peer;	     /* its number; 0: none */
	uint64_t imsi;
	struct hlr_talk *talk; /* the dialogue it came in, if that was open; NULL: it began one */
	struct arena *mem;
};
/* Send a TCAP message; wiped. */
void hlr_post(struct home_worker *w, const struct hlr_route *to);
size_t hlr_room(const struct hlr_route *to); /* octets of TCAP that reach it in one piece, or in segments */
void hlr_begin(struct home_worker *w);	       /* w->out is empty */
void hlr_refuse(const struct hlr_asked *q, uint16_t error);
bool hlr_refused(const struct hlr_asked *q, enum result result);
void hlr_keep(const struct hlr_asked *q, const struct reg_row *reg, const struct cancel *cancel,
	      size_t cancel_n);
void hlr_send(const struct hlr_asked *q); /* what is in w->out, at once */
void hlr_end(const struct hlr_asked *q);  /* the dialogue it came in, if any, is over */
void hlr_drop(enum hlr_drop why);
uint64_t hlr_visited(struct home_worker *w, uint64_t number); /* the network of a number; 0: nobody's */
/* A network that nobody knows is none of those that the profile names. */
bool hlr_nowhere(const struct home_rows *rows, uint64_t plmn);

/* --- hlr_dialogue.c --- */
void hlr_take(struct home_worker *w, const struct hlr_route *by, struct view sccp); /* from a link */
void hlr_tick_dialogues(struct home_worker *w);

/* --- the handlers of hlr_serve.tab --- */
#define HLR_SERVE(id, op, context, from, to, handler, label) void handler(struct hlr_asked *q);
#include "home/hlr_serve.tab"
#undef HLR_SERVE

/* --- hlr_sms.c: may a device with this profile send that (an SMS-SUBMIT: .c, R-5.1.e)? Pure --- */
enum hlr_sms { HLR_SMS_OK, HLR_SMS_NO_SERVICE, HLR_SMS_UNLISTED };
enum hlr_sms hlr_sms_allowed(const struct profile_row *p, struct view tpdu);

/* --- hlr_update.c: the rest of an update, when its data were answered, or not --- */
void hlr_update_goes_on(struct home_worker *w, struct hlr_talk *t, const struct hlr_heard *h);
void hlr_update_lost(struct home_worker *w, struct hlr_talk *t);

/* --- hlr_send.c --- */
void hlr_sent_answered(struct home_worker *w, struct hlr_talk *t, const struct hlr_heard *h);
void hlr_sent_lost(struct home_worker *w, struct hlr_talk *t);
