/* What the files of the edge's SS7 share. */
#pragma once
#include "edge/inside.h"
#include "edge/ss7.h"

/* What became of an MSU: label values of M_EDGE_SS7. */
enum ss7_fate {
	SS7_RELAYED,
	SS7_REFUSED,
	SS7_MALFORMED,
	SS7_ANSI,
	SS7_NO_ROUTE,
	SS7_OTHER_USER,
	SS7_CONNECTION
};

struct ss7_row {
	struct ss7 *ss7;
	uint32_t conn;    /* dialled; 0: none */
	uint64_t dial_ms; /* not before */
	uint32_t wait_ms;
	uint8_t index, group;
};

struct ss7 {
	struct edge_worker *w;
	const struct ss7_conf *conf;
	struct m3ua_node *node;
	struct map_node *map;
	struct hold *hold;
	struct ss7_sms *sms; /* NULL: no home routing */
	struct ss7_row row[SS7_LINK_MAX];
	uint32_t side[2];   /* servers that lead home [0] and outside [1], a bit each */
	uint32_t reference; /* of the last message that we cut in segments */
	bool stopped;
	struct map_seen seen;
	uint8_t out[M3UA_USER_MAX + 64];
};

/* One message, by whom it came, and what was read of it. */
struct msu {
	struct ss7 *s;
	const struct ss7_link *by;
	size_t server;
	const struct m3ua_data *d;
	struct map_seen *seen;
};

/* The label of an answer. */
struct ss7_label {
	uint32_t opc, dpc;
	uint8_t ni, mp, sls;
};

/* ss7_sms.c: NULL: out of memory. Free with free(). True: the message was its own business. */
struct ss7_sms *ss7_sms_new(uint64_t router);
bool ss7_sms_take(const struct msu *m);

/* ss7_msu.c: a message that came by a server. */
void ss7_msu(struct ss7 *s, size_t server, const struct m3ua_data *d);
void ss7_count(enum ss7_fate fate);
struct ss7_label ss7_label_of(const struct m3ua_data *d);
/* Send a whole TCAP message (put->data) from put->calling to put->called: by a UDT where it fits and put has
 * no hops, else in segments. The label is d's. */
enum err ss7_emit(struct ss7 *s, size_t to, struct m3ua_data *d, const struct sccp_put *put);
/* A message of our own by a server with this label; and one that goes where `m` was going. */
void ss7_send_to(struct ss7 *s, size_t server, const struct ss7_label *k, const struct sccp_put *put);
void ss7_send_as(const struct msu *m, struct view called, struct view calling, struct view tcap);
void ss7_refuse(const struct msu *m, const struct map_ask *ask, const struct verdict *v);
void ss7_undelivered(const struct msu *m, enum map_return cause);
/* A refusal whose time has come. */
void ss7_send_held(void *ctx, uint32_t server, struct view kept);
void ss7_lost(void *ctx, const struct map_dialogue *d);
/* ss7_title.c: the point code of a title. False: nobody has it. */
bool ss7_translate(const struct ss7_conf *c, const struct sccp_address *a, uint32_t *point);
