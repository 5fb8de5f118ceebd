/* A Diameter node (RFC 6733): peers, their state machine with election and watchdog (RFC 3539),
 * requests in flight, routing and failover. Pure: the caller brings events (a connection is up, a frame
 * came, time passed) and the node answers by calling its actions, which only queue. It reads no clock
 * and no socket. One node a worker thread. */
#pragma once
#include "wire/dia.h"

struct dia_node;
struct dia_peer;

enum dia_peer_kind { DIA_PARTNER, DIA_HOME, DIA_OWN }; /* roaming partner, our HSS, our own MMEs */

enum dia_peer_state {
	DIA_CLOSED, DIA_WAIT_CONN, DIA_WAIT_CER, DIA_WAIT_CEA, DIA_OPEN, DIA_SUSPECT, DIA_CLOSING
};

#define DIA_APP_MAX 8

struct dia_node_conf {
	struct view host, realm;     /* our Origin-Host, Origin-Realm; borrowed, as all views here */
	struct view dial_host;       /* Origin-Host on connections that we dial; empty = host */
	struct view product;         /* Product-Name */
	uint32_t vendor_id;
	uint32_t apps[DIA_APP_MAX];  /* Auth-Application-Ids offered, with Vendor-Id 10415 */
	uint32_t app_n;
	uint32_t state_id;           /* Origin-State-Id: seconds since 1970 at start */
	uint32_t watchdog_ms;        /* Tw, at least 6000; jittered by +-2 s */
	uint32_t peer_max, pending_max;
	uint32_t pending_ms;         /* how long a request may wait for its answer */
};

/* A connection as the caller knows it: its number in its loop, and what is known of the other end. */
struct dia_link {
	uint32_t conn;               /* conn_id() */
	bool outbound, secure;       /* secure: TLS with a verified certificate */
	struct view address;         /* text */
	struct view local;           /* our address, text: Host-IP-Address */
	const struct view *cert_names;
	size_t cert_name_n;
};

/* What the caller decided about a peer that introduces itself. */
struct dia_admit {
	uint32_t result;             /* 2001, 3010 UNKNOWN_PEER, 5017 NO_COMMON_SECURITY ... */
	enum dia_peer_kind kind;
	uint64_t plmn;               /* of its network record; 0 for our own */
};

/* Where a forwarded request came from, kept with it until its answer. The node does not read `user`. */
#define DIA_USER 320
struct dia_pending {
	uint32_t hop_by_hop, end_to_end; /* as received from whoever asked */
	uint32_t app, code;
	uint64_t sent_ms;
	struct dia_peer *to;
	_Alignas(8) uint8_t user[DIA_USER];
};

/* What a node asks of its caller. Any but `admit` may be NULL: then nothing is done. */
struct dia_actions {
	void (*send)(void *ctx, uint32_t conn, struct view bytes);
	void (*close)(void *ctx, uint32_t conn);
	/* Dial a configured peer; its connection comes back through dia_node_up with outbound set. */
	void (*dial)(void *ctx, struct dia_peer *peer);
	/* A peer's CER (or CEA) passed its row: may it? Called before it is answered. */
	struct dia_admit (*admit)(void *ctx, const struct dia_link *link, const struct msg *ce);
	/* A peer became open, or ceased to be (closed, suspect or saying goodbye; what it owed is `lost`
	 * right after). The place of a peer that was not configured is given to another when there is no
	 * other room: keep its conn or host, not the pointer. */
	void (*peer_up)(void *ctx, struct dia_peer *peer);
	void (*peer_down)(void *ctx, struct dia_peer *peer, const char *why);
	/* An application's request, from an open peer. `m` is valid if err is OK; else the node has
	 * found the message wrong (m->culprit) but leaves the answer to dia_node_refuse, called by the
	 * caller after counting it. Base-protocol commands never come here. */
	void (*request)(void *ctx, struct dia_peer *from, const struct msg *m,
			const struct dia_header *h, struct view raw, enum err err);
	/* An answer to this request came, and is not read yet: time to fetch what it will need. May
	 * be called in vain. */
	void (*ahead)(void *ctx, const struct dia_pending *p);
	/* An answer, matched to its request; the pending is released when this returns. */
	void (*answer)(void *ctx, struct dia_peer *from, const struct msg *m,
		       const struct dia_header *h, struct view raw, enum err err, struct dia_pending *p);
	/* No answer will come: the peer went away or time ran out. Released when this returns. The caller
	 * may send it elsewhere (failover, RFC 6733 §5.5.4: T flag) if it kept the bytes, or answer 3002. */
	void (*lost)(void *ctx, struct dia_pending *p, const char *why);
};

struct dia_node *dia_node_new(const struct dia_node_conf *conf, const struct dia_actions *act, void *ctx);
void dia_node_free(struct dia_node *n);
/* How strictly requests and answers are parsed: DIA_END for an end point, DIA_RELAY for the edge. */
void dia_node_strict(struct dia_node *n, enum dia_strict strict);

/* A peer we dial: host may be empty (learned from its CEA). Dialled at once and again (jittered, backing
 * off to 30 s) whenever it is down. NULL: out of room. */
struct dia_peer *dia_node_peer(struct dia_node *n, enum dia_peer_kind kind, struct view host, void *user);
void dia_node_peer_remove(struct dia_node *n, struct dia_peer *p);

/* Events. `now` is monotonic milliseconds. Messages of the batch share `mem`, which the caller resets. */
void dia_node_up(struct dia_node *n, const struct dia_link *link, struct dia_peer *dialled, uint64_t now);
void dia_node_frame(struct dia_node *n, uint32_t conn, struct view frame, struct arena *mem, uint64_t now);
void dia_node_down(struct dia_node *n, uint32_t conn, const char *why, uint64_t now);
void dia_node_dial_failed(struct dia_node *n, struct dia_peer *p, const char *why, uint64_t now);
void dia_node_tick(struct dia_node *n, uint64_t now); /* every 100 ms */
/* DPR to every open peer (Disconnect-Cause), close after the DPA or 1 s. True when all are closed. */
bool dia_node_stop(struct dia_node *n, uint32_t disconnect_cause, uint64_t now);

/* Send a request to a peer: `w` holds a finished message; the node writes a hop-by-hop of its own over
 * it, keeps `p` (copied) until the answer. ERR_FULL: too many in flight. ERR_NOT_FOUND: peer not open. */
enum err MUST_USE dia_node_request(struct dia_node *n, struct dia_peer *to, struct wr *w,
				   const struct dia_pending *p, uint64_t now);
/* An End-to-End Identifier for a request of our own (RFC 6733 §3), and how many requests wait. */
uint32_t dia_node_end_to_end(struct dia_node *n);
uint32_t dia_node_in_flight(const struct dia_node *n);
/* Send a finished answer, or any bytes, to an open peer. */
void dia_node_send(struct dia_node *n, struct dia_peer *to, struct view bytes);
/* The answer to a request that is wrong by itself: right code, E bit for 3xxx, Failed-AVP, Error-Message,
 * Proxy-Info copied. Written into `w`. Also the way to refuse with a bare Result-Code. */
void dia_refuse(struct wr *w, const struct dia_node_conf *me, const struct msg *m,
		const struct dia_header *h, struct view raw, enum err err, uint32_t result);

/* Peers, for routing and for people. */
struct dia_peer *dia_node_peer_of_conn(struct dia_node *n, uint32_t conn);
struct dia_peer *dia_node_peer_of_host(struct dia_node *n, struct view host); /* open ones only */
struct dia_peer *dia_node_peer_next(struct dia_node *n, struct dia_peer *after); /* NULL to begin */

struct dia_peer_info {
	struct view host, realm;      /* of its CER or CEA */
	enum dia_peer_kind kind;
	enum dia_peer_state state;
	uint64_t plmn, since_ms;
	uint32_t conn, in_flight;
	bool secure, relay;           /* relay: offered application 0xffffffff */
	bool doic;                    /* has sent OC-Supported-Features */
	uint32_t apps[DIA_APP_MAX], app_n;
	uint64_t load;                /* its last Load-Value (RFC 8583), 0..65535; UINT64_MAX = none */
	void *user;                   /* of dia_node_peer */
};
const struct dia_peer_info *dia_peer_info(const struct dia_peer *p);

/* Choose among open peers of `kind` that speak `app`: the named host if open, else the least loaded
 * (Load, in flight), never `not_this`. NULL: none (answer 3002). */
struct dia_peer *dia_node_route(struct dia_node *n, enum dia_peer_kind kind, uint32_t app,
				struct view dest_host, const struct dia_peer *not_this);

/* The same choice among these peers alone, whatever their kind; closed ones are passed over. */
struct dia_peer *dia_node_choose(struct dia_node *n, struct dia_peer *const *among, size_t count,
				 uint32_t app, const struct dia_peer *not_this);

/* Our own host in a Route-Record (RFC 6733 §6.1.7): answer 3005 LOOP_DETECTED. */
bool dia_looped(const struct dia_node_conf *me, const struct msg *m);

/* Duplicate detection (RFC 6733 §5.5.4, §6.2): true if (Origin-Host, End-to-End Id) of a request with the
 * T flag was seen in the last 4 minutes. Fixed size, lossy. The fingerprint is asked for first: where it is
 * kept is on its way from memory while the caller does something else. */
uint64_t dia_node_print(const struct dia_node *n, struct view origin_host, const struct dia_header *h);
bool dia_node_duplicate(struct dia_node *n, uint64_t print, const struct dia_header *h, uint64_t now);
