/* SCTP by usrsctp, over raw IP or in UDP (RFC 6951), where the kernel has none.
 *
 * usrsctp is one stack a process, with threads of its own. They call `upcall` when something may have
 * changed at a socket; that only puts the socket on a list and wakes the loop by an eventfd. The loop
 * then reads and writes without blocking, as with any descriptor. */
#include "loop/inside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <usrsctp.h>

#define BACKLOG    128
#define BUFFER     (1024 * 1024)
#define BLACKHOLE  2 /* no ABORT for what is not ours: it may be another stack's on this machine */

/* A socket and whom it serves. Never given back to the heap: a late upcall may still come. */
struct usr {
	struct bridge *bridge;
	struct socket *so;
	struct conn *c;
	struct listener *s;
	struct usr *next_ready, *next_free;
	bool queued;
};

struct bridge {
	struct source source;
	struct loop *loop;
	struct usr *free;
	struct bridge *next;
	pthread_mutex_t lock; /* of what follows */
	struct usr *ready;
	int fd;
};

/* Ports that are listened at in this process: the stack cannot share one among several sockets, so the
 * first worker that asks serves for all. */
struct taken {
	char text[ENDPOINT_TEXT];
	struct listener *by;
};

static pthread_mutex_t stack_lock = PTHREAD_MUTEX_INITIALIZER;
static bool stack_up;
static uint16_t stack_udp;
static struct bridge *bridges; /* all that ever were */
static struct taken taken[16];

/* --- the stack ------------------------------------------------------------------------------ */

/* Would usrsctp, which keeps its failures to itself, get its sockets? */
static enum err probe(const struct endpoint *e, char why[256])
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(e->udp) };
	int fd = socket(AF_INET, e->udp ? SOCK_DGRAM : SOCK_RAW, e->udp ? 0 : IPPROTO_SCTP), error = 0;

	if (fd < 0)
		return loop_why(why, e, "SCTP needs the kernel's, or root, or ?udp=PORT", errno);
	if (e->udp && bind(fd, (struct sockaddr *)&any, sizeof any))
		error = errno;
	close(fd);
	return error ? loop_why(why, e, "UDP port", error) : ERR_OK;
}

static void start_stack(uint16_t udp)
{
	usrsctp_init(udp, NULL, NULL);
	usrsctp_sysctl_set_sctp_blackhole(BLACKHOLE);
	usrsctp_sysctl_set_sctp_ecn_enable(0);
	usrsctp_sysctl_set_sctp_asconf_enable(0);
	usrsctp_sysctl_set_sctp_auto_asconf(0);
	usrsctp_sysctl_set_sctp_sendspace(BUFFER);
	usrsctp_sysctl_set_sctp_recvspace(BUFFER);
	usrsctp_sysctl_set_sctp_rto_initial_default(SCTP_RTO_INITIAL_MS);
	usrsctp_sysctl_set_sctp_rto_min_default(SCTP_RTO_MIN_MS);
	usrsctp_sysctl_set_sctp_rto_max_default(SCTP_RTO_MAX_MS);
	usrsctp_sysctl_set_sctp_path_rtx_max_default(SCTP_PATH_RTX);
	usrsctp_sysctl_set_sctp_heartbeat_interval_default(SCTP_HEARTBEAT_MS / 1000);
	stack_up = true;
	stack_udp = udp;
}

enum err sctp_usr_prepare(const struct endpoint *e, char why[256])
{
	enum err err = ERR_OK;

	pthread_mutex_lock(&stack_lock);
	if (!stack_up) {
		err = probe(e, why);
		if (!err)
			start_stack(e->udp);
	} else if (e->udp && e->udp != stack_udp) {
		err = loop_why(why, e, "a process has one UDP port for SCTP, and it is another", 0);
	}
	pthread_mutex_unlock(&stack_lock);
	return err;
}

/* --- the bridge ----------------------------------------------------------------------------- */

static void upcall(struct socket *so, void *arg, int flags)
{
	struct usr *u = arg;
	struct bridge *b = u->bridge;
	uint64_t one = 1;

	(void)so;
	(void)flags;
	pthread_mutex_lock(&b->lock);
	if (!u->queued && b->fd >= 0) {
		u->queued = true;
		u->next_ready = b->ready;
		if (!b->ready)
			(void)!write(b->fd, &one, sizeof one);
		b->ready = u;
	}
	pthread_mutex_unlock(&b->lock);
}

static void accept_all(struct listener *s);

static void serve(struct usr *u)
{
	struct conn *c = u->c;

	if (c)
		conn_ready(c, c->out.n > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
	else if (u->s)
		accept_all(u->s);
}

static void crossed(struct source *source, uint32_t events)
{
	struct bridge *b = (struct bridge *)source;
	struct usr *u, *list;
	uint64_t n;

	(void)events;
	(void)!read(b->fd, &n, sizeof n);
	pthread_mutex_lock(&b->lock);
	list = b->ready;
	b->ready = NULL;
	pthread_mutex_unlock(&b->lock);
	while ((u = list)) {
		pthread_mutex_lock(&b->lock);
		list = u->next_ready;
		u->queued = false;
		pthread_mutex_unlock(&b->lock);
		serve(u);
	}
}

static struct bridge *bridge_of(struct loop *l)
{
	struct bridge *b = l->bridge ? NULL : calloc(1, sizeof *b);

	if (!b)
		return l->bridge;
	*b = (struct bridge){ .source = { crossed }, .loop = l };
	pthread_mutex_init(&b->lock, NULL);
	b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->fd < 0 || loop_source(l, b->fd, &b->source, EPOLLIN)) {
		if (b->fd >= 0)
			close(b->fd);
		free(b);
		return NULL;
	}
	pthread_mutex_lock(&stack_lock);
	b->next = bridges;
	bridges = b;
	pthread_mutex_unlock(&stack_lock);
	l->bridge = b;
	return b;
}

static struct usr *usr_new(struct loop *l, struct socket *so)
{
	struct bridge *b = bridge_of(l);
	struct usr *u = b ? b->free : NULL;

	if (u)
		b->free = u->next_free;
	else if (b)
		u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->bridge = b;
	u->so = so;
	return u;
}

static void usr_free(struct usr *u)
{
	struct bridge *b = u->bridge;

	usrsctp_set_upcall(u->so, NULL, NULL);
	usrsctp_close(u->so);
	u->so = NULL;
	u->c = NULL;
	u->s = NULL;
	u->next_free = b->free;
	b->free = u;
}

void sctp_usr_free(struct loop *l)
{
	struct bridge *b = l->bridge;

	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	close(b->fd);
	b->fd = -1;
	pthread_mutex_unlock(&b->lock);
	l->bridge = NULL;
}

/* --- the transport -------------------------------------------------------------------------- */

static void take_local(struct conn *c, struct socket *so)
{
	struct sockaddr *all = NULL;

	if (usrsctp_getladdrs(so, 0, &all) <= 0)
		return;
	conn_names(c, NULL, all);
	usrsctp_freeladdrs(all);
}

static enum err usr_handshake(struct conn *c)
{
	struct usr *u = c->session;
	struct sctp_status status = { 0 };
	socklen_t n = sizeof status, error_n = sizeof(int);
	int error = 0;

	if (usrsctp_getsockopt(u->so, SOL_SOCKET, SO_ERROR, &error, &error_n) == 0 && error)
		return conn_errno(c, error);
	if (usrsctp_getsockopt(u->so, IPPROTO_SCTP, SCTP_STATUS, &status, &n) && !c->inbound)
		return usrsctp_get_events(u->so) & SCTP_EVENT_ERROR ? conn_errno(c, ECONNREFUSED) : ERR_AGAIN;
	if (!c->inbound && status.sstat_state != SCTP_ESTABLISHED)
		return ERR_AGAIN;
	c->streams = status.sstat_outstrms;
	take_local(c, u->so);
	return ERR_OK;
}

static enum err usr_read(struct conn *c, uint8_t *p, size_t n, size_t *got)
{
	struct usr *u = c->session;
	struct sctp_rcvinfo info;
	struct sockaddr_storage from;
	socklen_t from_n = sizeof from, info_n = sizeof info;
	unsigned int type = SCTP_RECVV_NOINFO;
	int flags = 0;
	ssize_t r = usrsctp_recvv(u->so, p, n, (struct sockaddr *)&from, &from_n, &info, &info_n, &type,
				  &flags);

	if (r < 0)
		return conn_errno(c, errno);
	c->whole = (flags & MSG_EOR) != 0;
	*got = (size_t)r;
	return ERR_OK;
}

static enum err usr_write(struct conn *c, struct view bytes, size_t *done)
{
	struct usr *u = c->session;
	struct sctp_sndinfo info = { .snd_ppid = htonl(c->ppid), .snd_sid = conn_stream(c) };
	ssize_t r = usrsctp_sendv(u->so, bytes.p, bytes.n, NULL, 0, &info, sizeof info,
				  SCTP_SENDV_SNDINFO, 0);

	if (r < 0)
		return conn_errno(c, errno);
	*done = (size_t)r;
	return ERR_OK;
}

static void usr_shut(struct conn *c)
{
	struct usr *u = c->session;

	usrsctp_shutdown(u->so, SHUT_WR);
}

static void usr_close(struct conn *c)
{
	if (c->session)
		usr_free(c->session);
	c->session = NULL;
}

static bool usr_pending(struct conn *c)
{
	struct usr *u = c->session;

	return (usrsctp_get_events(u->so) & SCTP_EVENT_READ) != 0;
}

const struct transport via_sctp_usr = {
	.handshake = usr_handshake,
	.read = usr_read,
	.write = usr_write,
	.shut = usr_shut,
	.close = usr_close,
	.pending = usr_pending,
	.messages = true,
};

/* --- listening and dialling ----------------------------------------------------------------- */

static bool attach(struct conn *c, struct socket *so)
{
	struct usr *u = usr_new(c->loop, so);

	if (!u)
		return false;
	u->c = c;
	c->session = u;
	c->via = &via_sctp_usr;
	usrsctp_set_non_blocking(so, 1);
	usrsctp_set_upcall(so, upcall, u);
	return true;
}

static bool accept_one(struct listener *s)
{
	struct usr *u = s->session;
	struct sockaddr_storage peer = { 0 };
	socklen_t n = sizeof peer;
	struct socket *so = usrsctp_accept(u->so, (struct sockaddr *)&peer, &n);
	struct conn *c;

	if (!so)
		return errno != EAGAIN;
	c = crowd_new(s->loop, s->ops, s->ctx, (struct sockaddr *)&peer);
	if (!c || !attach(c, so)) {
		usrsctp_close(so);
		if (c)
			conn_fail(c, "out of memory");
		return true;
	}
	c->link = LINK_SCTP;
	conn_names(c, (struct sockaddr *)&peer, NULL);
	conn_start(c);
	conn_again(c); /* what came before the upcall was set */
	return true;
}

static void accept_all(struct listener *s)
{
	struct usr *u = s->session;

	for (int i = 0; i < ACCEPT_MAX; i++)
		if (!accept_one(s))
			return;
	upcall(u->so, u, 0); /* the rest next time */
}

static struct socket *open_socket(const struct endpoint *e)
{
	int family = endpoint_family(e), on = 1, off = 0;
	struct socket *so = usrsctp_socket(family, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	struct sctp_udpencaps encaps = { .sue_port = htons(e->udp_peer) };

	if (!so)
		return NULL;
	usrsctp_set_non_blocking(so, 1);
	usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on);
	if (family == AF_INET6)
		usrsctp_setsockopt(so, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	encaps.sue_address.ss_family = (sa_family_t)family;
	if (e->udp)
		usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encaps, sizeof encaps);
	return so;
}

/* usrsctp wants the addresses behind one another. */
static bool bind_all(struct socket *so, const char address[][48], size_t n, uint16_t port)
{
	_Alignas(struct sockaddr_in6) uint8_t all[4 * sizeof(struct sockaddr_in6)];

	return sockaddrs_pack(address, n, port, all) > 0 &&
	       usrsctp_bindx(so, (struct sockaddr *)all, (int)n, SCTP_BINDX_ADD_ADDR) == 0;
}

/* A free row for this endpoint, or NULL with *shared: another worker has it. */
static struct taken *claim(const struct endpoint *e, bool *shared)
{
	struct taken *row = NULL;
	char text[ENDPOINT_TEXT];

	endpoint_text(e, text);
	*shared = false;
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		if (!taken[i].by)
			row = &taken[i];
		else if (strcmp(taken[i].text, text) == 0)
			*shared = true;
	}
	if (row && !*shared)
		memcpy(row->text, text, sizeof row->text);
	return *shared ? NULL : row;
}

static enum err open_listener(struct listener *s, const struct endpoint *e, char why[256])
{
	struct socket *so = open_socket(e);
	struct usr *u = so ? usr_new(s->loop, so) : NULL;

	if (!u) {
		if (so)
			usrsctp_close(so);
		return loop_why(why, e, "out of room", 0);
	}
	s->session = u;
	u->s = s;
	if (!bind_all(so, e->address, e->address_n, e->port) || usrsctp_listen(so, BACKLOG)) {
		(void)loop_why(why, e, "", errno);
		usr_free(u);
		return ERR_IO;
	}
	usrsctp_set_upcall(so, upcall, u);
	return ERR_OK;
}

enum err sctp_usr_listen(struct loop *l, const struct endpoint *e, const struct listener *like,
			 char why[256])
{
	struct listener *s;
	struct taken *row;
	bool shared;
	enum err err = sctp_usr_prepare(e, why);

	if (err)
		return err;
	row = claim(e, &shared);
	if (shared && like->reuse)
		return ERR_OK;
	s = row ? calloc(1, sizeof *s) : NULL;
	if (!s)
		return loop_why(why, e, shared ? "" : "out of room", shared ? EADDRINUSE : 0);
	*s = *like;
	s->loop = l;
	err = open_listener(s, e, why);
	if (err) {
		free(s);
		return err;
	}
	row->by = s;
	s->next = l->listeners;
	l->listeners = s;
	return ERR_OK;
}

void sctp_usr_unlisten(struct listener *s)
{
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (taken[i].by == s)
			taken[i].by = NULL;
	usr_free(s->session);
	s->session = NULL;
}

enum err sctp_usr_dial(struct conn *c, const struct endpoint *e)
{
	_Alignas(struct sockaddr_in6) uint8_t all[4 * sizeof(struct sockaddr_in6)];
	struct socket *so;
	char why[256];

	c->via = &via_sctp_usr;
	if (sctp_usr_prepare(e, why)) {
		c->why = "SCTP is not to be had: no kernel support, no right to raw sockets";
		return ERR_IO;
	}
	so = open_socket(e);
	if (!so)
		return conn_errno(c, ENOBUFS);
	if (!attach(c, so)) {
		usrsctp_close(so);
		return conn_errno(c, ENOMEM);
	}
	if (e->from_n > 0 && !bind_all(so, e->from, e->from_n, 0))
		return conn_errno(c, errno);
	if (sockaddrs_pack(e->address, e->address_n, e->port, all) == 0)
		return conn_errno(c, EINVAL);
	if (usrsctp_connectx(so, (struct sockaddr *)all, e->address_n, NULL) && errno != EINPROGRESS)
		return conn_errno(c, errno);
	return ERR_OK;
}
