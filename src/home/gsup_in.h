/* What the files of GSUP share. */
#pragma once
#include "home/gsup_wait.h"
#include "home/worker.h"
#include "wire/gsup.h"

#define GSUP_NODES 64
#define GSUP_IDENTIFY_MS 5000

/* A connection. */
struct gsup_node {
	uint32_t conn; /* 0: the place is free */
	char host[REG_HOST]; /* NODE_GSUP and its name; "" until it has said it */
	uint64_t up_ms, heard_ms, window_ms;
	uint32_t window_n; /* requests since window_ms: a second */
	bool pinged, closing;
};

enum gsup_sent { GSUP_SENT_ISD, GSUP_SENT_DSD, GSUP_SENT_CL };

struct gsup {
	const struct gsup_conf *conf;
	struct gsup_node node[GSUP_NODES];
	struct gsup_waits *waits;
};

enum gsup_drop { DROP_SOURCE, DROP_NAME, DROP_FULL, DROP_FRAME, DROP_OVERSIZE, DROP_EARLY, DROP_IDLE,
		 DROP_MALFORMED, DROP_RATE, DROP_UNMATCHED };
void gsup_drop(enum gsup_drop why);

/* The connected node of that host; NULL: none. */
struct gsup_node *gsup_node_of(struct gsup *g, const char *host);

/* Hand what was written in w->out to a connection, and wipe it. */
void gsup_write(struct home_worker *w, uint32_t conn);

/* --- gsup_answer.c: a message of an identified node --- */
void gsup_take(struct home_worker *w, struct gsup_node *from, struct view body);
/* How a request of ours ends: done, refused for good, refused because the node does not know the subscriber,
 * or never answered. The place is given back. */
enum gsup_end { END_DONE, END_REFUSED, END_UNKNOWN, END_LOST };
void gsup_settle(struct home_worker *w, struct gsup_wait *wait, enum gsup_end end);

/* --- gsup_update.c: Update-Location, from the request to the answer --- */
struct gsup_asked {
	struct home_worker *w;
	const struct gsup_node *from;
	uint64_t imsi;
	uint8_t type; /* of the request */
	uint8_t kind; /* REG_SGSN, REG_VLR */
};
void gsup_update(const struct gsup_asked *q, uint16_t rats);
void gsup_update_told(struct home_worker *w, const struct gsup_wait *wait, enum gsup_end end);

/* Answer at once: an error with its cause; or what is in w->out, when `reg` is durable. */
void gsup_refuse(const struct gsup_asked *q, uint8_t cause);
void gsup_keep(const struct gsup_asked *q, const struct reg_row *reg, const struct cancel *cancel,
	       size_t cancel_n);
/* Count and note how a procedure ended; true: it is refused, and the node has been told. */
bool gsup_refused(const struct gsup_asked *q, enum result result);

/* --- gsup_message.c: what is asked, and what is answered. Pure --- */
uint8_t gsup_kind(const struct msg *m); /* of the domain it names; 0: it names none */
uint8_t gsup_domain(uint8_t kind);
uint8_t gsup_cause(enum result result, uint8_t kind);
uint16_t gsup_rats(const struct msg *m);
/* False: half of a re-synchronisation. `resync` is room for it. */
bool gsup_sai_read(const struct msg *m, struct auth_request *q, uint8_t resync[30]);
/* One vector of `r`. `spare`: random octets in the place of SRES and Kc where the profile has no GERAN. */
void gsup_put_tuple(struct wr *w, const struct auth_result *r, const struct aka_vector *v,
		    const uint8_t spare[16]);
void gsup_isd_write(struct wr *w, uint64_t imsi, const struct home_rows *rows, uint8_t kind);
void gsup_dsd_write(struct wr *w, uint64_t imsi, const struct s6a_deletion *d, uint8_t kind);
void gsup_cl_write(struct wr *w, uint64_t imsi, enum cancellation type, uint8_t kind);
void gsup_error_write(struct wr *w, uint8_t type, uint64_t imsi, uint8_t cause);
