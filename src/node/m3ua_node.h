/* An M3UA node (RFC 4666): links (SCTP associations) and the application servers whose traffic they carry.
 * Pure: the caller brings events (a link is up, a message came, time passed) and the node answers by calling
 * its actions, which only queue. It reads no clock and no socket; `now` is monotonic milliseconds.
 *
 * To an M3UA user it is: send this SCCP payload with OPC and DPC by that server, receive such. */
#pragma once
#include "wire/m3ua.h"

/* Ours towards the other end. An SGP answers ASPUP and ASPAC and tells of point codes; an ASP asks; of two
 * IPSPs (single exchange) the one that dialled asks. */
enum m3ua_role { M3UA_SGP, M3UA_ASP, M3UA_IPSP };

enum m3ua_mode { M3UA_OVERRIDE = 1, M3UA_LOADSHARE = 2, M3UA_BROADCAST = 3 }; /* RFC 4666 3.7.1 */

/* Of a server: no link is up; up, none active; traffic flows; the last active one went (it is waited for). */
enum m3ua_state { M3UA_DOWN, M3UA_INACTIVE, M3UA_ACTIVE, M3UA_PENDING };

/* What is known of a point code at the other end. */
enum m3ua_reach { M3UA_REACHABLE, M3UA_UNREACHABLE, M3UA_CONGESTED };

#define M3UA_POINTS      8
#define M3UA_SERVER_MAX  16
#define M3UA_USER_MAX    4200 /* octets of one user message: an LUDT of 3952 and its addresses */

/* An application server (AS): traffic of one routing context with nodes at the other end. Servers of one
 * group share their links; a link belongs to a group. */
struct m3ua_server {
	uint8_t role, mode;        /* the enums above; mode 0: LOADSHARE, and not said */
	uint8_t group;
	bool has_context, has_appearance;
	uint32_t context, appearance;
	uint32_t point[M3UA_POINTS]; /* point codes behind it; 0 ends them; none: whatever others have not */
};

struct m3ua_conf {
	struct m3ua_server server[M3UA_SERVER_MAX];
	size_t server_n, link_max;
	uint32_t asp_id;           /* of ours, in ASPUP; 0: not said */
	uint32_t ack_ms;           /* T(ack): ask again after; 0: 2000 */
	uint32_t recovery_ms;      /* T(r): so long a server is waited for, its messages kept; 0: 2000 */
	uint32_t beat_ms;          /* BEAT on a link silent for so long; cut after twice that; 0: none */
};

/* What a node asks of its caller. Any but `send` may be NULL: then nothing is done. */
struct m3ua_actions {
	/* `stream` 0, or a number that one flow of messages has always (RFC 4666 1.4.7): take it modulo what
	 * the association has, but never 0. */
	void (*send)(void *ctx, uint32_t conn, struct view bytes, uint8_t stream);
	void (*close)(void *ctx, uint32_t conn, const char *why);
	/* A user message from a link that may send it. Borrowed until this returns. */
	void (*data)(void *ctx, size_t server, uint32_t conn, const struct m3ua_data *d);
	void (*state)(void *ctx, size_t server, enum m3ua_state state);
	/* DUNA, DAVA, DRST or SCON came: about all point codes that equal `point` but for `mask` low bits. */
	void (*reach)(void *ctx, size_t server, uint32_t point, uint8_t mask, enum m3ua_reach reach);
	/* DAUD came: can it be reached by us? */
	enum m3ua_reach (*audit)(void *ctx, size_t server, uint32_t point);
	/* ERR came, or was sent: RFC 4666 3.8.1's code. */
	void (*error)(void *ctx, uint32_t conn, uint32_t code, bool sent);
};

struct m3ua_node;

/* Copies conf and act. NULL: out of memory. */
struct m3ua_node *m3ua_node_new(const struct m3ua_conf *conf, const struct m3ua_actions *act, void *ctx);
void m3ua_node_free(struct m3ua_node *n);

/* Events. `mem` is reset by the caller. `outbound`: we dialled. Up: ERR_FULL when there is no room for the
 * link, which the caller should then close. */
enum err MUST_USE m3ua_node_up(struct m3ua_node *n, size_t group, uint32_t conn, bool outbound,
			       uint64_t now);
void m3ua_node_frame(struct m3ua_node *n, uint32_t conn, struct view frame, struct arena *mem,
		     uint64_t now);
void m3ua_node_down(struct m3ua_node *n, uint32_t conn, uint64_t now);
void m3ua_node_tick(struct m3ua_node *n, uint64_t now); /* every 100 ms or so */
/* Take traffic off: ASPIA and ASPDN where we ask, NTFY where we answer. The caller closes the links. */
void m3ua_node_stop(struct m3ua_node *n, uint64_t now);

/* Send a user message by a server. d->user is copied. ERR_NOT_FOUND: it has no active link, or the point
 * code was said to be unreachable; ERR_LENGTH: longer than M3UA_USER_MAX; ERR_FULL: no room to keep it for a
 * server that is waited for. */
enum err MUST_USE m3ua_node_send(struct m3ua_node *n, size_t server, const struct m3ua_data *d, uint64_t now);

/* The server behind which a point code is, among those `among` (a bit each): one that names it, else one that
 * names none; an active one first. server_n: there is none. */
size_t m3ua_node_route(const struct m3ua_node *n, uint32_t point, uint32_t among);

/* As SGP: tell the active links of a server about a point code (DAVA, DUNA, SCON). As ASP: ask (DAUD). */
void m3ua_node_tell(struct m3ua_node *n, size_t server, uint32_t point, enum m3ua_reach reach);
void m3ua_node_audit(struct m3ua_node *n, size_t server, uint32_t point);

enum m3ua_state m3ua_node_state(const struct m3ua_node *n, size_t server);
/* Is this link active for any server? */
bool m3ua_node_is_active(const struct m3ua_node *n, uint32_t conn);
