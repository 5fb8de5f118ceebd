/* Echo over the loopback: the loop, with its frames, beside a bare epoll echo that knows none.
 * Prints messages a second of each, and the ratio. loop_echo [messages] [in flight] [connections] */
#include "loop/loop.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE     300
#define CONN_MAX 16

static size_t frame(struct view in)
{
	return in.n < 4 ? 0 : (size_t)in.p[1] << 16 | (size_t)in.p[2] << 8 | in.p[3];
}

static void up(void *ctx, struct conn *c)
{
	(void)ctx;
	(void)c;
}

static void message(void *ctx, struct conn *c, struct view v)
{
	(void)ctx;
	conn_write(c, v);
}

static void down(void *ctx, struct conn *c, const char *why)
{
	(void)ctx;
	(void)c;
	(void)why;
}

static const struct conn_ops ops = { frame, up, message, down };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_at(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&a, n) || listen(fd, 16) || getsockname(fd, (struct sockaddr *)&a, &n))
		die("listen");
	*port = ntohs(a.sin_port);
	return fd;
}

/* What the kernel alone costs: read what is there, write it back. */
static void *bare(void *arg)
{
	static uint8_t bytes[65536];
	int listening = *(int *)arg, ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listening }, got[64];

	epoll_ctl(ep, EPOLL_CTL_ADD, listening, &e);
	for (;;) {
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int on = 1, fd = got[i].data.fd;
			ssize_t r;

			if (fd == listening) {
				e.data.fd = accept(listening, NULL, NULL);
				setsockopt(e.data.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
				epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
				continue;
			}
			r = recv(fd, bytes, sizeof bytes, 0);
			if (r <= 0)
				close(fd);
			else if (send(fd, bytes, (size_t)r, MSG_NOSIGNAL) != r)
				die("send");
		}
	}
	return NULL;
}

static void *run(void *loop)
{
	loop_run(loop);
	return NULL;
}

struct client {
	int fd[CONN_MAX];
	size_t conn_n, window;
	uint64_t messages;
};

static void dial(struct client *c, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < c->conn_n; i++) {
		c->fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(c->fd[i], (struct sockaddr *)&to, sizeof to))
			die("connect");
		setsockopt(c->fd[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
}

/* Keep `window` messages in flight on every connection: as many as came back go out again. */
static double measure(struct client *c, uint16_t port)
{
	static uint8_t out[SIZE * 1024], in[65536];
	struct timespec a, b;
	size_t odd[CONN_MAX] = { 0 };
	uint64_t done = 0;

	for (size_t i = 0; i < 1024; i++) {
		out[i * SIZE + 2] = SIZE >> 8;
		out[i * SIZE + 3] = SIZE & 0xff;
	}
	dial(c, port);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (size_t i = 0; i < c->conn_n; i++)
		if (send(c->fd[i], out, SIZE * c->window, 0) < 0)
			die("send");
	for (size_t i = 0; done < c->messages; i = (i + 1) % c->conn_n) {
		ssize_t r = recv(c->fd[i], in, sizeof in, 0);
		size_t whole = (odd[i] + (size_t)(r > 0 ? r : 0)) / SIZE;

		if (r <= 0)
			die("recv");
		odd[i] = (odd[i] + (size_t)r) % SIZE;
		done += whole;
		if (whole > 0 && send(c->fd[i], out, SIZE * whole, 0) < 0)
			die("send");
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	for (size_t i = 0; i < c->conn_n; i++)
		close(c->fd[i]);
	return (double)done / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
}

int main(int argc, char **argv)
{
	static const struct loop_limits limits = { .conn_max = 64, .frame_max = 65536, .out_max = 1 << 20,
				      .handshake_ms = 5000 };
	struct client c = { .messages = argc > 1 ? strtoull(argv[1], NULL, 10) : 400000,
			    .window = argc > 2 ? strtoull(argv[2], NULL, 10) : 64,
			    .conn_n = argc > 3 ? strtoull(argv[3], NULL, 10) : 4 };
	struct endpoint e = { .link = LINK_TCP, .address_n = 1, .address = { "127.0.0.1" } };
	struct loop *l = loop_new(&limits);
	pthread_t threads[2];
	double ours, theirs;
	uint16_t port;
	char why[256];
	int fd = listen_at(&e.port);

	if (c.conn_n == 0 || c.conn_n > CONN_MAX || c.window == 0 || c.window > 200)
		return 2;
	close(fd);
	if (!l || loop_listen(l, &e, NULL, false, &ops, NULL, why))
		die("loop_listen");
	fd = listen_at(&port);
	pthread_create(&threads[0], NULL, run, l);
	pthread_create(&threads[1], NULL, bare, &fd);
	(void)measure(&c, port); /* warm */
	theirs = measure(&c, port);
	ours = measure(&c, e.port);
	printf("echo of %d B, %zu connections, %zu in flight on each\n", SIZE, c.conn_n, c.window);
	printf("bare epoll %9.0f messages/s\nloop       %9.0f messages/s\nratio      %.2f\n", theirs, ours,
	       ours / theirs);
	loop_stop(l);
	pthread_join(threads[0], NULL);
	loop_free(l);
	return 0;
}
