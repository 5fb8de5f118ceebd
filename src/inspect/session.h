/* The session table: who is behind a tunnel, and behind the address of a device. It is learned from GTP-C
 * (inspect/gtpc.h) and asked for each user packet. One writer at a time, any number of readers, who take no
 * lock and never block. Its memory is fixed when it is made. Addresses are views of 4 or 16 octets. */
#pragma once
#include "base/bcd.h"
#include "base/hash.h"

#define SESSION_APN 64 /* room for an APN's text and a NUL */
#define SESSION_TUNNELS 4 /* tunnels and addresses of a session that there is room for, in the mean */

enum session_plane { PLANE_CONTROL, PLANE_USER, PLANE_DEVICE };

/* One PDN connection or PDP context. 96 octets, copied out to readers. */
struct session {
	uint64_t imsi, msisdn, imei; /* 0: not said */
	uint64_t visited;            /* network that serves it */
	uint32_t tenant, profile;    /* of the subscription when it was made; 0: not ours */
	uint32_t id, life;           /* id < sessions_max(), for tables beside this one; a session that later
					has the same id has another life */
	uint8_t ue6[16], ue4[4];     /* of the device; ue6: its prefix of /64 */
	uint8_t has4, has6;
	uint8_t prio, pdn_type;      /* enum prio; 1 IPv4, 2 IPv6, 3 IPv4v6, 4 non-IP (TS 29.274 8.34) */
	uint8_t rat, version;        /* enum rat; 1 or 2: of GTP */
	uint8_t ebi, qci;            /* of the default bearer; GTPv1: NSAPI, 0 */
	uint8_t home;                /* our subscriber, or at least anchored at a gateway of ours */
	uint8_t target;              /* 1 + number of the gateway's admission; 0: none */
	uint16_t near, far;          /* nodes, by sessions_node(): visited, gateway; 0: not known */
	uint16_t near_life, far_life;
	uint32_t born_s;
	uint16_t spare;
};

/* What a tunnel's end says of a packet that is sent to it. */
struct session_hit {
	struct session is;
	uint8_t up;       /* from the device: the tunnel ends at the gateway */
	uint8_t ebi, qci; /* of its bearer */
};

struct sessions;

/* Room for `max` sessions (at most 2^24); NULL without memory. `idle_s`: a session of which nothing was
 * seen for so long is forgotten; 0: never, until there is no room. The key is copied. */
struct sessions *sessions_new(size_t max, uint32_t idle_s, const uint8_t key[HASH_KEY]);
/* The same in a file that outlives the process: what another sessions_map of this size and key left there
 * is there again, unless it ended in the middle of a change. The file is not needed any more once it is
 * mapped. */
struct sessions *sessions_map(int fd, size_t max, uint32_t idle_s, const uint8_t key[HASH_KEY]);
void sessions_free(struct sessions *s);
uint32_t sessions_max(const struct sessions *s);
size_t sessions_bytes(const struct sessions *s); /* memory, all of it */
size_t sessions_n(const struct sessions *s);     /* sessions held, dead ones that were not yet met included */

/* --- readers: any thread ---------------------------------------------------------------------------- */

/* The session that a packet to (address, TEID) belongs to. False: an unknown tunnel. A hit counts as a sign
 * of life. A session ends for readers when it is closed, or when one of its nodes was started again. */
bool sessions_tunnel(struct sessions *s, enum session_plane plane, struct view address, uint32_t teid,
		     uint32_t now_s, struct session_hit *out);

/* For batches: bring near what sessions_tunnel and then the SIM's own memory will read, in three steps for
 * each of several packets, so that none waits for another. Changes nothing. `id`, of the last: SESSION_NONE
 * or the session's id. */
#define SESSION_NONE UINT32_MAX
struct session_ahead {
	uint32_t bucket, cell, id;
};
void sessions_ahead(const struct sessions *s, enum session_plane plane, struct view address, uint32_t teid,
		    struct session_ahead *a);
void sessions_ahead_cell(const struct sessions *s, struct session_ahead *a);
void sessions_ahead_row(const struct sessions *s, struct session_ahead *a);

/* The session of a device's address: IPv4, or any address in its IPv6 prefix. Where address spaces of APNs
 * overlap, the one that was made last. */
bool sessions_device(struct sessions *s, struct view address, uint32_t now_s, struct session *out);

/* The same without a sign of life; `seen_s`: when the last was. For the writer. */
bool sessions_look(const struct sessions *s, enum session_plane plane, struct view address, uint32_t teid,
		   struct session_hit *out, uint32_t *seen_s);
/* The session that has this id now, whichever it is. */
bool sessions_peek(const struct sessions *s, uint32_t id, struct session *out);

/* By its id, if it still lives that life; and its APN. */
bool sessions_get(const struct sessions *s, uint32_t id, uint32_t life, struct session *out);
bool sessions_apn(const struct sessions *s, uint32_t id, uint32_t life, char apn[SESSION_APN]);

/* --- the writer -------------------------------------------------------------------------------------- */

/* The node with this address; 0 without room. Nodes that sessions hold on to stay. */
uint16_t sessions_node(struct sessions *s, struct view address, uint32_t now_s);

/* A node told its restart counter (TS 23.007 §18): a higher one than before, modulo 256, ends its
 * sessions. A lower one is a message that was overtaken, and says nothing. True: it was started again. */
bool sessions_restart(struct sessions *s, uint16_t node, uint8_t counter);

/* Take in a session; id, life and the nodes' lives are filled in. `apn` borrows. ERR_FULL: all that there is
 * room for were alive within the last minute. */
enum err MUST_USE sessions_open(struct sessions *s, struct session *is, struct view apn, uint32_t now_s);

/* The session is now so: places, radio, addresses of the device. Its IMSI stays. */
void sessions_change(struct sessions *s, const struct session *is);

/* A tunnel's end: in place of the session's other of the same plane, direction and bearer. What another
 * session held is taken from it. */
struct session_end {
	enum session_plane plane;
	struct view address;
	uint32_t teid;
	uint8_t up, ebi, qci;
};
void sessions_end_at(struct sessions *s, uint32_t id, const struct session_end *at);

void sessions_close(struct sessions *s, uint32_t id);
void sessions_close_bearer(struct sessions *s, uint32_t id, uint8_t ebi);

/* The ids of a SIM's sessions; returns how many, `max` at most are told. */
size_t sessions_of_sim(struct sessions *s, uint64_t imsi, uint32_t *id, size_t max);

/* Look at a few sessions, and forget which are dead or idle: call it now and then. */
void sessions_sweep(struct sessions *s, uint32_t now_s, size_t n);
