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
	struct ss7_row row[SS7_LINK_MAX];
	uint32_t side[2];   /* servers that lead home [0] and outside [1], a bit each */
	uint32_t reference; /* of the last message that we cut in segments */
	bool stopped;
	struct map_seen seen;
	uint8_t out[M3UA_USER_MAX + 64];
};

/* ss7_msu.c: a message that came by a server. */
void ss7_msu(struct ss7 *s, size_t server, const struct m3ua_data *d);
/* A refusal whose time has come. */
void ss7_send_held(void *ctx, uint32_t server, struct view kept);
void ss7_lost(void *ctx, const struct map_dialogue *d);
/* ss7_title.c: the point code of a title. False: nobody has it. */
bool ss7_translate(const struct ss7_conf *c, const struct sccp_address *a, uint32_t *point);
