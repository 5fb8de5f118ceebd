/* What m3ua_node.c and its neighbours share. */
#pragma once
#include "node/m3ua_node.h"

enum m3ua_error {
	M3UA_E_VERSION = 0x01, M3UA_E_CLASS = 0x03, M3UA_E_TYPE = 0x04, M3UA_E_MODE = 0x05,
	M3UA_E_UNEXPECTED = 0x06, M3UA_E_PROTOCOL = 0x07, M3UA_E_VALUE = 0x11, M3UA_E_FIELD = 0x12,
	M3UA_E_PARAMETER = 0x13, M3UA_E_UNKNOWN_POINT = 0x14, M3UA_E_APPEARANCE = 0x15,
	M3UA_E_MISSING = 0x16, M3UA_E_CONTEXT = 0x19, M3UA_E_NO_SERVER = 0x1a
};

/* Status of NTFY (RFC 4666 3.8.2): type, information. */
enum m3ua_status {
	M3UA_S_INACTIVE = 0x10002, M3UA_S_ACTIVE = 0x10003, M3UA_S_PENDING = 0x10004,
	M3UA_S_ALTERNATE = 0x20002
};

#define M3UA_GONE_MAX  64          /* point codes that are remembered as unreachable */
#define M3UA_QUEUE     (64 * 1024) /* octets kept for servers that are waited for */

struct m3ua_link {
	uint32_t conn;             /* 0: free */
	uint8_t group;
	bool asks, answers;        /* we send ASPUP here; the other may */
	bool is_up;                /* ASP-INACTIVE or more */
	bool refused;              /* another ASP is active in override mode: do not ask again */
	uint32_t active;           /* a bit for each server */
	uint64_t ask_ms;           /* when to ask next; 0: nothing to ask for */
	uint64_t heard_ms, beat_ms;
};

struct m3ua_gone {
	uint32_t point;
	uint8_t server, mask;
	bool used;
};

struct m3ua_node {
	struct m3ua_conf conf;
	struct m3ua_actions act;
	void *ctx;
	uint8_t state[M3UA_SERVER_MAX];
	uint64_t pending_ms[M3UA_SERVER_MAX]; /* until when it is waited for */
	struct m3ua_gone gone[M3UA_GONE_MAX];
	size_t gone_next;
	uint32_t correlation;
	uint8_t queue[M3UA_QUEUE];
	size_t queue_n;
	uint8_t out[M3UA_USER_MAX + 256];
	struct m3ua_link link[];
};

struct m3ua_link *m3ua_link_of(struct m3ua_node *n, uint32_t conn);
/* Servers of a link's group, a bit each. */
uint32_t m3ua_group(const struct m3ua_node *n, uint8_t group);
void m3ua_push(struct m3ua_node *n, const struct m3ua_link *l, const struct wr *w, uint8_t stream);
/* What a link's servers are now, after a change; tells who must be told. */
void m3ua_settle(struct m3ua_node *n, uint32_t servers, uint64_t now);

/* m3ua_say.c: messages of our own. */
struct wr m3ua_writer(struct m3ua_node *n);
void m3ua_say(struct m3ua_node *n, const struct m3ua_link *l, enum m3ua_msg id);
void m3ua_say_servers(struct m3ua_node *n, const struct m3ua_link *l, enum m3ua_msg id, uint32_t servers);
void m3ua_say_error(struct m3ua_node *n, const struct m3ua_link *l, uint32_t code, const struct msg *m);
void m3ua_say_status(struct m3ua_node *n, const struct m3ua_link *l, size_t server, uint32_t status);
void m3ua_say_point(struct m3ua_node *n, const struct m3ua_link *l, size_t server, enum m3ua_msg id,
		    uint32_t point, uint8_t mask);
void m3ua_say_data(struct m3ua_node *n, const struct m3ua_link *l, size_t server, const struct m3ua_data *d);

/* m3ua_take.c: a message that came. */
void m3ua_take(struct m3ua_node *n, struct m3ua_link *l, const struct msg *m, uint64_t now);
