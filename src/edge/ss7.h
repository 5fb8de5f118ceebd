/* SS7 of the edge: a firewall between international signalling and our HLR, MSC and SMS centre. M3UA links on
 * both sides; each message is read down to MAP, judged like any Diameter request, and relayed as it came, or
 * translated by its title where it is for our own point code. Lives on one worker. */
#pragma once
#include "base/bcd.h"
#include "loop/loop.h"
#include "node/m3ua_node.h"
#include "node/map_adapt.h"

#define SS7_LINK_MAX  8
#define SS7_TITLE_MAX 64
#define SS7_POINT_MAX 0xffffff

/* Where an association is made or waited for, and the traffic that it carries. */
struct ss7_link {
	bool outside, listens;
	uint8_t role, mode;        /* enum m3ua_role, m3ua_mode (0: not said) */
	bool has_context;
	uint32_t context;
	uint32_t point[M3UA_POINTS]; /* point codes at its other end; none: all others */
	uint64_t plmn;             /* it is this network's alone; 0: of many */
	struct endpoint at;
	char from[44];             /* listens: prefix of addresses that may connect; "" = all */
};

/* Titles that begin so are at that point code; the longest counts, "" is for all. */
struct ss7_title {
	char prefix[17];
	uint32_t point;
};

struct ss7_conf {
	struct ss7_link link[SS7_LINK_MAX];
	size_t link_n;
	uint32_t point;            /* ours: what is sent to it is translated; 0: all is relayed */
	struct ss7_title title[SS7_TITLE_MAX];
	size_t title_n;
	uint64_t sms_router;       /* our number for home routing of short messages; 0: none */
	struct map_conf map;       /* only what configuration says: plmn, category */
};

struct edge_worker;
struct ss7;

/* ERR_FULL with a line in `why`. *s is NULL when no link is configured, which all below take. */
enum err MUST_USE ss7_open(struct ss7 **s, struct edge_worker *w, const struct ss7_conf *conf, char why[256]);
/* Listen, and prepare to dial. ERR_IO with a line in `why`. */
enum err MUST_USE ss7_listen(struct ss7 *s, char why[256]);
/* Dial what is due, ask again, hand over what was held. On the worker's thread, every 16 ms. */
void ss7_tick(struct ss7 *s);
/* Every second: what has waited too long for its answer. */
void ss7_second(struct ss7 *s);
/* Take the traffic off. */
void ss7_stop(struct ss7 *s);
void ss7_free(struct ss7 *s);
