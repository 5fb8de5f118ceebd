/* SCTP by the kernel, one-to-one style (RFC 6458 §4). No libsctp: multi-homing is two socket options. */
#include "loop/inside.h"

#include <errno.h>
#include <linux/sctp.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128

bool sctp_kernel_has(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static enum err kernel_handshake(struct conn *c)
{
	struct sctp_status status = { 0 };
	socklen_t n = sizeof status;
	enum err err = tcp_connected(c);

	if (!err && getsockopt(c->fd, IPPROTO_SCTP, SCTP_STATUS, &status, &n) == 0)
		c->streams = status.sstat_outstrms;
	return err;
}

static enum err kernel_read(struct conn *c, uint8_t *p, size_t n, size_t *got)
{
	struct iovec iov = { p, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r = recvmsg(c->fd, &m, 0);

	if (r < 0)
		return conn_errno(c, errno);
	if (r > 0 && m.msg_flags & MSG_NOTIFICATION)
		return ERR_AGAIN; /* none is subscribed to */
	c->whole = (m.msg_flags & MSG_EOR) != 0;
	*got = (size_t)r;
	return ERR_OK;
}

static enum err kernel_write(struct conn *c, struct view bytes, size_t *done)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(struct sctp_sndinfo))] = { 0 };
	struct sctp_sndinfo info = { .snd_ppid = htonl(c->ppid), .snd_sid = conn_stream(c) };
	union {
		const uint8_t *from;
		void *to;
	} p = { bytes.p }; /* struct iovec lacks the const */
	struct iovec iov = { p.to, bytes.n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			    .msg_controllen = sizeof room };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	ssize_t r;

	h->cmsg_level = IPPROTO_SCTP;
	h->cmsg_type = SCTP_SNDINFO;
	h->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(h), &info, sizeof info);
	r = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	if (r < 0)
		return conn_errno(c, errno);
	*done = (size_t)r;
	return ERR_OK;
}

static void kernel_shut(struct conn *c)
{
	shutdown(c->fd, SHUT_WR);
}

static void kernel_close(struct conn *c)
{
	(void)c; /* the descriptor is closed by who owns the connection */
}

/* epoll tells what is left, but reading goes on until there is nothing. */
static bool kernel_pending(struct conn *c)
{
	(void)c;
	return false;
}

const struct transport via_sctp_kernel = {
	.handshake = kernel_handshake,
	.read = kernel_read,
	.write = kernel_write,
	.shut = kernel_shut,
	.close = kernel_close,
	.pending = kernel_pending,
	.messages = true,
};

/* All addresses in one option; a socket of IPv6 takes both kinds. */
static bool with_addresses(int fd, int option, const char address[][48], size_t n, uint16_t port)
{
	uint8_t all[4 * sizeof(struct sockaddr_in6)];
	size_t used = sockaddrs_pack(address, n, port, all);

	/* CONNECTX returns the association's number. */
	return used > 0 && (setsockopt(fd, IPPROTO_SCTP, option, all, (socklen_t)used) >= 0 ||
			    errno == EINPROGRESS);
}

static int open_socket(const struct endpoint *e)
{
	struct sctp_rtoinfo rto = { .srto_initial = SCTP_RTO_INITIAL_MS, .srto_max = SCTP_RTO_MAX_MS,
				    .srto_min = SCTP_RTO_MIN_MS };
	struct sctp_paddrparams path = { .spp_hbinterval = SCTP_HEARTBEAT_MS, .spp_flags = SPP_HB_ENABLE,
					 .spp_pathmaxrxt = SCTP_PATH_RTX };
	int on = 1, fd = socket(endpoint_family(e), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_SCTP);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_SCTP, SCTP_RTOINFO, &rto, sizeof rto);
	setsockopt(fd, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
	return fd;
}

enum err sctp_kernel_listen(struct loop *l, const struct endpoint *e, const struct listener *like,
			    char why[256])
{
	struct listener s = *like;
	int on = 1, error, fd = open_socket(e);

	if (fd < 0)
		return loop_why(why, e, "", errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (like->reuse)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	s.via = &via_sctp_kernel;
	if (!with_addresses(fd, SCTP_SOCKOPT_BINDX_ADD, e->address, e->address_n, e->port) ||
	    listen(fd, BACKLOG) || listen_fd(l, fd, &s)) {
		error = errno;
		close(fd);
		return loop_why(why, e, "", error);
	}
	return ERR_OK;
}

enum err sctp_kernel_dial(struct conn *c, const struct endpoint *e)
{
	c->via = &via_sctp_kernel;
	c->fd = open_socket(e);
	if (c->fd < 0)
		return conn_errno(c, errno);
	if (e->from_n > 0 && !with_addresses(c->fd, SCTP_SOCKOPT_BINDX_ADD, e->from, e->from_n, 0))
		return conn_errno(c, errno);
	if (!with_addresses(c->fd, SCTP_SOCKOPT_CONNECTX, e->address, e->address_n, e->port))
		return conn_errno(c, errno == EAGAIN ? EADDRNOTAVAIL : errno);
	return ERR_OK;
}
