/* What the files of this room share; no other room includes it.
 *
 * A connection is one state machine over a `struct transport`, which hides whether bytes go through
 * TCP, TLS, the kernel's SCTP or usrsctp. Nothing is freed while events are being handled: what
 * ends is put on the loop's dead list and reaped at the end of the wake-up. */
#pragma once
#include "loop/loop.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define READ_MAX   65536u /* bytes a connection may bring in per wake-up: fairness */
#define ACCEPT_MAX 64     /* connections a listener may bring in per wake-up */
#define CLOSE_MS   1000
/* Of limits.handshake_ms: how long a message may take from its first byte to its last, and how long a
 * peer may read nothing of what waits for it. */
#define MESSAGE_TIMES 2
#define UNREAD_TIMES  6
#define OUT_FAIR   65536u /* who has less than this waiting is never cut for what waits in all */
#define OUT_PAUSE  (1u << 20) /* who leaves more than this unread is not read from; not whom we
			       * dialled: two that wait for each other would wait for ever */
#define OUT_KEEP   262144u /* a buffer that grew beyond is given back when it is empty */
#define LOBBY_US   1000   /* a wake-up's time for strangers and new connections */
#define LOBBY_EVENTS 8
#define STOP_MS    2000
#define DIAL_MAX   1024   /* outbound connections beside conn_max inbound ones */
#define CERT_NAMES 16
/* Signalling changes path in a second, not in a minute (RFC 4166 §3.2; RFC 9260 §16 is for the internet). */
#define SCTP_RTO_INITIAL_MS 500
#define SCTP_RTO_MIN_MS     200
#define SCTP_RTO_MAX_MS     3000
#define SCTP_PATH_RTX       2
#define SCTP_HEARTBEAT_MS   5000
#define SCTP_PPID_DIAMETER 46 /* RFC 6733 §11.4 */

/* Anything that epoll can wake us for; first in what it belongs to. */
struct source {
	void (*ready)(struct source *s, uint32_t events);
};

struct buf {
	uint8_t *p;
	size_t head, n, cap; /* bytes head..n are waiting */
};

enum conn_state {
	CONN_HANDSHAKE, /* connecting, or shaking hands */
	CONN_UP,
	CONN_CLOSING,   /* conn_close: output is still being written */
	CONN_SHUT,      /* all written and said so: waiting for the peer's end */
	CONN_DEAD,      /* waits to be reaped */
};

/* Why a connection was closed by us: label values of M_LOOP_CLOSED. */
enum conn_cut { CUT_LIMIT, CUT_TIME, CUT_FRAME, CUT_OUTPUT, CUT_TLS };

struct conn {
	struct source source;
	struct loop *loop;
	const struct transport *via;
	const struct conn_ops *ops;
	void *ctx, *user;
	void *session;           /* the transport's own */
	struct tls *tls;
	struct conn *next_dirty, *next_dead, *next_again;
	struct from *from;       /* inbound: its address */
	struct conn *older, *newer, *from_older, *from_newer; /* strangers: all, and of this address */
	const char *why;
	uint64_t deadline_ms;    /* 0: none */
	uint64_t unread_ms;      /* since when nothing could be written; 0: all could */
	size_t unread_n;         /* what the loop counts for it in out_n */
	struct buf in, out;
	uint32_t id;
	uint32_t armed;          /* epoll events asked for */
	int fd;                  /* -1: the transport has none */
	uint16_t port;
	uint32_t ppid;
	uint16_t streams;        /* SCTP: that we may send on; 0: not known */
	uint8_t stream;          /* that the message being written wants */
	uint8_t link, state;     /* enum link, enum conn_state */
	bool inbound, announced, dirty, again, want_out, whole, heard, eof, stranger, paused;
	char address[48], local[48];
	struct view cert_names[CERT_NAMES];
	size_t cert_name_n;
	char *cert_text;         /* holds what cert_names show */
};

struct transport {
	/* Go on with connecting. ERR_AGAIN: when ready (c->want_out: for writing). Else c->why. */
	enum err (*handshake)(struct conn *c);
	/* Up to `n` bytes. ERR_AGAIN: nothing now. ERR_IO: ended, c->why says how. Message
	 * transports set c->whole when the message is complete with these bytes. */
	enum err (*read)(struct conn *c, uint8_t *p, size_t n, size_t *got);
	/* Some of the bytes; all of them or none for message transports. */
	enum err (*write)(struct conn *c, struct view bytes, size_t *done);
	/* Tell the peer that nothing more comes. */
	void (*shut)(struct conn *c);
	void (*close)(struct conn *c);
	/* Is there input that epoll will not tell of? */
	bool (*pending)(struct conn *c);
	bool messages; /* keeps message boundaries: each conn_write is one message */
};

extern const struct transport via_tcp, via_tls, via_sctp_kernel, via_sctp_usr;

struct listener {
	struct source source;
	struct loop *loop;
	struct tls *tls;
	const struct conn_ops *ops;
	void *ctx;
	void *session;
	struct listener *next;
	const struct transport *via;
	int fd;
	uint8_t link;
	bool reuse;
};

struct watch {
	struct source source;
	void (*readable)(void *ctx, int fd);
	void *ctx;
	int fd;
};

struct timer {
	void (*fn)(void *ctx);
	void *ctx;
	uint64_t next_ms;
	uint32_t every_ms;
};

/* An address that inbound connections come from. */
struct from {
	uint64_t key;
	struct from *next; /* of the same bucket, or free */
	struct conn *oldest, *newest; /* its strangers */
	uint32_t stranger_n, conn_n;
};

/* Where strangers and listeners are waited for: a set of its own, so that no crowd of them stands
 * before those who are known. */
struct lobby {
	struct source source;
	struct loop *loop;
	int epoll;
	uint64_t until_us; /* of this wake-up */
	bool served;       /* in this wake-up, however often it takes in */
};

struct crowd {
	struct from *pool, *free, **of;
	uint32_t mask, stranger_n;
	struct conn *oldest, *newest;
	uint64_t log_second;
	uint32_t log_n;
};

struct bridge; /* sctp_usr.c */

struct loop {
	struct source wake;
	struct loop_limits limits;
	uint64_t now_ms, wall_ms, sweep_ms, stop_ms;
	int epoll, wake_fd, spare_fd;
	_Atomic bool stop;
	bool in_batch, stopping;
	void (*begin)(void *ctx);
	void (*end)(void *ctx);
	void *batch_ctx;
	struct listener *listeners;
	struct conn *dirty, *dead, *again;
	struct conn **slots;
	uint16_t *gens;
	uint32_t *free_ring;     /* slots in the order in which they became free */
	uint32_t slot_max, free_head, free_n, inbound_n, dial_n, conn_n;
	size_t out_n;            /* bytes waiting for those who do not read */
	struct lobby lobby;
	struct crowd crowd;
	uint32_t timer_n;
	uint32_t frames;         /* handed over in this wake-up */
	uint64_t gather_ms, gathered; /* frames since then */
	bool busy;
	struct timer timers[16];
	struct watch watches[32];
	struct bridge *bridge;
};

/* loop.c */
void loop_clock(struct loop *l);
enum err loop_source(struct loop *l, int fd, struct source *s, uint32_t events);
void loop_batch_begin(struct loop *l);

/* conn.c */
struct conn *conn_new(struct loop *l, const struct conn_ops *ops, void *ctx, bool inbound);
void conn_start(struct conn *c);  /* begin to shake hands */
void conn_ready(struct conn *c, uint32_t events);
void conn_cut(struct conn *c, enum conn_cut cut, const char *why);
void conn_fail(struct conn *c, const char *why);
void conn_count(enum conn_cut cut);
void conn_again(struct conn *c);
void conn_again_all(struct loop *l);
void conn_sweep(struct loop *l);
void conn_reap(struct loop *l);

/* crowd.c */
bool crowd_open(struct loop *l);
void crowd_close(struct loop *l);
/* A connection from this address, as a stranger; NULL (counted) when there is no room. */
struct conn *crowd_new(struct loop *l, const struct conn_ops *ops, void *ctx, const struct sockaddr *peer);
void crowd_leave(struct conn *c); /* it ended */
bool lobby_open(struct loop *l);
bool lobby_time(const struct loop *l); /* is there time left for another stranger? */

/* out.c */
void conn_unread(struct conn *c, bool moved);
void conn_arm(struct conn *c, uint32_t events);
void conn_dirty(struct conn *c);
/* ERR_AGAIN, or ERR_IO with c->why set. */
enum err conn_errno(struct conn *c, int error);
uint16_t conn_stream(const struct conn *c); /* of the message being written */
bool buf_room(struct buf *b, size_t n, size_t max);
void conn_flush_all(struct loop *l);
void conn_names(struct conn *c, const struct sockaddr *peer, const struct sockaddr *own);

/* endpoint.c */
socklen_t endpoint_sockaddr(const struct endpoint *e, struct sockaddr_storage *to); /* the first */
socklen_t endpoint_from(const struct endpoint *e, struct sockaddr_storage *to); /* 0: none */
int endpoint_family(const struct endpoint *e);
/* Behind one another, as bindx wants them; `to` has room for 4 of IPv6. Bytes used, 0: bad. */
size_t sockaddrs_pack(const char address[][48], size_t n, uint16_t port, uint8_t *to);
enum err loop_why(char why[256], const struct endpoint *e, const char *what, int error);
const char *error_text(int error);

/* loop.c: a bound, listening socket, or -1 with errno; and the same made a listener of the loop. */
int listen_tcp(const struct endpoint *e, bool reuse);
enum err listen_fd(struct loop *l, int fd, const struct listener *like);

/* tcp.c */
enum err tcp_connected(struct conn *c);

/* sctp_kernel.c, sctp_usr.c */
bool sctp_kernel_has(void);
enum err sctp_kernel_listen(struct loop *l, const struct endpoint *e, const struct listener *like,
			    char why[256]);
enum err sctp_kernel_dial(struct conn *c, const struct endpoint *e);
enum err sctp_usr_listen(struct loop *l, const struct endpoint *e, const struct listener *like,
			 char why[256]);
enum err sctp_usr_prepare(const struct endpoint *e, char why[256]); /* the stack runs, or cannot */
enum err sctp_usr_dial(struct conn *c, const struct endpoint *e);
void sctp_usr_unlisten(struct listener *s);
void sctp_usr_free(struct loop *l);
