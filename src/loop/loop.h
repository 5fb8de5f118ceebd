/* The only I/O: connections, timers, wake-ups. One loop a thread. It knows no protocol: the
 * `frame` function of a listener or connector says how long the next message is.
 *
 * Reads and writes are batched: one wake-up reads what is there, hands over every whole frame,
 * calls the batch hook, and writes each connection's output once. Nothing here allocates per
 * message (a connection's buffers grow to their bound, and stay). */
#pragma once
#include "base/bytes.h"

struct loop;
struct conn;
struct tls; /* loop/tls.h */

enum link { LINK_TCP, LINK_TLS, LINK_SCTP };

/* "tcp:127.0.0.1:3868", "tls:[::1]:5658", "sctp:10.0.0.1,10.0.1.1:3868" (multi-homed),
 * "sctp:10.0.0.1:3868?udp=9899" or "?udp=9900/9899" (in UDP: our port, the peer's),
 * "tcp:10.0.0.1:3868?from=10.0.0.9" (dialled from there); options are joined by "&". */
struct endpoint {
	uint8_t link; /* enum link */
	uint8_t address_n;
	uint16_t port;
	char address[4][48];
	uint16_t udp, udp_peer; /* SCTP in UDP (RFC 6951): our port and the peer's; 0 = plain SCTP */
	uint8_t from_n;         /* where a connection is dialled from; 0 = the system chooses */
	char from[4][48];
};

/* Parse the form above; ERR_VALUE if it is not of it. */
enum err MUST_USE endpoint_parse(struct view text, struct endpoint *e);

/* And back. */
#define ENDPOINT_TEXT 512
void endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT]);

/* Is a textual IPv4 or IPv6 address inside "10.0.0.0/8", "2001:db8::/32" or equal to a bare
 * address? */
bool address_within(struct view address, struct view prefix);

/* Who is at the other end. Views live as long as the connection. */
struct conn_info {
	uint8_t link;          /* enum link */
	bool outbound;
	struct view address;   /* "192.0.2.1" or "2001:db8::1" */
	uint16_t port;
	struct view local;     /* our address */
	const struct view *cert_names; /* TLS: the verified certificate's DNS names (SAN; CN if none) */
	size_t cert_name_n;
};

/* What a user of connections provides. All are called on the loop's thread; `ctx` is the one given
 * at loop_listen or loop_connect. */
struct conn_ops {
	/* The length of the message that begins at `in`: 0 = more bytes are needed to tell,
	 * SIZE_MAX = this is no message: the connection is closed. For SCTP a message is a frame. */
	size_t (*frame)(struct view in);
	/* The connection is up (TLS and certificate checked). Set conn->user with conn_set_user. */
	void (*up)(void *ctx, struct conn *c);
	/* One whole frame; borrowed until the call returns. */
	void (*message)(void *ctx, struct conn *c, struct view frame);
	/* Gone: by the peer, by an error (text, constant) or by conn_close. Also called when an
	 * outbound connection could not be made. Last call for `c`. */
	void (*down)(void *ctx, struct conn *c, const char *why);
};

struct loop_limits {
	uint32_t conn_max;       /* inbound connections; more are closed at once and counted */
	uint32_t frame_max;      /* bytes; a longer frame closes the connection */
	uint32_t out_max;        /* bytes waiting to be written; more closes the connection */
	uint32_t handshake_ms;   /* TLS hello to done, and accept to first whole frame. A later message may
				  * take twice that from its first byte to its last; who reads nothing of
				  * what waits for it for six times as long is cut */
	/* Inbound connections that conn_proven was not called for are strangers. Beyond these limits a
	 * newcomer pushes out the oldest stranger (of its address), counted; 0 in stranger_max: whoever
	 * has sent a whole frame is proven. An address is one of IPv4 or a /64 of IPv6. */
	uint32_t stranger_max, stranger_address_max;
	uint32_t address_max;    /* inbound connections of one address; 0: conn_max */
	uint32_t out_total_max;  /* bytes waiting for peers that do not read, of all; 0: no limit */
};

struct loop *loop_new(const struct loop_limits *limits);
void loop_free(struct loop *l);

/* Monotonic milliseconds, and milliseconds since 1970; both read once a wake-up. */
uint64_t loop_now(const struct loop *l);
uint64_t loop_wall(const struct loop *l);

/* Open a listening socket (so that a busy port is known at start). `reuse` lets several workers
 * share it (SO_REUSEPORT). ERR_IO with the reason in `why`. */
enum err MUST_USE loop_listen(struct loop *l, const struct endpoint *e, struct tls *tls, bool reuse,
			      const struct conn_ops *ops, void *ctx, char why[256]);

/* Begin to connect; `up` or `down` follows, never before this returns. NULL when out of room.
 * `user` is set before either. */
struct conn *loop_connect(struct loop *l, const struct endpoint *e, struct tls *tls,
			  const struct conn_ops *ops, void *ctx, void *user);

/* Queue bytes; written at the end of the batch. Copies. False: too much waits, the connection is
 * being closed. */
bool conn_write(struct conn *c, struct view bytes);
/* The same, by a stream of the association: 0, or any number, of which one flow has always the same. It is
 * taken modulo the streams that there are, stream 0 left out where there are others. Other transports take
 * no notice. */
bool conn_write_on(struct conn *c, struct view bytes, uint8_t stream);
/* The user knows who this is, and will see to it: it counts no more among the strangers, and is served
 * before them. */
void conn_proven(struct conn *c);
/* Close after what is queued is written (within a second). */
void conn_close(struct conn *c);
struct conn_info conn_info(const struct conn *c);
void conn_set_user(struct conn *c, void *user);
/* SCTP: the payload protocol identifier of what is written from now on; until then Diameter's, 46. */
#define PPID_M3UA 3 /* RFC 4666 §1.4.6 */
void conn_set_ppid(struct conn *c, uint32_t ppid);
void *conn_user(const struct conn *c);
/* A number unique in this loop for its life; never 0. And back: NULL when it is gone. */
uint32_t conn_id(const struct conn *c);
struct conn *conn_find(struct loop *l, uint32_t id);

/* Call `fn` every `every_ms`, until the loop ends. At most 16. */
void loop_every(struct loop *l, uint32_t every_ms, void (*fn)(void *ctx), void *ctx);

/* Called before the first frame of a wake-up and after its last, before the writes. */
void loop_batch(struct loop *l, void (*begin)(void *ctx), void (*end)(void *ctx), void *ctx);

/* Watch another descriptor for reading (borrowed). At most 32. */
enum err MUST_USE loop_watch(struct loop *l, int fd, void (*readable)(void *ctx, int fd), void *ctx);
/* No more; before `fd` is closed. */
void loop_unwatch(struct loop *l, int fd);

/* Get what dialling `e` needs and a sandbox takes away (raw sockets for usrsctp). ERR_IO with `why`. */
enum err MUST_USE loop_prepare(const struct endpoint *e, char why[256]);

/* Run until loop_stop, which any thread or signal handler may call. Stopping closes all connections
 * after their output is written (at most 2 s). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* --- between workers ------------------------------------------------------------------------ */

/* A bounded single-producer, single-consumer queue of whole messages with a wake-up: loop `from`'s
 * thread posts, `to`'s thread receives through `fn` inside its batch. Wakes at most once a batch.
 * Freed when neither loop runs any more. */
struct mailbox;
struct mailbox *mailbox_new(struct loop *to, size_t bytes_max,
			    void (*fn)(void *ctx, struct view message), void *ctx);
void mailbox_free(struct mailbox *m);
/* False when full (counted by the caller). Copies. */
bool mailbox_post(struct mailbox *m, struct view head, struct view body);
