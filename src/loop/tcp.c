/* TCP, and dialling. */
#include "loop/inside.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum err tcp_connected(struct conn *c)
{
	struct sockaddr_storage own = { 0 };
	socklen_t n = sizeof own;
	int error = 0;
	socklen_t error_n = sizeof error;

	if (c->inbound)
		return ERR_OK;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_n))
		error = errno;
	if (error)
		return conn_errno(c, error);
	if (getsockname(c->fd, (struct sockaddr *)&own, &n) == 0)
		conn_names(c, NULL, (struct sockaddr *)&own);
	return ERR_OK;
}

static enum err tcp_read(struct conn *c, uint8_t *p, size_t n, size_t *got)
{
	ssize_t r = recv(c->fd, p, n, 0);

	if (r < 0)
		return conn_errno(c, errno);
	*got = (size_t)r;
	return ERR_OK;
}

static enum err tcp_write(struct conn *c, struct view bytes, size_t *done)
{
	ssize_t r = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

	if (r < 0)
		return conn_errno(c, errno);
	*done = (size_t)r;
	return ERR_OK;
}

static void tcp_shut(struct conn *c)
{
	shutdown(c->fd, SHUT_WR);
}

static void tcp_close(struct conn *c)
{
	(void)c; /* the descriptor is closed by who owns the connection */
}

const struct transport via_tcp = {
	.handshake = tcp_connected,
	.read = tcp_read,
	.write = tcp_write,
	.shut = tcp_shut,
	.close = tcp_close,
};

static enum err tcp_dial(struct conn *c, const struct endpoint *e)
{
	struct sockaddr_storage at, from;
	socklen_t n = endpoint_sockaddr(e, &at), from_n = endpoint_from(e, &from);
	int on = 1;

	c->fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return conn_errno(c, errno);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (from_n > 0) {
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
		if (bind(c->fd, (struct sockaddr *)&from, from_n))
			return conn_errno(c, errno);
	}
	if (connect(c->fd, (struct sockaddr *)&at, n) && errno != EINPROGRESS)
		return conn_errno(c, errno == EAGAIN ? EADDRNOTAVAIL : errno);
	return ERR_OK;
}

static enum err dial(struct conn *c, const struct endpoint *e)
{
	if (e->link != LINK_SCTP)
		return tcp_dial(c, e);
	return sctp_kernel_has() && !e->udp ? sctp_kernel_dial(c, e) : sctp_usr_dial(c, e);
}

struct conn *loop_connect(struct loop *l, const struct endpoint *e, struct tls *tls,
			  const struct conn_ops *ops, void *ctx, void *user)
{
	struct conn *c = conn_new(l, ops, ctx, false);
	struct sockaddr_storage to;

	if (!c)
		return NULL;
	c->via = e->link == LINK_TLS ? &via_tls : &via_tcp;
	c->tls = tls;
	c->link = e->link;
	c->user = user;
	if (endpoint_sockaddr(e, &to))
		conn_names(c, (struct sockaddr *)&to, NULL);
	if (e->link == LINK_TLS && !tls)
		conn_fail(c, "no certificate is configured");
	else if (dial(c, e))
		conn_fail(c, c->why);
	else
		conn_start(c);
	return c;
}
